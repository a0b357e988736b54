# %% [markdown]
# # 12 Decoding
#
# **Why is the likeliest text not always the best?**
#
# ![The text so far, "My favourite animal is the", goes into the model. What it says: cat 0.11, elephant 0.07, Mon
# 0.02, lion 0.02, one 0.02, and 49,147 other tokens together 0.75. A lit box, choose one, takes one of them; it is
# appended to the text, and all begins again.](figures/12_decoding_where.svg)
#
# A language model does not write. It reads a text and says how probable each next token is; then somebody has to
# choose. In the drawing that is the lit box, and there is no network in it. (`Mon` is a piece of a word.) The choice
# looks like a detail: why not take the likeliest token each time?
#
# In this lesson you will see where that leads, with dates, with menus, and with a model that writes fluent English
# and then goes round in circles. You will be able to
#
# * write the loop between a model and a text, and end it;
# * tell, for a wrong text, whether the search or the model was at fault;
# * choose a way of decoding for a task, and a measure that notices when it fails.
#
# About 50 minutes. You need softmax and logarithm ([lesson 01](01_toolkit.ipynb)), the tokens of [lesson
# 10](10_tokens.ipynb) and the translator of [lesson 11](11_encoder_decoder.ipynb).

# %%
import math
import random
import statistics
import textwrap
import time

import matplotlib.pyplot as plt
import sacrebleu
import torch
from IPython.display import Markdown

# %%
from transformer_lab import generate, load, translate
from transformer_lab.experiments import experiment, recorded
from transformer_lab.generation.sampling import keep_min_p, keep_top_k, keep_top_p
from transformer_lab.grading import predict
from transformer_lab.metrics import chrf
from transformer_lab.viz import DecodingExplorer, plots

plots.use_style()
widths, likeliest = experiment("widths"), experiment("likeliest")

# %% [markdown]
# ## 1. The loop
#
# A model that is certain leaves nothing to choose. So here is one that is not: a translator of dates, from English
# to Chinese, stopped after 120 steps, a few seconds of training.

# %%
task = widths.undertrained(seed=0)  # about 7 seconds
model, tokenizer = task.model, task.tokenizer
pairs = task.held_out[:100]

# %% [markdown]
# Here is the loop of the drawing. To take the likeliest token each time is called **greedy decoding**:


# %%
def greedy(text, most=20):
    """The ids that the translator writes, from [BOS] to [EOS]."""
    source, mask = tokenizer.batch([text])
    ids = torch.tensor([[tokenizer.bos_id]])
    while ids.shape[1] <= most:
        with torch.no_grad():
            logits = model(source, ids, mask)[:, -1]  # (1, V), for the next token
        ids = torch.cat((ids, logits.argmax(dim=-1, keepdim=True)), dim=1)
        if ids[0, -1] == tokenizer.eos_id:
            break
    return ids


# %% tags=["nbval-ignore-output"]
# output differs from one CPU to the next: training does
print(f"{'it reads':32}{'it writes':22}right would be")
for pair in pairs[:7]:
    print(f"{pair.source:32}{tokenizer.decode(greedy(pair.source)[0]):22}{pair.target}")
said = translate(model, tokenizer, [pair.source for pair in pairs])
assert all(tokenizer.decode(greedy(pair.source)[0]) == one for pair, one in zip(pairs[:7], said, strict=False))

# %% [markdown]
# Nearly all look like dates (`年`, `月` and `日` are year, month and day, and `星期` begins the weekday). But many are
# another day, and a weekday may be missing.
#
# The loop ends when the text is too long, or when the model says `[EOS]`, a **stop token**: it has learnt to say it
# when the date is over. What if nobody listens?

# %% tags=["nbval-ignore-output"]
# output differs from one CPU to the next
source, mask = tokenizer.batch([pairs[0].source])
start = torch.tensor([[tokenizer.bos_id]])
endless = generate(model, start, 30, source=source, source_mask=mask)  # no stop=tokenizer.eos_id
print(" ".join(tokenizer.tokens(endless[0])))
assert (endless == tokenizer.eos_id).any() and endless.shape[1] == 31

# %% [markdown]
# It fills all the room it has. In training nothing ever came after `[EOS]`, so nothing that the model says there was
# ever corrected. A chat model that nobody stops may ask the next question in your name.
#
# So the loop needs its stop token. Yet many of the dates are wrong.
#
# ## 2. Keep more than one beginning
#
# Is greedy decoding to blame? The probability of a text is a product with one factor for each token, and whoever
# takes the largest first factor may miss the largest product:
#
# ![A tree. It: is 0.6, rains 0.4. After is: late 0.4, cold 0.35, here 0.25; after rains: a full stop 0.9, on 0.1.
# Greedy decoding finds "It is late", 0.24; the likeliest text is "It rains .", 0.36.](figures/12_decoding_misses.svg)
#
# There are far too many texts to try them all. **Beam search** is the compromise. It keeps the $k$ best unfinished
# texts, the *beams*, continues each of them in every way, and again keeps the $k$ best. A product of many small
# numbers soon becomes 0 in a computer, so one adds logarithms. The *score* of a text with the tokens $y_1$ to $y_n$,
# given the text $x$ that the model has read, is
#
# $$\log p(y_1 \dots y_n \mid x) = \sum_{t=1}^{n} \log p(y_t \mid x, y_1 \dots y_{t-1}).$$


# %%
def step(beams, k, source, mask):
    """beams: (score, ids) each -> the k best of their continuations"""
    found = []
    for score, ids in beams:
        with torch.no_grad():
            log_probs = model(source, ids, mask)[0, -1].log_softmax(dim=-1)  # (V,)
        best = log_probs.topk(k)
        for value, i in zip(best.values.tolist(), best.indices, strict=True):
            found.append((score + value, torch.cat((ids, i.view(1, 1)), dim=1)))
    return sorted(found, key=lambda beam: -beam[0])[:k]


# %% [markdown]
# Here are three beams on the first date of the list, the best on the left, each with its score so far:


# %% tags=["nbval-ignore-output"]
# output differs from one CPU to the next
beams = [(0.0, start)]
for number in range(1, 7):
    beams = step(beams, 3, source, mask)
    shown = "   ".join(f"{''.join(tokenizer.tokens(ids[0, 1:]))} {score:6.2f}" for score, ids in beams)
    print(f"{number} tokens: {shown}")
assert beams[0][0] >= beams[1][0] >= beams[2][0]

# %% [markdown]
# (`[BOS]` is a token like any other to `step`.) Not in `step`: a beam that has said `[EOS]` is set aside, and when
# the search is over, the best of all wins. With one beam, beam search is greedy decoding.
#
# Now let it search. We trained five such translators from five seeds. With greedy decoding they get about two dates
# in ten right (of 200 dates each). If the search keeps *sixty-four* texts at each step, how many more dates in a
# hundred come out right? Run the cell, and click your guess.

# %%
predict("12_decoding.width")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
kept, longer = recorded("widths")["result"], recorded("draws")["result"]["right"]  # longer: after more training
figure, axes = plt.subplots(1, 2, figsize=(8, 3.4))
sizes = [int(n) for n in kept["search"]["0.0"]]
for ax, key, title, factor in (
    (axes[0], "log_prob", "score of what is found", 1),
    (axes[1], "exact_match", "% of dates right", 100),
):
    for seed in range(5):
        line = [factor * runs[seed][key] for runs in kept["search"]["0.0"].values()]
        ax.plot(sizes, line, "o-", color=f"C{seed}")
        if key == "log_prob":
            ax.axhline(kept["right"][seed]["log_prob"], color=f"C{seed}", linestyle=":")
    ax.set(title=title, xscale="log", xlabel="beams", xticks=sizes, xticklabels=sizes)
axes[1].set_ylim(0, None)
_ = axes[0].text(1, -4.8, "dotted: right answers")
_ = figure.suptitle("120 steps, five seeds: beyond four beams hardly anything changes")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
means = {n: 100 * sum(run["exact_match"] for run in runs) / len(runs) for n, runs in kept["search"]["0.0"].items()}
gain = means["64"] - means["1"]
print("Dates right, in the mean of five models:")
print(f"    {means['1']:.1f} % with greedy decoding, {means['64']:.1f} % with 64 beams")
answer = "fewer" if gain < -1 else "up to 5 more" if gain <= 5 else "5 to 20 more" if gain <= 20 else "above 20 more"
predict("12_decoding.width", actual=answer)

# %% [markdown]
# <details><summary>What happened? Open after your guess</summary>
#
# Nearly three more. On the left the score rises in each of the five models (colours). It usually does, but nothing
# guarantees it: a wider search can crowd out a beginning that would have won. Beyond four beams hardly anything
# changes.
#
# </details>
#
# ## 3. Whose fault is it?
#
# Even with sixty-four beams many dates are wrong. How can you tell whether the search missed something or the model
# likes the wrong text better? Take a wrong translation, and let the model score the *right* one as well. If the right
# one has the higher score, the search has missed a likelier text: a **search error**. If it has the lower score, even
# a perfect search would write something else: a **model error**. (The search may still have missed a likelier wrong
# text.)
#
# Here are the first five dates (of 100) that our translator got wrong with eight beams, with scores:

# %% tags=["nbval-ignore-output"]
# output differs from one CPU to the next
# length_penalty=0.0: the score is the plain sum
found = widths.translate_ids(model, tokenizer, [pair.source for pair in pairs], beams=8, length_penalty=0.0)
totals, _ = widths.log_probs(task, pairs, found)
right, _ = widths.log_probs(task, pairs, widths.right_ids(task, pairs))
wrong = [n for n, pair in enumerate(pairs) if tokenizer.decode(found[n]) != pair.target]
for n in wrong[:5]:
    print(f"{tokenizer.decode(found[n]):18} {totals[n]:7.2f}     right: {pairs[n].target:18} {right[n]:7.2f}")
by_model = sum((totals[n] > right[n]).item() for n in wrong)
print(f"of {len(wrong)} wrong translations {by_model} have a better score than the right answer")
assert by_model >= 0.95 * len(wrong)

# %% [markdown]
# So a better search would put hardly any of these right (with our model, none): the model likes its wrong texts
# better.

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: all five models, and more training
#
# Does that hold for five models, and how much does training help?

# %% jupyter={"source_hidden": true} tags=["deeper"]
wide, narrow = kept["search"]["0.0"]["64"], kept["search"]["0.0"]["1"]
print("120 steps, in the mean of five seeds:")
for name, runs in (("greedy", narrow), ("64 beams", wide)):
    mistakes = sum(1 - run["exact_match"] for run in runs) / 5
    by_model = sum(run["likelier_than_right"] for run in runs) / 5
    print(f"    {name:9} {mistakes:.1%} wrong, {by_model:.1%} with a better score than the right answer's")
print("more training (100 of these dates):")
for steps, runs in longer.items():
    shares = [sum(run[name] for run in runs) / 5 for name in ("greedy", "8 beams")]
    print(f"    {steps} steps: {shares[0]:.0%} right with greedy decoding, {shares[1]:.0%} with 8 beams")
missed = recorded("draws")["result"]["missed"]  # of 100 dates each
print(f"120 steps: an exact search found a likelier text than 8 beams for {sum(missed)} of {100 * len(missed)} dates")

# %% [markdown] tags=["deeper"]
# For 6.1 % of the dates (81.0 less 74.9) greedy decoding had missed a *right* text that the model liked better. With
# 64 beams no such error is left, and yet of a hundred dates only 2.8 more come out right: the wider search also
# finds wrong texts that are likelier still. Eighty more steps of training do far more than all those beams.
#
# Do eight beams still miss the likeliest text? An *exact* search drops nothing that could still win (you write one in
# question 5 of the exercises). `experiments/draws.py` ran one on 100 dates for each of the five models, for texts of
# at most 20 tokens. It found nothing likelier than eight beams had found. So eight were enough here, and about three
# in four of their texts are wrong.

# %% [markdown]
# ## 4. When the score is to blame
#
# There is a third suspect: the score that the search raises. So far it was the model's own, but one can choose
# another. With whole sentences, *too many* beams made the translations worse (Koehn and Knowles 2017).
#
# Every token costs something, for the logarithm of a probability is never above 0. An early end saves tokens, and
# costs only an early `[EOS]`. Stahlberg and Byrne (2019) searched exactly: for more than half of their sentences the
# likeliest translation of a good system was *empty*.
#
# Our dates differ by a few tokens, menus and messages by more. `experiments/interface_texts.py` taught five small
# translators JupyterLab's own texts, two to twelve words long, from English to French. With about two thousand pairs
# to learn from, they write poor French. But look at what one of them writes with a wider search:

# %% jupyter={"source_hidden": true}
menus = recorded("interface_texts")["result"]
said = menus["texts"]
columns = ("source", "wanted", "greedy", "32 beams")
for read, wanted, narrow, wide in list(zip(*(said[name] for name in columns), strict=True))[:6]:
    print(f"{read}\n    right     {wanted}\n    greedy    {narrow}\n    32 beams  {wide}")

# %% [markdown]
# (*Annuler les modifications* means "discard the changes".) Are such texts only shorter, or also worse? **chrF**
# counts the groups of letters that a text shares with the right one.
#
# Against short texts one uses a **length penalty**: divide the score by a power of the number of tokens. The penalty
# is the exponent: 0 leaves the sum (orange), and 1 takes the mean (blue). Follow the orange lines first:

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 3, figsize=(9, 3.6))
sizes = [int(n) for n in menus["search"]["0.0"]]
for ax, key, title in (
    (axes[0], "log_prob", "score: sum of log p"),
    (axes[1], "tokens", "tokens in a text"),
    (axes[2], "chrf", "chrF"),
):
    for color, penalty, by in (("C1", "0.0", "the sum"), ("C0", "1.0", "the sum divided by the length")):
        lines = torch.tensor([[run[key] for run in runs] for runs in menus["search"][penalty].values()])  # (sizes, 5)
        ax.plot(sizes, lines, "o", color=color, alpha=0.35, markersize=3)
        ax.plot(sizes, lines.mean(dim=1), color=color, linewidth=2, label=f"searched by {by}")
    ax.set(title=title, xscale="log", xlabel="beams", xticks=sizes, xticklabels=sizes)
axes[1].axhline(sum(run["tokens"] for run in menus["right"]) / 5, color="grey", linestyle=":")
_ = axes[1].text(1, sum(run["tokens"] for run in menus["right"]) / 5 - 0.6, "the right ones", fontsize=8, color="grey")
_ = figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
_ = figure.suptitle("Searched by the sum, more beams: better scores, shorter texts, lower chrF (5 seeds, line: mean)")

# %% jupyter={"source_hidden": true}
again = {name: chrf(said[name], said["wanted"]) for name in ("greedy", "32 beams", "32 beams, penalty 1")}
tokens = {"greedy": menus["search"]["0.0"]["1"], "32 beams": menus["search"]["0.0"]["32"]}
tokens |= {"32 beams with penalty 1": menus["search"]["1.0"]["32"], "right": menus["right"]}
lengths = (f"{name}: {sum(run['tokens'] for run in runs) / 5:.1f}" for name, runs in tokens.items())
print("tokens in a text, mean of five seeds:", "; ".join(lengths))
print("seed 0, chrF computed again:", "; ".join(f"{name}: {value:.1f}" for name, value in again.items()))
for penalty, name in (("0.0", "sum"), ("1.0", "mean")):
    narrow, wide = (menus["search"][penalty][n] for n in ("1", "32"))
    higher = sum(b["chrf"] > a["chrf"] for a, b in zip(narrow, wide, strict=True))
    print(f"32 beams, searched by the {name} of log p: a higher chrF than greedy decoding in {higher} of five seeds")

# %% [markdown]
# **Better scores, lower marks.** Searched by the sum, the score rises with more beams. The texts shrink from about
# eleven tokens to seven, where the right ones have thirteen. And chrF falls in the mean: by this measure the texts
# get worse.
#
# With the same models, 32 beams and a penalty of 1 (blue), the texts keep about ten tokens, and chrF is *higher* than
# with greedy decoding, with each of the five seeds. Here, by chrF, the mean is the better score to search by.

# %% [markdown]
# ## 5. A better model, and texts in circles
#
# Does searching for a likely text fail even where the English is fluent? Take SmolLM2 (135 million parameters,
# trained further to chat, stored with four bits each), and let greedy decoding and eight beams continue fifteen
# passages of Python's manual. Each text gets eighty tokens, so none can win by being short. Measure its *repetition*:
# the share of groups of four tokens that have stood in the same text before. Here is a passage whose greedy text has
# the median repetition of the fifteen:

# %% jupyter={"source_hidden": true}
texts = recorded("likeliest")["result"]["texts"]
smol, smol_tokenizer = load("smollm2")
passages = torch.tensor(recorded("likeliest")["result"]["read"])
shown = 2  # of 0 to 14
assert sorted(texts["greedy"]["repeated"])[7] == texts["greedy"]["repeated"][shown]


def show(name, ids):
    lines = (line for line in smol_tokenizer.decode(ids).strip().splitlines() if line.strip())
    print(f"--- {name} ---", *(textwrap.fill(line, 96) for line in lines), "", sep="\n")


read, ids = passages[shown], {name: torch.tensor(row["ids"][shown]) for name, row in texts.items()}
show("the beginning", read)
for name in ("the manual", "greedy", "8 beams"):
    show(f"{name}, {texts[name]['repeated'][shown]:.0%} repeated", ids[name])

# %% [markdown]
# Greedy decoding says one line again and again, and changes at most its number. The eight beams build a name that
# eighty tokens do not finish. Here is the passage on which greedy decoding repeats itself most:

# %% jupyter={"source_hidden": true}
worst = max(range(15), key=lambda n: texts["greedy"]["repeated"][n])
show("the beginning", passages[worst])
for name in ("greedy", "8 beams"):
    show(f"{name}, {texts[name]['repeated'][worst]:.0%} repeated", texts[name]["ids"][worst])
medians = {name: statistics.median(texts[name]["repeated"]) for name in ("the manual", "greedy", "8 beams")}
print("median of fifteen passages:", ", ".join(f"{name} {value:.0%} repeated" for name, value in medians.items()))

# %% [markdown]
# Both passages are bad for eight beams: over all fifteen their median is 8 %, greedy decoding's 39 %, and the
# manual's 3 %.
#
# Before you look for a bug, let the model score the fifteen texts of eight beams and the fifteen of the manual. Take
# the probability of a token (the geometric mean: $e$ to the mean of $\log p$). How many times as high is it in the
# eight beams' texts as in the manual? Run the cell, and click your guess.

# %%
predict("12_decoding.person")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
order = ["the manual", "greedy", "2 beams", "4 beams", "8 beams"]
names = ("the manual", "greedy", "8 beams")
own = {name: likeliest.own_log_probs(smol, read[None], ids[name][None])[0].exp() for name in names}
figure, axes = plt.subplots(3, 1, figsize=(9, 3.6), sharex=True, sharey=True)
for ax, (name, color) in zip(axes, zip(names, ("C0", "C1", "C2"), strict=True), strict=True):
    ax.bar(range(len(own[name])), own[name], width=0.9, color=color)
    ax.set(ylabel=name, ylim=(0, 1), yticks=(0, 1))
axes[0].set_title("The passage on keyword arguments, token by token: the manual surprises SmolLM2 again and again")
_ = axes[2].set_xlabel("new token")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
mean = {name: math.exp(sum(row["log_prob"]) / len(row["log_prob"])) for name, row in texts.items()}
print("The geometric mean of the tokens' probabilities:")
for name in order:
    print(f"    {name:12} {mean[name]:.2f}")
ratio = mean["8 beams"] / mean["the manual"]
print(f"8 beams, as a multiple of the manual: {ratio:.1f}")
answer = "less" if ratio < 1 else "1 to 3 times" if ratio < 3 else "3 to 6 times" if ratio < 6 else "above 6 times"
predict("12_decoding.person", actual=answer)

# %% [markdown]
# <details><summary>What happened? Open after your guess</summary>
#
# More than nine times: 0.07 in the manual, 0.52 in greedy decoding's texts, and 0.66 in those of the eight beams. By
# the model's own account, the tokens of such texts are far likelier than those of the manual. Look at the bars: the
# manual surprises the model again and again. Perhaps that is no accident: what every reader could foresee need not be
# written.
#
# </details>

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: does a better score mean more loops?
#
# Here are all fifteen passages, the scores on the left and the repetition on the right:

# %% jupyter={"source_hidden": true} tags=["deeper"]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
for ax, key, title in ((left, "log_prob", "log p of a token, mean"), (right, "repeated", "% repeated")):
    factor = 100 if key == "repeated" else 1
    for place, name in enumerate(order):
        values = [factor * value for value in texts[name][key]]
        ax.plot([place + (n - 7) / 40 for n in range(15)], values, "o", color="grey", alpha=0.5, markersize=4)
        ax.plot([place - 0.3, place + 0.3], [statistics.median(values)] * 2, color="black", linewidth=2)
    ax.set_xticks(range(len(order)), order, rotation=20)
    ax.set(title=title)
_ = figure.suptitle(
    "Each search's texts are likelier than the manual; with more beams they loop less\n(15 passages, line: median)"
)


# %% jupyter={"source_hidden": true} tags=["deeper"]
def more(key, one, other):
    """On how many of the fifteen passages the one's texts have more of it than the other's."""
    return sum(a > b for a, b in zip(texts[one][key], texts[other][key], strict=True))


for name in order[1:]:
    middle = statistics.median(texts[name]["repeated"])
    print(f"{name:8} likelier than the manual on {more('log_prob', name, 'the manual')} of 15,", end=" ")
    print(f"more repetitive on {more('repeated', name, 'the manual')}; in the median {middle:.0%} repeated")

# %% [markdown] tags=["deeper"]
# On every passage every search scores higher than the manual, and each search repeats itself more on most passages.
# But a better score does not simply mean more loops: eight beams score higher than greedy decoding and repeat *less*,
# in the median 8 % instead of 39 %.

# %% [markdown]
# ## 6. What makes a repetition likely?
#
# Why does a fluent model go in circles? Perhaps the repeated sentence is just a very good one. Let us write a
# passage four times in a row, and see how probable the model finds its tokens each time. Two controls: the passage
# with its words shuffled into nonsense, and four *different* passages in a row.


# %%
def probabilities(rounds):
    """Of each round of a text: the geometric mean of its tokens' probabilities."""
    parts = [smol_tokenizer.encode(" " + " ".join(words)) for words in rounds]
    row = torch.tensor([smol_tokenizer.encode("\n") + sum(parts, [])])
    with torch.no_grad():
        log_probs = smol(row[:, :-1])[0].log_softmax(dim=-1).gather(1, row[0, 1:, None])[:, 0]
    return [part.mean().exp().item() for part in log_probs.split([len(part) for part in parts])]


# %%
rng, rounds = random.Random(1), {"the same passage": [], "the same nonsense": [], "another passage": []}
manual = [smol_tokenizer.decode(one).split() for one in passages]
for n in range(10):
    nonsense = rng.sample(manual[n], len(manual[n]))
    for name, four in zip(rounds, (4 * [manual[n]], 4 * [nonsense], manual[n : n + 4]), strict=True):
        rounds[name].append(probabilities(four))

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 3, figsize=(9, 2.8), sharey=True)
for ax, (name, runs) in zip(axes, rounds.items(), strict=True):
    for run in runs:
        ax.plot(range(1, 5), run, "o-", color="grey", alpha=0.4, markersize=3)
    ax.plot(range(1, 5), torch.tensor(runs).mean(dim=0), color="black", linewidth=2)
    ax.set(title=f"{name} each time", xticks=range(1, 5), xlabel="round", ylim=(0, 1))
    if name.startswith("the same"):
        assert all(run[0] < run[1] < run[3] for run in runs) and torch.tensor(runs).mean(dim=0)[3] > 0.6
    else:
        assert max(map(max, runs)) < 0.2
_ = axes[0].set_ylabel("probability of its tokens\n(geometric mean)")
_ = figure.suptitle("What has been there before becomes likely, sense or nonsense (ten passages)")

# %% [markdown]
# From round to round the passage becomes likelier, and so does the nonsense; passages that are new each time do not.
# What becomes likely is *what has been there before*. So a loop can feed itself.
#
# ### Likeliest is not typical
#
# But how can an odd text be likelier than a normal one? Forget the network, and take a coin that shows heads in six
# of ten throws. Of all sequences of a hundred throws, which is the likeliest?

# %%
for heads in (100, 60):
    log_p = heads * math.log(0.6) + (100 - heads) * math.log(0.4)
    print(
        f"one sequence with {heads:3} heads: log p = {log_p:.1f}; of such sequences there are {math.comb(100, heads):.2g}"
    )
likely = sum(math.comb(100, n) * 0.6**n * 0.4 ** (100 - n) for n in range(50, 71))
print(f"all sequences with 50 to 70 heads together: {likely:.0%} of the probability")

# %% [markdown]
# A hundred heads: no other sequence is as probable, and yet you will never see it. What you will see has about sixty
# heads. Each such sequence is far less probable, but there are very many, and their probabilities add up: those with
# fifty to seventy heads have 97 % together. **The likeliest text need not be a typical one.** A person's text is like
# the sixty heads: it has a rare word now and then. The text that a search looks for may be like the hundred heads.
#
# ## 7. Throw the coin
#
# For a typical text, do not search. *Draw* each token, with the probability that the model gives it: this is
# **sampling**. Here are two of SmolLM2's distributions to draw from:

# %%
prompts = ("The best thing about Python is", "My favourite animal is the")
with torch.no_grad():
    next_logits = torch.cat([smol(torch.tensor([smol_tokenizer.encode(one)]))[:, -1] for one in prompts])  # (2, V)
for prompt, row in zip(prompts, next_logits.softmax(dim=-1), strict=True):
    best = row.topk(40)
    top = ",".join(
        f"{smol_tokenizer.decode([i])} {p:.2f}" for p, i in zip(best.values[:7], best.indices[:7], strict=True)
    )
    print(f"{prompt} ...{top}\n    all but the best 40 tokens together: ≈ {1 - best.values.sum():.2f}")
assert 1 - next_logits[0].softmax(dim=-1).topk(40).values.sum() < 0.06
assert 1 - next_logits[1].softmax(dim=-1).topk(40).values.sum() > 0.3

# %% [markdown]
# Here is the trouble with drawing. Each token beyond the best 40 has hardly a chance, but together they may have
# nearly half of the probability, as after *animal is the*. Whatever is drawn, however silly, the model has to go on
# from there. Four remedies are in use:
#
# * **Temperature**: divide the logits by it before the softmax. Below 1 the likely tokens gain, and near 0 it is
#   greedy decoding; above 1 they all become more alike.
# * **Top-k**: keep the $k$ likeliest tokens.
# * **Top-p**, or *nucleus* sampling: keep the likeliest tokens until together they have the probability $p$.
# * **Min-p**: keep every token that is at least $p$ times as probable as the likeliest one.
#
# After each of the last three, what is kept is rescaled to sum to 1. Compare how many tokens each leaves, where two
# tokens have most of the probability (upper row) and where many share it (lower row, with another scale):

# %%
filters = {
    "as it is": lambda z: z,
    "temperature 0.5": lambda z: z / 0.5,
    "top-k, k = 40": lambda z: keep_top_k(z, 40),
    "top-p, p = 0.9": lambda z: keep_top_p(z, 0.9),
    "min-p, p = 0.1": lambda z: keep_min_p(z, 0.1),
}

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(2, 5, figsize=(8, 3.4), sharex=True, sharey="row")
for ax, name in zip(axes[0], filters, strict=True):
    ax.set_title(name)
for row, line in zip(axes, next_logits, strict=True):
    for ax, change in zip(row, filters.values(), strict=True):
        p = change(line[None]).softmax(dim=-1)[0].sort(descending=True).values
        ax.bar(range(30), p[:30], width=1)
        ax.text(0.95, 0.9, f"{(p > 0).sum():,} left", transform=ax.transAxes, ha="right", va="top")
_ = axes[0, 0].set_ylabel("... about Python is"), axes[1, 0].set_ylabel("... animal is the")
_ = figure.supxlabel("the 30 likeliest tokens, by rank", fontsize=10)

# %% [markdown]
# Top-k keeps 40 in both rows, whatever the model thinks. Top-p and min-p look at the probabilities: they keep few
# tokens in the upper row and more in the lower. A temperature below 1 drops nothing, but makes the tail thin.
#
# What do such texts look like? Here is the passage of section 5 again, on keyword arguments:

# %%
for name in ("temperature 1", "top-p 0.9", "temperature 0.7"):
    show(name, ids[name])

# %% [markdown]
# (The first one goes on in your name: `user` begins a person's turn.) Are such texts nearer to the loops or to the
# manual? Here is the repetition again (the star is the manual):

# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(9, 4))
aside = {"top-p 0.9": (6, -13), "temperature 1": (-30, 8), "8 beams": (-14, -16), "min-p 0.1": (2, -16)}
for name, row in texts.items():
    x, y = torch.tensor(row["log_prob"]), 100 * torch.tensor(row["repeated"])
    mark, color = ("*", "black") if name == "the manual" else ("s", "C0") if name in order else ("o", "C1")
    ax.plot(x, y, mark, color=color, alpha=0.2, markersize=4)
    middle = x.median().item(), y.median().item()
    ax.plot(*middle, mark, color=color, markersize=11)
    ax.annotate(name, middle, xytext=aside.get(name, (8, 6)), textcoords="offset points", fontsize=9)
ax.set(xlabel="log p of a token, mean", ylabel="% repeated", ylim=(-9, 95))
title = "SmolLM2: the manual stands between draws at temperature 1 and with top-p; searches, far away"
_ = ax.set_title(f"{title}\n(fifteen passages, large: their median; squares: searched, circles: drawn)")

# %% [markdown]
# The searches stand on the right: likely, and in the median more repetitive than the manual. The manual stands
# between two ways of drawing: temperature 1, which surprises the model more, and top-p, which surprises it less. In
# the median neither repeats itself more than the manual. Temperature 0.7 stands between temperature 1 and greedy
# decoding. (That a text stands next to the manual does not make it true, or even good.)
#
# ## 8. One right answer, or many
#
# Is drawing the better way, then? Back to the dates (100 of those in section 2), with translators trained for 120,
# 150 and 200 steps. We draw once, or draw 32 times and let the draws vote:

# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(7, 3.4))
for number, name in enumerate(("greedy", "a draw", "vote")):
    shares = [[100 * run[name] for run in runs] for runs in longer.values()]
    for place, some in enumerate(shares):
        ax.plot([place + 0.06 * (number - 1)] * 5, some, "o", color=f"C{number}", alpha=0.5, markersize=4)
    ax.plot([sum(some) / 5 for some in shares], color=f"C{number}", label=name)
ax.set_xticks(range(3), [f"{steps} steps" for steps in longer])
ax.set(ylabel="% of dates right", ylim=(0, 100), title="Dates, five seeds: one draw loses many, a vote of 32 few")
_ = ax.legend()

# %% jupyter={"source_hidden": true}
for steps, runs in longer.items():
    shares = {name: sum(run[name] for run in runs) / 5 for name in ("greedy", "a draw", "vote")}
    print(f"{steps} steps:", ", ".join(f"{name} {share:.0%}" for name, share in shares.items()))
    assert shares["a draw"] < shares["vote"] <= shares["greedy"] + 0.01

# %% [markdown]
# A single draw (at temperature 1) gets far fewer dates right than greedy decoding. The vote makes up for most of the
# loss, at 32 times the cost.
#
# <details><summary>Deeper: what does the vote find?</summary>
#
# Here the text *is* the answer, so texts can be counted as votes. The text that is drawn most often is, in the long
# run, the likeliest one: the vote is a rough search for it. Where a model first writes how it gets to its answer, one
# votes on the answer alone. That is *self-consistency*.
#
# </details>
#
# So for dates: **where one answer is right, do not draw once. Take greedy decoding or a search, or vote if you can
# only draw.** Where many texts will do, try a draw: in the median, SmolLM2's draws repeated less than its searches.
#
# Why, then, is the likeliest text not always the best? We met three reasons, which can occur together: the model is
# wrong (the dates), the sum favours short texts (the menus), the likeliest text is not typical (the coin, and perhaps
# SmolLM2's loops).
#
# ## 9. Play
#
# Here is the undertrained translator again: write a date yourself, token by token; open the search as a tree; move
# the filters' sliders; draw ten texts.
#
# 1. Write the right date (`1965年5月10日星期一`). Which single token costs you most, and is your score in the end above or
#    below the greedy one?
# 2. Set the length penalty to 0. Take two beams, then five: does the best text found differ from greedy decoding's,
#    and where?
# 3. Begin with a wrong first digit. Does the model find its way back, and what does the rest of the date cost?
# 4. How low must the temperature be until ten draws are only one or two texts? And at temperature 1, which min-p does
#    the same?

# %%
explorer = DecodingExplorer(model, tokenizer, "Monday, May 10, 1965", 16, beams=2)
explorer

# %% [markdown]
# <details><summary>Answers, when you have tried</summary>
#
# The next cells compute the numbers with your model. The answers here are our model's; yours, trained on another CPU,
# may differ.
#
# 1\. The weekday: the model would rather end before it. Your score is *below* the greedy one, so this is a model
# error.
#
# 2\. It does not. The other beams (in section 2 they try other years) lose.
#
# 3\. No. It goes on to some other date as if nothing had happened, and each token is about as cheap as before.
# Whatever has been written is never taken back.
#
# 4\. About 0.2, or a min-p of 0.3. Then almost nothing is drawn except the tokens between which the model hesitates.
#
# </details>


# %% jupyter={"source_hidden": true}
def costs(row):
    """The log-probability of each token after [BOS]."""
    with torch.no_grad():
        log_probs = model(source, row[:, :-1], mask)[0].log_softmax(dim=-1)
    return log_probs.gather(1, row[0, 1:, None])[:, 0]


wrong_digit = torch.tensor([[tokenizer.bos_id, *tokenizer.encode("2")]])[:, :2]
lines = ["Each token, and its log p:"]
for name, row in (
    ("right", widths.right_ids(task, pairs[:1])),
    ("greedy", greedy(pairs[0].source)),
    ("a wrong first digit", generate(model, wrong_digit, 16, source=source, source_mask=mask, stop=tokenizer.eos_id)),
):
    each = zip(tokenizer.tokens(row[0, 1:]), costs(row).tolist(), strict=True)
    lines.append(f"    {name}: {' '.join(f'{token} {cost:.1f}' for token, cost in each)} | sum {costs(row).sum():.2f}")

# %% jupyter={"source_hidden": true, "outputs_hidden": true} tags=["nbval-ignore-output"]
# output differs from one CPU to the next
one = [pairs[0].source]
lines.append("The best text found, by number of beams:")
lines += [f"    {k}: {translate(model, tokenizer, one, beams=k, length_penalty=0.0)[0]}" for k in (1, 2, 5)]
lines.append("Different texts among ten draws:")
for setting in ({"temperature": 0.5}, {"temperature": 0.2}, *({"temperature": 1.0, "min_p": p} for p in (0.1, 0.3))):
    drawn = {translate(model, tokenizer, one, seed=seed, **setting)[0] for seed in range(10)}
    lines.append(f"    {', '.join(f'{name} {value}' for name, value in setting.items())}: {len(drawn)}")
numbers = "\n".join(lines)
Markdown(f"<details><summary>The numbers, when you have tried</summary>\n\n```text\n{numbers}\n```\n\n</details>")

# %% [markdown]
# ## 10. What people get wrong
#
# **Prompts of unequal length, padded as usual.** To continue several prompts at once, pad the shorter ones. For
# training one pads on the right; for `generate`, pad on the *left*, with a mask, so that each row's new tokens follow
# its text:
#
# ![Two batches. Padded on the right, "The sky is" is followed by a padding token, and the new token stands after it.
# Padded on the left, both texts end where the new tokens begin, and the padding is masked and not counted in
# positions.](figures/12_decoding_padding.svg)

# %%
batch = ["The capital of France is", "Two months later, in the spring of 1946, the capital of Germany was"]
rows = [smol_tokenizer.encode(one) for one in batch]
pads = [smol_tokenizer.pad_id] * (len(rows[1]) - len(rows[0]))
alone = generate(smol, torch.tensor(rows[:1]), 6)[0, -6:]
on_left = torch.tensor([pads + rows[0], rows[1]])
mask2 = torch.tensor([[False] * len(pads) + [True] * len(rows[0]), [True] * len(rows[1])])

# %% tags=["nbval-ignore-output"]
# output differs where two tokens are nearly as likely
for name, ids2, options in (
    ("on the right", torch.tensor([rows[0] + pads, rows[1]]), {}),
    ("on the left, no mask", on_left, {}),
    ("on the left, with mask", on_left, {"mask": mask2}),
):
    new = generate(smol, ids2, 6, **options)[0, -6:]
    assert (new == smol_tokenizer.pad_id).all() == (name == "on the right")
    print(f"{name:24}{smol_tokenizer.decode(new)!r}")
print(f"{'alone':24}{smol_tokenizer.decode(alone)!r}")
assert torch.equal(new, alone)

# %% [markdown]
# None of the three raises an error. With padding on the right, the model goes on with the padding, which `decode`
# does not show. On the left without a mask, it says something else; with the mask, it says what it says alone.

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: BLEU, called without a look at its settings
#
# BLEU counts the groups of one to four words that a text shares with the right one. What does it say of a perfect
# date? (`sentence_bleu` leaves out groups for which the text is too short.)

# %% tags=["deeper"]
print(f"{'':20} {'wanted':20} corpus_bleu   sentence_bleu   chrF")
for said, wanted in (
    ("2026年11月22日", "2026年11月22日"),
    ("22 November 2026", "22 November 2026"),
    ("22 November 2027", "22 November 2026"),
):
    of_corpus = sacrebleu.corpus_bleu([said], [[wanted]]).score
    of_sentence = sacrebleu.sentence_bleu(said, [wanted]).score
    print(f"{said:20} {wanted:20} {of_corpus:11.1f}   {of_sentence:13.1f}   {chrf([said], [wanted]):4.0f}")

# %% [markdown] tags=["deeper"]
# One metric, and 0 or 100 for the same perfect date. `corpus_bleu` wants groups of four words, and a text of three
# has none; the Chinese date, cut as if it were English, is a single word. So **report the settings with the number**:
# `sacrebleu` prints them as a *signature*. chrF gives the wrong year 91 of 100. Where there is one right answer,
# count right answers.

# %% [markdown]
# ## 11. In the package
#
# `generate` does all of this, for every model of the course: `temperature`, `top_k`, `top_p`, `min_p`, `beams`,
# `length_penalty`, `stop`, `mask`. For each new token our loop read the whole text again. With the **KV cache** of
# [lesson 03](03_masks.ipynb) `generate` reads each token once. Here are twelve more tokens for a text of a hundred:

# %% tags=["nbval-ignore-output"]
# output differs: these are times
both = torch.cat((read, ids["greedy"]))[None]
seconds, n_read = {}, {"with the cache": 100 + 11, "without": sum(range(100, 112))}
for name in n_read:
    begun = time.perf_counter()
    generate(smol, both[:, :100], 12, use_cache=name == "with the cache")
    seconds[name] = time.perf_counter() - begun
    print(f"{name:15} {n_read[name]:5,} tokens read, {seconds[name]:.1f} seconds")
assert seconds["without"] > 1.5 * seconds["with the cache"]

# %% [markdown]
# The time falls less than the number of tokens, perhaps because a token read alone takes longer than one among a
# hundred.
#
# ## 12. What you have now
#
# You can let a model speak. SmolLM2 has been taught to answer, and to end its answers with a stop token of its own.
# We ask for its favourite animal, and draw three answers with min-p, with room for 80 tokens:

# %% tags=["nbval-ignore-output"]
# output differs where the draw falls on the edge between two tokens
chat = "<|im_start|>user\nWhat is your favourite animal, and why?<|im_end|>\n<|im_start|>assistant\n"
asked = torch.tensor([smol_tokenizer.encode(chat, special=True)]).expand(3, -1)
answers = generate(smol, asked, 80, temperature=1.0, min_p=0.1, seed=5, stop=smol_tokenizer.eos_id)
for row in answers[:, asked.shape[1] :]:
    ended = "(it stopped)" if (row == smol_tokenizer.eos_id).any() else "..."
    print(textwrap.fill(f"- {smol_tokenizer.decode(row)} {ended}", 96))
assert len({tuple(row) for row in answers.tolist()}) > 1

# %% [markdown]
# When we drew, one of the three said "The Great Auk." and stopped: short, fluent, and a bird that died out in the
# nineteenth century.
#
# ## 13. Check yourself
#
# <details><summary>Your translator makes a mistake. A colleague offers a search with a hundred beams. What do you measure first?</summary>
#
# The score of the right translation. If it is lower than that of the mistake, no better search will choose it: it
# would find the mistake, or a text that is likelier still.
#
# </details>
#
# <details><summary>A model writes loops. Is it a bad model?</summary>
#
# That alone does not say so. Ask how the text was decoded. The same SmolLM2 that looped under greedy decoding
# repeated, in the median, no more than the manual when we drew at temperature 1. So draw, and look again.
#
# </details>
#
# <details><summary>Top-k with k = 40 is fine in one place and bad in the next. Why?</summary>
#
# It does not look at the probabilities. Where two tokens have most of the probability, it lets 38 others in; where
# hundreds share it, it still keeps only 40.
#
# </details>
#
# Now the [exercises of this lesson](../exercises/12_decoding/decoding.ipynb): three core questions, then optional
# ones.
#
# ## Takeaways
#
# * The model gives probabilities; the decoding decides what is written. A stop token ends it.
# * Beam search finds better scores, and not always better texts: searched by the sum, our translations of menus
#   shrank and lost chrF. Score the right answer too, and see whose fault a mistake was.
# * The likeliest text need not be a typical one. SmolLM2 gave the texts of its own searches, loops and all, far
#   higher scores than it gave the manual.
# * Where one text is right, as with our dates, take greedy decoding or a search, or vote if you can only draw. Where
#   many are right, try a draw.
# * Where there are right answers, count them. Where there are none, count at least such faults as repetition.
#
# **Papers.** Sutskever, Vinyals, Le (2014), [arXiv:1409.3215](https://arxiv.org/abs/1409.3215): beam search for
# networks that translate. Koehn and Knowles (2017), [arXiv:1706.03872](https://arxiv.org/abs/1706.03872): too many
# beams, worse translations. Fan, Lewis, Dauphin (2018), [arXiv:1805.04833](https://arxiv.org/abs/1805.04833): top-k.
# Holtzman et al. (2019), [arXiv:1904.09751](https://arxiv.org/abs/1904.09751): loops, and top-p. Eikema and Aziz
# (2020), [arXiv:2005.10283](https://arxiv.org/abs/2005.10283): why the likeliest translation is a poor choice. Wang
# et al. (2022), [arXiv:2203.11171](https://arxiv.org/abs/2203.11171): draws that vote. Stahlberg and Byrne (2019),
# [arXiv:1908.10090](https://arxiv.org/abs/1908.10090): the empty translation. Nguyen et al. (2024),
# [arXiv:2407.01082](https://arxiv.org/abs/2407.01082): min-p. Post (2018),
# [arXiv:1804.08771](https://arxiv.org/abs/1804.08771): how to report BLEU.
#
# Previous: [11 Encoder and decoder](11_encoder_decoder.ipynb). Next: [13 Training](13_training.ipynb).

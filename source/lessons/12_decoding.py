# %% [markdown]
# # 12 Decoding
#
# **Why is the likeliest text not the best text?**
#
# ![The text so far, "My favourite animal is the", goes into the model. What it says: cat 0.11, elephant 0.07, Mon 0.02, lion
# 0.02, one 0.02, and 49,147 other tokens together 0.75. A lit box, choose one, takes one of them; it is appended to the text,
# and all begins again.](figures/12_decoding_where.svg)
#
# A language model does not write. It says for a text how probable each next token is, and then somebody has to choose. In
# the drawing that is the lit box, and there is no network in it. It looks like a detail. Take the likeliest token each
# time, what else?
#
# In this lesson you will see what becomes of that, with dates and with a good model that says the same sentence until you
# stop it. You will be able to
#
# * write the loop between a model and a text, and end it;
# * say of a wrong text whether the search was at fault or the model;
# * choose a way of decoding for a task, and a measure that notices when it fails.
#
# About 55 minutes. You need softmax and logarithm ([lesson 01](01_toolkit.ipynb)) and the tokens of
# [lesson 10](10_tokens.ipynb).

# %%
import math
import time

import matplotlib.pyplot as plt
import sacrebleu
import torch

# %%
from transformer_lab import GPT, TransformerConfig, generate, load, translate
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
# A model that is certain leaves nothing to choose. So here is one that is not: the translator of dates, English to
# Chinese, stopped after 120 steps of training. It has seen dates for a few seconds, and has begun to get the hang of
# them.

# %%
task = widths.undertrained(seed=0)  # about 7 seconds
model, tokenizer = task.model, task.tokenizer
pairs = task.held_out[:100]

# %% [markdown]
# The loop of the drawing, and in its middle the simplest choice. To take the likeliest token each time is called **greedy
# decoding**:


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
# All of them look like dates (`年`, `月` and `日` are year, month and day, and `星期` begins the weekday), and many are
# another day, or lack the weekday. The last line of the cell says that the package's `translate` does the same.
#
# Two lines of the loop end it. `[EOS]` is a **stop token**: the model has learnt to say it when the date is over. And if
# nobody listens?

# %% tags=["nbval-ignore-output"]
# output differs from one CPU to the next
source, mask = tokenizer.batch([pairs[0].source])
start = torch.tensor([[tokenizer.bos_id]])
endless = generate(model, start, 30, source=source, source_mask=mask)  # no stop=tokenizer.eos_id
print(" ".join(tokenizer.tokens(endless[0])))
assert (endless == tokenizer.eos_id).any() and endless.shape[1] == 31

# %% [markdown]
# It fills all the room it has. In training nothing ever followed `[EOS]`, so what it says there was never corrected.
# Another model may begin a second date, or, if it chats, ask itself the next question in your name.
#
# ## 2. Look further ahead
#
# Is greedy decoding to blame for the wrong dates? It can be. A text is as probable as all its tokens together, so its
# probability is a product, and whoever takes the best first factor may miss the best product:
#
# ![A tree. It: is 0.6, rains 0.4. After is: late 0.4, cold 0.35, here 0.25; after rains: a full stop 0.9, on 0.1. Greedy
# decoding finds "It is late", 0.24; the likeliest text is "It rains .", 0.36.](figures/12_decoding_misses.svg)
#
# To try all texts is out of the question: for eleven tokens out of 55 there are more than $10^{19}$. **Beam search** is
# the compromise. It keeps the $k$ best unfinished texts, the *beams*, continues each of them in all ways, and keeps the
# $k$ best of the results. Products of many small numbers soon become 0 in a computer. So one adds logarithms: the score
# of a text is
#
# $$\log p(y_1 \dots y_n) = \sum_{t=1}^{n} \log p(y_t \mid y_1 \dots y_{t-1}).$$


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


# %% tags=["nbval-ignore-output"]
# output differs from one CPU to the next
beams = [(0.0, start)]
for number in range(1, 7):
    beams = step(beams, 3, source, mask)
    shown = "   ".join(f"{tokenizer.decode(ids[0])} {score:6.2f}" for score, ids in beams)
    print(f"{number} tokens: {shown}")
assert beams[0][0] >= beams[1][0] >= beams[2][0]

# %% [markdown]
# That is nearly all of it. (A beam that has said `[EOS]` is put aside, and at the end the best of those is the result;
# the package's `beam_search.py` has it in a page.) With one beam it is greedy decoding; more beams find, as a rule,
# better scores.
#
# Now let it search. Greedy decoding gets about two of ten dates right (five such models, of five seeds, 200 dates each).
# With *sixty-four* texts kept at each step, how many more of a hundred? Run the cell, and click your guess.

# %%
predict("12_decoding.width")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
kept = recorded("widths")["result"]
figure, axes = plt.subplots(1, 3, figsize=(10, 3.2))
sizes = [int(n) for n in kept["search"]["0.0"]]
for key, ax, title, factor in (
    ("log_prob", axes[0], "score of what is found", 1),
    ("exact_match", axes[1], "% of dates right", 100),
    ("chrf", axes[2], "chrF", 1),
):
    for seed in range(5):
        line = [factor * runs[seed][key] for runs in kept["search"]["0.0"].values()]
        ax.plot(sizes, line, "o-", color=f"C{seed}")
        if key == "log_prob":
            ax.axhline(kept["right"][seed]["log_prob"], color=f"C{seed}", linestyle=":")
    ax.set(title=title, xscale="log", xlabel="beams", xticks=sizes, xticklabels=sizes)
_ = axes[0].text(1, -4.8, "dotted: right answers")

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
# Two or three more. On the left the score does rise in each of the five models (colours), as beam search promises. But
# from about four beams on *nothing* changes any more, in any of the three pictures. Sixteen times as many beams find no
# likelier text, so what four have found is very probably the likeliest of all. And for four dates of five it is wrong.
#
# </details>
#
# ## 3. Whose fault is it?
#
# Look at the dotted lines on the left, the scores of the *right* translations. Each lies below the line of its colour.
# There is a simple test that few people run. Take a wrong translation, and let the model score the right one as well. Is
# the right one's score higher? Then it was there to be found, a **search error**. Is it lower? Then no search in the
# world would help, for a perfect one would choose the wrong text too: a **model error**.

# %% tags=["nbval-ignore-output"]
# output differs from one CPU to the next
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
# The search does what it promises. It looks for the likeliest text, and it finds it; only the likeliest text is not the
# right one. The same test for all five models, and as a control the translator that was trained to the end:

# %% jupyter={"outputs_hidden": true}
wide, narrow = kept["search"]["0.0"]["64"], kept["search"]["0.0"]["1"]
print("in the mean of five models:")
for name, runs in (("greedy", narrow), ("64 beams", wide)):
    mistakes = sum(1 - run["exact_match"] for run in runs) / 5
    by_model = sum(run["likelier_than_right"] for run in runs) / 5
    print(f"{name:9} {mistakes:.1%} wrong; {by_model:.1%} wrong with a better score than the right answer's")

trained, its_tokenizer = load("dates")
for beams in (1, 8):
    said = translate(trained, its_tokenizer, [pair.source for pair in pairs], beams=beams)
    score = sum(one == pair.target for one, pair in zip(said, pairs, strict=True)) / len(pairs)
    print(f"trained to the end, {beams} beams: {score:.0%} right")
    assert score > 0.95

# %% [markdown]
# An undertrained translator gains little by search, and a trained one needs none. It can be worth its price in between,
# where the model is right about whole texts, and single tokens mislead: in greedy decoding's mistakes that were the
# search's fault. Translation systems used four to ten beams for years. But people noticed something odd. With *more*
# beams, the translations got worse (Koehn and Knowles 2017).
#
# **Why short texts win.** Every token costs: a logarithm of a probability is never above 0. So of two texts the shorter
# one starts with an advantage, and the better one searches, the more surely one finds the shortest text that the model
# does not exclude. Stahlberg and Byrne looked in 2019 with an exact search: for more than half of the sentences the
# likeliest translation of a good system was *empty*. The cure in use is a **length penalty**: divide the score by the
# number of tokens, or a power of it.

# %% jupyter={"outputs_hidden": true}
print(f"{'':24}{'tokens':>8}{'right':>8}{'chrF':>8}")
print(f"{'the right answers':24}{sum(one['tokens'] for one in kept['right']) / 5:8.2f}")
for penalty, words in (("0.0", "the sum"), ("1.0", "divided by the length")):
    for n in ("1", "64"):
        runs = kept["search"][penalty][n]
        tokens, right, letters = (sum(run[key] for run in runs) / 5 for key in ("tokens", "exact_match", "chrf"))
        print(f"{words + ', ' + n:24}{tokens:8.2f}{right:8.1%}{letters:8.1f}")

# %% [markdown]
# In our dates it is no more than a trace, since dates are nearly of one length: the search writes a little less than
# greedy decoding, and dividing by the length takes that back. In long sentences it can decide everything, as the empty
# translations show.
#
# ## 4. A better model, and a worse text
#
# A date has one right answer. Most texts have not. Take SmolLM2, which has read far more than we could, and let it go on
# with passages of Python's manual. Three texts follow: what the manual says, what greedy decoding writes, and what eight
# beams find, which look much further ahead.

# %%
texts = recorded("likeliest")["result"]["texts"]
smol, smol_tokenizer = load("smollm2")
ids = {name: torch.tensor(texts[name]["ids"][4]) for name in ("the manual", "greedy", "8 beams")}
read = torch.tensor(recorded("likeliest")["result"]["read"])[4]
print(smol_tokenizer.decode(read), "...\n")
for name, new in ids.items():
    print(f"--- {name} ---", smol_tokenizer.decode(new), "\n", sep="\n")

# %% [markdown]
# A model that wrote fluent English in lesson 10 now says the same again and again. Before you look for
# a bug: how likely are these texts, by the model's own account? Take the mean of each text's $\log p$ and turn
# it back into a probability, that of a typical token. How many times as probable as the manual's tokens are those of the
# eight beams, over fifteen such passages? Run the cell, and click your guess.

# %%
predict("12_decoding.person")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
own = {name: likeliest.own_log_probs(smol, read[None], new[None])[0].exp() for name, new in ids.items()}
figure, ax = plt.subplots(figsize=(9, 3))
for name, color in (("the manual", "C0"), ("greedy", "C1"), ("8 beams", "C2")):
    ax.plot(own[name], color=color, label=name)
ax.set(xlabel="new token", ylabel="its probability", title="The passage above: a person surprises SmolLM2 all the time")
_ = ax.legend(loc="upper left", bbox_to_anchor=(1, 1))

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
typical = {name: math.exp(sum(row["log_prob"]) / len(row["log_prob"])) for name, row in texts.items()}
print("The probability of a typical token:")
for name in ("the manual", "greedy", "2 beams", "4 beams", "8 beams"):
    print(f"    {name:12} {typical[name]:.2f}")
ratio = typical["8 beams"] / typical["the manual"]
answer = "less" if ratio < 1 else "1 to 3 times" if ratio < 3 else "3 to 6 times" if ratio < 6 else "above 6 times"
predict("12_decoding.person", actual=answer)

# %% [markdown]
# <details><summary>What happened? Open after your guess</summary>
#
# More than nine times. A typical token of the manual has the probability 0.07, one of greedy decoding 0.52, and one of
# the eight beams 0.66. By the model's own account its loops are far better than what people wrote, though it may well
# have read this manual, which would only help the manual. A person says things that one could not foresee, else there
# would be no need to say them.
#
# </details>
#
# So here it is, the search that finds better scores and worse texts. On each of the fifteen passages, how likely the text
# is, and how much of it repeats itself (the share of groups of four tokens that it has written before):

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), sharey=False)
order = ["the manual", "greedy", "2 beams", "4 beams", "8 beams"]
for ax, key, title in ((left, "log_prob", "log p of a token, mean"), (right, "repeated", "% repeated")):
    factor = 100 if key == "repeated" else 1
    for place, name in enumerate(order):
        groups = torch.tensor(texts[name][key]).view(5, 3).mean(dim=1) * factor
        ax.plot([place] * 5, groups, "o", color="grey", alpha=0.6)
        ax.plot([place - 0.25, place + 0.25], [groups.mean()] * 2, color="black", linewidth=2)
    ax.set_xticks(range(len(order)), order, rotation=20)
    ax.set(title=title)
for group in range(5):  # paired: each group of passages by itself
    scores, again = (
        [sum(texts[name][key][3 * group : 3 * group + 3]) for name in ("the manual", "8 beams")]
        for key in ("log_prob", "repeated")
    )
    assert scores[1] > scores[0] and again[1] > again[0]

# %% [markdown]
# Dots are five groups of three passages; in each of them the eight beams score better than the manual and repeat more.
# Every width scores far better than a person, and every width repeats itself many times as much. (It is not that wider is
# always worse: of these, greedy decoding repeats most. A higher score just does not lead to the manual.)
#
# These are recorded runs, as they take minutes. But you need not believe them: whether a text is greedy decoding's own is
# seen in *one* pass. At every place the token that stands next must be the likeliest.

# %%
both = torch.cat((read, ids["greedy"]))[None]
with torch.no_grad():
    logits = smol(both[:, :-1])[0, len(read) - 1 :]
agrees = (logits.argmax(dim=-1) == ids["greedy"]).sum().item()
print(f"likeliest at ≈ {agrees} of {len(ids['greedy'])} places")
assert agrees >= len(ids["greedy"]) - 3  # near ties may fall otherwise on another CPU

# %% [markdown]
# ## 5. Why does it repeat itself?
#
# A guess would be that the sentence is such a good one. The control: write a sentence four times in a row, and see how
# probable the model finds its tokens the first time, the second, and so on. Then the same with its words shuffled into
# nonsense.

# %% tags=["nbval-ignore-output"]
# output differs in the last digit
sentence = " The with statement closes the file at the end of the block, whatever happens in between."
words = sentence.strip(" .").split()
shuffled = torch.randperm(len(words), generator=torch.Generator().manual_seed(1))
nonsense = " " + " ".join(words[i] for i in shuffled) + "."
for name, one in (("sentence", sentence), ("nonsense", nonsense)):
    once = smol_tokenizer.encode(one)
    ids4 = torch.tensor([smol_tokenizer.encode("\n") + 4 * once])
    with torch.no_grad():
        log_probs = smol(ids4[:, :-1])[0].log_softmax(dim=-1)
    rounds = log_probs.gather(1, ids4[0, 1:, None]).view(4, len(once)).mean(dim=1).exp()
    print(f"{name}: " + ", ".join(f"{p:.2f}" for p in rounds.tolist()))
    assert rounds[0] < 0.1 < 0.2 < rounds[1] < rounds[2] < rounds[3] and rounds[3] > 0.6

# %% [markdown]
# The nonsense rises as the sentence does. So what becomes likely is not what is good but *what has been there before*:
# the model copies. (This is one sentence and one shuffle; try your own.) A loop feeds itself. Each round makes the next
# one more probable, and a chooser who always takes the likeliest has no way out.
#
# That is how it happens, and not yet why the *likeliest* text must be odd. For this take something without any network: a
# coin that shows heads in six of ten throws. Of all sequences of a hundred throws, which is the likeliest?

# %%
for heads in (100, 60):
    log_p = heads * math.log(0.6) + (100 - heads) * math.log(0.4)
    print(
        f"one sequence with {heads:3} heads: log p = {log_p:.1f}; of such sequences there are {math.comb(100, heads):.1e}"
    )

# %% [markdown]
# A hundred heads. No other single sequence is as probable, and you will never see it. What you see has about sixty heads:
# each such sequence is far less probable, but there are so many that they have nearly all of the probability. **The
# likeliest text is not a typical one.** A person's text is typical: now and then a rare word where a rare word belongs. A
# text in which each token is the likeliest is like the hundred heads.
#
# ## 6. Throw the coin
#
# So do not search. *Draw* each token with the probability that the model gives it, which is called **sampling**. Two real
# distributions to draw from:

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
# Here is the trouble with drawing. Each of the other 49,112 tokens has hardly a chance, but together they have one, and
# one silly token is enough to lead a text astray, since the model then goes on from it. Four remedies are in use:
#
# * **Temperature** $\tau$: divide the logits by it before the softmax, $p_i \propto e^{z_i / \tau}$. Below 1 the likely
#   tokens gain, and near 0 it is greedy decoding; above 1 all become alike.
# * **Top-k**: keep the $k$ likeliest tokens, and share all probability among them.
# * **Top-p**, or *nucleus* sampling: keep the likeliest tokens until they have the probability $p$ together.
# * **Min-p**: keep what is at least $p$ times as probable as the likeliest token.

# %%
filters = {
    "as it is": lambda z: z,
    "temperature 0.5": lambda z: z / 0.5,
    "top-k, k = 40": lambda z: keep_top_k(z, 40),
    "top-p, p = 0.9": lambda z: keep_top_p(z, 0.9),
    "min-p, p = 0.1": lambda z: keep_min_p(z, 0.1),
}
figure, axes = plt.subplots(2, 5, figsize=(8, 3.4), sharex=True, sharey="row")
for ax, name in zip(axes[0], filters, strict=True):
    ax.set_title(name)
for row, line in zip(axes, next_logits, strict=True):
    for ax, change in zip(row, filters.values(), strict=True):
        p = change(line[None]).softmax(dim=-1)[0].sort(descending=True).values
        ax.bar(range(30), p[:30], width=1)
        ax.text(0.95, 0.9, f"{(p > 0).sum():,} left", transform=ax.transAxes, ha="right", va="top")
_ = axes[0, 0].set_ylabel("... about Python is"), axes[1, 0].set_ylabel("... animal is the")

# %% [markdown]
# Above, the model is nearly sure, and two tokens have four fifths of the probability; below, hundreds of animals would
# do. Top-k keeps 40 in both places, too many above and too few below. Top-p and min-p look at the probabilities, and keep
# few above and more below; how many more is quite another number for the two. A temperature below 1 drops nothing, but
# makes the tail thin.
#
# What do such texts look like, and where do they stand between the loops and the manual?

# %%
for name in ("temperature 1", "top-p 0.9", "temperature 0.7"):
    print(f"--- {name} ---", smol_tokenizer.decode(texts[name]["ids"][4]), "\n", sep="\n")

# %%
ax = plt.subplots(figsize=(8, 3.6))[1]
for number, (name, row) in enumerate(texts.items()):
    x = torch.tensor(row["log_prob"]).view(5, 3).mean(dim=1)
    y = 100 * torch.tensor(row["repeated"]).view(5, 3).mean(dim=1)
    mark = "*" if name == "the manual" else "s" if name in order else "o"
    ax.plot(x, y, mark, color=f"C{number}", alpha=0.35)
    ax.plot(x.mean(), y.mean(), mark, color=f"C{number}", markersize=12, label=name)
ax.set(
    xlabel="log p of a token, mean", ylabel="% repeated", title="SmolLM2, five groups of three passages (small dots)"
)
_ = ax.legend(ncols=2, fontsize=8)

# %% [markdown]
# The searches (squares) stand on the right: likely, and full of repetition. Drawing at temperature 1 stands beside the
# manual, a little to the left of it: about as surprising as a person, and no more repetitive. Whoever cuts off the tail,
# or lowers the temperature, moves to the right, from a text that goes astray towards a text that goes in circles. Where
# to stop is a matter of taste and of the task, and nobody has a formula. (That a text stands beside the manual does not
# make it true, or even good. Read the first of the three again.)
#
# ## 7. One right answer, or many
#
# Is drawing the better way, then? Ask the dates:

# %%
rows = {"greedy": kept["search"]["1.0"]["1"], "4 beams": kept["search"]["1.0"]["4"]}
rows |= {f"temperature {value}": runs for value, runs in kept["sampling"].items()}
ax = plt.subplots(figsize=(7, 2.8))[1]
for place, runs in enumerate(rows.values()):
    ax.plot([place] * 5, [100 * run["exact_match"] for run in runs], "o", color="grey", alpha=0.6)
    mean = 100 * sum(run["exact_match"] for run in runs) / 5
    ax.plot([place - 0.25, place + 0.25], [mean, mean], color="black", linewidth=2)
ax.set_xticks(range(len(rows)), rows)
ax.set(
    ylabel="% of dates right",
    title="Undertrained translators, five seeds: at temperature 1 most right answers are lost",
    ylim=0,
)
for first, last in zip(rows["greedy"], rows["temperature 1.0"], strict=True):
    assert first["exact_match"] > last["exact_match"]

# %% [markdown]
# A little chance does no harm, at temperature 1 three of four right dates are lost. For a date there is one right answer,
# and each token drawn from the tail is a wrong one. For the manual there were thousands of good ones, and the tail was
# the smaller evil. So: **search where one answer is right, draw where many are.** Between the two lies a temperature
# below 1, and programs that write code or answer questions often live there.
#
# ## 8. Play
#
# The undertrained translator, with everything of this lesson on it: write a date yourself, token by token, against its
# probabilities; open the search as a tree; let the sliders change the distribution; draw ten.
#
# 1. Write the right date (`1965年5月10日星期一`). Which single token costs you most, and is your score in the end above or
#    below the greedy one?
# 2. Two beams, then five: where does the likeliest text leave greedy decoding's way? Does it?
# 3. Begin with a wrong first digit. Does the model find its way back, and what does the rest of the date cost?
# 4. How far down must the temperature go until ten draws are only one or two texts? And with temperature 1, what
#    min-p does the same?

# %%
explorer = DecodingExplorer(model, tokenizer, "Monday, May 10, 1965", 16, beams=2)
explorer

# %% [markdown]
# ## 9. What people get wrong
#
# **BLEU as the measure of everything.** BLEU counts groups of one to four tokens that output and reference share. It was
# made for whole test sets of sentences. What does it say of a perfect date?

# %%
for said, wanted in (
    ("2026年11月22日", "2026年11月22日"),
    ("22 November 2026", "22 November 2026"),
    ("22 November 2027", "22 November 2026"),
    ("2026-11-22", "22 November 2026"),
):
    score = sacrebleu.corpus_bleu([said], [[wanted]]).score
    print(f"{said:20} wanted {wanted:20} BLEU {score:5.1f}   chrF {chrf([said], [wanted]):5.1f}")

# %% [markdown]
# The perfect dates get a 0, because they have no group of four tokens, and the last line, which nobody asked for, gets
# more. (The package's `bleu` says NaN for the first three, *not defined*, for that is what it is.) chrF counts groups of
# letters, and is defined here. But it finds the wrong year nearly perfect. Where there is one right answer, count right
# answers. For translations of sentences use chrF and BLEU *over a whole set*, and never as the loss: neither has a
# gradient.
#
# **Prompts of unequal length, padded as usual.** For training one pads on the right. A batch that shall go on must be
# padded on the *left*, with a mask, so that each row's new tokens follow its text:
#
# ![Two batches. Padded on the right, "The sky is" is followed by a padding token, and the new token stands after it. Padded on the
# left, both texts end where the new tokens begin, and the padding is masked and not counted in
# positions.](figures/12_decoding_padding.svg)

# %% tags=["nbval-ignore-output"]
# output differs where two tokens are nearly as likely
batch = ["The capital of France is", "Two months later, in the spring of 1946, the capital of Germany was"]
rows = [smol_tokenizer.encode(one) for one in batch]
pads = [smol_tokenizer.pad_id] * (len(rows[1]) - len(rows[0]))
alone = generate(smol, torch.tensor(rows[:1]), 6)[0, -6:]
on_left = torch.tensor([pads + rows[0], rows[1]])
mask = torch.tensor([[False] * len(pads) + [True] * len(rows[0]), [True] * len(rows[1])])
for name, ids2, options in (
    ("on the right", torch.tensor([rows[0] + pads, rows[1]]), {}),
    ("on the left, no mask", on_left, {}),
    ("on the left, with mask", on_left, {"mask": mask}),
):
    new = generate(smol, ids2, 6, **options)[0, -6:]
    print(f"{name:24}{smol_tokenizer.decode(new)!r}")
print(f"{'alone':24}{smol_tokenizer.decode(alone)!r}")
assert torch.equal(new, alone)

# %% [markdown]
# No error anywhere. After padding on the right it says nothing, on the left without a mask it reads the padding as text,
# and only with the mask does it say what it says alone.
#
# ## 10. In the package
#
# `generate` does all of this, for every model of the course: `temperature`, `top_k`, `top_p`, `min_p`, `beams`,
# `length_penalty`, `stop`, `mask`. One thing it does that our loop did not. The loop read the whole text again for each
# token, $1 + 2 + \dots + T$ tokens in all. With the **KV cache** of [lesson 03](03_masks.ipynb) each token is read once:

# %% tags=["nbval-ignore-output"]
# output differs: these are seconds
bench = GPT(TransformerConfig.preset("nano", vocab_size=500, d_model=256, max_len=512)).eval()
for T in (50, 100, 200):
    seconds = []
    for use_cache in (True, False):
        begin = time.perf_counter()
        generate(bench, torch.zeros(1, 1, dtype=torch.long), T, use_cache=use_cache)
        seconds.append(time.perf_counter() - begin)
    read_once, read_again = T, T * (T + 1) // 2
    print(
        f"{T:3} new tokens: {read_again / read_once:5.1f} times the tokens, {seconds[1] / seconds[0]:4.1f} times the seconds"
    )

# %% [markdown]
# The longer the text, the more the cache saves, though less than the tokens promise: a step costs something however
# little it reads.
#
# ## 11. What you have now
#
# A way to let a model speak. SmolLM2 has been taught to answer, and ends its answers with a stop token of its own. Once
# more the question of the drawing, drawn with min-p, three times:

# %% tags=["nbval-ignore-output"]
# output differs where the draw falls on the edge between two tokens
chat = "<|im_start|>user\nWhat is your favourite animal, and why?<|im_end|>\n<|im_start|>assistant\n"
asked = torch.tensor([smol_tokenizer.encode(chat, special=True)]).expand(3, -1)
answers = generate(smol, asked, 30, temperature=1.0, min_p=0.1, seed=4, stop=smol_tokenizer.eos_id)
for row in answers[:, asked.shape[1] :]:
    print("-", smol_tokenizer.decode(row))
assert len({tuple(row) for row in answers.tolist()}) > 1

# %% [markdown]
# ## 12. Check yourself
#
# <details><summary>Your translator makes a mistake. A colleague offers a search with a hundred beams. What do you measure
# first?</summary>
#
# The score of the right translation. If it is lower than that of the mistake, the search has found what you asked for,
# and a better search would find it too.
#
# </details>
#
# <details><summary>A model writes loops. Is it a bad model?</summary>
#
# Not for that. Look how it was decoded: a search for the likeliest text finds loops in good models, because a repetition
# makes the next one likelier. Draw, and look again.
#
# </details>
#
# <details><summary>Top-k with k = 40 is fine in one place and bad in the next. Why?</summary>
#
# It does not look at the probabilities. Where two tokens have nearly everything, it lets 38 others in; where hundreds are
# fit, it throws most of them away.
#
# </details>
#
# Now the [exercises of this lesson](../exercises/12_decoding/decoding.ipynb).
#
# ## Takeaways
#
# * The model gives probabilities; what is written is decided by the decoding. A stop token ends it.
# * Beam search finds better scores. Whether that means better texts is the model's affair: score the right answer and
#   see whose fault it was.
# * The likeliest text is not a typical one: it is short, or it repeats itself. Search where there is one right answer, draw where there are
#   many, and cut off the tail.
# * Measure what you want: right answers, where there are right ones; repetition, where there are none; a score of the model's
#   own is not a measure of quality.
#
# **Papers.** Sutskever, Vinyals, Le (2014), [arXiv:1409.3215](https://arxiv.org/abs/1409.3215): beam search for networks
# that translate. Koehn and Knowles (2017), [arXiv:1706.03872](https://arxiv.org/abs/1706.03872): more beams, worse
# translations. Fan, Lewis, Dauphin (2018), [arXiv:1805.04833](https://arxiv.org/abs/1805.04833): top-k. Holtzman et al.
# (2019), [arXiv:1904.09751](https://arxiv.org/abs/1904.09751): loops, and top-p. Stahlberg and Byrne (2019),
# [arXiv:1908.10090](https://arxiv.org/abs/1908.10090): the empty translation. Nguyen et al. (2024),
# [arXiv:2407.01082](https://arxiv.org/abs/2407.01082): min-p. Post (2018),
# [arXiv:1804.08771](https://arxiv.org/abs/1804.08771): how to report BLEU.
#
# Previous: [11 Encoder and decoder](11_encoder_decoder.ipynb). Next: [13 Training](13_training.ipynb).

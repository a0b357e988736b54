# %% [markdown]
# # 14 GPT
#
# **How far does "predict the next token" carry?**
#
# ![Five models, one above the other, read the same line, in which a bracket is open: "the name of the file (a string or
# a path to open". Shaded is what each can see of it. Pairs, which are counts, see one character; n-grams, also
# counts, four characters: the bracket is out of their sight. Nano, two blocks of width 64, sees 64 tokens, more than
# the line; small, six blocks of width 384, sees 256 tokens; SmolLM2, thirty blocks of width 576, sees 8,192 tokens:
# the bracket is in sight.](figures/14_gpt_where.svg)
#
# The training of a GPT begins with a single exercise, repeated billions or trillions of times: here is the beginning
# of a text, which token comes next? It is what your telephone does above the keyboard. Nothing in it asks the model
# to spell, to close a bracket, or to be useful. And yet the models that answer questions and write programs began
# with it. Where does it lead?
#
# You climb a ladder of five models that begin with this question. Then you give the highest a page with a few
# examples of a task, and find out what it takes from them. You will be able to
#
# * compare models that cut text differently, and find the mistake in a perplexity that was not counted well;
# * get a model to do a new task without changing a single weight, and test what in your examples made it work;
# * say how a later Llama differs from GPT-2, and read in a configuration how much memory a text costs.
#
# About 50 minutes. It builds on the tables of [lesson 10](10_tokens.ipynb), the block of [lesson 09](09_block.ipynb)
# and the probes of [lesson 13](13_training.ipynb).

# %%
from textwrap import fill

import matplotlib.pyplot as plt
import torch
from IPython.display import Markdown

# %%
from transformer_lab import Settings, TransformerConfig, generate, load, train
from transformer_lab.experiments import experiment, recorded
from transformer_lab.grading import predict
from transformer_lab.metrics import bits_per_character, perplexity
from transformer_lab.scoring import token_nats
from transformer_lab.tasks.language import docs
from transformer_lab.viz import LadderExplorer, plots

plots.use_style()
ladder, in_context = experiment("ladder"), experiment("in_context")
grid = recorded("in_context")["result"]

# %% [markdown]
# ## 1. One exercise, five pupils
#
# What do the rungs write? Four learn from the documentation of Python, apart from a part that is held out:
#
# * *pairs* and *n-grams* are tables of counts, as in lesson 10: of pairs of characters, and of groups of five (they
#   see four);
# * *nano* is a network of two blocks, which trains while you read this;
# * *small* is built like nano, with eighty times as many parameters. It took an hour on one core, so it was trained
#   before.
#
# The fifth is *SmolLM2*: built on the same plan with some parts exchanged (section 5), a thousand times as large as
# nano, and trained on two trillion tokens. Ours is its *Instruct* edition, trained further on conversations. So what
# it can do does not come from this one exercise alone.

# %%
task = docs(seed=0)  # the documentation, cut into 512 kinds of tokens, and a nano GPT that has learnt nothing
training, held_out = "".join(task.text), task.validation
history = train(task, Settings(250, batch_size=32, evaluate_every=250), progress=False)  # about 20 seconds
smol, smol_tokenizer = load("smollm2")  # 540 MB of memory, about 5 seconds
rungs = {
    "pairs": ladder.Table(training, 2),
    "n-grams": ladder.Table(training, 5),
    "nano": ladder.Network(task.model, task.tokenizer),
    "SmolLM2": ladder.Network(smol, smol_tokenizer),
}

# %% tags=["nbval-ignore-output"]
# output differs from one Python to the next, and with the training
for name, rung in rungs.items():
    written = rung.write("In Python, the with statement", seed=1)
    print(f"--- {name} ---", *[fill(line, 80) for line in written.splitlines()], "", sep="\n")

# %% [markdown]
# The pairs make noise, the n-grams have words, and SmolLM2 writes fluent sentences, but false ones. (A `with`
# statement creates no functions.) Nano, after twenty seconds of training, writes worse than the table below it. Is it
# only the time? Section 2 gives nano four times the steps; here is *small* at four points of its training:

# %% jupyter={"source_hidden": true}
small = recorded("small")["result"]
for step, written in small["writes at"].items():
    print(fill(f"{step:>4} steps: {' '.join(written.split())}", 80, subsequent_indent=12 * " "))

# %% [markdown]
# First come scraps of words, and in the end something like sentences.
#
# ## 2. How much better, and at what?
#
# How far apart are the rungs, in numbers? Each predicts the same ten passages of the held-out documentation. We count
# in bits a character, a unit that is the same for every tokenizer. Here nano was trained for a thousand steps, like
# *small*, with three seeds (all recorded).
#
# SmolLM2 has probably read these very pages on the internet. So we add two texts that are younger than it: the
# docstrings of this course's package, and its lessons. Look for the order of the five in each text; lower is better.

# %%
kept = recorded("ladder")["result"]["rungs"] | {"small": small}
sources, colors = ("documentation", "younger docstrings", "younger lessons"), ("C0", "C1", "C2", "C4", "C3")
rows = {
    "pairs": ["pairs"],
    "n-grams": ["n-grams"],
    "nano": [f"nano, seed {n}" for n in range(3)],
    "small": ["small"],
    "SmolLM2": ["SmolLM2"],
}

# %%
ax = plt.subplots(figsize=(8, 3.4))[1]
for number, (name, runs) in enumerate(rows.items()):
    for place, source in enumerate(sources):
        dots = [bits for run in runs for bits in kept[run][source]]
        x = place + 0.16 * (number - 2)
        ax.plot([x] * len(dots), dots, "o", color=colors[number], alpha=0.3, label=None if place else name)
        ax.plot([x - 0.06, x + 0.06], [sum(dots) / len(dots)] * 2, color="black", linewidth=2)
ax.set_xticks(range(3), ["held-out documentation", "docstrings of this package", "lessons 02 to 13"])
ax.set(
    ylabel="bits a character",
    ylim=0,
    title="Ten passages of each text: SmolLM2 is ahead even on texts it cannot have read",
)
_ = ax.legend(ncols=5, fontsize=8, loc="lower left")

# %% jupyter={"source_hidden": true}
means = {}
for name, runs in rows.items():
    means[name] = [sum(sum(kept[run][source]) / 10 for run in runs) / len(runs) for source in sources]
    print(f"{name:8} " + ", ".join(f"{source} {value:.2f}" for source, value in zip(sources, means[name], strict=True)))
for run in rows["nano"]:
    behind = [sum(kept[run][source]) / 10 > value for source, value in zip(sources, means["n-grams"], strict=True)]
    assert behind == [True, False, False], run
assert all(bits < min(means["nano"][i], means["n-grams"][i]) for i, bits in enumerate(means["small"]))

# %% [markdown]
# **On the documentation nano does not beat the table below it, even with four times the steps** (2.35 against 2.25).
# But on the two younger texts it is ahead, with each of the three seeds. So ask not only *which* of two models is
# better, but on which text. *Small* is ahead of both on all three texts, and SmolLM2 far ahead of every other rung,
# even on texts that it cannot have read.
#
# What could a network *do* that a table of four characters cannot? Here are two things, each with a control (forty
# cases; recorded):
#
# * **A bracket** that was opened 40 to 100 characters ago wants to be closed. The control is the same text without
#   that bracket.
# * **A name** that was mentioned once, 40 to 100 characters ago, comes again. It never occurs in what the first four
#   rungs have read. In the control the earlier name is another.
#
# On the left, compare each colour with the grey beside it; on the right, see where the earlier name saves bits (above
# 0).

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
for number, (name, runs) in enumerate(rows.items()):
    pairs = [pair for run in runs for pair in kept[run]["closing bracket"]]
    brackets = [sum(side) / len(pairs) for side in zip(*pairs, strict=True)]
    for side, (x, color) in enumerate(((number - 0.2, colors[number]), (number + 0.2, "grey"))):
        left.plot([x] * len(pairs), [pair[side] for pair in pairs], "o", color=color, alpha=0.2)
        left.plot([x - 0.15, x + 0.15], [brackets[side]] * 2, color="black", linewidth=2)
    saved = [control - met for run in runs for met, control in kept[run]["name"]]
    right.plot([number] * len(saved), saved, "o", color=colors[number], alpha=0.2)
    right.plot([number - 0.3, number + 0.3], [sum(saved) / len(saved)] * 2, color="black", linewidth=2)
    said = f"closing bracket {brackets[0]:.3f}, control {brackets[1]:.3f}"
    print(f"{name:8} {said}; bits saved on a name {sum(saved) / len(saved):.1f}")
_ = left.set_xticks(range(5), rows), right.set_xticks(range(5), rows)
figure.suptitle("What stood 40 to 100 characters ago: pairs, n-grams and nano make next to nothing of it (40 cases)")
left.set(title="a bracket to be closed (grey: none was open)", ylabel="probability of a closing bracket")
_ = right.set(title="a name that comes again", ylabel="bits saved, against another name")

# %% [markdown]
# SmolLM2 looks back. It gives the closing bracket 0.585 on average, and 0.001 where none was opened; a name that it
# met once costs it 14 bits less than after another name. In the two younger texts it does both as well, if less
# surely (folded below).
#
# The two tables cannot see so far, and their differences are 0. Nano has a window of 64 tokens, on average more than
# 100 characters. But it makes next to nothing of the bracket and the name. **Being able to look back is one thing,
# having learnt what to do with it another.** *Small*, trained on the same documentation, gives the bracket 0.328
# (control 0.007), and saves 2.0 bits on a name. (Because of its size, its longer window, or more tokens in training?
# One run does not tell.)

# %% [markdown] jp-MarkdownHeadingCollapsed=true
# ### Deeper: does SmolLM2 know these pages by heart?

# %% jupyter={"source_hidden": true} tags=["deeper"]
younger = {"SmolLM2": recorded("younger_probes")["result"], "small": small["younger probes"]}
for name, texts in younger.items():
    for source, found in texts.items():
        opened, control = (sum(side) / len(side) for side in zip(*found["closing bracket"], strict=True))
        saved = sum(control - met for met, control in found["name"]) / len(found["name"])
        print(
            f"{name:8} {source}: closing bracket {opened:.2f}, control {control:.3f}; bits saved on a name {saved:.1f}"
        )

# %% [markdown] tags=["deeper"]
# The same two probes, on the two texts that are younger than SmolLM2, but with fewer cases. It gives the brackets
# 0.33 and 0.52, and the names cost it 9 and 8 bits less. It cannot have learnt these texts by heart. *Small* gives
# the brackets 0.33 and 0.16. (It was tested on an earlier version of both texts, so do not compare the two models
# closely.)

# %% [markdown]
# ## 3. A number for a text
#
# Papers often use another number, the **perplexity**. How is it counted, and where does it mislead? For a text of $N$
# tokens $x_1 \dots x_N$ it is $e$ to the mean loss of a token, in nats:
#
# $$\text{perplexity} = \exp\Big(-\frac{1}{N-1} \sum_{t=2}^{N} \log p(x_t \mid x_1 \dots x_{t-1})\Big).$$
#
# (The first token has nothing before it, and no number here.) With a perplexity of 21 a model is as unsure as if it
# had to choose among 21 equally likely tokens. Here is SmolLM2's, on a thousand characters of the held-out text,
# counted in four ways:

# %% tags=["nbval-ignore-output"]
# output differs from one Python to the next
text = held_out[:1000]
smol_ids = torch.tensor(smol_tokenizer.encode(text))
nats = token_nats(smol, smol_ids, window=512)  # one number for each token but the first
right = perplexity(nats.sum().item(), len(nats))
print(f"{len(nats)} tokens, all read in one window: perplexity {right:.1f}")

parts = nats[:220].chunk(11)
by_batch = sum(part.mean().exp().item() for part in parts) / len(parts)
print(f"the perplexities of eleven equal batches, averaged: {by_batch:.1f}")
assert by_batch > 1.1 * right
for stride in (64, 8):
    cut = token_nats(smol, smol_ids, window=64, stride=stride)
    print(f"windows of 64 tokens, a new one every {stride:2} tokens: {cut.mean().exp():.1f}")
    assert len(cut) == len(nats) and cut.mean() > nats.mean()
assert 5 < right < 60

# %% [markdown]
# The second number is too large: a mean of exponentials is never smaller than the exponential of the mean. Take the
# mean first, over all tokens.
#
# For the last two the text was cut into windows, as it must be where it is longer than a model can read. A window of
# 8 can judge (predict) the token after each of the 8 that it reads. Its first tokens are judged *cold*, with hardly
# any text before them. Look for these:
#
# ![Two rows of windows over a text of 25 tokens. Each window reads 8 tokens, and its ninth box is judged but not read. With
# a new window every 8 tokens each begins with one token that is only read, and the three after it are judged cold,
# with fewer than four tokens before them: 9 of 24, and 24 tokens are read. With a new window every 4 tokens, the
# later windows first read what an earlier one has judged: only 3 of 24 are judged cold, and 40 tokens are
# read.](figures/14_gpt_windows.svg)
#
# Where windows overlap, each judges only what no earlier one has judged. Fewer tokens are judged cold, and the number
# falls; the price is that most tokens are read several times. Neither number is wrong, but a paper has to say which
# it took.
#
# A second mistake is to compare perplexities across tokenizers. Here is the nano that you have trained for 250 steps,
# on the same text:

# %% tags=["nbval-ignore-output"]
# output differs from one Python to the next, and with the training
both = {"SmolLM2": nats, "nano": token_nats(task.model, torch.tensor(task.tokenizer.encode(text)))}
for name, one in both.items():
    value, bits = perplexity(one.sum().item(), len(one)), bits_per_character(one.sum().item(), len(text))
    print(f"{name:8} {len(one):4} tokens, perplexity {value:5.1f}, bits a character {bits:.2f}")
shared = perplexity(nats.sum().item(), len(both["nano"]))
print(f"SmolLM2's loss shared out among nano's tokens: perplexity {shared:.1f}")
assert both["SmolLM2"].sum() < both["nano"].sum() and len(both["SmolLM2"]) < len(both["nano"])

# %% [markdown]
# **Perplexities of two tokenizers cannot be compared.** SmolLM2 has fewer, longer tokens, and a whole word is harder
# to predict than a piece of one. So its perplexity makes it look worse than it is. In the last line the same loss is
# shared out among as many tokens as nano has; that number may be set next to nano's. Bits a character *can* be
# compared: every model shares its loss out among the same characters. (Almost: each model's first token is free.)
#
# ## 4. A task on a page
#
# So far we asked how well a rung does the exercise. Does it lead to anything else? Say that we want opposites
# of words. We change no weight of SmolLM2, and only write a page for it to continue. Without examples the page is
# just a word and a colon:

# %%
shown, asked = in_context.drawn("opposites", seed=0)
words = asked[:12]
said = in_context.answers(smol, smol_tokenizer, in_context.page([]), words)
listed = ", ".join(f"{question}: {answer or '(nothing)'}" for (question, _), answer in zip(words, said, strict=True))
print(fill(listed, 80))
print(f"\nright: {in_context.right(said, words)} of 12\n\nthe page with eight examples:")
print(in_context.page(shown) + "rich:")
assert in_context.right(said, words) == 0

# %% [markdown]
# ![Above, training: the pairs up, down; buy, sell; hot, cold go into the model and on to a loss, and from the loss an arrow
# leads back and changes the weights. Below, examples on the page: the same pairs and then rich: are one text, which
# is read once. The weights stay as they are, and the model says what comes next.](figures/14_gpt_examples.svg)
#
# Without examples, none is right. Nothing says what the colon means, and the model writes mostly numbers. The second
# page is the same exercise, "what comes next?", with eight examples above the question. Of the twelve words, how many
# will it answer right? (Each word has one right answer, written down beforehand; `poor` counts for `rich`, `needy`
# does not.) Run the cell, and click your guess.

# %%
predict("14_gpt.examples")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
print("What it answers:")
counts = {}
for n in (2, 8):
    said = in_context.answers(smol, smol_tokenizer, in_context.page(shown[:n]), words)
    counts[n] = in_context.right(said, words)
    listed = ", ".join(f"{question}: {text}" for (question, _), text in zip(words, said, strict=True))
    print(fill(f"after {n} examples, {counts[n]} of 12 right: {listed}", 80), "\n")
assert counts[2] >= 10 and counts[8] >= 10

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
best = counts[8]
answer = "0 to 2" if best < 3 else "3 to 6" if best < 7 else "7 to 9" if best < 10 else "10 to 12"
predict("14_gpt.examples", actual=answer)

# %% [markdown]
# <details><summary>What happened? Open after your guess</summary>
#
# All of them, and two examples were enough. (You were lucky. With another two the same model has 1 of 24 right; more
# of that below.) Nothing was trained. The same weights that wrote numbers a moment ago now give opposites, because
# opposites are how *this page* goes on. This is **in-context learning**. The name comes from the paper on GPT-3
# (Brown et al. 2020): the model is to learn from examples in the **prompt**, the text that it continues. With a few
# examples it is called **few-shot prompting**; with a description of the task and no example, *zero-shot*.
#
# </details>
#
# Here is what your nano, trained on the same exercise, makes of the page with two examples:

# %% tags=["nbval-ignore-output"]
# output differs with the training
said = in_context.answers(task.model, task.tokenizer, in_context.page(shown[:2]), words)
print(", ".join(f"{question}: {text or '(nothing)'}" for (question, _), text in zip(words[:4], said, strict=False)))
print(f"nano: {in_context.right(said, words)} of 12 right")
assert in_context.right(said, words) == 0

# %% [markdown]
# None. So nano's exercise is not enough.
#
# And what has SmolLM2 learnt from its eight lines? Let us spoil them: the same questions, the same answers, but
# shuffled, so that no answer stands next to its own question:

# %%
mixed = in_context.shuffled(shown, seed=0)
said = in_context.answers(smol, smol_tokenizer, in_context.page(mixed), words)
print(fill(in_context.page(mixed).strip().replace("\n", ", "), 80), "\n")
print(fill(", ".join(f"{question}: {text}" for (question, _), text in zip(words, said, strict=True)), 80))
print(f"\nright: {in_context.right(said, words)} of 12")
assert in_context.right(said, words) <= 2 and said.count("wrong") >= 6

# %% [markdown]
# "Wrong", it says, to nearly everything: that is one of the eight answers on the page. (Four more such pages, below,
# do hardly better.) Is it the same for every task? Take capitals: on the page stand `France: Beijing` and seven more
# lines of this kind, all of them wrong. With eight *right* examples SmolLM2 gives about 19 of 24 capitals. How many
# after eight wrong ones? Run the cell, and click your guess.

# %%
predict("14_gpt.shuffled")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
foreign = recorded("foreign_questions")["result"]
cases = ("0 examples", "1 examples", "2 examples", "4 examples", "8 examples", "answers shuffled")
pages = {0: "right examples", 5: "their answers shuffled", 6: "their answers after other questions"}
figure, axes = plt.subplots(1, 5, figsize=(10, 3.6), sharey=True, layout="constrained")
for ax, (name, row) in zip(axes, grid.items(), strict=True):
    columns = [[one["right"] for one in runs] for runs in (*map(row["counts"].get, cases), foreign[name])]
    for place, dots in enumerate(columns):
        color = "C0" if place < 5 else "C1" if place == 5 else "C2"
        ax.plot([place] * len(dots), dots, "o", color=color, alpha=0.4, label=pages.get(place))
        ax.plot([place - 0.3, place + 0.3], [sum(dots) / len(dots)] * 2, color=color, linewidth=2)
    ax.set_xticks(range(7), ["0", "1", "2", "4", "8", "8", "8"])
    ax.set(title=name, ylim=(-1, 25), xlabel="examples")
axes[-1].axhline(8, color="grey", linestyle=":", label="always says animal")
axes[0].set_ylabel("right, of 24")
figure.suptitle("SmolLM2, five draws each: shuffled answers ruin opposites and plurals, and spare capitals")
_ = figure.legend(*axes[-1].get_legend_handles_labels(), loc="outside lower center", ncols=4)

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
mean = {
    (name, case): sum(one["right"] for one in row["counts"][case]) / len(row["counts"][case])
    for name, row in grid.items()
    for case in row["counts"]
}
print("Right of 24, on average over five draws of the examples:")
for name in grid:
    alone = sum(one["right"] for one in foreign[name]) / 5
    pairs, mixed = mean[name, "8 examples"], mean[name, "answers shuffled"]
    print(f"    {name:11} 8 examples {pairs:.1f}, answers shuffled {mixed:.1f}, answers only {alone:.1f}")
share = mean["capitals", "answers shuffled"] / mean["capitals", "8 examples"]
predict("14_gpt.shuffled", actual="as many" if share > 0.8 else "about half" if share > 0.3 else "hardly any")

# %% [markdown]
# <details><summary>Why? Open after your guess</summary>
#
# As many as before, or nearly: 17.6 instead of 18.8. Each picture is a task, and each dot one draw of the examples
# (which eight, and in which order); 24 words are asked for. Blue: none to eight right examples. Orange: the same
# eight with their answers shuffled. For opposites nearly everything hangs on the pairs, for plurals much, for
# capitals hardly anything; past tense and kinds (is a fox an animal, a plant, a tool or a country?) lie between.
#
# Why? We guessed that a list of capitals *says by itself* what is wanted, and a list of words like `wrong`, `female`,
# `old` does not. So we put the eight answers after questions of another task, `go: Berlin` (green): 13.2 capitals and
# 0.2 opposites. So far, so good. But a list like `houses, teeth, boxes` should then say what is wanted, too. Yet
# after questions of another task (green) it gives only 10.8 plurals, and in wrong pairs (orange) 4.2. So the guess is
# not enough, and we have no better one.
#
# </details>

# %% [markdown]
# Do examples *teach*, or do they only say which of the known tasks is meant, as one often reads? Here is a task that
# SmolLM2 can hardly know. It is to say of what kind a word is: an animal, a plant, a tool or a country. But on our
# pages names are exchanged: an animal is called `blue`, a plant `seven`, a tool `music`, a country `river`.
#
# Compare the third row, two examples of each kind, with the fourth: the same pages, shuffled so that no name is
# right.

# %% jupyter={"source_hidden": true}
controls, draws = (recorded(name)["result"] for name in ("in_context_controls", "exchanged_names"))
pages = {
    "true names, two of each kind": controls["kinds, true names"]["counts"],
    "true names, 8 as drawn": grid["kinds"]["counts"]["8 examples"],
    "exchanged, two of each kind": controls["kinds, names exchanged"]["counts"],
    "the same, then shuffled": draws["two of each, shuffled"],
    "exchanged, 8 as drawn": draws["8 as drawn"],
    "exchanged, all 16": draws["all 16"],
}

# %% jupyter={"source_hidden": true}
ax = plt.subplots(figsize=(8, 3.1))[1]
for place, (page, runs) in enumerate(pages.items()):
    dots = [one["right"] for one in runs]
    ax.plot(dots, [place] * len(dots), "o", color="C1" if "shuffled" in page else "C0", alpha=0.5)
ax.axvline(8, color="grey", linestyle=":", label="always says the same")
ax.set_yticks(range(len(pages)), pages), ax.invert_yaxis(), ax.legend(loc="lower right", fontsize=8)
_ = ax.set(
    xlim=(0, 24.5),
    xlabel="right, of 24",
    title="Kinds, five pages each: balanced pages teach new names best",
)

# %% [markdown]
# With two examples of each kind, 14 to 20 of 24 words were right. (Always the same name would be right for at most
# 8.) The shuffled pages gave 2 to 6. The model knew before which words are animals; **what animals are called, it
# took from the page.**
#
# But it is no reliable pupil. Those pages were balanced. Eight examples as they happened to be drawn, say three
# plants and one country, gave 3 to 6 right, and once 15; with the true names the same pages gave 21 to 23. All
# sixteen examples that we had, again unbalanced, gave 7 to 14.
#
# Luck counts with opposites, too: look at the dots of two examples in the figure of five tasks. Only the examples
# differ, and 1 to 23 of 24 words were right. The two examples that you saw were the luckiest of five draws. One good
# prompt is an anecdote.
#
# <details><summary>Deeper: "the labels do not matter", or do they?</summary>
#
# Others have found that random answers do hardly any harm, in large models that sort texts into classes or choose
# among answers (Min et al. 2022). Models that are larger again do the opposite: they begin to follow flipped labels
# (Wei et al. 2023). Whoever tells you "the labels do not matter" or "they do" should say for which task and which
# model.
#
# </details>

# %% [markdown] jp-MarkdownHeadingCollapsed=true
# ### Deeper: is it the form of the page, and why not simply say what we want?

# %% jupyter={"source_hidden": true} tags=["deeper"]
print("Right of 24    after unrelated pairs, at most    told in words    asked in a conversation")
for name, row in grid.items():
    unrelated = max(one["right"] for one in controls[f"{name} after unrelated pairs"]["counts"])
    in_words, named = row["counts"]["in words"][0]["right"], controls[f"{name} in the template"]["named"]
    print(f"{name:11}{unrelated:34}{in_words:17}{named:27}")
hands = dict(zip(grid["plurals"]["asked"], grid["plurals"]["said"]["another task"], strict=True))
print("Plurals after a page of kinds:", ", ".join(f"{word}: {hands[word]}" for word in ("hand", "foot", "story")))

# %% [markdown] tags=["deeper"]
# **Only the form?** No: after eight pairs without a task, such as `cloud: spoon`, at most 3 of 24 answers were right,
# in any of the five tasks. Asked for plurals after a page of kinds, it goes on with kinds: `hand: person, foot:
# animal, story: poem`.
#
# **Why not simply say what we want?** Written above the question, `The opposite of each word:` gave none of 24 right,
# and `The plural of each word:` 12. Asked in a conversation, the form that this model was trained on (section 5), it
# named 17 opposites and 22 plurals, but only 4 kinds. (Here an answer counts if the right word is anywhere in it.)

# %% [markdown]
# ## 5. What a long text costs, and how a model answers
#
# How new is the machine that did all this? Not very. SmolLM2 is built like the later Llamas. They are GPT-2 in
# another size, with five settings changed, which [lesson 09](09_block.ipynb) listed. What differs is in orange:
#
# ![One block of GPT-2 and one of SmolLM2, side by side, built alike: a norm and attention, a norm and feed-forward, each
# result added to the stream. Coloured in SmolLM2 is what differs. GPT-2: 12 such blocks of width 768, layer norm, 12
# heads of queries and 12 of keys and values, gelu_tanh, positions learned in the embedding, up to 1,024 tokens.
# SmolLM2: 30 blocks of width 576, RMSNorm, 9 heads of queries over 3 of keys and values, rotary positions, swiglu, no
# biases, up to 8,192 tokens.](figures/14_gpt_configs.svg)
#
# In the package the two are one class, `GPT`, with two configurations. One of the five settings makes long texts
# cheaper: shared keys and values. While a model writes, it keeps the keys and values of every token in every block,
# the KV cache of [lesson 03](03_masks.ipynb). With $L$ blocks and $H_\text{kv}$ heads of keys and values, each of
# width $d_\text{head}$, that is $2 \cdot L \cdot H_\text{kv} \cdot d_\text{head}$ numbers a token:

# %%
gpt2, llama = (TransformerConfig.preset(name) for name in ("gpt2", "smollm2-135m"))
cache = smol.decoder.new_cache()
with torch.no_grad():
    smol.decode(smol_ids[None, :100], cache=cache)
measured = sum(part.nbytes for own, _ in cache for part in (own.keys, own.values)) / 100
print("keys and values of               bytes a token  1,000 tokens")
for name, config, heads in (("GPT-2", gpt2, 12), ("SmolLM2, if none were shared", llama, 9), ("SmolLM2", llama, 3)):
    one = 2 * config.n_layers * heads * config.head_width * 4  # bytes, in float32
    print(f"{name:29}{heads:3} heads {one:8,} {one / 1000:10.0f} MB")
print(f"measured in SmolLM2: {measured:,.0f} bytes a token")
assert measured == 2 * 30 * 3 * 64 * 4

# %% [markdown]
# Without sharing, the cache of SmolLM2 would be three times as large, and larger than GPT-2's. That is what sharing
# is for.
#
# **From continuing to answering.** How does a model that only continues texts know that it is being asked? It does
# not. The conversation *is* a text, written in a fixed form, the **chat template**, and the model continues it. Our
# edition of SmolLM2 was trained on such texts:

# %% tags=["nbval-ignore-output"]
# output differs where two tokens are nearly as likely
question = "What does the with statement do in Python?"
chat = f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"
for name, prompt in (("as it is", question), ("in the template", chat)):
    prompt_ids = torch.tensor([smol_tokenizer.encode(prompt, special=True)])
    new = generate(smol, prompt_ids, 40, stop=smol_tokenizer.eos_id)[0, prompt_ids.shape[1] :]
    said = smol_tokenizer.decode(new).strip() or "(nothing)"
    print(f"--- {name}, {prompt_ids.shape[1]} tokens ---", fill(said, 80), sep="\n")
assert len(smol_tokenizer.encode(chat, special=True)) > len(smol_tokenizer.encode(question)) + 5

# %% [markdown]
# Without the template it says nothing to this question: after the question mark, it finds, the text is over. With the
# few tokens of the template it answers, but part of it is wrong.
#
# <details><summary>Deeper: who gives the orders?</summary>
#
# The model has no separate input for orders. The marks of the template are tokens in the same row: a program can keep
# its users from typing them (`special=False`), but whether the model heeds the marks is a matter of training.
#
# </details>
#
# ## 6. Play
#
# One text, four rungs (all but *small*), side by side: what each writes, and what it expects at a place of your
# choice.
#
# 1. Begin with `In Python, the with statement`. Which rungs write words that do not exist?
# 2. Write `print("Hello, world!"` as the text. Which rungs give the closing bracket a chance, and what do the others
#   expect?
# 3. Write a sentence with a name that you make up, and begin a second one with its first letters. Which rungs know
#    how the name goes on?
# 4. Set the temperature to 0. Which rungs go in circles (as in [lesson 12](12_decoding.ipynb)), and how soon?

# %%
four = {
    "pairs": rungs["pairs"].table,
    "n-grams": rungs["n-grams"].table,
    "nano": (task.model, task.tokenizer),
    "SmolLM2": (smol, smol_tokenizer),
}
explorer = LadderExplorer(four, "In Python, the with statement")
explorer

# %% [markdown]
# <details><summary>Answers, when you have tried</summary>
#
# Nano was trained on your machine just now, so yours may say other things. Ours:
#
# 1\. Pairs and nano: `tenthequckeclumofon`, `icsed`, `whatt`. The n-grams write mostly words, and SmolLM2 writes
# nothing else.
#
# 2\. SmolLM2 has little doubt. The others go on with a space, a comma or a full stop, and give a bracket a few
# percent at most.
#
# 3\. Ours was `Her name is Quilandra. We all like Quil`. SmolLM2 alone writes `andra`.
#
# 4\. The first three. Pairs write spaces from the third character on, the n-grams `the set the set`, nano a sentence
# again and again. SmolLM2 repeats only a phrase, `create a new instance`, in these 160 characters.
#
# </details>

# %% jupyter={"source_hidden": true, "outputs_hidden": true} tags=["nbval-ignore-output"]
# output differs: nano was trained just now
lines = ["1, at temperature 0.8:", *(f"    {name}: {said!r}" for name, said in explorer.texts.items())]
hello = LadderExplorer(four, 'print("Hello, world!"', 2).next_tokens
lines += [
    "2, the likeliest next tokens:",
    *(f"    {name}: {', '.join(f'{token} {p:.2f}' for token, p in likely[:4])}" for name, likely in hello.items()),
]
named = LadderExplorer(four, "Her name is Quilandra. We all like Quil", 8, temperature=0.0).texts
lines += ["3, after Quil:", *(f"    {name}: {said!r}" for name, said in named.items())]
circles = LadderExplorer(four, explorer.text, 160, temperature=0.0).texts
lines += ["4, at temperature 0:", *(f"    {name}: {said!r}" for name, said in circles.items())]
numbers = "\n".join(fill(line, 90, subsequent_indent=" " * 8) for line in lines)
Markdown(f"<details><summary>What they wrote, when you have tried</summary>\n\n```text\n{numbers}\n```\n\n</details>")

# %% [markdown]
# ## 7. What people get wrong
#
# **"GPT is a Transformer encoder."** This is tempting, because a GPT has no cross-attention and looks like one half
# of the 2017 model. But an encoder's vectors have seen the whole text, and a GPT's only the text up to their own
# token. Change the *last* word, and see whether the vectors of the earlier ones notice:

# %%
minilm, minilm_tokenizer = load("minilm")
texts = ("The bank of the river", "The bank of the nation")
with torch.no_grad():
    gpt = [smol.decode(torch.tensor([smol_tokenizer.encode(text)])) for text in texts]
    bert = [minilm(torch.tensor([minilm_tokenizer.encode(text)])) for text in texts]  # [SEP] is its last token
for name, (one, other), last in (("SmolLM2", gpt, -1), ("MiniLM, an encoder", bert, -2)):
    change, size = (one - other)[:, :last].abs().max(), one[:, :last].abs().max()
    print(f"{name:19} 'The bank of the' changes by {change / size:.1%} of the largest entry")
    assert (change == 0) if name == "SmolLM2" else (change > 0.05 * size)

# %% [markdown]
# For SmolLM2 the bank is the same bank, whatever comes after it. So while it writes, a cache can keep what it has
# computed. For each new word the encoder would have to read everything anew. What is gained by reading both ways is
# the subject of the next lesson.
#
# ## 8. In the package
#
# `models.py` has the class `GPT`, `config.py` the presets, `tasks/language.py` the documentation as a task,
# `scoring.py` the nats of each token (`token_nats`), `baselines.py` the tables, and `generation/` all that writes. A
# model of your own text is one command: `transformer-lab train FOLDER`.
#
# ## 9. What you have now
#
# A model that does what you show it. Or so it seems. In 1958 Jean Berko asked children: this is a *wug*; now there
# are two of them, there are two ...? Nobody could answer from memory. Let us ask SmolLM2.
#
# The first two pages hold eight plurals, `dog: dogs` and the like. We ask for twelve ordinary words, then for twelve
# invented ones. The third page is a control, on which each word is only repeated, `dog: dog`: can it write such words
# at all? The last says it more as Berko did, `one dog, two dogs`.

# %% tags=["nbval-ignore-output"]
# output differs where two tokens are nearly as likely
rules = experiment("in_context_controls")
scores = {}
for case, (examples, questions) in rules.word_pages(seed=0).items():
    said = rules.finished(smol, smol_tokenizer, examples, questions)
    scores[case] = in_context.right(said, questions)
    pairs = (f"{word}: {answer}" for (word, _), answer in zip(questions, said, strict=True))
    print(f"{case}: {scores[case]} of 12", fill(", ".join(pairs), 80), "", sep="\n")
examples, questions = rules.word_pages(seed=0)["invented words"]
page = "".join(f"one {word}, two {plural}\n" for word, plural in examples)
said = rules.Reader(smol, smol_tokenizer, page).finish([f"one {word}, two" for word, _ in questions], 8)
pairs = (f"{word}: {answer}" for (word, _), answer in zip(questions, said, strict=True))
print(f"invented words, counted: {in_context.right(said, questions)} of 12", fill(", ".join(pairs), 80), sep="\n")
assert scores["ordinary words"] >= 11 and scores["invented words"] <= 3 and scores["invented words, twice"] >= 8
assert in_context.right(said, questions) <= 6

# %% [markdown]
# Every ordinary word gets its plural, but only one of the twelve invented words does. SmolLM2 can write such words:
# on the third page it copied nearly all. On the last page, four are right (five with *heaves*). Some of the wrong
# ones are plurals of another word: *gorges* for *gorp*, *feet* for *fep*. **With ordinary words it looked as if it
# had the rule; with invented ones it seldom found the plural.**
#
# So how far does "predict the next token" carry? SmolLM2, which was trained on conversations as well, often closes a
# bracket that was opened 40 to 100 characters ago, says `pull` for `push`, and after a balanced page of new names
# gives most words the right one; but it does not know the plural of *gorp*.
#
# Now write a page of your own: put your pairs into `in_context.page([...])`, and ask with `in_context.answers` as
# above.

# %% [markdown]
# ## 10. Check yourself
#
# <details><summary>Model A has a perplexity of 20, model B one of 30, on the same text. Which is better?</summary>
#
# That depends on their tokens. The logarithm of each perplexity is the mean loss of a token. Multiply it by the
# number of tokens, and share it out among the characters.
#
# </details>
#
# <details><summary>Your prompt with five examples works. Which two controls do you run before you explain why?</summary>
#
# The same examples with shuffled answers, and other examples of the same task, several times. Then you know whether
# the pairs matter, and how much of it was luck.
#
# </details>
#
# <details><summary>After the page of opposites you start a new page without examples. What does the model answer?</summary>
#
# Mostly numbers, as before. Nothing was kept: its weights are the same, and what it "learnt" was the text in front of
# it.
#
# </details>
#
# Now the [exercises of this lesson](../exercises/14_gpt/gpt.ipynb).
#
# ## Takeaways
#
# * All five rungs begin with one exercise, "what comes next?". Nano lost to a table of counts on the documentation,
#   and won on younger texts. Small beat both, and had begun to close brackets opened 40 to 100 characters ago.
#   SmolLM2, which was trained on conversations besides, is far ahead, with repeated names as well.
# * Perplexity is $e$ to the mean loss of a token: sum first, divide once, say how windows overlap, and never compare
#   it across tokenizers.
# * Examples in the prompt change what a model does without changing a weight. What they give differs from task to
#   task: shuffle the answers, exchange the names, ask for invented words, and draw other examples before you explain.
# * GPT-2 and SmolLM2 are two configurations of one class; shared keys and values make the cache smaller.
#
# **Papers.** Radford et al. (2019), GPT-2's report, *Language Models are Unsupervised Multitask Learners*, has no
# arXiv number. Brown et al. (2020), [arXiv:2005.14165](https://arxiv.org/abs/2005.14165): GPT-3, and examples in the
# prompt. Min et al. (2022), [arXiv:2202.12837](https://arxiv.org/abs/2202.12837): what makes examples work. Wei et
# al. (2023), [arXiv:2303.03846](https://arxiv.org/abs/2303.03846): larger models follow flipped labels. Touvron et
# al. (2023), [arXiv:2302.13971](https://arxiv.org/abs/2302.13971): the first Llama. Ben Allal et al. (2025),
# [arXiv:2502.02737](https://arxiv.org/abs/2502.02737): SmolLM2.
#
# Previous: [13 Training](13_training.ipynb). Next: [15 BERT](15_bert.ipynb).

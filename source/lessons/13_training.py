# %% [markdown]
# # 13 Training
#
# **Why did my run fail?**
#
# ![One step of training from left to right: examples, batch, model, loss, optimiser, and an arrow back to the model:
# new weights, a few hundred times. Seven probes point at it from below: at the examples the overlap of training set
# and held-out set; at the batch one batch again and again; at the model the text that it writes by itself; at the
# loss the first loss, and train() against eval(); at the optimiser the gradient norm and the ratio of update to
# weight.](figures/13_training_where.svg)
#
# A training loop is ten lines long, and many of the mistakes that one can make in it raise no error. The loss goes
# down, the machine is busy for a night, and in the morning the model is useless. Or it is excellent, and you throw it
# away because its curve looks bad. In this lesson you become a doctor for such runs. You will be able to
#
# * say where a loss curve has to begin and how far it can fall, before you train;
# * build AdamW out of plain gradient descent, and say what each addition is for;
# * find out what ails a training run, and rule out the second-best explanation.
#
# About 55 minutes. It builds on lessons [09](09_block.ipynb) to [12](12_decoding.ipynb). The patients are two kinds
# of model that you know from there, trained afresh: translators of dates, and writers of the Python documentation.

# %%
import copy
import math
import random
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from IPython.display import Markdown

# %%
from transformer_lab.data import python_docs
from transformer_lab.data.documents import join
from transformer_lab.experiments import experiment, recorded
from transformer_lab.generation import generate, translate
from transformer_lab.grading import predict
from transformer_lab.tasks.language import docs
from transformer_lab.tasks.translation import dates
from transformer_lab.viz import OptimiserExplorer, optimiser_explorer, plots

plots.use_style()
ward = recorded("patients")["result"]  # made by experiments/patients.py
patients, controls = ward["patients"], ward["controls"]


# %% jupyter={"source_hidden": true}
def chart(ax, case, title):
    """A patient's curve, with the losses of those who know less as reference lines."""
    for name, words in (("guess", "guessing: ln V"), ("count", "counts"), ("count pairs", "counts of pairs")):
        loss = ward["references"][case["model"]][name]
        ax.axhline(loss, color="grey", linestyle=":", linewidth=1)
        ax.text(case["curve"]["step"][-1], loss + 0.08, words, fontsize=7, color="grey", ha="right")
    for part, color in (("train", plots.COLORS[0]), ("held out", plots.COLORS[1])):
        ax.plot(case["curve"]["step"], case["curve"][part], label=part, color=color)
    ax.set(title=title, ylim=(-0.2, 7), xlabel="step", ylabel="loss")


# %% [markdown]
# ## 1. Four curves
#
# Four runs have been brought in. Ada, Chen and Dora are translators of dates; Bela is a writer, who is to continue
# the Python documentation. All that their owners show us is a curve: the loss that each of them was trained with, in
# nats a token, on the training batches and on held-out examples.
#
# Look at where each curve ends. The dotted lines are a scale for the eye: the losses of guessing, of a table that
# counts how often each token occurs, and of a table that counts pairs of tokens, as in lesson [10](10_tokens.ipynb).

# %% jupyter={"source_hidden": true}
fig, axes = plt.subplots(2, 2, figsize=(7, 5))
for ax, name in zip(axes.flat, ("Ada", "Bela", "Chen", "Dora"), strict=True):
    case = patients[name]
    kind = "translator" if case["model"] == "translator" else "writer"
    chart(ax, case, f"{name}, a {kind}: {case['curve']['held out'][-1]:.2f} at the end")
_ = axes[0, 1].legend(fontsize=8, loc="center right", bbox_to_anchor=(1, 0.3))

# %% [markdown]
# In each picture the two curves end on top of each other, so there is no gap that could show what is wrong. (The
# training curve lags a little on the way down: it shows the mean of the last ten steps.) **Whose model does what its
# owner wants?** Run the cell, and click your guess.

# %%
predict("13_training.best")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
for name in ("Ada", "Bela", "Chen", "Dora"):
    case = patients[name]
    for text in case["probes"]["text"][:2]:
        print(f"{name:5}{text['given']!r:56} -> {text['written'][:40]!r}")
right = {name: case["truth"]["right"] for name, case in patients.items() if name in ("Ada", "Chen", "Dora")}
print("\nof 200 dates never seen:", ", ".join(f"{name} {share:.1%}" for name, share in right.items()))
works = [name for name, share in right.items() if share > 0.9] or ["none of them"]
assert works == ["Dora"] and max(right["Ada"], right["Chen"]) == 0
predict("13_training.best", actual=works[0])

# %% [markdown]
# <details><summary>What happened? Open after your guess</summary>
#
# The best curve belongs to Bela, who repeats the last token for ever. Dora, who seems to be stuck at 1.3, translates
# nearly every date. Chen, only a little above her, translates none. How can that be? That is the riddle of this
# lesson.
#
# </details>
#
# A loss curve is a thermometer. It tells you that something is going on, but not what, and a doctor who has only a
# thermometer sends home the wrong patients. The drawing at the top shows seven other instruments, the **probes**. We
# build one step of training and learn to read the probes on the way. Then we come back to the four.
#
# ## 2. What goes in
#
# What does a model learn from, and what is it judged by? A model that continues text is trained on **windows** of $T$
# tokens. The documents are joined, with a sign between them, and cut wherever a window is full:
#
# ![Three short documents: To be or not. Not now. It is so. They are joined to one row, with [EOS] after each, and cut
# after every four tokens, wherever that falls. One window reads: full stop, [EOS], Not, now, and predicts: [EOS],
# Not, now, full stop: at each place the token that comes next.](figures/13_training_batches.svg)
#
# What the model reads and what it has to predict are two slices of the same row, **shifted by one**:

# %% tags=["nbval-ignore-output"]
# output differs with the version of Python, whose documentation the byte pairs were learnt from
task = docs(only_topics=True)  # the documentation, and a model that has learnt nothing
row = task.tokenizer.encode("The with statement is used")
reads, labels = row[:-1], row[1:]
print("reads   ", task.tokenizer.tokens(reads))
print("predicts", task.tokenizer.tokens(labels))

# %% [markdown]
# To judge a model, some of the text must be held out. Now somebody reports a surprisingly good result: **one bit for
# each character** of the Python documentation, with no network at all. It is a table of counts like those of lesson
# 10, with up to nine characters of context. Here is how it was measured:


# %% jupyter={"source_hidden": true}
def count(texts, longest=9):
    """counts[k]: how often each string of k characters occurs"""
    return [Counter(t[i : i + k] for t in texts for i in range(len(t) - k + 1)) for k in range(longest + 2)]


def surprise(text, counts):
    """Bits a character, each predicted from at most nine characters before it."""
    bits = 0.0
    for i, character in enumerate(text):
        p = 1 / len(counts[1])
        for k in range(min(i, len(counts) - 2) + 1):  # from no context to the longest
            seen = text[i - k : i]  # if seen three times, its counts make up half of p, and shorter contexts the rest
            p = (counts[k + 1][seen + character] + 3 * p) / (counts[k][seen] + 3)
        bits -= math.log2(p)
    return bits / len(text)


# %%
whole, draw = join(python_docs.documents(only_topics=True)), random.Random(0)
starts = [draw.randrange(len(whole) - 64) for _ in range(10_000)]
windows = [whole[start : start + 64] for start in starts]  # nine tenths to learn from, one tenth held out
counts = count(windows[1000:])
best = sum(surprise(window, counts) for window in windows[:100]) / 100
print(f"{len(windows)} windows drawn at random; on 100 of those held out: ≈ {best:.2f} bits a character")
assert abs(best - 1.0) < 0.15

# %% [markdown]
# What is wrong with it?
#
# <details><summary>Think, and then open this</summary>
#
# The windows were drawn from the text at random, so they *overlap*: much of what is held out also stands in training
# windows, letter by letter. There the table need not predict: it can look things up.
#
# </details>
#
# **Split first, then cut.** Hold out whole documents, and train on none that repeats a passage of them. The same
# table then needs 2.7 bits, in the mean of five draws (folded below).
#
# The probe for a **leak** is the *overlap*: the share of held-out examples that stand whole in the training set. It
# misses those that stand there only in part, like most of those above.

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: what is a split worth?
#
# `experiments/splits.py` gave the same table six kinds of split, each drawn five times. The last three rows of the
# figure hold out *the same* documents, and a thin line joins what belongs to one draw:

# %% jupyter={"source_hidden": true} tags=["deeper"]
ways = recorded("splits")["result"]
again = experiment("splits").measured("the same, copies taken out", 4)
assert abs(again - ways["the same, copies taken out"][4]) < 0.1
fig, ax = plt.subplots(figsize=(7, 3))
for place, bits in enumerate(ways.values()):
    color = plots.COLORS[0] if place == 4 else plots.COLORS[1]
    ax.plot(bits, [place] * 5, "o", color=color, alpha=0.6)
    ax.plot([sum(bits) / 5] * 2, [place - 0.3, place + 0.3], color=color, linewidth=3)
for draw in zip(*[*ways.values()][3:], strict=True):
    ax.plot(draw, (3, 4, 5), color="grey", linewidth=0.7, zorder=1)
ax.set(xlim=(0, 3.4), yticks=range(6), yticklabels=list(ways), xlabel="bits a character")
ax.set_title("Without copies to learn from, a worse score\n(the same table; five draws each, thick line: mean)")
ax.invert_yaxis()
ax.grid(False, axis="y")

# %% jupyter={"source_hidden": true} tags=["deeper"]
for way, bits in ways.items():
    print(f"{way:34}in the mean {sum(bits) / 5:.1f} bits")
random_windows, shuffled, tenth, documents, cleaned, control = (np.array(bits) for bits in ways.values())
print("\nmore bits than for whole documents, draw by draw")
for name, bits in (("copies taken out", cleaned), ("as much else taken out", control)):
    print(f"{name:34}{'  '.join(f'{more:.2f}' for more in bits - documents)}")
assert random_windows.mean() < 1.2 < shuffled.mean() < 1.9 < tenth.mean() and abs((tenth - documents).mean()) < 0.15
assert 0.4 < (cleaned - documents).mean() < 0.7 and min(cleaned - documents) > 0
assert np.abs(control - documents).max() < 0.1 < max(cleaned - documents)

# %% [markdown] tags=["deeper"]
# Read the rows from the top. If the windows do not overlap, the table needs 0.7 bits more, and if a whole tenth in a
# row is held out, nearly half a bit more again. *Whole documents*, drawn here and there, come out about the same. But
# this documentation says many things twice. So take every document out of the training set that shares thirteen words
# in a row with a held-out one: another half a bit in the mean. Is that only because there is less left to learn from?
# No: with as much of the *other* text taken out, the bits hardly change.
#
# And look along the lines. In one draw the copies were worth nearly a whole bit, in another next to nothing. One draw
# is an anecdote: draw more than once. (The package's split keeps documents that share thirteen words in a row on one
# side. Only then are the training documents joined, with an empty line between them, and windows may begin anywhere
# in that text.)

# %% [markdown]
# ## 3. The first loss
#
# Where should a healthy curve begin? A model that knows nothing should guess evenly among its $V$ tokens, which costs
# $\ln V$. The date translator has 55 tokens, and $\ln 55 = 4.0$. Here is a fresh one:

# %%
translator = dates(n=600)  # 600 pairs, and a fresh translator
batch = translator.collate(translator.examples[:200])
real = batch["labels"] != -100  # elsewhere is padding
reads, labels = batch["target"][real], batch["labels"][real]
with torch.no_grad():
    logits = translator.logits(translator.model, batch)[real]  # (labels, 55)
first = F.cross_entropy(logits, labels)
print(f"ln V = {math.log(55):.2f}, the fresh translator's loss ≈ {first:.1f}")
assert 4.6 < first < 5.5

# %% [markdown]
# One nat *worse* than knowing nothing. Is that a fault? A fresh model's logits are random instead of equal, so it
# prefers some tokens to others without any reason. If their spread (standard deviation) is $\sigma$, it pays about
# $\sigma^2/2$ for that (as long as $\sigma$ is not much above 1).

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: why half of the square?
#
# If $z$ are the logits, the loss is the log of the sum of all $e^z$, less the label's logit. That logit is 0 on
# average, and the mean of $e^z$ over normal logits is $e^{\sigma^2/2}$. So the loss is about
# $\ln(V e^{\sigma^2/2}) = \ln V + \sigma^2/2$. With random logits and labels this holds up to a spread of 1, in the
# digits shown:

# %% tags=["deeper"]
torch.manual_seed(0)
for spread in (0.1, 0.5, 1.0, 2.0):
    drawn = F.cross_entropy(spread * torch.randn(20_000, 55), torch.randint(55, (20_000,)))
    print(f"random logits, spread {spread}: loss {drawn:.1f}, ln V + spread²/2 = {math.log(55) + spread**2 / 2:.1f}")

# %% [markdown]
# ### The bet
#
# One logit is not like the others. The translator's output table *is* its input table (weight tying, [lesson
# 09](09_block.ipynb)), and the residual path carries a token's own vector up to it. So the fresh model **bets** on
# the token that it has just read:
#
# ![The token 5 has just been read. Its row of the input table, a vector, goes along the residual path, where fresh
# blocks add little, to the output table, which is the same table. Four logits come out, for 1, 5, 9 and 0: that of 5
# is far longer than the others. That is the bet: 5 again.](figures/13_training_bet.svg)
#
# What does the bet cost? We set the logit of the token just read to the mean of the other 54, and then take a
# translator with a separate output table:

# %%
own = F.one_hot(reads, 55).bool()  # at each place the token just read
others = logits[~own].view(-1, 54)
middle = others.mean(dim=-1, keepdim=True)
spread, bet = (others - middle).std(), (logits[own] - middle[:, 0]).mean()
print(f"the token just read: its logit stands ≈ {bet:.1f} above the others' mean")
print(f"the others: spread ≈ {spread:.2f}, so ≈ {math.log(55) + spread**2 / 2:.2f} is to be expected without the bet")
without = F.cross_entropy(logits.where(~own, middle), labels)
print(f"measured with that logit set to their mean: ≈ {without:.2f}, and with the bet ≈ {first:.2f}")
assert abs(bet - 3.57) < 0.1
assert abs(spread - 1.07) < 0.03
assert abs(math.log(55) + spread**2 / 2 - 4.58) < 0.05
assert abs(without - 4.72) < 0.05
assert abs(first - 5.03) < 0.05

# %% jupyter={"source_hidden": true}
untied = dates(n=600, tie_embeddings=False)  # the control: an output table of its own
with torch.no_grad():
    control = untied.logits(untied.model, batch)[real]
rest, repeats = F.cross_entropy(control, labels), control.softmax(dim=-1)[own].mean()
print(f"with a separate output table: first loss ≈ {rest:.2f}")
print(f"its probability of repeating the token just read: {repeats:.2f}, evenly {1 / 55:.2f}")
assert abs(rest - 4.74) < 0.05 and abs(repeats - 1 / 55) < 0.01
won, not_won = F.cross_entropy(logits, reads), F.cross_entropy(control, reads)
print(f"were each label the token just read: with one table ≈ {won:.1f}, with two ≈ {not_won:.1f}")
assert abs(won - 1.4) < 0.2
assert abs(not_won - 4.4) < 0.2

# %% [markdown]
# The bet costs 0.3: take it away, or give the model a separate output table, and it begins at 4.7. The rest, 0.7, is
# the price of the random logits, where the formula says about 0.6. So the start of 5.0 is no fault. But make the
# table larger, and the model begins a long way up:

# %%
for factor in (1, 2, 4):
    larger = copy.deepcopy(translator.model)
    with torch.no_grad():
        larger.embedding.tokens.weight *= factor
        loss = F.cross_entropy(translator.logits(larger, batch)[real], labels)
    print(f"token table times {factor}: first loss {loss:.0f}")

# %% [markdown]
# Where the table starts smaller, with a spread of 0.02 as in GPT-2, the bet costs next to nothing: a healthy writer
# begins at 6.24, and its $\ln V$ is 6.24 (section 7).
#
# **The first loss** is the cheapest of all probes. Compare it with $\ln V$, and with a healthy **twin**: a model of
# the same make that is known to train well.
#
# * *Far above both*: the first logits are too large. *Near $\ln V$, far below the twin*: suspect that they
#   reach the loss too small.
# * *Below $\ln V$*, before anything was learnt. With one table, suspect first that the bet is won: the label is the
#   token just read. (That would cost 1.4 here, as printed above.) Two faults can do it: labels that are not shifted,
#   and a loss that counts much *padding*, where `[PAD]` comes after `[PAD]`. A look at one row of labels tells which.
#   (With two tables there is no bet: unshifted labels cost 4.4 above, more than $\ln V$.)
#
# ## 4. One batch, again and again
#
# A run begins where it should. But can it learn? Give the model a task in which it need only remember: the same
# sixteen pairs, a hundred times. If its loss stays far above that of a healthy twin, more data will not mend it: look
# for a path that is cut, a rate far off, first weights too large, or a wrong loss. (Only a floor in the loss itself,
# as in section 6, is no fault.)
#
# Here is the loop, and it is all there is to training:


# %%
def train(task, rows, optimiser, steps):
    """The training loop; rows(step) are the examples of that step."""
    losses = []
    for step in range(steps):
        batch = task.collate([task.examples[i] for i in rows(step)])
        logits = task.logits(task.model, batch)
        loss = F.cross_entropy(logits.flatten(end_dim=1), batch["labels"].flatten(), ignore_index=-100)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


# %%
translator = dates(n=600, n_layers=1)
optimiser = torch.optim.AdamW(translator.model.parameters(), lr=2e-3)
losses = train(translator, lambda step: range(16), optimiser, 100)
known, unknown = translator.examples[0].source, translator.examples[100].source
for text in (known, unknown):
    print(text, "->", translate(translator.model, translator.tokenizer, [text])[0])
print(f"loss of the sixteen pairs: {losses[0]:.0f} at first, ≈ {losses[-1]:.2f} after 100 steps")
assert losses[-1] < 0.2

# %% [markdown]
# It knows the first date by heart. The second it has never seen, and what it writes there is no date at all. That is
# fine: this probe asks whether a model *can* learn, not whether it understands. It is quick. Do it before every long
# run.
#
# ## 5. The step
#
# What does `optimiser.step()` do with the gradient? Plain **gradient descent** (SGD) takes rate times gradient off
# each weight. Two weights are enough to see its trouble. Here they walk down a valley that is fifty times as steep
# across as along. In the figure, look at how each rule moves across the valley (up and down) and along it:

# %%
steepness = torch.tensor([1.0, 50.0])  # the loss is (x² + 50 y²) / 2, lowest at (0, 0)


def walk(rule, rate, steps=60):
    """The way down from (-2, 0.6): a row for each step."""
    x, memory, path = torch.tensor([-2.0, 0.6]), {}, []
    for t in range(1, steps + 1):
        path.append(x)
        x = x - rate * rule(steepness * x, memory, t)
    return torch.stack(path)


# %%
def sgd(gradient, memory, t):
    return gradient


def momentum(gradient, memory, t):
    memory["m"] = 0.9 * memory.get("m", 0) + 0.1 * gradient
    return memory["m"]


def adam(gradient, memory, t):
    m = momentum(gradient, memory, t) / (1 - 0.9**t)
    memory["v"] = 0.99 * memory.get("v", 0) + 0.01 * gradient**2
    v = memory["v"] / (1 - 0.99**t)
    return m / (v.sqrt() + 1e-8)


# %% jupyter={"source_hidden": true}
ways = (
    ("SGD, rate 0.03", sgd, 0.03),
    ("SGD, rate 0.041: it diverges", sgd, 0.041),
    ("momentum, rate 0.2", momentum, 0.2),
    ("Adam, rate 0.1", adam, 0.1),
)
fig, axes = plt.subplots(2, 2, figsize=(7, 4), sharex=True, sharey=True)
grid_x, grid_y = torch.meshgrid(torch.linspace(-2.4, 1, 60), torch.linspace(-1, 1, 60), indexing="xy")
for ax, (name, rule, rate) in zip(axes.flat, ways, strict=True):
    path = walk(rule, rate)
    ax.contour(grid_x, grid_y, grid_x**2 + 50 * grid_y**2, levels=[0.3, 2, 6, 15, 30], colors="#D5DBE1")
    ax.plot(*path.T, "o-", markersize=2, linewidth=1, color=plots.COLORS[0])
    ax.plot(0, 0, "*", color=plots.COLORS[5])
    ax.set(title=name, xlim=(-2.4, 1), ylim=(-1, 1))
    ax.grid(False)
assert walk(sgd, 0.041)[-1].norm() > 3 and walk(adam, 0.1)[-1].norm() < 0.2

# %% [markdown]
# * **SGD** has one rate for both directions. Above $2/50 = 0.04$ each step across ends further out than it began.
#   Below it, the way along the valley is slow: at 0.03 a sixth of it, $0.97^{59}$, is still left at the end.
# * **Momentum** steps by a running mean of the gradients. Across, they change sign and largely cancel; along, they
#   stay. It swings like a ball.
# * **Adam** also keeps a running mean of the *squares*, and divides by its root: while a gradient keeps its sign and
#   size, each step moves the weight by about the rate, however steep the direction; where the sign keeps changing, by
#   less. (Both means start at 0, hence the divisions by $1 - 0.9^t$ and $1 - 0.99^t$.)
#
# ![Four rules from top to bottom. SGD keeps nothing and takes rate times gradient off the weight. Momentum keeps m,
# the mean of the last gradients, and takes off rate times m. Adam keeps m and v, the mean of the squares, and takes
# off rate times m divided by the root of v. AdamW takes off, in addition, rate times decay times the
# weight.](figures/13_training_optimisers.svg)
#
# The last addition is **weight decay**: each step also shrinks the weights a little. **AdamW** does not divide this
# by the root, so all weights shrink by the same share. One line more, and we compare your AdamW with torch's on the
# translator itself:


# %%
class YourAdamW:
    """AdamW, as the loop of section 4 wants it."""

    def __init__(self, model, rate=2e-3, decay=0.01):
        self.weights, self.rate, self.decay, self.t = list(model.parameters()), rate, decay, 0
        self.memories = [{} for _ in self.weights]

    def zero_grad(self):
        for weight in self.weights:
            weight.grad = None

    @torch.no_grad()
    def step(self):
        self.t += 1
        for weight, memory in zip(self.weights, self.memories, strict=True):
            weight *= 1 - self.rate * self.decay
            weight -= self.rate * adam(weight.grad, memory, self.t)


# %%
yours, theirs = dates(n=600, n_layers=1), dates(n=600, n_layers=1)
packaged = torch.optim.AdamW(theirs.model.parameters(), lr=2e-3, betas=(0.9, 0.99), weight_decay=0.01)
train(yours, lambda step: range(16), YourAdamW(yours.model), 5)
train(theirs, lambda step: range(16), packaged, 5)
both = zip(yours.model.named_parameters(), theirs.model.parameters(), strict=True)
differences = {name: (a - b).abs().max().item() for (name, a), b in both if not name.endswith("w_k.bias")}
assert max(differences.values()) < 1e-5
print(f"after 5 steps {len(differences)} tensors differ from torch's by less than 0.00001")

# %% [markdown]
# <details><summary>Deeper: which tensors were left out, and why?</summary>
#
# The three biases of the keys. They add the same number to all scores of a query, and a softmax does not care: their
# gradient is 0 in theory, and only rounding noise in a computer. Adam divides this noise by its own size (plus
# $10^{-8}$), and so takes steps far larger than the gradient, in directions that mean nothing. Yours and torch's
# round differently, so here they part. In theory no attention weight depends on these biases.
#
# </details>
#
# So Adam decides how far each weight moves in comparison with the others. How far they all move is left to the
# **learning rate**, the first number to tune. `experiments/rates.py` trained the translator at six rates, with five
# seeds, by SGD with momentum and by AdamW without and with a **warm-up**. Look for the lowest point of each curve:

# %% jupyter={"source_hidden": true}
rates = recorded("rates")["result"]
fig, ax = plt.subplots(figsize=(7, 3.2))
middle = {}
for number, (name, losses) in enumerate(rates.items()):
    tried = [(float(rate), [8 if loss is None else min(loss, 8) for loss in found]) for rate, found in losses.items()]
    middle[name] = {rate: sorted(found)[2] for rate, found in tried}
    ax.plot(*zip(*middle[name].items(), strict=True), color=plots.COLORS[number], label=name)
    for rate, found in tried:
        ax.plot([rate] * 5, found, "o", color=plots.COLORS[number], markersize=3, alpha=0.6)
ax.set(xscale="log", xlabel="learning rate", ylabel="loss after 100 steps\n(8: NaN)")
lowest = {name: min(losses.values()) for name, losses in middle.items()}
reached = f"AdamW reaches {lowest['AdamW']:.1f}, SGD with momentum {lowest['SGD, momentum 0.9']:.1f}"
ax.set_title(f"100 steps, best rates: {reached}")
ax.axhline(math.log(55), color="grey", linestyle=":")
ax.text(3e-3, math.log(55) + 0.15, "guessing: ln V", fontsize=7, color="grey")
_ = ax.legend(fontsize=8)

# %% [markdown]
# * **The kind of step matters.** After 100 steps AdamW at its best rate is far ahead of SGD with momentum at its own,
#   for every seed.
# * **A rate belongs to a task.** A rate of 0.00002, which recipes for *fine-tuning* recommend, leaves a fresh model
#   worse than guessing after these 100 steps. Copy a rate without trying others, and your run may fail like this.
#
# <details><summary>Deeper: one seed can mislead, and other things to see in this figure</summary>
#
# By the median of five seeds, SGD with momentum does equally well at 0.1 and 0.3. But at 0.3 one seed of five is
# lost, and at 1 all of them. (torch's momentum, used here, leaves out the factor 0.1 of ours. A walk like the one
# above, at our rate of 0.2, has a rate of 0.02 there.)
#
# With a warm-up the rate rises for the first 20 of the hundred steps. That curve is behind at all rates but the
# highest. But its first steps are smaller, so this does not say that a warm-up harms. [Lesson
# 07](07_layer_norm.ipynb) has longer runs.
#
# </details>
#
# How do you see a wrong rate in a run of your own? By the ratio **update / weight**: by how much of its own size one
# step moves a matrix (0.6 to 1.2 % at step 20 in section 7's healthy translator). Compare with a healthy twin:
#
# * *Every matrix moves far less*: the rate is too low.
# * *They move further*: the rate is not too low, but the ratio cannot tell what is wrong instead. The rate may be too
#   high, gradients may be added up, or the first weights may be too large. Nor does the ratio tell how much too high
#   a rate is.
# * *Exactly 0*: this matrix is never stepped. The optimiser does not have it, or it gets no gradient (its `grad` is
#   `None`). A gradient that is there, but consists of zeros, is another case: then weight decay still moves the
#   matrix a little.
#
# The second probe of the step is the **gradient norm**, the length of all gradients together. It may start high. If
# it keeps growing although the loss does not, suspect that gradients are added up from step to step.
#
# <details><summary>Deeper: clipping</summary>
#
# A single strange batch can have a gradient many times longer than usual. **Gradient clipping** scales such a
# gradient down to a largest length, 1.0 in the package. Look at the norm *before* clipping: afterwards a disease
# looks like health.
#
# </details>
#
# ## 6. How far can it fall?
#
# Where does a healthy curve end? At 0, one would think. For this translator that is nearly so, since the English date
# says all that the Chinese one does. But two things that people do on purpose keep a healthy curve up.
#
# **Label smoothing.** Instead of asking for the right token with probability 1, one asks for $1-\varepsilon$ and
# spreads $\varepsilon$ over all tokens, so that the model does not become too sure. Then the loss of a *perfect*
# model is the entropy of that label:

# %%
V, epsilon = 55, 0.2
label = torch.full((V,), epsilon / V)
label[0] += 1 - epsilon
floor = -(label * label.log()).sum()
print(f"label smoothing 0.2: nobody gets below {floor:.2f}")

# %% [markdown]
# **Dropout.** In `train()` the model computes with a part of its numbers set to 0, so it cannot rely on any one of
# them; in `eval()` it has all. The training loss is then that of a handicapped model, and may lie above the held-out
# loss of the whole one. The probe is to measure the *same* batch in both modes. The difference is what dropout costs.
# So much of the gap between the curves is no fault.
#
# Why would one want a handicap? Against **overfitting** (folded below): with few examples a model's loss may go on
# falling on them while it rises on others. `experiments/overfitting.py` gave the translator only 350 pairs, and
# trained it for 800 steps with five seeds. The loss on 300 other dates is lowest between steps 400 and 600, and then,
# in all five runs, it *rises* again a little. The textbook says: stop there (**early stopping**). And what becomes of
# the share of these dates that are exactly right, from that step to the last?

# %%
predict("13_training.after")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
few = recorded("overfitting")["result"]["curves"]
plain = few["nothing"]
fig, axes = plt.subplots(1, 2, figsize=(7, 3))
for seed, run in enumerate(plain):
    turn = run["held out"].index(min(run["held out"]))
    for ax, what, factor in ((axes[0], "held out", 1), (axes[1], "right", 100)):
        values = [factor * value for value in run[what]]
        ax.plot(run["step"][2:], values[2:], color=plots.COLORS[seed])
        ax.plot(run["step"][turn], values[turn], "o", color=plots.COLORS[seed])
axes[0].set(xlabel="step", ylabel="held-out loss", title="Five seeds; the dot: lowest loss", ylim=(0, 0.2))
_ = axes[1].set(xlabel="step", ylabel="held-out dates right (%)", title="The same runs and steps")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
changes = []
print("five seeds, without any remedy:")
for run in plain:
    turn = run["held out"].index(min(run["held out"]))
    changes.append(run["right"][-1] - run["right"][turn])
    print(
        f"lowest loss {run['held out'][turn]:.3f} at step {run['step'][turn]}: {run['right'][turn]:.0%} right;", end=" "
    )
    print(f"at step {run['step'][-1]}: loss {run['held out'][-1]:.3f}, {run['right'][-1]:.0%} right")
change = sorted(changes)[2]
verdict = "rises" if change > 0.01 else "falls" if change < -0.01 else "stays within a point"
predict("13_training.after", actual=verdict)

# %% [markdown]
# <details><summary>Why? Open after your guess</summary>
#
# It rises too, in all five runs. A loss counts how *sure* the model was, exact match only which token came first.
# From the turn to the end the model gets fewer tokens wrong. But in the mean a right token then costs less than
# before, and a wrong one more (run the next cell), as when a model grows surer of both.
#
# Both measures are right; they measure two things. Whoever needs right dates, and stops by the loss, stops too early
# here. (A few points of 300 dates are a handful of dates, and one run would show little. But it is so in five of
# five.)
#
# </details>

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
print("five seeds, from the lowest loss to step 800:")
for run in plain:
    then, now = run["tokens"][run["held out"].index(min(run["held out"]))], run["tokens"][-1]
    print(f"wrong tokens {then['wrong']:.1%} -> {now['wrong']:.1%},", end=" ")
    print(f"loss of a wrong one {then['of wrong']:.1f} -> {now['of wrong']:.1f},", end=" ")
    print(f"of a right one {then['of right']:.3f} -> {now['of right']:.3f}")
    assert now["wrong"] < then["wrong"] and now["of wrong"] > then["of wrong"] and now["of right"] < then["of right"]

# %% [markdown]
# Loss and right dates are two measures: choose the step by the one that you care about, on examples that you do not
# report on.

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: three remedies
#
# The same five seeds with dropout, with a strong weight decay of 0.3, and with early stopping, which keeps the
# weights of the step with the lowest loss (here on 200 dates that count for nothing else):

# %% jupyter={"source_hidden": true} tags=["deeper"]
ends = {name: [100 * run["right"][-1] for run in runs] for name, runs in few.items()}
stopped = [100 * run["right"][run["stop"].index(min(run["stop"]))] for run in plain]
ends = {"stopped early": stopped} | ends
fig, ax = plt.subplots(figsize=(7, 2.6))
for seed, points in enumerate(zip(*ends.values(), strict=True)):
    ax.plot(points, range(4), "o-", color=plots.COLORS[seed], linewidth=1)
gains = [b - a for name in ("dropout 0.1", "decay 0.3") for a, b in zip(ends["nothing"], ends[name], strict=True)]
lost = [a - b for a, b in zip(ends["nothing"], stopped, strict=True)]
ax.set(yticks=range(4), yticklabels=list(ends), xlabel="held-out dates right (%), at step 800 or the step chosen")
ax.set(ylim=(3.4, -0.4))
ax.set_title(f"350 pairs, five seeds: dropout and decay help by {min(gains):.0f} to {max(gains):.0f} points")
assert min(gains) > 7.5 and max(gains) < 19 and 1 < min(lost) < max(lost) < 4.1

# %% [markdown] tags=["deeper"]
# Dropout and decay help with each seed. Early stopping by the loss *costs* one to four points here, as in the guess.

# %% [markdown]
# ## 7. The ward round
#
# Now back to the four. Here are the probes of each of them beside those of a healthy twin. In each row, what differs
# from the twin, and is it a fault? (One run each, one seed. A healthy translator with one block in each stack begins
# at 5.8, that of section 3, with two, at 5.0.)


# %% jupyter={"source_hidden": true}
def chart_of(case):
    """A patient's probes in words and numbers, without the text."""
    probes, ratios = case["probes"], case["probes"]["ratio"].values()
    still = sum(ratio == 0 for ratio in ratios)
    return {
        "first loss, and ln V": f"{probes['start']['loss']:.2f}, {probes['start']['ln V']:.2f}",
        "one batch, after 150 steps": f"{probes['one batch'][-1]:.2f}",
        "update / weight": f"{min(ratios):.1%} to {max(ratios):.1%}",
        "matrices that never move": f"{still} of {len(ratios)}",
        "gradient norm, first and last": f"{probes['gradient'][0]:.2f}, {probes['gradient'][-1]:.2f}",
        "train() and eval()": "{train()}, {eval()}".format(**{k: f"{v:.2f}" for k, v in probes["modes"].items()}),
        "overlap of the splits": f"{probes['overlap']:.0%}",
    }


# %% jupyter={"source_hidden": true}
def table(*names):
    """The probes of several cases side by side."""
    charts = [chart_of({**patients, **controls}[name]) for name in names]
    rows = [("probe", *names), ("---",) * (1 + len(names))]
    rows += [(probe, *(chart[probe] for chart in charts)) for probe in charts[0]]
    return Markdown("\n".join(f"| {' | '.join(row)} |" for row in rows))


table("healthy writer", "Bela")

# %% jupyter={"source_hidden": true}
table("healthy translator", "Ada", "Chen", "Dora")

# %% [markdown]
# A diagnosis needs *two* probes: one that speaks for it, and one that **rules out the runner-up**. These are the rules
# of sections 2 to 6:
#
# | probe | what it says |
# |---|---|
# | overlap | above 0: a leak |
# | first loss | far above $\ln V$ and the twin: first logits too large; near $\ln V$, far below the twin: perhaps too small; below $\ln V$: the label is the token just read, or much padding counts |
# | one batch | far above the twin and any floor of the labels: it cannot learn |
# | text | not what the owner wants: ill, whatever the loss says |
# | train() and eval() | they differ: dropout |
# | update / weight | far below the twin's: rate too low; above it: not too low, and other probes tell the cause; exactly 0: never stepped |
# | gradient norm | keeps growing although the loss does not: gradients are added up |
#
# Find both probes for each of the four, in the tables above and the texts of section 1, and only then open what we
# found. (One of the faults is from section 11 of [lesson 01](01_toolkit.ipynb).)
#
# <details><summary>Bela: a loss of 0.06</summary>
#
# Four faults can make a loss too good to be true: much padding, a leak between the splits, a missing causal mask, or
# labels that are not shifted, so that the model reads what it should predict. *Overlap* is 0 %, which rules out a
# leak of whole windows.
#
# And the *first loss* was below $\ln V$ before anything was learnt, which rules out a missing mask: a fresh writer
# that could read ahead has not yet learnt to. Her table starts small, as every writer's does, and the bet of section
# 3 costs a healthy writer next to nothing. But here the token just read *is* the label, and the small bet is paid out
# at every place. Hence `AAAA`. (Padding is ruled out too: a writer's windows are full.)
#
# </details>
# <details><summary>Chen: 1.4, and slow</summary>
#
# A rate that is too low? *Update / weight* rules it out: the one matrix that moves goes further than any in the
# healthy translator. But 16 of 17 matrices do not move at all, not even by their decay. All the blocks are frozen;
# of the matrices only the token table learns (look at `patients["Chen"]["probes"]["ratio"]`).
#
# </details>
# <details><summary>Dora: 1.31 on everything</summary>
#
# She stays there on *one batch* too, and looks like Ada's sister. But she writes what she should, which Ada does not,
# and her *first loss* of 5.76 is nearly her twin's 5.82, which rules out Ada's illness. Her owner trained with a
# label smoothing of 0.2, and section 6 computed where that ends: at 1.28. Dora is healthy. The treatment is to go
# home.
#
# </details>
# <details><summary>Ada: above 3.4, even on one batch</summary>
#
# No matrix moves less far than her twin's, so the rate is not too low. She fails on sixteen pairs too, so it is not
# the amount of data. Her *first loss* is 4.01, exactly $\ln V$, where her healthy twin begins at 5.8. Her logits
# never reach the loss as they are: somebody put a softmax before `cross_entropy`, which has its own.
#
# The runner-up is a small token table, with which a healthy model begins at $\ln V$ as well. *One batch* rules it
# out: with such a table a healthy translator comes down nearly to 0, and Ada stays at 3.44. (Run the next cells.)
#
# Why does she stay up there? After a softmax only numbers between 0 and 1 go into the loss, so even the surest model
# pays 3.04 for a right token, and 4.04 for a wrong one. And where it is sure and wrong, hardly any gradient comes
# through the first softmax.
#
# </details>
# <details><summary>And why did the curves mislead us? Open when you have all four</summary>
#
# Three of the four curves show something else under the name of loss. Ada's has a softmax too many, Bela's asks for
# the token just read, and Dora's asks for smoothed labels. Only Chen's shows the plain loss. So Chen's 1.41 and
# Dora's 1.31 do not stand on one scale: Dora's is just above 1.28, the lowest that her loss can be, and Chen's is far
# above what a healthy translator reaches. A useless model could have the best curve, and the one good model a curve
# that is stuck.
#
# </details>

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
sure = torch.tensor([[10.0] + [0.0] * 54], requires_grad=True)  # sure of token 0
print("With a softmax too many")
print(f"    the fresh translator of section 3 begins at {F.cross_entropy(logits.softmax(dim=-1), labels):.2f}")
for label, words in ((0, "right"), (1, "wrong")):
    print(f"    sure and {words}: loss {F.cross_entropy(sure.softmax(dim=-1), torch.tensor([label])):.2f}")
for words, given in (("so long is the gradient", sure.softmax(dim=-1)), ("without that softmax it is", sure)):
    (gradient,) = torch.autograd.grad(F.cross_entropy(given, torch.tensor([1])), sure)
    print(f"    sure and wrong, {words}: {gradient.norm():.4f}")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
small = dates(n=600, n_layers=1)  # the runner-up: nothing is wrong but the size of the table
with torch.no_grad():
    weight = small.model.embedding.tokens.weight
    weight *= 0.02 / weight.std()
losses = train(small, lambda step: range(16), torch.optim.AdamW(small.model.parameters(), lr=2e-3), 150)
print("A healthy translator with a small table")
print(f"    first loss ≈ {losses[0]:.2f}, on one batch after 150 steps ≈ {losses[-1]:.2f}")
assert abs(losses[0] - 4.08) < 0.1
assert losses[-1] < 0.2

# %% [markdown]
# For two of the four, Ada and Bela, a number that was there *before the first step* showed where to look. It did not
# finish the diagnosis, but it costs nothing.
#
# ## 8. Play
#
# How far does each rule of section 5 get at other rates? Here are all four at once. The valley is the same, only
# moved: the weights begin at 0, at the ring, and the loss is lowest at the star. *Noise* adds random numbers to the
# gradients, as small batches do (the same for all four). Predict before you move:
#
# 1. Which rate brings SGD nearest to the star in 60 steps, and how near does momentum come with a rate of its own?
#    What keeps SGD from taking momentum's rate?
# 2. Make the valley round (steepness 1), and then steeper and steeper. Two of the four walks stay exactly as they
#    are. Which, and why? Are they also the fastest in the round valley?
# 3. Let Adam walk for 300 steps at rates of 1, 0.1 and 0.02, first without noise, and then with a noise of 1. What
#    does the rate decide then?

# %%
explorer = OptimiserExplorer()
explorer

# %% [markdown]
# <details><summary>Answers, when you have tried</summary>
#
# 1\. SGD comes to 0.24 at a rate of 0.035; momentum to 0.02 at 0.2. SGD cannot take that rate: above 0.04 it diverges
# *across* the valley. And with a rate of 0.04 a step *along* the valley covers only 4 % of the way that is left.
#
# 2\. Adam's and AdamW's. If the gradient across is fifty times as large, so is the root of its mean square, and the
# factor cancels. But in the round valley SGD steps straight at the star. With a rate of 1 SGD is there after *one*
# step; Adam, at the best of its rates, is 0.11 away after ten.
#
# 3\. Without noise Adam arrives at all three. With noise it arrives at none: in its last 50 steps it is 0.63 away on
# average at a rate of 1, 0.20 at 0.1, and 0.06 at 0.02. With noise, a large rate travels fast and does not come to
# rest. Hence the schedules that lower the rate towards the end of a run.
#
# </details>


# %% jupyter={"source_hidden": true}
def nearness(rule, rate, last=1, **settings):
    """How far from the star a walk is in its last steps, in the mean."""
    path = optimiser_explorer.walk(rule, rate, **settings)[-last:]
    return np.hypot(*(path - optimiser_explorer.LOWEST).T).mean()


best = {rule: min((nearness(rule, rate), rate) for rate in explorer.rates) for rule in ("SGD", "momentum")}
assert {rule: (round(distance, 2), rate) for rule, (distance, rate) in best.items()} == {
    "SGD": (0.24, 0.035),
    "momentum": (0.02, 0.2),
}
round_valley = [nearness("Adam", rate, steepness=1, steps=10) for rate in explorer.rates]
assert nearness("SGD", 1.0, steepness=1, steps=1) == 0 and 0.11 < min(round_valley) < 0.12

# %% jupyter={"source_hidden": true}
for rate, wanted in ((1.0, 0.63), (0.1, 0.20), (0.02, 0.06)):
    still, noisy = (nearness("Adam", rate, last=50, steps=300, noise=noise) for noise in (0.0, 1.0))
    assert still < 0.01 and abs(noisy - wanted) < 0.01
for rule in ("Adam", "AdamW"):
    steep = [optimiser_explorer.walk(rule, 0.1, decay=0.1, steepness=steepness) for steepness in (1, 200)]
    assert np.abs(steep[0] - steep[1]).max() < 1e-6

# %% [markdown]
# ## 9. What people get wrong
#
# **The mean of means.** A batch that does not fit into memory is computed in parts whose gradients add up (**gradient
# accumulation**). Each part's loss is a mean over *its* labels. The mean of these means has, in general, the gradient
# of the whole batch only if all parts have equally many labels. Here are sixteen pairs in parts of seven, seven
# and two:

# %%
translator = dates(n=600, n_layers=1)


def gradient(parts, weigh):
    """The gradient of the parts' mean losses, each times its weight."""
    translator.model.zero_grad()
    for first, last in parts:
        batch = translator.collate(translator.examples[first:last])
        logits, labels = translator.logits(translator.model, batch).flatten(end_dim=1), batch["labels"].flatten()
        loss = F.cross_entropy(logits, labels, ignore_index=-100)
        (loss * weigh((labels != -100).sum())).backward()
    return torch.cat([p.grad.flatten() for p in translator.model.parameters()])


# %%
parts = ((0, 7), (7, 14), (14, 16))
total = (translator.collate(translator.examples[:16])["labels"] != -100).sum()
whole_batch = gradient([(0, 16)], lambda n: 1)
for name, weigh in (("mean of the three means", lambda n: 1 / 3), ("weighted by labels", lambda n: n / total)):
    off = (gradient(parts, weigh) - whole_batch).norm() / whole_batch.norm()
    print(f"{name:25} off by {off:.0%} of its length")
    assert (off < 1e-3) == (name == "weighted by labels")

# %% [markdown]
# The same slip spoils an accuracy that is averaged over batches. **Add up sums, count labels, divide once.**
#
# ## 10. In the package
#
# `transformer_lab.training.loop.train` is the loop of section 4, made fit for long runs. Its heart, `training_step`,
# adds up the parts' *summed* losses and divides once. `transformer_lab.training.adamw` is AdamW in as few lines as
# yours; long runs use torch's own, which is faster.
#
# The learning rate follows a **learning-rate schedule**: by default it rises for a tenth of all steps (warm-up), then
# falls by half a cosine to 0. And the loop saves **checkpoints**, from which a run can go on after a power cut as if
# nothing had happened. They hold the weights, the optimiser's state ($m$, $v$ and $t$) and the place in the data.

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: must a checkpoint hold all three?
#
# Train for 20 steps; then train for 10, save, load into a new model and optimiser, and train for 10 more:


# %% jupyter={"source_hidden": true} tags=["deeper"]
def rows(step):
    return [(37 * step + i) % 600 for i in range(32)]


def weights(task):
    return torch.cat([p.detach().flatten() for p in task.model.parameters()])


# %% jupyter={"source_hidden": true} tags=["deeper"]
def resumed(with_optimiser, first):
    """The weights and the last loss after 10 steps, a checkpoint, and 10 more with the batches from `first` on."""
    tasks = dates(n=600, n_layers=1), dates(n=600, n_layers=1)
    before, after = (torch.optim.AdamW(task.model.parameters(), lr=2e-3) for task in tasks)
    train(tasks[0], rows, before, 10)
    tasks[1].model.load_state_dict(tasks[0].model.state_dict())
    if with_optimiser:
        after.load_state_dict(before.state_dict())
    losses = train(tasks[1], lambda step: rows(step + first), after, 10)
    return weights(tasks[1]), losses[-1]


# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output", "deeper"]
# output differs in the last digit
straight = dates(n=600, n_layers=1)
fresh = weights(straight)
losses = train(straight, rows, torch.optim.AdamW(straight.model.parameters(), lr=2e-3), 20)
way = (weights(straight) - fresh).norm()  # how far 20 steps went
print(f"not interrupted: last loss {losses[-1]:.2f}; and with a checkpoint of")
assert abs(losses[-1] - 2.06) < 0.1
for name, (found, loss), wanted in (
    ("the weights alone", resumed(False, 10), (0.40, 1.80)),
    ("weights and optimiser, but the first batches again", resumed(True, 0), (0.04, 2.12)),
    ("weights, optimiser and the place in the data", resumed(True, 10), (0.0, 2.06)),
):
    off = (found - weights(straight)).norm() / way
    print(f"{off:4.0%} of the way off, last loss {loss:.2f}: {name}")
    assert abs(off - wanted[0]) < 0.03 and abs(loss - wanted[1]) < 0.1
print(f"    in the last of them {(found != weights(straight)).sum()} of {len(found):,} weights differ, in any bit")

# %% [markdown] tags=["deeper"]
# Only the third is the same run, to the last bit. The first ends elsewhere: it is off by 40 % of the distance that 20
# steps cover, and nothing says so. Its loss even looks *better*. (This model has no dropout. With dropout the *random
# numbers* must be the same, too. In the package they depend on the seed and the step alone, as do the examples of a
# batch.)

# %% [markdown]
# ## 11. What you have now
#
# You can cure Bela. Her owner's batch used the same slice for input and label; `docs(...)`, of section 2, shifts the
# labels. Its model, `task.model`, learns for 200 steps, with *your* loop and *your* AdamW. Do not expect English of
# it yet:

# %% tags=["nbval-ignore-output"]
# output differs from machine to machine: what is drawn hangs on the last digit
torch.manual_seed(0)
places = torch.randint(len(task.examples), (200, 16)).tolist()
losses = train(task, lambda step: places[step], YourAdamW(task.model), 200)
prompt = torch.tensor([task.tokenizer.encode("The with statement")])
bela = patients["Bela"]["probes"]["text"][2]
print("Bela: ", bela["given"][-3:], "->", bela["written"][:24], "...")
print("cured:", task.tokenizer.decode(generate(task.model, prompt, 60, temperature=0.7, seed=0)[0].tolist()))

# %% jupyter={"source_hidden": true}
end = sum(losses[-20:]) / 20
print(f"loss at first ≈ {losses[0]:.1f}, over the last 20 steps ≈ {end:.1f}")
assert abs(losses[0] - 6.24) < 0.2
assert 3.5 < end < 4.5

# %% [markdown]
# Her curve looks *worse* than before, by a factor of more than fifty, and for the first time there are words. So far
# her training loss is near the line for counts of pairs in section 1. In lesson 14 a model of this kind gets a
# thousand steps, and meets a stronger table.
#
# ## 12. Check yourself
#
# <details><summary>Your language model has 50,257 tokens. What should its first loss be, and what if it is 3?</summary>
#
# $\ln 50257 = 10.8$. A fresh model cannot know so much. Either it is not fresh, and somebody has loaded a checkpoint;
# or the mean counts places that are cheap for it, such as padding; or the labels can be read off the input. A look at
# one batch shows the last two.
#
# </details>
#
# <details><summary>The loss on one batch goes to 0, and the held-out loss stays where a table of counts is. What have you ruled out?</summary>
#
# Whatever keeps a model from learning at all: a softmax too many before the loss, a rate far off, blocks that are all
# frozen. It may still be that inputs and labels have nothing to do with each other *beyond* this batch, or that the
# model has too little data or time.
#
# </details>
#
# <details><summary>Why does multiplying the loss by 1,000 hardly change a run with Adam, and ruin one with SGD?</summary>
#
# Adam divides the gradient by its own usual size, so the factor cancels. SGD's step becomes 1,000 times as long.
#
# </details>
#
# Now the [exercises of this lesson](../exercises/13_training/training.ipynb): three core questions, then optional ones.
# Eight more patients are waiting there. For each you name what is right, and a probe that rules out another
# suspicion.
#
# ## Takeaways
#
# * A loss curve alone does not tell sick from healthy. Know where it should begin ($\ln V$ if the first logits are
#   small; where they are not, as high as a healthy twin) and where it can end (the floor of the labels).
# * Before a long run: overlap of the splits, the first loss, one batch again and again. All three are cheap.
# * AdamW is gradient descent that remembers the mean gradient and the mean square, makes steps of about the rate
#   where the gradient is steady, however steep the direction, and shrinks the weights a little.
# * A diagnosis names the probe that rules out the runner-up (all seven probes: section 7).
# * Losses are added up and divided once, by the number of labels.
#
# **Papers.** Kingma and Ba (2014), [arXiv:1412.6980](https://arxiv.org/abs/1412.6980): Adam. Loshchilov and Hutter
# (2017), [arXiv:1711.05101](https://arxiv.org/abs/1711.05101): AdamW. Szegedy et al. (2015),
# [arXiv:1512.00567](https://arxiv.org/abs/1512.00567): label smoothing, in its section 7. Lee et al. (2021),
# [arXiv:2107.06499](https://arxiv.org/abs/2107.06499): copies in training data, and what they do to a held-out set.
#
# Previous: [12 Decoding](12_decoding.ipynb). Next: [14 GPT](14_gpt.ipynb).

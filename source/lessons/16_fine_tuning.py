# %% [markdown]
# # 16 Fine-tuning
#
# **How little must change to teach an old model something new?**
#
# ![One encoder of six blocks, drawn four times; coloured is what is learnt. Everything, 22,568,071 numbers: head, all six
# blocks and the embedding. The last block, 1,777,159 numbers: the new head and block 6. Only a new head, 2,695 numbers:
# nothing else is coloured. LoRA, 76,423 numbers: the new head, and two thin strips beside each of the six blocks, which
# themselves stay as they were.](figures/16_fine_tuning_where.svg)
#
# Say that you run a small shop, and you want your messages sorted: does somebody ask, complain, or say thanks? You
# have two dozen examples. Nothing learns English from two dozen sentences. But others have trained models for weeks,
# on more text than you will ever own, and give them away. At the end of this lesson you teach such a model your three
# kinds of message, in a few seconds.
#
# What will you have changed in it? All of its 22 million numbers? The last few? Or can it stay exactly as it is, with
# something small added next to it? And can it still do what it did before? We find out with the model behind [lesson
# 15](15_bert.ipynb)'s search, which we teach to find names. You will be able to
#
# * compare ways of fine-tuning by what they cost, what they find, and what they forget;
# * build LoRA yourself, and say why its two matrices may not both begin at zero;
# * say on which tokens a model that answers questions is trained, and test how much of its gain is only form.
#
# About 55 minutes. It builds on [lesson 15](15_bert.ipynb), on the optimiser of [lesson 13](13_training.ipynb), and on
# the chat template of [lesson 14](14_gpt.ipynb).

# %%
import copy
from textwrap import fill

import matplotlib.pyplot as plt
import torch

# %%
from transformer_lab import Settings, load, train
from transformer_lab.classifiers import Tagger
from transformer_lab.data import entities
from transformer_lab.experiments import recorded
from transformer_lab.fine_tuning import prepare
from transformer_lab.grading import predict
from transformer_lab.models import BERT
from transformer_lab.tasks.labelling import Tagging, labelled
from transformer_lab.viz import EntityExplorer, RankExplorer, kept_by_rank, plots

plots.use_style()
kept = recorded("fine_tuning_methods")["result"]
minilm, tokenizer = load("minilm")

# %% [markdown]
# ## 1. Why an old model at all?
#
# Because it may already know what your examples cannot teach it. Recall the tagger of lesson 15, section 6. It was
# trained from nothing, on sentences of 18 patterns, or **templates**. In new sentences of these templates it found
# most persons, places and organisations, even when every name was new. In six new templates its F1 fell from 0.82 to
# 0.13. It had learnt much about the templates, and little about what a name is.
#
# MiniLM has never been told what a name is either. But it has read a great deal, and what we need may already be
# somewhere in its vectors. We put a new **head** on it, one linear layer from the 384 numbers of a token to the seven
# tags. Then we train it further, for now all of it, on labelled sentences of the old templates only. This is
# **fine-tuning**. (Such a head has nothing to do with the heads of attention. And recall: B- begins a name, I-
# continues it, and a name counts in F1 only if all its words and its type are right.)

# %%
sentences = entities.training_sentences(800, seed=0)
tests = {kind: entities.test_sentences(kind, 100) for kind in ("new templates", "same templates")}


def tuned(method, rate, steps=50):
    torch.manual_seed(0)
    model = Tagger.on(minilm, entities.TAGS)  # a copy of MiniLM, and a new head
    learnt = prepare(model, method)  # from here on, only this will change
    print(f"{method}: {sum(one.numel() for one in learnt.values()):,} numbers are learnt")
    task = Tagging(model, tokenizer, sentences, tests)
    train(task, Settings(steps, batch_size=16, lr=rate, evaluate_every=steps), progress=False)
    return task


whole = tuned("everything", kept["everything"]["rate"])  # about 20 seconds


# %% tags=["nbval-ignore-output"]
# output differs with the training
texts = [" ".join(sentence.words) for sentence in tests["new templates"][:4]]
print(*(fill(line, 84, subsequent_indent="    ") for line in labelled(whole.model, tokenizer, texts)), sep="\n")
print(", ".join(f"{kind}: entity F1 {score:.2f}" for kind, score in whole.evaluate().items()))

# %% [markdown]
# Fifty steps, and it has begun to see what we want, although with us a street and a firm became persons. Let it
# finish: 120 steps, five seeds, each with its own sentences (recorded). And as six new templates are few, we test on
# sixteen others, too.
#
# Is it really the old reading that helps? The control has the same architecture and the same vocabulary, but is
# trained from scratch (three seeds, at the better of two rates). Compare the two in both kinds of new templates:

# %% jupyter={"source_hidden": true}
kinds = ("same templates", "new templates", "other templates")
ax = plt.subplots(figsize=(8, 3.2))[1]
for side, (method, label) in enumerate({"from scratch": "from scratch", "everything": "MiniLM"}.items()):
    for place, kind in enumerate(kinds):
        dots, x = [run[kind] for run in kept[method]["runs"]], place + 0.3 * side - 0.15
        ax.plot([x] * len(dots), dots, "o", color=f"C{side}", alpha=0.4, label=None if place else label)
        ax.plot([x - 0.1, x + 0.1], [sum(dots) / len(dots)] * 2, color="black", linewidth=2)
        print(f"{label:19} {kind:16} {sum(dots) / len(dots):.2f}")
    runs = [run["invented"] for run in recorded("invented_names")["result"][method]]
    told = [sum(run[kind] for run in runs) / len(runs) for kind in kinds[1:]]
    print(f"{label:19} new and other templates, invented names: {told[0]:.2f}, {told[1]:.2f}")
ax.set_xticks(range(3), ["same templates,\nnew names", "six new templates", "sixteen other\nnew templates"])
title = "120 steps, a dot a seed: in new templates the model that has read before is far ahead"
ax.set(ylim=(0, 1), ylabel="entity F1", title=title)
_ = ax.legend(loc="lower left")

# %% [markdown]
# In the six new templates MiniLM has 0.65 and the control 0.08; in the sixteen others it is 0.63 against 0.14. Both
# saw the same sentences in the same order. What MiniLM had besides is what it read before, for another purpose. And
# it does not only recognise names that it knows: with names of random syllables, as in `Zovobipo makes shoes in
# Minire`, it still has 0.57 and 0.45, and the control 0.11 and 0.13 (three seeds).
#
# Now the question of this lesson: must all of its 22 million numbers change? Suppose we leave every one as it is, and
# put two thin matrices next to each matrix that makes queries or values. This is **LoRA**, and section 3 opens it.
# With the new head that makes 76,423 numbers to learn: one for every three hundred that were free to change before.
# The sentences are the same; the learning rate is one that suits LoRA. After 120 steps (recorded), how will it do on
# the six new templates, compared with the model in which everything was tuned? Run the cell, and click your guess.

# %%
predict("16_fine_tuning.how_few")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
narrow = tuned("lora", kept["lora"]["rate"])  # about 12 seconds

# %% jupyter={"source_hidden": true, "outputs_hidden": true} tags=["nbval-ignore-output"]
# output differs with the training
print(*(fill(line, 84, subsequent_indent="    ") for line in labelled(narrow.model, tokenizer, texts)), sep="\n")
for what, task in (("everything", whole), ("LoRA", narrow)):
    print(f"{what:10} " + ", ".join(f"{kind}: {score:.2f}" for kind, score in task.evaluate().items()))

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
means = {}
print("Recorded, after 120 steps, the mean of the seeds:")
for kind in ("new templates", "other templates"):
    for method in ("from scratch", "everything", "lora"):
        scores = [run[kind] for run in kept[method]["runs"]]
        means[kind, method] = sum(scores) / len(scores)
        print(f"    {kind:16} {method.replace('lora', 'LoRA'):12} {means[kind, method]:.2f}")
gap = means["new templates", "lora"] - means["new templates", "everything"]
predict("16_fine_tuning.how_few", actual="much worse" if gap < -0.1 else "better" if gap > 0.05 else "about as well")

# %% [markdown]
# <details><summary>What happened? Open after your guess</summary>
#
# About as well. After 120 steps LoRA has 0.69 on the six new templates, and tuning everything 0.65; on sixteen others
# it is 0.62 and 0.63. (Your own two models have had only 50 steps.) LoRA learnt 76 thousand numbers, the other 22.6
# million, and we cannot tell which of the two is better. How can so little be enough?
#
# </details>

# %% [markdown]
# ## 2. Everything may change. What does?
#
# When we tuned everything, all 22 million numbers were free to move. How much of that freedom did they use? Take
# the matrix that makes the queries of block 6, and subtract: after the training, minus before. What is left is the
# **change**, 384 × 384 numbers. How complicated is it?
#
# Every matrix is a sum of simple pieces. A piece is a column times a row, and it does one thing only: it measures a
# vector along one direction, and returns that much of another. The **singular value decomposition** finds the best
# such pieces and sorts them by size; the sizes are the singular values. A matrix that is made of $r$ pieces has
# **rank** $r$.
#
# Keep the $r$ largest pieces, and you have the best copy of rank $r$ that there is. How good is it? The **energy**
# of a matrix is the sum of the squares of all its numbers, which is also the sum of the squares of its singular
# values. We ask what share of it the largest pieces hold.
#
# ![A matrix of 8 by 8 cells is the sum of three matrices of the same shape. Beside each piece stands its column and above it
# its row, of which it is the product. The largest piece, of size 3, holds 64 percent of the energy, the second, of size
# 2, 29 percent, the third, of size 1, 7 percent.](figures/16_fine_tuning_pieces.svg)

# %% tags=["nbval-ignore-output"]
# output differs with the training
name = "encoder.blocks.5.attention.w_q.weight"
before, after = minilm.state_dict()[name], whole.model.state_dict()[name]
torch.manual_seed(0)
shares = {}
for what, matrix in {"the change": after - before, "the matrix": before, "random": torch.randn(384, 384)}.items():
    shares[what] = kept_by_rank(matrix.numpy())
    print(f"{what:11} rank" + ", ".join(f"{r:3}: {shares[what][r - 1]:3.0%}" for r in (1, 2, 4, 8, 16, 32, 64)))
assert shares["the change"][7] > 3 * shares["the matrix"][7] > 3 * 0.08

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
# output differs with the training
first = "encoder.blocks.0.attention.w_q.weight"
share = kept_by_rank((whole.model.state_dict()[first] - minilm.state_dict()[first]).numpy())[7]
print(f"the change of the same matrix in block 1, rank 8: {share:.0%}")
assert 0.35 < share < 0.6

# %% [markdown]
# Simpler than it had to be: eight of 384 pieces hold three quarters of the change's energy. In the matrix itself the
# eight largest hold a seventh, in a matrix of random numbers a twelfth. (We chose our matrix well: for the queries of
# block 1 it is not quite half.)
#
# What is this simplicity worth? Two questions, one for each side of the next figure (recorded, three seeds; energy is
# the mean of 36 matrices, six a block):
#
# * **Left: is the change simple because the task is?** The control is MiniLM trained on nonsense: the same sentences,
#   with all tags shuffled among all words. Nothing is left to learn but how often each tag comes. Compare its curve
#   with that of the true tags.
# * **Right: does the simple part do the work?** We keep the tuned model's new head, and put all its other numbers
#   back to what they were. Then each matrix gets the $r$ largest pieces of its change, and nothing else. The rival
#   gets all pieces *but* the $r$ largest. $r$ stands at the dots: compare the blue 8 with the orange 1.

# %% jupyter={"source_hidden": true}
changes, at = kept["changes"], [1, 2, 4, 8, 16, 32]


def over_seeds(rows):
    return [sum(column) / len(rows) for column in zip(*rows, strict=True)]


rows = {"the change": over_seeds([one["energy"]["change"] for one in changes])}
rows |= {"after nonsense": over_seeds(kept["nonsense"]), "random": changes[0]["energy"]["random matrix"]}

# %% jupyter={"source_hidden": true}
held = [[0, *one["energy"]["change"]] for one in changes]
parts = {"largest": held, "all but the largest": [[1 - share for share in shares] for shares in held]}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.7), layout="constrained")
for what, values in rows.items():
    left.plot(at, values, "o-", label=what)
for (part, held), color, offset in zip(parts.items(), ("C0", "C1"), ((-12, 8), (6, -16)), strict=True):
    scores = [[score["new templates"] for score in one[f"F1, {part}"].values()] for one in changes]
    for x, y in zip(held, scores, strict=True):
        right.plot(x, y, "o-", color=color, alpha=0.45)
    for r, *place in [*zip([0, *at], over_seeds(held), over_seeds(scores), strict=True)][1:5]:
        right.annotate(r, place, xytext=offset, textcoords="offset points", color=color, fontsize=10)
left.set(xscale="log", ylim=(0, 1), xlabel="rank", ylabel="energy held", title="nonsense: the change is no less simple")
right.set(ylim=(0, 1), xlabel="energy kept", ylabel="F1, new templates", title="the eight largest pieces are enough")
left.set_xticks(at, at), left.minorticks_off(), left.legend()
right.legend(right.lines[:: len(changes)], ["the r largest kept", "all but the r largest kept"], fontsize=8)
_ = figure.suptitle("Everything tuned for 120 steps, three seeds")

# %% [markdown]
# Left: after nonsense the change is about as simple from rank 8 on, and simpler below. So a simple change is no sign
# that anything about names was learnt.
#
# Right: with no piece F1 is below 0.1. With eight it is about two thirds, much the same as with the whole change of
# the matrices (orange, at energy 1). Would any large part have done as well? The rival without the one largest piece
# keeps a little more energy than those eight, and reaches less than a half in the mean; the eight are ahead with each
# seed. So size alone does not explain what they do. (Below 60 % of the energy neither way is far ahead.)
#
# So of each matrix's change you can throw away 376 of 384 pieces, and whatever else changed below the head, and keep
# the score in the six new templates.

# %% [markdown]
# ## 3. LoRA
#
# If eight pieces are enough, why learn the other 376? Those eight were *found* by training everything. Can so few
# also be *learnt*? The LoRA of section 1 did just that, and in only 12 of the 36 matrices. It leaves the old matrix
# $W$ alone and learns the change itself, as a product of two thin matrices:
#
# $$y = W x + \frac{\alpha}{r}\, B A x, \qquad A: r \times d_\text{in}, \quad B: d_\text{out} \times r.$$
#
# ![While it learns, a vector x of 384 numbers goes two ways. Above through W, a square of 384 by 384, 147,456 numbers, none
# of them learnt. Below through A, 8 by 384, random at first, and then B, 384 by 8, zero at first: together 6,144
# numbers, all learnt. The lower result, times alpha over r, is added to the upper one. Merged afterwards it is one
# matrix of 384 by 384 again.](figures/16_fine_tuning_lora.svg)
#
# Whatever $A$ and $B$ hold, $BA$ has a rank of at most $r$. With $r = 8$ they have 6,144 numbers, and $W$ has
# 147,456. Hence the name: *low-rank adaptation* (Hu et al. 2021).
#
# **How should it begin?** At the first step the model should be the old one, so $BA$ should be zero. Suppose both
# were zero. The gradient of $B$ is a product with $A$, and that of $A$ a product with $B$: both would stay zero
# forever. So only $B$ is zero, and $A$ is random.
#
# **What is $\alpha / r$ for?** $BA$ is a sum of $r$ pieces. With more of them it grows faster at the same learning
# rate. Dividing by $r$ is meant to spare you a new search for the rate. And $\alpha$ scales the change as a whole.
#
# **What does it cost in use?** Nothing. When the training is over, add $\frac{\alpha}{r} BA$ to $W$, and you have a
# matrix like any other. Here is LoRA in eight lines, then a test of its start and of merging:


# %%
class LoRA(torch.nn.Module):
    def __init__(self, linear, rank=8, alpha=16):
        super().__init__()
        self.linear, self.scale = linear.requires_grad_(False), alpha / rank
        self.A = torch.nn.Parameter(torch.randn(rank, linear.in_features) / linear.in_features**0.5)
        self.B = torch.nn.Parameter(torch.zeros(linear.out_features, rank))

    def forward(self, x):
        return self.linear(x) + self.scale * (x @ self.A.T) @ self.B.T


# %%
torch.manual_seed(0)
layer, x = LoRA(copy.deepcopy(minilm.encoder.blocks[5].attention.w_q)), torch.randn(4, 384)
with torch.no_grad():
    old = layer.linear(x)
    print(f"at the start it differs from the old layer by {(layer(x) - old).abs().max():g}")
    layer.B += torch.randn_like(layer.B)  # as if something had been learnt
    separate, merged = layer(x), copy.deepcopy(layer.linear)
    merged.weight += layer.scale * layer.B @ layer.A
    gap, change_size = (merged(x) - separate).abs().max(), (separate - old).abs().max()
print("merged and unmerged differ by less than a 10,000th of the change")
assert gap < 1e-4 * change_size

# %% [markdown]
# ## 4. Which numbers, and where?
#
# Does any other method need fewer numbers, or do better? All of them learn the new head. Some train a part of the old
# model, too, and one trains nothing but the head:
#
# * **The last block.**
# * **The head** alone (a *linear probe*).
# * **The biases**: the numbers that a layer adds, those of layer norms included (BitFit, Ben Zaken et al. 2021).
#
# Others put something new next to the old:
#
# ![One of the six blocks, five times, coloured what is learnt. Biases, 28,423 numbers: a strip under each of the six
# matrices, q, k, v and o of attention and two of feed-forward, and under the norm that follows each of the two
# sub-layers. LoRA, 76,423: two thin strips beside q and beside v.
# Adapters, 81,127: a narrow layer after attention and one after feed-forward. Prefix, 76,423: keys and values in
# front of those of the text, in each block. Prompt, 8,839: vectors in front of the text, below block 1
# only.](figures/16_fine_tuning_methods.svg)
#
# * **Adapters**: after each sub-layer a narrow network, down to a few numbers and up again, whose output is added to what
#   came in (Houlsby et al. 2019). It has an activation inside, so unlike LoRA it cannot be merged.
# * **Prefix tuning**: learnt keys and values, for all tokens to attend to (Li and Liang 2021).
# * **Prompt tuning**: learnt vectors in front of the text, as if they were words. Its authors found that it needs
#   large models to match tuning everything (Lester et al. 2021).
#
# A comparison is only fair if each method gets a learning rate that suits it. So we tried several for each, without
# looking at any test sentence. Then all were trained for 120 steps, on the same sentences in the same order, with
# five seeds (three from scratch). What counts are the two columns of new templates; compare each row with
# "everything".
#
# <details><summary>Deeper: how the rates were chosen, and what the seconds are</summary>
#
# The rates were tried on 13 of the 18 training templates, and judged on the other five. A step reads 16 sentences.
# Seconds are of the processor, on a busy machine. What memory four of the methods need stands in section 9.
#
# </details>

# %% jupyter={"source_hidden": true}
methods = ["everything", "last block", "head", "biases", "lora", "adapters", "prefix", "prompt"]


def mean(method, kind):
    return sum(run[kind] for run in kept[method]["runs"]) / len(kept[method]["runs"])


size = sum(one.numel() for one in whole.model.parameters())
print("entity F1, mean of the seeds  numbers  seconds | seeds | six new  sixteen other | same templates")
for method in ["from scratch", *methods]:
    learnt = kept[method]["runs"][0]["parameters"]
    scores = [mean(method, kind) for kind in ("new templates", "other templates", "same templates")]
    cost = f"{learnt:12,} {mean(method, 'seconds'):8.0f}"
    told = "{:7.2f} {:14.2f} | {:14.2f}".format(*scores)
    print(f"{method.replace('lora', 'LoRA'):24}{cost} |   {len(kept[method]['runs'])}   | {told}")

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), sharey=True, layout="constrained")
named = {method: method.replace("lora", "LoRA") for method in ("from scratch", *methods)}
for ax, kind in zip(axes, ("new templates", "other templates"), strict=True):
    for place, method in enumerate(named):
        dots = [run[kind] for run in kept[method]["runs"]]
        color = "grey" if method == "from scratch" else "C1" if method == "lora" else "C0"
        ax.plot(dots, [place] * len(dots), "o", color=color, alpha=0.4)
        ax.plot([sum(dots) / len(dots)] * 2, [place - 0.3, place + 0.3], color="black", linewidth=2)
    ax.set(xlim=(0, 0.85), xlabel="entity F1")
axes[0].set_yticks(range(len(named)), [f"{name}  {kept[m]['runs'][0]['parameters']:,}" for m, name in named.items()])
axes[0].invert_yaxis()
figure.suptitle("120 steps, a dot a seed: LoRA, with a three-hundredth of the numbers, is level with everything")
_ = axes[0].set_title("six new templates"), axes[1].set_title("sixteen other templates")

# %% [markdown]
# **It was enough to learn a three-hundredth as many numbers.** LoRA is level with everything: ahead by 0.04 on the
# six and behind by 0.01 on the sixteen, and the seeds differ by more than that.
#
# Could it be still less? The biases are an eight-hundredth. On the six they are ahead of everything with each seed;
# on the sixteen they are behind in the mean. Had we tested on the six alone, we would now tell you that biases are
# best.
#
# And more is not always better. The last block has 23 times as many numbers as LoRA, and is behind it with every seed
# and on both tests. The head alone, which changes nothing in the vectors, gets about two thirds to three quarters as
# far as everything: that much can be read off the old vectors as they are.
#
# How far down can one go? Here is LoRA with other ranks, all with the rate and the factor of rank 8
# ($\alpha / r = 2$):

# %% jupyter={"source_hidden": true}
print("entity F1, mean of the seeds  numbers | six new  sixteen other | same templates")
of_rank = {**kept["ranks"], "8": kept["lora"]["runs"]}
for rank in sorted(of_rank, key=int):
    runs = of_rank[rank]
    new, other, same = (sum(run[f"{kind} templates"] for run in runs) / len(runs) for kind in ("new", "other", "same"))
    print(f"LoRA, rank {rank:>2} {runs[0]['parameters']:>22,} | {new:7.2f} {other:14.2f} | {same:14.2f}")

# %% [markdown]
# Rank 1 is *one* column and *one* row next to each of twelve matrices: fewer than twelve thousand numbers, head
# included. On the six new templates it is level with rank 8. On the sixteen it is behind, and on the old ones far
# behind. Is that too few numbers, or is it only slow, as section 3 lets you expect at the same rate and factor? Rank
# 1 once more, with a higher rate, and with three times the steps (one run each):

# %% jupyter={"source_hidden": true}
for way, run in kept["rank 1 again"].items():
    scores = ", ".join(f"{kind} {run[f'{kind} templates']:.2f}" for kind in ("new", "other", "same"))
    print(f"rank 1, {way}: {scores}")

# %% [markdown]
# Rank 1 seems to be mainly slow: this one run with three times the steps is about where rank 8 was in the mean.
# (On the sixteen it is still behind the run of rank 8 with the same seed, and the higher rate did not help there.)
# So how little must change? In this run twelve thousand new numbers, beside 22.6 million old ones, got about as
# far. For your task and your model, you have to try.

# %% [markdown]
# ## 5. What becomes of the old?
#
# MiniLM had a trade before we came: it gave texts of similar meaning similar vectors, and lesson 15's search lives
# on that. Can it still do it?
#
# We take the fifty questions of that lesson and 120 passages of the documentation, and count the questions that have
# their passage among the five nearest. Before any tuning that is 41 of the fifty, more than in lesson 15, for there
# are fewer passages to confuse. Now take the model in which everything was tuned, leave its head off, and ask again.
# How many of the fifty will it find now? Run the cell, and click your guess.

# %%
predict("16_fine_tuning.forgotten")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
tuned_body = ("everything", "last block", "biases", "lora")
still = {method: [run["search"]["recall@5"] for run in kept[method]["runs"][:3]] for method in tuned_body}
still["LoRA"] = still.pop("lora")
ax = plt.subplots(figsize=(8, 3.2))[1]
for place, dots in enumerate(still.values()):
    ax.plot([place] * len(dots), dots, "o", color="C0", alpha=0.5)
    ax.plot([place - 0.25, place + 0.25], [sum(dots) / len(dots)] * 2, color="black", linewidth=2)
ax.axhline(kept["search before"]["recall@5"], color="grey", linestyle=":", label="before")
ax.set_xticks(range(len(still)), still)
ax.set(ylim=(0, 1), ylabel="recall@5 of the old search")
ax.set(title="Tuned on names for 120 steps, the model loses much of its search (three seeds)")
_ = ax.legend()

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
left = sum(still["everything"]) / len(still["everything"]) / kept["search before"]["recall@5"]
print("Of fifty questions,")
for method, dots in still.items():
    print(
        f"    {method:11} finds {50 * sum(dots) / len(dots):.0f} (before: {50 * kept['search before']['recall@5']:.0f})"
    )
predict("16_fine_tuning.forgotten", actual="nearly all" if left > 0.8 else "about half" if left > 0.3 else "hardly any")

# %% [markdown]
# <details><summary>What happened? Open after your guess</summary>
#
# About half as many: 21, the mean of three seeds (17 to 25). With a LoRA attached it is 25 (21 to 28). Drawing five
# of the 120 passages blindly would find 2.
#
# And look at the last block. There 92 % of the numbers stayed exactly as they were, and it finds 12. When only the
# biases were tuned, 99.9 % stayed, and it finds 22. So the share of the numbers that stay does not tell you how much is
# forgotten. (The two had rates twenty and thirty times as high as that for everything.)
#
# </details>
#
# Such a loss is called **catastrophic forgetting**, although nothing was deleted: nobody asked for the old task any
# more, and the numbers moved on. What helps?
#
# * **Do not change the body**, that is, whatever lies below the head. A head alone forgets nothing: the body is the
#   old one.
# * **Change it in a way that can be taken off.** A LoRA, an adapter, a prefix or a prompt leaves the old numbers
#   alone. While the LoRA is attached the search suffers; take it off, and the old model is back, to the last bit.
#   So one body can serve many tasks, with a small file for each.
# * **Rehearse.** If you have examples of the old task, mix a few into each batch of the new one. In an experiment
#   with two kinds of texts (folded below), F1 on the old kind fell from 0.94 to 0.49, but with rehearsal it ended at
#   0.99. (The same batches gave a model that had never learnt the old kind 0.45.)
#
# ![MiniLM three times, always as it was. With nothing next to it, it does the old search; with a LoRA and a head for names
# it finds names; with another LoRA and head it sorts messages.](figures/16_fine_tuning_taken_off.svg)
#
# To check the second point we attach a trained LoRA, look, and take it off:

# %%
text = torch.tensor([tokenizer.encode("How do I sort a list?")])
with torch.no_grad():
    attached = BERT.forward(narrow.model, text)
    without = copy.deepcopy(narrow.model)
    for block in without.encoder.blocks:
        block.attention.w_q, block.attention.w_v = block.attention.w_q.linear, block.attention.w_v.linear
    detached, old = BERT.forward(without, text), minilm(text)

# %% jupyter={"source_hidden": true}
moved = ((attached - old).norm() / old.norm()).item()
print(f"attached: the vectors differ from the old ones by ≈ {moved:.0%} of their length")
print(f"detached: {(detached - old).abs().max():.0f}")
assert (detached == old).all() and moved > 0.05

# %% [markdown]
# Attached, the LoRA moves the vectors of this text far; taken off, it leaves no trace.

# %% [markdown] jp-MarkdownHeadingCollapsed=true
# ### Deeper: rehearsal, measured

# %% [markdown] tags=["deeper"]
# For rehearsal we need examples of the old task, so we take another pair of tasks. Say that a model learns to find
# names in texts A: the ten of our templates in which persons occur. A year later come texts B, the eight other
# templates, which tell of firms, teams and places. No label in B contradicts one in A; there are just no persons in
# B. Learning one thing after the other is called **continual learning**.
#
# The model goes on to learn B, either alone or with two sentences of A added to each batch of sixteen of B, drawn
# from a hundred that were kept. (Recorded, three seeds. The tests are sentences of the same templates with new
# names.) The last column is a control: the same batches as in the third, but for a model that had never learnt A.
# Watch the blue dots:

# %% jupyter={"source_hidden": true} tags=["deeper"]
continual = recorded("continual")["result"]
ways = {"A only": continual["A first"]["everything"]}
ways |= {"A, then B": continual["everything"], "A, then B\nand a little A": continual["everything, rehearsal"]}
ways["B and a little A,\nnever A before"] = continual["rehearsal alone"]
ax = plt.subplots(figsize=(8, 3.2))[1]
for place, (way, runs) in enumerate(ways.items()):
    for side, text in enumerate("AB"):
        dots, x = [run[text] for run in runs], place + 0.3 * side - 0.15
        ax.plot([x] * len(dots), dots, "o", color=f"C{side}", alpha=0.4, label=None if place else f"on texts {text}")
        print(f"{' '.join(way.split()) if text == 'A' else '':35} on texts {text} {sum(dots) / len(dots):.2f}")
        ax.plot([x - 0.1, x + 0.1], [sum(dots) / len(dots)] * 2, color="black", linewidth=2)
longer = sum(run["A"] for run in continual["rehearsal alone, longer"]) / 3
print(f"{'the same, three times the steps':35} on texts A {longer:.2f}")
title = "Two old sentences in each batch keep A; alone, in 80 steps,\nthey would not have taught it (three seeds)"
ax.set(ylim=(0, 1.03), ylabel="entity F1", title=title, xticks=range(len(ways)), xticklabels=ways)
_ = ax.legend(loc="lower left")

# %% [markdown] tags=["deeper"]
# After A the model has 0.94 on A. Then it learns B, and has 0.49. With two sentences of A in each batch it has
# 0.99.
#
# Is A kept by that, or learnt anew from the hundred sentences? The control reaches 0.45, not much less than the
# model that learnt A and forgot it. So in these 80 steps the old sentences alone would not have brought A to 0.99:
# what was learnt before makes the difference. (They do teach, but slowly. With three times the steps that model has
# 0.98 on A, too.)

# %% [markdown]
# ## 6. From continuing to answering
#
# So far the model labelled words. Now to one that *writes*: SmolLM2, of lesson 14. Asked in its chat template it
# answers; asked without, it may talk on until somebody stops it. Let us teach it to answer without any template, in
# one sentence, with a LoRA of rank 8 and 50 steps.
#
# The examples come from Python itself: a question is `What does heapq.heappop do?`, and the answer is the first
# sentence of that function's docstring. There are 300 pairs to learn from, and 30 functions of other modules to ask
# about (from Python 3.11; some modules, such as `mailcap`, have since gone).
#
# Question and answer are one text, and the exercise is the old one: which token comes next? But we do not want a
# model that writes questions. So the loss is taken **on the answer only**: the model reads the question, and is not
# judged on it.
#
# ![The tokens What, does, heapq.heappop, do? are read and not judged; the tokens Pop, the, smallest, item, full stop
# and END are read and to be predicted. Arrows, each a loss, lead from the last token of the question to the first of
# the answer, and on from each token to the next.](figures/16_fine_tuning_answer.svg)
#
# For eight of the thirty, and four more that we shall come to, we asked for a whole answer, before and after
# (recorded, one run). Here are three:

# %% jupyter={"source_hidden": true}
answering = recorded("answering")["result"]
before, taught = (answering[run]["plain"]["said"] for run in ("before", "answer only"))
manual = dict(answering["asked"])
for name in ("mailcap.listmailcapfiles", "base64.a85decode", "http.cookiejar.liberal_is_HDN"):
    print(f"What does {name} do?")
    print("    before:", " ".join(before[name]["text"].split())[:68], "...")
    print("    after: ", taught[name]["text"])
    print("    manual:", manual[name])
for what, said in (("before", before), ("after", taught)):
    print(f"{what}: of {len(said)} answers, {sum(one['ended'] for one in said.values())} end within 40 tokens")

# %% [markdown]
# Fifty steps, and the form is right. Before, it talked until we stopped it, after 40 tokens. Now it says one sentence
# and stops, all twelve times. But how much does it know about Python now?
#
# First we ask about four functions that we made up. Then we measure how unlikely it finds the true answers of the
# thirty functions, in nats a token. The control is the same answers after *other* questions. Do only the right pairs
# become likelier?

# %% jupyter={"source_hidden": true}
for name in [name for name in taught if name not in manual]:
    print(f"{name:17} {taught[name]['text']}")
print("\nnats a token of     right answers   answers to other questions")
other = "others' answers"
for run in ("before", "answer only"):
    told = answering[run]["plain"]
    print(f"{run.replace('answer only', 'after'):19} {told['right answers']:8.2f} {told[other]:18.2f}")

# %% [markdown]
# It has an answer for all four, in the voice of the manual. Is the voice all that it learnt?
#
# The true answers have become likelier: 2.89 nats a token instead of 3.69. After other questions they have become
# likelier as well, 4.12 instead of 4.55. **About half of the gain remains when question and answer do not belong
# together. That much is form, or the subject they share.**
#
# The rest is no new knowledge of these functions either, for the 300 pairs said nothing about them. Perhaps the model
# reads names better (`listmailcapfiles`). To test for new facts you would have to ask about functions that it *was*
# taught.
#
# <details><summary>Deeper: is the loss on the answer only worth the trouble?</summary>
#
# It is the custom. With the loss on all tokens the two numbers are 2.94 and 4.16: hardly a difference (one run each).
# Our questions differ in nothing but a name. Where what stands before the answer is long and of many kinds, the
# difference may be larger; we have not measured it.
#
# </details>
#
# ## 7. Other tasks, and a smaller model
#
# What must *you* change for another task? Four things around the blocks: the data, what is put on top, the loss,
# and the way you measure success.
#
# And if the model is too large? Then it can label texts for a small one (**distillation**). And if nobody can write
# the right answer? People can still say which of two is better (**DPO**). Both are folded below.
#
# <details><summary>Deeper: eight tasks in one table. Cover the last three columns, and guess them</summary>
#
# | task | one example | on top | loss | how good? |
# |---|---|---|---|---|
# | classification (sentiment is one) | a text, its class | linear layer on the mean | cross-entropy | accuracy; F1 of each class if they are unequal |
# | names | words, a tag for each | linear layer on each token | cross-entropy a token | entity F1 |
# | question answering, answer in the text | question, paragraph, where the answer begins and ends | two scores a token | cross-entropy of the two places | exact match; F1 of words |
# | question answering, free; dialogue | a conversation | the model's own output layer | cross-entropy on the answer's tokens | people, on questions fixed beforehand |
# | summaries | a text, a short one | the same | the same | ROUGE for overlap; people for truth |
# | translation | a sentence, another | the same | the same | chrF, BLEU; people |
# | speech | sound in slices of 10 ms, a text | a decoder, or a score for each letter and slice | cross-entropy, or CTC | word error rate |
# | recommendation | what someone used, in order; the next thing | a score for each thing | cross-entropy | recall@k, on *later* days than those learnt from |
#
# Names and answers you have seen tuned here; the first row comes in section 11.
#
# </details>

# %% [markdown] jp-MarkdownHeadingCollapsed=true
# ### Deeper: distillation, a small student and its teacher

# %% [markdown] tags=["deeper"]
# So far the old model stayed, and a little was added. But what if there is no room for MiniLM? Suppose that you need
# something much smaller, for a telephone. Trained from scratch, a model was lost in new templates.
#
# But sentences are cheap; it is labels that are expensive. Say you have a heap of sentences of the kind that you
# care about, the sixteen other templates, and nobody has labelled them. Then let a large model, the **teacher**
# (here one of the five with a LoRA of section 4), do it, and let a small one, the **student**, learn from what it
# says. This is **distillation** (Hinton et al. 2015).
#
# ![The sentence "Snow fell on Lima", labelled by nobody, goes to the teacher and to the student. Of Lima the teacher
# says place 0.70, firm 0.25, person 0.05; the student says 0.35, 0.35, 0.30, and is to say what the teacher says.
# That is a soft label; a hard one would be the best alone, place. Old sentences with their true labels are the other
# half of each batch.](figures/16_fine_tuning_distillation.svg)
#
# The teacher need not say "place". It can say "place 0.7, firm 0.25, person 0.05", and the student is to say the
# same. Such **soft labels** tell more than the best one alone: which mistakes are nearly right. A temperature $T$,
# by which the scores of both are divided before the softmax, brings the small chances out. The loss is a
# Kullback-Leibler divergence, the nats that the student's chances cost beyond the teacher's own, if the teacher is
# right:
#
# $$T^2 \; \mathrm{KL}(\text{teacher} \,\|\, \text{student}).$$
#
# The factor $T^2$ is there because the division makes the gradients smaller by about that much.
#
# Is it the teacher that helps, or only more training? And are soft labels worth more than hard ones? Four students
# differ in half of each batch (the other half is old text with its true labels), and all have 300 steps. The last
# one gets the true labels, to see how far it could go. They are judged on the sixteen templates, with new names.

# %% jupyter={"source_hidden": true} tags=["deeper"]
students = recorded("distilling")["result"]
arms = [arm for arm in students if arm != "teacher"]
ax = plt.subplots(figsize=(8.5, 3.2))[1]
for place, arm in enumerate(["teacher", *arms]):
    dots = [run["other templates"] for run in students[arm]]
    ax.plot([place] * len(dots), dots, "o", color="grey" if arm == "teacher" else "C0", alpha=0.4)
    ax.plot([place - 0.25, place + 0.25], [sum(dots) / len(dots)] * 2, color="black", linewidth=2)
    six = sum(run["new templates"] for run in students[arm]) / len(dots)
    print(f"{arm:24} {sum(dots) / len(dots):.2f} ({min(dots):.2f} to {max(dots):.2f}), six new templates {six:.2f}")
ax.set_xticks(range(len(arms) + 1), ["teacher", *[arm.replace(", ", ",\n") for arm in arms]], fontsize=8)
_ = ax.set(
    ylim=(0, 1), ylabel="entity F1", title="Sixteen templates without labels: a teacher's labels help (three seeds)"
)

# %% [markdown] tags=["deeper"]
# It is the teacher that helps, not the length of the training. With old text only the student reaches 0.17, with the
# teacher's labels on the new text 0.44 and 0.47; and no person labelled a word of the new text. With true labels it
# reaches 0.68. But what it learnt are those sixteen templates, and not what a name is: on the six that no student had
# read it has 0.13 with the teacher's labels and 0.12 with old text only. The teacher has 0.73. So the heap must be of
# the kind that you care about. Soft labels were no better here than hard ones (at the one temperature that we tried,
# 2).

# %% [markdown] jp-MarkdownHeadingCollapsed=true
# ### Deeper: preference tuning (DPO)

# %% [markdown] tags=["deeper"]
# For many questions nobody can write *the* answer, but anybody can say which of two is better. So let people choose,
# and let a reward $r(y)$ explain their choices: $y$ is preferred to $z$ with probability $\sigma(r(y) - r(z))$, where
# $\sigma$ is the sigmoid. We want a model $\pi$ with high reward that stays near the one we had, $\pi_0$ (the larger
# $\beta$, the nearer):
#
# $$\max_\pi \; \mathbb{E}_{y \sim \pi}\, r(y) - \beta \, \mathrm{KL}(\pi \,\|\, \pi_0).$$
#
# The best one can be written down: $\pi(y) \propto \pi_0(y)\, e^{r(y) / \beta}$. Turn that around, and the reward is
# $r(y) = \beta \log \frac{\pi(y)}{\pi_0(y)}$ plus a constant, which cancels in $r(y) - r(z)$. So the reward need not
# be learnt at all. Put this into the probability of the choices, and train $\pi$ on them directly:
#
# $$-\log \sigma\Big(\beta \log \frac{\pi(y)}{\pi_0(y)} - \beta \log \frac{\pi(z)}{\pi_0(z)}\Big).$$
#
# This is **direct preference optimisation** (Rafailov et al. 2023). The cell below tries it on a language of
# three answers, where the best model is known: does the training arrive there?

# %% tags=["deeper"]
old = torch.tensor([0.6, 0.3, 0.1]).log()  # the model that we had: it likes the worst answer best
reward, beta = torch.tensor([0.0, 1.0, 2.0]), 0.5
chosen = torch.sigmoid(reward[:, None] - reward)  # how often people prefer the answer of the row to that of the column
scores = old.clone().requires_grad_()
optimiser = torch.optim.Adam([scores], lr=0.05)
for _ in range(500):
    gain = beta * (scores.log_softmax(0) - old)
    loss = -(chosen * torch.nn.functional.logsigmoid(gain[:, None] - gain)).sum()
    optimiser.zero_grad(), loss.backward(), optimiser.step()
best, reached = (old + reward / beta).softmax(0), scores.softmax(0).detach()
for what, chances in (("the old model", old.exp()), ("the best one by the formula", best), ("trained", reached)):
    print(f"{what:28}", " ".join(f"{chance:.3f}" for chance in chances))
assert (best - reached).abs().max() < 0.005

# %% [markdown]
# ## 8. Play
#
# Four matrices of the model that you trained in section 1: what changed in each, and what a low rank keeps of it.
#
# 1. Which of the four needs the highest rank for 90 % of its change?
# 2. From which rank on do the two thin matrices have *more* numbers than the square one?
# 3. Compare the curve of the change with that of the matrix itself. Would LoRA be a good way to store MiniLM?
#
# <details><summary>Answers to 2 and 3, when you have tried</summary>
#
# 2\. For 384 × 384 from rank 193 on: $r$ columns and $r$ rows are $2 \cdot 384 \, r$ numbers.
#
# 3\. No. Rank 8 keeps a small part of the matrix itself. What is simple is the change, and not the model.
#
# </details>

# %%
parts = {
    "block 1, query": "encoder.blocks.0.attention.w_q.weight",
    "block 6, query": "encoder.blocks.5.attention.w_q.weight",
    "block 6, value": "encoder.blocks.5.attention.w_v.weight",
    "block 6, feed-forward": "encoder.blocks.5.feed_forward.w_1.weight",
}
old, new = minilm.state_dict(), whole.model.state_dict()
explorer = RankExplorer({what: (old[name], new[name]) for what, name in parts.items()}, rank=8)
explorer

# %% [markdown] jp-MarkdownHeadingCollapsed=true
# ### Deeper: names in a sentence of your own

# %% [markdown] tags=["deeper"]
# The two models of section 1 read what you type. They have had fifty steps, so expect mistakes.
#
# 1. Lesson 15's two Jordans are among the sentences. Which of the models tells the country from the man?
# 2. Type a sentence with a name that you know, and then the same in small letters. Why does nothing change?
#
# <details><summary>Answers, when you have tried</summary>
#
# 1\. With us the one with LoRA does, and the other takes both for a person; on your machine it may be otherwise.
#
# 2\. MiniLM's tokenizer turns all letters into small ones. That a name begins with a capital never reaches the model.
#
# </details>

# %% tags=["deeper", "nbval-ignore-output"]
# output differs with the training
names = EntityExplorer(
    {"everything": (whole.model, tokenizer), "LoRA": (narrow.model, tokenizer)},
    ["Jordan said that he was tired .", "Jordan borders two lakes .", "The minister of Peru met Siemens in Lima ."],
)
names

# %% [markdown]
# ## 9. What people get wrong
#
# **"LoRA needs a hundredth of the memory."** The numbers that are *learnt* are a hundredth or fewer. But the old ones
# must still be there. What you save for each old number is its gradient and the two means that AdamW keeps of it:
# three numbers of four.
#
# <details><summary>Deeper: what else must be kept</summary>
#
# On its way back the gradient has to come down to the *lowest* place where something is learnt. So the results of the
# layers from there on must be kept: with LoRA in all six blocks, with a head alone in none. The numbers below leave
# this out.
#
# </details>

# %% jupyter={"source_hidden": true}
print(f"The model has {size:,} numbers.")
for method in ("everything", "last block", "lora", "head"):
    learnt = kept[method]["runs"][0]["parameters"]
    memory = 4 * (size + 3 * learnt) / 1e6  # 4 bytes each: the weight; gradient and two means of what is learnt
    print(f"{method.replace('lora', 'LoRA'):11} learns {learnt:10,} numbers: {memory:4.0f} MB")

# %% [markdown]
# So with the old numbers in 32 bits, as here, you get down to a quarter at best. As they are not learnt, they can be
# stored more coarsely, in 4 bits each (QLoRA, Dettmers et al. 2023); that brings it lower.
#
# **"I tried LoRA with my usual rate, and it does not work."** Each method wants its own. These rates were tried for
# five rows of the table, with the F1 on the training templates held out for that purpose:

# %% jupyter={"source_hidden": true}
for method in ("everything", "last block", "biases", "lora", "head"):
    tried = kept[method]["tuning"]
    rates = "   ".join(f"{float(rate):g}: {tried[rate]:.2f}" for rate in sorted(tried, key=float))
    print(f"{method.replace('lora', 'LoRA'):11}{rates}")

# %% [markdown]
# Of the rates tried, the best for LoRA is thirty times the best for everything. At a third of its best rate LoRA has
# hardly begun.

# %% [markdown]
# ## 10. In the package
#
# `lora.py`, `adapters.py` and `prompts.py` are a page each, `fine_tuning.py` has the list of methods, and
# `distillation.py` the loss of section 7. `LoRALinear` is the class of section 3, apart from how A is drawn. `merge_lora`
# adds the changes for good, and `lora_state` gives only what was put next to the old model:

# %%
from transformer_lab.lora import lora_state

beside = lora_state(narrow.model)
print(f"{len(beside)} thin matrices of {sum(one.numel() for one in beside.values()):,} numbers")

# %% [markdown]
# ## 11. What you have now
#
# A way to teach a good model *your* distinctions in seconds. Back to the small shop: you write eight examples of each
# kind of message, and that is all.

# %%
from transformer_lab import adapt, save
from transformer_lab.classifiers import Classifier
from transformer_lab.data.docstring_modules import Example
from transformer_lab.tasks.labelling import Classification

kinds = {
    "asks": "When do you open? | Do you have it in blue? | How long does the delivery take? | Can I pay by card? | "
    "Is there a smaller size? | Which one is lighter? | Where can I park? | What would it cost to send it to Norway?",
    "complains": "The cup came in pieces. | I have been waiting for three weeks. | The zip broke on the first day. | "
    "Nobody answers your telephone. | This is not the colour that I ordered. | The jar was half empty. | "
    "You charged me twice. | It smells of petrol.",
    "thanks": "The soap is lovely, my mother was so pleased. | Perfect, just what I hoped for! | It came a day early. | "
    "Best bread in town. | You saved our party. | My children will not take the hats off. | "
    "Such kind people in your shop. | I shall tell all my friends.",
}
messages = [Example(text.strip(), i) for i, texts in enumerate(kinds.values()) for text in texts.split("|")]

# %% tags=["nbval-ignore-output"]
# output differs with the training
torch.manual_seed(0)
model, _ = adapt("minilm", "lora", Classifier, [*kinds])  # as in section 1: a copy, a new head and a LoRA
mine = Classification(model, tokenizer, messages, messages)
train(mine, Settings(30, batch_size=12, lr=3e-3, evaluate_every=30), progress=False)
new = ["Does the lamp come with a bulb?", "One of the chairs has only three legs.", "May I bring my dog?",
       "We danced all night in your shoes!", "The clock stopped after an hour.", "The cake was gone in five minutes."]  # fmt: skip
for text, line in zip(new, labelled(model, tokenizer, new), strict=True):
    print(f"{line:16} {text}")

# %% [markdown]
# Eight examples of each, a few seconds, and it sorts chairs with three legs and shoes to dance in. Here it takes the
# question about the dog for a complaint (and on your machine?), and what you make of the cake is for you to say. Add
# two examples with dogs, and run the two cells again.
#
# Now keep it. Only what was learnt is saved, the LoRA and the head, with the name and the checksum of the model that
# they belong to. Whoever has that model can put the two together again:

# %% tags=["nbval-ignore-output"]
# output differs with the training
import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    save(model, tokenizer, folder)
    size_on_disk = sum(path.stat().st_size for path in Path(folder).iterdir())
    print(f"{size_on_disk / 1e6:.1f} MB are saved, of a model of {4 * size / 1e6:.0f} MB")
    print(*labelled(*load(folder), ["Do you gift-wrap?", "My order came without its lid."]), sep="\n")

# %% [markdown]
# With a file of your own, a text, a tab and its label in each line, a terminal does it all:
#
# ```
# transformer-lab fine-tune messages.tsv --out my-labels
# transformer-lab label my-labels "Do you gift-wrap?"
# ```
#
# <details><summary>The command keeps every fifth message aside. Why? And which did you keep aside in the cells
# above?</summary>
#
# To test on messages that the model has not seen. You kept none aside: training and test were the same 24. A score on
# them would say nothing about new messages.
#
# </details>

# %% [markdown]
# ## 12. Check yourself
#
# <details><summary>In LoRA, what happens if B is random and A is zero at the start? And if both are zero?</summary>
#
# With A zero and B random the product is zero as well: the model begins as the old one, and it learns, too. With both
# zero the gradient of each is a product with the other, so both stay zero, and only the head learns.
#
# </details>
#
# <details><summary>A LoRA of rank 8 and one of rank 16 beside the same matrix: how do their costs compare after merging?</summary>
#
# They are the same, and the same as without: after merging there is one matrix of the old size. Before it, the second
# has twice the numbers to learn.
#
# </details>
#
# <details><summary>Your model was tuned on questions and answers, and now it answers in the right form. What do you test before you say that it has learnt the facts?</summary>
#
# How likely it finds the right answers to what it was taught, and *wrong ones of the same form*, before and after. And
# what it says about things that do not exist.
#
# </details>
#
# Now the [exercises of this lesson](../exercises/16_fine_tuning/fine_tuning.ipynb).
#
# ## Takeaways
#
# * To find names, a frozen model with a few thin matrices and a new head did about as well as the same model with
#   everything tuned: 76,423 numbers against 22.6 million. From scratch it was lost in new templates.
# * LoRA is $W + \frac{\alpha}{r} B A$. B begins at zero and A does not; merged it costs nothing in use; it wants a
#   rate of its own; and it needs fewer gradients and optimiser's means, but still the whole model.
# * A change of low rank does not show that the task was learnt, for nonsense gives one, too. To see whether it *does*
#   the work, put everything else back, and compare with other parts that hold as much of the energy.
# * Tuned on something new, a model lost about half of its old search. A LoRA can be taken off again, and in another
#   experiment a few old examples in each batch kept what had been learnt before.
# * Fifty steps taught a model the form of an answer. To find out whether it learnt facts, too, ask about those that it
#   was taught, and measure wrong answers of the same form next to the right ones.
#
# **Papers.** Hu et al. (2021), [arXiv:2106.09685](https://arxiv.org/abs/2106.09685): LoRA. Aghajanyan et al. (2020),
# [arXiv:2012.13255](https://arxiv.org/abs/2012.13255): how few directions a fine-tuning needs. Houlsby et al. (2019),
# [arXiv:1902.00751](https://arxiv.org/abs/1902.00751): adapters. Li and Liang (2021),
# [arXiv:2101.00190](https://arxiv.org/abs/2101.00190): prefix tuning. Lester et al. (2021),
# [arXiv:2104.08691](https://arxiv.org/abs/2104.08691): prompt tuning. Ben Zaken et al. (2021),
# [arXiv:2106.10199](https://arxiv.org/abs/2106.10199): biases only. Dettmers et al. (2023),
# [arXiv:2305.14314](https://arxiv.org/abs/2305.14314): LoRA beside numbers of 4 bits (QLoRA). Hinton et al. (2015),
# [arXiv:1503.02531](https://arxiv.org/abs/1503.02531): distillation. Rafailov et al. (2023),
# [arXiv:2305.18290](https://arxiv.org/abs/2305.18290): DPO.
#
# Previous: [15 BERT](15_bert.ipynb). Next: 17 Heads, which is being written.

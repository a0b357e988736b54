# %% [markdown]
# # 04 Multi-head attention
#
# **Why does a model look four times at once, when one look could be four times as wide?**
#
# ![The translator drawn from its configuration: the encoder reads "Sunday, November 22, 2026", the decoder has written
# 2 0 2 6 nián and is about to write 1. All six attention parts are lit, and in each of them stand four small boxes side by
# side, its heads.](figures/04_multi_head_where.svg)
#
# In [lesson 02](02_attention.ipynb) we watched one look: head 3 of block 2, as it found `November`. It was not alone. In
# each of the six lit parts four heads look at the same tokens at the same time: **multi-head attention**. Each has only a
# quarter of the width to do it with, 16 numbers of 64. One head could have all 64. Why four, then?
#
# You will put that question to the translator and to a task so small that you can see through it. Then you cut a layer into
# heads yourself, and at the end the translator runs on yours. You will be able to
#
# * say what several heads are for, with an example;
# * cut a tensor into heads, compute all of them in one product and merge them again, with every shape;
# * count what a layer of many heads costs.
#
# About 60 minutes. It builds on [02 Attention](02_attention.ipynb) and [03 Masks](03_masks.ipynb).

# %%
import statistics

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from transformer_lab import MultiHeadAttention, causal_mask, exact_match, load, scaled_dot_product_attention, translate
from transformer_lab.analysis.access import patched
from transformer_lab.analysis.recording import record_heads
from transformer_lab.attention import explicit_attention
from transformer_lab.data import dates
from transformer_lab.experiments import experiment, recorded
from transformer_lab.grading import predict
from transformer_lab.viz import SplitExplorer, plots, split_both_ways

# %%
plots.use_style()
_ = torch.manual_seed(0)

# %% [markdown]
# ## 1. Two looks at the same moment
#
# The translator has written `2026年` (*nián*, year), and the month comes next. Two heads of the cross-attention in block 2,
# with the model's own numbers:
#
# ![In the middle the tokens written so far, 2 0 2 6 nián, and a question mark for the next one. From above head 3 reads
# November with weight 0.92. From below head 1 reads the comma after Sunday with 0.54 and Sunday with 0.29. All other weights
# are below 0.1.](figures/04_multi_head_looks.svg)
#
# Each head makes weights of its own, which sum to 1, and mixes values of its own with them. Here are all four:

# %%
model, tokenizer = load("dates")
source, _ = tokenizer.batch(["Sunday, November 22, 2026"])
written, _ = tokenizer.batch(["2026年11月22日星期日"], bos=True)
words = tokenizer.tokens(source[0].tolist())

with record_heads(model) as heads, torch.no_grad():
    model(source, written)
seen = heads["cross"][1]  # the cross-attention of block 2; Python counts from 0
for h in range(4):
    weights = seen.weights[h, 5]  # the row that has read 年 and writes the month
    first, second = weights.topk(2).indices
    print(f"head {h + 1}:  {words[first]:9}{weights[first]:.2f}   {words[second]:9}{weights[second]:.2f}")

# %% [markdown]
# A weight is not a need, as lesson 02 found. So let us silence heads of this one layer, in the two ways of that lesson: a head
# says zeros, or it says what it says on average over all dates at this place of the text. Nothing is trained again, and a date
# counts only if every character is right.

# %% jupyter={"source_hidden": true}
held_out = dates.held_out_pairs(300)
sources, sources_real = tokenizer.batch([pair.source for pair in held_out])
targets, targets_real = tokenizer.batch([pair.target for pair in held_out], bos=True, eos=True)
reads, writes, real = targets[:, :-1], targets[:, 1:], targets_real[:, 1:]
share_real = targets_real[:, :-1, None] / targets_real[:, :-1, None].sum(dim=0)  # padding does not count in an average


# %% jupyter={"source_hidden": true}
@torch.no_grad()
def right_without(silent, average):
    """The share of dates with every next token right, while these heads of the cross-attention in block 2 are silent."""

    def silence(w_o, inputs):
        outputs = inputs[0].clone()
        for h in silent:
            own = outputs[..., 16 * h : 16 * h + 16]
            own[:] = (own * share_real).sum(dim=0) if average else 0.0
        return (outputs,)

    hook = model.decoder.blocks[1].cross_attention.w_o.register_forward_pre_hook(silence)
    guesses = model(sources, reads, sources_real, targets_real[:, :-1]).argmax(dim=-1)
    hook.remove()
    return ((guesses == writes) | ~real).all(dim=1).float().mean().item()


# %% jupyter={"source_hidden": true}
silent = {"none silent": []}
silent |= {f"only head {h + 1} speaks": [other for other in range(4) if other != h] for h in range(4)}
silent |= {f"head {h + 1} silent": [h] for h in range(4)}
right = {average: [right_without(heads, average) for heads in silent.values()] for average in (False, True)}
axes = plt.subplots(figsize=(7, 4))[1]
for average, shift in ((False, -0.2), (True, 0.2)):
    bars = axes.barh([i + shift for i in range(9)], [100 * share for share in right[average]], height=0.38,
                     color=plots.COLORS[average], label="its average" if average else "zeros")  # fmt: skip
    axes.bar_label(bars, labels=[f"{share:.0%}" for share in right[average]], padding=3, fontsize=8)
axes.set_yticks(range(9), list(silent))
axes.invert_yaxis()
axes.set(xlim=(0, 140), xticks=range(0, 101, 20), xlabel="dates right (%)")
axes.legend(title="a silent head says", loc="center right")
alone, missing = ([share for shares in right.values() for share in shares[part]] for part in (slice(1, 5), slice(5, 9)))
title = f"One head alone leaves at most {max(alone):.0%}, three leave {min(missing):.0%} to {max(missing):.0%}"
_ = axes.set_title(f"Cross-attention of block 2.\n{title}", fontsize=10)

# %% jupyter={"source_hidden": true}
most = {average: min(range(1, 5), key=lambda h: shares[4 + h]) for average, shares in right.items()}
print(f"missed most: head {most[False]} if zeros stand in for it, head {most[True]} if its average does")
assert max(alone) < 0.4 and min(missing) > 0.75

# %% [markdown]
# No head does the work alone, in whichever way the others are silenced. (Which one is missed most depends on the way.) Does the
# translator *need* four heads, then? That is not shown: these four learnt together, and each relies on the others. It takes a
# control, a translator that had one wide head from the beginning. An experiment of lesson 02 has some, five seeds each:

# %%
print("heads   width   dates right after 500 steps")
for row in recorded("divisor")["result"]:
    if row["divisor"] == "sqrt(d)":
        print(f"{row['heads']:5}{row['width']:8}  ", *(f"{share:5.1%}" for share in row["right"]))

# %% [markdown]
# One wide head learns dates, too; and where both are so close to 100 %, nobody can tell which is better. (From large models,
# too, many heads can be taken out with little harm, Michel et al., 2019.) So we leave the translator for a while, for a task
# in which we can follow a single number from end to end.
#
# ## 2. Left minus first
#
# ![Eight positions, each with one of its numbers: 0.3, 1.2, -0.5, 0.9, 0.4, -1.1, 0.7, 0.2. The fifth is to say 0.6: its left
# neighbour's 0.9, with a plus, and the first position's 0.3, with a minus. So from the third position
# on.](figures/04_multi_head_task.svg)
#
# Eight positions hold eight random numbers each. From the third position on, each is to say **the numbers of its left
# neighbour minus those of the first position**. Beside its numbers every position carries a marker, eight more numbers of
# which one is not 0, so that a query can ask for a place.
#
# The layer is one attention, with nothing before or after it, and `x` is 16 wide. We read the first 8 numbers of its output.
# The **loss** is their mean squared error, in units in which answering 0 everywhere costs 1.


# %%
length, width = 8, 8  # T, and how many numbers each position holds


def examples(n):
    """x (n, 8, 16): numbers and marker. target (n, 6, 8), for the third position and those after it."""
    numbers = torch.randn(n, length, width)
    marker = 3 * torch.eye(length).expand(n, length, length)
    return torch.cat((numbers, marker), dim=-1), numbers[:, 1:-1] - numbers[:, :1]


def loss_of(layer, n):
    x, target = examples(n)
    return (layer(x)[:, 2:, :width] - target).square().mean() / 2  # the target's variance is 1 + 1 = 2


print(f"loss of answering 0 everywhere: {loss_of(torch.zeros_like, 2000):.1f}")


# %% [markdown]
# First *one* head, whose queries, keys and values have the full width of 16. Attention can find the left neighbour, and it
# can find the first position. We train it. Does the loss end near 0, near a half or near 1? Run the cell, and
# click your guess.

# %%
predict("04_multi_head.one_head")


# %% jupyter={"source_hidden": true, "outputs_hidden": true}
def train(n_heads, steps=200):
    torch.manual_seed(1)
    layer = MultiHeadAttention(2 * width, n_heads)
    # Adam is descent with a step of its own for each parameter; the schedule lets the steps grow, then shrink
    optimiser = torch.optim.Adam(layer.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=0.01, total_steps=steps, pct_start=0.1)
    losses = []
    for _ in range(steps):
        loss = loss_of(layer, 64)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    return layer, losses


# %% jupyter={"source_hidden": true, "outputs_hidden": true}
one_head, losses_of_one = train(n_heads=1)
axes = plt.subplots(figsize=(7, 2.6))[1]
axes.plot(losses_of_one, label="one head of width 16")
for level in (0, 0.5, 1):
    axes.axhline(level, color="grey", linestyle=":")
end = sum(losses_of_one[-20:]) / 20
axes.set(
    xlabel="training step", ylabel="loss", ylim=(-0.05, 1.2), title=f"One head, one seed: the loss ends at {end:.1f}"
)
_ = axes.legend()

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
where = "near 0" if end < 0.1 else "near a half" if 0.4 < end < 0.6 else "near 1"
predict("04_multi_head.one_head", actual=where)

# %% [markdown]
# <details><summary>Why? Open after your guess</summary>
#
# The loss falls to a half and stays there. (That was one seed; section 6 has eight.) The head does one half of the task and
# gives up the other. The next section shows why it must.
#
# </details>
#
# ## 3. One factor, and two
#
# Follow one number through a single head. Let the head's weights go by position: it puts weight $a$ on the left neighbour and
# weight $b$ on the first position, the same in every example, and both are at least 0. What it has averaged goes through $W_V$
# and the output matrix, two linear steps in a row. For the first of the eight numbers they are one factor, $m$ (in the product of
# the two matrices, the entry that leads from this number to itself). So of this number the head says
#
# $$m\,(a \cdot \text{left} + b \cdot \text{first})$$
#
# ![One head whose weights go by position: weight a on the left neighbour's 0.9 and weight b on the first position's 0.3 make
# one average, which is multiplied by one factor m, so both get the sign of m. Wanted: 0.9 with plus, 0.3 with
# minus.](figures/04_multi_head_one.svg)
#
# Wanted are $ma = 1$ and $mb = -1$: but one $m$ does not have two signs. With numbers of variance 1,
#
# $$\text{loss} \;\ge\; \tfrac{1}{2}\left[(ma - 1)^2 + (mb + 1)^2\right] \;\ge\; \tfrac{1}{2}$$
#
# because for $m \ge 0$ the second square is at least 1, and for $m \le 0$ the first. The other seven numbers have factors of
# their own, and the same holds for each. Whatever else gets into the output has nothing to do with the target and can
# only add to the loss. The width of the head does not occur in this argument.
#
# The argument assumes one thing: that the weights go by position alone. In attention they may depend on the numbers,
# too. What a head can make of that is a side road of section 6.
#
# ![Two heads: one reads the left neighbour's 0.9 with weight 1, times +1; the other reads the first position's 0.3 with weight 1,
# times -1; W_O sums them to 0.6.](figures/04_multi_head_two.svg)
#
# Now two heads, written by hand, without any training. One reads the left neighbour, the other the first position, and
# only then are they joined. We can write the matrices down. Each head has a $W_Q$, a $W_K$ and a
# $W_V$ of its own, of shape $(D, \text{d\_head})$: $D = 16$ is the width of `x`, $\text{d\_head} = 8$ the width of a head.


# %%
def head(x, w_q, w_k, w_v):
    """x (T, D), three matrices (D, d_head) -> output (T, d_head)"""
    return scaled_dot_product_attention(x @ w_q, x @ w_k, x @ w_v)[0]


eye, zeros = torch.eye(8), torch.zeros(8, 8)
read_numbers, read_marker = torch.cat((eye, zeros)), torch.cat((zeros, eye))  # (D, d_head) each
to_left = torch.diag(torch.ones(7), diagonal=-1)  # row t has its 1 in column t - 1
to_first = torch.zeros(8, 8).index_fill(1, torch.tensor(0), 1.0)  # every row has its 1 in column 0

x, target = (tensor[0] for tensor in examples(1))
left = head(x, 10 * read_marker @ to_left, read_marker, read_numbers)  # the 10 makes the weights sharp
first = head(x, 10 * read_marker @ to_first, read_marker, read_numbers)
error = ((left - first)[2:] - target).abs().max()
assert error < 1e-4
print(f"left - first misses the target by less than 0.0001; the target reaches {target.abs().max():.1f}")

# %% [markdown]
# Solved. One head's average gets one factor, so both places come out with the same sign; here each head's average gets its
# own. That last step, $+1$ times one head and $-1$ times the other, is a matrix again. Put the outputs of the $H$ heads side by
# side, and multiply them by the **output projection** $W_O$, which has $H \cdot \text{d\_head}$ rows. Here it is an identity
# matrix above a negative one:

# %%
w_o = torch.cat((eye, -eye))  # (H * d_head, 8): the first 8 rows belong to one head, the others to the other
side_by_side = torch.cat((left, first), dim=1)  # (T, H * d_head)
assert torch.allclose((side_by_side @ w_o)[2:], target, atol=1e-4)
assert torch.allclose(side_by_side @ w_o, left @ w_o[:8] + first @ w_o[8:])

# %% [markdown]
# The last line is worth a second look. One product with the whole of $W_O$ is the same as the **sum** of each head's output
# times its own rows of $W_O$. That is all heads ever have to do with each other: their outputs are summed.
#
# ## 4. All heads in one product
#
# Now back to the translator, whose layer does not call its heads one by one. It makes the queries of all four in one product
# and then cuts the result. Follow the five tokens of the drawing (the layer reads 13) from top to bottom:
#
# ![Five tokens, 2 0 2 6 nián, as rows of 64 numbers, drawn with the translator's own. Times W_Q they become queries in four
# colours, 16 numbers a head, shape (13, 64). View cuts every row into four, (13, 4, 16). Transpose gives each head a matrix of
# its own with all tokens, (4, 13, 16). With the keys each head makes its own weights on ten words, (4, 13, 10), and with
# the values its outputs, (4, 13, 16). The way back and W_O end in one vector for each token, (13,
# 64).](figures/04_multi_head_cut.svg)
#
# What is cut is the *width*, never the text: every head has a row for every token, with its own share of the numbers. We
# fetch what the layer receives, and do it step by step.

# %%
layer, arriving = model.decoder.blocks[1].cross_attention, []
with torch.no_grad():
    memory = model.encode(source)  # (1, 10, 64): what the encoder made of the English
    hook = layer.register_forward_pre_hook(lambda _, inputs: arriving.append(inputs[0]))
    model.decode(written, memory=memory)
    hook.remove()
    x = arriving[0]  # (1, 13, 64): the decoder's vectors when they enter the layer
    Q, K, V = layer.w_q(x), layer.w_k(memory), layer.w_v(memory)
B, T, D, H, d_head = 1, 13, 64, 4, 16
x.shape, memory.shape, Q.shape

# %% [markdown]
# **Step 1: one product.** `layer.w_q` multiplies by a matrix $(64, 64)$ and adds a **bias**, a learnt vector. The first 16
# columns of the matrix are head 1's own $W_Q$, the next 16 head 2's, and so on. So the first 16 **features** (columns) of
# the result are what head 1 would have computed alone:

# %%
with torch.no_grad():
    for h in range(H):
        own = slice(h * d_head, (h + 1) * d_head)
        alone = x @ layer.w_q.weight.T[:, own] + layer.w_q.bias[own]  # nn.Linear stores its matrix transposed
        assert torch.allclose(Q[..., own], alone, atol=1e-5)

# %% [markdown]
# As a rule $H \cdot \text{d\_head} = D$: the heads share the width that there is.
#
# **Step 2: split.** Each head must attend by itself, so the heads have to become a leading axis, like the batch. `view`
# cuts the last axis, the features, in two and moves nothing in memory. `transpose(1, 2)` then swaps tokens and heads. On
# numbered elements, with $T = 4$, $H = 3$, $\text{d\_head} = 2$:

# %%
numbered = torch.arange(24).view(1, 4, 6)  # (B, T, D): the first token holds 0 to 5, the second 6 to 11
cut = numbered.view(1, 4, 3, 2)  # (B, T, H, d_head)
split_up = cut.transpose(1, 2)  # (B, H, T, d_head)
print("the second token:", cut[0, 1].tolist())  # a share for each of three heads
print("the second head: ", split_up[0, 1].tolist())  # its share of each of four tokens
print("by view alone:   ", numbered.view(1, 3, 4, 2)[0, 1].tolist())

# %% [markdown]
# Why not `view(B, H, T, d_head)` at once, without a transpose? It runs, and the shape is the same. But as the last line shows,
# it gives this head four pieces of only two tokens, in place of one piece of each of the four. Whoever tests such a split would
# like to know where the two agree on *every* number: when $T = H$, when $T = 1$ or $H = 1$, or never? Run the cell, and click your
# guess.

# %%
predict("04_multi_head.agree")


# %% jupyter={"source_hidden": true, "outputs_hidden": true}
def same(T, H):
    """Do the two ways agree on every number?"""
    by_transpose, by_view = split_both_ways(T, H, 2)
    return bool((by_transpose == by_view).all())


rules = {
    "when T = H": lambda T, H: T == H,
    "when T = 1 or H = 1": lambda T, H: 1 in (T, H),
    "never": lambda T, H: False,
}
sizes = [(T, H) for T in range(1, 9) for H in range(1, 9)]
(found,) = [rule for rule, holds in rules.items() if all(same(*size) == holds(*size) for size in sizes)]
assert all(split_both_ways(T, 3, 2)[1][0, 4, 0] == 8 for T in (5, 6))  # question 1
predict("04_multi_head.agree", actual=found)

# %% [markdown]
# Now play. First the tensor, then `view` with `transpose`, then `view` alone. A colour is the head that a number belongs to.
# Click a number, or focus the tensor and use the arrow keys. A frame marks what both put in the same place. (The explorer
# counts from 0.)
#
# 1. Click 8. It belongs to position 1. Here `view` alone takes it for position 0. For which one when $T = 5$? When $T = 6$?
# 2. Check your guess: move $T$ and $H$ until every number is framed.
# 3. Set $T = 3$, $H = 3$, then $T = 5$, $H = 3$. Where do the frames lie? Does $\text{d\_head}$ matter?

# %%
explorer = SplitExplorer()
explorer

# %% [markdown]
# <details><summary>Answers, when you have tried</summary>
#
# 1\. For position 4 of head 0, both times. 2\. When $T = 1$ or $H = 1$: then there is nothing to swap. So a test with one
# token, or with one head, cannot find this mistake. 3\. On a line from the first piece to the last; $\text{d\_head}$ does not
# matter. Exercise 7 asks how many there are.
#
# </details>
#
# **Step 3: attention, once.** $B$ and $H$ are now both leading axes. `scaled_dot_product_attention` works on the last two
# and treats every text and every head by itself.
#
# | name | shape | here | meaning |
# |---|---|---|---|
# | `q` | $(B, H, T, \text{d\_head})$ | `(1, 4, 13, 16)` | each head's share of the queries |
# | `k`, `v` | $(B, H, S, \text{d\_head})$ | `(1, 4, 10, 16)` | and of keys and values; in self-attention $S = T$ |
# | `scores`, `weights` | $(B, H, T, S)$ | `(1, 4, 13, 10)` | weights of its own for every head |
# | `output` | $(B, H, T, \text{d\_head})$ | `(1, 4, 13, 16)` | each head's weighted averages |
# | merged | $(B, T, H \cdot \text{d\_head})$ | `(1, 13, 64)` | side by side again, ready for $W_O$ |
#
# The scores are divided by $\sqrt{\text{d\_head}}$, here 4: it is vectors of width 16 that meet.


# %%
def split(x, n_heads):
    """(B, T, D) -> (B, H, T, d_head)"""
    B, T, D = x.shape
    return x.view(B, T, n_heads, D // n_heads).transpose(1, 2)


q, k, v = (split(part, H) for part in (Q, K, V))
output, weights = scaled_dot_product_attention(q, k, v)
print(f"head 3 puts {weights[0, 2, 5, 2]:.2f} on {words[2]}, head 1 puts {weights[0, 0, 5, 1]:.2f} on {words[1]!r}")
assert torch.allclose(weights[0], seen.weights, atol=1e-5)

# %% [markdown]
# These are the two heads of section 1. **Merging** is the way back: swap heads and tokens, then flatten the last two axes.


# %%
def merge(heads):
    """(B, H, T, d_head) -> (B, T, H * d_head)"""
    return heads.transpose(1, 2).flatten(start_dim=2)


assert torch.equal(merge(split(x, H)), x)
with torch.no_grad():
    difference = (layer.w_o(merge(output)) - layer(x, memory)).abs().max()
assert difference < 1e-5
print("our output and the translator's own differ by less than 0.00001")

# %% [markdown]
# ## 5. The module
#
# Four linear layers, a split, attention, a merge: that is all of it. As a formula (Vaswani et al., 2017, section 3.2.2):
#
# $$\text{MultiHead}(x) = [\text{head}_1, \ldots, \text{head}_H]\, W_O, \qquad
# \text{head}_h = \text{Attention}(x W_Q^h,\; x W_K^h,\; x W_V^h)$$


# %%
class MultiHead(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.w_q, self.w_k, self.w_v, self.w_o = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory  # keys and values: from x itself, or from another text
        q, k, v = self.w_q(x), self.w_k(memory), self.w_v(memory)
        q, k, v = (split(part, self.n_heads) for part in (q, k, v))
        output, _ = scaled_dot_product_attention(q, k, v, mask)
        return self.w_o(merge(output))


# %% [markdown]
# ## 6. Two heads, and more
#
# Does training find what we wrote down by hand in section 3? Two heads of width 8 are trained exactly as the one head
# of width 16 was. Each panel shows where one head looks, averaged over 200 examples. Above it stands the head's factor,
# the $m$ of section 3, averaged over the eight numbers.

# %% jupyter={"source_hidden": true}
two_heads, losses_of_two = train(n_heads=2)
figure, panels = plt.subplots(1, 3, figsize=(10, 3.7))
factors, ends = [], [sum(losses[-20:]) / 20 for losses in (losses_of_one, losses_of_two)]
with torch.no_grad():
    for trained, h, axes in ((one_head, 0, panels[0]), (two_heads, 0, panels[1]), (two_heads, 1, panels[2])):
        inputs, own = examples(200)[0], slice(h * trained.d_head, (h + 1) * trained.d_head)
        q, k = trained.split(trained.w_q(inputs)), trained.split(trained.w_k(inputs))
        weights = scaled_dot_product_attention(q, k, k)[1][:, h].mean(dim=0)
        factor = (trained.w_o.weight[:width, own] @ trained.w_v.weight[own, :width]).diagonal().mean()
        factors.append(factor.item())
        name = "one head" if trained is one_head else f"two heads: head {h + 1}"
        places = list(range(1, 9))
        _ = plots.matrix(axes, weights[2:], places[2:], places, title=f"{name}, factor {factor:+.1f}")
_ = figure.suptitle("After 200 steps, one seed: two heads have shared out the task", x=0.02, y=0.94, ha="left")

# %% jupyter={"source_hidden": true}
print(f"loss at the end: one head {ends[0]:.2f}, two heads {ends[1]:.2f}")
minus, plus = sorted(factors[1:])
assert ends[0] > 0.45 and ends[1] < 0.01 and abs(minus + 1) < 0.1 and abs(plus - 1) < 0.1

# %% [markdown]
# It does. One head reads the left neighbour (a diagonal) with factor $+1$, the other reads the first position (a
# column) with factor $-1$. Which of them is head 1 is chance. The single head gave up one half of the task.
#
# Two heads can do this and one cannot, whatever its width, as long as its weights go by position. **A head passes on
# one average, and all that is in it gets the same factors. A second head can read something else, and do something else
# with it.**
#
# (It is a task made for the purpose, and a single layer. That the translator's heads divide their work like this we
# have not shown.)

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: can one head find another way?
#
# Yes, if its weights depend on the numbers, and if there is only a *single* number at each position. The head looks at
# both places alike, and only a little more at the larger number. Its values hold no number at all, only a sign: $-1$ at
# the first position, $+1$ elsewhere. So the difference is in the *weights*, and a large factor brings it out:

# %% jupyter={"source_hidden": true} tags=["deeper"]
x, target = (tensor[0] for tensor in examples(1))
x, target = torch.cat((x[:, :1], x[:, 8:]), dim=1), target[:, :1]  # (8, 9): one number and the marker
asks = torch.cat((10 * (to_left + to_first), torch.full((8, 1), 0.02)), dim=1)  # both places; and a little the number
sign = torch.tensor([0.0, -1, 1, 1, 1, 1, 1, 1, 1])[:, None] / 3  # the number is not read; the marker is 3
said = 100 * head(x, torch.cat((torch.zeros(1, 9), asks)), torch.eye(9).roll(-1, dims=1), sign)
error = (said[2:] - target).abs().max()
assert error < 0.02
print(f"one head, one number: misses the target by less than 0.02; the target reaches {target.abs().max():.1f}")

# %% [markdown] tags=["deeper"]
# So no law says that one head cannot subtract. But this head has a single set of weights, which can carry a single
# difference. With eight numbers it would have to carry eight. Here is what training makes of such a head (1,500 steps,
# five seeds, `experiments/one_number.py`):

# %% jupyter={"source_hidden": true} tags=["deeper"]
print("numbers at each position   loss of one head, five seeds")
for n, losses in recorded("one_number")["result"]["loss"].items():
    print(f"{n:27}", *(f"{abs(loss):5.2f}" for loss in losses))
one, two, eight = recorded("one_number")["result"]["loss"].values()
assert min(one) < 0.01 and max(one) < 0.53 and 0.46 < min(two) < 0.49 and 0.49 < min(eight) < max(eight) < 0.51

# %% [markdown] tags=["deeper"]
# With one number, two of the five seeds solve the task, and two more get below the half. With two numbers the loss is
# now and then a little below it. With eight it is a half, from every seed.
#
# That is what training found. It is no proof that there is nothing better: section 3 proves its bound only for weights
# that go by position.

# %% [markdown]
# ### Are more heads better still?
#
# Two heads beat one. The layer keeps its width of 16, so sixteen heads would have width 1 each. Against two heads of
# width 8, are sixteen of width 1 better, as good or worse? Run the cell, and click your guess.

# %%
predict("04_multi_head.many_heads")

# %% [markdown]
# This is a longer run, `experiments/two_signs.py`: eight seeds each, 400 steps. Open the figure when you have guessed.

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
kept = recorded("two_signs")["result"]
by_heads = {int(n): losses for n, losses in kept["loss"].items()}
wide = kept["one head of twice the width"]
columns = {f"{n} × {16 // n}": losses for n, losses in by_heads.items()}
columns = {"1 × 16": columns.pop("1 × 16"), "1 × 32": wide} | columns
axes = plt.subplots(figsize=(7, 3))[1]
for i, (name, losses) in enumerate(columns.items()):
    axes.plot([i] * len(losses), losses, "o", color=plots.COLORS[name == "1 × 32"], alpha=0.6)
axes.axhline(0.5, color="grey", linestyle=":", label="a half: the bound of section 3")
axes.set_xticks(range(len(columns)), list(columns))
axes.set(xlabel="heads × the width of each (one dot a seed)", ylabel="loss after 400 steps", ylim=(-0.03, 0.7))
middle = {n: statistics.median(losses) for n, losses in by_heads.items()}
title = f"medians of 8 seeds: one head {middle[1]:.1f}, two {middle[2]:.1f}, sixteen {middle[16]:.1f}"
axes.set_title(f"Layers of width 16, and one head of width 32;\n{title}", fontsize=10)
_ = axes.legend(loc="upper right", fontsize=8)

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
difference = middle[16] - middle[2]  # of the seeds in the middle
many = "worse" if difference > 0.05 else "better" if difference < -0.05 else "as good"
predict("04_multi_head.many_heads", actual=many)

# %% [markdown]
# <details><summary>What the dots say. Open after your guess</summary>
#
# * **One head** stays at the bound, also at twice the width. (Dots a little below it are noise: each is the mean over
#   2,000 examples, and varies by about 0.005.)
# * **Two heads** solve the task from seven of eight seeds. In the eighth the loss stays at a half, as if there were one
#   head. Two *can* share out the task, but nothing tells them to.
# * **Four** solve it from all seeds.
# * **Eight**, of width 2, get most of the way in these 400 steps.
# * **Sixteen**, of width 1, do not. Section 8 asks what would help them.
#
# </details>
#
# ## 7. What heads cost
#
# Some texts draw $H$ heads as $H$ layers in parallel, as if eight heads cost eight times as much. Do they? Let us count
# three things, for a layer of width 512 on 128 tokens:
#
# * its **parameters**, which are the numbers that training changes;
# * its multiply-adds, which are the multiplications in all products of matrices, each with the addition of its result
#   (PyTorch counts them for us, as two operations each);
# * its attention weights.


# %% jupyter={"source_hidden": true}
def bill(n_heads):
    """Parameters, multiply-adds and weights of one layer on one text."""
    layer, n_weights = MultiHeadAttention(512, n_heads, bias=False), []

    def attend(q, k, v, mask):
        output, weights = scaled_dot_product_attention(q, k, v, mask)
        n_weights.append(weights.numel())
        return output, weights

    layer.attend = explicit_attention(attend)
    with FlopCounterMode(display=False) as counter:
        layer(torch.randn(1, 128, 512))
    return sum(p.numel() for p in layer.parameters()), counter.get_total_flops() // 2, *n_weights


# %%
print("heads   parameters   multiply-adds   weights")
for n_heads in (1, 2, 4, 8):
    print("{:5}   {:10,}   {:13,}   {:7,}".format(n_heads, *bill(n_heads)))

# %% [markdown]
# More heads cost no more parameters and no more multiply-adds: eight heads of width 64 do the work of one of width 512,
# cut up differently. What grows is the number of weights, and of exponentials in the softmax.
#
# <details><summary>Deeper: a count is not a clock</summary>
#
# A fused kernel, such as the one of torch in lesson 03, computes all these weights but never holds all of them at once.
# And how long a layer takes also depends on what must be moved in memory, and on the machine.
#
# </details>
#
# <details><summary>Deeper: heads that share their keys</summary>
#
# A model that writes keeps the keys and values of all tokens so far (lesson 03's cache), for every head. To keep less,
# groups of heads may share one head of keys and values: **grouped-query attention** (Ainslie et al., 2023), or
# **multi-query attention** if all share a single one. In the package that is `n_kv_heads`: with `n_heads=8` and
# `n_kv_heads=2`, $W_K$ of a layer of width 512 shrinks from $(512, 512)$ to $(512, 128)$. Exercise 6 builds it.
#
# </details>
#
# ## 8. Many heads or wide ones?
#
# On *left minus first* sixteen heads of width 1 did worse than two of width 8, or four of width 4, with as many
# parameters. Is a head of width 1 too narrow to work? If it is, wider heads must help, and more heads of width 1 must
# not. Five seeds each (`experiments/head_widths.py`):

# %%
controls = recorded("head_widths")["result"]

# %% jupyter={"source_hidden": true}
rows = {(row["key"], row["value"]): row for row in controls["widths"]}
cures = {
    "as they are": rows[1, 1]["loss"],
    "twice the steps": controls["twice the steps"],
    "queries and keys of width 8": rows[8, 1]["loss"],
    "values of width 8": rows[1, 8]["loss"],
    "32 heads in place of 16": controls["more heads"]["32"],
    "64 heads in place of 16": controls["more heads"]["64"],
}

# %% jupyter={"source_hidden": true}
print("sixteen heads of width 1, and what is changed    loss, best seed to worst")
for name, losses in cures.items():
    print(f"    {name:45}{min(losses):.2f} to {max(losses):.2f}")
as_they_are, longer, wide_looks, wide_values, of_32, of_64 = cures.values()
assert min(as_they_are + longer) > 0.2 > max(of_32) and max(wide_looks + wide_values) < 0.01 and max(of_64) < 0.02

# %% [markdown]
# Wider queries and keys cure it. So do wider values. But so do more heads, each as narrow as before: narrow heads can
# do the task, if there are enough of them.
#
# **So what was missing? These runs do not say.** Every cure changes more than one thing: all give the layer more
# parameters, and wider values and more heads also give it more numbers to carry. (Parameters alone are not it: four
# heads of width 4 have as many as these sixteen.) And the loss of the sixteen was still falling when the steps were
# over. They are slow, at least.
#
# So there is something to be traded. At a given width a layer has many heads or wide ones, and on this task four of
# width 4 do better than sixteen of width 1. Language models, too, have been found to gain from heads wider than $D / H$
# (Bhojanapalli et al., 2020). The model of 2017 has 8 heads of width 64.

# %% [markdown] jp-MarkdownHeadingCollapsed=true
# ### Deeper: an explanation on trial
#
# Here is an explanation that suggests itself. In a head of width 1 queries and keys are single numbers, and a score is
# their product. For a positive query the *largest* key wins, for a negative one the *smallest*. So as long as keys go
# by position, only two of the eight positions can ever be a head's favourite, and the left neighbour is seldom one of
# them.
#
# If this is why they do worse, wider queries and keys must cure it, and wider values must not:

# %% jupyter={"source_hidden": true} tags=["deeper"]
rows = {(row["key"], row["value"]): row for row in controls["widths"]}
dots = {"1 and 1": rows[1, 1]["loss"], "1 and 1, twice\nthe steps": controls["twice the steps"]}
dots |= {f"{key} and {value}": row["loss"] for (key, value), row in rows.items()}
axes = plt.subplots(figsize=(7.5, 3.2))[1]
for i, losses in enumerate(dots.values()):
    axes.plot([i] * len(losses), losses, "o", color=plots.COLORS[0], alpha=0.6)
axes.set_xticks(range(len(dots)), list(dots))
axes.set(xlabel="width of queries and keys, and width of values (one dot a seed)", ylabel="loss after training")
_ = axes.set_title("Sixteen heads, 5 seeds each: width 8 of either kind is enough")
narrow = rows[1, 1]["loss"] + controls["twice the steps"]
assert min(narrow) > 0.2 and max(rows[8, 1]["loss"] + rows[1, 8]["loss"]) < 0.05

# %% [markdown]
# Queries and keys of width 8 cure it, as predicted. But values of width 8 cure it as well, with queries and keys as
# narrow as before. **As the whole explanation it has failed.**
#
# (Another prediction does not hold in full, either. With queries and keys of width 2 each of eight keys can be a
# favourite, if they lie on a circle and the query points at it. Still 0.02 to 0.06 of the loss is left.)
#
# How can wide values help to *find* the left neighbour? Look into such a layer. On the left is one of its sixteen
# heads, the one that looks at the left neighbour most. On the right is what all sixteen together make of the first of
# the eight numbers: each head's weights times its factor, added up by $W_O$.

# %% jupyter={"source_hidden": true} tags=["deeper"]
blurred = rows[1, 8]
figure, panels = plt.subplots(1, 2, figsize=(9, 3.6))
_ = plots.matrix(panels[0], blurred["sharpest head"][2:], places[2:], places, title="weights of one head, the sharpest")
together = torch.tensor(blurred["together"])[2:]
image = panels[1].imshow(together, cmap="RdBu_r", vmin=-1.6, vmax=1.6)
for t in range(6):
    for s in range(8):
        number = round(together[t, s].item(), 2) + 0.0  # + 0.0 makes -0.0 a 0
        ink = "white" if abs(number) > 0.7 else "black"
        panels[1].text(s, t, f"{number:.2f}", ha="center", va="center", fontsize=8, color=ink)
panels[1].set(xticks=range(8), xticklabels=places, yticks=range(6), yticklabels=places[2:])
panels[1].set(xlabel="key", ylabel="query", title="all sixteen, times their factors")
panels[1].grid(visible=False)
figure.colorbar(image, ax=panels[1], shrink=0.8, label="weight times factor, summed")
title = "Queries and keys of width 1, values of 8 (one seed): partial looks add up to a sharp one"
_ = figure.suptitle(title, x=0.02, ha="left")

# %% jupyter={"source_hidden": true} tags=["deeper"]
print("widths    one head looks left   loss (5 seeds)")
for widths in ((1, 1), (1, 8), (8, 1)):
    most, losses = rows[widths]["most of one head"], rows[widths]["loss"]
    print(f"{widths[0]} and {widths[1]}   at most {max(most):.2f}        {min(losses):.2f} to {max(losses):.2f}")
assert max(rows[1, 8]["most of one head"]) < min(rows[8, 1]["most of one head"]) - 0.4
assert max(abs(left - 1) for left in blurred["left"]) < 0.05

# %% [markdown]
# No single head finds it. Even the best has two favourites, the third position and the fifth. And as the table shows,
# no head of these layers looks at the left neighbour more than those of the layers that do badly.
#
# The sum finds it. With values of width 8 every head carries all eight numbers, each with a factor of its own, positive
# or negative. Added and subtracted, sixteen partial looks make a sharp one.
#
# With values of width 1, sixteen heads carry only sixteen numbers in all. Is *that* what is missing? More heads help,
# and carry more. But they also have more favourites and more parameters, so this does not decide it. And four heads of
# width 4 carry sixteen numbers as well, with as many parameters, and solve the task. So it is not the count of carried
# numbers alone, either.

# %% [markdown]
# ## 9. What people get wrong
#
# **The split without the transpose.** It raises no error, and all shapes are right. Put it into the trained translator, at
# the split, at the merge or at both, and read what it writes:


# %%
some = ["Sunday, November 22, 2026", "Friday, March 13, 2026", "Monday, December 31, 1999"]
layers = [module for module in model.modules() if isinstance(module, MultiHeadAttention)]
split_alone = [(layer, "split", lambda x: x.reshape(x.shape[0], 4, x.shape[1], -1)) for layer in layers]
merge_alone = [(layer, "merge", lambda x: x.reshape(x.shape[0], x.shape[2], -1)) for layer in layers]
print("right           ", *translate(model, tokenizer, some[:2]))
for name, changes in (("split", split_alone), ("merge", merge_alone), ("both", split_alone + merge_alone)):
    with patched(changes):
        right = exact_match(model, tokenizer, held_out)
        print(f"{name:5} {right:4.0%} right", *translate(model, tokenizer, some[:2]))

# %% [markdown]
# These are well-formed dates, some of them even correct, and nothing warns you. Would a model *trained* with the
# mistake learn its way around it? Two heads on *left minus first*, split and merged by `view` alone, five seeds:

# %%
viewed = controls["without transpose"]
print(f"without the transpose the loss ends between {min(viewed):.2f} and {max(viewed):.2f};", end=" ")
print(f"with it, at {middle[2]:.2f} from {sum(loss < 0.01 for loss in by_heads[2])} of 8 seeds")
assert min(viewed) > 0.5

# %% [markdown]
# It learns something, and ends worse than a *single* head. Without the transpose each head gets a stretch of the *text*
# in place of a share of the width: one holds the first four positions, the other the last four. So from the fifth
# position on nobody sees the first, and the fifth does not see its left neighbour, either.
#
# <details><summary>Deeper: under a causal mask, and a kinder mistake</summary>
#
# In a decoder the broken split also breaks the causal mask of lesson 03, because row $t$ of the mask no longer meets token
# $t$: if only the split is wrong, tokens see their future.
#
# To forget to transpose the *key* is a kinder mistake: `q @ k` raises an error, for the last axis of `q` and the last but
# one of `k` do not fit. Unless $T = \text{d\_head}$: then it runs.
#
# </details>

# %% [markdown] jp-MarkdownHeadingCollapsed=true
# ### Deeper: a sum that fits, and a wrong reason
#
# Why does the loss end at 0.58? Suppose that each position has a single look left, which costs a half, as in section 3.
# The fifth sees neither its left neighbour nor the first, so it can only answer 0, which costs 1. Over the six
# positions that makes $(5 \cdot 0.5 + 1) / 6 = 0.58$.
#
# It fits. It even fits at each position, as the first row below shows (over 2,000 examples, so a half may come out as
# 0.51):

# %% tags=["deeper"]
by_hand, onward = (
    experiment("head_widths").by_position(experiment("head_widths").viewed_by_hand()),
    controls["without transpose, from hand"],
)
print("position               3     4     5     6     7     8    mean")
for name, losses in (("trained", controls["without transpose, by position"][0]), ("written by hand", by_hand)):
    print(f"{name:18}", *(f"{abs(loss):5.2f}" for loss in losses), f" {sum(losses) / 6:5.2f}")
print(f"by hand first, then trained for 400 steps, five seeds: {min(onward):.2f} to {max(onward):.2f}")
assert by_hand[0] + by_hand[1] < 0.01 and abs(sum(by_hand) / 6 - 0.42) < 0.01 and max(onward) < 0.43

# %% [markdown]
# And yet the explanation is wrong, as the second row shows. It is the same layer with the same mistake, but its numbers
# are written by hand, and the third and the fourth position come out *exactly* right. So a position has two looks after
# all. `view` makes two rows of it, one of each half of its features, and each row looks for itself.
#
# The limit is what a head *holds*. From the sixth position on only the first one is missing, which costs a half each.
# The fifth misses both, which costs 1. That makes $(0 + 0 + 1 + 3 \cdot 0.5) / 6 = 0.42$, and the layer written by hand
# reaches it. Training that begins with random numbers ends at 0.58. Begun with those written by hand, it stays at 0.42.
# **A sum that fits is not yet a reason.**

# %% [markdown]
# ## 10. What you have now
#
# A layer with heads, written by you. Put it into the translator, in all six places, with what the translator has learnt, and
# let it write:


# %% jupyter={"source_hidden": true}
def on_yours(model, yours):
    """Within the block each attention layer of the model is computed by a module of yours, with the layer's parameters."""

    def forward_of(layer):
        own = yours(64, 4)
        own.load_state_dict(layer.state_dict())
        # The package's layer makes the causal mask itself; rotation and cache are not needed here.
        return lambda x, memory=None, mask=None, causal=False, rotation=None, cache=None: own(
            x, memory, causal_mask(x.shape[1]) if causal else mask
        )

    layers = [module for module in model.modules() if isinstance(module, MultiHeadAttention)]
    return patched((layer, "forward", forward_of(layer)) for layer in layers)


# %%
with on_yours(model, MultiHead):
    for date in some:
        print(date, "->", translate(model, tokenizer, [date], use_cache=False)[0])

# %% [markdown]
# In the package the same layer is called `MultiHeadAttention`; `split` and `merge` are its methods, and it is the one in
# the translator. PyTorch's own, `nn.MultiheadAttention`, keeps $W_Q$, $W_K$ and $W_V$ in one matrix, one above the other.
# With the same parameters all three give the same numbers:

# %%
layer, own = layers[0], MultiHead(64, 4)
own.load_state_dict(layer.state_dict())
torchs = nn.MultiheadAttention(64, 4, batch_first=True)
with torch.no_grad():
    torchs.in_proj_weight.copy_(torch.cat((layer.w_q.weight, layer.w_k.weight, layer.w_v.weight)))
    torchs.in_proj_bias.copy_(torch.cat((layer.w_q.bias, layer.w_k.bias, layer.w_v.bias)))
    torchs.out_proj.load_state_dict(layer.w_o.state_dict())
    x = model.embedding(source)[0]
    for name, other in (("the package's", layer(x)), ("PyTorch's", torchs(x, x, x)[0])):
        assert (own(x) - other).abs().max() < 1e-5
        print(f"yours and {name:13} differ by less than 0.00001; the output reaches {other.abs().max():.1f}")

# %% [markdown]
# ## 11. Check yourself
#
# <details><summary>A colleague tests a new split with one token, then with one head. Both tests pass. What do they
# show?</summary>
#
# Nothing about the transpose: with $T = 1$ or $H = 1$ a view alone gives the same numbers. Test with $T$, $H$ and
# $\text{d\_head}$ all different, and above 1.
#
# </details>
#
# <details><summary>Could one head of width 1000 compute "left neighbour minus first", if its weights go by position
# alone?</summary>
#
# No. Its weights are at least 0, and what it averages goes through one linear step, so both positions come out with the same
# sign. Width does not help; a second set of weights does.
#
# </details>
#
# <details><summary>A layer of width 512 goes from 8 heads to 16. What doubles, and what does not?</summary>
#
# The weights to hold double, and the exponentials. Parameters and multiply-adds stay. Each head's width halves, from
# 64 to 32, so the scores are divided by $\sqrt{32}$ in place of $\sqrt{64}$.
#
# </details>
#
# Now the [exercises of this lesson](../exercises/04_multi_head/multi_head.ipynb): three core questions, then four more.
#
# ## Takeaways
#
# * One head hands over one weighted average, through one linear step: as long as its weights go by position, it cannot
#   add here and subtract there, at any width. Two heads can.
# * Heads cut the *width*, never the text. Split is `view` to $(B, T, H, \text{d\_head})$, then `transpose(1, 2)`; merge is the way
#   back. $W_O$ sums the heads: each has its own rows of it.
# * $H$ heads that share the width cost the same parameters and multiply-adds for every $H$, and $H$ times the weights.
# * On our task sixteen heads of width 1 do badly; wider queries and keys, wider values or more heads cure it, and we cannot say
#   which of these was missing. What one head looks at is not what the layer does: the heads are summed.
# * Why *this* translator has four heads we have not shown. With one it learns dates as well.
#
# **Papers.** Vaswani et al. (2017), [arXiv:1706.03762](https://arxiv.org/abs/1706.03762), section 3.2.2. Michel, Levy,
# Neubig (2019), [arXiv:1905.10650](https://arxiv.org/abs/1905.10650): how many heads a trained model can lose. Bhojanapalli
# et al. (2020), [arXiv:2002.07028](https://arxiv.org/abs/2002.07028): heads that are too narrow. Ainslie et al. (2023),
# [arXiv:2305.13245](https://arxiv.org/abs/2305.13245): grouped queries.
#
# Previous: [03 Masks](03_masks.ipynb). Next: [05 Feed-forward](05_feed_forward.ipynb).

# %% [markdown]
# # 04 Multi-head attention
#
# **You will find a task that one attention cannot solve at any width, cut a layer into heads number by number, and count
# what heads cost.**
#
# After this lesson you will be able to
#
# * say what one head cannot do, and prove it;
# * split a tensor into heads, compute all of them in one product, and merge them, with every shape named;
# * spot the split that raises no error and mixes positions with features;
# * say what $H$ heads cost against one of the same whole width, and when there are too many.
#
# About 50 minutes. It builds on [02 Attention](02_attention.ipynb) and [03 Masks](03_masks.ipynb). Every term and letter:
# [glossary](glossary.ipynb).

# %%
from contextlib import ExitStack

import matplotlib.pyplot as plt
import torch
from torch import nn

# %%
from transformer_lab import (
    MultiHeadAttention,
    ablate_heads,
    causal_mask,
    exact_match,
    load,
    scaled_dot_product_attention,
)
from transformer_lab.data import dates
from transformer_lab.experiments import recorded
from transformer_lab.grading import predict
from transformer_lab.viz import SplitExplorer, plots, split_both_ways

plots.use_style()
_ = torch.manual_seed(0)

# %% [markdown]
# ## 1. Break it
#
# In the date translator attention stands in six places: in each of two layers the English words read each other, the Chinese
# ones read each other, and the Chinese read the English. In every place there is not one attention but four, side by side:
# four **heads**, numbered 0 to 3. Each makes weights of its own.
#
# We silence heads (their output becomes zero), train nothing again, and count the dates that stay right.

# %%
model, tokenizer = load("dates")
held_out = dates.held_out_pairs(300)
assert (model.config.n_layers, model.config.n_heads) == (2, 4)


def right_without(silent):
    """The share of dates translated exactly while these heads are silent in all six places."""
    with ExitStack() as stack:
        for kind in ("encoder", "decoder", "cross"):
            pairs = [(layer, head) for layer in (0, 1) for head in silent]
            stack.enter_context(ablate_heads(model, pairs, kind))
        return exact_match(model, tokenizer, held_out)


# %% [markdown]
# First keep only *one* head in each place. (Lesson 00 kept head 0.) There are four choices: only head 0, only head 1 and so
# on. With the best of these four choices, how many dates stay right: `"nearly all"`, `"about a quarter"` or
# `"hardly any"`?

# %%
predict("04_multi_head.break_heads", None)

# %% jupyter={"outputs_hidden": true}
right = {"all four heads": right_without([])}
for h in range(4):
    right[f"only head {h}"] = right_without([other for other in range(4) if other != h])
for h in range(4):
    right[f"all but head {h}"] = right_without([h])

alone, missing = list(right.values())[1:5], list(right.values())[5:]
best, low, high = (round(100 * share) for share in (max(alone), min(missing), max(missing)))
title = f"One head alone: {best} % at best. One head missing: {low} % to {high} %"
_ = plots.shares(plt.subplots(figsize=(7, 3))[1], right, title)

# %% jupyter={"outputs_hidden": true}
survive = "nearly all" if max(alone) > 0.9 else "hardly any" if max(alone) < 0.05 else "about a quarter"
predict("04_multi_head.break_heads", actual=survive)

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
# Checks the claims of this section
print("The claims of this section:")
print("no single head keeps 5 % of the dates:", max(alone) < 0.05)
print("the four do not matter alike (best and worst differ by more than half):", max(missing) - min(missing) > 0.5)

# %% [markdown]
# Two cautions. Head 2 of one place has nothing to do with head 2 of another: the numbers are only names. And the heads of
# this model learnt *together*, as a team. The damage shows what this team relies on, not that a model with one head could
# not have learnt the task. (Trained models often survive losing many heads: Michel et al., 2019.) To learn what several
# heads are *for*, we need a task that one head cannot learn.
#
# ## 2. What one head cannot do
#
# Here is one. There are $T = 8$ positions, each holding 8 random numbers, and beside them a marker that says which position
# it is: a vector with one entry that is not 0. At every position from 2 on, hand over **the numbers of the left neighbour
# minus those of the first position**. (Position 0 has no left neighbour; that of position 1 *is* the first.)
#
# The layer is one attention between linear maps, and nothing else. It is 16 wide, and we read its first 8 outputs. The
# **loss** is their mean squared error, in such a unit that answering 0 everywhere gets 1.


# %%
length, width = 8, 8  # T, and how many numbers each position holds


def examples(n):
    """x (n, 8, 16): numbers and marker. target (n, 6, 8), for positions 2 to 7."""
    numbers = torch.randn(n, length, width)
    marker = 3 * torch.eye(length).expand(n, length, length)
    return torch.cat((numbers, marker), dim=-1), numbers[:, 1:-1] - numbers[:, :1]


def loss_of(layer, n):
    x, target = examples(n)
    return (layer(x)[:, 2:, :width] - target).square().mean() / 2  # the target's variance is 1 + 1 = 2


print(f"loss of answering 0 everywhere: {loss_of(torch.zeros_like, 2000):.1f}")


# %% [markdown]
# We train it with *one* head, whose queries, keys and values have the full width of 16. Where does its loss end: `"near 0"`,
# `"near a half"` or `"near 1"`?

# %%
predict("04_multi_head.one_head", None)


# %%
def train(n_heads, steps=200):
    torch.manual_seed(1)
    layer = MultiHeadAttention(2 * width, n_heads)
    # Adam is descent with a step of its own for each weight; the schedule lets the steps grow, then shrink (lesson 12)
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


# %% jupyter={"outputs_hidden": true}
one_head, losses_of_one = train(n_heads=1)
figure, axes = plt.subplots(figsize=(7, 2.6))
axes.plot(losses_of_one, label="one head of width 16")
for level in (0, 0.5, 1):
    axes.axhline(level, color="grey", linestyle=":")
end = sum(losses_of_one[-20:]) / 20
axes.set(xlabel="training step", ylabel="loss", ylim=(-0.05, 1.2), title=f"One head: the loss ends at {end:.1f}")
_ = axes.legend()

# %% jupyter={"outputs_hidden": true}
where = "near 0" if end < 0.1 else "near a half" if 0.4 < end < 0.6 else "near 1"
predict("04_multi_head.one_head", actual=where)

# %% [markdown]
# <details><summary>What the picture shows, and why. Open this after your guess</summary>
#
# The loss falls to a half and stays there. Look at one number of each position, and let the head put weight $a \ge 0$ on
# the left neighbour and $b \ge 0$ on the first position. Value map and output map are two linear maps in a row, so for one
# number they are one factor $m$. The head says $m\,(a \cdot \text{left} + b \cdot \text{first})$. Wanted: $ma = 1$ and
# $mb = -1$. The weights cannot be negative, and one $m$ cannot have two signs.
#
# For numbers of variance 1 the loss is $\frac{1}{2}\left[(ma - 1)^2 + (mb + 1)^2\right]$. If $m \ge 0$, the second square
# is at least 1; if $m \le 0$, the first is. So it is at least a half. Whatever else reaches the output (weight on other
# positions, other numbers, a bias) has nothing to do with the target, and can only add to the loss. So no width changes
# the bound: each of the 8 numbers has its own $m$, and the argument holds for each.
#
# </details>

# %% jupyter={"outputs_hidden": true}
m = torch.linspace(-2, 2, 401)
figure, axes = plt.subplots(figsize=(7, 2.8))
lowest = []
for a in (1.0, 0.75, 0.5, 0.25, 0.0):
    loss = ((m * a - 1) ** 2 + (m * (1 - a) + 1) ** 2) / 2
    lowest.append(loss.min().item())
    axes.plot(m, loss, label=f"weight on left {a:g}, on first {1 - a:g}")
assert min(lowest) >= 0.5 - 1e-6
axes.set(xlabel="m, the one factor of one head", ylabel="loss", ylim=(0, 2.5))
axes.set_title(f"Five pairs of weights: no factor gets below {min(lowest):.1f}")
_ = axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))

# %% [markdown]
# The best a head can do is to give up one half of the task: read the first position alone with $m = -1$, or the left
# neighbour alone with $m = 1$. (One thing the argument leaves out: weights may depend on the numbers too, not on positions
# only. Section 6 measures whether training finds a gain in that.)
#
# ## 3. Two heads, by hand
#
# Two heads have two sets of weights and two factors. One reads the left neighbour with $+1$, the other the first position
# with $-1$. No training is needed; we can write the matrices down. (The 10 in the queries makes the weights sharp.)
#
# A head has three matrices of its own: $W_Q$, $W_K$ and $W_V$, each of shape $(D, \text{d\_head})$. $D$ is the width of `x`,
# here 16: 8 numbers, then the marker. $\text{d\_head}$ is the head's width, here 8.


# %%
def head(x, w_q, w_k, w_v):
    """x (T, D), three matrices (D, d_head) -> output (T, d_head)"""
    return scaled_dot_product_attention(x @ w_q, x @ w_k, x @ w_v)[0]


eye, zeros = torch.eye(8), torch.zeros(8, 8)
read_numbers, read_marker = torch.cat((eye, zeros)), torch.cat((zeros, eye))  # (D, d_head) each
to_left = torch.diag(torch.ones(7), diagonal=-1)  # row t has its 1 in column t - 1
to_first = torch.zeros(8, 8).index_fill(1, torch.tensor(0), 1.0)  # every row has its 1 in column 0

x, target = (tensor[0] for tensor in examples(1))
left = head(x, 10 * read_marker @ to_left, read_marker, read_numbers)
first = head(x, 10 * read_marker @ to_first, read_marker, read_numbers)
assert torch.allclose((left - first)[2:], target, atol=1e-5)

# %% [markdown]
# Solved: `left - first` is the target. The last step, $+1$ times one head and $-1$ times the other, is again a matrix. Put
# the heads' outputs side by side, and multiply by the **output projection** $W_O$, of shape
# $(H \cdot \text{d\_head}, \text{width of the output})$ with $H$ the number of heads. Here $W_O$ is a unit matrix over a negative
# one:

# %%
w_o = torch.cat((eye, -eye))  # (H * d_head, 8): the first 8 rows belong to head 0, the others to head 1
side_by_side = torch.cat((left, first), dim=1)  # (T, H * d_head)
assert torch.allclose(side_by_side @ w_o, left @ w_o[:8] + first @ w_o[8:])
assert torch.allclose((side_by_side @ w_o)[2:], target, atol=1e-5)

# %% [markdown]
# The first line of the two is worth a second look: one product with the whole of $W_O$ equals the **sum** of every head's
# output times its own rows of $W_O$. Without $W_O$ the heads would stand in separate columns and never meet.
#
# ## 4. All heads in one product
#
# A loop over heads makes $3H$ small products with `x` where three large ones would do. Now the same without a loop. All sizes
# differ, so that a wrong axis cannot pass unnoticed; $B$ is the batch.

# %%
B, T, D, H, d_head = 2, 5, 12, 3, 4
x = torch.randn(B, T, D)
w_q, w_k, w_v = torch.randn(3, H, D, d_head) / D**0.5  # a matrix (D, d_head) for each head
w_o = torch.randn(H * d_head, D) / D**0.5

outputs = [head(x, w_q[h], w_k[h], w_v[h]) for h in range(H)]  # head() takes leading axes too
by_loop = torch.cat(outputs, dim=-1) @ w_o
by_loop.shape

# %% [markdown]
# **Step 1: one matrix for all heads.** Write the heads' $W_Q$ side by side, $(D, H \cdot \text{d\_head})$. One product then
# gives all queries side by side: the first $\text{d\_head}$ **features** (columns) are head 0's, the next are head 1's.

# %%
W_Q, W_K, W_V = (torch.cat(list(w), dim=1) for w in (w_q, w_k, w_v))
Q = x @ W_Q  # (B, T, H * d_head)
for h in range(H):
    assert torch.allclose(Q[..., h * d_head : (h + 1) * d_head], x @ w_q[h], atol=1e-6)
W_Q.shape, Q.shape

# %% [markdown]
# As a rule $H \cdot \text{d\_head} = D$: the heads share out the width that there is.
#
# **Step 2: split.** Every head must attend on its own, so heads must become a leading axis, like the batch. `view` cuts the
# last axis into $(H, \text{d\_head})$ and moves nothing. `transpose(1, 2)` then swaps positions and heads. On numbered
# elements, $T = 4$, $H = 3$, $\text{d\_head} = 2$:

# %%
numbered = torch.arange(24).view(1, 4, 6)  # (B, T, D) = (1, 4, 6): position 0 holds 0 to 5
cut = numbered.view(1, 4, 3, 2)  # (B, T, H, d_head)
heads = cut.transpose(1, 2)  # (B, H, T, d_head)
print("position 1:", cut[0, 1].tolist(), "  three heads' shares of its numbers 6 to 11")
print("head 1:    ", heads[0, 1].tolist(), "  its share of all four positions")

# %% [markdown]
# The result has shape $(B, H, T, \text{d\_head})$. So why not `view(B, H, T, d_head)` at once, without the transpose (M11)? It
# runs, and the shape is the same. (Numbers such as M11 count the misconceptions this course has collected from print.) When
# do the two agree on *every* number: `"when T = H"`, `"when T = 1 or H = 1"` or `"never"`?

# %%
predict("04_multi_head.agree", None)

# %% [markdown]
# Play. First the tensor, then `view` and `transpose`, then `view` alone. A colour is the head that a
# feature belongs to. Click a number, or focus the left tensor and use the arrow keys. A frame marks a number that both put
# in the same place.
#
# 1. Click 8. It belongs to position 1. Here `view` alone takes it for position 0. For which one when $T = 5$? When $T = 6$?
# 2. Move $T$ and $H$ until every number is framed. Which settings do it?
# 3. Set $T = 3$, $H = 3$, then $T = 5$, $H = 3$. Where do the frames lie? Does $\text{d\_head}$ matter?

# %%
explorer = SplitExplorer()
explorer


# %% jupyter={"outputs_hidden": true}
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
# <details><summary>Answers, when you have tried</summary>
#
# 1\. For position 4 of head 0, both times. 2\. When $T = 1$ or $H = 1$: then there is nothing to swap. So a test with one
# token, or with one head, cannot find this fault. 3\. On a line from the first piece to the last; $\text{d\_head}$ does not
# matter.
# Exercise 7 asks how many there are.
#
# </details>
#
# **Step 3: one batched product.** $B$ and $H$ are now both leading axes. Attention works on the last two and treats every
# example and head alone.
#
# | name | shape | meaning |
# |---|---|---|
# | `x` | $(B, T, D)$ | one vector a position |
# | `q`, `k`, `v` | $(B, H, T, \text{d\_head})$ | split: each head's share |
# | `scores`, `weights` | $(B, H, T, T)$ | a map for every head; in cross-attention $(B, H, T, S)$, with $S$ keys |
# | `output` | $(B, H, T, \text{d\_head})$ | each head's weighted average |
# | merged | $(B, T, H \cdot \text{d\_head})$ | side by side again, ready for $W_O$ |


# %%
def split(x, n_heads):
    """(B, T, D) -> (B, H, T, d_head)"""
    B, T, D = x.shape
    return x.view(B, T, n_heads, D // n_heads).transpose(1, 2)


q, k, v = (split(x @ W, H) for W in (W_Q, W_K, W_V))
output, weights = scaled_dot_product_attention(q, k, v)
for h in range(H):
    assert torch.allclose(output[:, h], outputs[h], atol=1e-5)
q.shape, weights.shape, output.shape

# %% [markdown]
# The division inside is by $\sqrt{\text{d\_head}}$, the width of the vectors that meet.
#
# **Step 4: merge.** The way back: swap heads and positions, then flatten the last two axes.


# %%
def merge(heads):
    """(B, H, T, d_head) -> (B, T, H * d_head)"""
    return heads.transpose(1, 2).flatten(start_dim=2)


assert torch.equal(merge(split(x, H)), x)
assert torch.allclose(merge(output) @ w_o, by_loop, atol=1e-5)

# %% [markdown]
# The loop is gone. $H$ attentions became one batched product between two reshapes.
#
# ## 5. The module
#
# Now with learnt maps. `nn.Linear(D, D)` holds the matrices of all heads side by side (and a bias); it stores them
# transposed, which is its own business. The formula (Vaswani et al., 2017, section 3.2.2):
#
# $$\text{MultiHead}(x) = [\text{head}_0, \ldots, \text{head}_{H-1}]\, W_O, \qquad
# \text{head}_h = \text{Attention}(x W_Q^h,\; x W_K^h,\; x W_V^h)$$


# %%
class MultiHead(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.w_q, self.w_k, self.w_v, self.w_o = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, x, memory=None, mask=None):
        memory = x if memory is None else memory  # keys and values: from x itself, or from another sequence
        q, k, v = self.w_q(x), self.w_k(memory), self.w_v(memory)
        q, k, v = (split(part, self.n_heads) for part in (q, k, v))
        output, _ = scaled_dot_product_attention(q, k, v, mask)
        return self.w_o(merge(output))


ours = MultiHead(D, H)
ours(x).shape, ours(x, memory=torch.randn(B, 7, D)).shape

# %% [markdown]
# ## 6. Measure: two signs, and too many heads
#
# Back to the task of section 2. First two heads of width 8: as many parameters as the one head of width 16.

# %%
two_heads, losses_of_two = train(n_heads=2)
sizes = [sum(p.numel() for p in layer.parameters()) for layer in (one_head, two_heads)]
print("as many parameters:           ", sizes[0] == sizes[1])
print("one head:  loss at least 0.45:", sum(losses_of_one[-20:]) / 20 > 0.45)
print("two heads: loss below 0.01:   ", sum(losses_of_two[-20:]) / 20 < 0.01)

# %% [markdown]
# What did they learn? For each head, the weights averaged over 200 examples, and its one factor: the mean diagonal of its
# part of $W_V W_O$, from number to number. (In the code the two stand the other way round: `nn.Linear` stores its matrix
# transposed.)

# %%
figure, panels = plt.subplots(1, 3, figsize=(10.5, 3.3))
factors = []
with torch.no_grad():
    for layer, h, axes in ((one_head, 0, panels[0]), (two_heads, 0, panels[1]), (two_heads, 1, panels[2])):
        inputs, own = examples(200)[0], slice(h * layer.d_head, (h + 1) * layer.d_head)
        q, k = layer.split(layer.w_q(inputs)), layer.split(layer.w_k(inputs))
        weights = scaled_dot_product_attention(q, k, k)[1][:, h].mean(dim=0)
        factor = (layer.w_o.weight[:width, own] @ layer.w_v.weight[own, :width]).diagonal().mean()
        factors.append(factor.item())
        name = "one head" if layer is one_head else f"two heads: head {h}"
        _ = plots.matrix(axes, weights[2:], rows=list(range(2, 8)), title=f"{name}, factor {factor:+.1f}")

# %%
minus, plus = sorted(factors[1:])
print("two heads: one factor within 0.1 of -1, the other of +1:", abs(minus + 1) < 0.1 and abs(plus - 1) < 0.1)

# %% [markdown]
# Training found what we wrote down by hand: one head reads the left neighbour (a diagonal) with factor $+1$, the other the
# first position (a column) with $-1$. Which of them is head 0 is chance. The single head gave up one half of the task.
# (Two heads *can* solve it. Nothing tells them to share it out, and from some starts they do not: the next experiment counts
# how often.)
#
# If two are better than one, are more better still? The width of 16 stays, so 16 heads have width 1. Against two heads of
# width 8, are 16 of width 1 `"better"`, `"as good"` or `"worse"`?

# %%
predict("04_multi_head.many_heads", None)

# %% [markdown]
# This is a longer run, `experiments/two_signs.py`: 8 seeds, 400 steps. As a control, one head whose queries, keys and values
# are twice as wide.

# %% jupyter={"outputs_hidden": true}
kept = recorded("two_signs")["result"]
by_heads = {int(n): losses for n, losses in kept["loss"].items()}
wide = kept["one head of twice the width"]
figure, axes = plt.subplots(figsize=(7, 3))
for i, losses in enumerate(by_heads.values()):
    axes.plot([i] * len(losses), losses, "o", color=plots.COLORS[0], alpha=0.6)
axes.plot([0.15] * len(wide), wide, "s", color=plots.COLORS[1], alpha=0.6, label="one head of twice the width")
axes.axhline(0.5, color="grey", linestyle=":", label="a half: the bound of section 2")
axes.set_xticks(range(len(by_heads)), [f"{n} of {16 // n}" for n in by_heads])
axes.set(xlabel="heads, and the width of each (one dot a start)", ylabel="loss after training", ylim=(-0.03, 0.7))
solved, middle = sum(loss < 0.01 for loss in by_heads[2]), {n: sorted(by_heads[n])[4] for n in by_heads}
title = (
    f"One head ends at {middle[1]:.1f}, two at {middle[2]:.1f} from {solved} of 8 starts, sixteen at {middle[16]:.1f}"
)
axes.set_title(title)
_ = axes.legend(loc="upper right", fontsize=8)

# %% jupyter={"outputs_hidden": true}
difference = middle[16] - middle[2]  # of the seeds in the middle
many = "worse" if difference > 0.05 else "better" if difference < -0.05 else "as good"
predict("04_multi_head.many_heads", actual=many)

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
# Checks the claims of this section
print("The claims of this section:")
print("one head, of either width: between 0.48 and 0.52, every seed:", all(0.48 < x < 0.52 for x in by_heads[1] + wide))
print("two heads: below 0.01 from 7 of 8 seeds, a half from the other:", solved == 7, 0.48 < max(by_heads[2]) < 0.52)
print("four heads: below 0.01, every seed:", max(by_heads[4]) < 0.01)
print("eight heads: between the two, every seed below 0.2:", max(by_heads[8]) < 0.2)
print("sixteen heads: above 0.2, every seed:", min(by_heads[16]) > 0.2)

# %% [markdown]
# <details><summary>How to read it</summary>
#
# One head stays at the bound at *either* width: weights that depend on the numbers were free to beat it, and did not. Two
# heads solve the task from 7 of 8 starts, and are still at a half from the other after 400 steps. Four solve it from all 8.
# Eight, of width 2, get most of the way. Sixteen, of width 1, fail. Why? Query and
# key are then one number each, and a score is their product. The largest score always goes to the largest key (for a
# positive query) or to the smallest (for a negative one). The other positions cannot win.
#
# </details>

# %% jupyter={"outputs_hidden": true}
print("How many of 8 keys can win, over 10,000 queries of any direction?")
for d in (1, 2, 8):
    keys, queries = torch.randn(8, d), torch.randn(10_000, d)
    winners = (queries @ keys.T).argmax(dim=1).unique().numel()
    assert d > 1 or winners == 2
    print(f"width {d}:", "two at most" if d == 1 else "more than two" if winners > 2 else "two")

# %% [markdown]
# So the number of heads is a trade: more maps, but narrower heads that choose less finely (Bhojanapalli et al., 2020).
# The model of 2017 has 8 heads of width 64.
#
# ## 7. What heads cost
#
# Some texts draw $H$ heads as $H$ layers in parallel (M13). A layer of width 512 goes from one head to eight, the width
# shared out. Its number of parameters becomes `"the same"`, `"8 times"` or `"an eighth"`? (We also count *multiply-adds*, a
# multiplication and the addition of its result: the product of `(a, b)` and `(b, c)` has $a \cdot b \cdot c$ of them.)

# %%
predict("04_multi_head.parameters", None)


# %%
def bill(n_heads, d_model=512, T=128):
    """Parameters, multiply-adds of all matrix products, numbers in the maps: summed over the heads."""
    d_head = d_model // n_heads
    parameters = sum(p.numel() for p in MultiHeadAttention(d_model, n_heads, bias=False).parameters())
    maps_in_and_out = 4 * T * d_model * d_head  # w_q, w_k, w_v, and this head's rows of w_o
    core = 2 * T * T * d_head  # scores; weighted sum of the values
    return parameters, n_heads * (maps_in_and_out + core), n_heads * T * T


# %% jupyter={"outputs_hidden": true}
print("heads   parameters   multiply-adds   numbers in the maps")
for n_heads in (1, 2, 4, 8):
    print("{:5}   {:10,}   {:13,}   {:19,}".format(n_heads, *bill(n_heads)))

# %% jupyter={"outputs_hidden": true}
ratio = bill(8)[0] / bill(1)[0]
predict("04_multi_head.parameters", actual={1.0: "the same", 8.0: "8 times", 0.125: "an eighth"}[ratio])

# %% [markdown]
# <details><summary>What the table says</summary>
#
# Parameters and multiply-adds do not change: eight heads of width 64 do the work of one of width 512, cut up differently.
# What grows is the number of maps: eight times the weights to hold, and eight times the exponentials of the softmax.
#
# </details>

# %%
heavy = bill(8)
assert heavy[:2] == bill(1)[:2] and heavy[2] == 8 * bill(1)[2]

# %% [markdown]
# ## 8. What people get wrong
#
# **Batched matmul on four axes, the key not transposed** (M10). The kind fault: it raises. `torch.bmm` takes three axes, and
# `q @ k` needs the key's last two axes swapped.

# %%
q, k = torch.randn(B, H, T, d_head), torch.randn(B, H, T, d_head)
for name, product in (("torch.bmm(q, k)", torch.bmm), ("q @ k", torch.matmul)):
    try:
        product(q, k)
    except RuntimeError as error:
        print(f"{name:17} raises: {str(error)[:60]}")
print(f"{'q @ k^T':17} gives", tuple((q @ k.transpose(-2, -1)).shape))
q = k = torch.randn(B, H, d_head, d_head)
print(f"{'T = d_head: q @ k':17} gives", tuple((q @ k).shape))

# %% [markdown]
# So beware of $T = \text{d\_head}$: then `q @ k` runs.
#
# **`view` without `transpose`** (M11). The unkind one: it runs, and every shape is right. To see the damage,
# change one token and look at which positions' outputs move, under a causal mask (lesson 03): position 0 may move all five,
# position 4 only itself.


# %%
def view_alone(x, n_heads):
    return x.reshape(x.shape[0], n_heads, x.shape[1], -1)


def merge_alone(heads):
    return heads.reshape(heads.shape[0], heads.shape[2], -1)


def causal_heads(x, cut, join):
    q, k, v = (cut(x @ W, H) for W in (W_Q, W_K, W_V))
    return join(scaled_dot_product_attention(q, k, v, causal_mask(T))[0])


# %%
ways = {
    "right": (split, merge),
    "view alone, both ways": (view_alone, merge_alone),
    "only split wrong": (view_alone, merge),
}
for name, way in ways.items():
    reached = []
    for position in (0, 4):
        changed = x.clone()
        changed[:, position] += 1
        moves = (causal_heads(changed, *way) - causal_heads(x, *way)).abs().amax(dim=(0, 2)) > 1e-6
        reached.append(moves.nonzero().flatten().tolist())
    print(f"{name:22} position 0 moves {reached[0]!s:16} position 4 moves {reached[1]}")

# %% [markdown]
# With `view` alone, both ways, position 0 never reaches positions 2 to 4: each head has got a stretch of the *sequence*. If
# only the split is wrong, the mask leaks: positions 2 and 3 see position 4, their future. No shape tells.
#
# **"Heads cut the sequence"** (M12). So only a broken split does that. Heads cut the features: every head has a whole map, $T$
# by $T$, and sees every position. Change the *first* token and look at each head's output at the *last* position (no mask):

# %%
changed = x.clone()
changed[:, 0] += 1
before, after = (
    scaled_dot_product_attention(*(split(inputs @ W, H) for W in (W_Q, W_K, W_V)))[0] for inputs in (x, changed)
)
print("heads whose last output the first token moves:",
      [h for h in range(H) if not torch.allclose(before[:, h, -1], after[:, h, -1])], "of", list(range(H)))  # fmt: skip

# %% [markdown]
# ## 9. In the package
#
# `transformer_lab.MultiHeadAttention` is the module of section 5. With the same weights it gives the same numbers; so does
# PyTorch's own, which keeps $W_Q$, $W_K$ and $W_V$ stacked in one matrix.

# %%
package = MultiHeadAttention(D, H)
package.load_state_dict(ours.state_dict())
assert torch.allclose(package(x), ours(x), atol=1e-5)

torchs = nn.MultiheadAttention(D, H, batch_first=True)
with torch.no_grad():
    torchs.in_proj_weight.copy_(torch.cat((ours.w_q.weight, ours.w_k.weight, ours.w_v.weight)))
    torchs.in_proj_bias.copy_(torch.cat((ours.w_q.bias, ours.w_k.bias, ours.w_v.bias)))
torchs.out_proj.load_state_dict(ours.w_o.state_dict())
assert torch.allclose(torchs(x, x, x)[0], ours(x), atol=1e-5)

# %% [markdown]
# It takes one size more. With `n_kv_heads` below `n_heads`, groups of query heads share one head of keys and values, so a
# model that writes text has less to keep (Ainslie et al., 2023; lesson 13 and exercise 6):

# %%
for n_kv_heads in (8, 2, 1):
    layer = MultiHeadAttention(512, 8, n_kv_heads=n_kv_heads)
    print(f"n_heads = 8, n_kv_heads = {n_kv_heads}: W_K is {tuple(layer.w_k.weight.T.shape)}")

# %% [markdown]
# ## 10. Check yourself
#
# <details><summary>A colleague tests a new split with one token, then with one head. Both tests pass. What do they
# show?</summary>
#
# Nothing about the transpose: with $T = 1$ or $H = 1$ a view alone gives the same numbers. Test with $T$, $H$ and
# $\text{d\_head}$ all different, and above 1.
#
# </details>
#
# <details><summary>Could one head of width 1000 compute "left neighbour minus first"?</summary>
#
# No. Its weights are at least 0, and one linear map follows them, so both positions come with the same sign. Width does not
# help; a second map of weights does.
#
# </details>
#
# <details><summary>A layer of width 512 goes from 8 heads to 16. What doubles, and what does not?</summary>
#
# The number of maps, and the exponentials in them, double. Parameters and multiply-adds stay. Each head's width halves, from
# 64 to 32, so the scores are divided by $\sqrt{32}$ in place of $\sqrt{64}$.
#
# </details>
#
# Now do the [exercises of this lesson](../exercises/04_multi_head/multi_head.ipynb): three core questions, then four more.
#
# ## Takeaways
#
# * One head hands over one weighted average through one linear map: it cannot add here and subtract there. Two heads can.
# * Heads cut the *features*. Split is `view` to $(B, T, H, \text{d\_head})$, then `transpose(1, 2)`; merge is the way back. `view`
#   alone agrees only when $T = 1$ or $H = 1$.
# * $H$ heads are one batched product. $W_O$ adds up the heads: each has its own rows of it.
# * Same parameters and multiply-adds for every $H$; $H$ maps. Heads that get too narrow cannot choose.
#
# **Papers.** Vaswani et al. (2017), [arXiv:1706.03762](https://arxiv.org/abs/1706.03762), section 3.2.2. Michel, Levy, Neubig
# (2019), [arXiv:1905.10650](https://arxiv.org/abs/1905.10650): how many heads a trained model can lose. Bhojanapalli et al.
# (2020), [arXiv:2002.07028](https://arxiv.org/abs/2002.07028): heads that are too narrow. Ainslie et al. (2023),
# [arXiv:2305.13245](https://arxiv.org/abs/2305.13245): grouped queries.
#
# Previous: [03 Masks](03_masks.ipynb). Next: [05 Feed-forward](05_feed_forward.ipynb).

# %% [markdown]
# # Exercises: 05 Feed-forward
#
# Write your answer where a cell says `raise NotImplementedError` or `None`, run it, then run the locked cell below. It
# tells you what your answer did and where to look. Run it as often as you like; nothing is sent anywhere. Do not copy or
# split the locked cells: a teacher's grading could not read the notebook any more.
#
# Questions 1-3 are the core (about 30 minutes). 4-7 are optional. All tensors are torch tensors, and `...` stands for
# any number of leading axes (batch, positions), also none. Matrices come as torch's `nn.Linear` stores them: one row
# for each output. Every function keeps the dtype, lets gradients through, also at large inputs, and leaves its inputs
# as they are. Numbers count as right to within 1e-4 (in question 2: 1e-5), relative where they exceed 1. A function of
# torch's or of the package's that does what is asked is accepted as an answer; you learn more without. Back to the
# [lesson](../../notebooks/05_feed_forward.ipynb).

# %%
import math

import torch
import torch.nn.functional as F
from torch import nn

from transformer_lab import FeedForward

# %% [markdown]
# ## Question 1: the feed-forward layer
# *5 points, difficulty 2 of 5, about 8 minutes*
#
# The lesson's function takes one token and knows only ReLU. Write `feed_forward(x, w_1, b_1, w_2, b_2, activation)`
# for any number of texts and tokens at once, without a loop over them. `x (..., D)`, `w_1 (d_ff, D)`, `b_1 (d_ff,)`,
# `w_2 (D, d_ff)`, `b_2 (D,)`; `activation` is any function of one tensor that works number by number. The output is
# as wide as `x`. Nothing else happens to it: in particular, `x` is not added here.
#
# <details><summary>Hint 1: a nudge</summary>
#
# `w_1 @ x` is for one column. If every token is a *row* of `x`, on which side must the matrix stand, and how must it lie? What
# width does the activation see? What width must come out, so that the result can be added to `x`?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# hidden `(..., d_ff)` = activation of ($x W_1^\top + b_1$); output `(..., D)` = hidden $W_2^\top + b_2$.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# hidden = activation(... + b_1)
# return hidden @ ... + ...
# ```
#
# </details>


# %% answer="feed_forward"
def feed_forward(x, w_1, b_1, w_2, b_2, activation):
    """(..., D) -> (..., D): up to d_ff, the activation, and back"""
    ### BEGIN SOLUTION
    return activation(x @ w_1.T + b_1) @ w_2.T + b_2
    ### END SOLUTION


# %% check="feed_forward" points=5
from transformer_lab.grading import grade

grade("05_feed_forward.feed_forward", feed_forward)

# %% [markdown]
# ## Question 2: GELU, twice
# *4 points, difficulty 2 of 5, about 10 minutes*
#
# Write `gelu(x)`, the exact one that BERT uses, and `gelu_tanh(x)`, the approximation that GPT-2 was trained with.
#
# * GELU is $x$ times the share of a normal distribution (mean 0, deviation 1) that lies *below* $x$. You
#   get it from the **error function**: `torch.erf(z)` is the share *between* $-\sqrt2\,z$ and $\sqrt2\,z$, with the sign of $z$.
# * The approximation takes a tanh in place of the erf: $\tanh\left[\sqrt{2/\pi}\,(u + 0.044715\,u^3)\right]$ is nearly the share between
#   $-u$ and $u$, with the sign of $u$. (Take the constant as given.)
#
# Both work number by number on a tensor of any shape. Values *and gradients* must be right for numbers as large as
# $\pm 10^4$, too. (Torch has both, and `F.gelu` is accepted; to learn something, do without.)
#
# <details><summary>Hint 1: a nudge</summary>
#
# Draw the bell of the distribution, and mark 0, $x$ and $-x$. Of which pieces is the part below $x$ made?
#
# </details>
# <details><summary>Hint 2: the share</summary>
#
# Half of the distribution lies below 0, and between 0 and $x$ lies half of what lies between $-x$ and $x$. Which $z$ makes erf
# count from $-x$ to $x$?
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# between = torch.erf(...)          # for the approximation: torch.tanh(math.sqrt(...) * (...))
# share = ... + ... * between
# return x * share
# ```
#
# </details>


# %% answer="gelu"
def gelu(x):
    """x times the share of a standard normal distribution below x, exactly"""
    ### BEGIN SOLUTION
    return x / 2 * (1 + torch.erf(x / math.sqrt(2)))
    ### END SOLUTION


# %% answer="gelu_tanh"
def gelu_tanh(x):
    """The approximation of gelu by a tanh"""
    ### BEGIN SOLUTION
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    return x / 2 * (1 + torch.tanh(inner))
    ### END SOLUTION


# %% check="gelu" points=4
from transformer_lab.grading import grade

grade("05_feed_forward.gelu", gelu, gelu_tanh)

# %% [markdown]
# ## Question 3: three broken layers
# *3 points, difficulty 3 of 5, about 12 minutes*
#
# Three feed-forward layers, each with one fault, and all different. They run, and what comes out has the right shape.
# For each layer, pick its fault from the first table, and from the second the observation that is true of this layer,
# and false of the other two and of the package's (write the tests that you need into a cell of your own). Both tables
# offer more than is needed. Write the words as they stand there, in quotation marks (capital letters do not matter).
#
# | fault | what it means |
# |---|---|
# | `"second projection missing"` | the hidden layer is the output |
# | `"too narrow"` | the inner width is `d_model` |
# | `"activation at the end"` | there is an activation after the last projection |
# | `"no activation"` | nothing stands between the projections |
# | `"activation first"` | an activation cuts off `x` before the first projection |
# | `"one matrix for both"` | the way up and the way down share their weights |
# | `"positions mixed"` | the output at one position depends on the input at another |
#
# | observation | how to make it |
# |---|---|
# | `"f(x) + f(-x) is 2 f(0)"` | run the layer on $x$, on $-x$ and on zeros |
# | `"the output is wider than x"` | `.shape` |
# | `"an output moves where no input has changed"` | change `x` at one position |
# | `"no output is below zero"` | `.min()` |
# | `"the matrices hold half as many numbers"` | count the parameters with two axes |
#
# Last, mend `b`: `repaired(d_model)` returns `broken_b(d_model)` without its fault, changed as little as possible: an
# `nn.Module` of the usual inner width and with ReLU. Biases and dropout are up to you.


# %%
class broken_a(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.up = nn.Linear(d_model, 4 * d_model)
        self.b_2 = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        hidden = F.relu(self.up(x))
        return hidden @ self.up.weight + self.b_2


# %%
class broken_b(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.up, self.down = nn.Linear(d_model, 4 * d_model), nn.Linear(4 * d_model, d_model)

    def forward(self, x):  # (B, T, D)
        hidden = F.relu(self.up(x))
        hidden = hidden - hidden.mean(dim=1, keepdim=True)
        return self.down(hidden)


# %%
def broken_c(d_model):
    up, down = nn.Linear(d_model, 4 * d_model), nn.Linear(4 * d_model, d_model)
    # dropout sets numbers to 0 at random while a model trains; after .eval() it does nothing
    return nn.Sequential(up, nn.Dropout(0.1), down).eval()


# %%
_ = torch.manual_seed(0)
x = torch.randn(2, 5, 64)
print("whole    ", tuple(FeedForward(64, 4 * 64)(x).shape))
for make in (broken_a, broken_b, broken_c):
    print(f"{make.__name__:9}", tuple(make(64)(x).shape))

# %% [markdown]
# <details><summary>Hint 1: a nudge</summary>
#
# A whole layer goes up with one matrix, is not linear there, and comes down with another matrix, at each position alone. Each
# snippet breaks one part of this sentence.
#
# </details>
# <details><summary>Hint 2: where to look</summary>
#
# How many numbers have the `p` of `layer.parameters()` with `p.ndim == 2`? Add what two linear maps in a row give at
# $x$ and at $-x$: what remains? And which axis of `(B, T, 4 d_model)` is `dim=1`?
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# layer, x = broken_b(64), torch.randn(2, 5, 64)
# changed = x.clone()
# changed[:, 3] = torch.randn(64)
# (layer(changed) - layer(x)).abs().amax(dim=(0, 2))     # (T,): where does the output move?
# ```
#
# </details>

# %% answer="diagnoses"
diagnoses = {  # of each layer: (fault, observation)
    "a": (None, None),
    "b": (None, None),
    "c": (None, None),
}
### BEGIN SOLUTION
diagnoses = {
    "a": ("one matrix for both", "the matrices hold half as many numbers"),
    "b": ("positions mixed", "an output moves where no input has changed"),
    "c": ("no activation", "f(x) + f(-x) is 2 f(0)"),
}
### END SOLUTION


# %% answer="repaired"
def repaired(d_model):
    """broken_b, mended"""
    ### BEGIN SOLUTION
    return nn.Sequential(nn.Linear(d_model, 4 * d_model), nn.ReLU(), nn.Linear(4 * d_model, d_model))
    ### END SOLUTION


# %% check="diagnose" points=3
from transformer_lab.grading import grade

grade("05_feed_forward.diagnose", diagnoses, repaired)

# %% [markdown]
# ## Question 4: does this layer mix positions?
# *Optional: 4 points, difficulty 3 of 5, about 10 minutes*
#
# You are handed a layer of which you know nothing. Call it as often as you like: `layer(x)` takes `(B, T, D)` and
# gives `(B, T, D)`, with the `T` and `D` of the `x` you are given. Write `mixes_positions(layer, x)`: `True` if the
# output at some position depends on the input at *another* position, else `False`. It must find attention, with and
# without masks, also behind a norm. And it must find wires: a wire adds something of one position, say one of its
# numbers times 0.002, to the numbers of another position. It must not be fooled by layers that only look as if they
# mixed. Differences below 1e-6 are rounding. A layer that mixes the *sequences of a batch* and not the positions does
# not mix positions: `False`.
#
# <details><summary>Hint 1: a nudge</summary>
#
# In lesson 03 you found a leak by changing what must not matter. Shuffling is no test: unmasked attention passes it.
# And change the numbers of a position at random: adding the same to all of them is something that a norm takes back.
#
# </details>
# <details><summary>Hint 2: the test with shapes</summary>
#
# For each `t`: change `x[:, t]` in a copy, and compare the outputs at all *other* positions, `(B, T - 1, D)`, with those
# before. One that moved is enough.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# before = ...
# for t in range(...):
#     changed = ...             # x, with other numbers at position t
#     moved = ...               # (T,): did any number at this position change?
#     ...                       # position t itself may: leave it out
# return ...
# ```
#
# </details>


# %% answer="mixes_positions"
def mixes_positions(layer, x):
    """True if some output of layer(x), x (B, T, D), depends on the input at another position."""
    ### BEGIN SOLUTION
    before = layer(x)
    for t in range(x.shape[1]):
        changed = x.clone()
        changed[:, t] = torch.randn_like(x[:, t])
        moved = (layer(changed) - before).abs().amax(dim=(0, 2)) > 1e-6
        moved[t] = False
        if moved.any():
            return True
    return False
    ### END SOLUTION


# %% check="mixes_positions" points=4
from transformer_lab.grading import grade

grade("05_feed_forward.mixes_positions", mixes_positions)

# %% [markdown]
# ## Question 5: what a block costs
# *Optional: 5 points, difficulty 3 of 5, about 12 minutes*
#
# The lesson counted one block with $d_\text{ff} = 4D$ and no gate, and found that the quadratic part of attention costs as
# much as the feed-forward layer at $T = 4D$. What becomes of both with a gate, and with any inner width? Count as the lesson
# does: matrices only, 2 FLOPs for a multiplication with the addition after it, and no mask. $D$ is `d_model`.
#
# * `count_parameters(d_model, d_ff, gated)` returns two numbers: attention, feed-forward layer.
# * `count_flops(T, d_model, d_ff, gated)` returns three, for one sequence of `T` tokens: the projections, scores and mix
#   together, the feed-forward layer.
# * `crossing_T`: from which `T` on do scores and mix cost as much as a *gated* layer, with `d_model` 2048 and
#   `d_ff` = 4 `d_model`? Work it out, or try your functions. Then look whether the explorer below agrees (tick *gated*). Write
#   the number, to within 10 %.
#
# <details><summary>Hint 1: a nudge</summary>
#
# A matrix of shape `(a, b)` has `a b` weights, and each works once for every token. Which two products have no weights?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# `(T, D) @ (D, d_ff)` is $T \cdot d_\text{ff}$ sums of $D$ products: $2\,T D\,d_\text{ff}$ FLOPs. Scores are
# `(T, D) @ (D, T)` (all heads together), the mix is `(T, T) @ (T, D)`.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# matrices = 3 if gated else 2
# return 4 * ..., matrices * ...
# return 2 * T * ..., 2 * (... + ...), 2 * T * ...
# ```
#
# </details>

# %%
from transformer_lab.viz import CostExplorer

explorer = CostExplorer()
explorer


# %% answer="count_parameters"
def count_parameters(d_model, d_ff, gated):
    """Weights of one block: attention, feed_forward."""
    ### BEGIN SOLUTION
    matrices = 3 if gated else 2
    return 4 * d_model**2, matrices * d_model * d_ff
    ### END SOLUTION


# %% answer="count_flops"
def count_flops(T, d_model, d_ff, gated):
    """FLOPs of one block over T tokens: projections, scores_and_mix, feed_forward."""
    ### BEGIN SOLUTION
    attention, layer = count_parameters(d_model, d_ff, gated)
    return 2 * T * attention, 2 * (2 * T * T * d_model), 2 * T * layer
    ### END SOLUTION


# %% answer="crossing_T"
crossing_T = None  # a number of tokens
### BEGIN SOLUTION
crossing_T = 12_288
### END SOLUTION

# %% check="cost" points=5
from transformer_lab.grading import grade

grade("05_feed_forward.cost", count_parameters, count_flops, crossing_T)

# %% [markdown]
# ## Question 6: a gated layer
# *Optional: 3 points, difficulty 2 of 5, about 6 minutes*
#
# Write `swiglu(x, w_gate, w_1, w_2)`: `x (..., D)`, `w_gate` and `w_1` `(d_ff, D)`, `w_2 (D, d_ff)`, no biases. The hidden
# layer of `w_1` stays linear; it is multiplied, unit by unit, by a gate: $\operatorname{silu}(z) = z\,\sigma(z)$ of what
# `w_gate` gives, where $\sigma$ is the sigmoid, `torch.sigmoid`. Then comes `w_2`. Large $z$, of 300 and more, must not give
# NaN, in the output or in its gradient.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Two projections of the same `x`, side by side. Which of them passes through an activation?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# hidden `(..., d_ff)` = silu($x W_\text{gate}^\top$) times $x W_1^\top$, number by number; output `(..., D)` = hidden
# $W_2^\top$.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# gate = F.silu(...)
# return (gate * ...) @ ...
# ```
#
# </details>


# %% answer="swiglu"
def swiglu(x, w_gate, w_1, w_2):
    """(..., D) -> (..., D): a hidden layer that another one opens and closes, and back"""
    ### BEGIN SOLUTION
    return (F.silu(x @ w_gate.T) * (x @ w_1.T)) @ w_2.T
    ### END SOLUTION


# %% check="swiglu" points=3
from transformer_lab.grading import grade

grade("05_feed_forward.swiglu", swiglu)

# %% [markdown]
# ## Question 7: the odd widths of gated layers
# *Optional: 3 points, difficulty 3 of 5, about 6 minutes*
#
# Llama's model of width 4096 has a feed-forward layer of width 11,008. Where does such a number come from? A gated layer
# has three matrices for two. Write `gated_width(d_ff, multiple)`: the smallest width that is a multiple of `multiple` and
# gives the gated layer *at least* as many weights as a plain layer of inner width `d_ff` has. Return a whole number,
# an `int`.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Both layers are $D$ wide at either end, so $D$ drops out of the comparison.
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# $3\,D\,w = 2\,D\,d_\text{ff}$; then up to the next multiple. With $d_\text{ff} = 4 D$ this is $w = \frac{8}{3} D$.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# exact = ...
# return multiple * math.ceil(...)
# ```
#
# </details>


# %% answer="gated_width"
def gated_width(d_ff, multiple):
    """Inner width of a gated layer with at least the weights of a plain one: a multiple of `multiple`."""
    ### BEGIN SOLUTION
    return multiple * math.ceil(2 * d_ff / (3 * multiple))
    ### END SOLUTION


# %% check="gated_width" points=3
from transformer_lab.grading import grade

grade("05_feed_forward.gated_width", gated_width)

# %% [markdown]
# Back to the [lesson](../../notebooks/05_feed_forward.ipynb), or to the [start](../../notebooks/00_start_here.ipynb).

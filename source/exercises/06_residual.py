# %% [markdown]
# # Exercises: 06 The residual connection
#
# Write your answer where a cell says `raise NotImplementedError` or `None`, run it, then run the locked cell below. It
# tells you what your answer did and where to look. Run it as often as you like; nothing is sent anywhere. Do not copy or
# split the locked cells: a teacher's grading could not read the notebook any more.
#
# Questions 1-3 are the core (about 30 minutes). 4-7 are optional. Hidden states `x` have shape `(B, T, D)`; `norm` and
# `sublayer` are modules or functions that keep that shape. `norm` brings each vector to mean 0 and variance 1 (lesson
# 07). What you write keeps the dtype, also one of 16 bits, lets gradients through, and leaves its inputs as they are,
# lists too, unless a question asks otherwise. Numbers count as right to within 1e-5 (in question 7: 1e-4), relative
# where they exceed 1. A function of torch's or of the package's that does what is asked is accepted as an answer; you
# learn more without. Back to the [lesson](../../notebooks/06_residual.ipynb).

# %%
import math

import torch
from torch import nn

# %% [markdown]
# ## Question 1: a pre-norm wrapper
# *6 points, difficulty 2 of 5, about 12 minutes*
#
# Write the module `PreNorm(norm, sublayer, dropout)` that turns any sub-layer into a pre-norm residual: the sub-layer
# sees the normalised `x`, and what it says is added to `x`. While it trains, each number that is *written* becomes 0
# with probability `dropout` (that is `nn.Dropout`); the skip is never touched. Here `norm` and `sublayer` are
# modules; their parameters must be among `PreNorm(...).parameters()`, and no others.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Draw the two paths. What stands on the branch, in which order? What stands on the skip? Nothing at all.
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# $x + \text{dropout}(F(\text{norm}(x)))$, all `(B, T, D)`. A module that is an attribute of a module is registered, and
# `nn.Dropout(p)` knows whether the module trains.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# # __init__
# super().__init__()
# self.norm, self.sublayer = ...
# self.dropout = nn.Dropout(...)
# # forward
# y = ...
# return ... + self.dropout(...)
# ```
#
# </details>


# %% answer="PreNorm"
class PreNorm(nn.Module):
    """A sub-layer as a pre-norm residual: (B, T, D) -> (B, T, D)"""

    def __init__(self, norm, sublayer, dropout=0.0):
        ### BEGIN SOLUTION
        super().__init__()
        self.norm = norm
        self.sublayer = sublayer
        self.dropout = nn.Dropout(dropout)
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        written = self.sublayer(self.norm(x))
        return x + self.dropout(written)
        ### END SOLUTION


# %% check="pre_norm" points=6
from transformer_lab.grading import grade

grade("06_residual.pre_norm", PreNorm)

# %% [markdown]
# ## Question 2: how large after L layers?
# *4 points, difficulty 3 of 5, about 10 minutes*
#
# The lesson followed the variance of `x` up three stacks. Do the same for four others. `x` starts with variance 1. $F$ is a fresh
# random branch in each layer, of mean 0, whose output has $\text{branch}^2$ times the variance of its input; $G$ is a second such
# branch, with the same gain. Write `variance(way, L, branch)`: the expected variance of `x` after $L$ layers, for any `branch`, 1
# included; a number, not rounded, and without random numbers. The four ways (spelled as here, with a hyphen):
#
# | `way` | one layer | where one meets it |
# |---|---|---|
# | `"parallel"` | $x + F(\text{norm}(x)) + G(\text{norm}(x))$ | GPT-J, PaLM: attention and feed-forward side by side |
# | `"sandwich"` | $x + \text{norm}(F(\text{norm}(x)))$ | Gemma 2: a norm on both sides of the branch |
# | `"halved"` | $(x + F(x)) / \sqrt2$ | convolutional translators of 2017 |
# | `"normed-skip"` | $\text{norm}(x) + F(x)$ | by mistake |
#
# <details><summary>Hint 1: a nudge</summary>
#
# For each way: what is the variance after one layer, if it was $v$ before? What then after two?
#
# </details>
# <details><summary>Hint 2: the rules</summary>
#
# Of uncorrelated parts the variances add. Whatever comes out of a norm has variance 1, whatever went in. A factor $c$ on `x` is a
# factor $c^2$ on its variance. So ask of each summand: is its variance fixed, or does it follow $v$?
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# v = 1.0
# for _ in range(L):
#     if way == "parallel":
#         v = v + ...
#     ...
# return v
# ```
#
# </details>


# %% answer="variance"
def variance(way, L, branch):
    """The expected variance of x after L layers; way is "parallel", "sandwich", "halved" or "normed-skip"."""
    ### BEGIN SOLUTION
    v = 1.0
    for _ in range(L):
        v = {
            "parallel": v + 2 * branch**2,
            "sandwich": v + 1,
            "halved": (v + branch**2 * v) / 2,
            "normed-skip": 1 + branch**2 * v,
        }[way]
    return v
    ### END SOLUTION


# %% check="variance" points=4
from transformer_lab.grading import grade

grade("06_residual.variance", variance)

# %% [markdown]
# ## Question 3: three broken residuals
# *3 points, difficulty 3 of 5, about 10 minutes*
#
# Three residuals, each with one fault, and all different. They run, and give the right shape; what each is meant to
# be stands in its first line. For each of them, pick its fault from the first table, and from the second the
# observation that is true of this one, and false of the other two and of what they are meant to be (write the tests
# that you need into a cell of your own). Both tables offer more than is needed. Write the words as they stand there,
# in quotation marks (capital letters do not matter).
#
# | fault | what it means |
# |---|---|
# | `"input added to itself"` | what the sub-layer says is lost |
# | `"added to the query"` | attention's output is added to what it was asked with |
# | `"always the first x"` | what the sub-layers before have written is not carried on |
# | `"norm on the skip"` | the addition finds norm(x) where x should be |
# | `"skip without a gradient"` | x goes around, and on the way back nothing comes |
# | `"changed in place"` | the x of whoever calls it has other numbers afterwards |
# | `"side by side"` | each sub-layer reads the first x, and none what another one has written |
#
# | observation | how to make it |
# |---|---|
# | `"a silent sub-layer does not hand x on"` | one sub-layer (or attention) that gives zeros |
# | `"silent and loud sub-layers give the same output"` | run it twice, with zeros and with `torch.cos` |
# | `"with the second of two sub-layers silent, another first one changes nothing"` | for what takes a list of sub-layers |
# | `"ten times x comes out ten times as large"` | run it on `x` and on `10 * x` |
# | `"the output is right, the gradient at x is not"` | write what is meant beside it; `torch.autograd.grad` |
# | `"x holds other numbers after the call"` | keep a clone of `x` |
#
# Last, mend `c`: `repaired(x, w_q, attend)` returns what `broken_c` is meant to, changed as little as possible.


# %%
def broken_a(x, f, norm):
    """Meant: x + f(norm(x))"""
    skip = x.detach().clone()  # so that nothing can change it
    return skip + f(norm(x))


# %%
def broken_b(x, sublayers, norm):
    """Meant: x + f(norm(x)) for one sub-layer after the other"""
    skip = x
    for f in sublayers:
        x = skip + f(norm(x))
    return x


# %%
def broken_c(x, w_q, attend):
    """Meant: x + attention, without a norm. attend(query, x) is attention of these queries over x."""
    query = x @ w_q
    return query + attend(query, x)


# %%
_ = torch.manual_seed(0)
D = 32
x, w_q, w_v = torch.randn(2, 5, D), torch.randn(D, D) / math.sqrt(2 * D), torch.randn(D, D) / 20
norm, silent, loud = nn.LayerNorm(D), torch.zeros_like, torch.cos


def attend(query, x):
    return (query @ x.transpose(-2, -1) / math.sqrt(D)).softmax(dim=-1) @ x @ w_v


print("x went in:", tuple(x.shape))
print("a:", tuple(broken_a(x, loud, norm).shape))
print("b:", tuple(broken_b(x, [loud, torch.sin], norm).shape))
print("c:", tuple(broken_c(x, w_q, attend).shape))

# %% [markdown]
# <details><summary>Hint 1: a nudge</summary>
#
# What must come out if all sub-layers say nothing? What if only the last one says nothing? And what must come back, if the gradient of
# the output is all ones and the sub-layer is silent?
#
# </details>
# <details><summary>Hint 2: where to look</summary>
#
# Each has one line in which the left side of the plus sign is made. a: does a gradient pass through that line? b: which `x` is it, in
# the second round? c: is it `x`?
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# start = x.clone().requires_grad_()
# out = broken_a(start, silent, norm)
# torch.autograd.grad(out.sum(), start)               # what should it be, if the sub-layer is silent?
# broken_b(x, [loud, silent], norm) - broken_b(x, [torch.sin, silent], norm)
# broken_c(x, w_q, lambda query, x: 0 * x) - x
# ```
#
# </details>

# %% answer="diagnoses"
diagnoses = {  # of each residual: (fault, observation)
    "a": (None, None),
    "b": (None, None),
    "c": (None, None),
}
### BEGIN SOLUTION
diagnoses = {
    "a": ("skip without a gradient", "the output is right, the gradient at x is not"),
    "b": ("always the first x", "with the second of two sub-layers silent, another first one changes nothing"),
    "c": ("added to the query", "a silent sub-layer does not hand x on"),
}
### END SOLUTION


# %% answer="repaired"
def repaired(x, w_q, attend):
    """broken_c, mended"""
    ### BEGIN SOLUTION
    return x + attend(x @ w_q, x)
    ### END SOLUTION


# %% check="diagnose" points=3
from transformer_lab.grading import grade

grade("06_residual.diagnose", diagnoses, repaired)

# %% [markdown]
# ## Question 4: the Jacobian, and a branch that starts at zero
# *Optional: 4 points, difficulty 4 of 5, about 12 minutes*
#
# One position, $x$ of shape `(D,)`, and a layer $x + \text{relu}(x W_1)\, W_2$ with `w_1 (D, d_ff)` and `w_2 (d_ff,
# D)`. Write `jacobian(x, w_1, w_2)`: the table `(D, D)` of $\partial\, \text{output}_i / \partial x_j$, row $i$,
# column $j$, in the dtype of `x`. (By formula; autograd is accepted, and teaches less. Finite differences go wrong
# where a step crosses the bend of a ReLU.)
#
# Some start training with $W_2 = 0$ and $W_1$ random. Your function says what the Jacobian is then. But does such a branch
# ever learn? Say in `learns_first` which matrices get a gradient that is not zero in the *first* step: `"w_1"`, `"w_2"`,
# `"both"` or `"neither"`.
#
# <details><summary>Hint 1: a nudge</summary>
#
# What is the derivative of $x$ with respect to $x$? And of a ReLU whose input is positive, or negative?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# $I + J$ with $J_{ij} = \sum_c (W_2)_{ci}\, [h_c > 0]\, (W_1)_{jc}$, where $h = x W_1$ `(d_ff,)`. For the choice: the gradient of
# $W_2$ is made of the hidden layer and the output's gradient; that of $W_1$ has to pass through $W_2$.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# on = (x @ w_1 > 0).to(x.dtype)              # (d_ff,)
# J = (w_2.T * ...) @ ...                     # (D, d_ff) @ (d_ff, D)
# return ... + J
# ```
#
# </details>


# %% answer="jacobian"
def jacobian(x, w_1, w_2):
    """(D,), (D, d_ff), (d_ff, D) -> (D, D): row i, column j holds d output_i / d x_j"""
    ### BEGIN SOLUTION
    on = (x @ w_1 > 0).to(x.dtype)
    return torch.eye(len(x), dtype=x.dtype) + (w_2.T * on) @ w_1.T
    ### END SOLUTION


# %% answer="learns_first"
learns_first = None  # "w_1", "w_2", "both" or "neither"
### BEGIN SOLUTION
learns_first = "w_2"
### END SOLUTION

# %% check="jacobian" points=4
from transformer_lab.grading import grade

grade("06_residual.jacobian", jacobian, learns_first)

# %% [markdown]
# ## Question 5: find the broken skip
# *Optional: 3 points, difficulty 3 of 5, about 8 minutes*
#
# In a stack of $L$ layers one layer lost its skip: it computes $F(x)$ alone. All you have is the size of the gradient at
# each state, `gradients[0]` at $x_0$ (the input of layer 1) up to `gradients[L]` at $x_L$ (the output of layer $L$). Write
# `find_broken(gradients)`: the number of the broken layer, counted from 1. Skips and branches may have any gains, the same
# in all layers, with the branch the weaker of the two. Here is such a list, from layers with a weakened skip:


# %%
def example(L=12, broken=5, skip=0.8, branch=0.2, D=32):
    """A list of L + 1 sizes from a stack of random layers."""
    torch.manual_seed(1)
    states = [torch.randn(8, D, requires_grad=True)]
    for layer in range(1, L + 1):
        x, w = states[-1], torch.randn(D, D) / math.sqrt(D)
        states.append((0 if layer == broken else skip) * x + branch * (x @ w))
    return [g.norm().item() for g in torch.autograd.grad(states[-1].sum(), states)]


print("the gradient at x_12 ... x_0:", [round(size, 4) for size in reversed(example())])

# %% [markdown]
# <details><summary>Hint 1: a nudge</summary>
#
# The gradient travels from $x_L$ down to $x_0$. A small number alone says nothing: look at what each *layer* did to it.
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# Layer $l$ lies between `gradients[l - 1]` and `gradients[l]`. A whole layer multiplies by about
# $\sqrt{\text{skip}^2 + \text{branch}^2}$, the broken one by about $\text{branch}$.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# L = len(gradients) - 1
# factors = [... / ... for l in range(1, L + 1)]
# return factors.index(...) + ...
# ```
#
# </details>


# %% answer="find_broken"
def find_broken(gradients):
    """The sizes of the gradient at x_0 ... x_L -> the number of the layer without a skip, 1 ... L"""
    ### BEGIN SOLUTION
    factors = [before / after for before, after in zip(gradients[:-1], gradients[1:], strict=True)]
    return factors.index(min(factors)) + 1
    ### END SOLUTION


# %% check="find_broken" points=3
from transformer_lab.grading import grade

grade("06_residual.find_broken", find_broken)

# %% [markdown]
# ## Question 6: a start that does not grow
# *Optional: 3 points, difficulty 3 of 5, about 8 minutes*
#
# `blocks` is a list of $L$ blocks of the package, fresh from their initialisation, each with two branches, and
# without biases. Write `scale_branches(blocks)`: it multiplies the *last* matrix of every branch by one factor, the
# same for all, chosen so that the variances that *all* branches write add up to what one branch wrote before. It does
# so in place (the same parameters with other numbers, since an optimiser may hold them already), leaves all else
# alone, dtype and mode too, and returns `blocks`. The last matrices are `block.attention.w_o.weight` and
# `block.feed_forward.w_2.weight`.
#
# <details><summary>Hint 1: a nudge</summary>
#
# How many branches write into the stream of $L$ blocks? Their *variances* shall add up to what one alone would have.
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# A factor $c$ on the last matrix is a factor $c^2$ on the variance that the branch writes. How many such variances add up to 1? That gives
# $c$, with $L$ from `len(blocks)`. Parameters are changed under `torch.no_grad()`.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# factor = ...                               # one number
# with torch.no_grad():
#     for block in blocks:
#         for last in (..., ...):
#             last.mul_(...)
# return blocks
# ```
#
# </details>


# %% answer="scale_branches"
def scale_branches(blocks):
    """Scale the last matrix of each of the 2L branches, in place; returns blocks."""
    ### BEGIN SOLUTION
    factor = 1 / math.sqrt(2 * len(blocks))
    with torch.no_grad():
        for block in blocks:
            for last in (block.attention.w_o.weight, block.feed_forward.w_2.weight):
                last.mul_(factor)
    return blocks
    ### END SOLUTION


# %% check="scale_branches" points=3
from transformer_lab.grading import grade

grade("06_residual.scale_branches", scale_branches)

# %% [markdown]
# ## Question 7: the weakest skip that will do
# *Optional, stretch: 3 points, difficulty 4 of 5, about 10 minutes*
#
# Put into `smallest_skip` what you read off the explorer of the lesson: depth 32, branch gain 0.5, no norm; the smallest skip
# gain with which layer 1 gets at least one per cent of the gradient. Two decimals will do, as the explorer shows them; if you
# give more, they must be right too. (You can open the explorer here:
# `from transformer_lab.viz import DepthExplorer; DepthExplorer()`.)
#
# Then do without it: `skip_gain(L, branch, share)` gives that gain for any depth, branch and share of the gradient (above 0,
# at most 1), exactly. Where the branches alone carry enough, the answer is 0.
#
# <details><summary>Hint 1: a nudge</summary>
#
# By what does one layer multiply the *size* of the gradient? By what do $L$ layers?
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# $(\text{skip}^2 + \text{branch}^2)^{L/2} = \text{share}$. Solve it for $\text{skip}$. What stands under the root can become
# negative: the case where the branches alone are enough.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# square = share ** (...) - ...
# return math.sqrt(max(..., ...))
# ```
#
# </details>

# %% answer="smallest_skip"
smallest_skip = None  # a number with two decimals, or more
### BEGIN SOLUTION
smallest_skip = 0.71
### END SOLUTION


# %% answer="skip_gain"
def skip_gain(L, branch, share):
    """The smallest skip gain that leaves layer 1 of L this share of the gradient, without a norm."""
    ### BEGIN SOLUTION
    return math.sqrt(max(0.0, share ** (2 / L) - branch**2))
    ### END SOLUTION


# %% check="skip_gain" points=3
from transformer_lab.grading import grade

grade("06_residual.skip_gain", skip_gain, smallest_skip)

# %% [markdown]
# Back to the [lesson](../../notebooks/06_residual.ipynb), or to the [start](../../notebooks/00_start_here.ipynb).

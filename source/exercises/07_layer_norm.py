# %% [markdown]
# # Exercises: 07 Layer norm
#
# Write your answer where a cell says `raise NotImplementedError` or `None`, run it, then run the locked cell below. It
# tells you what your answer did and where to look. Run it as often as you like; nothing is sent anywhere. Do not copy or
# split the locked cells: a teacher's grading could not read the notebook any more.
#
# Questions 1-3 are the core (about 30 minutes). 4-7 are optional. `...` stands for any number of leading axes (batch,
# positions), also none; $D$ is the number of features, always the last axis. Functions keep the dtype and leave their
# inputs as they are; numbers are compared to four digits or more. Outside of question 2, a function of torch's or of
# the package's that does what is asked is accepted as an answer; you learn more without. Back to the
# [lesson](../../notebooks/07_layer_norm.ipynb).

# %%
import torch
import torch.nn.functional as F
from torch import nn

# %% [markdown]
# ## Question 1: the layer norm
# *5 points, difficulty 2 of 5, about 8 minutes*
#
# The lesson has derived it; write it now without looking back, as a function `layer_norm(x, gamma, beta, eps=1e-5)`:
# `x (..., D)`, `gamma (D,)`, `beta (D,)`, result `(..., D)`. Each position gets its own mean and deviation. Gradients
# flow to all three, also where the features of a position are all equal (where the result is beta). The mean of a
# position may be thousands of times larger than its deviation; there, too, float32 has to give the right numbers (to
# two digits).
#
# <details><summary>Hint 1: a nudge</summary>
#
# How many means are there for `x` of shape `(2, 3, 5)`? Which axis has gone? And by how many does `x.var()` divide?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# `mean (..., 1)` and `variance (..., 1)`, the mean squared deviation (divided by $D$); then
# $\gamma\,(x - \text{mean}) / \sqrt{\text{variance} + \epsilon} + \beta$, of shape `(..., D)`.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# mean = x.mean(dim=..., keepdim=...)
# variance = ...
# return gamma * (...) / ... + beta
# ```
#
# </details>


# %% answer="layer_norm"
def layer_norm(x, gamma, beta, eps=1e-5):
    """(..., D), (D,), (D,) -> (..., D)"""
    ### BEGIN SOLUTION
    deviation = x - x.mean(dim=-1, keepdim=True)
    variance = deviation.square().mean(dim=-1, keepdim=True)
    return gamma * deviation / (variance + eps).sqrt() + beta
    ### END SOLUTION


# %% check="layer_norm" points=5
from transformer_lab.grading import grade

grade("07_layer_norm.layer_norm", layer_norm)

# %% [markdown]
# ## Question 2: its backward pass
# *6 points, difficulty 4 of 5, about 14 minutes*
#
# The lesson stops at the Jacobian of one token. Go on: multiply it by the gradient, without ever building it, and do
# the same for all tokens at once. The loss has the gradient `grad (..., D)` with respect to the layer norm's output.
# Write `layer_norm_backward(grad, x, gamma, eps=1e-5)` that returns `grad_x (..., D)`, `grad_gamma (D,)` and
# `grad_beta (D,)`, in this order, by formula: without autograd, without torch's own backward pass, and without finite
# differences. (Outside the function, autograd tells you whether you are right.)
#
# <details><summary>Hint 1: a nudge</summary>
#
# One gamma serves every position: what does that mean for its gradient? And on how many paths does one feature of x move
# the others?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# With $h = \text{grad} \cdot \gamma$ `(..., D)` and $\sigma$ `(..., 1)`, one position's gradient is
# $\frac1\sigma \sum_i h_i \left(\delta_{ij} - \frac1D - \frac{\hat x_i \hat x_j}{D}\right)$. Write it as three sums over $i$. The first has one
# term that is not 0; the other two are means. $\text{grad}_\gamma$ and $\text{grad}_\beta$ are sums over all axes but the last.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# normalised, sigma = ...
# h = ...
# grad_x = (h - ... - normalised * ...) / ...
# rows = grad.reshape(-1, grad.shape[-1])      # whatever axes came first
# return grad_x, ..., rows.sum(dim=0)
# ```
#
# </details>


# %% answer="layer_norm_backward"
def layer_norm_backward(grad, x, gamma, eps=1e-5):
    """(..., D), (..., D), (D,) -> grad_x (..., D), grad_gamma (D,), grad_beta (D,)"""
    ### BEGIN SOLUTION
    centred = x - x.mean(dim=-1, keepdim=True)
    sigma = (centred.square().mean(dim=-1, keepdim=True) + eps).sqrt()
    z, h = centred / sigma, grad * gamma
    grad_x = (h - h.mean(dim=-1, keepdim=True) - z * (h * z).mean(dim=-1, keepdim=True)) / sigma
    D = x.shape[-1]
    return grad_x, (grad * z).reshape(-1, D).sum(dim=0), grad.reshape(-1, D).sum(dim=0)
    ### END SOLUTION


# %% check="layer_norm_backward" points=6
from transformer_lab.grading import grade

grade("07_layer_norm.layer_norm_backward", layer_norm_backward)

# %% [markdown]
# ## Question 3: which axis did this layer use?
# *4 points, difficulty 3 of 5, about 10 minutes*
#
# You are given a normalisation layer as a black box: `layer(x)` takes float tensors `(B, T, D)` with any $B$ and $T$ you like,
# and returns a tensor of that shape. It has a scale and a shift of its own that you do not know. Write `which_axis(layer, D)`
# that finds out over what it takes mean and variance, and returns one of `"features"`, `"time"`, `"batch"`,
# `"batch and time"`, `"time and features"` (capital letters do not matter). Ask the layer as often as you like.
#
# <details><summary>Hint 1: a nudge</summary>
#
# You did this in the explorer of the lesson: change one number, and see which outputs move. (Which batch size would hide
# something from you?)
#
# </details>
# <details><summary>Hint 2: what to look at, with shapes</summary>
#
# `x (B, T, D)` with three or more of everything, and a copy in which `[0, 0, 0]` differs. `moved (B, T, D)` is True where the two
# outputs differ. Ask three questions of it: does another feature, another position, another sample move?
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# x = torch.randn(...)
# other = x.clone()
# other[0, 0, 0] += ...
# moved = (layer(other) - layer(x)).abs() > ...
# features, positions, samples = moved[0, 0, 1:].any(), ..., ...
# ```
#
# </details>


# %% answer="which_axis"
def which_axis(layer, D):
    """A black box on (B, T, D) -> over what it takes its statistics, in words"""
    ### BEGIN SOLUTION
    x = torch.randn(4, 5, D)
    other = x.clone()
    other[0, 0, 0] += 1.0
    moved = (layer(other) - layer(x)).abs() > 1e-6
    features, positions, samples = moved[0, 0, 1:].any(), moved[0, 1:, 0].any(), moved[1:, 0, 0].any()
    if samples:
        return "batch and time" if positions else "batch"
    if positions:
        return "time and features" if features else "time"
    return "features"
    ### END SOLUTION


# %% check="which_axis" points=4
from transformer_lab.grading import grade

grade("07_layer_norm.which_axis", which_axis)

# %% [markdown]
# ## Question 4: places from promises
# *Optional: 4 points, difficulty 2 of 5, about 6 minutes*
#
# Write `sublayer(x, f, norm, dropout, norm_position)`: one residual step. `x (B, T, D)`; `f` is attention or the feed-forward
# layer, `norm` a layer norm, `dropout` a dropout, each a function from `(B, T, D)` to `(B, T, D)`, and each called once. Where
# they stand, find out from what is promised of the result:
#
# * `norm_position="pre"`: if `f` gives only zeros, `x` comes out exactly as it went in. And `f` is never told how large `x` is.
# * `norm_position="post"`: if `f` gives only zeros, the norm of `x` comes out; whatever it gives, the norm has the last word.
#   And `f` is given `x` itself.
# * In both, a dropout that gives only zeros has the same effect as such an `f`.
#
# Gradients reach x on both ways, the skip and the branch.
#
# <details><summary>Hint 1: a nudge</summary>
#
# What must the skip carry, untouched? Follow x from the input to the plus sign.
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# All `(B, T, D)`. Post: the norm of a sum. Pre: a sum, one of whose terms began with a norm. In both, dropout is the last thing
# that happens to the branch before it is added.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# if norm_position == "pre":
#     branch = dropout(...)
#     return ...
# return norm(...)
# ```
#
# </details>


# %% answer="sublayer"
def sublayer(x, f, norm, dropout, norm_position):
    """(B, T, D) -> (B, T, D)"""
    ### BEGIN SOLUTION
    if norm_position == "pre":
        return x + dropout(f(norm(x)))
    return norm(x + dropout(f(x)))
    ### END SOLUTION


# %% check="sublayer" points=4
from transformer_lab.grading import grade

grade("07_layer_norm.sublayer", sublayer)

# %% [markdown]
# ## Question 5: RMSNorm
# *Optional: 3 points, difficulty 1 of 5, about 4 minutes*
#
# Write `rms_norm(x, gamma, eps=1e-5)`: `x (..., D)`, `gamma (D,)`, result `(..., D)`. Its name says the formula: each
# position is divided by the **r**oot of the **m**ean of the **s**quares of its features, and then scaled by gamma.
# `eps` is added to the mean, under the root. Gradients flow to both, also where all features are 0.
#
# <details><summary>Hint 1: a nudge</summary>
#
# A layer norm with something left out. Read the name from right to left: what is done first?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# `square (..., 1)`: the mean of $x^2$ over the features. Result: $\gamma\, x / \sqrt{\text{square} + \epsilon}$.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# square = (...).mean(dim=..., keepdim=True)
# return gamma * x / ...
# ```
#
# </details>


# %% answer="rms_norm"
def rms_norm(x, gamma, eps=1e-5):
    """(..., D), (D,) -> (..., D)"""
    ### BEGIN SOLUTION
    return gamma * x / (x.square().mean(dim=-1, keepdim=True) + eps).sqrt()
    ### END SOLUTION


# %% check="rms_norm" points=3
from transformer_lab.grading import grade

grade("07_layer_norm.rms_norm", rms_norm)

# %% [markdown]
# ## Question 6: four broken pieces
# *Optional: 3 points, difficulty 3 of 5, about 12 minutes*
#
# Four pieces of code, each with one fault, and all different. They run. The first three mean to be
# the layer norm of question 1. The fourth means to be a stack, for `sublayers` and `norms`, two lists of one length, and one
# `final_norm`. It promises two things. What `final_norm` gets is a plain sum, of the `x` that the stack was given and of
# everything that the sub-layers have said. And no sub-layer reads this sum itself: it reads what its own norm makes of it.
#
# For each piece, pick its fault from the first table, and from the second the observation that is true of this piece
# and of no other here. The cell after them prints a few symptoms (one of the four looks healthy in every line); the
# rest you find out with inputs of your own. Both tables offer more than is needed. Write the words as they stand
# there, in quotation marks (capital letters do not matter).
#
# | fault | what it means |
# |---|---|
# | `"statistics over the batch"` | mean and variance are those of one feature in all samples |
# | `"digits cancel"` | two large numbers are subtracted, and rounding is all that is left |
# | `"skip normalised"` | the addition finds norm(x) where x should be |
# | `"divided by the variance"` | and not by its root |
# | `"final norm missing"` | nothing normalises what leaves the stack |
# | `"unbiased variance"` | the squares are divided by D - 1 |
# | `"eps outside the root"` | it is added to the deviation, not to the variance |
# | `"statistics over time"` | mean and variance are those of one feature at all positions |
#
# | observation | how to make it |
# |---|---|
# | `"another sample of the batch moves the output"` | change the second sample, look at the first |
# | `"right for ordinary numbers, wrong when 10,000 is added to each"` | compare with `F.layer_norm` |
# | `"silent sub-layers do not leave x as it was"` | sub-layers that give zeros, `nn.Identity()` for the final norm |
# | `"gamma has no effect"` | 2 for gamma |
# | `"another position of the same text moves the output"` | change the last position, look at the first |
# | `"ten times x comes out ten times smaller"` | beta 0 |
#
# Then write `d` again as `repaired`, changed as little as possible, so that it keeps both promises. Here too inputs stay as they
# are, lists included, and gradients flow.


# %%
def broken_a(x, gamma, beta, eps=1e-5):
    mean = x.mean(dim=-1, keepdim=True)
    variance = x.var(dim=-1, keepdim=True, unbiased=False)
    return gamma * (x - mean) / (variance + eps) + beta


# %%
def broken_b(x, gamma, beta, eps=1e-5):
    mean = x.mean(dim=1, keepdim=True)
    variance = x.var(dim=1, keepdim=True, unbiased=False)
    return gamma * (x - mean) / torch.sqrt(variance + eps) + beta


# %%
def broken_c(x, gamma, beta, eps=1e-5):
    mean, mean_square = x.mean(dim=-1, keepdim=True), x.square().mean(dim=-1, keepdim=True)
    variance = mean_square - mean.square()
    return gamma * (x - mean) / torch.sqrt(variance + eps) + beta


# %%
def broken_d(x, sublayers, norms, final_norm):
    for f, norm in zip(sublayers, norms, strict=True):
        x = norm(x)
        x = x + f(x)
    return final_norm(x)


# %%
_ = torch.manual_seed(0)
x, gamma, beta = torch.randn(2, 3, 8), torch.ones(8), torch.zeros(8)
position, sample = x.clone(), x.clone()
position[0, 2] += torch.randn(8)
sample[1] += torch.randn(3, 8)
for name, norm in (("broken_a", broken_a), ("broken_b", broken_b), ("broken_c", broken_c),
                   ("torch's ", lambda x, gamma, beta: F.layer_norm(x, (8,)))):  # fmt: skip
    here = norm(x, gamma, beta)[0, 0]
    moved = [not torch.allclose(here, norm(other, gamma, beta)[0, 0], atol=1e-5) for other in (position, sample)]
    sizes = [norm(k * x, gamma, beta).std(dim=-1, unbiased=False).mean().item() for k in (1, 10)]
    print(f"{name}: moved by another position: {moved[0]!s:5}, by another sample: {moved[1]!s:5}"
          f"  deviation of LN(x), LN(10 x): {sizes[0]:.1f}, {sizes[1]:.1f}")  # fmt: skip
plain, silent = lambda x: F.layer_norm(x, (8,)), [torch.zeros_like] * 2
inside = broken_d(5 * x, silent, [plain] * 2, nn.Identity())
print(f"broken_d before its final norm, with silent sub-layers: deviation {inside.std():.1f}; x had {5 * x.std():.1f}")

# %% [markdown]
# <details><summary>Hint 1: a nudge</summary>
#
# Each line of the output rules something out. For the healthy-looking one: what is $10{,}000^2$, and how many digits does float32
# hold?
#
# </details>
# <details><summary>Hint 2: where to look</summary>
#
# a: the unit of what stands below the fraction line. b: the axis. c: two sums of squares of which the difference counts: when
# is it much smaller than either? d: what the plus sign finds where x should be.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# The stack, for each sub-layer `(B, T, D)`: x plus the sub-layer of something; after
# the loop, one thing more.
#
# </details>

# %% answer="diagnoses"
diagnoses = {  # of each piece: (fault, observation)
    "a": (None, None),
    "b": (None, None),
    "c": (None, None),
    "d": (None, None),
}
### BEGIN SOLUTION
diagnoses = {
    "a": ("divided by the variance", "ten times x comes out ten times smaller"),
    "b": ("statistics over time", "another position of the same text moves the output"),
    "c": ("digits cancel", "right for ordinary numbers, wrong when 10,000 is added to each"),
    "d": ("skip normalised", "silent sub-layers do not leave x as it was"),
}
### END SOLUTION


# %% answer="repaired"
def repaired(x, sublayers, norms, final_norm):
    """broken_d, mended"""
    ### BEGIN SOLUTION
    for f, norm in zip(sublayers, norms, strict=True):
        x = x + f(norm(x))
    return final_norm(x)
    ### END SOLUTION


# %% check="diagnose" points=3
from transformer_lab.grading import grade

grade("07_layer_norm.diagnose", diagnoses, repaired)

# %% [markdown]
# ## Question 7: five claims
# *Optional, stretch: 4 points, difficulty 5 of 5, about 15 minutes*
#
# LN is the layer norm of *one* position, `x (D,)`, with $\gamma$ and $\beta$, and so small an $\epsilon$ that we leave it out. Each claim
# is about every `x` (bar those whose features are all equal), every `gamma` and every `beta`:
#
# | claim | says |
# |---|---|
# | `"shift"` | LN(x + 3) = LN(x) |
# | `"scale"` | LN(3 x) = LN(x) |
# | `"negate"` | LN(-x) = LN(x) |
# | `"shift per feature"` | LN(x + v) = LN(x), for v = (0, 1, 2, ..., D - 1) |
# | `"permute"` | LN(x read from its end) = LN(x) read from its end, for the same $\gamma$ and $\beta$ |
#
# Write `counterexample(claim)`. If the claim holds, return `"holds"`. If not, prove it: return `(x, gamma, beta)`, three tensors
# `(D,)` of your choice, $D \ge 2$, for which its two sides differ by 0.1 or more somewhere. And make it a proof against *this* claim
# alone: with your numbers the two sides of each of the other four must agree, to within 1e-4. So no one set of numbers does for
# several claims; you must know what each of them is about. (All is computed with 64 bits.)
#
# <details><summary>Hint 1: a nudge</summary>
#
# A projection, then a sphere: what is invisible to those two? What do gamma and beta do to a number that is 0 by then, and what
# does a gamma of 0 do?
#
# </details>
# <details><summary>Hint 2: how to look, with shapes</summary>
#
# Write a function that takes `x`, `gamma`, `beta`, each `(D,)`, and prints for each claim how far its sides are apart. Begin with a
# random `x (4,)`, `gamma` all 1 and `beta` all 0. Which claims does that refute? Then find, for each of these, what would make it
# hold: a special x? a special gamma or beta?
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# def apart(x, gamma, beta):                          # for each claim: how far its sides are apart
#     ...
# v, one, zero = torch.arange(4.0), torch.ones(4), torch.zeros(4)
# apart(v, one, zero)                                 # what is v + v, after the norm?
# apart(v, zero, ...)                                 # here x has no say at all: who has?
# apart(torch.tensor([1.0, 0.0, 0.0, -1.0]), ..., zero)   # where must gamma be 0, so that the sign of x does not show?
# ```
#
# </details>


# %% answer="counterexample"
def counterexample(claim):
    """ "holds", or x, gamma, beta (each (D,)) that refute this claim and no other"""
    ### BEGIN SOLUTION
    v, one, zero = torch.arange(4.0), torch.ones(4), torch.zeros(4)
    if claim == "negate":
        return v, one, zero
    if claim == "shift per feature":
        return torch.tensor([1.0, 0.0, 0.0, -1.0]), torch.tensor([0.0, 1.0, 1.0, 0.0]), zero
    if claim == "permute":
        return v, zero, v
    return "holds"
    ### END SOLUTION


# %% check="counterexample" points=4
from transformer_lab.grading import grade

grade("07_layer_norm.counterexample", counterexample)

# %% [markdown]
# Back to the [lesson](../../notebooks/07_layer_norm.ipynb), or to the [start](../../notebooks/00_start_here.ipynb).

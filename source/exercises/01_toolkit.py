# %% [markdown]
# # Exercises: 01 The toolkit
#
# Write your answer where a cell says `raise NotImplementedError` or `None`, run it, then run the locked cell below. It
# tells you what your answer did and where to look. Run it as often as you like; nothing is sent anywhere. Do not copy or
# split the locked cells: a teacher's grading could not read the notebook any more.
#
# Questions 1-3 are the core (about 30 minutes). 4-7 are optional. All tensors are torch tensors, and `...` stands for
# leading axes (batch, heads): as many as you like, or none. Every function keeps the dtype and leaves its inputs as they are.
# Logarithms are natural, so losses are in nats. Results are compared up to rounding. A function of torch's or of the
# package's that does what is asked is accepted as an answer; you learn more without. Back to the
# [lesson](../../notebooks/01_toolkit.ipynb).

# %%
import math

import torch
import torch.nn.functional as F
from torch import nn

# %% [markdown]
# ## Question 1: a product with named axes
# *4 points, difficulty 1 of 5, about 6 minutes*
#
# Write `scores(x, w_q, k)`. The matrix `w_q (D, d_head)` makes $T$ shorter vectors, of width `d_head`, from the rows
# of `x (..., T, D)`; the rows of `k (..., S, d_head)` have that width already. Return the dot product of each of
# these $T$ with each row of `k`, `(..., T, S)`. (Lesson 02 will call them queries and keys.) `x` and `k` have the
# same leading axes, and gradients flow to all three. The check also uses equal sizes, with which a matrix the wrong
# way round raises no error.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Write the shapes below one another and name every axis. Which names occur twice, and not in the result? These are summed.
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# $\text{score}_{ts} = \sum_c \big(\sum_j x_{tj}\, w_{jc}\big)\, k_{sc}$: first $j$ over $D$, then $c$ over `d_head`. The
# first is `(..., T, D) @ (D, d_head)`. For the second, `k` needs shape `(..., d_head, S)`.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# queries = x @ ...                          # (..., T, d_head)
# return queries @ k.transpose(..., ...)     # (..., T, S)
# # or torch.einsum("...tj,____,...____->...ts", x, w_q, k)
# ```
#
# </details>


# %% answer="scores"
def scores(x, w_q, k):
    """(..., T, D), (D, d_head), (..., S, d_head) -> (..., T, S)"""
    ### BEGIN SOLUTION
    return torch.einsum("...tj,jc,...sc->...ts", x, w_q, k)
    ### END SOLUTION


# %% check="scores" points=4
from transformer_lab.grading import grade

grade("01_toolkit.scores", scores)

# %% [markdown]
# ## Question 2: cross-entropy
# *6 points, difficulty 3 of 5, about 12 minutes*
#
# Write `cross_entropy(scores, targets, ignore_index=-100)`. `scores (N, V)` are $N$ rows of scores, one for each of
# $V$ classes; `targets (N,)` holds the class that was right in each row. The loss of a row is $-\ln p$ of its target,
# $p$ being the softmax of the row $z$. Return the mean over the targets that count, as a tensor of shape `()`. A
# target equal to `ignore_index` (padding) does not count; at least one does. The loss and its gradient must be right
# for scores of $\pm 10^4$ too. In 32 bits $e^{10000}$ is infinity, so shift the scores of a row first; a shift
# changes no probability. (`F.cross_entropy` does it; to learn something, do without.)
#
# <details><summary>Hint 1: a nudge</summary>
#
# $\ln$ of a fraction is a difference of logarithms. Which of the two needs no $\ln$ and no $\exp$ at all?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# $-\ln p_y = \ln \sum_j e^{z_j} - z_y$ for each row. `logsumexp` `(N,)`: the largest score of the row plus
# $\ln \sum_j e^{z_j - \text{largest}}$. The target's score `(N,)`: row $n$, column `targets[n]`. Take the rows that count first: -100 is
# no column.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# ____                      # keep only the rows that count
# of_target = scores[____]  # one number a row: you need the number of the row too
# return ____               # a mean of differences
# ```
#
# </details>


# %% answer="cross_entropy"
def cross_entropy(scores, targets, ignore_index=-100):
    """(N, V), (N,) -> (): the mean of -ln p over the targets that are not ignore_index"""
    ### BEGIN SOLUTION
    counts = targets != ignore_index
    scores, targets = scores[counts], targets[counts]
    largest = scores.amax(dim=-1, keepdim=True)
    log_total = (scores - largest).exp().sum(dim=-1).log() + largest.squeeze(-1)
    of_target = scores.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return (log_total - of_target).mean()
    ### END SOLUTION


# %% check="cross_entropy" points=6
from transformer_lab.grading import grade

grade("01_toolkit.cross_entropy", cross_entropy)

# %% [markdown]
# ## Question 3: four broken training loops
# *3 points, difficulty 3 of 5, about 12 minutes*
#
# Four training loops, each with one fault, and all different. They run without an error. `batches` is a list of `(x,
# targets)`; `model(x)` gives scores; one call goes once through the batches and returns the losses, each measured
# before its step. For each loop, pick its fault from the first table, and from the second the observation that is
# true of this loop, and false of the other three and of a right one. The cell after the loops prints a few numbers,
# the rest you find out by running them. Both tables offer more than is needed. Write the words as they stand there,
# in quotation marks (capital letters do not matter).
#
# | fault | what it means |
# |---|---|
# | `"gradients pile up"` | each step uses the gradients of all batches so far |
# | `"step before backward"` | the step is taken before this batch has a gradient |
# | `"loss summed"` | the loss is the sum over the rows of a batch, not their mean |
# | `"softmax twice"` | probabilities go where scores are wanted |
# | `"gradients emptied before the step"` | the batch's gradient is thrown away before it is used |
# | `"other rows' targets"` | rows and targets do not belong together |
# | `"gradient cut off"` | no gradient can flow from the loss to the parameters |
#
# | observation | how to make it |
# |---|---|
# | `"the loss falls at first and rises again"` | 100 passes over the same batch |
# | `"nothing is learnt, and p.grad is filled afterwards"` | compare the parameters before and after; then look whether `p.grad` holds numbers |
# | `"only the biases change"` | compare the parameters before and after |
# | `"the loss falls at every step and stays above 0.55"` | 100 passes over the same batch |
# | `"nothing is learnt, and p.grad is empty afterwards"` | compare the parameters before and after; then look whether `p.grad` is `None` |
# | `"twice the rows, twice the loss"` | each row of the batch two times |
#
# Then write `d` again as `repaired`, changed as little as possible: plain SGD with rate `lr`.


# %%
def broken_a(model, batches, lr):
    optimiser, losses = torch.optim.SGD(model.parameters(), lr=lr), []
    for x, targets in batches:
        optimiser.zero_grad()
        probabilities = model(x).softmax(dim=-1)
        loss = F.cross_entropy(probabilities, targets)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


# %%
def broken_b(model, batches, lr):
    optimiser, losses = torch.optim.SGD(model.parameters(), lr=lr), []
    for x, targets in batches:
        loss = F.cross_entropy(model(x), targets)
        loss.backward()
        optimiser.zero_grad()
        optimiser.step()
        losses.append(loss.item())
    return losses


# %%
def broken_c(model, batches, lr):
    optimiser, losses = torch.optim.SGD(model.parameters(), lr=lr), []
    for x, targets in batches:
        loss = F.cross_entropy(model(x), targets)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


# %%
def broken_d(model, batches, lr):
    optimiser, losses = torch.optim.SGD(model.parameters(), lr=lr), []
    for x, targets in batches:
        optimiser.zero_grad()
        loss = F.cross_entropy(model(x), targets)
        optimiser.step()
        loss.backward()
        losses.append(loss.item())
    return losses


# %%
_ = torch.manual_seed(0)
data = torch.randn(60, 4)
classes = (data[:, :3] + 0.3 * torch.randn(60, 3)).argmax(dim=-1)  # nearly always the largest of three numbers
for broken in (broken_a, broken_b, broken_c, broken_d):
    _ = torch.manual_seed(1)
    losses = broken(nn.Linear(4, 3), [(data, classes)] * 100, lr=1.0)
    print(f"{broken.__name__}: loss at first {losses[0]:.1f}, lowest {min(losses):.1f}, at last {losses[-1]:.1f}")
print("A right loop ends at 0.3.")

# %% [markdown]
# <details><summary>Hint 1: a nudge</summary>
#
# Three things happen to `p.grad` in each turn of the loop: who empties it, who fills it, who reads it? In which order?
#
# </details>
# <details><summary>Hint 2: where to look</summary>
#
# For one parameter `p`, write down what `p.grad` holds after each line of the first turn, and again of the second. What
# holds it when the loop is over? And what does `F.cross_entropy` do to its first argument?
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# for x, targets in batches:
#     optimiser.zero_grad()
#     ____                     # three lines
#     losses.append(loss.item())
# ```
#
# </details>

# %% answer="diagnoses"
diagnoses = {  # of each loop: (fault, observation)
    "a": (None, None),
    "b": (None, None),
    "c": (None, None),
    "d": (None, None),
}
### BEGIN SOLUTION
diagnoses = {
    "a": ("softmax twice", "the loss falls at every step and stays above 0.55"),
    "b": ("gradients emptied before the step", "nothing is learnt, and p.grad is empty afterwards"),
    "c": ("gradients pile up", "the loss falls at first and rises again"),
    "d": ("step before backward", "nothing is learnt, and p.grad is filled afterwards"),
}
### END SOLUTION


# %% answer="repaired"
def repaired(model, batches, lr):
    """broken_d, mended"""
    ### BEGIN SOLUTION
    optimiser, losses = torch.optim.SGD(model.parameters(), lr=lr), []
    for x, targets in batches:
        optimiser.zero_grad()  # empty p.grad: backward adds to what is there
        loss = F.cross_entropy(model(x), targets)  # of the scores: the softmax is inside
        loss.backward()  # fill p.grad
        optimiser.step()  # use it
        losses.append(loss.item())
    return losses
    ### END SOLUTION


# %% check="diagnose" points=3
from transformer_lab.grading import grade

grade("01_toolkit.diagnose", diagnoses, repaired)

# %% [markdown]
# ## Question 4: the gradient of cross-entropy
# *Optional: 4 points, difficulty 2 of 5, about 6 minutes*
#
# Write `cross_entropy_gradient(scores, targets)`: the gradient of the mean cross-entropy with respect to every score, `(N, V)`. All
# targets count, and scores may be $\pm 10^4$. Use the formula. (Autograd is accepted, on copies that require a gradient, and
# teaches less.)
#
# <details><summary>Hint 1: a nudge</summary>
#
# The lesson has the gradient of one row's loss. What changes if the loss is the mean over $N$ rows?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# All is `(N, V)`: the softmax of each row, and a table $y$ with a single 1 in each row $n$, in column `targets[n]`. $V$ is not
# the number of classes that happen to occur.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# p = ____
# y = ____          # of the same shape as p
# return ____
# ```
#
# </details>


# %% answer="cross_entropy_gradient"
def cross_entropy_gradient(scores, targets):
    """(N, V), (N,) -> (N, V): the gradient of the mean cross-entropy with respect to the scores"""
    ### BEGIN SOLUTION
    N, V = scores.shape
    return (scores.softmax(dim=-1) - F.one_hot(targets, V)) / N
    ### END SOLUTION


# %% check="cross_entropy_gradient" points=4
from transformer_lab.grading import grade

grade("01_toolkit.cross_entropy_gradient", cross_entropy_gradient)

# %% [markdown]
# ## Question 5: the Jacobian of softmax
# *Optional: 3 points, difficulty 3 of 5, about 7 minutes*
#
# Write `softmax_jacobian(p)` for probabilities `p (..., n)` that came out of a softmax: the table `(..., n, n)` of
# $\partial p_i / \partial z_j$, row $i$, column $j$, from $p$ alone. Each row of a batch has a table of its own. A probability
# may be exactly 0 or 1.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Let all scores rise by the same small number. By how much does each probability change? So what must each row of the table
# sum to?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# Write $p_i$ as a fraction and take its derivative by $z_j$, once for $j = i$ and once for $j \ne i$. Both hold a product of
# two probabilities, which is an outer product `(..., n, n)`; the diagonal holds one term more.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# outer = p.unsqueeze(...) * p.unsqueeze(...)     # (..., n, 1) * (..., 1, n)
# return torch.diag_embed(...) - ...
# ```
#
# </details>


# %% answer="softmax_jacobian"
def softmax_jacobian(p):
    """(..., n) -> (..., n, n): row i, column j holds d p_i / d score_j"""
    ### BEGIN SOLUTION
    return torch.diag_embed(p) - p.unsqueeze(-1) * p.unsqueeze(-2)
    ### END SOLUTION


# %% check="softmax_jacobian" points=3
from transformer_lab.grading import grade

grade("01_toolkit.softmax_jacobian", softmax_jacobian)

# %% [markdown]
# ## Question 6: the chain rule through two layers
# *Optional, stretch: 4 points, difficulty 4 of 5, about 12 minutes*
#
# A network: first $h = \tanh(x W_1)$, where $\tanh$ squeezes each number into the range from -1 to 1, then the scores
# $h W_2$, and the mean cross-entropy of the targets as its loss. `x (N, D)`, `w1 (D, d_ff)`, `w2 (d_ff, V)`, `targets
# (N,)`. Write `two_layer_gradients(x, w1, w2, targets)`, which returns `dw1, dw2`, the gradients of the loss with
# respect to the two matrices, by the chain rule. (Autograd is accepted, and teaches less; the matrices come without
# `requires_grad`, so it needs copies of them that have it.)
#
# <details><summary>Hint 1: a nudge</summary>
#
# Go backwards, one operation at a time, and give each gradient the shape of what it belongs to. The shapes leave hardly any
# choice.
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# At the scores stands question 4, `(N, V)`. In the lesson the gradient at $W$ was the outer product of one row $x$ and $p - y$;
# with $N$ rows, $N$ such products are added up. And what about $h$? If $h_{nc}$ moves, all $V$ scores of row $n$ move, each as
# fast as row $c$ of $W_2$ says. The slope of $\tanh$ is $1 - h^2$, number by number `(N, d_ff)`.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# h = ...                        # (N, d_ff)
# dscores = ...                  # (N, V), the mean is in it
# dw2 = ...
# dh = ...                       # (N, d_ff)
# dw1 = ...
# return dw1, dw2
# ```
#
# </details>


# %% answer="two_layer_gradients"
def two_layer_gradients(x, w1, w2, targets):
    """(N, D), (D, d_ff), (d_ff, V), (N,) -> dw1 (D, d_ff), dw2 (d_ff, V)"""
    ### BEGIN SOLUTION
    h = torch.tanh(x @ w1)
    p = (h @ w2).softmax(dim=-1)
    dscores = (p - F.one_hot(targets, w2.shape[1])) / len(x)
    dw2 = h.T @ dscores
    dw1 = x.T @ (dscores @ w2.T * (1 - h**2))
    return dw1, dw2
    ### END SOLUTION


# %% check="two_layer_gradients" points=4
from transformer_lab.grading import grade

grade("01_toolkit.two_layer_gradients", two_layer_gradients)

# %% [markdown]
# ## Question 7: how far must it lead?
# *Optional: 3 points, difficulty 3 of 5, about 8 minutes*
#
# First by hand. Run the cell below: five scores, target b. Set the temperature to 2, leave the other four scores as they
# start, and raise the score of b, in steps of 0.1. What is the smallest score of b at which the loss is at most 0.1 nats?
# Put it, with its one decimal, into `score_of_b`.

# %%
from transformer_lab.viz import SoftmaxExplorer

explorer = SoftmaxExplorer()
explorer

# %% [markdown]
# Then by formula, at temperature 1. All scores but the target's are equal. Write `lead(loss, vocab_size)`: by how much the
# target's score must exceed the others for the loss to be exactly `loss`, in nats. There are `vocab_size` scores, the target
# among them. The lead is a plain number, negative where the loss is more than $\ln V$.
#
# <details><summary>Hint 1: a nudge</summary>
#
# For the explorer: only score divided by temperature counts. For the formula: which probability has this loss? Shift all
# scores, so that the others are 0.
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# With the others at 0 and a lead of $g$: $p = e^g / (e^g + V - 1)$, $V$ being `vocab_size`, and $p = e^{-\text{loss}}$. Solve for $g$.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# odds = ...                # p / (1 - p) = 1 / (e^loss - 1)
# return math.log(...)      # the others are vocab_size - 1
# ```
#
# </details>

# %% answer="score_of_b"
score_of_b = None  # a number with one decimal
### BEGIN SOLUTION
score_of_b = 8.0
### END SOLUTION


# %% answer="lead"
def lead(loss, vocab_size):
    """The lead in score over vocab_size - 1 equal others that makes the loss this many nats."""
    ### BEGIN SOLUTION
    return math.log((vocab_size - 1) / math.expm1(loss))
    ### END SOLUTION


# %% check="lead" points=3
from transformer_lab.grading import grade

grade("01_toolkit.lead", lead, score_of_b)

# %% [markdown]
# Back to the [lesson](../../notebooks/01_toolkit.ipynb), or to the [start](../../notebooks/00_start_here.ipynb).

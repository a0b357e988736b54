# %% [markdown]
# # Exercises: 02 Attention
#
# Write your answer where a cell says `raise NotImplementedError` or `None`, run it, then run the locked cell below. It
# tells you what your answer did and where to look. Run it as often as you like; nothing is sent anywhere. Do not copy or
# split the locked cells: a teacher's grading could not read the notebook any more.
#
# Questions 1-3 are the core (about 30 minutes). 4-8 are optional. All tensors are torch tensors, and `...` stands for
# any number of leading axes (batch, heads), or none. Every function keeps the dtype, lets gradients through, and
# leaves its inputs as they are. Results are compared up to rounding. A function of torch's or of the package's that
# does what is asked is accepted as an answer; you learn more without. Back to the
# [lesson](../../notebooks/02_attention.ipynb).

# %%
import math

import torch

# %% [markdown]
# ## Question 1: softmax
# *4 points, difficulty 2 of 5, about 8 minutes*
#
# Write `softmax(x, dim=-1)`: numbers along `dim` that are at least 0 and sum to 1, and whose ratios are
# $e^{\text{difference of scores}}$. Weights and gradients must hold for scores of $\pm 10^4$ too. If a row is wholly $-\infty$
# (nothing may be attended to), its weights are all 0; what gradients do in such a row is left to lesson 03. (Torch has a
# softmax; to learn something, do without it.)
#
# <details><summary>Hint 1: a nudge</summary>
#
# What happens to the weights when the same number is subtracted from every score of a row? Choose that number well.
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# `x (..., S)`, `largest (..., 1)`: $w_j = e^{x_j - \text{largest}} / \sum_{j'} e^{x_{j'} - \text{largest}}$. A row that is
# wholly $-\infty$ has largest $-\infty$, and $-\infty - (-\infty)$ is not a number: subtract another number from that row.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# largest = x.amax(dim=dim, keepdim=True)
# largest = ...            # 0 where it is -inf
# powers = ...
# total = ...              # keep the axis; where it is 0, divide by something harmless
# return powers / total
# ```
#
# </details>


# %% answer="softmax"
def softmax(x, dim=-1):
    """Weights of the scores x along dim; a row that is wholly -inf gives zeros."""
    ### BEGIN SOLUTION
    largest = x.amax(dim=dim, keepdim=True)
    largest = torch.where(largest.isinf(), torch.zeros_like(largest), largest)
    powers = (x - largest).exp()
    total = powers.sum(dim=dim, keepdim=True)
    return powers / torch.where(total == 0, torch.ones_like(total), total)
    ### END SOLUTION


# %% check="softmax" points=4
from transformer_lab.grading import grade

grade("02_attention.softmax", softmax)

# %% [markdown]
# ## Question 2: scaled dot-product attention
# *6 points, difficulty 2 of 5, about 10 minutes*
#
# Write `scaled_dot_product_attention(q, k, v)` that returns `(output, weights)`. It takes two small steps:
#
# 1. **One text**: `q (T, d)`, `k (S, d)`, `v (S, e)`, as in section 5 of the lesson; $T$, $S$, $d$, $e$ may all differ. Try
#    it on numbers that you can compute by hand before you run the check. With `q = torch.tensor([[2.0, 0.0]])`,
#    `k = torch.eye(2)` and `v = torch.tensor([[1.0], [5.0]])` the weights are 0.80 and 0.20, and the output is 1.78.
# 2. **Many texts**: `q (..., T, d)`, `k (..., S, d)`, `v (..., S, e)`. In the translator the leading axes are the texts of a
#    batch and the heads. Which of your lines still name an axis by its place from the front?
#
# Scores are ordinary here, no larger than 30; any softmax may be used, also your own.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Which axis holds the keys in the scores? Along it the weights sum to 1. And which width do q and k share?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# scores `(..., T, S)` = q `(..., T, d)` times k with its last two axes swapped `(..., d, S)`, divided by $\sqrt{d}$;
# weights `(..., T, S)` = softmax of the scores over $S$; output `(..., T, e)` = weights times v.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# d = ...
# scores = q @ k.transpose(..., ...) / ...
# weights = ...
# return ..., weights
# ```
#
# </details>


# %% answer="scaled_dot_product_attention"
def scaled_dot_product_attention(q, k, v):
    """(..., T, d), (..., S, d), (..., S, e) -> output (..., T, e), weights (..., T, S)"""
    ### BEGIN SOLUTION
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    weights = scores.softmax(dim=-1)
    return weights @ v, weights
    ### END SOLUTION


# %% check="scaled_dot_product_attention" points=6
from transformer_lab.grading import grade

grade("02_attention.scaled_dot_product_attention", scaled_dot_product_attention)

# %% [markdown]
# ## Question 3: four broken attentions
# *5 points, difficulty 3 of 5, about 12 minutes*
#
# Four attentions, each with one fault, and all different. They run without an error. The cell after them prints a few
# symptoms beside torch's own attention; run them on inputs of your own too. For each attention, pick its fault from
# the first table, and from the second the observation that is true of this attention, and false of the other three
# and of torch's. Both tables offer more than is needed. Write the words as they stand there, in quotation marks
# (capital letters do not matter).
#
# | fault | what it means |
# |---|---|
# | `"scale outside"` | $1 / \sqrt{d}$ stands outside the softmax |
# | `"softmax twice"` | the softmax of weights is taken once more |
# | `"over the queries"` | each column sums to 1, not each row |
# | `"keys re-read"` | the numbers of `k` are put into another shape, not transposed |
# | `"divisor too large"` | the scores are divided by more than $\sqrt{d}$ |
# | `"sum over the queries"` | output $j$ gathers along the wrong index |
# | `"no scale"` | the scores are divided by nothing |
#
# | observation | how to make it |
# |---|---|
# | `"the rows of the weights do not sum to 1"` | sum them along the keys |
# | `"queries 100 times as long leave the weights flat"` | 100 times `q`: no weight of 16 reaches 0.2 |
# | `"an equal key gets no more than the others"` | the keys themselves as queries: look at the diagonal of the weights |
# | `"right again when all queries are multiplied by one number"` | compare output and weights with torch's |
# | `"the weights are right, the output is not"` | compare both with torch's |
# | `"keys and values in another order change nothing"` | shuffle the rows of `k` and of `v` in the same way |
#
# Then write `a` again as `repaired`, changed as little as possible, for inputs as in question 2.


# %%
def broken_a(q, k, v):
    turned = k.reshape(*k.shape[:-2], k.shape[-1], k.shape[-2])  # (..., d, S)
    weights = (q @ turned / math.sqrt(q.shape[-1])).softmax(dim=-1)
    return weights @ v, weights


# %%
def broken_b(q, k, v):
    shares = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(dim=-1)
    weights = torch.softmax(shares, dim=-1)
    return weights @ v, weights


# %%
def broken_c(q, k, v):
    weights = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(dim=-1)
    return torch.einsum("...ij,...ie->...je", weights, v), weights


# %%
def broken_d(q, k, v):
    d_model = 8 * q.shape[-1]  # q, k, v belong to one of 8 heads
    weights = (q @ k.transpose(-2, -1) / math.sqrt(d_model)).softmax(dim=-1)
    return weights @ v, weights


# %%
def torchs(q, k, v):
    fused = torch.nn.functional.scaled_dot_product_attention
    return fused(q, k, v), fused(q, k, torch.eye(len(k)))  # one-hot values: the output is the weights themselves


_ = torch.manual_seed(0)
q, k, ones = torch.randn(16, 64), torch.randn(16, 64), torch.ones(16, 1)
for attention in (broken_a, broken_b, broken_c, broken_d, torchs):
    output, weights = attention(q, k, ones)
    print(f"{attention.__name__}: largest weight {weights.max():.2f}, "
          f"values of 1 become {output.min():.3f} to {output.max():.3f}")  # fmt: skip

# %% [markdown]
# <details><summary>Hint 1: a nudge</summary>
#
# For each: what do the rows of the weights sum to? Are the weights too flat or too sharp for scores of variance 1?
# Does a query find the key that is equal to it? And if the weights are right, what is left that can be wrong?
#
# </details>
# <details><summary>Hint 2: where to look</summary>
#
# One of them divides by the wrong number. One is wrong in an index. One holds a line too many. And one has the right
# shapes everywhere: try it by hand on a `k` of two keys, `torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])`.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# scores = q @ ... / math.sqrt(____)         # (..., T, S): row i, column j is query i times key j
# weights = ____
# return weights @ v, weights
# ```
#
# </details>

# %% answer="diagnoses"
diagnoses = {  # of each attention: (fault, observation)
    "a": (None, None),
    "b": (None, None),
    "c": (None, None),
    "d": (None, None),
}
### BEGIN SOLUTION
diagnoses = {
    "a": ("keys re-read", "an equal key gets no more than the others"),
    "b": ("softmax twice", "queries 100 times as long leave the weights flat"),
    "c": ("sum over the queries", "the weights are right, the output is not"),
    "d": ("divisor too large", "right again when all queries are multiplied by one number"),
}
### END SOLUTION


# %% answer="repaired"
def repaired(q, k, v):
    """broken_a, mended"""
    ### BEGIN SOLUTION
    weights = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(dim=-1)
    return weights @ v, weights
    ### END SOLUTION


# %% check="diagnose" points=5
from transformer_lab.grading import grade

grade("02_attention.diagnose", diagnoses, repaired)

# %% [markdown]
# ## Question 4: entropy
# *Optional: 3 points, difficulty 2 of 5, about 6 minutes*
#
# How sharp is a row of weights? Write `entropy(weights)`: $H = -\sum_j w_j \ln w_j$ in nats, one number a row:
# `(..., T, S) -> (..., T)`. A weight of exactly 0 contributes 0. (Gradients are asked for only where every weight is above 0:
# at 0 the slope of $-w \ln w$ is infinite.)
#
# <details><summary>Hint 1: a nudge</summary>
#
# What is `0 * torch.log(torch.tensor(0.0))`? And what should it be?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# terms `(..., T, S)`: $-w \ln w$ where $w > 0$, else 0; then the sum over the last axis `(..., T)`.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# safe = torch.where(weights > 0, weights, ...)   # a number whose logarithm is harmless
# return ...
# ```
#
# </details>


# %% answer="entropy"
def entropy(weights):
    """(..., T, S) -> (..., T): the entropy of each row in nats, with 0 log 0 = 0"""
    ### BEGIN SOLUTION
    safe = torch.where(weights > 0, weights, torch.ones_like(weights))
    return -(weights * safe.log()).sum(dim=-1)
    ### END SOLUTION


# %% check="entropy" points=3
from transformer_lab.grading import grade

grade("02_attention.entropy", entropy)

# %% [markdown]
# ## Question 5: a bias for nothing?
# *Optional: 2 points, difficulty 2 of 5, about 6 minutes*
#
# Write `shift(scores, c)`: the weights for scores `(..., T, S)` after the same number `c` has been added to all of them; it may
# be as large as $\pm 1000$. Nothing changes, as you know.
#
# Now use that. The translator's layers add a bias, a learnt vector, to each of the three: $q = x\,W_Q + b_Q$,
# $k = x\,W_K + b_K$ and $v = x\,W_V + b_V$. Is one of the three there for nothing, so that no weight and no output of any
# attention layer depends on the numbers in it? Put `"b_Q"`, `"b_K"`, `"b_V"` or `"none"` into `shift_choice`, with its quotation
# marks.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Each row of scores has a softmax of its own. So what is added may differ from row to row, and still change nothing.
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# One score, with all its biases: $(x_i W_Q + b_Q) \cdot (x_j W_K + b_K)$. Multiply it out: four dot products. Which of them are
# the same for all $S$ keys $j$ of row $i$?
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# return (...).softmax(dim=...)
# # the choice, tried out: your attention of question 2, with a random vector (d,) or (e,) added to all q, to all k, to all v
# ```
#
# </details>


# %% answer="shift"
def shift(scores, c):
    """Weights (..., T, S) after c has been added to every score."""
    ### BEGIN SOLUTION
    return (scores + c).softmax(dim=-1)
    ### END SOLUTION


# %% answer="shift_choice"
shift_choice = None  # "b_Q", "b_K", "b_V" or "none"
### BEGIN SOLUTION
shift_choice = "b_K"
### END SOLUTION

# %% check="shift" points=2
from transformer_lab.grading import grade

grade("02_attention.shift", shift, shift_choice)

# %% [markdown]
# ## Question 6: a key that stands twice
# *Optional: 3 points, difficulty 3 of 5, about 6 minutes*
#
# Key $j$ and its value are put into the list once more, the copy at the end. Write `duplicate(weights, j)`: the new row
# `(S + 1,)`, computed from the old row `(S,)` alone, without any scores. `j` counts from 0.
#
# <details><summary>Hint 1: a nudge</summary>
#
# The ratio of any two weights depends on their two scores only. Which ratios stay? What must the sum be?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# Append $w_j$ to the row: `(S + 1,)`. All ratios are right now. What is the sum?
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# longer = torch.cat((weights, ...))
# return longer / ...
# ```
#
# </details>


# %% answer="duplicate"
def duplicate(weights, j):
    """(S,) -> (S + 1,): the row of weights when key j stands in the list a second time, at the end"""
    ### BEGIN SOLUTION
    longer = torch.cat((weights, weights[j : j + 1]))
    return longer / (1 + weights[j])
    ### END SOLUTION


# %% check="duplicate" points=3
from transformer_lab.grading import grade

grade("02_attention.duplicate", duplicate)

# %% [markdown]
# ## Question 7: a weight is not a need
# *Optional: 3 points, difficulty 3 of 5, about 12 minutes*
#
# If a query could not see key $j$, how far would its output move? Write `missed(weights, v, shared)` for weights
# `(..., T, S)`, whose rows sum to 1, and values `v (..., S, e)`. The result is `(..., T, S)`: in row $i$ and column
# $j$ stands how far output $i$ moves when key $j$ alone falls silent for query $i$. This distance is the length of
# the difference between the two outputs (the root of its sum of squares). What stands in the key's place must be
# said, so there are two kinds of silence:
#
# * `shared=True`: the other keys share the weight of key $j$ in proportion to their own weights, so the row sums to 1
#   again. That is what happens when a mask hides the key.
# * `shared=False`: nobody gets its weight: $w_{ij} v_j$ is left out of the sum.
#
# A weight may be 0, but none is 1. (No gradients are asked for in this question.)
#
# Is the key with the largest weight the one that is missed most? Show that it need not be. Write `needless(weights)`: for a row
# `(S,)` of three or more weights, all of them different and above 0, it returns values `(S, e)`, with any $e \ge 1$, such that
# with `shared=True` the output moves by less than 0.001 when the key with the *largest* weight falls silent, and by more than 1
# when the key with the *smallest* weight does.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Without key $j$ the other keys have an output of their own. When is it the same as the output of all keys together?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# Without key $j$ the weights `(..., T, S)` have a 0 in column $j$; if the weight is shared, divide them by what is left, $1 - w_j$.
# Times `v` that is `(..., T, e)`, and the length of its difference from `weights @ v` is column $j$ of the result, `(..., T)`. For
# `needless`: the heaviest key, $h$, is not missed if its value is the mean of the others', each counted with its weight:
# $v_h = \sum_{k \ne h} w_k v_k \,/\, (1 - w_h)$. Their values are up to you.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# columns = []
# for j in range(weights.shape[-1]):
#     rest = ____                       # a copy of the weights, with 0 in column j
#     if shared:
#         rest = ____
#     columns.append(____)              # (..., T)
# return torch.stack(columns, dim=____)
#
# v = torch.zeros(len(weights), 1)
# v[____] = ____                        # the lightest key says something loud
# v[____] = ____                        # the heaviest says what the others say
# return v
# ```
#
# </details>


# %% answer="missed"
def missed(weights, v, shared):
    """(..., T, S), (..., S, e), True or False -> (..., T, S): how far an output moves when one key falls silent"""
    ### BEGIN SOLUTION
    output = weights @ v
    moves = []
    for j in range(weights.shape[-1]):
        others = weights.clone()
        others[..., j] = 0
        if shared:
            others = others / others.sum(dim=-1, keepdim=True)
        moves.append((others @ v - output).norm(dim=-1))
    return torch.stack(moves, dim=-1)
    ### END SOLUTION


# %% answer="needless"
def needless(weights):
    """(S,) -> values (S, e): the heaviest key can be hidden and nothing moves, the lightest one cannot"""
    ### BEGIN SOLUTION
    heaviest, lightest = weights.argmax(), weights.argmin()
    values = torch.zeros(len(weights), 1)
    values[lightest] = 3 / weights[lightest]
    values[heaviest] = 3 / (1 - weights[heaviest])  # the others' mean: all but one of them are 0
    return values
    ### END SOLUTION


# %% check="missed" points=3
from transformer_lab.grading import grade

grade("02_attention.missed", missed, needless)

# %% [markdown]
# ## Question 8: a query to order
# *Optional, stretch: 3 points, difficulty 4 of 5, about 12 minutes*
#
# In the lesson you put the output midway between $v_1$ and $v_2$ by hand. Now write `mix(keys, values)`, which finds such
# a query for any four keys `(4, d)` that are linearly independent ($d \ge 4$), and values `(4, e)`: scaled dot-product
# attention with this query `(d,)` gives an output midway between the first two values, `values[0]` and `values[1]`; it may
# miss by 1 % of their distance. (The query may be of any float dtype, and needs no gradient.)
#
# <details><summary>Hint 1: a nudge</summary>
#
# Which weights give that output? Which scores give those weights, nearly?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# Keys `(4, d)` times query `(d,)` are the four scores `(4,)`. You know which scores you want, and look for the query: four
# equations, $d \ge 4$ unknowns. `torch.linalg` has what solves them.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# wanted = torch.tensor([...])   # four scores; mind the division by sqrt(d)
# return ____                    # torch.linalg.pinv or torch.linalg.lstsq
# ```
#
# </details>


# %% answer="mix"
def mix(keys, values):
    """keys (4, d), values (4, e) -> query (d,) whose attention output is midway between values[0] and values[1]"""
    ### BEGIN SOLUTION
    wanted = torch.tensor([1.0, 1.0, 0.0, 0.0], dtype=keys.dtype)
    large = 20 * math.sqrt(keys.shape[-1])
    return torch.linalg.pinv(keys) @ (large * wanted)
    ### END SOLUTION


# %% check="mix" points=3
from transformer_lab.grading import grade

grade("02_attention.mix", mix)

# %% [markdown]
# Back to the [lesson](../../notebooks/02_attention.ipynb), or to the [start](../../notebooks/00_start_here.ipynb).

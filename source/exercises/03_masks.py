# %% [markdown]
# # Exercises: 03 Masks
#
# Write your answer where a cell says `raise NotImplementedError` or `None`, run it, then run the locked cell below. It
# tells you what your answer did and where to look. Run it as often as you like; nothing is sent anywhere. Do not copy or
# split the locked cells: a teacher's grading could not read the notebook any more.
#
# Questions 2-4 are the core (about 30 minutes). 1 and 5-7 are optional; 1 is a warm-up. All tensors are torch
# tensors, `...` stands for any number of leading axes (batch, heads), or none, and a boolean mask is True where
# looking is **allowed**. Every function leaves its inputs as they are. Results are compared up to rounding. A
# function of torch's or of the package's that does what is asked is accepted as an answer; questions 1 and 2 are
# worth writing yourself, from memory. Back to the [lesson](../../notebooks/03_masks.ipynb).

# %%
import math

import torch

# %% [markdown]
# ## Question 1: the causal mask
# *Optional, to warm up: 3 points, difficulty 2 of 5, about 8 minutes*
#
# Write `causal_mask(T, S)`: booleans `(T, S)`, a row for each of $T$ queries, a column for each of $S$ keys. A query may see
# its own position and all before it. The **last query meets the last key**: with $T < S$ the first $S - T$ keys come from a
# cache. $T > S$ is allowed too.
#
# <details><summary>Hint 1: a nudge</summary>
#
# At which position, counted among the keys, does query 0 stand? And query $i$?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# Query $i$ stands at position $p_i$, and the last one, $p_{T-1}$, at $S - 1$. allowed `(T, S)`: $\text{allowed}_{ij}$ is True
# where $j \le p_i$.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# positions = ...            # (T, 1)
# keys = torch.arange(...)   # (S,)
# return keys <= positions
# ```
#
# Or look at the `diagonal` of `torch.tril`.
#
# </details>


# %% answer="causal_mask"
def causal_mask(T, S):
    """(T, S) booleans, True where query i may see key j; the last query meets the last key"""
    ### BEGIN SOLUTION
    return torch.ones(T, S, dtype=torch.bool).tril(diagonal=S - T)
    ### END SOLUTION


# %% check="causal_mask" points=3
from transformer_lab.grading import grade

grade("03_masks.causal_mask", causal_mask)

# %% [markdown]
# ## Question 2: attention with a mask
# *6 points, difficulty 3 of 5, about 12 minutes*
#
# Write `masked_attention(q, k, v, mask)` that returns `(output, weights)`. `q (..., T, d)`, `k (..., S, d)`, `v (...,
# S, e)`, as in lesson 02; `mask` is boolean, has two axes or more, and broadcasts to `(..., T, S)`. A blocked key
# gets weight 0 and the allowed ones share 1, for all scores between $-20\,000$ and $20\,000$, even if all are low or
# a blocked one is 300 above the allowed. A row with **no** allowed key gives zeros, in the weights and in the output.
# Gradients flow from the output to `q`, `k` and `v`, in all these cases without NaN. (If you write 0 over a NaN, it
# may come back in the gradient; the Deeper part of section 7 shows how.) Keep the dtype.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Which score makes $e^{\text{score}}$ exactly 0? And what is 0 / 0?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# scores `(..., T, S)`; the weights are a softmax over the last axis, and a row without any key is a whole row of them.
# `mask.any(dim=-1, keepdim=True)` has shape `(..., T, 1)`. `masked_fill` passes no gradient where it wrote: which tensors does
# that protect from NaN on the way back?
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# scores = ____
# weights = ____     # blocked keys get exactly 0, the others share 1
# weights = ____     # the rows without any key
# return ____, weights
# ```
#
# </details>


# %% answer="masked_attention"
def masked_attention(q, k, v, mask):
    """(..., T, d), (..., S, d), (..., S, e), booleans -> output (..., T, e), weights (..., T, S)"""
    ### BEGIN SOLUTION
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    weights = scores.masked_fill(~mask, -math.inf).softmax(dim=-1)
    weights = weights.masked_fill(~mask.any(dim=-1, keepdim=True), 0.0)
    return weights @ v, weights
    ### END SOLUTION


# %% check="masked_attention" points=6
from transformer_lab.grading import grade

grade("03_masks.masked_attention", masked_attention)

# %% [markdown]
# ## Question 3: three broken masks
# *4 points, difficulty 3 of 5, about 10 minutes*
#
# Three ways to apply a mask, each with one fault, and all different. All of them run. For each of them, pick its
# fault from the first table, and from the second the observation that is true of this one, and false of the other two
# and of a right attention. The cell after them prints a few symptoms, the rest you find out with inputs of your own
# (one of the three looks right in everything that is printed). Both tables offer more than is needed. Write the words
# as they stand there, in quotation marks (capital letters do not matter).
#
# | fault | what it means |
# |---|---|
# | `"upside down"` | what is allowed is blocked, and the other way round |
# | `"masked after, divided again"` | blocked weights become 0 after the softmax, each row is divided by what is left |
# | `"a finite number for -inf"` | blocked scores become low, not $-\infty$ |
# | `"transposed"` | the mask's rows are taken for keys |
# | `"masked after, not divided"` | blocked weights become 0 after the softmax, and that is all |
# | `"mask without effect"` | the masked scores are never used |
#
# | observation | how to make it |
# |---|---|
# | `"right for ordinary scores, wrong when all scores are 1000 lower"` | compare with torch's attention; subtract the same large number from all of `k` |
# | `"the rows of the weights sum to less than 1"` | sum them along the keys, with scores as the cell has them |
# | `"NaN where a blocked score is 300 above the allowed ones"` | one long key, blocked for a query that points its way |
# | `"any other mask gives the same output"` | run it with two masks |
# | `"no query reads the first key"` | look at the first column of the weights |
#
# Then write `c` again as `repaired`, right for all scores of question 2. (Every query has an allowed key: no rule for empty
# rows is asked for.)


# %%
def broken_a(q, k, v, mask):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    weights = torch.where(mask, scores, -30.0).softmax(dim=-1)
    return weights @ v, weights


def broken_b(q, k, v, mask):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    scores.masked_fill(~mask, -math.inf)
    weights = scores.softmax(dim=-1)
    return weights @ v, weights


# %%
def broken_c(q, k, v, mask):
    weights = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(dim=-1) * mask
    weights = weights / weights.sum(dim=-1, keepdim=True)
    return weights @ v, weights


# %%
_ = torch.manual_seed(0)
q, k, v = torch.rand(6, 16), torch.rand(6, 16), torch.randn(6, 3)
mask = torch.ones(6, 6).tril().bool()
for broken in (broken_a, broken_b, broken_c):
    for name, keys in (("ordinary scores", k), ("low scores", k - 32)):  # the same differences, all of them far lower
        _, weights = broken(q, keys, v, mask)
        rows, share = weights.sum(dim=-1), weights.masked_fill(mask, 0.0).sum(dim=-1)
        first, last = ((weights[i] > 0.001).sum().item() for i in (0, -1))
        print(f"{broken.__name__}, {name:15}  rows sum to {rows.min():.1f} ... {rows.max():.1f}, on blocked keys up to "
              f"{share.max():.1f}; keys read by query 0: {first}, by the last: {last}")  # fmt: skip

# %% [markdown]
# <details><summary>Hint 1: a nudge</summary>
#
# How much of a row lies on blocked keys? Does that depend on the scores?
#
# </details>
# <details><summary>Hint 2: where to look</summary>
#
# One of them calls a function and does not use what it returns. One has a number in it that is small only beside others. One
# divides by a sum: which keys have had their share of $e^{\text{score}}$ before it comes to that, and what is left if they
# took nearly all?
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# scores = ____                              # (..., T, S)
# weights = scores.masked_fill(____, ____).softmax(dim=-1)
# return weights @ v, weights
# ```
#
# </details>

# %% answer="diagnoses"
diagnoses = {  # of each masking: (fault, observation)
    "a": (None, None),
    "b": (None, None),
    "c": (None, None),
}
### BEGIN SOLUTION
diagnoses = {
    "a": ("a finite number for -inf", "right for ordinary scores, wrong when all scores are 1000 lower"),
    "b": ("mask without effect", "any other mask gives the same output"),
    "c": ("masked after, divided again", "NaN where a blocked score is 300 above the allowed ones"),
}
### END SOLUTION


# %% answer="repaired"
def repaired(q, k, v, mask):
    """broken_c, mended"""
    ### BEGIN SOLUTION
    scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
    weights = scores.masked_fill(~mask, float("-inf")).softmax(dim=-1)
    return weights @ v, weights
    ### END SOLUTION


# %% check="diagnose" points=4
from transformer_lab.grading import grade

grade("03_masks.diagnose", diagnoses, repaired)

# %% [markdown]
# ## Question 4: find the leak
# *4 points, difficulty 3 of 5, about 8 minutes*
#
# Section 5 of the lesson tests a model of tokens; here is one of vectors. `model(x)` takes hidden states `x (T, D)`
# and returns `(output (T, D), weights (T, T))`. Output $i$ should depend on positions $0$ to $i$ only. Write
# `leaks(model, x)`: a list of the positions $j$ from which something reaches an output *before* $j$; empty if there
# is none. Some of the models in the check have a clean attention map and leak all the same. Some rescale their input
# first. And a leak may be faint: an output that moves by a thousandth of the change counts.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Do not read the model; ask it. What may change, and what may not, when you change position $j$?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# For each $j$: a copy of `x (T, D)` in which the whole row $j$ is another, with nothing of the old one in it; compare
# `output[:j]`, shape `(j, D)`, before and after. Exactly, or with a very small tolerance.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# before = ...
# found = []
# for j in range(len(x)):
#     changed = x.clone()
#     ...
#     if not torch.equal(..., ...):
#         found.append(j)
# return found
# ```
#
# </details>


# %% answer="leaks"
def leaks(model, x):
    """The positions j for which changing x[j] changes an output before j, as a list"""
    ### BEGIN SOLUTION
    before = model(x)[0]
    found = []
    for j in range(len(x)):
        other = x.clone()
        other[j] = torch.randn(x.shape[1])
        if not torch.equal(model(other)[0][:j], before[:j]):
            found.append(j)
    return found
    ### END SOLUTION


# %% check="leaks" points=4
from transformer_lab.grading import grade

grade("03_masks.leaks", leaks)

# %% [markdown]
# ## Question 5: padding and causality at once
# *Optional: 3 points, difficulty 3 of 5, about 8 minutes*
#
# A batch of $B$ texts was padded to length $S$. The table `padding (B, S)` is what the lesson calls `real`: True at
# real tokens, False at padding. The last $T$ tokens ask. Write `combine(padding, T)`: one boolean mask `(B, 1, T, S)`
# that closes both the padding and the future (last query, last key). The axis of size 1 is that of the heads. Padding
# closes keys, never queries; a row that is left without any key stays so.
#
# <details><summary>Hint 1: a nudge</summary>
#
# May a query see a key that the causal mask allows and that is padding? Which of `&` and `|` says so?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# Padding closes *columns*, the same for every query: `(B, S)` becomes `(B, 1, 1, S)`. Causality `(T, S)` is the same for
# every text.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# keys = padding[:, None, ____, :]     # (B, 1, 1, S)
# causal = ____                        # (T, S)
# return ____
# ```
#
# </details>


# %% answer="combine"
def combine(padding, T):
    """(B, S) booleans, True at real tokens -> (B, 1, T, S) booleans, True where allowed"""
    ### BEGIN SOLUTION
    S = padding.shape[1]
    return padding[:, None, None, :] & torch.ones(T, S, dtype=torch.bool).tril(diagonal=S - T)
    ### END SOLUTION


# %% check="combine" points=3
from transformer_lab.grading import grade

grade("03_masks.combine", combine)

# %% [markdown]
# ## Question 6: three conventions
# *Optional: 3 points, difficulty 2 of 5, about 6 minutes*
#
# `allowed` is boolean, True where looking is allowed. Write
#
# * `to_blocked(allowed)`: the booleans that `nn.MultiheadAttention` wants as `attn_mask`, True where looking is forbidden;
# * `to_additive(allowed)`: float numbers to be added to the scores, 0 where allowed and $-\infty$ where not;
# * `to_allowed(additive)`: from numbers to add back to booleans. Such numbers may also be a *bias* that makes a key more or
#   less likely; only $-\infty$ itself blocks, no finite number does, not even the lowest that float32 has.
#
# <details><summary>Hint 1: a nudge</summary>
#
# What is `0 * float("inf")`? A product is not the way to write an infinity.
#
# </details>
# <details><summary>Hint 2: the tools</summary>
#
# All three keep the shape. `~` turns booleans around; `torch.zeros(...).masked_fill(...)` or `torch.where` writes
# numbers; a comparison makes booleans of numbers.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# def to_additive(allowed):
#     return torch.zeros(allowed.shape).masked_fill(..., ...)
# ```
#
# </details>


# %% answer="to_blocked"
def to_blocked(allowed):
    """Booleans, True = allowed -> booleans, True = blocked"""
    ### BEGIN SOLUTION
    return ~allowed
    ### END SOLUTION


# %% answer="to_additive"
def to_additive(allowed):
    """Booleans, True = allowed -> floats to add to the scores"""
    ### BEGIN SOLUTION
    return torch.zeros(allowed.shape).masked_fill(~allowed, -math.inf)
    ### END SOLUTION


# %% answer="to_allowed"
def to_allowed(additive):
    """Floats to add to the scores -> booleans, True = allowed"""
    ### BEGIN SOLUTION
    return additive > -math.inf
    ### END SOLUTION


# %% check="convert" points=3
from transformer_lab.grading import grade

grade("03_masks.convert", to_blocked, to_additive, to_allowed)

# %% [markdown]
# ## Question 7: how much is allowed?
# *Optional: 3 points, difficulty 3 of 5, about 8 minutes*
#
# Write `allowed_cells(T, S)`: how many of the $T \cdot S$ cells a causal mask allows when the last query meets the last key.
# Derive a formula; mind $T > S$. Then set `agree`: let the *first* query meet the first key instead. When does the **last**
# query see the same keys under both rules? Answer `"always"`, `"never"`, `"T < S"`, `"T <= S"`, `"T = S"`, `"T >= S"` or
# `"T > S"`, with its quotation marks. (The lesson's explorer shows both masks.)
#
# <details><summary>Hint 1: a nudge</summary>
#
# How many keys does query $i$ see? Add that up over the queries. Can it be a negative number?
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# Query $i$ sees $\max(0, S - T + i + 1)$ keys. For $T \le S$ the terms run from $S - T + 1$ to $S$; for $T > S$ only
# the last $S$ queries see anything.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# n = min(T, S)          # the queries that see something
# return n * ... - ...   # n rows, each S long, less a triangle of what is forbidden
# ```
#
# </details>


# %% answer="allowed_cells"
def allowed_cells(T, S):
    """The number of allowed cells of a causal mask (T, S), last query at the last key"""
    ### BEGIN SOLUTION
    n = min(T, S)
    return n * S - n * (n - 1) // 2
    ### END SOLUTION


# %% answer="agree"
agree = None  # "always", "never", "T < S", "T <= S", "T = S", "T >= S" or "T > S"
### BEGIN SOLUTION
agree = "T >= S"
### END SOLUTION

# %% check="count" points=3
from transformer_lab.grading import grade

grade("03_masks.count", allowed_cells, agree)

# %% [markdown]
# Back to the [lesson](../../notebooks/03_masks.ipynb), or to the [start](../../notebooks/00_start_here.ipynb).

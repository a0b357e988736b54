# %% [markdown]
# # Exercises: 04 Multi-head attention
#
# Write your answer where a cell says `raise NotImplementedError` or `None`, run it, then run the locked cell below. It
# tells you what your answer did and where to look. Run it as often as you like; nothing is sent anywhere. Do not copy or
# split the locked cells: a teacher's grading could not read the notebook any more.
#
# Questions 1, 3 and 6 are the core (about 30 minutes). The others are optional. All tensors are torch tensors. $B$ is
# the batch, $T$ and $S$ are positions of queries and of keys, $D$ the model's width `d_model`, $H$ the heads, and
# `d_head` $= D / H$; $D$ is always a multiple of $H$. Every function keeps the dtype and leaves its inputs as they
# are, lists too. Gradients must get through, even where scores reach hundreds. The checks allow your numbers an error
# of 1e-5 (of their size, where that exceeds 1); counts must be exact. A function of torch's or of the package's that
# does what is asked is accepted as an answer. But question 1 is what the lesson derived: close it, and write it from
# memory. Back to the [lesson](../../notebooks/04_multi_head.ipynb).

# %%
import math

import torch
from torch import nn

# %% [markdown]
# ## Question 1: split and merge
# *5 points, difficulty 2 of 5, about 8 minutes*
#
# Write `split(x, n_heads)`, from `(B, T, D)` to `(B, H, T, d_head)`: feature $f$ of head $h$ is feature $h \cdot$
# `d_head` $+ f$ of `x`, at the same position. And `merge(heads)`, from `(B, H, T, d_head)` back to `(B, T, D)`. Both
# must also work on a tensor that has been transposed before: there `view` refuses, and `reshape` copies.
#
# <details><summary>Hint 1: a nudge</summary>
#
# `view` cuts an axis without moving a number; `transpose` swaps two axes. Which axis must be cut? Which two swapped?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# split: `(B, T, D)` → cut the last axis → `(B, T, H, d_head)` → swap axes 1 and 2 → `(B, H, T, d_head)`. merge is the
# way back, step by step.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# B, T, D = x.shape
# return x.reshape(B, T, ..., ...).transpose(..., ...)
#
# return heads.transpose(..., ...).flatten(start_dim=...)
# ```
#
# </details>


# %% answer="split"
def split(x, n_heads):
    """(B, T, D) -> (B, H, T, d_head)"""
    ### BEGIN SOLUTION
    B, T, D = x.shape
    return x.reshape(B, T, n_heads, D // n_heads).transpose(1, 2)
    ### END SOLUTION


# %% answer="merge"
def merge(heads):
    """(B, H, T, d_head) -> (B, T, D): the inverse of split"""
    ### BEGIN SOLUTION
    return heads.transpose(1, 2).flatten(start_dim=2)
    ### END SOLUTION


# %% check="split_and_merge" points=5
from transformer_lab.grading import grade

grade("04_multi_head.split_and_merge", split, merge)

# %% [markdown]
# ## Question 2: one matrix for three
# *Optional: 6 points, difficulty 3 of 5, about 14 minutes*
#
# Not every model keeps this layer as ours does. GPT-NeoX and BLOOM, two language models, make queries, keys and
# values with *one* matrix, **head by head**: of the numbers that it makes for a token, the first `d_head` are head
# 1's query, the next `d_head` its key, the next `d_head` its value; then come query, key and value of head 2, and so
# on. Write the module that such parameters fit, `MultiHeadAttention(d_model, n_heads)`, without a mask. Go step by
# step, and run the check after each of them: its lines stand in this order, and those of the steps to come may fail
# until you are there.
#
# 1. **The layers**: `w_qkv`, an `nn.Linear(d_model, 3 * d_model)`, and `w_o`, an `nn.Linear(d_model, d_model)`, each with its bias,
#    and no other parameters. (The check puts weights of its own into them.)
# 2. **One head**: `forward(x)` returns the output `(B, T, D)` alone. With a single head the first third of `w_qkv(x)` are the
#    queries, the second the keys, the third the values. They go through lesson 02's attention, and its output through `w_o`.
# 3. **Several heads**: `split` before the attention, `merge` after it; you may use yours of question 1.
# 4. **A memory**: in `forward(x, memory)` keys and values are made of `memory (B, S, D)` (cross-attention), queries of `x`.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Write down the order of the 18 numbers that `w_qkv` makes for one token with $D = 6$ and two heads. How many of them belong to
# head 1? Is there a split of question 1 that hands each head exactly its own?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# `w_qkv(x)` `(B, T, 3 D)`, split into $H$ heads: `(B, H, T, 3 d_head)`; its last axis in three: q, k and v `(B, H, T, d_head)`, those
# of a memory `(B, H, S, d_head)`. Scores `(B, H, T, S)` over $\sqrt{\text{d\_head}}$; softmax over $S$; times v; merged
# `(B, T, D)`; through `w_o`.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# memory = x if memory is None else memory
# q, _, _ = split(self.w_qkv(x), ...).chunk(...)
# _, k, v = ...
# scores = ...
# return self.w_o(merge(...))
# ```
#
# </details>


# %% answer="multi_head_attention"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        ### BEGIN SOLUTION
        super().__init__()
        self.n_heads = n_heads
        self.w_qkv = nn.Linear(d_model, 3 * d_model)
        self.w_o = nn.Linear(d_model, d_model)
        ### END SOLUTION

    def forward(self, x, memory=None):
        ### BEGIN SOLUTION
        memory = x if memory is None else memory
        q, _, _ = split(self.w_qkv(x), self.n_heads).chunk(3, dim=-1)
        _, k, v = split(self.w_qkv(memory), self.n_heads).chunk(3, dim=-1)
        weights = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(dim=-1)
        return self.w_o(merge(weights @ v))
        ### END SOLUTION


# %% check="multi_head_attention" points=6
from transformer_lab.grading import grade

grade("04_multi_head.multi_head_attention", MultiHeadAttention)

# %% [markdown]
# ## Question 3: three broken attentions
# *3 points, difficulty 3 of 5, about 10 minutes*
#
# Three self-attentions with several heads, each with one fault, and all different. They run, and their shapes are
# right. `layer` has the lesson's four matrices, `w_q`, `w_k`, `w_v` and `w_o`, and `layer.n_heads`; nothing else of
# it may be used. For each of them, pick its fault from the first table, and from the second the observation that is
# true of this one, **and false of the other two and of a right attention**. The cell after them prints one symptom;
# compare with `Packaged` to find the others. Both tables offer more than is needed. Write the words as they stand
# there, in quotation marks (capital letters do not matter).
#
# | fault | what it means |
# |---|---|
# | `"softmax over the queries"` | the weights of a key add up to 1, not those of a query |
# | `"one map for all heads"` | every head averages its values with the same weights |
# | `"merge without transpose"` | what the heads say is put together in a mixed order |
# | `"divided by sqrt(d_model)"` | the scores are divided by the root of the model's width |
# | `"heads attend to one another"` | scores are between heads of one position, not between positions |
# | `"split without transpose"` | the numbers of other positions get into a head |
# | `"heads averaged"` | the heads' outputs are averaged, not put side by side |
#
# | observation | how to make it |
# |---|---|
# | `"with w_o the identity, the right numbers in wrong places"` | `layer.w_o = nn.Identity()`; compare the sorted numbers |
# | `"the output has another shape than x"` | `.shape` |
# | `"wrong for a text of a single position"` | $T = 1$ |
# | `"right with a single head"` | `n_heads=1` |
# | `"for longer texts, right only where all heads have the same queries and keys"` | repeat the rows of `w_q` and `w_k` that make one head |
#
# Last, mend `a`: `repaired(layer, x)`, changed as little as possible.


# %%
def broken_a(layer, x):
    q, k, v = (w(x).unflatten(-1, (layer.n_heads, -1)) for w in (layer.w_q, layer.w_k, layer.w_v))
    scores = torch.einsum("bthd,btgd->bthg", q, k)
    weights = (scores / math.sqrt(q.shape[-1])).softmax(dim=-1)
    return layer.w_o(torch.einsum("bthg,btgd->bthd", weights, v).flatten(start_dim=2))


# %%
def broken_b(layer, x):
    q, k, v = layer.w_q(x), layer.w_k(x), layer.w_v(x)
    scores = torch.einsum("btf,bsf->bts", q, k) / layer.n_heads
    weights = (scores / math.sqrt(q.shape[-1] // layer.n_heads)).softmax(dim=-1)
    return layer.w_o(torch.einsum("bts,bsf->btf", weights, v))


# %%
def broken_c(layer, x):
    outputs, d_head = [], x.shape[-1] // layer.n_heads
    for q, k, v in zip(*(w(x).split(d_head, dim=-1) for w in (layer.w_q, layer.w_k, layer.w_v)), strict=True):
        scores = torch.einsum("btd,bsd->bts", q, k) / math.sqrt(d_head)
        outputs.append(torch.einsum("bts,bsd->btd", scores.softmax(dim=-1), v))
    return layer.w_o(torch.stack(outputs, dim=1).reshape(x.shape))


# %%
from transformer_lab import MultiHeadAttention as Packaged

_ = torch.manual_seed(0)
layer, x = Packaged(d_model=12, n_heads=3), torch.randn(1, 5, 12)
changed = x.clone()
changed[:, 3] = torch.randn(12)
for broken in (broken_a, broken_b, broken_c):
    moved = (broken(layer, changed) - broken(layer, x)).abs().amax(dim=(0, 2)) > 1e-6
    print(f"{broken.__name__}, position 3 changed: outputs move at", moved.nonzero().flatten().tolist())

# %% [markdown]
# <details><summary>Hint 1: a nudge</summary>
#
# Write the shape beside each line: `einsum` names the axes, and sums over those that are missing behind the arrow. Between what
# and what are the scores? How many maps of weights are there? In which order do the numbers lie when `w_o` reads?
#
# </details>
# <details><summary>Hint 2: where to look</summary>
#
# When does a swap of positions and heads move nothing? When would all heads have the same weights? Compare each
# snippet with `Packaged(12, n_heads)` for one head, for one position, and after `layer.w_o = nn.Identity()`.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# scores = torch.einsum("bthd,____->____", q, k)        # between position t and position s, for each head
# weights = ...
# return layer.w_o(torch.einsum("____,____->bthd", weights, v).flatten(start_dim=2))
# ```
#
# </details>

# %% answer="diagnoses"
diagnoses = {  # of each attention: (fault, observation)
    "a": (None, None),
    "b": (None, None),
    "c": (None, None),
}
### BEGIN SOLUTION
diagnoses = {
    "a": ("heads attend to one another", "wrong for a text of a single position"),
    "b": ("one map for all heads", "for longer texts, right only where all heads have the same queries and keys"),
    "c": ("merge without transpose", "with w_o the identity, the right numbers in wrong places"),
}
### END SOLUTION


# %% answer="repaired"
def repaired(layer, x):
    """broken_a, mended; layer has w_q, w_k, w_v, w_o and n_heads"""
    ### BEGIN SOLUTION
    q, k, v = (w(x).unflatten(-1, (layer.n_heads, -1)) for w in (layer.w_q, layer.w_k, layer.w_v))
    scores = torch.einsum("bthd,bshd->bhts", q, k)
    weights = (scores / math.sqrt(q.shape[-1])).softmax(dim=-1)
    return layer.w_o(torch.einsum("bhts,bshd->bthd", weights, v).flatten(start_dim=2))
    ### END SOLUTION


# %% check="diagnose" points=3
from transformer_lab.grading import grade

grade("04_multi_head.diagnose", diagnoses, repaired)

# %% [markdown]
# ## Question 4: who says how much?
# *Optional: 3 points, difficulty 3 of 5, about 8 minutes*
#
# $W_O$ sums the heads, each with its own rows (section 3 of the lesson). So of any output one can ask how much of it each head
# has said. Write `contributions(heads, w_o)`, for `heads (B, H, T, d_head)`, the weighted averages of all heads, and `w_o
# (H * d_head, D)`, with which the lesson multiplies them side by side. $H \cdot$ `d_head` need not be $D$. It returns two tensors:
#
# * `parts (B, H, T, D)`: what each head adds to the output. Summed over the heads, they are the output. (No bias here.)
# * `shares (B, H, T)`: how much of the output is this head's doing, $\text{part} \cdot \text{output} / (\text{output} \cdot
#   \text{output})$. That is the part's shadow on the output ([lesson 01](../../notebooks/01_toolkit.ipynb)), in lengths of the
#   output. The shares of all heads sum to 1; a head that works against the others has a negative one. No output is 0.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Cut `w_o` as the heads were cut. Which of its two axes belongs to the heads, and which to the output?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# `w_o` seen as `(H, d_head, D)`: `(B, H, T, d_head) @ (H, d_head, D)` is `(B, H, T, D)`, each head with rows of its own. The
# output is the sum over the heads; keep that axis, `(B, 1, T, D)`, and it meets all parts at once.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# parts = heads @ w_o.unflatten(____)
# output = parts.sum(____)
# return parts, (parts * output).sum(____) / ____
# ```
#
# </details>


# %% answer="contributions"
def contributions(heads, w_o):
    """(B, H, T, d_head), (H * d_head, D) -> parts (B, H, T, D), shares (B, H, T)"""
    ### BEGIN SOLUTION
    parts = heads @ w_o.unflatten(0, (heads.shape[1], -1))
    output = parts.sum(dim=1, keepdim=True)
    return parts, (parts * output).sum(dim=-1) / output.square().sum(dim=-1)
    ### END SOLUTION


# %% check="contributions" points=3
from transformer_lab.grading import grade

grade("04_multi_head.contributions", contributions)

# %% [markdown]
# ## Question 5: heads in another order
# *Optional: 3 points, difficulty 3 of 5, about 8 minutes*
#
# Heads have numbers, but no order: a layer whose heads are shuffled, all four matrices rightly, computes the same. Write
# `permute_heads(w_q, w_k, w_v, w_o, order)`, which returns the four new matrices. New head $i$ is old head `order[i]`. As in
# the lesson, $q = x W_Q$: the matrices `w_q`, `w_k`, `w_v` are `(D, H * d_head)`, and `w_o` is `(H * d_head, D)`; `order` is a
# list, and there are `len(order)` heads. $H \cdot$ `d_head` need not be $D$ here.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Which axis of each matrix holds the heads? $D$ belongs to the model, not to any head.
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# `w_q (D, H * d_head)` seen as `(D, H, d_head)`: index its axis 1 with `order`. `w_o (H * d_head, D)` seen as
# `(H, d_head, D)`: index its axis 0.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# H = len(order)
# w_q, w_k, w_v = (w.unflatten(1, (H, -1))[..., ...].flatten(...) for w in (w_q, w_k, w_v))
# w_o = ...
# return w_q, w_k, w_v, w_o
# ```
#
# </details>


# %% answer="permute_heads"
def permute_heads(w_q, w_k, w_v, w_o, order):
    """Three matrices (D, H * d_head) and one (H * d_head, D), the heads in this order; the layer's output stays."""
    ### BEGIN SOLUTION
    H = len(order)
    w_q, w_k, w_v = (w.unflatten(1, (H, -1))[:, order].flatten(1) for w in (w_q, w_k, w_v))
    return w_q, w_k, w_v, w_o.unflatten(0, (H, -1))[order].flatten(0, 1)
    ### END SOLUTION


# %% check="permute_heads" points=3
from transformer_lab.grading import grade

grade("04_multi_head.permute_heads", permute_heads)

# %% [markdown]
# ## Question 6: heads that share their keys
# *4 points, difficulty 3 of 5, about 10 minutes*
#
# A model that writes text keeps the keys and values of everything before (lesson 03), for every head. To keep less, let a
# group of query heads share one head of keys and values: *grouped-query attention* (Ainslie et al., 2023). Write
# `grouped_query_attention(q, k, v)`: `q (B, H, T, d_head)`, `k (B, n_kv_heads, S, d_head)`, `v (B, n_kv_heads, S, e)`, where
# $H$ is a multiple of `n_kv_heads`. The first $H /$ `n_kv_heads` query heads share key head 0, the next as many key head 1,
# and so on. Return the output `(B, H, T, e)`.
#
# <details><summary>Hint 1: a nudge</summary>
#
# With six query heads and two key heads, the key heads serve in the order 0 0 0 1 1 1. Which torch function writes that:
# `repeat` or `repeat_interleave`?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# Query head $h$ meets key head $\lfloor h / (H / \text{n\_kv\_heads}) \rfloor$. Either make k and v `(B, H, S, ...)`, or see q
# as `(B, n_kv_heads, H / n_kv_heads, T, d_head)` and give k and v an axis of size 1 there.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# group = q.shape[1] // k.shape[1]
# k = k....(group, dim=1)
# v = ...
# scores = ...
# return ...
# ```
#
# </details>


# %% answer="grouped_query_attention"
def grouped_query_attention(q, k, v):
    """(B, H, T, d_head), (B, n_kv_heads, S, d_head), (B, n_kv_heads, S, e) -> (B, H, T, e)"""
    ### BEGIN SOLUTION
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
    return (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(dim=-1) @ v
    ### END SOLUTION


# %% check="grouped_query_attention" points=4
from transformer_lab.grading import grade

grade("04_multi_head.grouped_query_attention", grouped_query_attention)

# %% [markdown]
# ## Question 7: how much of it is right?
# *Optional, stretch: 3 points, difficulty 4 of 5, about 12 minutes*
#
# `view(1, H, T, d_head)` alone is wrong, but not everywhere. Call the `d_head` numbers that a position hands to one head a
# *piece*: there are $T \cdot H$ of them. In the lesson's explorer the pieces that `view` alone puts where they belong are
# framed. Write `pieces_that_agree(T, H)`: how many there are. Use the explorer to find the pattern; going through all pieces
# in a loop is a right answer too.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Does `d_head` matter? Write down the framed pieces as pairs, position and head, for $T = 5$, $H = 3$ and for $T = 7$, $H = 4$.
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# In memory the pieces lie as a table `(T, H)`, and `view` alone reads them as a table `(H, T)`. Which number in memory has piece
# $(t, h)$ in the one, and which in the other? It stays where the two are equal.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# return sum(____ == ____ for t in range(T) for h in range(H))
# ```
#
# Or put $t$ on one side and $h$ on the other, and count with one greatest common divisor (`math.gcd`).
#
# </details>

# %%
from transformer_lab.viz import SplitExplorer

explorer = SplitExplorer(n_positions=5)
explorer


# %% answer="pieces_that_agree"
def pieces_that_agree(T, H):
    """How many of the T * H pieces a view straight to (1, H, T, d_head) puts in the right place."""
    ### BEGIN SOLUTION
    return math.gcd(T - 1, H - 1) + 1
    ### END SOLUTION


# %% check="pieces_that_agree" points=3
from transformer_lab.grading import grade

grade("04_multi_head.pieces_that_agree", pieces_that_agree)

# %% [markdown]
# Back to the [lesson](../../notebooks/04_multi_head.ipynb), or to the [start](../../notebooks/00_start_here.ipynb).

# %% [markdown]
# # Exercises: 11 Encoder and decoder
#
# Write your answer where a cell says `raise NotImplementedError` or `None`, run it, then run the locked cell below. It
# tells you what your answer did and where to look. Run it as often as you like; nothing is sent anywhere. Do not copy or
# split the locked cells: a teacher's grading could not read the notebook any more.
#
# Questions 1-3 are the core (about 30 minutes). The others are optional. All tensors are torch tensors, and `...` stands
# for any number of leading axes (the texts of a batch), also none. Every function leaves its inputs as they are. Results are
# compared up to rounding. A function of torch's or of the package's that does what is asked is accepted as an answer; you
# learn more without. Back to the [lesson](../../notebooks/11_encoder_decoder.ipynb).

# %%
import math

import torch

# %% [markdown]
# ## Question 1: what the decoder reads, and what it must predict
# *4 points, difficulty 2 of 5, about 8 minutes*
#
# A batch of targets has been padded to one width: `targets (B, T)` holds ids, `is_real (B, T)` is True at the real tokens,
# which stand on the left. Write `shift(targets, is_real, bos, eos, pad)` that returns three tensors, each `(B, T + 1)`:
#
# * `inputs`: the ids that the decoder reads;
# * `labels`: the ids that it must predict, each from what it has read up to that place;
# * `counts`: booleans, True where a prediction counts in the loss.
#
# A text begins with `bos` and ends with `eos`, and a text of no tokens still has its end to predict. Where nothing counts,
# any id of the batch, `bos`, `eos` or `pad` may stand in `inputs`, and anything in `labels`. Ids are int64. Do not ask an id
# whether it is padding: some tokenizers use one id for `pad` and `eos`, and `pad` may also be the id of a real token.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Write down one text of two tokens by hand: which id does the decoder read first, and what must it say then? How often must
# it say something, in all?
#
# </details>
# <details><summary>Hint 2: where each id goes, with shapes</summary>
#
# A text of $n$ tokens has $n + 1$ predictions. In `labels (B, T + 1)` its `eos` stands in column $n$, which differs from text
# to text: `is_real.sum(dim=1)` is `(B,)`. The columns $0 \dots n$ of `counts` are True.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# column = targets.new_full((len(targets), 1), pad)
# inputs = torch.cat((____, ____), dim=1)
# labels = torch.cat((targets, column), dim=1)
# labels[torch.arange(len(targets)), ____] = eos
# counts = torch.arange(labels.shape[1]) <= ____     # (T + 1,) against (B, 1)
# return inputs, labels, counts
# ```
#
# </details>


# %% answer="shift"
def shift(targets, is_real, bos, eos, pad):
    """ids (B, T), booleans (B, T), three ids -> inputs, labels and counts, each (B, T + 1)"""
    ### BEGIN SOLUTION
    column = targets.new_full((len(targets), 1), pad)
    length = is_real.sum(dim=1)
    inputs = torch.cat((torch.full_like(column, bos), targets), dim=1)
    labels = torch.cat((targets, column), dim=1)
    labels[torch.arange(len(targets)), length] = eos
    counts = torch.arange(labels.shape[1]) <= length[:, None]
    return inputs, labels, counts
    ### END SOLUTION


# %% check="shift" points=4
from transformer_lab.grading import grade

grade("11_encoder_decoder.shift", shift)

# %% [markdown]
# ## Question 2: cross-attention
# *6 points, difficulty 3 of 5, about 12 minutes*
#
# Write `cross_attention(x, memory, is_real, w_q, w_k, w_v)`, one head of the attention in which the decoder reads the
# encoder's output, and return `(output, weights)`. `x (..., T, D)` are the decoder's vectors, `memory (..., S, M)` is the
# encoder's output, `is_real (..., S)` is True at the source's real tokens. The matrices come as torch's `nn.Linear` stores
# them, one row for each output: `w_q (d, D)`, `w_k (d, M)`, `w_v (e, M)`. The six sizes may all differ. The output is
# `(..., T, e)`, the weights are `(..., T, S)`.
#
# The padding of the memory, wherever it stands and whatever numbers stand in it (they are finite), gets weight 0; each text
# has a real token. Keep the dtype; gradients flow from the output to `x`, to `memory` and to the three matrices. There is no
# bias, no dropout and no output matrix.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Who asks, and who is asked? Which of the two has a future that must be hidden, and does it matter here?
#
# </details>
# <details><summary>Hint 2: the shapes</summary>
#
# Queries are `(..., T, d)`, keys `(..., S, d)`, values `(..., S, e)`, so scores are `(..., T, S)`, divided by $\sqrt{d}$. The
# mask needs an axis for the $T$ queries: `(..., 1, S)`.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# q, k, v = ____ @ w_q.T, ____ @ w_k.T, ____ @ w_v.T
# scores = q @ k.transpose(-2, -1) / math.sqrt(____)
# weights = scores.masked_fill(____, -math.inf).softmax(dim=-1)
# return weights @ v, weights
# ```
#
# </details>


# %% answer="cross_attention"
def cross_attention(x, memory, is_real, w_q, w_k, w_v):
    """x (..., T, D), memory (..., S, M), booleans (..., S), matrices -> output (..., T, e), weights (..., T, S)"""
    ### BEGIN SOLUTION
    q, k, v = x @ w_q.T, memory @ w_k.T, memory @ w_v.T
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    weights = scores.masked_fill(~is_real[..., None, :], -math.inf).softmax(dim=-1)
    return weights @ v, weights
    ### END SOLUTION


# %% check="cross_attention" points=6
from transformer_lab.grading import grade

grade("11_encoder_decoder.cross_attention", cross_attention)

# %% [markdown]
# ## Question 3: does it look where it should?
# *4 points, difficulty 3 of 5, about 10 minutes*
#
# The cross-attention of a translator was recorded while its decoder read `[BOS]` and then the target's tokens. `weights` is a
# list with one tensor `(H, T + 1, S)` for each text: $H$ heads, a row for each thing read, a column for each token of the
# source. `alignments` is a list with one list for each text, of length $T$: for each target token the number of the source
# token that it translates, counted from 0, or `None` if it translates none.
#
# Write `alignment_accuracy(weights, alignments)`: of all target tokens that translate a source token, in all texts together,
# the share whose source token gets the largest weight, heads averaged, **at the moment when the decoder chooses this token**.
# No two weights of a row are equal after averaging, and some target token is aligned. Return a number between 0 and 1.
#
# Below is an example made by hand, one text with one head, and small enough to be done with a finger. Two answers that
# people give for it are wrong: 0, which comes from the row after the right one, and 0.5, from the largest weight of each
# column.


# %%
source = ["the", "old", "man", "is", "asleep", "."]
read = ["[BOS]", "der", "alte", "Mann", "schläft"]
example = torch.tensor([[
    [0.60, 0.10, 0.10, 0.10, 0.05, 0.05],
    [0.05, 0.25, 0.40, 0.10, 0.15, 0.05],
    [0.05, 0.30, 0.35, 0.15, 0.10, 0.05],
    [0.05, 0.10, 0.10, 0.30, 0.40, 0.05],
    [0.05, 0.05, 0.05, 0.10, 0.15, 0.60],
]])  # fmt: skip
gold = [0, 1, 2, 4]  # der: the, alte: old, Mann: man, schläft: asleep

# %% [markdown]
# <details><summary>Hint 1: a nudge</summary>
#
# The decoder has read `[BOS]` and nothing else. Which token does it choose now, and in which row of the weights did it look
# around for it?
#
# </details>
# <details><summary>Hint 2: the steps with shapes</summary>
#
# Of one text: mean over the heads `(T + 1, S)`; for each row the column of its largest weight, `(T + 1,)`, one row more than
# the alignment has entries. Count the tokens and the hits of all texts before you divide. In Python, 0 and `None` both count
# as false.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# hits = []
# for one, alignment in zip(weights, alignments):
#     looked_at = one.mean(dim=____).argmax(dim=____)
#     hits += [bool(looked_at[____] == source) for t, source in enumerate(alignment) if ____]
# return sum(hits) / len(hits)
# ```
#
# </details>


# %% answer="alignment_accuracy"
def alignment_accuracy(weights, alignments):
    """a list of weights (H, T + 1, S), a list of alignments -> the share of aligned tokens that look where they should"""
    ### BEGIN SOLUTION
    hits = []
    for one, alignment in zip(weights, alignments, strict=True):
        looked_at = one.mean(dim=0).argmax(dim=-1).tolist()
        hits += [looked_at[t] == source for t, source in enumerate(alignment) if source is not None]
    return sum(hits) / len(hits)
    ### END SOLUTION


# %% check="alignment" points=4
from transformer_lab.grading import grade

grade("11_encoder_decoder.alignment", alignment_accuracy)

# %% [markdown]
# # Exercises: 08 Positions
#
# Write your answer where a cell says `raise NotImplementedError` or `None`, run it, then run the locked cell below. It
# tells you what your answer did and where to look. Run it as often as you like; nothing is sent anywhere. Do not copy or
# split the locked cells.
#
# Questions 1-3 are the core (about 30 minutes). 4-8 are optional. `...` stands for any number of leading axes (batch,
# heads), also none. Functions leave their inputs as they are; numbers are compared to four digits, and to three where
# positions are large. You may call the package's functions, and your own of earlier questions; you learn more without the
# former. Back to the [lesson](../../notebooks/08_positions.ipynb).

# %%
import math

import torch

# %% [markdown]
# ## Question 1: the other clock of 2017
# *4 points, difficulty 2 of 5, about 8 minutes*
#
# The lesson's clock is the one that the paper prints. Its authors' own library, Tensor2Tensor, computes another, and other
# libraries followed it. Write `sinusoidal_table(max_len, d_model)`, a tensor of floating-point numbers, that makes this other
# one, for even `d_model`, at least 4:
#
# * As in the lesson, row $t$ ($0, 1, 2, \ldots$) is position $t$, and each of $d_{model}/2$ hands has a sine and a cosine.
# * From one position to the next the first hand turns by 1 radian, and the last by **exactly $1/10000$**. From each hand to
#   the next the speed is divided by one and the same number.
# * The columns are *halves*: first the sines of all hands, from the fastest to the slowest, then their cosines, in the same order.
#
# <details><summary>Hint 1: a nudge</summary>
#
# By how much does the last hand of the *lesson's* clock turn, with four hands? Which number would have to take the place of $D$
# in its exponent? Three hands have speeds 1, 1/100, 1/10000: how many times was 1 divided by 100?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# `speed (d_model/2,)` $= 10000^{-i/\text{steps}}$, with $i = 0, 1, \ldots$ counting hands and as many steps as lie between the first
# hand and the last; `angle (max_len, d_model/2)` = position `(max_len, 1)` times speed; the table `(max_len, d_model)` holds all
# sines, then all cosines.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# hands = d_model // 2
# speed = 10_000 ** ...              # (hands,): 1, ..., 1/10000
# angle = torch.arange(max_len)[:, None] * ...
# return torch.cat(...)
# ```
#
# </details>


# %% answer="sinusoidal_table"
def sinusoidal_table(max_len, d_model):
    """The table (max_len, d_model): sines of hands with speeds from 1 to 1/10000, then their cosines"""
    ### BEGIN SOLUTION
    hands = d_model // 2
    speed = 10_000 ** (-torch.arange(hands) / (hands - 1))
    angle = torch.arange(max_len)[:, None] * speed
    return torch.cat((angle.sin(), angle.cos()), dim=-1)
    ### END SOLUTION


# %% check="sinusoidal_table" points=4
from transformer_lab.grading import grade

grade("08_positions.sinusoidal_table", sinusoidal_table)

# %% [markdown]
# ## Question 2: rotary
# *5 points, difficulty 3 of 5, about 10 minutes*
#
# Write `rotate(x, positions, theta=10_000.0)` for `x (..., T, d_head)` and whole numbers `positions (T,)`, which need
# not be $0, 1, 2, \ldots$. The pairs are *halves*: with $\text{half} = d_{head}/2$, feature $i$ and feature $i +
# \text{half}$ are turned together, by the angle $\text{position} \cdot \theta^{-2i/d_{head}}$. The result has the
# dtype of `x`, which may be one of 16 bits. But make the angles in float32 or better: positions go up to 5,000, and
# in bfloat16 place 301 becomes 300. Let gradients through, and leave `x` and `positions` as they are.
#
# <details><summary>Hint 1: a nudge</summary>
#
# `x.chunk(2, dim=-1)` gives all first features of the pairs, and all second ones. How do cos and sin mix $(a, b)$?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# `angle (T, half)`; `a`, `b` `(..., T, half)`; the pair $(a, b)$ becomes $(a \cos - b \sin,\; b \cos + a \sin)$; put the two halves
# side by side again `(..., T, d_head)`.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# half = x.shape[-1] // 2
# frequency = theta ** ...                     # (half,)
# angle = positions[:, None] * ...             # (T, half)
# a, b = x.chunk(2, dim=-1)
# return torch.cat((..., ...), dim=-1).type_as(x)
# ```
#
# </details>


# %% answer="rotate"
def rotate(x, positions, theta=10_000.0):
    """x (..., T, d_head), positions (T,) -> x with each pair (i, i + d_head / 2) turned by its angle"""
    ### BEGIN SOLUTION
    pair = torch.arange(0, x.shape[-1], 2, dtype=torch.float64)
    angle = positions[:, None] * theta ** (-pair / x.shape[-1])
    first, second = x.chunk(2, dim=-1)
    turned = (first * angle.cos() - second * angle.sin(), second * angle.cos() + first * angle.sin())
    return torch.cat(turned, dim=-1).type_as(x)
    ### END SOLUTION


# %% check="rotate" points=5
from transformer_lab.grading import grade

grade("08_positions.rotate", rotate)

# %% [markdown]
# ## Question 3: four faulty tables
# *3 points, difficulty 3 of 5, about 12 minutes*
#
# Each of these adds the lesson's sinusoidal positions (exponent $2i/D$; sine and cosine in turn) to `x (B, T, D)`, and each has
# one fault, all different. Look at what the cell after them prints, and name the fault of each. The table offers more faults
# than there are functions; write them as they stand there, in quotation marks (capital letters do not matter).
#
# | fault | what it means |
# |---|---|
# | `"exponent halved"` | the exponent of pair $i$ is $i/D$ |
# | `"two frequencies in a pair"` | its sine and its cosine are of two angles |
# | `"positions run on"` | the second sequence of the batch does not start at position 0 |
# | `"one speed for all pairs"` | every pair turns as fast as the first |
# | `"exponent doubled"` | the exponent of pair $i$ is $4i/D$ |
# | `"rows by sequence"` | a sequence gets the row of its own number in the batch |
# | `"positions from 1"` | the first token is not at position 0 |
#
# Two of the four treat the sequences of a batch differently. Which column of what is printed tells these two apart? Set `apart`
# to `"rows of one sequence"`, `"sequences of the batch"`, `"lengths of the pairs"` or `"the last pair's turn"`. Then write
# `broken_2` again as `repair`, changed as little as possible; the result has the dtype of x, and gradients reach it.


# %%
def broken_1(x):
    feature = torch.arange(0, x.shape[2], 2)
    angle = torch.arange(x.shape[1])[:, None] / 10_000 ** (2 * feature / x.shape[2])
    return x + torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(start_dim=1)


# %%
def broken_2(x):
    feature = torch.arange(x.shape[2])
    angle = torch.arange(x.shape[1])[:, None] / 10_000 ** (feature / x.shape[2])
    return x + torch.where(feature % 2 == 0, angle.sin(), angle.cos())


# %%
def broken_3(x):
    frequency = 10_000 ** (-torch.arange(0, x.shape[2], 2) / x.shape[2])
    angle = torch.arange(512)[:, None] * frequency
    table = torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(start_dim=1)
    return x + table[: x.shape[0]].unsqueeze(1)


# %%
def broken_4(x):
    frequency = 10_000 ** (-torch.arange(0, x.shape[2], 2) / x.shape[2])
    position = torch.arange(x.shape[0] * x.shape[1]).view(x.shape[0], x.shape[1], 1)
    angle = position * frequency
    return x + torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(start_dim=2)


# %%
def show(add):
    first, second = add(torch.zeros(2, 400, 8))
    rows = torch.cat((first, second))
    pairs = rows.view(800, 4, 2)
    other = (rows != rows[0]).any(dim=1).nonzero()[0, 0]  # the first row that is not as row 0
    angle = torch.atan2(pairs[..., 0], pairs[..., 1])
    step = math.remainder(angle[other, 3] - angle[0, 3], 2 * math.pi)  # of the last pair
    turn = f"{2 * math.pi / step:,.0f} positions"
    print(f"{add.__name__}: rows of one sequence {'alike' if torch.equal(first[0], first[5]) else 'differ'}, "
          f"sequences of the batch {'alike' if torch.equal(first, second) else 'differ'}, lengths of the pairs "
          f"{pairs.norm(dim=-1).min():.1f} to {pairs.norm(dim=-1).max():.1f}, the last pair's turn {turn}")  # fmt: skip


for broken in (broken_1, broken_2, broken_3, broken_4):
    show(broken)
print("wanted:   rows differ, sequences alike, lengths 1.0 to 1.0, the last pair's turn 6,283 positions")

# %% [markdown]
# (The last pair's turn is judged by the first row of the batch and the next one that differs from it.)
#
# <details><summary>Hint 1: a nudge</summary>
#
# How long does the slowest pair take for a turn, if its exponent is 3/4? Is $\sin^2 + \cos^2$ of each pair 1? Do two tokens of
# one sequence get different vectors, and two sequences the same?
#
# </details>
# <details><summary>Hint 2: where to look</summary>
#
# 1: what `feature` counts, and how often it is doubled. 2: how many features share a frequency. 3: which axis of `x` the rows of
# the table belong to. 4: how far `torch.arange` counts.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# feature = torch.arange(x.shape[2])
# shared = ...                      # 0, 0, 2, 2, 4, 4, ...
# angle = torch.arange(x.shape[1])[:, None] / 10_000 ** (...)
# return x + torch.where(..., angle.sin(), angle.cos())
# ```
#
# </details>

# %% answer="faults"
fault_1 = None  # of broken_1: one of the seven faults in the table
fault_2 = None
fault_3 = None
fault_4 = None
### BEGIN SOLUTION
fault_1 = "exponent doubled"
fault_2 = "two frequencies in a pair"
fault_3 = "rows by sequence"
fault_4 = "positions run on"
### END SOLUTION

# %% answer="apart"
apart = None  # "rows of one sequence", "sequences of the batch", "lengths of the pairs" or "the last pair's turn"
### BEGIN SOLUTION
apart = "rows of one sequence"
### END SOLUTION


# %% answer="repair"
def repair(x):
    """broken_2, mended"""
    ### BEGIN SOLUTION
    feature = torch.arange(x.shape[2])
    shared = feature - feature % 2
    angle = torch.arange(x.shape[1])[:, None] / 10_000 ** (shared / x.shape[2])
    return x + torch.where(feature == shared, angle.sin(), angle.cos())
    ### END SOLUTION


# %% check="repair" points=3
from transformer_lab.grading import grade

grade("08_positions.repair", repair, fault_1, fault_2, fault_3, fault_4, apart)

# %% [markdown]
# ## Question 4: read the dials
# *Optional, warm-up: 2 points, difficulty 1 of 5, about 4 minutes*
#
# Run the cell, play, and write down two whole numbers.
#
# * `turns_negative`: with k at position 0, the first position of q at which *pair 2* adds less than nothing to the score.
#   Pairs are counted from 0, as on the dials: pair 2 is the third dial. So are positions.
# * `lowest_offset`: the offset (position of q less position of k) between 1 and 127 at which the score is lowest.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Focus a slider and use the arrow keys: one position a press.
#
# </details>
# <details><summary>Hint 2: what to look at</summary>
#
# The number below a dial is what the pair adds. It is negative when its two arrows are more than a right angle apart. For
# the second question, look for the lowest point of the curve.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# Instead of looking you may compute: `explorer.scores_by_offset()` gives all offsets and their scores, and pair $i$ adds
# something proportional to the cosine of offset $\cdot\; 10000^{-2i/16}$.
#
# </details>

# %%
from transformer_lab.viz import RotaryExplorer

explorer = RotaryExplorer(key_position=0)
explorer

# %% answer="turns_negative"
turns_negative = None  # a position of q, with k at 0
### BEGIN SOLUTION
turns_negative = 16
### END SOLUTION

# %% answer="lowest_offset"
lowest_offset = None  # an offset between 1 and 127
### BEGIN SOLUTION
lowest_offset = 91
### END SOLUTION

# %% check="dials" points=2
from transformer_lab.grading import grade

grade("08_positions.dials", turns_negative, lowest_offset)

# %% [markdown]
# ## Question 5: test for equivariance
# *Optional: 3 points, difficulty 2 of 5, about 8 minutes*
#
# Write `is_equivariant(f, x)`: `True` if $f(Px) = P f(x)$ for shuffles $P$ of the rows of `x (T, D)`, as far as a test can
# tell, else `False`. `f` takes `(T, D)` to `(T, any width)`, for any $T$. It will meet functions that survive *special* shuffles
# (a reversal, a roll, both, or any that leaves one row in its place), functions that round (by about $10^{-5}$), and functions
# whose order-dependence is as small as 0.01, in a single number. Leave `x` as it is.
#
# <details><summary>Hint 1: a nudge</summary>
#
# One shuffle that fails proves `False`. One that holds proves little: which shuffles are special?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# `order (T,)` random: compare `f(x[order])` with `f(x)[order]`, both `(T, E)`, for several orders (ten, say), with a tolerance
# between rounding ($10^{-5}$) and the effect ($10^{-2}$).
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# output = f(x)
# for _ in range(...):
#     order = torch.randperm(...)
#     if not torch.allclose(..., ..., atol=...):
#         return False
# return True
# ```
#
# </details>


# %% answer="is_equivariant"
def is_equivariant(f, x):
    """True if f commutes with shuffles of the rows of x (T, D)."""
    ### BEGIN SOLUTION
    output = f(x)
    orders = [torch.randperm(len(x)) for _ in range(10)]
    return all(torch.allclose(f(x[order]), output[order], atol=1e-3) for order in orders)
    ### END SOLUTION


# %% check="is_equivariant" points=3
from transformer_lab.grading import grade

grade("08_positions.is_equivariant", is_equivariant)

# %% [markdown]
# ## Question 6: ALiBi's bias
# *Optional: 3 points, difficulty 3 of 5, about 8 minutes*
#
# Write `alibi_bias(n_heads, T, S)`, a tensor: what is added to the scores, `(n_heads, T, S)`, for `n_heads` a power of two. Head $h$
# (counted from 1 to $H$) has slope $2^{-8h/H}$ and loses it once for each token of distance, on both sides. With $T < S$ (a cache) the
# $T$ queries are the *last* of the $S$ positions: the last query stands where the last key stands.
#
# <details><summary>Hint 1: a nudge</summary>
#
# At which positions do the queries stand when $S = 7$ and $T = 3$?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# `slopes (H, 1, 1)`, `distance (T, S)` $= |S - T + i - j|$; bias = -slopes * distance.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# slopes = 2.0 ** (... * torch.arange(1, ...) / ...)
# queries, keys = torch.arange(...), torch.arange(S)
# distance = (queries[:, None] - ...).abs()
# return ...
# ```
#
# </details>


# %% answer="alibi_bias"
def alibi_bias(n_heads, T, S):
    """(n_heads, T, S): minus the head's slope times the distance between query and key"""
    ### BEGIN SOLUTION
    slopes = 2.0 ** (-8 * torch.arange(1, n_heads + 1) / n_heads)
    distance = (torch.arange(S - T, S)[:, None] - torch.arange(S)).abs()
    return -slopes[:, None, None] * distance
    ### END SOLUTION


# %% check="alibi_bias" points=3
from transformer_lab.grading import grade

grade("08_positions.alibi_bias", alibi_bias)

# %% [markdown]
# ## Question 7: what a causal model knows
# *Optional: 3 points, difficulty 2 of 5, about 8 minutes*
#
# A causal model without positions reads some tokens. Two of them, both *before* the last, change places. Can the last
# output tell? First predict for yourself; then write the measurement and let it decide.
#
# `swap_effect(model, ids, a, b)`: `ids (1, T)`, `model(ids)` gives logits `(1, T, V)`. Return one number: the largest change, in
# size, of any logit in the *last row* when the tokens at places `a` and `b` (counted from 0) are swapped. Do not round it, and
# leave `ids` as it is. Then set `one_layer` and `two_layers` to `"unchanged"` (up to rounding) or `"changes"`, in quotation marks
# (capital letters do not matter).
#
# <details><summary>Hint 1: a nudge</summary>
#
# Make a copy before you swap. The swap must not lose a token.
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# $\max_v |\text{logits}'_{T-1, v} - \text{logits}_{T-1, v}|$, with logits' those of the swapped copy.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# other = ids.clone()
# other[:, [a, b]] = ...
# with torch.no_grad():
#     moved = model(other)[...] - model(ids)[...]
# return ...
# ```
#
# </details>


# %% answer="swap_effect"
def swap_effect(model, ids, a, b):
    """The largest change of a logit in the last row when tokens a and b of ids (1, T) are swapped"""
    ### BEGIN SOLUTION
    other = ids.clone()
    other[:, [a, b]] = ids[:, [b, a]]
    with torch.no_grad():
        moved = model(other)[:, -1] - model(ids)[:, -1]
    return moved.abs().max().item()
    ### END SOLUTION


# %% [markdown]
# To measure, for instance:
#
# ```python
# from transformer_lab import GPT, TransformerConfig
#
# model = GPT(TransformerConfig(vocab_size=50, positions="none", n_layers=1)).eval()
# swap_effect(model, torch.randint(50, (1, 8)), 1, 4)
# ```

# %% answer="one_layer"
one_layer = None  # "unchanged" or "changes"
### BEGIN SOLUTION
one_layer = "unchanged"
### END SOLUTION

# %% answer="two_layers"
two_layers = None  # "unchanged" or "changes"
### BEGIN SOLUTION
two_layers = "changes"
### END SOLUTION

# %% check="swap_effect" points=3
from transformer_lab.grading import grade

grade("08_positions.swap_effect", swap_effect, one_layer, two_layers)

# %% [markdown]
# ## Question 8: rotary with a cache
# *Optional, stretch: 4 points, difficulty 4 of 5, about 12 minutes*
#
# A model writes token by token. Of the $S$ tokens before, it keeps the keys, *already turned*, each at its position
# $0, \ldots, S - 1$, and the values. Write `cached_step(q, k, v, keys, values)` for one new token: `q`, `k`, `v (..., 1, d_head)` fresh from
# their projections, `keys`, `values (..., S, d_head)`; $S$ may be 0. Return `(output, keys, values)`: the output `(..., 1, d_head)` of
# attention over all $S + 1$ tokens, and what to keep. You may call your `rotate` of question 2; its pairs are halves, and
# theta is 10,000.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Where does the new token stand? Which of the five inputs are still to be turned?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# The new token stands at $S$, the number of rows of `keys`. Turn q and k there; put k and v behind the others
# `(..., S + 1, d_head)`; scores `(..., 1, S + 1)` divided by $\sqrt{d_{head}}$; softmax; times the values.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# position = torch.tensor([...])
# keys = torch.cat((keys, ...), dim=-2)
# values = ...
# weights = (... @ keys.transpose(-2, -1) / ...).softmax(dim=-1)
# return weights @ ..., keys, values
# ```
#
# </details>


# %% answer="cached_step"
def cached_step(q, k, v, keys, values):
    """One new token (..., 1, d_head) and S cached ones -> output (..., 1, d_head), all keys, all values"""
    ### BEGIN SOLUTION
    here = torch.tensor([keys.shape[-2]])
    all_keys = torch.cat((keys, rotate(k, here)), dim=-2)
    all_values = torch.cat((values, v), dim=-2)
    output = torch.nn.functional.scaled_dot_product_attention(rotate(q, here), all_keys, all_values)
    return output, all_keys, all_values
    ### END SOLUTION


# %% check="cached_step" points=4
from transformer_lab.grading import grade

grade("08_positions.cached_step", cached_step)

# %% [markdown]
# Back to the [lesson](../../notebooks/08_positions.ipynb), or to the [start](../../notebooks/00_start_here.ipynb).

# %% [markdown]
# # Exercises: 11 Encoder and decoder
#
# Write your answer where a cell says `raise NotImplementedError` or `None`, run it, then run the locked cell below. It
# tells you what your answer did and where to look. Run it as often as you like; nothing is sent anywhere. Do not copy or
# split the locked cells: a teacher's grading could not read the notebook any more.
#
# Questions 1-3 are the core (about 30 minutes). 4-8 are optional. All tensors are torch tensors, and `...` stands
# for any number of leading axes (the texts of a batch), also none. Every function leaves its inputs as they are. Results are
# compared up to rounding. A function of torch's or of the package's that does what is asked is accepted as an answer; you
# learn more without. Back to the [lesson](../../notebooks/11_encoder_decoder.ipynb).

# %%
import math

import torch
import torch.nn.functional as F

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
# A text begins with `bos` and ends with `eos`, and a text of no tokens still has its end to predict. Ids are int64.
# Do not ask an id whether it is padding: some tokenizers use one id for `pad` and `eos`, and `pad` may also be the id
# of a real token. Where nothing counts, `inputs` may hold any id of the batch, `bos`, `eos` or `pad`, and `labels`
# anything.
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
has_read = ["[BOS]", "der", "alte", "Mann", "schläft"]
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

# %% [markdown]
# ## Question 4: write it down
# *Optional: 4 points, difficulty 3 of 5, about 12 minutes*
#
# Write `greedy(encode, decode, source, is_real, bos, eos, pad, max_new)`, which translates a batch of texts at once.
# `encode(source, is_real)` gives the memory of `source (B, S)`; `decode(ids, memory, is_real)` gives logits `(B, T, V)` for
# `ids (B, T)`, whose rows begin with `bos` and hold all that is written so far (there is no cache). Row $t$ of the logits
# scores what comes after the first $t + 1$ ids.
#
# Each text gets the id of its largest logit, step after step, until it has written `eos`; from then on it gets `pad` while
# the others go on. Stop when every text has ended, or after `max_new` steps. Return all ids, `(B, 1 + steps)`, int64, `bos`
# in front and each text's `eos` included. Call `encode` once, and give `decode` all texts at every step. `pad` may be any
# id, also 0, and also that of a token that a text holds.
#
# <details><summary>Hint 1: a nudge</summary>
#
# What do you have to remember about each text from step to step, besides its ids? And what does not change at all?
#
# </details>
# <details><summary>Hint 2: the shapes of a step</summary>
#
# Logits `(B, T, V)`, of which you need one row of each text, `(B, V)`; its argmax is `(B,)`. With `ended (B,)`, booleans, put
# `pad` where a text had ended *before* this step; then look which texts have just written `eos`.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# memory, ids = ____, torch.full((len(source), 1), bos)
# ended = torch.zeros(____)                          # which texts have written eos
# for _ in range(max_new):
#     logits = decode(ids, memory, is_real)          # (B, T, V)
#     best = ____                                    # (B,), pad where a text had ended
#     ids = torch.cat(____, dim=1)
#     ended = ____
#     if ____:
#         break
# return ids
# ```
#
# </details>


# %% answer="greedy"
def greedy(encode, decode, source, is_real, bos, eos, pad, max_new):
    """two functions, ids and booleans (B, S), three ids and a number -> ids (B, 1 + steps)"""
    ### BEGIN SOLUTION
    memory = encode(source, is_real)
    ids = torch.full((len(source), 1), bos)
    ended = torch.zeros(len(source), dtype=torch.bool)
    for _ in range(max_new):
        best = decode(ids, memory, is_real)[:, -1].argmax(dim=-1)
        best = best.masked_fill(ended, pad)
        ids = torch.cat((ids, best[:, None]), dim=1)
        ended = ended | (best == eos)
        if ended.all():
            break
    return ids
    ### END SOLUTION


# %% check="greedy" points=4
from transformer_lab.grading import grade

grade("11_encoder_decoder.greedy", greedy)

# %% [markdown]
# ## Question 5: five broken translators
# *Optional: 4 points, difficulty 4 of 5, about 25 minutes*
#
# Five ways to run a translator in training, each with one fault, and all different. All of them run. `source (B, S)` and
# `is_real (B, S)` are the English of a batch; `target` holds for each text `[BOS]`, its tokens, `[EOS]` and padding; logits
# come back, and row $t$ is judged by how well it predicts `target[:, t + 1]`. The model is the translator of Part I, which
# has been trained *without* these faults; `read` is its decoder, opened, so that its two masks can be left out.
#
# For each of them, pick its fault from the first table, and from the second the observation that is true of this one
# and of no other here, nor of a right translator. The cell after them prints a few symptoms, the rest you find out
# with inputs of your own. Both tables offer more than is needed. Write the words as they stand there, in quotation
# marks (capital letters do not matter).
#
# | fault | what it means |
# |---|---|
# | `"the target is not shifted"` | a row reads the token that it is judged by |
# | `"the encoder reads the target"` | the memory is made of the translation |
# | `"another text's memory"` | a text reads what another text of the batch says |
# | `"no causal mask"` | a row reads the tokens that come after |
# | `"the source's embeddings as memory"` | the encoder's blocks are left out |
# | `"a softmax before the loss"` | probabilities come back where logits are wanted |
# | `"the padding of the source is read"` | the cross-attention gets no mask |
# | `"the padding mask is upside down"` | the cross-attention gets the opposite of its mask |
#
# | observation | how to make it |
# |---|---|
# | `"another last token moves the row that predicts it"` | change `target[:, -1]`, look at the last row |
# | `"another source moves nothing"` | change all of `source` |
# | `"more padding behind the sources moves the rows"` | two columns more in `source` and `is_real` |
# | `"no row's loss is below 3"` | cross-entropy of each row, over several texts |
# | `"the first row is the same for every target"` | change everything in `target` but `[BOS]` |
# | `"another source beside it in the batch moves a text's rows"` | sources of different lengths; change one, as long as before, and look at the others |
# | `"another token moves rows before the one that predicts it"` | change `target[:, j]`, look at the rows before $j - 1$ |
#
# Then write `b` again as `repaired`, changed as little as possible: logits as the package's model gives them, in the order in
# which the texts came, for sources of any lengths.


# %%
from transformer_lab.data import dates
from transformer_lab.pretrained import load

model, tokenizer = load("dates")


def read(model, ids, memory, is_real=None, causal=False):
    """The decoder, opened: logits (B, T, V) for ids (B, T) and a memory (B, S, D)"""
    x, _ = model.embedding(ids)
    mask = None if is_real is None else is_real[:, None, None, :]
    for block in model.decoder.blocks:
        x = block(x, causal=causal, memory=memory, memory_mask=mask)
    return model.logits(model.decoder.norm(x))


# %%
def broken_a(model, source, is_real, target):
    memory = model.encode(source, is_real)
    return read(model, target[:, :-1], memory, is_real)


# %%
def broken_b(model, source, is_real, target):
    order = is_real.sum(dim=1).argsort(descending=True)  # long sources first
    memory = model.encode(source[order], is_real[order])
    return read(model, target[:, :-1], memory, is_real[order], causal=True)


# %%
def broken_c(model, source, is_real, target):
    memory = model.encode(source, is_real)
    logits = read(model, target[:, :-1], memory, is_real, causal=True)
    return logits.softmax(dim=-1)


# %%
def broken_d(model, source, is_real, target):
    memory = model.encode(source, is_real)
    return read(model, target[:, 1:], memory, is_real, causal=True)


# %%
def broken_e(model, source, is_real, target):
    memory = model.encode(source, is_real)
    return read(model, target[:, :-1], memory, causal=True)


# %%
def right(model, source, is_real, target):
    return model(source, target[:, :-1], is_real)


@torch.no_grad()
def translated(way, source, is_real, n=13):
    """What comes out when each row's best token is written down and read in the next step."""
    ids = torch.full((len(source), 1), tokenizer.bos_id)
    to_come = torch.full_like(ids, tokenizer.pad_id)
    for _ in range(n):
        logits = way(model, source, is_real, torch.cat((ids, to_come), dim=1))
        ids = torch.cat((ids, logits[:, -1:].argmax(dim=-1)), dim=1)
    return [tokenizer.decode(row) for row in ids.tolist()]


# %% tags=["nbval-ignore-output"]
# output differs from machine to machine in its last digits
pairs = dates.held_out_pairs(3)[::-1]
source, is_real = tokenizer.batch([pair.source for pair in pairs])
target, counted = tokenizer.batch([pair.target for pair in pairs], bos=True, eos=True)
for way in (right, broken_a, broken_b, broken_c, broken_d, broken_e):
    with torch.no_grad():
        losses = F.cross_entropy(way(model, source, is_real, target).mT, target[:, 1:], reduction="none")
    print(f"{way.__name__:9} mean loss {losses[counted[:, 1:]].mean():5.2f}  ", *translated(way, source, is_real))
print("Wanted: ", *(pair.target for pair in pairs))

# %% [markdown]
# <details><summary>Hint 1: a nudge</summary>
#
# Ask of each: what may a row read of the target, and what of the source? Two write the right dates and still have a
# bad loss. What do their rows get in training that they do not get while they write? And what comes out?
#
# </details>
# <details><summary>Hint 2: where to look</summary>
#
# Follow one text through `b`, line by line: at which place of the batch does it stand in `memory`, and at which in `target`?
# In the others, compare each call of `read` with its definition: which masks does it get? And which column of `target` is the
# first that is read?
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# order = is_real.sum(dim=1).argsort(descending=True)
# memory = model.encode(source[order], is_real[order])
# back = ____                                  # the place of each text in that order
# return read(model, target[:, :-1], memory[____], ____, causal=True)
# ```
#
# </details>

# %% answer="diagnoses"
diagnoses = {  # of each translator: (fault, observation)
    "a": (None, None),
    "b": (None, None),
    "c": (None, None),
    "d": (None, None),
    "e": (None, None),
}
### BEGIN SOLUTION
diagnoses = {
    "a": ("no causal mask", "another token moves rows before the one that predicts it"),
    "b": ("another text's memory", "another source beside it in the batch moves a text's rows"),
    "c": ("a softmax before the loss", "no row's loss is below 3"),
    "d": ("the target is not shifted", "another last token moves the row that predicts it"),
    "e": ("the padding of the source is read", "more padding behind the sources moves the rows"),
}
### END SOLUTION


# %% answer="repaired"
def repaired(model, source, is_real, target):
    """broken_b, mended"""
    ### BEGIN SOLUTION
    order = is_real.sum(dim=1).argsort(descending=True)
    memory = model.encode(source[order], is_real[order])
    back = order.argsort()
    return read(model, target[:, :-1], memory[back], is_real, causal=True)
    ### END SOLUTION


# %% check="diagnose" points=4
from transformer_lab.grading import grade

grade("11_encoder_decoder.diagnose", diagnoses, repaired)

# %% [markdown]
# ## Question 6: the same model, run in two ways
# *Optional: 3 points, difficulty 3 of 5, about 10 minutes*
#
# A model is given as a function: `next_token(prefix)` takes the list of ids read so far, beginning with `bos`, and returns the
# id that the model would write next. Write `forced_and_free(next_token, target, bos, eos)` for one `target`, a list of ids
# without `bos` and `eos`. It returns two numbers, the share of the $n + 1$ places (the $n$ tokens and `eos`) at which the
# right id is written
#
# * with **teacher forcing**: at each place the model has read the right ids;
# * **running freely**: at each place it has read what it has written itself. It stops after its own `eos`, or after $n + 1$
#   ids; places that it does not reach are wrong.
#
# In the lesson free running got fewer pieces right after a mistake. It need not. Write `contrary(target, bos, eos)`,
# which returns a `next_token` (a function, for prefixes of any ids) that gets *more* places of this target right
# running freely than with teacher forcing.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Until the first mistake, the two read the same. So a contrary model makes a mistake, and then?
#
# </details>
# <details><summary>Hint 2: what is read at each place</summary>
#
# With teacher forcing place $t$ has read $(\text{bos}, y_0, \dots, y_{t-1})$; freely it has read $(\text{bos}, w_0, \dots,
# w_{t-1})$, where $w$ is what the model wrote. Both are compared with $y_t$, and at place $n$ with `eos`.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# whole = [*target, eos]
# forced = [next_token([bos, *____]) for t in range(len(whole))]
# free = []
# while len(free) < len(whole) and ____:
#     free.append(next_token(____))
# return tuple(sum(a == b for a, b in zip(whole, said)) / ____ for said in (forced, free))
# ```
#
# And of `contrary`:
#
# ```python
# def next_token(prefix):
#     return ____ if ____ else ____
# ```
#
# </details>


# %% answer="forced_and_free"
def forced_and_free(next_token, target, bos, eos):
    """a function, a list of n ids, two ids -> (share right with teacher forcing, share right running freely)"""
    ### BEGIN SOLUTION
    whole = [*target, eos]
    forced = [next_token([bos, *target[:t]]) for t in range(len(whole))]
    free = []
    while len(free) < len(whole) and eos not in free:
        free.append(next_token([bos, *free]))
    return tuple(sum(a == b for a, b in zip(whole, said, strict=False)) / len(whole) for said in (forced, free))
    ### END SOLUTION


# %% answer="contrary"
def contrary(target, bos, eos):
    """a list of ids, two ids -> next_token, a model that does better on this target when it runs freely"""
    ### BEGIN SOLUTION
    whole = [*target, eos]

    def next_token(prefix):
        place = len(prefix) - 1
        on_track = prefix[1:] == target[:place]
        return bos if on_track or place > len(target) else whole[place]  # bos is wrong at every place

    return next_token
    ### END SOLUTION


# %% check="forced_and_free" points=3
from transformer_lab.grading import grade

grade("11_encoder_decoder.forced_and_free", forced_and_free, contrary)

# %% [markdown]
# ## Question 7: the floor
# *Optional: 2 points, difficulty 2 of 5, about 5 minutes*
#
# A model ends in a softmax, and its probabilities are given to a cross-entropy that takes a softmax of them once more. Write
# `floor(V)`: the lowest loss in nats that it can report with a vocabulary of $V$ tokens, to four digits. By arithmetic: $V$
# may be as large as 50,257.
#
# Before such a model has learnt anything, all its scores are equal, and it reports a loss of $\ln V$. So its loss can fall by
# $\ln V$ minus the floor at most. Say in `room` what becomes of this difference as $V$ grows: `"it grows without end"`,
# `"it comes close to 1"` or `"it comes close to 0"`, with the quotation marks.
#
# <details><summary>Hint 1: a nudge</summary>
#
# How sure can the first softmax be, at most? Which numbers does the second one then get?
#
# </details>
# <details><summary>Hint 2: the formula to fill in</summary>
#
# The second softmax of scores $(s_1, \dots, s_V)$ gives the first token $e^{s_1} / (e^{s_1} + \dots + e^{s_V})$, and the loss is
# minus the logarithm of that. Which scores, each between 0 and 1 and together 1, make it smallest?
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# right, others = ____, ____                       # the scores that go into the second softmax
# return math.log(math.exp(right) + ____ * math.exp(others)) - ____
# ```
#
# </details>


# %% answer="floor"
def floor(V):
    """a number of tokens -> the lowest cross-entropy, in nats, when softmax is taken twice"""
    ### BEGIN SOLUTION
    return math.log(math.e + V - 1) - 1
    ### END SOLUTION


# %% answer="room"
room = None  # "it grows without end", "it comes close to 1" or "it comes close to 0"
### BEGIN SOLUTION
room = "it comes close to 1"
### END SOLUTION

# %% check="floor" points=2
from transformer_lab.grading import grade

grade("11_encoder_decoder.floor", floor, room)

# %% [markdown]
# ## Question 8: exchange a vector
# *Optional: 4 points, difficulty 3 of 5, about 12 minutes*
#
# From which vectors of the memory does a translator read a word? A change can tell. Take two sources that differ in that word,
# let them exchange a vector, and see whether the texts follow. Write
# `exchanged(encode, decode, sources, is_real, places, bos, eos, max_new)`.
#
# `sources (2, S)` are the ids of two texts, and all of their tokens are real. As in question 4 `encode(sources, is_real)` gives
# the memory `(2, S, D)`, and `decode(ids, memory, is_real)` gives logits `(2, T, V)`. Both may be called as often as you like.
# Exchange the rows at `places` between the two memories: a list of one or more places, counted from 0. All other rows stay
# where they are. Now both texts are written anew from these memories, greedily: each begins with `bos`, reads what it has
# written itself, and ends with its first `eos`, or after `max_new` tokens. What your loop writes behind an `eos` belongs to
# no text. Return a list of two words, the first for `sources[0]`, the second for `sources[1]`:
#
# * `"no test"`, if both sources give the same text already from their own memories (then nothing can be told); else
# * `"follows"`, if it is now the text that the *other* source gives from its own memory;
# * `"stays"`, if it is still the text that its own source gives;
# * `"neither"`, if it is another text.
#
# Below is a translator made by hand, to try your function on. It writes `neunzig` for *ninety*; but in which row does it keep
# the ten? *Ninety-seven* and *forty-seven* exchange a row: at place 0 both texts stay, and at place 1, that of the hyphen, both
# follow. *Ninety-seven* and *forty-two* give `"neither"` twice at place 1, and `"follows"` twice at places 0 and 1.


# %%
words = ["[BOS]", "[EOS]", "ninety", "forty", "-", "seven", "two", "neunzig", "vierzig", "und", "sieben", "zwei"]


def encode_moved(sources, is_real):
    """An encoder made by hand: row p holds the word before place p, row 0 the last word."""
    return F.one_hot(sources.roll(1, dims=1), len(words)).float()


def decode_moved(ids, memory, is_real):
    """A decoder made by hand: it writes the word of row 0, und, the word of row 1, and the end."""
    held = memory.argmax(dim=-1)
    und, end = (torch.full_like(held[:, 0], words.index(word)) for word in ("und", "[EOS]"))
    best = torch.stack((held[:, 0] + 5, und, held[:, 1] + 5, end), dim=1)
    return F.one_hot(best[:, torch.arange(ids.shape[1]).clamp(max=3)], len(words)).float()


two_sources = torch.tensor([[2, 4, 5], [3, 4, 5]])  # ninety - seven, forty - seven

# %% [markdown]
# <details><summary>Hint 1: a nudge</summary>
#
# Four texts have to be written, two before the exchange and two after it. Which of them do you compare with which? And which
# comparison can be made before anything is exchanged?
#
# </details>
# <details><summary>Hint 2: the steps with shapes</summary>
#
# `memory (2, S, D)`, and `memory.flip(0)` has the two texts in each other's place. Copy the first, and put rows of the second
# into it: `[:, places]` is `(2, n, D)`. Write a function of your own that writes both texts from a given memory and returns two
# lists, each cut behind its `eos`; `greedy` of question 4 can do most of it, with an `encode` that returns this memory.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# def texts(memory):
#     ____                       # the ids of both texts, greedily
#     return ____                # two lists, without what stands behind an eos
#
# memory = ____
# mixed = memory.clone()
# mixed[____] = ____
# old, new = texts(memory), texts(mixed)
# if ____:
#     return ["no test", "no test"]
# return [____ for b in (0, 1)]  # new[b], old[b] and old[1 - b]
# ```
#
# </details>


# %% answer="exchanged"
def exchanged(encode, decode, sources, is_real, places, bos, eos, max_new):
    """two functions, ids and booleans (2, S), a list of places, two ids and a number -> a list of two words"""

    ### BEGIN SOLUTION
    def written(memory):
        ids = greedy(lambda *_: memory, decode, sources, is_real, bos, eos, eos, max_new)[:, 1:]
        return [text[: text.index(eos)] if eos in text else text for text in ids.tolist()]

    def verdict(now, own, others):
        if own == others:
            return "no test"
        return "follows" if now == others else "stays" if now == own else "neither"

    memory = encode(sources, is_real)
    after = memory.clone()
    after[:, places] = memory.flip(0)[:, places]
    before, after = written(memory), written(after)
    return [verdict(after[b], before[b], before[1 - b]) for b in (0, 1)]
    ### END SOLUTION


# %% check="exchanged" points=4
from transformer_lab.grading import grade

grade("11_encoder_decoder.exchanged", exchanged)

# %% [markdown]
# Back to the [lesson](../../notebooks/11_encoder_decoder.ipynb), or to the [start](../../notebooks/00_start_here.ipynb).

# %% [markdown]
# # Exercises: 12 Decoding
#
# Write your answer where a cell says `raise NotImplementedError` or `None`, run it, then run the locked cell below. It
# tells you what your answer did and where to look. Run it as often as you like; nothing is sent anywhere. Do not copy or
# split the locked cells: a teacher's grading could not read the notebook any more.
#
# Questions 1-3 are the core (about 30 minutes). The others are optional. Every function leaves its inputs as they are.
# Numbers are compared to five digits. Where one of the package's functions does what is asked it is accepted as an answer;
# you learn more without. Back to the [lesson](../../notebooks/12_decoding.ipynb).

# %%
import heapq
import math

import torch

# %% [markdown]
# ## Question 1: what a token is drawn from
# *6 points, difficulty 3 of 5, about 10 minutes*
#
# Write `distribution(scores, temperature, k, p)`: the probabilities with which the next token is drawn, `(B, V)`, for a
# model's scores `(B, V)`, a row for each text. In this order:
#
# 1. **temperature**: divide the scores by it (it is above 0);
# 2. **top-k**: in each row, only the `k` most probable tokens stay;
# 3. **top-p**: of what top-k has left, whose probabilities add up to 1 again, only the most probable tokens stay: as few as
#    it takes to reach a sum of `p` or more. The token with which the sum reaches `p` stays.
#
# Tokens that are gone have probability 0, and each row of what comes back adds up to 1.
#
# The small print: **a token that is exactly as probable as the last one that stays, stays too**, in top-k and in top-p. `k`
# may be larger than `V`; `p` is at most 1, and 1 keeps everything. A score may be `-inf`, of a token that is impossible, but
# not all of a row.
#
# <details><summary>Hint 1: a nudge</summary>
#
# If a token is gone, its score is `-inf`: then the softmax does the rest, after each of the steps. And both filters can ask
# the same question of a token: is it at least as probable as the last one that stays?
#
# </details>
# <details><summary>Hint 2: in steps</summary>
#
# Sort a row's probabilities, the largest first. A place of the sorted row stays if the sum of those *before* it has not yet
# reached `p`; the first always does. The smallest probability that stays is the row's threshold, `(B, 1)`. Compare the
# unsorted probabilities `(B, V)` with it: then nothing has to be brought back into order.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# scores = ____
# kth = ____                                              # (B, 1)
# scores = scores.masked_fill(____, -torch.inf)
# probabilities = scores.softmax(dim=-1)
# ordered = ____
# before = ____                                           # (B, V), the sum of those before each
# last = ordered.masked_fill(____, 1.0).amin(dim=-1, keepdim=True)
# return ____
# ```
#
# </details>


# %% answer="distribution"
def distribution(scores, temperature, k, p):
    """scores (B, V), three numbers -> probabilities (B, V)"""
    ### BEGIN SOLUTION
    scores = scores / temperature
    kth = scores.topk(min(k, scores.shape[-1])).values[:, -1:]
    scores = scores.masked_fill(scores < kth, -torch.inf)
    probabilities = scores.softmax(dim=-1)
    ordered = probabilities.sort(dim=-1, descending=True).values
    before = ordered.cumsum(dim=-1) - ordered
    last = ordered.masked_fill(before >= p, 1.0).amin(dim=-1, keepdim=True)
    return scores.masked_fill(probabilities < last, -torch.inf).softmax(dim=-1)
    ### END SOLUTION


# %% check="distribution" points=6
from transformer_lab.grading import grade

grade("12_decoding.distribution", distribution)

# %% [markdown]
# ## Question 2: one step of a beam search
# *6 points, difficulty 4 of 5, about 10 minutes*
#
# A batch of `B` texts, and of each the `K` best beginnings so far, its beams. `totals (B, K)` holds the sum of the
# log-probabilities of each beam's tokens, `ended (B, K)` is True where a beam's last token was `eos`, and
# `log_probs (B, K, V)` are the model's log-probabilities of the token that comes next. Write
# `beam_step(totals, ended, log_probs, eos)`. It returns four tensors `(B, K)`, for the `K` best continuations of each text,
# the best first:
#
# * the new totals;
# * the beams that they continue, as places from 0 to `K - 1` among the beams of their text;
# * the tokens that come next;
# * whether they have ended now.
#
# A beam that has ended does not go on, and is not forgotten: its only continuation is `eos`, which leaves its total as it is.
# What the model says of it does not matter. (The package puts ended texts aside instead.) At the first step only one beam is
# in use, and the totals of the others are `-inf`. There are always at least `K` continuations that are possible, and no two of
# the best are equally good.
#
# <details><summary>Hint 1: a nudge</summary>
#
# First give the ended beams the log-probabilities that they need. After that they are beams like any others, and all
# that is left is: sums, and the best `K` of `K * V`.
#
# </details>
# <details><summary>Hint 2: with shapes</summary>
#
# In the rows of ended beams all log-probabilities become `-inf`, but that of `eos`. Add the totals `(B, K, 1)`, and flatten
# beams and tokens into one axis `(B, K * V)`, for `topk`. Its index $i$ counts row after row: 0 to $V - 1$ are the tokens of
# the first beam. Which beam is $i$, and which token?
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# K, V = log_probs.shape[1:]
# log_probs = log_probs.masked_fill(____, -torch.inf)     # a copy
# log_probs[:, :, eos] = ____
# every = ____                                            # (B, K, V)
# totals, flat = every.flatten(____).topk(____)
# beams, tokens = ____, ____
# return totals, beams, tokens, ____
# ```
#
# </details>


# %% answer="beam_step"
def beam_step(totals, ended, log_probs, eos):
    """(B, K), booleans (B, K), (B, K, V), an id -> totals, beams, tokens, ended, each (B, K)"""
    ### BEGIN SOLUTION
    K, V = log_probs.shape[1:]
    log_probs = log_probs.masked_fill(ended[:, :, None], -torch.inf)
    log_probs[:, :, eos] = log_probs[:, :, eos].masked_fill(ended, 0.0)
    totals, flat = (totals[:, :, None] + log_probs).flatten(1).topk(K)
    beams, tokens = flat // V, flat % V
    return totals, beams, tokens, tokens == eos
    ### END SOLUTION


# %% check="beam_step" points=6
from transformer_lab.grading import grade

grade("12_decoding.beam_step", beam_step)

# %% [markdown]
# ## Question 3: search or model?
# *4 points, difficulty 2 of 5, about 8 minutes*
#
# A translator has written one text where another would have been right. Of each you get a pair, the sum of the
# log-probabilities that the model gives to its tokens, and the number of these tokens: `found` for the text that was written,
# `right` for the right one. The search looked for the text with the best *score*, and its score is this sum divided by the
# number of tokens to the power of `penalty`. Write `blame(found, right, penalty)`. It returns `"search"` if these numbers prove
# that a better score was to be had, else `"model"`; so the model is also to blame where both scores are the same.
#
# Then the table below, whose numbers are made up. Three translators have written a hundred texts each, with four
# beams and a penalty of 1; for each mistake you see `found` and `right`. Their makers ask whether more beams would
# help. For which of the three may more beams bring the most right texts? Put its letter into `widen`, in quotation
# marks.

# %%
MISTAKES = {
    "a": [((-2.4, 6), (-5.1, 6)), ((-1.8, 6), (-3.9, 7)), ((-3.0, 5), (-4.2, 6)), ((-2.1, 6), (-2.9, 6)),
          ((-3.3, 7), (-6.0, 7)), ((-2.0, 5), (-2.6, 6))],
    "b": [((-4.5, 9), (-3.8, 6)), ((-4.0, 8), (-3.6, 6)), ((-5.4, 9), (-4.8, 7)), ((-3.5, 7), (-3.3, 6)),
          ((-4.2, 6), (-3.5, 7))],
    "c": [((-3.0, 5), (-3.6, 9)), ((-2.8, 4), (-3.2, 8)), ((-3.3, 6), (-3.5, 7)), ((-2.4, 6), (-4.0, 8))],
}  # fmt: skip

# %% [markdown]
# <details><summary>Hint 1: a nudge</summary>
#
# A search promises one thing only. Which number has it looked for, and how large is this number for each of the two texts?
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# With the sum $s$, the number of tokens $n$ and the penalty $\alpha$ the score is $s / n^{\alpha}$. It is negative, and the
# better one is nearer to 0. A text with a better score than `found` proves that the search has missed something.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# scores = [____ for total, n in (found, right)]
# return "search" if ____ else "model"
# ```
#
# More beams can only help where the search was to blame: with which penalty do you count?
#
# </details>


# %% answer="blame"
def blame(found, right, penalty):
    """two pairs (sum of log-probabilities, number of tokens), a number -> whose fault it is, in a word"""
    ### BEGIN SOLUTION
    scores = [total / n**penalty for total, n in (found, right)]
    return "search" if scores[1] > scores[0] else "model"
    ### END SOLUTION


# %% answer="widen"
widen = None  # "a", "b" or "c"
### BEGIN SOLUTION
widen = "c"
### END SOLUTION

# %% check="blame" points=4
from transformer_lab.grading import grade

grade("12_decoding.blame", blame, widen)

# %% [markdown]
# ## Question 4: five broken searches
# *Optional: 5 points, difficulty 3 of 5, about 20 minutes*
#
# Each of these is a beam search, and has one fault; all five faults are different. Here a text is a `str` and a token
# a character; the full stop ends a text. `follow(text)` says which tokens may follow a text, and with which
# probabilities. At each step the best `beams` continuations are kept; those that have ended are put aside. After `n`
# steps the best of all texts comes back, ended or not: the one whose sum of log-probabilities, divided by its length
# to the power of `penalty`, is largest.
#
# For each search, pick its fault from the first table, and from the second the observation that is true of this
# search and of no other here; a right one does not show it either. Both tables offer more than is needed. Write the
# words as they stand there, in quotation marks (capital letters do not matter). For `fork` take `n = 3`, for the
# others 3 beams and `n = 4`.
#
# | fault | what it means |
# |---|---|
# | `"ended texts go on"` | the full stop is a token like any other |
# | `"the penalty is turned round"` | a larger one favours shorter texts |
# | `"only the last token counts"` | totals do not include the tokens before |
# | `"beams do not compete"` | after the first step every text leaves one continuation |
# | `"ended texts are thrown away"` | only texts that have not ended can come back |
# | `"the first ended text wins"` | the search is over when some text has ended |
# | `"the worst beams are kept"` | at each step the least probable stay |
# | `"probabilities are added"` | without the logarithm |
#
# | observation | how to make it |
# |---|---|
# | `"fork, 2 beams, penalty 0: it writes what 1 beam writes"` | the same text both times |
# | `"something stands behind the first full stop"` | with any table |
# | `"lengths, penalty 0: it writes an x and a full stop"` | a text of two characters |
# | `"always, penalty 0: it writes an x"` | is there an x in the text? |
# | `"lengths, penalty 0: it writes a bare full stop"` | a text of one character |
# | `"fork, 1 beam, penalty 0: it writes a, c and a full stop"` | a text of three characters |
# | `"lengths: an x with penalty 0, a bare full stop with penalty 2"` | two runs |
#
# Then write `c` again as `repaired(follow, beams, penalty, n)`, changed as little as possible.


# %%
FORK = {
    "": {"a": 0.6, "b": 0.4},
    "a": {"c": 0.55, "d": 0.45},
    "b": {"c": 0.6, "d": 0.4},
    "ac": {".": 0.4, "e": 0.35, "f": 0.25},
    "bc": {".": 0.52, "e": 0.48},
}
LENGTHS = {"": {"x": 0.7, ".": 0.3}, "x": {".": 0.55, "y": 0.45}}


def fork(text):
    return FORK.get(text, {".": 1.0})  # whatever stands in no table ends


def lengths(text):
    return LENGTHS.get(text, {".": 1.0})


def always(text):
    return {".": 0.9, "x": 0.1}


# %%
def broken_a(follow, beams, penalty, n):
    texts, ended = [("", 0.0)], []
    while n > 0 and not ended:
        new = [(text + token, total + math.log(p)) for text, total in texts for token, p in follow(text).items()]
        best = sorted(new, key=lambda pair: pair[1])[-beams:]
        ended = [pair for pair in best if pair[0].endswith(".")]
        texts, n = [pair for pair in best if pair not in ended], n - 1
    return max(ended or texts, key=lambda pair: pair[1] / len(pair[0]) ** penalty)[0]


# %%
def broken_b(follow, beams, penalty, n):
    texts, ended = {"": 0.0}, {}
    for _ in range(n):
        new = {text + token: texts[text] + p for text in texts for token, p in follow(text).items()}
        texts = {}
        for text in sorted(new, key=new.get, reverse=True)[:beams]:
            (ended if text.endswith(".") else texts)[text] = new[text]
    every = ended | texts
    return max(every, key=lambda text: every[text] / len(text) ** penalty)


# %%
def broken_c(follow, beams, penalty, n):
    texts, ended = {"": 0.0}, {}
    for _ in range(n):
        best = {}
        for text, total in texts.items():
            new = {text + token: total + math.log(p) for token, p in follow(text).items()}
            kept = heapq.nlargest(1 if text else beams, new, key=new.get)
            best.update({text: new[text] for text in kept})
        ended.update({text: total for text, total in best.items() if text.endswith(".")})
        texts = {text: total for text, total in best.items() if not text.endswith(".")}
    every = ended | texts
    return max(every, key=lambda text: every[text] / len(text) ** penalty)


# %%
def broken_d(follow, beams, penalty, n):
    texts, ended = [("", 0.0)], []
    for _ in range(n):
        new = [(text + token, total + math.log(p)) for text, total in texts for token, p in follow(text).items()]
        best = heapq.nlargest(beams, new, key=lambda pair: pair[1])
        ended += [pair for pair in best if pair[0][-1] == "."]
        texts = [pair for pair in best if pair[0][-1] != "."]
    scored = [(total * len(text) ** penalty, text) for text, total in ended + texts]
    return max(scored)[1]


# %%
def broken_e(follow, beams, penalty, n):
    texts = {"": 0.0}
    for _ in range(n):
        new = {text + token: texts[text] + math.log(p) for text in texts for token, p in follow(text).items()}
        texts = {text: new[text] for text in heapq.nlargest(beams, new, key=new.get)}
    return max(texts, key=lambda text: texts[text] / len(text) ** penalty)


# %%
for search in (broken_a, broken_b, broken_c, broken_d, broken_e):
    print(search.__name__, *(repr(search(follow, 3, 1.0, 4)) for follow in (fork, lengths, always)))

# %% [markdown]
# <details><summary>Hint 1: a nudge</summary>
#
# Three of them differ in which texts are continued, and for how long; two in what a text is worth. Which is which?
#
# </details>
# <details><summary>Hint 2: where to look</summary>
#
# A search keeps three promises: what a total is made of, who goes on, and who is chosen in the end. Look at the line of each
# that makes `new`, at what makes `texts` of it, and at the last one, and say aloud what it does to a text that has just ended.
#
# </details>
# <details><summary>Hint 3: a skeleton of the repair</summary>
#
# ```python
# for _ in range(n):
#     new = {}
#     for text, total in texts.items():
#         new.update(____)
#     best = {text: new[text] for text in ____}
#     ____                       # ended and texts, as before
# ```
#
# </details>

# %% answer="diagnoses"
diagnoses = {  # of each search: (fault, observation)
    "a": (None, None),
    "b": (None, None),
    "c": (None, None),
    "d": (None, None),
    "e": (None, None),
}
### BEGIN SOLUTION
diagnoses = {
    "a": ("the first ended text wins", "lengths, penalty 0: it writes a bare full stop"),
    "b": ("probabilities are added", "always, penalty 0: it writes an x"),
    "c": ("beams do not compete", "fork, 2 beams, penalty 0: it writes what 1 beam writes"),
    "d": ("the penalty is turned round", "lengths: an x with penalty 0, a bare full stop with penalty 2"),
    "e": ("ended texts go on", "something stands behind the first full stop"),
}
### END SOLUTION


# %% answer="repaired"
def repaired(follow, beams, penalty, n):
    """broken_c, mended"""
    ### BEGIN SOLUTION
    texts, ended = {"": 0.0}, {}
    for _ in range(n):
        new = {}
        for text, total in texts.items():
            new.update({text + token: total + math.log(p) for token, p in follow(text).items()})
        best = {text: new[text] for text in heapq.nlargest(beams, new, key=new.get)}
        ended.update({text: total for text, total in best.items() if text.endswith(".")})
        texts = {text: total for text, total in best.items() if not text.endswith(".")}
    every = ended | texts
    return max(every, key=lambda text: every[text] / len(text) ** penalty)
    ### END SOLUTION


# %% check="diagnose" points=5
from transformer_lab.grading import grade

grade("12_decoding.diagnose", diagnoses, repaired)

# %% [markdown]
# ## Question 5: the likeliest text of all
# *Optional: 3 points, difficulty 4 of 5, about 12 minutes*
#
# A beam search may miss the likeliest text: a beginning that it has dropped does not come back. It can be found: write
# `likeliest(follow, n)`, the most probable of all texts that end with a full stop and have at most `n` characters, the full
# stop included. Texts and `follow(text)` are those of question 4, and some text always ends in time. There may be hundreds of
# thousands of texts, and `follow` may be called 2000 times at most, never with a text that has ended.
#
# <details><summary>Hint 1: a nudge</summary>
#
# A text can only become less probable as it grows. If you have a text that has ended, which of the others can still beat it?
#
# </details>
# <details><summary>Hint 2: in steps</summary>
#
# Keep all texts that could still be continued, ended ones too, and always take the most probable of them. If it has ended you
# are done: why? Else put all its continuations in its place, if it is not too long.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# waiting = [____]                             # heapq gives the smallest first: what must stand in front of the text?
# while True:
#     cost, text = heapq.heappop(waiting)
#     if ____:
#         return text
#     if ____:
#         ____                                 # all continuations, each with its own cost
# ```
#
# </details>


# %% answer="likeliest"
def likeliest(follow, n):
    """a function from text to {token: probability}, a number -> the most probable text that ends within n tokens"""
    ### BEGIN SOLUTION
    waiting = [(0.0, "")]
    while True:
        cost, text = heapq.heappop(waiting)
        if text.endswith("."):
            return text
        if len(text) < n:
            for token, p in follow(text).items():
                heapq.heappush(waiting, (cost - math.log(p), text + token))
    ### END SOLUTION


# %% check="likeliest" points=3
from transformer_lab.grading import grade

grade("12_decoding.likeliest", likeliest)

# %% [markdown]
# ## Question 6: the penalty that turns the tables
# *Optional: 2 points, difficulty 3 of 5, about 6 minutes*
#
# A beam search ends with two texts. `short` and `long` are lists of the log-probabilities of their tokens, and `long` has more
# of them. Write `crossing(short, long)`: the length penalty at which both have the same score, the sum of the
# log-probabilities divided by the number of tokens to the power of the penalty. Above it the longer text wins. It may be
# negative, or above 1.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Write down that both scores are equal. Both sums are negative: what is their ratio?
#
# </details>
# <details><summary>Hint 2: the equation</summary>
#
# With sums $s_1, s_2$, lengths $n_1, n_2$ and the penalty $\alpha$, $\;s_1 / n_1^{\alpha} = s_2 / n_2^{\alpha}$. Bring both
# lengths to one side and both sums to the other, and take the logarithm.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# sums = ____       # a ratio
# lengths = ____    # a ratio
# return ____
# ```
#
# </details>


# %% answer="crossing"
def crossing(short, long):
    """two lists of log-probabilities -> the penalty from which on the longer text has the better score"""
    ### BEGIN SOLUTION
    sums = sum(long) / sum(short)
    lengths = len(long) / len(short)
    return math.log(sums) / math.log(lengths)
    ### END SOLUTION


# %% check="crossing" points=2
from transformer_lab.grading import grade

grade("12_decoding.crossing", crossing)

# %% [markdown]
# ## Question 7: prompts of unequal lengths
# *Optional: 3 points, difficulty 3 of 5, about 8 minutes*
#
# A model is to continue several prompts in one batch. Write `pad_left(prompts, pad)`: for a list of prompts, each a list of
# ids, three tensors `(B, T)`, where `T` is the length of the longest:
#
# * the ids, with `pad` in front of shorter prompts, `torch.int64`;
# * booleans, True where a token is real;
# * the position of each token in its own prompt, from 0, `torch.int64`. Padding has position 0: nothing reads it, but a table
#   of positions must have such a row.
#
# No prompt is empty. The id `pad` may also occur *in* a prompt, as a real token.
#
# <details><summary>Hint 1: a nudge</summary>
#
# What do you know of each row before you look at a single id? And if real tokens are counted along a row, which number does the
# first of them get?
#
# </details>
# <details><summary>Hint 2: in steps</summary>
#
# Column $j$ of a row with $n$ real tokens is real if $j \ge T - n$. The running sum of these booleans counts the real
# tokens up to each column, that column included.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# T = ____
# ids = torch.tensor([____ for prompt in prompts])
# is_real = torch.tensor([____ for prompt in prompts])
# positions = is_real.____
# return ids, is_real, ____
# ```
#
# </details>


# %% answer="pad_left"
def pad_left(prompts, pad):
    """lists of ids, an id -> ids, booleans and positions, each (B, T)"""
    ### BEGIN SOLUTION
    T = max(len(prompt) for prompt in prompts)
    ids = torch.tensor([[pad] * (T - len(prompt)) + prompt for prompt in prompts])
    is_real = torch.tensor([[j >= T - len(prompt) for j in range(T)] for prompt in prompts])
    positions = is_real.cumsum(dim=1) - 1
    return ids, is_real, positions.clamp(min=0)
    ### END SOLUTION


# %% check="pad_left" points=3
from transformer_lab.grading import grade

grade("12_decoding.pad_left", pad_left)

# %% [markdown]
# ## Question 8: how much does it repeat?
# *Optional: 2 points, difficulty 2 of 5, about 5 minutes*
#
# Write `repeated(tokens, n)`, a number that tells a text that goes round in circles from one that does not: of all runs of `n`
# neighbouring tokens (*n-grams*), the share that has occurred before in this text. One begins at each place from which `n`
# tokens can be read. In `[4, 5, 4, 5, 4]` there are four pairs; the last two have occurred before, so it is 0.5. A text
# of fewer than `n` tokens repeats nothing: 0.
#
# <details><summary>Hint 1: a nudge</summary>
#
# How many n-grams has a text of `T` tokens? And how many of them have *not* occurred before?
#
# </details>
# <details><summary>Hint 2: in steps</summary>
#
# Make a list of all n-grams, as tuples. Each different one is new exactly once.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# grams = [tuple(____) for i in range(____)]
# if ____:
#     return 0.0
# return ____
# ```
#
# </details>


# %% answer="repeated"
def repeated(tokens, n):
    """a list of tokens, a number -> the share of n-grams that have occurred before"""
    ### BEGIN SOLUTION
    grams = [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
    if not grams:
        return 0.0
    return 1 - len(set(grams)) / len(grams)
    ### END SOLUTION


# %% check="repeated" points=2
from transformer_lab.grading import grade

grade("12_decoding.repeated", repeated)

# %% [markdown]
# Back to the [lesson](../../notebooks/12_decoding.ipynb), or to the [start](../../notebooks/00_start_here.ipynb).

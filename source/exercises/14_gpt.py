# %% [markdown]
# # Exercises: 14 GPT
#
# Write your answer where a cell says `raise NotImplementedError` or `None`, run it, then run the locked cell below. It
# tells you what your answer did and where to look. Run it as often as you like; nothing is sent anywhere. Do not copy or
# split the locked cells: a teacher's grading could not read the notebook any more.
#
# Questions 1-3 are the core (about 30 minutes). The others are optional. Every function leaves its inputs as they are.
# Numbers are compared to five digits. Where one of the package's functions does what is asked it is accepted as an answer;
# you learn more without. Back to the [lesson](../../notebooks/14_gpt.ipynb).

# %%
import math
import random

import torch
import torch.nn.functional as F

from transformer_lab import GPT, TransformerConfig

# %% [markdown]
# ## Question 1: the perplexity of a long text
# *6 points, difficulty 3 of 5, about 10 minutes*
#
# A text is longer than the model can read at once, so it is read in pieces. `nats_of(piece)` runs the model over a list of at
# most `window` ids. It returns a list that is one shorter: what each id costs, in nats, *given those before it in the piece*.
# The first id has nothing before it, and no number. (A piece of 9 ids is a window of 8 in the lesson's drawing: its last id
# is judged and not read.)
#
# Write `perplexity(nats_of, ids, window, stride)`, the perplexity of the text `ids`, a list of at least two:
#
# * The first piece begins where the text begins, and each further one begins `stride` ids after the one before it. A piece is
#   `window` ids long, or shorter where the text ends first. `stride` is at least 1 and less than `window`, so pieces overlap.
# * Every id of the text but the first counts once: in the *first* piece that has a number for it.
# * `nats_of` is asked about each piece once. The piece that reaches the end of the text is the last.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Take a window of 5 and a stride of 2, and write down the ids of the first three pieces as places in the text. Which of them
# does the second piece judge for the first time, and where do their numbers stand in its list?
#
# </details>
# <details><summary>Hint 2: in steps</summary>
#
# Remember up to where the text has been judged. A piece from `start` to `end` has numbers for the places `start + 1` to
# `end - 1`. Add up those that are new, and count them. What is asked for is made of both in the end, once.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# costs, start = [], 0
# while True:
#     end = ____
#     known = ____                   # how many numbers of this piece have counted already
#     costs += nats_of(____)[known:]
#     if ____:
#         return ____
#     start += stride
# ```
#
# </details>


# %% answer="perplexity"
def perplexity(nats_of, ids, window, stride):
    """a function from at most `window` ids to the nats of all but the first, a list of ids, two numbers -> a number"""
    ### BEGIN SOLUTION
    costs, start = [], 0
    while True:
        end = min(start + window, len(ids))
        known = len(costs) - start
        costs += nats_of(ids[start:end])[known:]
        if end == len(ids):
            return math.exp(sum(costs) / len(costs))
        start += stride
    ### END SOLUTION


# %% check="perplexity" points=6
from transformer_lab.grading import grade

grade("14_gpt.perplexity", perplexity)

# %% [markdown]
# ## Question 2: which answer does it find likeliest?
# *6 points, difficulty 3 of 5, about 10 minutes*
#
# A model that has read some examples need not write its answer. One can also lay several answers before it, and ask how
# probable each of them is: that is how many multiple-choice tests of language models are scored.
#
# Write `answers(model, prompt, choices, pad)`. `prompt` is a list of ids, and `choices` a list of answers, each a list of
# ids, of unequal lengths. `model(ids)` takes ids `(B, T)` and gives logits `(B, T, V)`. As in every GPT a row has read the
# tokens up to its own, and none after it. Return a tensor with a number for each answer: the log-probability of the whole
# answer after the prompt, in nats, so at most 0. What the prompt itself costs has no part in it.
#
# * The model is asked **once**, with a row for each answer. Fill up the rows with the id `pad`; there is no mask.
# * Prompt and answers may hold the id `pad` as a token of their own, which counts like any other. None of them is empty.
# * An answer may be so improbable that its probability is 0 in 32 bits. Its log-probability is a number all the same.
#
# <details><summary>Hint 1: a nudge</summary>
#
# The prompt is 4 ids long. Which row of the logits says how probable the first token of the answer is? And does it matter to
# that row what comes after it?
#
# </details>
# <details><summary>Hint 2: in steps</summary>
#
# Make the batch, `(B, T)`. The log-probabilities of the rows `[:, :-1]` are about the tokens `[:, 1:]`: `gather` along the
# last axis takes one number for each token, $(B, T - 1)$. Then only the places of an answer's own tokens stay. The lists say
# how long each answer is.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# T = ____
# ids = torch.tensor([____ for choice in choices])            # (B, T)
# log_probs = model(ids)[:, :-1].log_softmax(dim=-1)
# each = log_probs.gather(-1, ____)[..., 0]                   # (B, T - 1)
# first = ____
# return torch.stack([each[b, ____].sum() for b in range(len(choices))])
# ```
#
# </details>


# %% answer="answers"
def answers(model, prompt, choices, pad):
    """a model, a list of ids, a list of such lists, an id -> log-probabilities (B,)"""
    ### BEGIN SOLUTION
    T = len(prompt) + max(map(len, choices))
    rows = [prompt + choice for choice in choices]
    ids = torch.tensor([row + [pad] * (T - len(row)) for row in rows])
    log_probs = model(ids)[:, :-1].log_softmax(dim=-1)
    each = log_probs.gather(-1, ids[:, 1:, None])[..., 0]
    first = len(prompt) - 1
    return torch.stack([each[b, first : len(row) - 1].sum() for b, row in enumerate(rows)])
    ### END SOLUTION


# %% check="answers" points=6
from transformer_lab.grading import grade

grade("14_gpt.answers", answers)

# %% [markdown]
# ## Question 3: what did the examples give?
# *3 points, difficulty 3 of 5, about 10 minutes*
#
# Your page of examples works. Before you explain why, you try other pages. `answer(page, question)` is a model: `page` is a
# list of examples, each a pair of a question and its answer, and may be empty. What comes back is the word that the model
# writes after `question`. The same page and question always give the same word.
#
# Write `what_counts(answer, shown, asked, foreign)`. `shown` are the examples of your page. `asked` are pairs of a question and
# its right answer; none of their questions stands on a page. `foreign` is a list of words, as many as there are examples: answers
# of another task. A page **works** if with it at least half as many of the questions in `asked` are answered right as with
# `shown`; with `shown` at least one is. Return the first of these that is true:
#
# * `"nothing"`: the empty page works, so the model needs no examples;
# * `"the pairs"`: the examples with their answers shuffled do not work. The questions stay as they are, and no question has an
#   answer equal to its own. Several examples may have the same answer, such as two animals; there is always such an order;
# * `"the answers"`: the examples with foreign answers do not work. The questions stay as they are, and have the words of
#   `foreign`, in their order (the lesson's green dots the other way round);
# * `"the form"`: none of the above, so any page of such lines will do.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Each page is one list of pairs. What is counted is the same for all of them, so write it once. And why is it not enough to
# shuffle the answers a single time?
#
# </details>
# <details><summary>Hint 2: in steps</summary>
#
# One function gives the number of right answers with a page, another one the page on which the examples have other answers, a
# list of them. Shuffle the answers of `shown` again and again, until none is equal to the one that stood there. "At least half as
# many" needs no division.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# def works(page):
#     return ____ * right(page) >= ____
#
# if works(____):
#     return "nothing"
# mixed = ____
# while any(____ for other, (_, own) in zip(mixed, shown)):
#     random.shuffle(____)
# ```
#
# </details>


# %% answer="what_counts"
def what_counts(answer, shown, asked, foreign):
    """a function of a page and a question, pairs, pairs, words -> "nothing", "the pairs", "the answers" or "the form" """

    ### BEGIN SOLUTION
    def works(page):
        return 2 * right(page) >= right(shown)

    def right(page):
        return sum(answer(page, question) == wanted for question, wanted in asked)

    def with_others(others):
        return [(question, other) for (question, _), other in zip(shown, others, strict=True)]

    mixed = [own for _, own in shown]
    while any(other == own for other, (_, own) in zip(mixed, shown, strict=True)):
        random.shuffle(mixed)
    if works([]):
        return "nothing"
    if not works(with_others(mixed)):
        return "the pairs"
    return "the form" if works(with_others(foreign)) else "the answers"
    ### END SOLUTION


# %% check="what_counts" points=3
from transformer_lab.grading import grade

grade("14_gpt.what_counts", what_counts)

# %% [markdown]
# ## Question 4: many prompts at once
# *Optional: 4 points, difficulty 4 of 5, about 12 minutes*
#
# A server does not wait until one text is finished to begin the next: it continues many prompts in one batch. Write
# `continued(model, prompts, n, pad, eos)`. `prompts` is a list of lists of ids. Return a list with a list for each: the ids
# that come next, the likeliest one each time, up to `n` of them. A text ends when its next token would be `eos`, which does
# not come back.
#
# The model keeps nothing from call to call, so each time it has to be told everything. `model(ids, is_real, positions)` gives
# logits `(B, T, V)` for three tensors `(B, T)`: the ids of the prompts and of what has been written so far; booleans, True
# where a token is real; and for each real token its place in its own text, counted from 0. Rows are filled up with the id
# `pad`. On which side? The next token of every row is to be read off the last column.
#
# * Every call has a row for each prompt. What stands in the row of a text that has ended does not matter.
# * The model is asked at most `n` times, and no more once all texts have ended.
# * A prompt may hold the ids `pad` and `eos` as tokens of its own, which end nothing; what is written may hold `pad` too. No
#   prompt is empty.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Before the first step you need three tensors, and after each step every one of them grows by a column. What is in the new
# column of each?
#
# </details>
# <details><summary>Hint 2: in steps</summary>
#
# Question 7 of lesson 12 (prompts of unequal lengths) made the three tensors. A new token is real, and stands one position
# after the one before it. Let texts that have ended go on with the others, keep what they write, and cut each at its first
# `eos` in the end.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# ids, is_real, positions = ____, ____, ____                # (B, T)
# new = ____                                                # (B, 0), of whole numbers
# while new.shape[1] < n and not ____:                      # has every row an eos?
#     token = ____                                          # (B, 1)
#     ids, new = ____, ____
#     is_real = ____
#     positions = ____
# return [row[: row.index(eos)] if ____ else row for row in new.tolist()]
# ```
#
# </details>


# %% answer="continued"
def continued(model, prompts, n, pad, eos):
    """a model, a list of lists of ids, three numbers -> a list of lists of ids"""
    ### BEGIN SOLUTION
    T = max(map(len, prompts))
    ids = torch.tensor([[pad] * (T - len(prompt)) + prompt for prompt in prompts])
    positions = torch.arange(T) - torch.tensor([[T - len(prompt)] for prompt in prompts])
    is_real, positions = positions >= 0, positions.clamp(min=0)
    new = ids[:, :0]
    while new.shape[1] < n and not (new == eos).any(dim=1).all():
        token = model(ids, is_real, positions)[:, -1:].argmax(dim=-1)
        ids, new = torch.cat((ids, token), dim=1), torch.cat((new, token), dim=1)
        is_real = F.pad(is_real, (0, 1), value=True)
        positions = torch.cat((positions, positions[:, -1:] + 1), dim=1)
    return [row[: row.index(eos)] if eos in row else row for row in new.tolist()]
    ### END SOLUTION


# %% check="continued" points=4
from transformer_lab.grading import grade

grade("14_gpt.continued", continued)

# %% [markdown]
# ## Question 5: keys for many heads
# *Optional: 3 points, difficulty 3 of 5, about 8 minutes*
#
# GPT-2 has as many heads of keys as of queries. In many a Llama a group of query heads shares one head of keys, and the cache
# is smaller in proportion. A model need not be trained anew for that: one begins with shared keys made out of the old ones, and
# trains on for a while (Ainslie et al. 2023, arXiv:2305.13245).
#
# Write `shared_keys(weight, n_heads, n_kv_heads)`. `weight` is that of the keys' `nn.Linear`, `(n_heads * d_head, D)`:
# rows 0 to `d_head - 1` belong to head 0, the next ones to head 1. Return the weight of the new layer,
# `(n_kv_heads * d_head, D)`: the weights of a new head are the mean of the weights of the heads that it stands for,
# which in the package stand side by side. With 6 heads and 2 heads of keys, heads 0, 1 and 2 share the first, heads 3, 4 and 5
# the second. `n_kv_heads` divides `n_heads`. The dtype stays what it was.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Give every thing that has a number an axis of its own: the new head, the old head within its group, the row within a head,
# the column. Which of these goes?
#
# </details>
# <details><summary>Hint 2: with shapes</summary>
#
# `(n_heads * d_head, D)` becomes `(n_kv_heads, n_heads // n_kv_heads, d_head, D)`; then a mean over one axis, and two axes
# become one again.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# heads = weight.reshape(n_kv_heads, ____, -1, ____)
# return heads.____
# ```
#
# </details>


# %% answer="shared_keys"
def shared_keys(weight, n_heads, n_kv_heads):
    """(n_heads * d_head, D), two numbers -> (n_kv_heads * d_head, D)"""
    ### BEGIN SOLUTION
    D, group = weight.shape[1], n_heads // n_kv_heads
    d_head = weight.shape[0] // n_heads
    heads = weight.reshape(n_kv_heads, group, d_head, D)
    return heads.mean(dim=1).flatten(end_dim=1)
    ### END SOLUTION


# %% check="shared_keys" points=3
from transformer_lab.grading import grade

grade("14_gpt.shared_keys", shared_keys)

# %% [markdown]
# ## Question 6: a table that takes a little from everything
# *Optional: 3 points, difficulty 3 of 5, about 8 minutes*
#
# A table of n-grams must leave something for what it has never seen. In the package's table, how much depends on how many
# different tokens have followed. Another way is called **absolute discounting** (Ney, Essen and Kneser 1994): a little is taken
# from every count, and what was taken goes to the context that is one token shorter.
#
# `counts[context][token]` says how often the token followed the context in a text; contexts are strings, `""` the shortest, and
# tokens single characters. Only what occurred is in there. Write `discounted(counts, context, token, d, V)`, the probability of
# the token after the context:
#
# * Say the context was followed by $n$ tokens in all, $k$ different ones, and $c$ times by this one (perhaps never). Then
#   $P = \max(c - d, 0) / n \; + \;$ a share of the token's probability after the context without its *first* character.
#   The share is what was taken from all the counts together, divided by $n$. You know $0 < d < 1$.
# * A context that never occurred has nothing to take from: its answer is that of the shorter one.
# * When nothing is left to shorten, after `""`, every one of the `V` tokens there are is equally likely.
#
# <details><summary>Hint 1: a nudge</summary>
#
# From how many of the counts is $d$ taken? After the answer for the shorter context, only one multiplication is missing.
#
# </details>
# <details><summary>Hint 2: in steps</summary>
#
# Go from the shortest context to the longest: begin with $1 / V$, and let each context that has occurred turn the probability
# of the shorter one into its own. Or let the function call itself.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# shorter = ____ if context else ____
# seen = ____
# if not seen:
#     return ____
# n, k = ____, ____
# return ____ + ____ * shorter
# ```
#
# </details>


# %% answer="discounted"
def discounted(counts, context, token, d, V):
    """{context: {token: count}}, two strings, two numbers -> a probability"""
    ### BEGIN SOLUTION
    shorter = discounted(counts, context[1:], token, d, V) if context else 1 / V
    seen = counts.get(context)
    if not seen:
        return shorter
    n, k = sum(seen.values()), len(seen)
    return max(seen.get(token, 0) - d, 0) / n + d * k / n * shorter
    ### END SOLUTION


# %% check="discounted" points=3
from transformer_lab.grading import grade

grade("14_gpt.discounted", discounted)

# %% [markdown]
# ## Question 7: five broken writers
# *Optional: 5 points, difficulty 3 of 5, about 10 minutes*
#
# Each of these takes a GPT of the package and a list of prompts, and continues each prompt with `n` tokens: always the
# likeliest one. Each has one fault, and all five faults are different. A correct writer reads a text's last `max_len` tokens,
# and continues every prompt as if it were alone.
#
# For each writer, pick its fault from the first table, and from the second the observation that is true of this
# writer and of no other here; a correct one does not show it either. Both tables offer more than is needed. Write the
# words as they stand there, in quotation marks (capital letters do not matter). `fresh(...)` makes models to try them
# on: with one block or two, with a table of positions or with `positions="none"`. Only one observation is about texts
# longer than `max_len`: the one that names it.
#
# | fault | what it means |
# |---|---|
# | `"padding stands after the prompts"` | and the next token is read off the last column |
# | `"only the last token is read"` | nothing is known of those before it |
# | `"dropout is left on"` | parts of the model are silenced at random |
# | `"all blocks run once for each block"` | a model of two blocks makes four runs, one of three makes nine |
# | `"a long text is cut at its wrong end"` | its beginning is read where its end should be |
# | `"the first row of the logits is taken"` | in place of the last one |
# | `"new tokens stand at position 0"` | though text stands before them |
# | `"the last block is left out"` | one block fewer than there are |
#
# | observation | how to make it |
# |---|---|
# | `"alone a short prompt is continued right, beside a longer one it is not"` | the same prompt, in two lists |
# | `"a short prompt alone is continued right"` | a list with one prompt of 4 ids |
# | `"right with one block, wrong with two"` | one prompt of 4 ids, two models |
# | `"wrong with a table of positions, right without positions"` | one prompt of 4 ids, two models |
# | `"prompts that end in the same token are continued alike"` | two lists, with one prompt of 4 ids each |
# | `"asked twice, it writes two different texts"` | the same call two times |
# | `"right up to max_len tokens, after them always the same token"` | one prompt of 4 ids, `n = 16` |
#
# Then write `a` again as `repaired(model, prompts, n)`, changed as little as possible. It has to be right for long texts too.


# %%
def fresh(n_layers=2, positions="learned"):
    """A GPT of 23 tokens that was never trained. Its weights are made larger: so every token of a text matters."""
    _ = torch.manual_seed(3)
    sizes = dict(vocab_size=23, d_model=24, n_heads=3, n_layers=n_layers, d_ff=40, max_len=12)
    model = GPT(TransformerConfig(**sizes, positions=positions, tie_embeddings=False)).eval()
    for weight in model.parameters():
        weight.requires_grad_(False).mul_(5)
    return model


# %%
def broken_a(model, prompts, n):
    new = []
    for prompt in prompts:
        ids = torch.tensor([prompt])
        for _ in range(n):
            x, positions = model.embedding(ids[:, -model.config.max_len :])
            for _ in range(model.config.n_layers):
                x = model.decoder(x, positions)
            ids = torch.cat((ids, model.logits(x)[:, -1:].argmax(dim=-1)), dim=1)
        new.append(ids[0, len(prompt) :].tolist())
    return new


# %%
def broken_b(model, prompts, n):
    new = []
    for prompt in prompts:
        ids, cache, own = torch.tensor([prompt]), model.decoder.new_cache(), []
        for _ in range(n):
            x, positions = model.embedding(ids)
            x = model.decoder(x, positions, cache=cache)
            ids = model.logits(x)[:, -1:].argmax(dim=-1)  # the cache knows the others
            own.append(ids.item())
        new.append(own)
    return new


# %%
def broken_c(model, prompts, n):
    new = []
    for prompt in prompts:
        ids = torch.tensor([prompt])
        for _ in range(n):
            logits = model(ids[:, : model.config.max_len])
            ids = torch.cat((ids, logits[:, -1:].argmax(dim=-1)), dim=1)
        new.append(ids[0, len(prompt) :].tolist())
    return new


# %%
def broken_d(model, prompts, n):
    T = max(len(prompt) for prompt in prompts)
    ids = torch.tensor([prompt + [0] * (T - len(prompt)) for prompt in prompts])
    is_real = torch.tensor([[t < len(prompt) for t in range(T)] for prompt in prompts])
    for _ in range(n):
        read, real = (tensor[:, -model.config.max_len :] for tensor in (ids, is_real))
        ids = torch.cat((ids, model(read, real)[:, -1:].argmax(dim=-1)), dim=1)
        is_real = F.pad(is_real, (0, 1), value=True)
    return ids[:, T:].tolist()


# %%
def broken_e(model, prompts, n):
    new = []
    for prompt in prompts:
        ids = torch.tensor([prompt])
        for _ in range(n):
            logits = model(ids[:, -1:])
            ids = torch.cat((ids, logits[:, -1:].argmax(dim=-1)), dim=1)
        new.append(ids[0, len(prompt) :].tolist())
    return new


# %%
for writer in (broken_a, broken_b, broken_c, broken_d, broken_e):
    print(writer.__name__, *writer(fresh(), [[7, 1, 4, 9], [2, 9]], 5))

# %% [markdown]
# <details><summary>Hint 1: a nudge</summary>
#
# Which of them are right as long as nothing unusual is asked of them: a prompt alone, a short text? You have a correct writer
# at hand: `model(ids)` itself, for one text that fits.
#
# </details>
# <details><summary>Hint 2: where to look</summary>
#
# At each step follow one token: what is the model given, what stands around the token there, at which place does it stand,
# through which blocks does its vector go, and from which row is the next token read?
#
# </details>
# <details><summary>Hint 3: a skeleton of the repair</summary>
#
# ```python
# for _ in range(n):
#     x, positions = model.embedding(____)
#     x = ____                       # every block once, and the norm after them
#     ____                           # as before
# ```
#
# </details>

# %% answer="diagnoses"
diagnoses = {  # of each writer: (fault, observation)
    "a": (None, None),
    "b": (None, None),
    "c": (None, None),
    "d": (None, None),
    "e": (None, None),
}
### BEGIN SOLUTION
short = "alone a short prompt is continued right, beside a longer one it is not"
diagnoses = {
    "a": ("all blocks run once for each block", "right with one block, wrong with two"),
    "b": ("new tokens stand at position 0", "wrong with a table of positions, right without positions"),
    "c": ("a long text is cut at its wrong end", "right up to max_len tokens, after them always the same token"),
    "d": ("padding stands after the prompts", short),
    "e": ("only the last token is read", "prompts that end in the same token are continued alike"),
}
### END SOLUTION


# %% answer="repaired"
def repaired(model, prompts, n):
    """broken_a, mended"""
    ### BEGIN SOLUTION
    new = []
    for prompt in prompts:
        ids = torch.tensor([prompt])
        for _ in range(n):
            x, positions = model.embedding(ids[:, -model.config.max_len :])
            x = model.decoder(x, positions)
            ids = torch.cat((ids, model.logits(x)[:, -1:].argmax(dim=-1)), dim=1)
        new.append(ids[0, len(prompt) :].tolist())
    return new
    ### END SOLUTION


# %% check="diagnose" points=5
from transformer_lab.grading import grade

grade("14_gpt.diagnose", diagnoses, repaired)

# %% [markdown]
# Back to the [lesson](../../notebooks/14_gpt.ipynb), or to the [start](../../notebooks/00_start_here.ipynb).

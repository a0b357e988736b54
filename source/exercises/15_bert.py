# %% [markdown]
# # Exercises: 15 BERT
#
# Write your answer where a cell says `raise NotImplementedError` or `None`, run it, then run the locked cell below. It
# tells you what your answer did and where to look. Run it as often as you like; nothing is sent anywhere. Do not copy or
# split the locked cells: a teacher's grading could not read the notebook any more.
#
# Questions 1-3 are the core (about 30 minutes). The others are optional. Every function leaves its inputs as they are.
# Numbers are compared to five digits. Where one of the package's functions does what is asked it is accepted as an answer;
# you learn more without. Back to the [lesson](../../notebooks/15_bert.ipynb).

# %%
import math

import torch
import torch.nn.functional as F

from transformer_lab import BERT, TransformerConfig

# %% [markdown]
# ## Question 1: one vector for a long text
# *5 points, difficulty 3 of 5, about 10 minutes*
#
# A page may be longer than what the model reads at once. Then it is read in pieces, and its vector is still the mean
# over all of its tokens. `model(ids, is_real)` takes ids `(B, T)` and booleans `(B, T)`, True where a token is real,
# and gives a vector for every token, `(B, T, D)`. It was made for texts, not for padding: its vectors for padding are
# large and meaningless.
#
# Write `text_vectors(model, texts, window, pad)`. `texts` is a list of texts, each a list of ids. Return a tensor with a
# vector for each text, `(N, D)`: the mean of the model's vectors for the text's own tokens, each of which counts the same,
# whichever piece it stands in. It is not scaled to length 1: the check compares vectors, not cosines.
#
# * A text is cut into pieces of `window` ids, and what is left over makes one shorter piece at its end. Pieces do not overlap.
#   A text of at most `window` ids is one piece.
# * The model is asked **once**, with a row for each piece. Rows are filled up at their end with the id `pad`, and no row is
#   longer than `window`.
# * A text may hold the id `pad` as a token of its own, which counts like any other. No text is empty.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Two texts of 17 and 4 ids and a window of 7: how many rows does the batch have, and how many of its vectors belong to the
# first text? If you took the mean of each row first, how much would a token of the short row count?
#
# </details>
# <details><summary>Hint 2: in steps</summary>
#
# Make the pieces of all texts, one list. From the pieces' lengths come `ids` and `is_real`, both `(B, T)`. `hidden[is_real]`
# has the vectors of all real tokens below each other, text after text: `(all lengths added up, D)`. The first of them belong
# to the first text.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# pieces = [____ for text in texts for start in range(____)]
# T = max(len(piece) for piece in pieces)
# ids = torch.tensor([____ for piece in pieces])              # (B, T)
# is_real = torch.tensor([____ for piece in pieces])          # (B, T), from the lengths
# real = model(ids, is_real)[____]
# return torch.stack([own.____ for own in real.split([____ for text in texts])])
# ```
#
# </details>


# %% answer="text_vectors"
def text_vectors(model, texts, window, pad):
    """a model, a list of lists of ids, two numbers -> vectors (N, D)"""
    ### BEGIN SOLUTION
    pieces = [text[start : start + window] for text in texts for start in range(0, len(text), window)]
    T = max(map(len, pieces))
    ids = torch.tensor([piece + [pad] * (T - len(piece)) for piece in pieces])
    is_real = torch.arange(T) < torch.tensor([[len(piece)] for piece in pieces])
    real = model(ids, is_real)[is_real]
    return torch.stack([own.mean(dim=0) for own in real.split([len(text) for text in texts])])
    ### END SOLUTION


# %% check="text_vectors" points=5
from transformer_lab.grading import grade

grade("15_bert.text_vectors", text_vectors)

# %% [markdown]
# ## Question 2: which word does not belong here?
# *5 points, difficulty 3 of 5, about 10 minutes*
#
# A BERT does not give the probability of a text. But one can hide a word and ask how probable it is between all the
# others. If it is hardly probable at all, it may be wrong. Summed over a text, such numbers rank what a speech
# recogniser or a translator offers (Salazar et al. 2020, arXiv:1910.14659). A rare word is made of several tokens,
# and each gives the others away: so all of them are hidden together.
#
# Write `word_costs(model, ids, words, mask)`. `ids` is a list of ids, `words` a list of the same length: the number of the word
# that the token belongs to, or `None` for tokens of no word, such as [CLS] and [SEP]. Words are numbered 0, 1, 2 and so on as
# they stand in the text, and a word's tokens stand together. There is at least one word. `model(ids)` takes ids `(B, T)` and
# gives logits `(B, T, V)`; each row has read all the others, on both sides, and says what stands **at its own place**.
#
# Return a tensor with a number for each word, its cost in nats. When the word's tokens, and no others, are replaced by the id
# `mask`, each of its tokens has a probability at its place: the cost is minus the logarithm of the product of these.
#
# * The model is asked **once**, with a row for each word.
# * One id may stand in several words: only the word's own tokens are hidden. Tokens of no word are never hidden.
# * A token may be so improbable that its probability is 0 in 32 bits. Its cost is a finite number all the same.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Write down the batch for a text of [CLS], three words of 1, 2 and 1 tokens, and [SEP]. Which rows of the logits, in which text
# of the batch, are asked? And which ids are looked up there: those that the model has read?
#
# </details>
# <details><summary>Hint 2: in steps</summary>
#
# A table of booleans, `(number of words, T)`, says what is hidden in which row of the batch. It makes the batch out of the
# original ids, and it picks the log-probabilities that count. `gather` along the last axis takes one of V numbers for every
# place.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# n = ____                                                    # how many words there are
# is_hidden = torch.tensor([____ for word in range(n)])       # (n, T)
# original = torch.tensor(ids).expand(n, -1)                  # (n, T)
# logits = model(____)
# each = logits.____.gather(-1, ____)[..., 0]                 # (n, T)
# return ____.masked_fill(____, 0.0).sum(dim=____)
# ```
#
# </details>


# %% answer="word_costs"
def word_costs(model, ids, words, mask):
    """a model, a list of ids, a list of numbers and None, an id -> costs in nats, (number of words,)"""
    ### BEGIN SOLUTION
    n = 1 + max(word for word in words if word is not None)
    is_hidden = torch.tensor([[word == number for word in words] for number in range(n)])
    original = torch.tensor(ids).expand(n, -1)
    logits = model(original.masked_fill(is_hidden, mask))
    each = logits.log_softmax(dim=-1).gather(-1, original[..., None])[..., 0]
    return -each.masked_fill(~is_hidden, 0.0).sum(dim=-1)
    ### END SOLUTION


# %% check="word_costs" points=5
from transformer_lab.grading import grade

grade("15_bert.word_costs", word_costs)

# %% [markdown]
# ## Question 3: names found, and names missed
# *6 points, difficulty 3 of 5, about 12 minutes*
#
# A tagger gives each token a tag: `B-PER` begins a person's name, `I-PER` goes on with it, `O` is no name. Tags that a model
# writes need not fit together: an `I-PER` may stand where no name has begun.
#
# Write `entity_report(gold, predicted)`. Both are lists of sentences, a sentence is a list of tags, and the two sides have the
# same numbers of tokens. Return a dictionary: for each type of which at least one side has an entity, and for `"all"`, the
# triple (precision, recall, F1), numbers from 0 to 1.
#
# * An entity begins at each `B-`, and at each `I-` that continues nothing: the tag before it is `O` or has another type, or it
#   is the sentence's first. It goes on over the tags `I-` of its own type that follow. No entity goes on into the next sentence.
# * A predicted entity is right if `gold` has one of the same type at exactly the same tokens of the same sentence.
# * Precision is the number of right ones divided by that of the predicted ones, recall the number of right ones divided by that
#   of the entities in `gold`, and F1 is $2 P R / (P + R)$. Entities of all sentences are counted first, then it is divided once.
#   For `"all"` the entities of all types are counted together.
# * What would be 0 / 0 is 0. With no entity on either side what comes back is `{"all": (0, 0, 0)}`.
# * A type is whatever stands after the first hyphen of a tag, and may hold hyphens too, as in `B-work-of-art`. No type is
#   called `all`. Numbers are not rounded.
#
# For example, where `gold` is `[["B-PER", "I-PER", "O", "B-LOC"]]` and `predicted` is `[["B-PER", "I-PER", "I-LOC", "B-LOC"]]`,
# two of three predicted entities are right, and no true one is missed: `PER` has (1, 1, 1), `LOC` (1/2, 1, 2/3), and `all`
# (2/3, 1, 4/5).
#
# <details><summary>Hint 1: a nudge</summary>
#
# If both sides were sets of entities, what would the right ones be? What must an entity know of itself, so that no other one of
# the whole text is equal to it?
#
# </details>
# <details><summary>Hint 2: in steps</summary>
#
# Go through a sentence, and remember the type of the tag before. A tag begins an entity, goes on with the last one found, or is
# `O`. An entity is (sentence, type, first token, last token). `tag.partition("-")` has three parts, also for `"O"`. Then: two sets,
# and for each type the parts of them that have it. $2 P R / (P + R)$ is also twice the number of right ones, divided by the
# number of entities on both sides.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# def entities(rows):
#     found = []
#     for n, tags in enumerate(rows):
#         before = ____
#         for t, tag in enumerate(tags):
#             kind, _, type_ = tag.partition("-")
#             if ____:                          # it begins one
#                 found.append([n, type_, t, t])
#             elif ____:                        # it goes on
#                 ____
#             before = ____
#     return set(map(tuple, found))
# ```
#
# </details>


# %% answer="entity_report"
def entity_report(gold, predicted):
    """two lists of lists of tags -> {type: (precision, recall, F1)}, and the same for "all" """
    ### BEGIN SOLUTION

    def entities(rows):
        found, tags = [], [tag for row in rows for tag in ("O", *row)]
        for t in range(1, len(tags)):
            if tags[t][0] == "B" or (tags[t][0] == "I" and tags[t][2:] != tags[t - 1][2:]):
                found.append((tags[t][2:], t, t))
            elif tags[t][0] == "I":
                found[-1] = (*found[-1][:2], t)
        return set(found)

    report, sides = {}, (entities(gold), entities(predicted))
    for name in {one[0] for side in sides for one in side} | {"all"}:
        there, guessed = ({one for one in side if name in (one[0], "all")} for side in sides)
        right, n, m = len(there & guessed), len(guessed), len(there)
        report[name] = right / max(1, n), right / max(1, m), 2 * right / max(1, n + m)
    return report
    ### END SOLUTION


# %% check="entity_report" points=6
from transformer_lab.grading import grade

grade("15_bert.entity_report", entity_report)

# %% [markdown]
# ## Question 4: five search engines that go wrong
# *Optional: 5 points, difficulty 3 of 5, about 12 minutes*
#
# Each of these takes a BERT of the package, a list of passages and a question, all lists of ids. It gives a tensor with a score
# for each passage, in the order of the passages. Each has one fault, and all five faults are different. A right search takes the
# mean over the real tokens of each text, and the cosine of the passage's vector and the question's.
#
# For each search, pick its fault from the first table, and from the second the observation that is true of this
# search and of no other here; a right one does not show it either. Both tables offer more than is needed. Write the
# words as they stand there, in quotation marks (capital letters do not matter). `fresh()` makes a model to try them
# on, and `batch(texts)` fills up rows; it has no fault. Passages of up to 16 ids fit.
#
# | fault | what it means |
# |---|---|
# | `"only the first tokens of a text are read"` | whatever stands after them is lost |
# | `"the mask is turned round"` | padding is read, and the text is not |
# | `"padding is counted in the mean"` | a mean over all columns of a row |
# | `"the question's vector is that of its first token"` | though a passage's is a mean |
# | `"vectors are not scaled to one length"` | a product where a cosine should be |
# | `"dropout is left on"` | parts of the model are silenced at random |
# | `"the scores are put back in a wrong order"` | right numbers at wrong passages |
# | `"all passages are read as one text"` | each token has read all passages |
#
# | observation | how to make it |
# |---|---|
# | `"two passages that are alike score alike"` | a list of the same passage twice |
# | `"some scores are above 1"` | any passages |
# | `"a passage scores otherwise when a longer one stands beside it"` | one passage alone; then a list with it first and a longer one second |
# | `"a passage of 5 ids, alone and asked for with its own text, scores below 0.99"` | a list of one passage |
# | `"right for passages from the shortest to the longest, wrong for some other orders"` | four passages of different lengths |
# | `"the question's tokens in another order change no score"` | the same passages, two questions |
# | `"another last id of a passage of 12 changes no score"` | two lists of one passage each |
#
# Then write `b` again as `repaired(model, passages, question)`, changed as little as possible.


# %%
def fresh():
    """A BERT of 23 tokens that was never trained."""
    _ = torch.manual_seed(3)
    sizes = dict(vocab_size=23, d_model=24, n_heads=3, n_layers=1, d_ff=40, max_len=16)
    return BERT(TransformerConfig(**sizes)).eval().requires_grad_(False)


def batch(texts):
    """ids (B, T), filled up with 0, and True where they are real, (B, T)"""
    T = max(map(len, texts))
    ids = torch.tensor([text + [0] * (T - len(text)) for text in texts])
    return ids, torch.tensor([[t < len(text) for t in range(T)] for text in texts])


# %%
def broken_a(model, passages, question):
    ids, is_real = batch([question, *passages])
    vectors = model(ids, is_real).mean(dim=1)
    return F.cosine_similarity(vectors[1:], vectors[:1], dim=-1)


# %%
def broken_b(model, passages, question):
    order = torch.tensor(sorted(range(len(passages)), key=lambda n: len(passages[n])))
    ids, is_real = batch([question] + [passages[n] for n in order])  # alike lengths side by side
    totals = (model(ids, is_real) * is_real[..., None]).sum(dim=1)
    vectors = totals / is_real.sum(dim=1, keepdim=True)
    scores = F.cosine_similarity(vectors[1:], vectors[:1], dim=-1)
    return scores[order]  # in the order of the passages again


# %%
def broken_c(model, passages, question):
    vectors = [model(torch.tensor([text]))[0].mean(dim=0) for text in [question, *passages]]
    return torch.stack(vectors[1:]) @ vectors[0]


# %%
def broken_d(model, passages, question):
    ids, is_real = batch([text[:8] for text in [question, *passages]])
    totals = (model(ids, is_real) * is_real[..., None]).sum(dim=1)  # they point where the means point
    return F.cosine_similarity(totals[1:], totals[:1], dim=-1)


# %%
def broken_e(model, passages, question):
    vectors = torch.stack([model(torch.tensor([text]))[0].mean(dim=0) for text in passages])
    asked = model(torch.tensor([question]))[:, 0]
    return F.cosine_similarity(vectors, asked, dim=-1)


# %%
for search in (broken_a, broken_b, broken_c, broken_d, broken_e):
    scores = search(fresh(), [[4, 9, 1, 7, 3, 8], [5, 2], [6, 6, 1, 9]], [9, 1, 7])
    print(search.__name__, *[f"≈ {score:.2f}" for score in scores.tolist()])

# %% [markdown]
# <details><summary>Hint 1: a nudge</summary>
#
# Make a right score by hand, for one passage: `model(torch.tensor([text]))[0].mean(dim=0)` for both texts, and their cosine.
# Which searches give it for a list of one short passage? Which still do for a long one, and which for several at once?
#
# </details>
# <details><summary>Hint 2: where to look</summary>
#
# Follow one passage: which of its ids reach the model, what stands beside it in its row, which vectors are averaged, what is
# computed with the question, and at which place of the result does it end up? Every step is right in four of the searches:
# put the same step of two searches side by side. Not all that looks different is a fault.
#
# </details>
# <details><summary>Hint 3: a skeleton of a test</summary>
#
# Compare each search with a right one, on lists that differ in one thing. The list on which a search fails, and the numbers
# that come out there, tell what it does wrong. The repair begins where the numbers stop being right.
#
# ```python
# def right(model, passages, question):
#     vectors = [____ for text in [question, *passages]]      # each text by itself
#     return torch.stack([____ for vector in vectors[1:]])
#
# for passages in (____, ____, ____, ____):   # one short; one of 12 ids; short to long; three or more in other orders
#     print(search(fresh(), passages, question), right(fresh(), passages, question))
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
orders = "right for passages from the shortest to the longest, wrong for some other orders"
own_text = "a passage of 5 ids, alone and asked for with its own text, scores below 0.99"
diagnoses = {
    "a": ("padding is counted in the mean", "a passage scores otherwise when a longer one stands beside it"),
    "b": ("the scores are put back in a wrong order", orders),
    "c": ("vectors are not scaled to one length", "some scores are above 1"),
    "d": ("only the first tokens of a text are read", "another last id of a passage of 12 changes no score"),
    "e": ("the question's vector is that of its first token", own_text),
}
### END SOLUTION


# %% answer="repaired"
def repaired(model, passages, question):
    """broken_b, mended"""
    ### BEGIN SOLUTION
    order = torch.tensor(sorted(range(len(passages)), key=lambda n: len(passages[n])))
    ids, is_real = batch([question] + [passages[n] for n in order])
    totals = (model(ids, is_real) * is_real[..., None]).sum(dim=1)
    vectors = totals / is_real.sum(dim=1, keepdim=True)
    scores = F.cosine_similarity(vectors[1:], vectors[:1], dim=-1)
    found = torch.empty_like(scores)
    found[order] = scores
    return found
    ### END SOLUTION


# %% check="diagnose" points=5
from transformer_lab.grading import grade

grade("15_bert.diagnose", diagnoses, repaired)

# %% [markdown]
# ## Question 5: a table that cannot be
# *Optional: 3 points, difficulty 2 of 5, about 8 minutes*
#
# Somebody reports what a tagger does. The columns mean what they mean in question 3. The row *all* counts all
# entities together; the row *mean* has the means of the three types' precisions, recalls and F1s. Shares are rounded to two
# decimals. **In each of the five rows exactly one cell is wrong**, and the other cells are right.
#
# | row | in gold | predicted | right | precision | recall | F1 |
# |---|---|---|---|---|---|---|
# | PER | 120 | 96 | 72 | 0.75 | 0.60 | 0.78 |
# | LOC | 80 | 85 | 68 | 0.90 | 0.85 | 0.82 |
# | ORG | 50 | 60 | 54 | 0.40 | 0.48 | 0.44 |
# | all | 270 | 241 | 164 | 0.68 | 0.66 | 0.67 |
# | mean | | | | 0.65 | 0.71 | 0.64 |
#
# Write `audit(row)`: for the name of a row, a string as it stands in the table, a pair of the name of the wrong
# column and the number that belongs into its cell. A share may be rounded to two decimals. Each row is marked by
# itself.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Which numbers of a row say the same thing twice? Where two of three agree with each other, the third one is the one to doubt.
#
# </details>
# <details><summary>Hint 2: in steps</summary>
#
# Work out precision, recall and F1 of a row from its three counts. If one of them comes out otherwise, that cell is wrong; if
# two or three do, it is the count that they share. Begin with the three types: the last two rows are made of them.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# return {"PER": ("____", ____), "LOC": ____, "ORG": ____, "all": ____, "mean": ____}[row]
# ```
#
# </details>


# %% answer="audit"
def audit(row):
    """the name of a row -> (name of its wrong column, the right number)"""
    ### BEGIN SOLUTION
    wrong = {"PER": ("F1", 0.67), "LOC": ("precision", 0.80), "ORG": ("right", 24)}
    wrong |= {"all": ("in gold", 250), "mean": ("recall", 0.64)}
    return wrong[row]
    ### END SOLUTION


# %% check="audit" points=3
from transformer_lab.grading import grade

grade("15_bert.audit", audit)

# %% [markdown]
# ## Question 6: the best of many
# *Optional: 3 points, difficulty 4 of 5, about 10 minutes*
#
# You try `k` settings of a model, and keep the one that does best on a validation set of `n` examples. Suppose that all of them
# are equally good: each gets each example right with probability `p`, whatever it does with the others, and whatever the other
# settings do. By how much does the score of the one that you keep exceed `p`, on average? That much of it is luck, and is gone
# on a test set.
#
# Write `optimism(n, p, k)`: the mean of the best of the `k` scores, minus `p`. A score is a share of the `n` examples, between 0
# and 1. The answer is exact up to rounding, so nothing is drawn at random. `n` is from 1 to 500, `k` is at least 1, and `p` may
# be 0 or 1.
#
# <details><summary>Hint 1: a nudge</summary>
#
# How probable is it that one setting gets at most 3 examples right? That none of `k` settings gets more than 3 right?
#
# </details>
# <details><summary>Hint 2: with formulas</summary>
#
# One setting gets exactly $j$ right with probability $\binom{n}{j} p^j (1 - p)^{n - j}$; `math.comb` has the first factor. Let
# $F_j$ be the probability of at most $j$. The best of $k$ gets at most $j$ right with probability $F_j^k$. The mean of a count is
# the sum of the probabilities that it is more than 0, more than 1, and so on.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# total, at_most = 0.0, 0.0
# for j in range(____):
#     at_most += ____
#     total += ____
# return ____
# ```
#
# </details>


# %% answer="optimism"
def optimism(n, p, k):
    """examples, the probability of each to be right, settings -> mean of the best score, minus p"""
    ### BEGIN SOLUTION
    mean_of_best, at_most = 0.0, 0.0
    for j in range(n):
        at_most += math.comb(n, j) * p**j * (1 - p) ** (n - j)
        mean_of_best += 1 - at_most**k
    return mean_of_best / n - p
    ### END SOLUTION


# %% check="optimism" points=3
from transformer_lab.grading import grade

grade("15_bert.optimism", optimism)

# %% [markdown]
# Back to the [lesson](../../notebooks/15_bert.ipynb), or to the [start](../../notebooks/00_start_here.ipynb).

# %% [markdown]
# # Exercises: 10 Tokens
#
# Write your answer where a cell says `raise NotImplementedError` or `None`, run it, then run the locked cell below. It
# tells you what your answer did and where to look. Run it as often as you like; nothing is sent anywhere. Do not copy or
# split the locked cells: a teacher's grading could not read the notebook any more.
#
# Questions 1-3 are the core (about 30 minutes). 4-7 are optional. Here all is plain Python: texts, lists, dictionaries. Every
# function leaves its inputs as they are. Numbers are compared to five digits. Where one of the package's functions does what is
# asked it is accepted as an answer; you learn more without. Back to the [lesson](../../notebooks/10_tokens.ipynb).

# %%
import math
import re
from collections import Counter
from itertools import pairwise

# %% [markdown]
# ## Question 1: the tokens of a word
# *5 points, difficulty 3 of 5, about 9 minutes*
#
# Write `encode(word, merges)`: the tokens of a word, as a list of texts. `merges` is a list of pairs of tokens, in
# the order in which they were learnt. At first each letter is a token of its own. As long as there are two neighbours
# that form a pair in `merges`, join the pair that was learnt first, wherever in the word it stands. If it stands
# there several times, join it everywhere, from the left: in `aaa`, the first two letters.
#
# With the merges `("b", "c"), ("a", "b"), ("c", "d")` the word `abcd` becomes `["a", "bc", "d"]`. A merge joins only
# letters and tokens that an earlier merge has made. Some letters may stand in no merge, and the word may be empty.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Two jobs, and each is easy alone: find *which* pair is next, then join it everywhere. Do the second as a function of its own.
#
# </details>
# <details><summary>Hint 2: in steps</summary>
#
# Among the pairs of neighbours, `pairwise(tokens)`, keep those that are in `merges`. None left: done. Else take the one
# with the smallest index in `merges`. To join it, build a new list from left to right: if the last token in it and the next
# one are the pair, the last token grows, else the next one is appended.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# tokens = list(word)
# while known := [pair for pair in pairwise(tokens) if ____]:
#     best = min(known, key=____)
#     tokens = ____    # the same tokens, with best joined everywhere
# return tokens
# ```
#
# </details>


# %% answer="encode"
def encode(word, merges):
    """The tokens of a word: the pair that was learnt first is joined first."""
    ### BEGIN SOLUTION
    tokens = list(word)
    while known := [pair for pair in pairwise(tokens) if pair in merges]:
        best, new = min(known, key=merges.index), []
        for token in tokens:
            if new and (new[-1], token) == best:
                new[-1] += token
            else:
                new.append(token)
        tokens = new
    return tokens
    ### END SOLUTION


# %% check="encode" points=5
from transformer_lab.grading import grade

grade("10_tokens.encode", encode)

# %% [markdown]
# ## Question 2: learn the merges
# *6 points, difficulty 4 of 5, about 11 minutes*
#
# Write `learn(words, n_merges)`. `words` says how often each word occurs in a text, `{"low": 5, "lower": 2}`. Return a list of
# pairs, in the order in which they are learnt: each is the most frequent pair of neighbouring tokens, counted over all words as
# they are spelt after the merges before it.
#
# The small print decides which tokenizer you get, so here it is. A pair counts in each place where it stands, times the number
# of times that its word occurs; `aaa` holds the pair `("a", "a")` twice, although only one of the two can be joined. No pair
# spans two words. **Of pairs that are equally frequent, take the greatest**, as Python compares pairs of texts:
# `("b", "a") > ("ab", "z")`. (The package takes the smallest, and the `tokenizers` library goes by the ids of the two. All
# three are byte-pair encoding.) If no word has a pair left there are fewer merges than `n_merges`.
#
# <details><summary>Hint 1: a nudge</summary>
#
# What must you know of each word after three merges? Its tokens; and question 1 gives you those for any list of merges.
#
# </details>
# <details><summary>Hint 2: in steps</summary>
#
# A `Counter` of pairs: for each word its tokens, and for each pair of neighbours the word's count is added. The greatest among
# the most frequent is `max` with a key of two parts. Append it to the merges, and count everything again. Stop when you have
# `n_merges`, or when the counter is empty.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# merges = []
# while len(merges) < n_merges:
#     counts = ____          # all pairs of all words, as they are spelt after these merges
#     ____                   # without a pair: stop
#     merges.append(max(counts, key=lambda pair: (____, ____)))
# return merges
# ```
#
# </details>


# %% answer="learn"
def learn(words, n_merges):
    """The merges of words that occur so often, in the order in which they are learnt."""
    ### BEGIN SOLUTION
    merges = []
    while len(merges) < n_merges:
        counts = Counter()
        for word, count in words.items():
            tokens = encode(word, merges)
            for pair in pairwise(tokens):
                counts[pair] += count
        if not counts:
            break
        merges.append(max(counts, key=lambda pair: (counts[pair], pair)))
    return merges
    ### END SOLUTION


# %% check="learn" points=6
from transformer_lab.grading import grade

grade("10_tokens.learn", learn)

# %% [markdown]
# ## Question 3: a text, in bits
# *6 points, difficulty 3 of 5, about 10 minutes*
#
# A table of pairs is a language model, and a text tells how good it is. Write two functions.
#
# `probability(training, alphabet, a, b)`: how likely is the character `b` after the character `a`, to judge by the text
# `training`? `alphabet` is a text that holds each possible character once. Count how often each of them follows `a` in the
# training text (in `aaa` the `a` follows `a` twice), and make *every* count one larger, those of 0 too: then nothing is
# impossible. The probability of `b` is its share of the sum of these counts. Characters of the alphabet may be missing from the
# training text, which may also be empty.
#
# `bits_per_character(text, p, alphabet)`: how many bits does a character of `text` cost, in the mean over all of them? A
# character costs $-\log_2$ of its probability, and `p(a, b)` is the probability of `b` after `a`, by whatever model. Before the
# first character there is none: there, all characters of the alphabet are equally likely. `text` has at least one character,
# and may have thousands.
#
# <details><summary>Hint 1: a nudge</summary>
#
# How many characters follow `a`? Not always as many as there are `a`. How many does the alphabet add to that number? And of a
# text of five characters, how many have a character before them?
#
# </details>
# <details><summary>Hint 2: the formulas</summary>
#
# With $n_{ab}$ the places where $b$ follows $a$ and $V$ the size of the alphabet, make each $n_{ab}$ one larger and divide by
# the sum of these over all $b$. A text of $T$ characters costs the bits of the first one, and of $T - 1$ pairs; divide by $T$.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# following = [right for left, right in pairwise(training) if ____]
# return (____ + 1) / (____ + ____)
#
# bits = ____                              # the first character
# for a, b in pairwise(text):
#     bits += ____
# return bits / ____
# ```
#
# </details>


# %% answer="probability"
def probability(training, alphabet, a, b):
    """The probability that b follows a, with every count one larger than in the training text."""
    ### BEGIN SOLUTION
    following = [right for left, right in pairwise(training) if left == a]
    return (following.count(b) + 1) / (len(following) + len(alphabet))
    ### END SOLUTION


# %% answer="bits_per_character"
def bits_per_character(text, p, alphabet):
    """The bits of a text under p(a, b), per character."""
    ### BEGIN SOLUTION
    bits = math.log2(len(alphabet))
    for a, b in pairwise(text):
        bits -= math.log2(p(a, b))
    return bits / len(text)
    ### END SOLUTION


# %% check="bits" points=6
from transformer_lab.grading import grade

grade("10_tokens.bits", probability, bits_per_character)

# %% [markdown]
# ## Question 4: five broken tokenizers
# *Optional: 4 points, difficulty 3 of 5, about 25 minutes*
#
# Each of these gives the tokens of a text, and has one fault; all five faults are different. Run them on texts and
# merges of your own. For each tokenizer, pick its fault from the first table, and from the second the observation
# that is true of this tokenizer and of no other here; a right tokenizer does not show it either. Both tables offer
# more than is needed. Write the words as they stand there, in quotation marks (capital letters do not matter). In the
# second table `bc` is the merge of `b` and `c`, and `a bc` that of `a` and `bc`; merges stand in the order in which
# they were learnt. (Some of these lists no text would teach.) A word that becomes `ab cd` has become these two
# tokens.
#
# | fault | what it means |
# |---|---|
# | `"first pair from the left"` | of the known pairs the leftmost is joined, whenever it was learnt |
# | `"spaces dropped"` | the spaces of the text are in no token |
# | `"last learnt first"` | of the known pairs the one that was learnt last is joined |
# | `"joins letters, not tokens"` | a merge takes the end or the beginning of longer tokens too |
# | `"no words"` | pairs are joined across the border between two words |
# | `"one place only"` | a pair that stands several times in a word is joined in one place |
# | `"longest match"` | the longest token there is, from the left |
#
# | observation | how to make it |
# |---|---|
# | `"merges bc, ab, cd: abcd becomes ab cd"` | by rank: `a bc d` |
# | `"merges xa, ab: xab becomes xab"` | by rank: `xa b` |
# | `"merges ab, a bc: abc becomes abc"` | by rank: `ab c` |
# | `"merges ab, cd: abcd becomes ab cd"` | by rank: `ab cd` |
# | `"merges bc, ab, a bc: abc becomes ab c"` | by rank: `abc` |
# | `"one space and two give the same tokens"` | try `"a b"` and `"a  b"`, without merges |
# | `"merge e and a space: in the text be on a token ends in a space"` | the text `"be on"`, the merge `("e", " ")` |
#
# Then write `c` again as `repaired(text, merges)`, changed as little as possible. Texts may hold anything but the sign `|`.


# %%
from transformer_lab.data.byte_pairs import apply_merges  # there is no fault in it


def words_of(text):
    return re.findall(r" ?\S+|\s", text)  # a word keeps the space before it


# %%
def broken_a(text, merges):
    known = {left + right for left, right in merges}
    tokens = []
    for word in words_of(text):
        while word:
            size = next((n for n in range(len(word), 1, -1) if word[:n] in known), 1)
            tokens.append(word[:size])
            word = word[size:]
    return tokens


# %%
def broken_b(text, merges):
    return apply_merges(text, merges)


# %%
def broken_c(text, merges):
    tokens = []
    for word in words_of(text):
        spelt = "|".join(word)
        for left, right in merges:
            spelt = spelt.replace(f"{left}|{right}", left + right)
        tokens += spelt.split("|")
    return tokens


# %%
def broken_d(text, merges):
    tokens = []
    for word in words_of(text):
        parts, i = list(word), 0
        while i + 1 < len(parts):
            if (parts[i], parts[i + 1]) in merges:
                parts[i : i + 2] = [parts[i] + parts[i + 1]]
                i = 0
            else:
                i += 1
        tokens += parts
    return tokens


# %%
def broken_e(text, merges):
    tokens = []
    for word in text.split():
        tokens += apply_merges(word, merges)
    return tokens


# %%
merges = [("t", "h"), ("th", "e"), ("e", "n"), ("en", "d")]
for tokenizer in (broken_a, broken_b, broken_c, broken_d, broken_e):
    print(tokenizer.__name__, tokenizer("the end", merges))

# %% [markdown]
# <details><summary>Hint 1: a nudge</summary>
#
# Which of the five ask when a merge was learnt? And which of those lose sight of where a token, or a word, begins and ends?
#
# </details>
# <details><summary>Hint 2: where to look</summary>
#
# Two never ask when a pair was learnt: one of them asks for pairs and steps back after each, the other asks for whole tokens.
# Of the other three one never cuts the text, one cuts it and throws something away, and one writes tokens into a text and
# searches in that.
#
# </details>
# <details><summary>Hint 3: a skeleton of the repair</summary>
#
# ```python
# for word in words_of(text):
#     parts = list(word)
#     for pair in merges:
#         new = []
#         for token in parts:
#             ____
#         parts = ____
#     tokens += ____
# ```
#
# </details>

# %% answer="diagnoses"
diagnoses = {  # of each tokenizer: (fault, observation)
    "a": (None, None),
    "b": (None, None),
    "c": (None, None),
    "d": (None, None),
    "e": (None, None),
}
### BEGIN SOLUTION
diagnoses = {
    "a": ("longest match", "merges ab, a bc: abc becomes abc"),
    "b": ("no words", "merge e and a space: in the text be on a token ends in a space"),
    "c": ("joins letters, not tokens", "merges xa, ab: xab becomes xab"),
    "d": ("first pair from the left", "merges bc, ab, a bc: abc becomes ab c"),
    "e": ("spaces dropped", "one space and two give the same tokens"),
}
### END SOLUTION


# %% answer="repaired"
def repaired(text, merges):
    """broken_c, mended"""
    ### BEGIN SOLUTION
    tokens = []
    for word in words_of(text):
        tokens += encode(word, merges)
    return tokens
    ### END SOLUTION


# %% check="diagnose" points=4
from transformer_lab.grading import grade

grade("10_tokens.diagnose", diagnoses, repaired)

# %% [markdown]
# ## Question 5: characters that arrive in pieces
# *Optional: 3 points, difficulty 4 of 5, about 10 minutes*
#
# In many language models a token is a row of one or more bytes, and a character has one to four bytes (UTF-8). A model that writes 十 may send
# its three bytes in three tokens: what is a chat window to show in between? Write `shown(tokens)`: for a list of `bytes`, a list
# of texts, one for each token: the characters that this token completes, and an empty text if it completes none. A
# character is shown as soon as its last byte is there, and once.
#
# With `[b"a", b"\xe5\x8d", b"\x81b"]` that is `["a", "", "十b"]`. The bytes are those of a text, which may break off within a
# character; an unfinished character is not shown. A token may be empty.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Keep what is unfinished until the next token comes. What do you get if you decode all bytes so far and drop what is
# unfinished? And what of that was there before?
#
# </details>
# <details><summary>Hint 2: in steps</summary>
#
# `data.decode(errors="ignore")` leaves out bytes that make no character; at the end of a text these are the unfinished ones. Do
# that with *all* bytes so far, and take away as many characters as were shown already. (Python's `codecs` has such a decoder
# ready.)
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# texts, data, n_shown = [], b"", 0
# for token in tokens:
#     data += ____
#     text = ____            # whole characters only
#     texts.append(____)
#     n_shown = ____
# return texts
# ```
#
# </details>


# %% answer="shown"
def shown(tokens):
    """The characters that each token of bytes completes."""
    ### BEGIN SOLUTION
    texts, data, n_shown = [], b"", 0
    for token in tokens:
        data += token
        text = data.decode(errors="ignore")
        texts.append(text[n_shown:])
        n_shown = len(text)
    return texts
    ### END SOLUTION


# %% check="shown" points=3
from transformer_lab.grading import grade

grade("10_tokens.shown", shown)

# %% [markdown]
# ## Question 6: two models with different tokens
# *Optional: 3 points, difficulty 2 of 5, about 5 minutes*
#
# A loss per token says little: with longer tokens there are fewer of them, and each is harder to predict. Write
# `per_character(losses, sizes, text)`: the bits per character of a text that was read in batches. `losses` holds the mean loss
# of a token in each batch, in nats, as torch gives it; `sizes` says how many tokens each batch has; the tokens of all
# batches together are `text`, in any language, and a character is what Python counts as one.
#
# <details><summary>Hint 1: a nudge</summary>
#
# How many nats does the whole text cost? The last batch is often a short one.
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# The sum over batches of loss times size, in nats. One bit is $\ln 2$ nats. Then share it out.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# nats = sum(____ for loss, size in zip(losses, sizes, strict=True))
# return nats / ____ / ____
# ```
#
# </details>


# %% answer="per_character"
def per_character(losses, sizes, text):
    """Bits per character, from the mean loss of each batch in nats per token."""
    ### BEGIN SOLUTION
    nats = sum(loss * size for loss, size in zip(losses, sizes, strict=True))
    return nats / math.log(2) / len(text)
    ### END SOLUTION


# %% check="per_character" points=3
from transformer_lab.grading import grade

grade("10_tokens.per_character", per_character)

# %% [markdown]
# ## Question 7: what could have refuted it?
# *Optional: 4 points, difficulty 3 of 5, about 12 minutes*
#
# Somebody has looked into a model called Owl and makes four claims. (There is no Owl, and all of its numbers are made
# up.) Two thousand words were added to its vocabulary, one token each. The row of a new word began as the mean of the
# rows of the pieces that the word had been cut into before, and then Owl was trained further. All shares are of such
# new words. As in the lesson, a *probe* reads a letter off a row, on words that it was not fitted on.
#
# | claim | |
# |---|---|
# | `a` | *Training* has put their first letters into the rows: the probe reads 94 % of them off. |
# | `b` | Asked for last letters, Owl names 13 %. It would name them if only it *saw* the letters. |
# | `c` | The rows hold last letters, and not only the grammar of plurals and the like: the probe reads 46 % off. |
# | `d` | Asked for the third letters of sixty words, Owl names 30 %. Its answers have to do with the words. |
#
# For each claim choose the *one* probe or count that could have refuted it: the one that comes out one way if the
# claim is true, and clearly otherwise if it is false. The others come out the same in both cases. Then say what it
# did: `"refuted"`, or `"stands"` (which is not to say that the claim is proved). Differences of five in a hundred are
# no accident here.
#
# | what was tried | what came out |
# |---|---|
# | `"always one letter"` | the third letters of `d`, if one says the best single letter each time: see below |
# | `"answers dealt out"` | Owl's answers of `d`, each given to a word drawn at random: see below |
# | `"first letters asked"` | Owl names 88 % of the *first* letters of words that stand there as one token |
# | `"first letters, random rows"` | the probe of `a` on a table of random numbers reads 8 % off |
# | `"first letters, rows before training"` | the probe of `a` on the rows as they began reads 93 % off |
# | `"last letters asked, with commas"` | Owl names 15 % if the words are written `m, u, s, i, c`, each letter a token |
# | `"last letters, no endings"` | the probe of `c` reads 44 % off where no word ends in -s, -ed, -ing or -ly; always the same letter: 19 % |
# | `"last letters, shuffled"` | the probe of `c`, fitted on letters that were dealt out to other words, reads 12 % off |
#
# For claim `d` two numbers are missing. Write `controls(said, right)` that returns both. The two texts are equally long: the
# first letter of `said` is what a model answers for the first word, the first letter of `right` is what would be right there, and
# so on. They have one letter or more. Return
#
# * `always`: the share that is right if the same letter is said for every word, the one with which most are right;
# * `dealt`: the share that is right if the model's own answers are dealt out anew, the mean over all orders in which that can
#   be done. So nothing is drawn at random here, and `said` may be hundreds of letters long.


# %%
right = "nnnrrtrnrrtrnoiinrtiirtnninintnmrnrnnnninrntnttmnnnnmmrmntoo"  # the third letters of sixty words
said = "remrtonotenieomierttormrimoietemtirrteeinroeetirenoeimrtmtmi"  # and what Owl answers
print(f"{sum(a == b for a, b in zip(said, right, strict=True)) / len(right):.0%}")

# %% [markdown]
# <details><summary>Hint 1: a nudge</summary>
#
# Take each claim and suppose that it is false: where would its number come from then? Look for the line that would have given
# this away. A line that speaks of something else, or that would look the same, is none.
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# In how many of all orders does the answer to the first word go to the second one? In one of $n$, and so it is for any answer
# and any word. An answer $x$ that is dealt out is right with probability $r_x / n$, if $r_x$ of the $n$ words have this letter;
# and $s_x$ of the answers are $x$. So `dealt` is $\sum_x s_x r_x / n^2$.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# s, r, n = Counter(said), Counter(right), len(right)
# always = ____ / n
# dealt = sum(____ for x in s) / ____
# return always, dealt
# ```
#
# Of the claims: was the first letter there before anybody trained? Did Owl get its wish? Which words have no grammar in their last
# letter? And what is left of an answer that goes to another word?
#
# </details>

# %% answer="refuting"
refuting = {  # of each claim: (what could have refuted it, "refuted" or "stands")
    "a": (None, None),
    "b": (None, None),
    "c": (None, None),
    "d": (None, None),
}
### BEGIN SOLUTION
refuting = {
    "a": ("first letters, rows before training", "refuted"),
    "b": ("last letters asked, with commas", "refuted"),
    "c": ("last letters, no endings", "stands"),
    "d": ("answers dealt out", "stands"),
}
### END SOLUTION


# %% answer="controls"
def controls(said, right):
    """two texts of the same length -> two shares: always the best letter, and the answers dealt out anew"""
    ### BEGIN SOLUTION
    there = Counter(right)
    dealt = sum(there[letter] for letter in said) / len(right) ** 2
    return max(there.values()) / len(right), dealt
    ### END SOLUTION


# %% check="controls" points=4
from transformer_lab.grading import grade

grade("10_tokens.controls", refuting, controls)

# %% [markdown]
# Back to the [lesson](../../notebooks/10_tokens.ipynb), or to the [start](../../notebooks/00_start_here.ipynb).

"""Lesson 10: answers to its exercises, wrong with the words their author must be told, and right.

attention.py says what the tables hold.
"""

import codecs
import heapq
import math
import random
import re
from collections import Counter, defaultdict
from functools import reduce
from itertools import pairwise

import numpy as np
import torch

from careless import copying
from diagnoses import Diagnosed
from transformer_lab.data.byte_pairs import apply_merges, encode, learn_merges

POINTS = {
    "10_tokens.encode": 5,
    "10_tokens.learn": 6,
    "10_tokens.bits": 6,
    "10_tokens.diagnose": 4,
    "10_tokens.shown": 3,
    "10_tokens.per_character": 3,
    "10_tokens.controls": 4,
}
ONE_WAY = ()
MISCONCEPTIONS = ("M49",)


# encode -----------------------------------------------------------------------------------------------------------


def joined(tokens, pair):
    new = []
    for token in tokens:
        if new and (new[-1], token) == tuple(pair):
            new[-1] += token
        else:
            new.append(token)
    return new


def encode_right(word, merges):
    tokens = list(word)
    while known := [pair for pair in pairwise(tokens) if pair in merges]:
        tokens = joined(tokens, min(known, key=merges.index))
    return tokens


def encode_replay(word, merges):
    """Merge after merge, in the order in which they were learnt."""
    return reduce(joined, merges, list(word))


def encode_one_at_a_time(word, merges):
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    tokens = list(word)
    while len(tokens) > 1:
        rank, i = min((ranks.get(pair, math.inf), i) for i, pair in enumerate(pairwise(tokens)))
        if rank == math.inf:
            break
        tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
    return tokens


def encode_with_a_heap(word, merges):
    """As the tokenizers library does it."""
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    tokens, following = dict(enumerate(word)), {i: i + 1 for i in range(len(word))}
    heap = [(ranks[pair], i, pair) for i, pair in enumerate(pairwise(word)) if pair in ranks]
    heapq.heapify(heap)
    while heap:
        _, i, pair = heapq.heappop(heap)
        after = following.get(i)
        if (tokens.get(i), tokens.get(after)) != pair:
            continue
        tokens[i] += tokens.pop(after)
        following[i] = following.pop(after)
        before = next((j for j, n in following.items() if n == i and j in tokens), None)
        for left, right in ((before, i), (i, following[i])):
            found = tokens.get(left), tokens.get(right)
            if found in ranks:
                heapq.heappush(heap, (ranks[found], left, found))
    return [tokens[i] for i in sorted(tokens)]


def encode_recursive(word, merges, tokens=None):
    tokens = list(word) if tokens is None else tokens
    for pair in merges:
        if pair in list(pairwise(tokens)):
            return encode_recursive(word, merges, joined(tokens, pair))
    return tuple(tokens)


def encode_by_regex(word, merges):
    """Sennrich's way: whole tokens between spaces."""
    spelt = " ".join(word)
    for left, right in merges:
        spelt = re.sub(rf"(?<!\S){re.escape(left)} {re.escape(right)}(?!\S)", left + right, spelt)
    return spelt.split()


def ranked_by_text(word, merges):
    """As tiktoken has it: the rank is that of the joined text, whichever two tokens make it."""
    ranks = {}
    for left, right in merges:
        ranks.setdefault(left + right, len(ranks))
    tokens = list(word)
    while known := [pair for pair in pairwise(tokens) if "".join(pair) in ranks]:
        tokens = joined(tokens, min(known, key=lambda pair: ranks["".join(pair)]))
    return tokens


def leftmost(word, merges):
    tokens, i = list(word), 0
    while i + 1 < len(tokens):
        if (tokens[i], tokens[i + 1]) in merges:
            tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
            i = 0
        else:
            i += 1
    return tokens


def rightmost(word, merges):
    turned = leftmost(word[::-1], [(right[::-1], left[::-1]) for left, right in merges])
    return [token[::-1] for token in turned[::-1]]


def longest_token(word, merges):
    known, tokens = {a + b for a, b in merges}, []
    while word:
        size = next((n for n in range(len(word), 1, -1) if word[:n] in known), 1)
        tokens.append(word[:size])
        word = word[size:]
    return tokens


def longest_token_from_the_end(word, merges):
    turned = longest_token(word[::-1], [(b[::-1], a[::-1]) for a, b in merges])
    return [token[::-1] for token in turned[::-1]]


def latest_first(word, merges):
    tokens = list(word)
    while known := [pair for pair in pairwise(tokens) if pair in merges]:
        tokens = joined(tokens, max(known, key=merges.index))
    return tokens


def backwards(word, merges):
    return reduce(joined, merges[::-1], list(word))


def one_sweep(word, merges):
    tokens = []
    for letter in word:
        tokens.append(letter)
        if len(tokens) > 1 and tuple(tokens[-2:]) in merges:
            tokens[-2:] = ["".join(tokens[-2:])]
    return tokens


def first_place_only(word, merges):
    tokens = list(word)
    for pair in merges:
        for i, found in enumerate(pairwise(tokens)):
            if found == pair:
                tokens[i : i + 2] = ["".join(pair)]
                break
    return tokens


def replaced(word, merges):
    spelt = " ".join(word)
    for left, right in merges:
        spelt = spelt.replace(left + " " + right, left + right)
    return spelt.split()


def one_merge(word, merges):
    known = [pair for pair in pairwise(word) if pair in merges]
    return joined(list(word), min(known, key=merges.index)) if known else list(word)


def short_by_a_pair(word, merges):
    tokens = list(word)
    while known := [pair for pair in list(pairwise(tokens))[:-1] if pair in merges]:
        tokens = [*joined(tokens[:-1], min(known, key=merges.index)), tokens[-1]]
    return tokens


def overlaps_from_the_right(word, merges):
    tokens = list(word)
    while known := [(merges.index(pair), -i) for i, pair in enumerate(pairwise(tokens)) if pair in merges]:
        i = -min(known)[1]
        tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
    return tokens


def stops_at_a_missing_merge(word, merges):
    tokens = list(word)
    for pair in merges:
        if pair not in list(pairwise(tokens)):
            return tokens
        tokens = joined(tokens, pair)
    return tokens


def most_frequent_in_the_word(word, merges):
    tokens = list(word)
    while found := Counter(pair for pair in pairwise(tokens) if pair in merges):
        tokens = joined(tokens, found.most_common(1)[0][0])
    return tokens


def letter_used_twice(word, merges):
    """Of aaa both pairs become aa: the middle letter is used twice."""
    tokens = list(word)
    for pair in merges:
        tokens = [
            token
            for i, token in enumerate(
                ["".join(found) if found == pair else found[0] for found in pairwise([*tokens, ""])]
            )
            if not (i and (tokens[i - 1], tokens[i]) == pair and token == tokens[i])
        ]
    return tokens


def using_up(word, merges):
    tokens = list(word)
    while merges:
        tokens = joined(tokens, merges.pop(0))
    return tokens


# learn ------------------------------------------------------------------------------------------------------------


def learn_right(words, n_merges):
    merges = []
    while len(merges) < n_merges:
        counts = Counter()
        for word, count in words.items():
            for pair in pairwise(encode_right(word, merges)):
                counts[pair] += count
        if not counts:
            break
        merges.append(max(counts, key=lambda pair: (counts[pair], pair)))
    return merges


def learner(tie=lambda pair: pair, weigh=lambda count: count, pairs=pairwise, join=joined, least=1, most=None):
    """A learner with one part other than the right one; it keeps the tokens of each word."""

    def learn(words, n_merges):
        spelt, merges = {word: list(word) for word in words}, []
        for _ in range(n_merges):
            counts = defaultdict(int)
            for word, tokens in spelt.items():
                for pair in pairs(tokens):
                    counts[tuple(pair)] += weigh(words[word])
            if not counts or max(counts.values()) < least:
                break
            best = max(counts.values())
            of_these = [pair for pair, count in counts.items() if count == best]
            merges.append(tie(of_these) if most else max(of_these, key=tie))
            spelt = {word: join(tokens, merges[-1]) for word, tokens in spelt.items()}
        return merges

    return learn


def learn_by_sorting(words, n_merges):
    merges = []
    for _ in range(n_merges):
        found = sorted(
            pair for word, n in words.items() for _ in range(n) for pair in pairwise(encode_right(word, merges))
        )
        runs = sorted(((count, pair) for pair, count in Counter(found).items()), reverse=True)
        if runs:
            merges.append(runs[0][1])
    return [list(pair) for pair in merges]


def learn_recursive(words, n_merges, spelt=None):
    spelt = {word: tuple(word) for word in words} if spelt is None else spelt
    counts = sum((Counter({pair: n * words[word] for pair, n in Counter(pairwise(tokens)).items()})
                  for word, tokens in spelt.items()), Counter())  # fmt: skip
    if n_merges == 0 or not counts:
        return []
    best = max(counts.items(), key=lambda item: item[::-1])[0]
    return [best, *learn_recursive(words, n_merges - 1, {word: joined(tokens, best) for word, tokens in spelt.items()})]


def most_frequent_at_the_start(words, n_merges):
    counts = Counter()
    for word, count in words.items():
        for pair in pairwise(word):
            counts[pair] += count
    return sorted(counts, key=lambda pair: (counts[pair], pair), reverse=True)[:n_merges]


def text_of_all_words(words, n_merges):
    return learn_right({"".join(word * count for word, count in words.items()): 1}, n_merges)


def words_in_a_row(words, n_merges):
    return learn_right({"".join(words): 1}, n_merges)


def without_overlaps(tokens):
    """What str.count finds."""
    found, i = [], 0
    pairs = list(pairwise(tokens))
    while i < len(pairs):
        found.append(pairs[i])
        i += 2 if pairs[i : i + 1] == pairs[i + 1 : i + 2] else 1
    return found


def learn_by_replacing(words, n_merges):
    spelt, merges = {word: " ".join(word) for word in words}, []
    for _ in range(n_merges):
        counts = Counter()
        for word, text in spelt.items():
            for pair in pairwise(text.split()):
                counts[pair] += words[word]
        if not counts:
            break
        left, right = max(counts, key=lambda pair: (counts[pair], pair))
        merges.append((left, right))
        spelt = {word: text.replace(f"{left} {right}", left + right) for word, text in spelt.items()}
    return merges


def join_once(tokens, pair):
    tokens = list(tokens)
    if pair in (found := list(pairwise(tokens))):
        i = found.index(pair)
        tokens[i : i + 2] = ["".join(pair)]
    return tokens


def counts_kept(words, n_merges):
    merges, counts = [], Counter()
    for _ in range(n_merges):
        for word, count in words.items():
            for pair in pairwise(encode_right(word, merges)):
                counts[pair] += count
        if counts:
            merges.append(max(counts, key=lambda pair: (counts[pair], pair)))
    return merges


def until_a_word_is_whole(words, n_merges):
    merges = []
    while words and len(merges) < n_merges and all(len(encode_replay(word, merges)) > 1 for word in words):
        merges = learn_right(words, len(merges) + 1)
    return merges


def raises_at_the_end(words, n_merges):
    merges = []
    for _ in range(n_merges):
        counts = Counter()
        for word, count in words.items():
            for pair in pairwise(encode_right(word, merges)):
                counts[pair] += count
        merges.append(max(counts, key=lambda pair: (counts[pair], pair)))
    return merges


def empties_the_words(words, n_merges):
    merges = learn_right(words, n_merges)
    words.clear()
    return merges


# bits -------------------------------------------------------------------------------------------------------------


def probability_right(training, alphabet, a, b):
    following = [right for left, right in pairwise(training) if left == a]
    return (following.count(b) + 1) / (len(following) + len(alphabet))


def probability_from_a_table(training, alphabet, a, b):
    row = dict.fromkeys(alphabet, 1)
    for left, right in pairwise(training):
        if left == a:
            row[right] += 1
    return row[b] / sum(row.values())


def probability_in_torch(training, alphabet, a, b):
    at = {letter: i for i, letter in enumerate(alphabet)}
    counts = torch.ones(len(alphabet), len(alphabet), dtype=torch.float64)
    for left, right in pairwise(training):
        counts[at[left], at[right]] += 1
    return (counts / counts.sum(-1, keepdim=True))[at[a], at[b]]


def probability_by_regex(training, alphabet, a, b):
    pairs = len(re.findall(f"(?={re.escape(a + b)})", training))
    return np.float64((pairs + 1) / (training[:-1].count(a) + len(alphabet)))


def probability_by_words(training, alphabet, a, b):
    following = [right for word in training.split() for left, right in pairwise(word) if left == a]
    return (following.count(b) + 1) / (len(following) + len(alphabet))


def bits_right(text, p, alphabet):
    return (math.log2(len(alphabet)) - sum(math.log2(p(a, b)) for a, b in pairwise(text))) / len(text)


def bits_in_numpy(text, p, alphabet):
    return np.mean([np.log2(len(alphabet)), *(-np.log2(p(text[i - 1], text[i])) for i in range(1, len(text)))])


def bits_in_nats(text, p, alphabet):
    chances = torch.tensor([1 / len(alphabet), *(p(a, b) for a, b in pairwise(text))], dtype=torch.float64)
    return -chances.log().mean() / math.log(2)


def bits_in_single_precision(text, p, alphabet):
    return -torch.tensor([1 / len(alphabet), *(p(a, b) for a, b in pairwise(text))]).log2().mean()


def of_pair(count, below, above=1):
    """A probability of count(training, a, b), with one added above, over below(training, alphabet, a)."""
    return lambda t, v, a, b: (count(t, a, b) + above) / below(t, v, a), bits_right


def n_pairs(t, a, b):
    return list(pairwise(t)).count((a, b))


def n_after(t, a):
    return t[:-1].count(a)


def product_first(text, p, alphabet):
    chance = 1 / len(alphabet)
    for a, b in pairwise(text):
        chance *= p(a, b)
    return -math.log2(chance) / len(text)


def text_bits(first=lambda text, p, alphabet: math.log2(len(alphabet)), over=len, log=math.log2, sign=-1):
    """Bits per character with one part other than the right one."""

    def bits(text, p, alphabet):
        return (first(text, p, alphabet) + sign * sum(log(p(a, b)) for a, b in pairwise(text))) / over(text)

    return probability_right, bits


def mean_of_probabilities(text, p, alphabet):
    chances = [1 / len(alphabet), *(p(a, b) for a, b in pairwise(text))]
    return -math.log2(sum(chances) / len(chances))


# shown ------------------------------------------------------------------------------------------------------------


def shown_right(tokens):
    texts, data, done = [], b"", 0
    for token in tokens:
        data += token
        text = data.decode(errors="ignore")
        texts.append(text[done:])
        done = len(text)
    return texts


def shown_by_codecs(tokens):
    decoder = codecs.getincrementaldecoder("utf-8")()
    return [decoder.decode(token) for token in tokens]


def shown_by_first_bytes(tokens):
    """The first byte of a character says how many bytes it has."""
    texts, waiting = [], b""
    for token in tokens:
        waiting, text = waiting + token, ""
        while waiting:
            first = waiting[0]
            size = 1 if first < 0x80 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
            if len(waiting) < size:
                break
            text, waiting = text + waiting[:size].decode(), waiting[size:]
        texts.append(text)
    return tuple(texts)


def shown_when_all_fits(tokens):
    texts, waiting = [], b""
    for token in tokens:
        waiting += token
        try:
            texts.append(waiting.decode())
            waiting = b""
        except UnicodeDecodeError:
            texts.append("")
    return texts


def shown_or_dropped(tokens):
    texts = []
    for token in tokens:
        try:
            texts.append(token.decode("utf-8"))
        except UnicodeDecodeError:
            texts.append("")
    return texts


def shown_again(tokens):
    return [b"".join(tokens[: i + 1]).decode(errors="ignore") for i in range(len(tokens))]


def shown_at_the_end(tokens):
    texts = [""] * len(tokens)
    if tokens:
        texts[-1] = b"".join(tokens).decode(errors="ignore")
    return texts


def shown_with_signs(tokens):
    texts, data, done = [], b"", 0
    for token in tokens:
        data += token
        text = data.decode(errors="replace")
        texts.append(text[done:])
        done = len(text)
    return texts


def shown_without_the_rest(tokens):
    texts = shown_again(tokens)
    return [text.replace(before, "") if before else text for before, text in zip(["", *texts], texts, strict=False)]


def shown_with_a_sign_at_the_end(tokens):
    texts = shown_right(tokens)
    if "".join(texts).encode() != b"".join(tokens):
        texts[-1] += "\ufffd"
    return texts


def only_what_is_new(tokens):
    return [text for text in shown_right(tokens) if text]


def shown_after_three(tokens):
    """Waits for three bytes, as Chinese has them."""
    texts, waiting = [], b""
    for token in tokens:
        waiting += token
        size = len(waiting) if waiting.isascii() else len(waiting) // 3 * 3
        texts.append(waiting[:size].decode(errors="ignore"))
        waiting = waiting[size:]
    return texts


# per_character ----------------------------------------------------------------------------------------------------


def per_character_right(losses, sizes, text):
    return sum(loss * size for loss, size in zip(losses, sizes, strict=True)) / math.log(2) / len(text)


def per_character_in_torch(losses, sizes, text):
    losses, sizes = torch.tensor(losses, dtype=torch.float64), torch.tensor(sizes, dtype=torch.float64)
    return losses @ sizes / len(text) / torch.log(torch.tensor(2.0, dtype=torch.float64))


def per_character_by_ratio(losses, sizes, text):
    per_token = np.average(losses, weights=sizes)
    return per_token / np.log(2) * sum(sizes) / len(text)


def per_character_in_single_precision(losses, sizes, text):
    return (torch.tensor(losses) * torch.tensor(sizes)).sum() / torch.tensor(2.0).log() / len(text)


def nats(losses, sizes):
    return sum(loss * size for loss, size in zip(losses, sizes, strict=True))


# diagnose ---------------------------------------------------------------------------------------------------------


def words_of(text):
    return re.findall(r" ?\S+|\s", text)


def repaired_right(text, merges):
    return [token for word in words_of(text) for token in encode_right(word, merges)]


def repaired_by_regex(text, merges):
    tokens = []
    for word in words_of(text):
        spelt = "|" + "|".join(word) + "|"
        for left, right in merges:
            old, new = f"|{left}|{right}|", f"|{left + right}|"
            while old in spelt:
                spelt = spelt.replace(old, new, 1)
        tokens += spelt.strip("|").split("|")
    return tokens


def between(before, after, escape=re.escape):
    """Regular expressions of what may stand before and after the two tokens."""

    def answer(text, merges):
        tokens = []
        for word in words_of(text):
            spelt = "|" + "|".join(word) + "|"
            for left, right in merges:
                pattern = rf"{before}{escape(left)}\|{escape(right)}{after}"
                spelt = re.sub(pattern, lambda _, whole=left + right: whole, spelt)
            tokens += spelt.strip("|").split("|")
        return tokens

    return answer


repaired_by_look_around = between(r"(?<=\|)", r"(?=\|)")
repaired_by_word_borders = between(r"\b", r"\b")
repaired_by_patterns = between(r"(?<=\|)", r"(?=\|)", escape=str)


def not_repaired(text, merges):
    tokens = []
    for word in words_of(text):
        spelt = "|".join(word)
        for left, right in merges:
            spelt = spelt.replace(f"{left}|{right}", left + right)
        tokens += spelt.split("|")
    return tokens


ANSWERS = Diagnosed(
    {
        "a": ("longest match", "merges ab, a bc: abc becomes abc"),
        "b": ("no words", "merge e and a space: in the text be on a token ends in a space"),
        "c": ("joins letters, not tokens", "merges xa, ab: xab becomes xab"),
        "d": ("first pair from the left", "merges bc, ab, a bc: abc becomes ab c"),
        "e": ("spaces dropped", "one space and two give the same tokens"),
    },
    repaired_right,
)
mended, fault, observed = ANSWERS.mended, ANSWERS.fault, ANSWERS.shown


def sharing_a_separator(word, merges):
    spelt = f" {' '.join(word)} "
    for left, right in merges:
        spelt = spelt.replace(f" {left} {right} ", f" {left}{right} ")
    return spelt.split()


def next_pair(choose):
    def encode(word, merges):
        tokens = list(word)
        while known := [pair for pair in pairwise(tokens) if pair in merges]:
            tokens = encode_right_with(tokens, choose(known))
        return tokens

    return encode


def encode_right_with(tokens, pair):
    new = []
    for token in tokens:
        if new and (new[-1], token) == pair:
            new[-1] += token
        else:
            new.append(token)
    return new


def repaired_by_shared_bars(text, merges):
    tokens = []
    for word in re.findall(r" ?\S+|\s", text):
        spelt = "|" + "|".join(word) + "|"
        for left, right in merges:
            spelt = spelt.replace(f"|{left}|{right}|", f"|{left}{right}|")
        tokens += spelt.strip("|").split("|")
    return tokens


def spelt_in_letters(words, n_merges):
    counts = Counter()
    for word, count in words.items():
        for pair in pairwise(word):
            counts[pair] += count
    return [max(counts, key=lambda pair: (counts[pair], pair))] * n_merges if counts else []


def cut_after_bytes(tokens):
    texts, data, n_shown = [], b"", 0
    for token in tokens:
        data += token
        texts.append(data.decode(errors="ignore")[n_shown:])
        n_shown = len(data)
    return texts


# controls ---------------------------------------------------------------------------------------------------------

REFUTED = {
    "a": ("first letters, rows before training", "refuted"),
    "b": ("last letters asked, with commas", "refuted"),
    "c": ("last letters, no endings", "stands"),
    "d": ("answers dealt out", "stands"),
}


def controls_right(said, right):
    counts = Counter(right)
    return counts.most_common(1)[0][1] / len(right), sum(counts[x] for x in said) / len(right) ** 2


def controls_pair_by_pair(said, right):
    fits = [a == b for a in said for b in right]
    return max(right.count(b) for b in right) / len(right), sum(fits) / len(fits)


def controls_by_turns(said, right):
    """Every answer comes to every word once if the answers are moved on n times."""
    n = len(said)
    moved = [said[i:] + said[:i] for i in range(n)]
    shares = [sum(a == b for a, b in zip(one, right, strict=True)) / n for one in moved]
    best = max(sum(b == letter for b in right) for letter in {*said, *right})
    return [best / n, sum(shares) / n]


def controls_in_numpy(said, right):
    s, r = np.array(list(said)), np.array(list(right))
    return np.unique(r, return_counts=True)[1].max() / len(r), (s[:, None] == r).mean()


def share_of(said, right):
    return sum(a == b for a, b in zip(said, right, strict=True)) / len(right)


def best_of(said, right):
    return controls_right(said, right)[0]


def dealt_of(said, right):
    return controls_right(said, right)[1]


def favourite_of(said, right):
    return right.count(Counter(said).most_common(1)[0][0]) / len(right)


def drawn_once(said, right):
    return share_of("".join(random.Random(0).sample(said, len(said))), right)


def claims_but(**pairs):
    return REFUTED | pairs, controls_right


def counting(always=best_of, dealt=dealt_of):
    return REFUTED, lambda said, right: (always(said, right), dealt(said, right))


RIGHT = {
    "10_tokens.encode": [
        ("by rank", encode_right),
        ("merge after merge", encode_replay),
        ("one pair at a time", encode_one_at_a_time),
        ("with a heap", encode_with_a_heap),
        ("recursive, a tuple", encode_recursive),
        ("regular expressions", encode_by_regex),
        ("the package's", apply_merges),
    ],
    "10_tokens.learn": [
        ("counted anew", learn_right),
        ("tokens kept", learner()),
        ("sorted, pairs as lists", learn_by_sorting),
        ("recursive", learn_recursive),
    ],
    "10_tokens.bits": [
        ("lists", (probability_right, bits_right)),
        ("a row of counts", (probability_from_a_table, bits_in_numpy)),
        ("torch", (probability_in_torch, bits_in_nats)),
        ("regular expressions", (probability_by_regex, bits_right)),
        ("single precision", (probability_in_torch, bits_in_single_precision)),
    ],
    "10_tokens.diagnose": [
        ("by rank", mended(repaired_right)),
        ("borders of tokens", mended(repaired_by_regex)),
        ("look-around", mended(repaired_by_look_around)),
        ("in capital letters", ANSWERS.in_capitals()),
    ],
    "10_tokens.shown": [
        ("decoded again", shown_right),
        ("codecs", shown_by_codecs),
        ("first bytes, a tuple", shown_by_first_bytes),
    ],
    "10_tokens.per_character": [
        ("a sum", per_character_right),
        ("torch", per_character_in_torch),
        ("numpy", per_character_by_ratio),
        ("single precision", per_character_in_single_precision),
    ],
    "10_tokens.controls": [
        ("by counts", (REFUTED, controls_right)),
        ("pair by pair", (REFUTED, controls_pair_by_pair)),
        (
            "moved on",
            ({claim: [words.upper() + " " for words in pair] for claim, pair in REFUTED.items()}, controls_by_turns),
        ),
        ("in numpy", (REFUTED, controls_in_numpy)),
    ],
}

WRONG = {
    "10_tokens.encode": [
        ("separators shared", sharing_a_separator, "Of two equal pairs in a row only the first is joined"),
        ("by the alphabet", next_pair(min), "the first one in the alphabet is joined"),
        ("the longest pair", next_pair(lambda known: max(known, key=lambda pair: len("".join(pair)))),
         "that makes the longest token"),
        ("copied from the check", copying(leftmost), "The first known pair from the left"),
        ("first pair from the left", leftmost, "The first known pair from the left is joined"),
        ("first pair from the right", rightmost, "The first known pair from the right is joined"),
        ("longest match", longest_token, "The longest known token is taken from the left"),
        ("longest match from the right", longest_token_from_the_end, "The longest known token is taken from the right"),
        ("last learnt first", latest_first, "The pair that was learnt *last* is joined"),
        ("merges backwards", backwards, "The merges are made from the last to the first"),
        ("one sweep", one_sweep, "The word is gone through once"),
        ("one place", first_place_only, "Each merge is made in one place only"),
        ("replace", replaced, "A part of a token was joined with its neighbour"),
        ("stops at a missing merge", stops_at_a_missing_merge, "Skip that one, and go on"),
        ("most frequent in the word", most_frequent_in_the_word, "frequency counts in learning only"),
        ("ranks of joined texts", ranked_by_text, "Look for the pair itself"),
        ("an empty token", lambda word, merges: encode_right(word, merges) or [""], "An empty word has no tokens"),
        ("one merge", one_merge, "It stops after one merge"),
        ("last pair missed", short_by_a_pair, "The last pair of the word is never joined"),
        ("overlaps from the right", overlaps_from_the_right, "of `aaa` the first two are joined"),
        ("a letter used twice", letter_used_twice, "After two tokens are joined both are gone"),
        ("letters", lambda word, merges: list(word), "No pair was joined at all"),
        ("the word", lambda word, merges: [word] if word else [], "No merge makes"),
        ("a text", lambda word, merges: " ".join(encode_right(word, merges)), "wanted a list of tokens"),
        ("ids", lambda word, merges: [hash(token) for token in encode_right(word, merges)], "the tokens themselves"),
        ("pairs", lambda word, merges: list(pairwise(word)), "the tokens themselves, as texts"),
        ("a generator", lambda word, merges: (token for token in encode_right(word, merges)), "gives a generator"),
        ("no return", lambda word, merges: None, "did you forget `return`?"),
        ("merges used up", using_up, "changed its list of merges"),
        ("last letter lost", lambda word, merges: encode_right(word[:-1], merges), "nothing else may be lost"),
        ("unknown letters lost", lambda word, merges: encode_right(
            "".join(c for c in word if c in str(merges)), merges), "nothing else may be lost"),
        ("small letters only", lambda word, merges: encode_right(word, merges) + [""] * (word == ""), "wanted []"),
    ],
    "10_tokens.learn": [
        ("by the second token", learner(tie=lambda pair: pair[::-1]), "compared by their second token first"),
        ("spelt in letters", spelt_in_letters, "is learnt a second time"),
        ("a mark at the end", lambda words, n: learn_right({word + "_": count for word, count in words.items()}, n),
         "No word holds '_'"),
        ("copied from the check", copying(most_frequent_at_the_start), "the most frequent pairs of *letters*"),
        ("words counted once", learner(weigh=lambda count: 1), "Each word is counted once, however often it occurs"),
        ("once more a word", lambda words, n: learn_right({word: count + 1 for word, count in words.items()}, n),
         "At merge 1 the pair"),
        ("once a word", learner(pairs=lambda tokens: set(pairwise(tokens))), "A pair is counted once a word"),
        ("number of words", learner(weigh=lambda count: 1, pairs=lambda tokens: set(pairwise(tokens))),
         "how many different words hold a pair"),
        ("across words", text_of_all_words, "across the border between two words"),
        ("words in a row", words_in_a_row, "The words are put side by side"),
        ("counted once", most_frequent_at_the_start, "the most frequent pairs of *letters*"),
        ("overlaps counted once", learner(pairs=without_overlaps), "Pairs that overlap are counted once"),
        ("first met", learner(tie=lambda pairs: pairs[0], most=True), "the first that was met is taken"),
        ("last met", learner(tie=lambda pairs: pairs[-1], most=True), "the last that was met is taken"),
        ("the package's", learn_merges, "Of equally frequent pairs the smallest is taken (so does the package)"),
        ("longest", learner(tie=lambda pair: (len("".join(pair)), pair)), "the one that gives the longest token"),
        ("joined texts", learner(tie="".join), "those were compared that had been joined to one text"),
        ("rarest", lambda words, n: learn_right({word: 10 - count for word, count in words.items()}, n), "At merge 1"),
        ("replace", learn_by_replacing, "A part of a token was joined with its neighbour"),
        ("one place", learner(join=join_once), "A merge joined one place of a word only"),
        ("pairs that occur twice", learner(least=2), "It stops where the best pair occurs once"),
        ("until a word is one token", until_a_word_is_whole, "as soon as one of the words is a single token"),
        ("counts kept", counts_kept, "The counts of earlier rounds are kept"),
        ("one too few", lambda words, n: learn_right(words, n)[: max(n - 1, 0)], "One merge too few"),
        ("one too many", lambda words, n: learn_right(words, n + 1), "One merge too many"),
        ("reverse order", lambda words, n: learn_right(words, n)[::-1], "The merges stand in reverse order"),
        ("tokens", lambda words, n: ["".join(pair) for pair in learn_right(words, n)], "wanted pairs, the two tokens"),
        ("with counts", lambda words, n: [(pair, 1) for pair in learn_right(words, n)], "wanted pairs of two tokens"),
        ("a dictionary", lambda words, n: dict.fromkeys(learn_right(words, n), 1), "in the order in which they were"),
        ("one pair", lambda words, n: "".join(learn_right(words, 1)[0]), "gives a str; wanted a list of pairs"),
        ("no pair left", raises_at_the_end, "ValueError"),
        ("words emptied", empties_the_words, "changed the dictionary it was given"),
        ("no end", lambda words, n: learn_right(words, 99), "Wanted 1 merges"),
    ],
    "10_tokens.bits": [
        ("pairs negative", text_bits(sign=1), "The bits of the pairs come with the wrong sign"),
        ("first in nats", text_bits(first=lambda text, p, v: math.log(len(v))), "The first character is in nats"),
        ("a table of the text",
         (probability_right, lambda t, p, v: bits_right(t, lambda a, b: probability_right(t, v, a, b), v)),
         "come from a table of the text itself"),
        ("bits rounded", (probability_right, lambda *given: round(bits_right(*given), 2)), "The number is rounded"),
        ("two means", (probability_right, lambda t, p, v: math.log2(len(v)) / len(t) + (
            bits_right(t, p, v) * len(t) - math.log2(len(v))) / max(len(t) - 1, 1)),
         "The first character is shared by all"),
        ("copied from the check", (copying(lambda t, v, a, b: n_pairs(t, a, b) + 1), bits_right), "This is a count"),
        ("no smoothing", of_pair(n_pairs, lambda t, v, a: n_after(t, a), 0), "divides by 0"),
        ("bare share, 0 where none", (lambda t, v, a, b: n_pairs(t, a, b) / max(n_after(t, a), 1), bits_right),
         "the bare share"),
        ("one above only", of_pair(n_pairs, lambda t, v, a: n_after(t, a)), "added above the fraction line only"),
        ("one below", of_pair(n_pairs, lambda t, v, a: n_after(t, a) + 1), "Below the fraction line one is added once"),
        ("one where none", (lambda t, v, a, b: (n_pairs(t, a, b) or 1) / (n_after(t, a) + len(v)), bits_right),
         "One is added only where the count is 0"),
        ("last character counted", of_pair(n_pairs, lambda t, v, a: t.count(a) + len(v)), "nothing follows it"),
        ("str.count", of_pair(lambda t, a, b: t.count(a + b), lambda t, v, a: n_after(t, a) + len(v)),
         "`count` skips what overlaps"),
        ("str.count twice", of_pair(lambda t, a, b: t.count(a + b), lambda t, v, a: t.count(a) + len(v)),
         "`count` skips what overlaps"),
        ("alphabet of the text", of_pair(n_pairs, lambda t, v, a: n_after(t, a) + len(set(t))),
         "Only the characters of the training text are counted"),
        ("characters seen after", of_pair(n_pairs, lambda t, v, a: n_after(t, a) + len({b for c, b in pairwise(t)
                                                                                          if c == a})),
         "Only the characters that were seen after a"),
        ("characters seen after, guarded", (lambda t, v, a, b: (n_pairs(t, a, b) + 1) / (n_after(t, a) + len(
            {right for left, right in pairwise(t) if left == a})) if n_after(t, a) else 1 / len(v), bits_right),
         "of them"),
        ("last pair missed", (lambda t, v, a, b: probability_right(t[:-1], v, a, b), bits_right),
         "The last character of the training text is left out"),
        ("first pair missed", (lambda t, v, a, b: probability_right(t[1:], v, a, b), bits_right),
         "The first character of the training text is left out"),
        ("word by word", (probability_by_words, bits_right), "a space is a character like any other"),
        ("spaces stripped", (lambda t, v, a, b: probability_right(t.strip(), v, a, b), bits_right), "of them"),
        ("the other way", (lambda t, v, a, b: probability_right(t, v, b, a), bits_right), "wanted b after a"),
        ("before", (lambda t, v, a, b: (n_pairs(t, a, b) + 1) / (t[1:].count(b) + len(v)), bits_right),
         "among the characters *before* b"),
        ("joint", of_pair(n_pairs, lambda t, v, a: len(t) - 1 + len(v) ** 2), "the share of the pair among all pairs"),
        ("over all pairs", of_pair(n_pairs, lambda t, v, a: len(t) - 1 + len(v)), "divided by the number of all pairs"),
        ("one character", (lambda t, v, a, b: (t.count(b) + 1) / (len(t) + len(v)), bits_right),
         "This is how frequent b is"),
        ("a count", (lambda t, v, a, b: n_pairs(t, a, b), bits_right), "This is a count"),
        ("bits for p", (lambda t, v, a, b: -math.log2(probability_right(t, v, a, b)), bits_right), "These are bits"),
        ("log for p", (lambda t, v, a, b: math.log2(probability_right(t, v, a, b)), bits_right), "a logarithm"),
        ("raises KeyError", (lambda t, v, a, b: Counter(t)[a] and {c: 1 for c in t}[b], bits_right), "KeyError"),
        ("in percent", (lambda t, v, a, b: f"{probability_right(t, v, a, b):.0%}", bits_right), "wanted a number"),
        ("first character free", text_bits(first=lambda *_: 0), "it is not free"),
        ("pairs only", text_bits(first=lambda *_: 0, over=lambda text: len(text) - 1), "divides by 0"),
        ("pairs only, guarded", text_bits(first=lambda *_: 0, over=lambda text: max(len(text) - 1, 1)),
         "The mean is over the pairs"),
        ("one too few", text_bits(over=lambda text: len(text) - 1), "one character too few"),
        ("first added to the mean", (probability_right, lambda t, p, v: math.log2(len(v)) + sum(
            -math.log2(p(a, b)) for a, b in pairwise(t)) / len(t)), "are added to the mean"),
        ("after the last", text_bits(first=lambda text, p, v: -math.log2(p(text[-1], text[0]))), "after the *last*"),
        ("after itself", text_bits(first=lambda text, p, v: -math.log2(p(text[0], text[0]))), "after itself"),
        ("of the text's", text_bits(first=lambda text, p, v: math.log2(len(set(text)))), "characters of the *text*"),
        ("one character free", (probability_right, lambda t, p, v: bits_right(t, p, v) if len(t) > 1 else 0.0),
         "A text of one character costs nothing here"),
        ("nats", text_bits(first=lambda text, p, v: math.log(len(v)), log=math.log), "This is in nats"),
        ("whole text", text_bits(over=lambda text: 1), "the bits of the whole text"),
        ("negative", text_bits(first=lambda text, p, v: -math.log2(len(v)), sign=1), "The sign is wrong"),
        ("perplexity", (probability_right, lambda *given: 2 ** bits_right(*given)), "2 to the power of the bits"),
        ("pair turned", (probability_right, lambda t, p, v: bits_right(t, lambda a, b: p(b, a), v)),
         "the character before comes first"),
        ("mean of p", (probability_right, mean_of_probabilities), "averaged before the logarithm"),
        ("V bits", text_bits(first=lambda text, p, v: len(v)), "the logarithm of len(alphabet)"),
        ("1 / V bits", text_bits(first=lambda text, p, v: 1 / len(v)), "its bits are the logarithm"),
        ("one bit", text_bits(first=lambda *_: 1), "is counted as one bit"),
        ("bytes", text_bits(over=lambda text: len(text.encode())), "number of *bytes*"),
        ("last missed", (probability_right, lambda t, p, v: bits_right(t[:-1], p, v) * (len(t) - 1) / len(t)
                         if len(t) > 1 else math.log2(len(v))), "The last character is missing"),
        ("product", (probability_right, product_first), "add logarithms instead"),
        ("a tensor of all", (probability_right, lambda t, p, v: torch.tensor([1.0, 2.0])), "holds 2 numbers"),
    ],
    "10_tokens.diagnose": [
        ("repaired with shared bars", mended(repaired_by_shared_bars), "`replace` has used up the separator"),
        ("a: of the pairs", fault("a", "first pair from the left"), "The fault of a is not 'first pair from the left'"),
        ("b: spaces", fault("b", "spaces dropped"), "The fault of b is not 'spaces dropped'"),
        ("c: one place", fault("c", "one place only"), "The fault of c is not 'one place only'"),
        ("d: last learnt", fault("d", "last learnt first"), "The fault of d is not 'last learnt first'"),
        ("e: no words", fault("e", "no words"), "The fault of e is not 'no words'"),
        ("a: shown by two", observed("a", "merges bc, ab, cd: abcd becomes ab cd"), "that is so for two of the five"),
        ("b: shown by all", observed("b", "merges ab, cd: abcd becomes ab cd"), "a right tokenizer does that too"),
        ("d: shown by a", observed("d", "merges ab, a bc: abc becomes abc"), "these merges cannot reach"),
        ("a word of its own", fault("c", "regex"), "choose one of"),
        ("turned", ANSWERS.but(e=("one space and two give the same tokens", "spaces dropped")), "fault comes first"),
        ("a list", (["longest match"], repaired_right), "wanted a dictionary"),
        ("repaired as it was", mended(not_repaired), "Parts of tokens are joined as before"),
        ("repaired without words", mended(lambda text, merges: encode_right(text.replace(" ", ""), merges)),
         "put together that is not the text"),
        ("repaired by the left", mended(lambda text, merges: [t for w in words_of(text) for t in leftmost(w, merges)]),
         "Now the first known pair from the left"),
        ("repaired, but not cut", mended(apply_merges), "across the border between two words now"),
        ("repaired with the package's words", mended(encode), "Compare whole tokens"),
        ("repaired by borders of words", mended(repaired_by_word_borders), "Compare whole tokens"),
        ("repaired, signs as patterns", mended(repaired_by_patterns), "put together that is not the text"),
        ("repaired, merges used up", mended(lambda text, merges: (repaired_right(text, merges), merges.clear())[0]),
         "changed its list of merges"),
        ("repaired to a text", mended(lambda text, merges: text), "wanted a list of tokens"),
    ],
    "10_tokens.shown": [
        ("counted in bytes", cut_after_bytes, "is counted in bytes"),
        ("last character only", lambda tokens: [text[-1:] for text in shown_right(tokens)],
         "completes only the last is shown"),
        ("first character only", lambda tokens: [text[:1] for text in shown_right(tokens)],
         "completes only the first is shown"),
        ("copied from the check", copying(shown_when_all_fits), "Nothing is shown until *all* bytes so far"),
        ("each alone", lambda tokens: [token.decode() for token in tokens], "bytes were decoded that end within"),
        ("each alone, replaced", lambda tokens: [t.decode(errors="replace") for t in tokens], "alone, and what"),
        ("each alone, ignored", lambda tokens: [t.decode(errors="ignore") for t in tokens], "throws away the bytes"),
        ("each alone, or dropped", shown_or_dropped, "is dropped, with the bytes in it"),
        ("latin-1", lambda tokens: [t.decode("latin-1") for t in tokens], "Each byte became a character of its own"),
        ("all or nothing", shown_when_all_fits, "Nothing is shown until *all* bytes so far"),
        ("shown again", shown_again, "All of the text is shown again with each token"),
        ("at the end", shown_at_the_end, "Everything is shown at the end"),
        ("signs for the unfinished", shown_with_signs, "never made good"),
        ("only new texts", only_what_is_new, "where a token finishes no character"),
        ("without what was shown", shown_without_the_rest, "a text may say the same again"),
        ("tokens used up", lambda tokens: [shown_right(tokens), tokens.clear()][0], "changed its list of tokens"),
        ("a sign at the end", shown_with_a_sign_at_the_end, "no '\ufffd' in its place"),
        ("three bytes each", shown_after_three, "A character is shown once"),
        ("a text", lambda tokens: "".join(shown_right(tokens)), "wanted a list, one text for each token"),
        ("bytes", lambda tokens: list(tokens), "wanted a list of texts (str)"),
        ("the rest at the end", lambda tokens: [*shown_right(tokens), ""], "texts for"),
    ],
    "10_tokens.per_character": [
        ("logarithm of nats", lambda x, n, t: math.log2(sum(map(math.prod, zip(x, n, strict=True)))) / len(t),
         "The logarithm of the nats"),
        ("to base 10", lambda x, n, t: sum(map(math.prod, zip(x, n, strict=True))) / math.log10(2) / len(t),
         "the logarithm of 2 to base 10"),
        ("last batch left out",
         lambda x, n, t: sum(map(math.prod, zip(x[:-1], n, strict=False))) / math.log(2) / len(t),
         "The last batch is left out"),
        ("sizes of the first", lambda x, n, t: sum(x) * n[0] / math.log(2) / len(t), "as large as the first"),
        ("without spaces",
         lambda x, n, t: sum(map(math.prod, zip(x, n, strict=True))) / math.log(2) / len(t.replace(" ", "")),
         "Spaces are left out"),
        ("mean of means", lambda x, n, t: sum(x) / len(x) * sum(n) / len(t) / math.log(2),
         "counts each as much as any other", "M49"),
        ("mean of means, nats", lambda x, n, t: sum(x) / len(x) * sum(n) / len(t), "And these are nats", "M49"),
        ("mean of means, per token", lambda x, n, t: sum(x) / len(x) / math.log(2), "And it is per token", "M49"),
        ("nats", lambda x, n, t: nats(x, n) / len(t), "This is in nats"),
        ("times ln 2", lambda x, n, t: nats(x, n) / len(t) * math.log(2), "by dividing by ln 2"),
        ("per token", lambda x, n, t: nats(x, n) / math.log(2) / sum(n), "This is per token"),
        ("the mean loss", lambda x, n, t: nats(x, n) / sum(n), "the mean loss of a token"),
        ("per byte", lambda x, n, t: nats(x, n) / math.log(2) / len(t.encode()), "This is per *byte*"),
        ("per word", lambda x, n, t: nats(x, n) / math.log(2) / len(t.split()), "This is per word"),
        ("whole text", lambda x, n, t: nats(x, n) / math.log(2), "the bits of the whole text"),
        ("sum of means", lambda x, n, t: sum(x) / math.log(2) / len(t), "times its size"),
        ("perplexity", lambda x, n, t: math.exp(nats(x, n) / sum(n)), "the perplexity of a token", "M49"),
        ("upside down", lambda x, n, t: nats(x, n) / math.log(2) / sum(n) * len(t) / sum(n), "changed places"),
        ("losses spoilt", lambda x, n, t: per_character_right([x.pop() for _ in n][::-1], n, t), "changed the lists"),
        ("rounded", lambda x, n, t: round(per_character_right(x, n, t), 2), "The number is rounded"),
    ],
    "10_tokens.controls": [
        ("a: random rows", claims_but(a=("first letters, random rows", "refuted")), "did not begin as random numbers"),
        ("a: asked", claims_but(a=("first letters asked", "stands")), "What did the rows begin as?"),
        ("a: stands", claims_but(a=("first letters, rows before training", "stands")), "93 % before it"),
        ("b: first letters", claims_but(b=("first letters asked", "refuted")), "Where does it see them?"),
        ("b: stands", claims_but(b=("last letters asked, with commas", "stands")), "15 % with all of them in sight"),
        ("c: shuffled", claims_but(c=("last letters, shuffled", "stands")), "It could learn grammar"),
        ("c: commas", claims_but(c=("last letters asked, with commas", "refuted")), "on which words would the probe"),
        ("c: refuted", claims_but(c=("last letters, no endings", "refuted")), "was it grammar?"),
        ("d: always", claims_but(d=("always one letter", "refuted")), "No answer of Owl's enters into it"),
        ("d: refuted", claims_but(d=("answers dealt out", "refuted")), "Lay the 30 % beside"),
        ("d: a probe of its own", claims_but(d=("more words", "stands")), "choose one of"),
        ("d: a verdict of its own", claims_but(d=("answers dealt out", "proved")), "choose one of"),
        ("turned", claims_but(b=("refuted", "last letters asked, with commas")), "what was tried comes first"),
        ("one word", claims_but(b="last letters asked, with commas"), "wanted a pair"),
        ("a list", ([*REFUTED.values()], controls_right), "wanted a dictionary"),
        ("favourite's share", counting(lambda s, r: max(map(s.count, s)) / len(s)), "how often the model says"),
        ("favourite said", counting(favourite_of), "favourite letter, said every time. Wanted is"),
        ("a number of words", counting(lambda s, r: max(map(r.count, r))), "This is a number of words"),
        ("right as it stands", counting(share_of), "the share of the model's answers that are right"),
        ("one of the letters", counting(lambda s, r: 1 / len(set(r))), "is not the best of them"),
        ("one of 26", counting(lambda s, r: 1 / 26), "one letter of 26"),
        ("exchanged", counting(dealt_of, best_of), "This is the other number"),
        ("in percent", counting(lambda s, r: 100 * best_of(s, r)), "This is in percent"),
        ("rounded", counting(lambda s, r: round(best_of(s, r), 2)), "The number is rounded"),
        ("favourite that is right", counting(lambda s, r: max(r.count(x) for x in s) / len(r)), "Who says"),
        ("nothing dealt", counting(dealt=share_of), "nothing is dealt out"),
        ("never its own", counting(dealt=lambda s, r: (sum(map(r.count, s)) - share_of(s, r) * len(s)) / len(s)
                                   / max(len(s) - 1, 1)), "no answer may stay with its own word"),
        ("divided once", counting(dealt=lambda s, r: sum(map(r.count, s)) / len(s)), "Divide by n once more"),
        ("pairs", counting(dealt=lambda s, r: sum(map(r.count, s))), "the number of pairs that fit"),
        ("best order", counting(dealt=lambda s, r: (Counter(s) & Counter(r)).total() / len(s)), "the *best* order"),
        ("always again", counting(dealt=best_of), "This is the other number"),
        ("right ones dealt", counting(dealt=lambda s, r: dealt_of(r, r)), "The right answers themselves"),
        ("among themselves", counting(dealt=lambda s, r: dealt_of(s, s)), "compared with each other"),
        ("favourite dealt", counting(dealt=favourite_of), "it says others, too"),
        ("counted again", counting(dealt=lambda s, r: sum(s.count(x) * r.count(x) for x in s) / len(s) ** 2),
         "go through each letter *once*"),
        ("of the letters", counting(dealt=lambda s, r: 1 / len(set(r))), "does not enter"),
        ("mean over the letters", counting(dealt=lambda s, r: dealt_of(s, r) / len(set(s))), "a mean over the letters"),
        ("taken off", counting(dealt=lambda s, r: share_of(s, r) - dealt_of(s, r)), "is taken from what is right"),
        ("turned round", counting(dealt=lambda s, r: share_of(s[::-1], r)), "that is one order of many"),
        ("moved on", counting(dealt=lambda s, r: share_of(s[1:] + s[:1], r)), "that is one order of many"),
        ("sorted", counting(dealt=lambda s, r: share_of(sorted(s), sorted(r))), "that is one order of many"),
        ("drawn once", counting(dealt=drawn_once), "Nothing has to be drawn"),
        ("dealt in percent", counting(dealt=lambda s, r: 100 * dealt_of(s, r)), "This is in percent"),
        ("dealt, rounded", counting(dealt=lambda s, r: round(dealt_of(s, r), 3)), "The number is rounded"),
        ("one number", (REFUTED, dealt_of), "wanted two numbers"),
        ("lists", counting(dealt=lambda s, r: [dealt_of(s, r), 0.0]), "holds 2 numbers"),
    ],
}  # fmt: skip

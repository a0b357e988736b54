"""What a model must beat before it has learned anything: counting, compressing, looking words up."""

import lzma
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from .arguments import check_texts, is_whole


class CharacterNgrams:
    """The probability of a character after the n - 1 before it, counted in a text and smoothed.

    Interpolated Witten-Bell smoothing (Witten and Bell 1991): each context asks the context one character shorter for
    as much of its probability as it itself was surprised in training, by T different followers in N places. The last
    in this chain is a uniform distribution over the text's characters and one more, which stands for all others.
    """

    def __init__(self, text: str, n: int):
        self.n, self.alphabet = n, set(text)
        # After which context which character came how often.
        self.followers: dict[str, Counter[str]] = defaultdict(Counter)
        for length in range(n):
            for i in range(length, len(text)):
                self.followers[text[i - length : i]][text[i]] += 1
        self.totals = {context: counts.total() for context, counts in self.followers.items()}

    def probability(self, character: str, context: str) -> float:
        """Over the alphabet and one unknown character it sums to one after every context, seen or not."""
        probability = 1 / (len(self.alphabet) + 1)
        for length in range(min(self.n - 1, len(context)) + 1):
            shorter = context[len(context) - length :]
            total = self.totals.get(shorter)
            if total is None:  # never seen, so no longer one was seen either
                break
            counts = self.followers[shorter]
            probability = (counts.get(character, 0) + len(counts) * probability) / (total + len(counts))
        return probability


def unigram_bits(train: str, test: str) -> float:
    """Bits per character if each is guessed from how often it came in train. Raises as `ngram_bits` does."""
    return ngram_bits(train, test, n=1)


def ngram_bits(train: str, test: str, n: int = 5) -> float:
    """Bits per character of test, each guessed from the n - 1 before it by n-grams counted in train.

    Characters that train does not have count as one unknown character, which favours the n-grams a little. ValueError
    for an empty text or n < 1.
    """
    check_not_empty(train=train, test=test)
    if not is_whole(n) or n < 1:
        raise ValueError(f"n is {n}; wanted the length of an n-gram, 1 or more.")
    ngrams = CharacterNgrams(train, n)
    bits = (-math.log2(ngrams.probability(test[i], test[max(0, i - n + 1) : i])) for i in range(len(test)))
    return math.fsum(bits) / len(test)


def xz_bits(train: str, test: str) -> float:
    """Bits per character of test that the compressor xz needs once it has read train. ValueError for an empty text.

    It looks back 64 MiB: over all of train, unless that is longer. A file's size is a multiple of four bytes, so short
    texts are measured coarsely.
    """
    check_not_empty(train=train, test=test)
    both, first = (len(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME)) for text in (train + test, train))
    return 8 * (both - first) / len(test)


def majority_accuracy(train_labels: Sequence, test_labels: Sequence) -> float:
    """The share of test labels right, 0..1, if the most frequent training label is always said; ValueError if empty."""
    check_not_empty(train_labels=train_labels, test_labels=test_labels)
    majority = Counter(train_labels).most_common(1)[0][0]
    return sum(label == majority for label in test_labels) / len(test_labels)


def lookup_tags(train_sentences: Iterable, words: Iterable[str]) -> list[str]:
    """Each word's most frequent tag in the training sentences (with .words and .tags), "O" if it is in none.

    Of equally frequent tags the one that came first. Each call counts anew: give it a whole test set's words at once.
    """
    check_texts("words", words)
    counts = Counter(pair for sentence in train_sentences for pair in zip(sentence.words, sentence.tags, strict=True))
    # Rarest first, so that a word's most frequent tag is the last to be written, and stays.
    tags = {word: tag for (word, tag), _ in reversed(counts.most_common())}
    return [tags.get(word, "O") for word in words]


def check_not_empty(**given) -> None:
    """ValueError for the first of them that is empty."""
    for name, value in given.items():
        if not len(value):
            raise ValueError(f"{name} is empty; there is nothing to count.")

"""Baselines that a trained model must beat: n-gram counts, compression, the majority label and a lookup table."""

import lzma
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from .arguments import check_texts, is_whole


class CharacterNgrams:
    """The probability of a character given the n - 1 before it, counted in a text and smoothed.

    Interpolated Witten-Bell smoothing (Witten and Bell 1991): a context seen N times with T different followers takes
    the share T / (N + T) of its probability from the context one character shorter. The chain ends in a uniform
    distribution over the text's characters and one more, which stands for all others.
    """

    def __init__(self, text: str, n: int):
        self.n, self.alphabet = n, set(text)
        # context -> how often each character followed it
        self.followers: dict[str, Counter[str]] = defaultdict(Counter)
        for length in range(n):
            for i in range(length, len(text)):
                self.followers[text[i - length : i]][text[i]] += 1
        self.totals = {context: counts.total() for context, counts in self.followers.items()}

    def probability(self, character: str, context: str) -> float:
        """Return P(character | context); it sums to 1 over the alphabet and one unknown character in any context."""
        probability = 1 / (len(self.alphabet) + 1)
        for length in range(min(self.n - 1, len(context)) + 1):
            shorter = context[len(context) - length :]
            total = self.totals.get(shorter)
            if total is None:  # never seen, so no longer context was seen either
                break
            counts = self.followers[shorter]
            probability = (counts.get(character, 0) + len(counts) * probability) / (total + len(counts))
        return probability


def unigram_bits(train: str, test: str) -> float:
    """Bits per character of test under the character frequencies of train. Raises as `ngram_bits` does."""
    return ngram_bits(train, test, n=1)


def ngram_bits(train: str, test: str, n: int = 5) -> float:
    """Bits per character of test under an n-gram model of train, which predicts each from the n - 1 before it.

    Characters that do not occur in train count as one unknown character, which favours the n-grams a little.
    Raises ValueError for an empty text or n < 1.
    """
    check_not_empty(train=train, test=test)
    if not is_whole(n) or n < 1:
        raise ValueError(f"n, the length of an n-gram, must be a whole number, at least 1; got {n}.")
    ngrams = CharacterNgrams(train, n)
    bits = (-math.log2(ngrams.probability(test[i], test[max(0, i - n + 1) : i])) for i in range(len(test)))
    return math.fsum(bits) / len(test)


def xz_bits(train: str, test: str) -> float:
    """Bits per character that the compressor xz needs for test after train. ValueError for an empty text.

    xz looks back 64 MiB at most, so it sees all of train unless train is longer. A compressed size is a multiple of
    four bytes, so short texts are measured coarsely.
    """
    check_not_empty(train=train, test=test)
    both, first = (len(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME)) for text in (train + test, train))
    return 8 * (both - first) / len(test)


def majority_accuracy(train_labels: Sequence, test_labels: Sequence) -> float:
    """The accuracy, 0..1, of always predicting the most frequent training label; ValueError if either is empty."""
    check_not_empty(train_labels=train_labels, test_labels=test_labels)
    majority = Counter(train_labels).most_common(1)[0][0]
    return sum(label == majority for label in test_labels) / len(test_labels)


def lookup_tags(train_sentences: Iterable, words: Iterable[str]) -> list[str]:
    """Tag each word with its most frequent tag in the training sentences (with .words and .tags), or "O" if unseen.

    Ties go to the tag that occurred first. Every call counts again, so pass the words of a whole test set at once.
    """
    check_texts("words", words)
    counts = Counter(pair for sentence in train_sentences for pair in zip(sentence.words, sentence.tags, strict=True))
    # Rarest first: a word's most frequent tag is written last, and overwrites the others.
    tags = {word: tag for (word, tag), _ in reversed(counts.most_common())}
    return [tags.get(word, "O") for word in words]


def check_not_empty(**given) -> None:
    """Raise ValueError for the first argument that is empty."""
    for name, value in given.items():
        if not len(value):
            raise ValueError(f"{name} is empty; there is nothing to count.")

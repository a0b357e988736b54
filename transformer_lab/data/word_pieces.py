"""Word pieces, as BERT has them (Wu et al. 2016, arXiv:1609.08144): a frequent word is one, a rare one several."""

import re
from collections.abc import Iterable

import tokenizers
from tokenizers import Regex, decoders, models, pre_tokenizers, processors, trainers

from ..arguments import check_at_least, check_texts
from .tokenizers import Tokenizer, learn

SPECIAL = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
# A word is of letters and underscores (__init__ is one), a number is of single digits, any other sign is by itself.
WORD = r"[^\W\d]+|\d|[^\w\s]"
PRIVATE = 0xF0000  # from here on Unicode has signs that no text uses


class WordPieceTokenizer(Tokenizer):
    """Whole frequent words, and pieces of the others ("token", "##izer"); a text is put between [CLS] and [SEP]."""

    @classmethod
    def train(cls, texts: Iterable[str], vocab_size: int) -> "WordPieceTokenizer":
        """Frequent neighbours within words are joined, pair by pair, until there are vocab_size pieces."""
        check_at_least("vocab_size", vocab_size, len(SPECIAL) + 1)
        pieces = learn_pieces(texts, vocab_size)
        vocabulary = {piece: i for i, piece in enumerate([*SPECIAL.values(), *pieces])}
        tokenizer = tokenizers.Tokenizer(models.WordPiece(vocabulary, unk_token=SPECIAL["unk"]))
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(WORD), behavior="removed", invert=True)
        tokenizer.decoder = decoders.WordPiece()
        tokenizer.add_special_tokens(list(SPECIAL.values()))
        first_and_last = [(token, vocabulary[token]) for token in (SPECIAL["cls"], SPECIAL["sep"])]
        tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=first_and_last)
        return cls(tokenizer, SPECIAL)


def learn_pieces(texts: Iterable[str], vocab_size: int) -> list[str]:
    """The pieces, those that go on with a word with ## before them; their number and that of SPECIAL are vocab_size.

    The library has a trainer for this too, but what it learns differs from run to run. Here it learns byte pairs, of
    words whose letters but the first are private signs, so that "a" within a word is another sign than "a" before it.
    """
    check_texts("texts", texts)
    words = [re.findall(WORD, text) for text in texts]
    inner = sorted({letter for row in words for word in row for letter in word[1:]})
    private = {ord(letter): PRIVATE + i for i, letter in enumerate(inner)}
    learner = tokenizers.Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size - len(SPECIAL), show_progress=False)
    learn(learner, (" ".join(word[0] + word[1:].translate(private) for word in row) for row in words), trainer)
    letters = {number: letter for letter, number in private.items()}
    found = sorted(learner.get_vocab().items(), key=lambda pair: pair[1])
    return [("##" if ord(piece[0]) >= PRIVATE else "") + piece.translate(letters) for piece, _ in found]

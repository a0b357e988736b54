"""Text to ids and back, with Hugging Face's `tokenizers` library."""

import operator
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

import numpy as np
import tokenizers
import torch
from jaxtyping import Bool, Int, Integer
from tokenizers import Regex, decoders, models, pre_tokenizers, trainers
from torch import Tensor

from ..arguments import check_at_least, check_text, check_texts
from ..files import path_of, write_whole
from ..sentences import kind_of, short_repr
from .token_labels import token_labels

# The roles that a special token may have; a tokenizer has those that its model was trained with.
ROLES = ("pad", "bos", "eos", "unk", "cls", "sep", "mask")
# The word tokenizer's special tokens: they pad a batch, begin and end a text, and stand for unknown tokens.
SPECIAL = {"pad": "[PAD]", "bos": "[BOS]", "eos": "[EOS]", "unk": "[UNK]"}

# A token of the word tokenizer is a digit, a word in Latin letters, a Chinese weekday or character, or any other
# visible sign; spaces are dropped, as between dates in English and in Chinese they carry nothing ...
TOKEN = r"\d|\p{Latin}+|星期\p{Han}|\p{Han}|[^\s\d\p{Latin}\p{Han}]"
# ... or kept: a space then belongs to the token that follows it, so that decoding gives the text back as it was.
SPACED_TOKEN = r"\s?\d|\s?\p{L}+|\s?[^\s\d\p{L}]|\s"


class Tokenizer:
    """Any tokenizer of the library. special: which token plays which role; its id is pad_id, bos_id ..., or None.

    A special token is one by its id alone: a text in which "[PAD]" is written has those five signs in it, and no more.
    """

    def __init__(self, tokenizer: tokenizers.Tokenizer, special: dict[str, str] = SPECIAL):
        self.tokenizer = tokenizer
        # A file may ask for texts to be cut or padded to a fixed length; here a text keeps its length.
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.special = {role: token for role, token in special.items() if role in ROLES}
        ids = {role: tokenizer.token_to_id(token) for role, token in self.special.items()}
        self.pad_id, self.bos_id, self.eos_id, self.unk_id = (ids.get(role) for role in ROLES[:4])
        self.cls_id, self.sep_id, self.mask_id = (ids.get(role) for role in ROLES[4:])

    @classmethod
    def load(cls, path, special: dict[str, str] = SPECIAL):
        """The tokenizer in a file that `save` or the library wrote; ValueError if it holds none, FileNotFoundError."""
        path = path_of(path)
        if not path.is_file():
            raise FileNotFoundError(f"There is no file {path}.")
        try:
            return cls(tokenizers.Tokenizer.from_file(str(path)), special)
        except Exception as error:  # the library has no exception class of its own for this
            raise ValueError(f"{path} holds no tokenizer: {error}.") from error

    def save(self, path) -> Path:
        """Write the tokenizer to a file, completely or not at all; returns its path."""
        return write_whole(path, self.tokenizer.to_str(pretty=True))

    def __len__(self) -> int:
        return self.tokenizer.get_vocab_size()

    def encode(self, text: str, special: bool = False) -> list[int]:
        """The ids of a text, with the special tokens that this tokenizer always adds (BERT's [CLS] and [SEP]).

        With special=True, special tokens that are written in the text count as such, as a chat's template or
        "Paris is a [MASK]." needs it. ValueError for what is not a text.
        """
        return self.encoding(text, special).ids

    def encode_chunks(self, chunks: Iterable[str]) -> Integer[np.ndarray, "n"]:
        """The ids of a text that comes in chunks, as 16 or 32 bits each: a list would take ten times the memory."""
        ids = array(self.typecode)
        for piece in self.encode_pieces(chunks):
            ids.extend(piece)
        return np.frombuffer(ids, dtype=ids.typecode)

    def encode_pieces(self, chunks: Iterable[str]) -> Iterator[array]:
        """The ids of a text that comes in chunks, a piece at a time."""
        chunks = iter(chunks)
        self.tokenizer.encode_special_tokens = True  # as in `encoding`
        while group := list(islice(chunks, 32)):  # this many at a time, shared among all threads
            encodings = self.tokenizer.encode_batch_fast(group)
            yield array(self.typecode, chain.from_iterable(encoding.ids for encoding in encodings))

    @property
    def typecode(self) -> str:
        """The smallest type that holds every id: 16 or 32 bits, as arrays name them."""
        return "H" if len(self) <= 2**16 else "I"

    def encode_words(self, words) -> tuple[list[int], list[int]]:
        """The ids of a text that is already split into words, and for each id the index of its word."""
        check_texts("words", words)
        encoding = self.encoding(list(words), is_pretokenized=True, add_special_tokens=False)
        # A special token would belong to no word; here are none.
        return encoding.ids, [word for word in encoding.word_ids if word is not None]

    def unknown(self, text: str) -> list[str]:
        """The pieces of a text that this tokenizer does not know: each is read as the unknown token."""
        encoding = self.encoding(text)
        places = zip(encoding.ids, encoding.offsets, strict=True)
        return [text[start:end] for i, (start, end) in places if i == self.unk_id and end > start]

    def encoding(self, text: str | list[str], special: bool = False, **options) -> tokenizers.Encoding:
        """The library's encoding of a text, or of words; ValueError if it cannot encode them."""
        # Set each time, because files and copies of a tokenizer do not keep it.
        if self.tokenizer.encode_special_tokens == special:
            self.tokenizer.encode_special_tokens = not special
        try:
            return self.tokenizer.encode(text, **options)
        except Exception as error:  # the library has no class of its own
            for one in text if isinstance(text, list) else [text]:
                check_text(one)
            raise ValueError(f"This tokenizer cannot read the text: {error}.") from error

    def decode(self, ids) -> str:
        """The text of ids, special tokens left out; ValueError for an id that no token has."""
        return self.tokenizer.decode(self.checked(ids))

    def tokens(self, ids) -> list[str]:
        """Each id's token, as text (see `token_labels`); ValueError for an id that no token has."""
        return token_labels(self.tokenizer, self.checked(ids))

    def batch(
        self, texts: Sequence[str], bos=False, eos=False, side="right"
    ) -> tuple[Int[Tensor, "B T"], Bool[Tensor, "B T"]]:
        """Ids and their mask (True at real tokens), with bos before or eos after each text on request; see `pad`."""
        check_texts("texts", texts)
        before, behind = [self.id_of("bos")] if bos else [], [self.id_of("eos")] if eos else []
        return self.pad([before + self.encode(text) + behind for text in texts], side)

    def id_of(self, role: str) -> int:
        """The id of the token that plays this role; ValueError if none does."""
        found = getattr(self, f"{role}_id")
        if found is None:
            raise ValueError(f"This tokenizer has no {role} token.")
        return found

    def pad(self, rows: list[list[int]], side="right") -> tuple[Int[Tensor, "B T"], Bool[Tensor, "B T"]]:
        """Rows of ids as one tensor, and its mask (True at real tokens).

        Padding is on the right, as for training, or on the "left", so that generate can continue each text.
        """
        if side not in ("left", "right"):
            raise ValueError(f'side must be "left" or "right"; got {side!r}.')
        width = max(map(len, rows), default=0)
        fill = 0 if self.pad_id is None else self.pad_id  # under the mask any token will do
        padded, mask = [], []
        for row in map(as_list, rows):
            padding = [fill] * (width - len(row))
            padded.append(padding + row if side == "left" else row + padding)
            real, unreal = [True] * len(row), [False] * len(padding)
            mask.append(unreal + real if side == "left" else real + unreal)
        shape = len(rows), width  # given, because without rows there is no width to infer
        ids, is_real = (
            torch.tensor(rows, dtype=dtype, device="cpu").view(shape)
            for rows, dtype in ((padded, torch.int64), (mask, torch.bool))
        )
        return ids, is_real

    def checked(self, ids) -> list[int]:
        """The ids as whole numbers; ValueError if they are not, or if the vocabulary has no such id."""
        try:
            ids = [operator.index(i) for i in (ids.tolist() if isinstance(ids, Tensor) else ids)]
        except TypeError:
            raise ValueError(f"ids must be a row of whole numbers; got {ids!r}.") from None
        for i in ids:
            if not 0 <= i < 2**32 or self.tokenizer.id_to_token(i) is None:  # there may be gaps between the ids
                raise ValueError(f"No token has the id {i}: this tokenizer knows 0 to {len(self) - 1}.")
        return ids


def our_tokenizer(tokenizer):
    """Return a tokenizer of ours as it is, and a fast one of transformers as a Tokenizer; ValueError for any other."""
    if hasattr(tokenizer, "tokens"):
        return tokenizer
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, tokenizers.Tokenizer):
        raise ValueError(
            f"tokenizer must be one of transformer_lab or a fast one of transformers; got {kind_of(tokenizer)}."
        )
    special = {role.removesuffix("_token"): token for role, token in tokenizer.special_tokens_map.items()}
    return Tokenizer(backend, special)


def ids_without_tokenizer(ids) -> list[int]:
    """Return the ids of a text: a row of whole numbers, (T,) or (1, T), or a string of them; ValueError for another."""
    try:
        if isinstance(ids, str):
            return [int(i) for i in ids.split()]
        row = as_list(ids)
        return [operator.index(i) for i in (row[0] if len(row) == 1 and isinstance(row[0], list | tuple) else row)]
    except (TypeError, ValueError):
        raise ValueError(f"ids must be a row of whole numbers, such as [3, 1, 4]; got {short_repr(ids)}.") from None


def shortened(tokenizer, ids: list[int], max_len: int) -> list[int]:
    """The ids, at most max_len; BERT's [SEP], if it ends them, stays at their end."""
    if len(ids) <= max_len:
        return ids
    end = ids[-1:] if ids[-1] == tokenizer.sep_id else []
    return ids[: max_len - len(end)] + end


def as_list(row) -> list:
    """A row of a tensor, an array, a tuple ... as a list."""
    return row.tolist() if hasattr(row, "tolist") else list(row)


class WordTokenizer(Tokenizer):
    """Words, single digits and Chinese characters, each one id; unknown tokens become [UNK]."""

    @classmethod
    def train(cls, texts: Iterable[str], spaces: bool = False) -> "WordTokenizer":
        """A tokenizer whose vocabulary is every token in texts; spaces are kept in front of tokens, or dropped.

        ValueError for texts without a token.
        """
        tokenizer = tokenizers.Tokenizer(models.WordLevel(unk_token=SPECIAL["unk"]))
        if spaces:
            tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(SPACED_TOKEN), behavior="isolated")
        else:
            tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
                [
                    pre_tokenizers.Split(Regex(TOKEN), behavior="isolated"),
                    pre_tokenizers.Split(Regex(r"\s+"), behavior="removed"),
                ]
            )
        tokenizer.decoder = decoders.Fuse()  # tokens run together, as Chinese is written
        learn_words(tokenizer, texts)
        return cls(tokenizer)


class CharacterTokenizer(Tokenizer):
    """Each character one id; unknown characters become [UNK]."""

    @classmethod
    def train(cls, texts: Iterable[str]) -> "CharacterTokenizer":
        """A tokenizer whose vocabulary is every character in texts; ValueError if there is none."""
        tokenizer = tokenizers.Tokenizer(models.WordLevel(unk_token=SPECIAL["unk"]))
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
        tokenizer.decoder = decoders.Fuse()
        learn_words(tokenizer, texts)
        return cls(tokenizer)


class BPETokenizer(Tokenizer):
    """Byte-pair encoding (Sennrich et al. 2015, arXiv:1508.07909) of bytes, as GPT-2 has it: nothing is unknown."""

    @classmethod
    def train(cls, texts: Iterable[str], vocab_size: int) -> "BPETokenizer":
        """The most frequent pairs of neighbours in texts become tokens, one by one, until there are vocab_size."""
        check_at_least("vocab_size (every byte is a token)", vocab_size, 256 + len(SPECIAL))
        tokenizer = tokenizers.Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        bytes_first = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size,
            special_tokens=list(SPECIAL.values()),
            initial_alphabet=bytes_first,
            show_progress=False,
        )
        learn(tokenizer, texts, trainer)
        return cls(tokenizer)


def learn_words(tokenizer: tokenizers.Tokenizer, texts: Iterable[str]) -> None:
    """Give every token of the texts an id after those of SPECIAL; ValueError if there is no token."""
    learn(tokenizer, texts, trainers.WordLevelTrainer(special_tokens=list(SPECIAL.values()), show_progress=False))
    if tokenizer.get_vocab_size() == len(SPECIAL):
        raise ValueError("There is nothing to learn a tokenizer from: the texts hold no token.")


def learn(tokenizer: tokenizers.Tokenizer, texts: Iterable[str], trainer) -> None:
    """Train the tokenizer; ValueError for what is not a sequence of texts."""
    check_texts("texts", texts)
    try:
        tokenizer.train_from_iterator(texts, trainer)
    except UnicodeEncodeError as error:
        check_text(error.object)
        raise
    except TypeError as error:
        raise ValueError(f"texts must hold texts and nothing else: {error}.") from error

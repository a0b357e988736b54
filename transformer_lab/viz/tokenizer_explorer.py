"""TokenizerExplorer: one text as up to three tokenizers read it, and byte-pair encoding merge by merge.

`BytePairs.history` (data/merge_history.py) is computed once for a text; the browser replays it (`tokens_after`), so
that the number of merges can be changed without a kernel.
"""

import threading
from typing import NamedTuple

import tokenizers
import traitlets

from ..arguments import check_text, is_whole
from ..data.merge_history import BytePairs, Token, is_byte_level, tokens_after
from ..data.python_docs import topics
from ..data.token_labels import bytes_of_signs, bytes_of_token, decoder_kinds, joined
from ..data.tokenizers import SPECIAL, BPETokenizer, CharacterTokenizer, Tokenizer, our_tokenizer
from ..sentences import listed, short_repr
from . import saved_page
from .browser_files import module, sheet
from .explorer import Explorer
from .inputs import romanised, visible
from .tokenizer_picture import draw_readings

MOST_TOKENIZERS, MOST_CHARACTERS = 3, 1000
N_MERGES = 2000  # of the explorer's own tokenizer, which help() is read for
TEXT = "Tokenization isn't magic: the cat's 12,345 naïve 🤗 emojis"


class TokenizerExplorer(Explorer):
    """Type a text and compare its tokens: `TokenizerExplorer({name: tokenizer, ...}, text)`, one to three of them.

    A tokenizer is one of ours, of the library `tokenizers` or a fast one of transformers; without any, there are bytes,
    characters, and byte pairs with 2,000 merges learnt from the topics of Python's `help()`. `merges` says by name how
    many merges a byte-level tokenizer uses; both Python and the browser may set it, and `text`. `tokens`, `ids` and
    `counts` are what is seen, by name. Raises ValueError for other tokenizers, and for a text that is too long or holds
    half a character.
    """

    _module = module("tokenizer_explorer")
    _sheet = sheet("tokenizer_explorer")
    title = "one text, and its tokens"
    readings = traitlets.List().tag(sync=True)  # each as `wire` makes it
    characters = traitlets.List().tag(sync=True)  # of the text, each as it is drawn
    romanised = traitlets.Dict().tag(sync=True)  # what is not in Latin letters, in these
    text = traitlets.Unicode().tag(sync=True)
    heard = traitlets.Unicode().tag(sync=True)  # the text that was read last: what is shown
    message = traitlets.Unicode().tag(sync=True)  # why another could not be read
    merges = traitlets.Dict().tag(sync=True)

    def __init__(self, tokenizers=None, text=TEXT):
        self.tokenizers = checked_tokenizers(default_tokenizers() if tokenizers is None else tokenizers)
        self._pairs = {name: pairs for name, one in self.tokenizers.items() if (pairs := byte_pairs(one)) is not None}
        # JupyterLab may deliver changes on several threads: read one text at a time, the latest.
        self._one_at_a_time = threading.Lock()
        merges = {name: len(pairs) for name, pairs in self._pairs.items()}
        super().__init__(**self._read(text), text=text, heard=text, merges=merges)
        self.observe(self._read_again, names="text")

    def _read(self, text) -> dict:
        """Encode the text; return the traits that show it."""
        check_text(text)
        if len(text) > MOST_CHARACTERS:
            raise ValueError(f"There is room for {MOST_CHARACTERS:,} characters; got {len(text):,}: shorten the text.")
        self._readings = {name: Reading(one, self._pairs.get(name), text) for name, one in self.tokenizers.items()}
        readings = [one.wire() | {"name": name} for name, one in self._readings.items()]
        shown = {*text, *(char for one in readings for token in one["tokens"] for char in token[1])}
        foreign = {char: latin for char in sorted(shown) if (latin := romanised(char)) != char}
        characters = [char if char == " " else visible(char) for char in text]
        return {"readings": readings, "characters": characters, "romanised": foreign}

    def _read_again(self, _change):
        with self._one_at_a_time:
            text = self.text
            if text == self.heard:  # an earlier call has read it
                self.message = ""
                return
            try:
                shown = self._read(text)
            except ValueError as error:  # too long: what was shown stays
                self.message = str(error)
                return
            with self.hold_sync():  # one message: the browser never sees new tokens with an old text
                for name, value in (shown | {"message": "", "heard": text}).items():
                    setattr(self, name, value)

    @traitlets.validate("text")
    def _check_text(self, proposal) -> str:
        check_text(proposal.value)
        return proposal.value

    @traitlets.validate("merges")
    def _check_merges(self, proposal) -> dict:
        if proposal.value.keys() != self._pairs.keys():
            wanted = listed(map(repr, self._pairs), "and") if self._pairs else "no tokenizer"
            raise ValueError(f"merges must have a number for {wanted}; got {short_repr(proposal.value)}.")
        for name, value in proposal.value.items():
            if not is_whole(value) or not 0 <= value <= len(self._pairs[name]):
                most = len(self._pairs[name])
                raise ValueError(f"merges[{name!r}] must be a whole number from 0 to {most}; got {short_repr(value)}.")
        return proposal.value

    @property
    def pieces(self) -> dict[str, list["Piece"]]:
        """Each tokenizer's tokens of the text, with the merges that are in use."""
        return {name: one.pieces_after(self.merges.get(name, 0)) for name, one in self._readings.items()}

    @property
    def tokens(self) -> dict[str, list[str]]:
        """Each tokenizer's tokens as they are written on the screen."""
        return {name: [piece.label for piece in pieces] for name, pieces in self.pieces.items()}

    @property
    def ids(self) -> dict[str, list[int]]:
        """Each tokenizer's ids."""
        return {name: [piece.id for piece in pieces] for name, pieces in self.pieces.items()}

    @property
    def counts(self) -> dict[str, int]:
        """How many tokens each tokenizer makes of the text."""
        return {name: len(pieces) for name, pieces in self.pieces.items()}

    def _page(self) -> str:
        state = {name: getattr(self, name) for name in self.own_traits()} | {"text": self.heard, "message": ""}
        return saved_page.page(self.title, self._module, self._sheet, state)

    def draw(self, figure):
        """The tokens of each tokenizer, one under the other, with their ids."""
        draw_readings(figure, self)

    def __repr__(self):
        counts = [f"{count} by {name}" for name, count in self.counts.items()]
        return f"TokenizerExplorer({short_repr(self.heard)}: {len(self.heard)} characters; tokens: {', '.join(counts)})"


class Piece(NamedTuple):
    """A token: its id, its label, the characters from start to end that it is of, its bytes, whether it is unknown."""

    id: int
    label: str
    start: int
    end: int
    bytes: bytes
    is_unknown: bool = False


class Reading:
    """A text as one tokenizer reads it, and by byte pairs also as it would with fewer merges."""

    def __init__(self, tokenizer: Tokenizer, pairs: BytePairs | None, text: str):
        self.text, self.n_tokens = text, len(tokenizer)
        self.pieces = encoded_pieces(tokenizer, text)
        ids = [piece.id for piece in self.pieces]
        self.is_whole = tokenizer.decode(ids) == text
        self.n_merges, self.bytes, self.joins = 0, [], []
        if pairs is not None:
            first, joins = pairs.history(text)
            # A word of the vocabulary that no merge makes, and that is not special either, is beyond the merges.
            if ids == [token.id for token in tokens_after(len(pairs), first, joins)]:
                self.n_merges, self.bytes, self.joins = len(pairs), first, joins

    def pieces_after(self, merges: int) -> list[Piece]:
        """The tokens when only so many merges exist; without merges, the tokens."""
        if not self.n_merges:
            return self.pieces
        return merged_pieces(self.text, tokens_after(merges, self.bytes, self.joins))

    def wire(self) -> dict:
        """Return what the browser shows, as JSON: the tokens, or the byte pairs from which it makes them."""
        tokens = [] if self.n_merges else [[*one[:4], one.bytes.hex(), one.is_unknown] for one in self.pieces]
        return {
            "n_tokens": self.n_tokens, "is_whole": self.is_whole, "tokens": tokens,
            "n_merges": self.n_merges, "bytes": self.bytes, "joins": [list(join) for join in self.joins],
        }  # fmt: skip


def encoded_pieces(tokenizer: Tokenizer, text: str) -> list[Piece]:
    """The tokens of a text, with the special ones that the tokenizer adds."""
    encoding = tokenizer.encoding(text)
    labels = [visible(label) for label in tokenizer.tokens(encoding.ids)]
    kinds, added = decoder_kinds(tokenizer.tokenizer), tokenizer.tokenizer.get_added_tokens_decoder()
    to_bytes = bytes_of_signs if "ByteLevel" in kinds else bytes_of_token if "ByteFallback" in kinds else None
    pieces = []
    for i, label, token, (start, end) in zip(encoding.ids, labels, encoding.tokens, encoding.offsets, strict=True):
        of_text = to_bytes is None or i in added
        held = text[start:end].encode() if of_text else to_bytes(token)
        pieces.append(Piece(i, label, start, end, held, i == tokenizer.unk_id and end > start))
    return pieces


def merged_pieces(text: str, tokens: list[Token]) -> list[Piece]:
    """The tokens with their labels, and the characters that their bytes belong to."""
    coded, owners = text.encode(), [n for n, char in enumerate(text) for _ in char.encode()]
    held = [coded[one.start : one.end] for one in tokens]
    return [
        Piece(one.id, visible(label), owners[one.start], owners[one.end - 1] + 1, part)
        for one, label, part in zip(tokens, joined(held), held, strict=True)
    ]


def checked_tokenizers(given) -> dict[str, Tokenizer]:
    """One to three tokenizers of ours by name; ValueError for anything else."""
    if not isinstance(given, dict) or not 1 <= len(given) <= MOST_TOKENIZERS:
        raise ValueError(f"tokenizers must be a dict of one to three, by name; got {short_repr(given)}.")
    return {str(name): ours(one) for name, one in given.items()}


def ours(tokenizer) -> Tokenizer:
    """Return it as one of ours; ValueError for what is no tokenizer of the three kinds."""
    return Tokenizer(tokenizer) if isinstance(tokenizer, tokenizers.Tokenizer) else our_tokenizer(tokenizer)


def byte_pairs(tokenizer: Tokenizer) -> BytePairs | None:
    """The merges of a tokenizer that has some and encodes by them alone, else None."""
    if not is_byte_level(tokenizer.tokenizer):
        return None
    pairs = BytePairs(tokenizer.tokenizer)
    return pairs if len(pairs) else None


def default_tokenizers() -> dict[str, Tokenizer]:
    """Bytes, characters, and byte pairs learnt from the topics of help(), in well under a second."""
    texts = [topic.text for topic in topics()]
    n_bytes = 256 + len(SPECIAL)
    return {
        "bytes": BPETokenizer.train(texts, n_bytes),
        "characters": CharacterTokenizer.train(texts),
        "byte pairs": BPETokenizer.train(texts, n_bytes + N_MERGES),
    }

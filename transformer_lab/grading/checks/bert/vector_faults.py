"""Texts and a model that reads them both ways; and what mistakes make of a text's vector."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ....sentences import kind_of
from ...checking import Wrong
from ...draw import draw


class Texts:
    """Texts of these lengths; the padding's id stands in two of them. The model's vectors for padding are large."""

    D = 6

    def __init__(self, lengths: tuple[int, ...], window: int):
        self.lengths, self.window = list(lengths), window
        V = self.V = draw.one_of(13, 17)
        self.pad = draw.one_of(3, 5)  # not 0: rows filled up with a 0 are told apart
        self.embedding = draw.normal(V, self.D, dtype=torch.float64)
        self.places = 0.5 * draw.standard(window, self.D, dtype=torch.float64)
        self.own, self.others = (0.6 * draw.standard(self.D, self.D, dtype=torch.float64) for _ in range(2))
        self.loud = 300 + 700 * draw.uniform(window, self.D, dtype=torch.float64)
        self.texts = [draw.integers(V, length).tolist() for length in lengths]
        for text, place in ((self.texts[0], -1), (self.texts[-1], 0)):
            if len(text) > 1:
                text[place] = self.pad  # a real token of its text
        for text in self.texts:
            if text == [self.pad]:  # told by their ids, such rows would be empty: the model says so, and nothing else
                text[0] += 1
        self.calls: list[tuple[Tensor, Tensor]] = []

    def model(self, ids, is_real=None) -> Tensor:
        """A vector for each token, (B, T, D)."""
        if is_real is None:
            raise Wrong("The model was given the ids alone, so it reads the padding too: ask it model(ids, is_real).")
        for name, value, dtype in (("ids", ids, torch.int64), ("is_real", is_real, torch.bool)):
            if not isinstance(value, Tensor) or value.ndim != 2 or value.dtype != dtype:
                known = isinstance(value, Tensor)
                what = f"{value.dtype} of shape {tuple(value.shape)}" if known else f"{kind_of(value)}"
                raise Wrong(f"As {name} the model was given {what}; wanted a tensor (B, T) of {dtype}.")
        if ids.shape != is_real.shape:
            shapes = tuple(ids.shape), tuple(is_real.shape)
            raise Wrong(f"The model was given ids of shape {shapes[0]} and is_real of shape {shapes[1]}; wanted one.")
        if ids.shape[1] > self.window:
            raise Wrong(
                f"The model was given rows of {ids.shape[1]} ids, and reads {self.window} at most, the window: texts "
                "that are longer are cut into pieces."
            )
        if ids.numel() and not (int(ids.min()) >= 0 and int(ids.max()) < self.V):
            raise Wrong(f"The model was given the id {int(ids.min())}, or one above its vocabulary: pad with `pad`.")
        if not is_real.any(dim=1).all():
            row = int((~is_real.any(dim=1)).nonzero()[0])
            if (ids[row] == self.pad).all():
                raise Wrong(
                    f"Row {row} is nothing but padding, for texts of {self.lengths} ids and a window of {self.window}. "
                    "No piece is empty: after the last id of a text none begins."
                )
            raise Wrong(
                f"Row {row} of is_real is False everywhere: True is for real tokens, and a row has at least one."
            )
        self.calls.append((ids.clone(), is_real.clone()))
        return torch.stack(
            [self.read(*row) for row in zip(ids, is_real, strict=True)]
        ).float()  # as the package's models

    def read(self, ids: Tensor, is_real: Tensor) -> Tensor:
        """(T, D): each real token has read all real ones."""
        words = self.embedding[ids] + self.places[: len(ids)]
        others = words[is_real].mean(0)
        return torch.where(is_real[:, None], torch.tanh(words @ self.own + others @ self.others), self.loud[: len(ids)])

    def pieces(self, cut=None) -> list[tuple[int, list[int]]]:
        """(the text it belongs to, its ids) for each piece."""
        return [(n, piece) for n, text in enumerate(self.texts) for piece in (cut or whole)(text, self.window)]

    def wanted(self) -> Tensor:
        return pooled(self)

    def misread(self) -> str:
        """What about the rows of the only call differs from the pieces, in words; an empty string if nothing does."""
        pieces = [piece for _, piece in self.pieces()]
        rows = [row for call in self.calls for row in zip(*call, strict=True)]
        for n, (ids, is_real) in enumerate(rows):
            row, real = ids.tolist(), is_real.tolist()
            own = [piece for piece in pieces if row == piece + [self.pad] * (len(row) - len(piece))]
            if any(real == [t < len(piece) for t in range(len(row))] for piece in own):
                continue
            if own and real == [id != self.pad for id in row]:
                return "is_real is False wherever the id is the padding's. " + ID
            if own:
                length = max(map(len, own))
                return f"row {n} holds {length} ids of a text, and is_real is True at {sum(real)} of its places."
            if any(row == [self.pad] * (len(row) - len(piece)) + piece for piece in pieces):
                return f"in row {n} the padding stands before the text; wanted: after it."
            return f"the model was given the row {row}, with the padding {self.pad}. No piece of a text looks so."
        return ""


def whole(text: list[int], window: int) -> list[list[int]]:
    return [text[start : start + window] for start in range(0, len(text), window)]


def first_piece(text, window):
    return [text[:window]]


def last_piece(text, window):
    return whole(text, window)[-1:]


def last_ids(text, window):
    return [text[-window:]]


def full_pieces(text, window):
    """Without the rest, if a text is longer than the window."""
    return [piece for n, piece in enumerate(whole(text, window)) if not n or len(piece) == window]


def moved_back(text, window):
    """The last piece begins earlier, so that it is full."""
    starts = [max(0, min(start, len(text) - window)) for start in range(0, len(text), window)]
    return [text[start : start + window] for start in starts]


def equal_pieces(text, window):
    n = -(-len(text) // window)
    return whole(text, -(-len(text) // n))


def split_evenly(text, window):
    return [piece.tolist() for piece in torch.tensor(text).tensor_split(-(-len(text) // window))]


def sharing_one(text, window):
    """Neighbouring pieces share one id."""
    return [text[start : start + window] for start in range(0, max(1, len(text) - 1), max(1, window - 1))]


def sharing_half(text, window):
    pieces, start, half = [], 0, max(1, window // 2)
    while True:
        pieces.append(text[start : start + window])
        if start + window >= len(text):
            return pieces
        start += half


def pooled(case: Texts, cut=None, seen=None, kept=None, reduce=None, finish=None) -> Tensor:
    """The specification; or with other pieces, what the model is told is real, what is kept, and what becomes of it.

    reduce(the vectors kept of each piece, width of the batch) -> a text's vector
    """
    pieces = case.pieces(cut)
    width = max(len(piece) for _, piece in pieces)
    rows: list[list[Tensor]] = [[] for _ in case.texts]
    for n, piece in pieces:
        ids = torch.tensor(piece + [case.pad] * (width - len(piece)))
        real = torch.arange(width) < len(piece)
        vectors = case.read(ids, seen(ids, real, case) if seen else real)
        rows[n].append(vectors[kept(ids, real, case) if kept else real])
    found = torch.stack([(reduce or mean_of_all)(own, width) for own in rows])
    return finish(found) if finish else found


def mean_of_all(own: list[Tensor], width: int) -> Tensor:
    return torch.cat(own).mean(0)


def mean_of_means(own: list[Tensor], width: int) -> Tensor:
    return torch.stack([vectors.mean(0) for vectors in own]).mean(0)


def everywhere(ids, real, case):
    return torch.ones_like(real)


def by_id(ids, real, case):
    """True where the id is not the padding's; a row of nothing else keeps its first."""
    kept = ids != case.pad
    return kept if kept.any() else torch.arange(len(real)) == 0


def unit(vectors: Tensor) -> Tensor:
    return F.normalize(vectors, dim=-1)


def in_order(case: Texts, key) -> Tensor:
    """The right vectors, sorted as their texts are."""
    return pooled(case)[sorted(range(len(case.texts)), key=lambda n: key(case.texts[n]))]


ORDER = "The vectors stand in the order from {}; wanted: in the order of the texts."
PADDING = "The padding is counted in the mean, as if it were text. "
SEEN = "The model is told that the padding is text: is_real is True there too, and every token has read it. "
ID = (
    "Tokens that have the padding's id are left out though they stand in the text. What is padding depends on the "
    "lengths, not on the ids."
)
MEANS = (
    "This is the mean of the pieces' means, though the pieces are unequally long. Every token has the same weight: add "
    "up all vectors of a text, and divide once."
)
# (formula of the texts, words, misconception)
FAULTS = (
    (
        lambda x: pooled(x, reduce=lambda own, T: torch.cat(own).sum(0)),
        "This is the sum of a text's vectors, not divided by how many there are.",
    ),
    (
        lambda x: pooled(x, reduce=lambda own, T: own[0][0]),
        "This is the vector of the text's first token; wanted: the mean over all of them.",
    ),
    (
        lambda x: pooled(x, reduce=lambda own, T: own[-1][-1]),
        "This is the vector of the text's last token; wanted: the mean over all of them.",
    ),
    (
        lambda x: pooled(x, reduce=lambda own, T: torch.cat(own).amax(0)),
        "This is the largest number of each column; wanted: the mean.",
    ),
    (
        lambda x: pooled(x, reduce=lambda own, T: torch.cat(own).median(0).values),
        "This is the median of each column; wanted: the mean.",
    ),
    (lambda x: pooled(x, finish=unit), "This is the mean, scaled to length 1. Here the mean itself is wanted."),
    (
        lambda x: pooled(x, reduce=lambda own, T: unit(torch.cat(own)).mean(0)),
        "Each token's vector is scaled to length 1 before the mean is taken. Take them as the model gives them.",
    ),
    (lambda x: pooled(x, seen=everywhere, kept=everywhere), SEEN + "And it is counted in the mean.", "M52"),
    (lambda x: pooled(x, seen=everywhere), SEEN + "The mean itself leaves it out.", "M52"),
    (lambda x: pooled(x, kept=everywhere), PADDING + "Its vectors mean nothing.", "M52"),
    (
        lambda x: pooled(x, reduce=lambda own, T: torch.cat(own).sum(0) / (T * len(own))),
        "The sum is divided by the width of the rows, padding included; wanted: by the number of the text's own "
        "tokens.",
        "M52",
    ),
    (
        lambda x: pooled(x, reduce=lambda own, T: torch.stack([v.mean(0) for v in own]).sum(0)),
        "The means of a text's pieces are added up; wanted: one mean over all its tokens.",
    ),
    (lambda x: pooled(x, seen=by_id, kept=by_id), ID),
    (lambda x: pooled(x, seen=by_id), ID),
    (lambda x: pooled(x, kept=by_id), ID),
    (lambda x: pooled(x, reduce=mean_of_means), MEANS),
    (lambda x: pooled(x, first_piece), "Only the first `window` ids of a text count: what stands after them is lost."),
    (lambda x: pooled(x, last_piece), "Only the last piece of a text counts. Is something set anew in the loop?"),
    (lambda x: pooled(x, last_ids), "Only the last `window` ids of a text count: what stands before them is lost."),
    (lambda x: pooled(x, full_pieces), "The last piece is missing where it is shorter than the window."),
    (
        lambda x: pooled(x, moved_back),
        "The last piece was moved back until it was full, so some tokens count twice. It may be short.",
    ),
    (
        lambda x: pooled(x, equal_pieces),
        "A text was cut into pieces of equal length. Every piece but the last holds `window` ids.",
    ),
    (lambda x: in_order(x, len), ORDER.format("the shortest to the longest text")),
    (lambda x: in_order(x, lambda text: -len(text)), ORDER.format("the longest to the shortest text")),
    (
        lambda x: pooled(x, split_evenly),
        "A text was cut into pieces of equal length. Every piece but the last holds `window` ids.",
    ),
    (
        lambda x: pooled(x, sharing_one),
        "Neighbouring pieces share a token, which counts twice. A piece begins where the one before it ends.",
    ),
    (
        lambda x: pooled(x, sharing_half),
        "Neighbouring pieces overlap, and what they share counts twice. A piece begins where the one before it ends.",
    ),
)

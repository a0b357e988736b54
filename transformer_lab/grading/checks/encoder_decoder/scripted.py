"""Lesson 11: a translator that writes by a script, quick and strict, to try a greedy loop on."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ....sentences import kind_of
from ...checking import Wrong
from ...draw import draw

V = 16  # ids of the vocabulary
LOST = 11  # what it writes when it has read what no text of the script begins with
PATIENCE = 100  # ids; no text is nearly as long
WIDTH = 3  # of the memory's vectors


class Scripted:
    """Text b of a batch becomes scripts[b] and eos. Behind its end, and off the script, it goes on with other tokens.

    Every row of the logits is right for what stands up to there, as a decoder's are.
    """

    def __init__(self, scripts, bos: int, eos: int, pad: int):
        self.scripts, self.bos, self.eos, self.pad = scripts, bos, eos, pad
        self.n_encoded = 0

    def source(self) -> tuple[Tensor, Tensor]:
        """Ids (B, S) and which of them are real; the first says which text it is."""
        ids = 5 + draw.integers(8, len(self.scripts), 4)
        ids[:, 0] = torch.arange(len(self.scripts))
        return ids, torch.arange(4) < torch.tensor([[4 - b % 3] for b in range(len(self.scripts))])

    def written_by(self, answer, source: Tensor, is_real: Tensor, max_new: int):
        self.n_encoded, self.memory, self.real = 0, None, is_real.clone()
        return answer(self.encode, self.decode, source, is_real, self.bos, self.eos, self.pad, max_new)

    def encode(self, source, is_real) -> Tensor:
        if not isinstance(source, Tensor) or source.shape != self.real.shape or not is_same(is_real, self.real):
            raise Wrong("encode was not given the source and its is_real: encode(source, is_real).")
        self.n_encoded += 1
        self.memory = source[..., None] * torch.ones(WIDTH)
        return self.memory

    def decode(self, ids, memory, is_real) -> Tensor:
        """Logits (B, T, V)."""
        if self.memory is None or not is_same(memory, self.memory):
            raise Wrong(
                "decode was not given the memory as encode returned it, of all texts: decode(ids, memory, is_real).",
                "M33",
            )
        if not is_same(is_real, self.real):
            raise Wrong("decode was not given the source's is_real: decode(ids, memory, is_real).", "M36")
        if not isinstance(ids, Tensor) or ids.ndim != 2 or len(ids) != len(self.scripts) or ids.dtype != torch.int64:
            what = f"{ids.dtype} of shape {tuple(ids.shape)}" if isinstance(ids, Tensor) else f"{kind_of(ids)}"
            raise Wrong(
                f"decode was given {what}; wanted ids (B, T), int64, a row for each of {len(self.scripts)} texts."
            )
        if ids.shape[1] > PATIENCE:
            raise Wrong(f"decode was given {ids.shape[1]} ids a text: stop after max_new steps, ended or not.")
        if ids.shape[1] == 0:
            raise Wrong("decode was given no ids: a text begins with bos.")
        if (ids[:, 0] != self.bos).any():
            raise Wrong(
                f"decode was given rows that begin with {ids[0, 0].item()}; they begin with bos, and hold all that is "
                "written so far: there is no cache here that would remember it."
            )
        best = torch.tensor(
            [[self.following(b, row[: t + 1]) for t in range(ids.shape[1])] for b, row in enumerate(ids.tolist())]
        )
        return 4 * F.one_hot(best, V) + draw.uniform(*best.shape, V)

    def following(self, b: int, read: list[int]) -> int:
        """The id that comes after what text b has read."""
        whole = [self.bos, *self.scripts[b], self.eos]
        if read == whole[: len(read)] and len(read) < len(whole):
            return whole[len(read)]
        return LOST + len(read) % 3


def is_same(given, wanted: Tensor) -> bool:
    return isinstance(given, Tensor) and given.shape == wanted.shape and torch.equal(given, wanted)

"""Lesson 11: a made-up translator of which all is known: what each row of its memory holds, and what it writes."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ....sentences import kind_of
from ...checking import Wrong

N_WORDS = 9  # ids of the source's words: 0 to 8
FIRST, BEHIND, V = 10, 20, 32  # of the target: words from 10 on, what stands behind an end from 20 on
PATIENCE = 60  # ids; no text is nearly as long
PAD = 5

Rows = list[int]  # the word that each row of one memory holds


class Holder:
    """Row p of the memory holds word held[p] of the source; script(rows) are the words that the text is made of.

    With echo each word also depends on the one written before it. Behind its end a text goes on with what nobody wants.
    """

    def __init__(self, sources: Tensor, held: list[int], script: Callable[[Rows], list[int]], special, echo=False):
        self.sources, self.held, self.script, self.echo = sources, held, script, echo
        self.bos, self.eos = special
        self.is_real = torch.ones_like(sources, dtype=torch.bool)

    def encode(self, sources, is_real) -> Tensor:
        """(B, S, 4): the word in two numbers, and two more that say where the row stands."""
        wanted = self.sources.shape[1]
        if not isinstance(sources, Tensor) or sources.ndim != 2 or sources.shape[1] != wanted:
            what = f"shape {tuple(sources.shape)}" if isinstance(sources, Tensor) else f"type {type(sources).__name__}"
            raise Wrong(f"encode was given sources of {what}; wanted ids (B, {wanted}): encode(sources, is_real).")
        words = sources[:, self.held]
        places = torch.arange(wanted).expand_as(words)
        return torch.stack((words // 3, words % 3, places + 3, 4 - places % 2), dim=-1).float()

    def rows(self, memory: Tensor) -> list[Rows]:
        words = memory[..., 0] * 3 + memory[..., 1]
        if (memory != memory.round()).any() or (words < 0).any() or (words >= N_WORDS).any():
            raise Wrong(
                "decode was given a memory with rows that encode never made. Exchange whole rows, (D,) numbers each; "
                "add and average nothing."
            )
        return words.long().tolist()

    def decode(self, ids, memory, is_real) -> Tensor:
        """Logits (B, T, V)."""
        S = self.sources.shape[1]
        if not isinstance(memory, Tensor) or memory.ndim != 3 or tuple(memory.shape[1:]) != (S, 4):
            what = f"shape {tuple(memory.shape)}" if isinstance(memory, Tensor) else f"type {type(memory).__name__}"
            raise Wrong(f"decode was given a memory of {what}; wanted (B, {S}, 4): decode(ids, memory, is_real).")
        if not isinstance(ids, Tensor) or ids.ndim != 2 or len(ids) != len(memory) or ids.dtype != torch.int64:
            what = f"{ids.dtype} of shape {tuple(ids.shape)}" if isinstance(ids, Tensor) else f"{kind_of(ids)}"
            raise Wrong(
                f"decode was given {what}; wanted ids (B, T), int64, with a row for each of {len(memory)} texts."
            )
        if not ids.shape[1] or (ids[:, 0] != self.bos).any():
            raise Wrong("decode was given ids that do not begin with bos.")
        if ids.shape[1] > PATIENCE:
            raise Wrong(f"decode was given {ids.shape[1]} ids a text: stop after eos, and after max_new tokens.")
        best = [
            [self.following(rows, row[: t + 1]) for t in range(len(row))]
            for rows, row in zip(self.rows(memory), ids.tolist(), strict=True)
        ]
        return 4 * F.one_hot(torch.tensor(best), V) - 7.0

    def following(self, rows: Rows, read: list[int]) -> int:
        """The id that comes after what has been read."""
        n, script = len(read) - 1, self.script(rows)
        if self.eos in read[1:] or n > len(script):
            return BEHIND + (rows[-1] + n) % 7
        if n == len(script):
            return self.eos
        return FIRST + (script[n] + (read[-1] if self.echo and n else 0)) % N_WORDS

    def written(self, memory: Tensor, n: int) -> list[list[int]]:
        """Of each text the ids that are written in n steps, also behind its end."""
        texts = []
        for rows in self.rows(memory):
            read = [self.bos]
            while len(read) <= n:
                read.append(self.following(rows, read))
            texts.append(read[1:])
        return texts

    def cut(self, text: list[int]) -> list[int]:
        """The text up to its end, which belongs to it."""
        return text[: text.index(self.eos) + 1] if self.eos in text else text

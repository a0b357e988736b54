"""In what order byte-pair encoding joins the bytes of a text: stopped after m merges, it gives what m merges give.

Sennrich et al. 2015, arXiv:1508.07909; of bytes, as GPT-2 has it.
"""

import heapq
import json
from collections.abc import Iterable
from typing import NamedTuple

import tokenizers
from tokenizers import models

from ..arguments import check_text
from .token_labels import decoder_kinds


class Token(NamedTuple):
    """An id, and the bytes of the text that it stands for."""

    start: int
    end: int
    id: int


class Join(NamedTuple):
    """Once there are so many merges, the token that starts at this byte and the one behind it are one, of this id."""

    merges: int
    start: int
    id: int


class BytePairs:
    """The merges of a byte-level tokenizer, in order. ValueError for a tokenizer that encodes in any other way."""

    def __init__(self, tokenizer: tokenizers.Tokenizer):
        if not is_byte_level(tokenizer):
            raise ValueError(f"tokenizer must encode bytes by merges alone; got {type(tokenizer.model).__name__}.")
        merges = json.loads(tokenizer.to_str())["model"]["merges"]
        self.tokenizer, self.ids = tokenizer, tokenizer.get_vocab()
        self.ranks = {tuple(pair): rank for rank, pair in enumerate(merges)}

    def __len__(self) -> int:
        return len(self.ranks)

    def history(self, text: str) -> tuple[list[int], list[Join]]:
        """The id of each byte of a text, and the joins in order; ValueError for what UTF-8 cannot encode.

        In each word the pair whose merge was learnt first is joined first, the leftmost of several. A pair is joined
        as soon as there are `merges` of them: what has been joined until then depends on earlier merges alone.
        """
        check_text(text)
        words = [word for word, _ in self.tokenizer.pre_tokenizer.pre_tokenize_str(text)]
        line = Line(words, self.ranks)
        return [self.ids[sign] for sign in "".join(words)], list(self._joins(line))

    def _joins(self, line: "Line") -> Iterable[Join]:
        waiting = [(rank, start) for start in line.starts() if (rank := line.rank(start)) is not None]
        heapq.heapify(waiting)
        reached = 0
        while waiting:
            rank, start = heapq.heappop(waiting)
            if line.rank(start) != rank:  # joined with another neighbour meanwhile
                continue
            reached = max(reached, rank + 1)  # a token that two merges make may have waited for the later one
            yield Join(reached, start, self.ids[line.join(start)])
            for near in line.around(start):
                if (rank := line.rank(near)) is not None:
                    heapq.heappush(waiting, (rank, near))


class Line:
    """The tokens of a text while they are joined; each is known by its first byte."""

    def __init__(self, words: list[str], ranks: dict):
        self.ranks, self.tokens = ranks, dict(enumerate("".join(words)))
        self.ends = {start: start + 1 for start in self.tokens}
        self.befores = {end: start for start, end in self.ends.items()}
        self.cuts, at = {0}, 0  # nothing is joined over the end of a word
        for word in words:
            at += len(word)
            self.cuts.add(at)

    def starts(self) -> list[int]:
        return list(self.tokens)

    def rank(self, start: int) -> int | None:
        """The rank of the merge that joins this token and the one behind it, if there is one."""
        if start not in self.tokens or (middle := self.ends[start]) in self.cuts:
            return None
        return self.ranks.get((self.tokens[start], self.tokens[middle]))

    def join(self, start: int) -> str:
        """Make this token and the one behind it one token, and return it."""
        middle = self.ends[start]
        self.ends[start] = self.ends.pop(middle)
        self.befores[self.ends[start]] = start
        self.tokens[start] += self.tokens.pop(middle)
        return self.tokens[start]

    def around(self, start: int) -> list[int]:
        """The first bytes of the two pairs that this token is in."""
        return [self.befores[start], start] if start in self.befores else [start]


def is_byte_level(tokenizer: tokenizers.Tokenizer) -> bool:
    """Whether words of bytes are encoded by merges alone, as GPT-2's are, and no sign is changed before."""
    model, cutter = tokenizer.model, tokenizer.pre_tokenizer
    if not isinstance(model, models.BPE) or model.dropout or model.ignore_merges or tokenizer.normalizer is not None:
        return False
    return "ByteLevel" in decoder_kinds(tokenizer) and cutter is not None and cutter.pre_tokenize_str("a")[0][0] == "a"


def tokens_after(merges: int, ids: list[int], joins: Iterable[Join]) -> list[Token]:
    """The tokens of a text when only the first `merges` merges exist, from what `history` gives."""
    tokens = {start: Token(start, start + 1, i) for start, i in enumerate(ids)}
    for join in joins:
        if join.merges > merges:
            break
        end = tokens.pop(tokens[join.start].end).end
        tokens[join.start] = Token(join.start, end, join.id)
    return [tokens[start] for start in sorted(tokens)]

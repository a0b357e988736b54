"""Answers to a question of broken snippets, for the banks: right ones, and right but for one part."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Diagnosed:
    """named: the right (fault, observation) of each snippet; repaired: a right repair."""

    named: dict[str, tuple[str, str]]
    repaired: Any

    def mended(self, repaired) -> tuple:
        """A repair beside right diagnoses."""
        return self.named, repaired

    def but(self, **pairs) -> tuple:
        """Right diagnoses but for these, beside a right repair."""
        return self.named | pairs, self.repaired

    def fault(self, snippet: str, fault) -> tuple:
        return self.but(**{snippet: (fault, self.named[snippet][1])})

    def shown(self, snippet: str, observation) -> tuple:
        return self.but(**{snippet: (self.named[snippet][0], observation)})

    def in_capitals(self) -> tuple:
        """All of it right, in capital letters and with a space too many."""
        return {key: [f" '{words.upper()}'" for words in pair] for key, pair in self.named.items()}, self.repaired

"""Lesson 16: dialogues that the checks of labels show, token by token."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...draw import draw

IGNORED = -100


@dataclass(frozen=True)
class Token:
    """One id of a written dialogue: whose message it stands in, which one that is, and where in it."""

    id: int
    role: str
    kind: str  # "start", "text", "end" or "pad"
    message: int = -1
    first: bool = False  # of the message's own ids
    last: bool = False

    @property
    def is_learnt(self) -> bool:
        return self.role == "assistant" and self.kind in ("text", "end")


PADDING = {"role": "", "kind": "pad"}


@dataclass(frozen=True)
class Message:
    role: str
    ids: tuple[int, ...]


class Case:
    """A batch of dialogues of these roles. Questions and answers share ids; the special ones stand in none of them."""

    def __init__(self, roles: tuple[tuple[str, ...], ...], pad_is_end: bool = False):
        special = draw.shuffled(range(6))
        self.start = dict(zip(("system", "user", "assistant"), special[:3], strict=True))
        self.end, self.pad = special[3], special[3 if pad_is_end else 4]
        self.pad_is_end = pad_is_end
        words = 10 + draw.permutation(9)[:6]
        self.messages = [
            [Message(role, tuple(words[draw.integers(6, self.length(role))].tolist())) for role in dialogue]
            for dialogue in roles
        ]
        self.dialogues = [[(message.role, list(message.ids)) for message in one] for one in self.messages]
        self.rows = [self.written(one) for one in self.messages]
        self.T = max(map(len, self.rows))

    def length(self, role: str) -> int:
        """The system's message is so long that nothing else that may be missing is as long."""
        return 9 + int(draw.integers(2)) if role == "system" else 2 + int(draw.integers(4))

    def given(self) -> tuple:
        dialogues = [[(role, list(ids)) for role, ids in one] for one in self.dialogues]
        return dialogues, dict(self.start), self.end, self.pad

    def written(self, messages: list[Message]) -> list[Token]:
        row = []
        for n, message in enumerate(messages):
            row.append(Token(self.start[message.role], message.role, "start", n))
            last = len(message.ids) - 1
            row += [Token(id, message.role, "text", n, i == 0, i == last) for i, id in enumerate(message.ids)]
            row.append(Token(self.end, message.role, "end", n))
        return row

    def tokens(self, b: int) -> list[Token]:
        return self.rows[b] + [Token(self.pad, **PADDING)] * (self.T - len(self.rows[b]))

    def ids(self) -> Tensor:
        return torch.tensor([[token.id for token in self.tokens(b)] for b in range(len(self.rows))])

    def labels(self) -> Tensor:
        """The specification."""
        found = torch.full((len(self.rows), self.T), IGNORED)
        for b in range(len(self.rows)):
            for t, token in enumerate(self.tokens(b)):
                if token.is_learnt:
                    found[b, t - 1] = token.id
        return found

    def is_text(self, but: int = 0) -> Tensor:
        """Where the rows hold more than padding, (n_dialogues, T); but: so many last ids of each row are left out."""
        return torch.tensor([[t < len(row) - but for t in range(self.T)] for row in self.rows])

    def said(self, b: int) -> str:
        shown = ", ".join(f"{role} {ids}" for role, ids in self.dialogues[b])
        return f"The dialogue {shown} (start = {self.start}, end = {self.end}, pad = {self.pad}):"

    def described(self, b: int, t: int) -> str:
        token = self.tokens(b)[t]
        kinds = {
            "start": f"the start of the {token.role}'s message",
            "text": f"the id {token.id} of the {token.role}'s message",
            "end": f"the end of the {token.role}'s message",
            "pad": "padding",
        }
        return kinds[token.kind]

    def why(self, b: int, t: int) -> str:
        """The right label of a place, and where it comes from."""
        tokens = self.tokens(b)
        if t + 1 == len(tokens):
            return f"{IGNORED}: nothing follows"
        following = tokens[t + 1]
        if following.is_learnt:
            return f"{following.id}: what follows is {self.described(b, t + 1)}"
        return f"{IGNORED}: what follows is {self.described(b, t + 1)}"

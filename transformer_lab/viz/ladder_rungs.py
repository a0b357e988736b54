"""The rungs of LadderExplorer: language models of any kind, from a table of characters to a GPT, that write on.

`write` goes on with a text and records, place by place, what could have stood there.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from ..analysis.access import our_model
from ..data.tokenizers import our_tokenizer
from ..generation.reader import Reader
from ..generation.sampling import Sampler
from ..models import GPT, evaluating, unwrapped
from ..sentences import short_repr
from .inputs import visible
from .model_tour import rounded

ROWS = 8  # of the most likely tokens at a place
MOST_WORDS = 40  # of a text: behind so many, the last ones, it is recorded what each rung expects


@runtime_checkable
class CharacterTable(Protocol):
    """What `baselines.CharacterNgrams` is: the probability of a character behind a text."""

    alphabet: set[str]

    def probability(self, character: str, context: str) -> float: ...


class Rung:
    """A language model with its tokens, by one face; here with a function of the ids for a model."""

    most = 2**31  # tokens that it can read

    def __init__(self, function: Callable[[list[int]], Any], tokenizer):
        self.function, self.tokenizer = function, our_tokenizer(tokenizer)
        self.stop = [] if self.tokenizer.eos_id is None else [self.tokenizer.eos_id]
        self.about = f"{len(self.tokenizer):,} tokens"

    def encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text)

    def decode(self, ids: list[int]) -> str:
        known = len(self.tokenizer)
        return self.tokenizer.decode([i for i in ids if i < known])

    def labels(self, ids: list[int]) -> list[str]:
        return labels_of_ids(self.tokenizer, ids)

    def reading(self) -> Callable[[list[int]], Tensor]:
        """Return a function that gives the logits (V,) behind ids, each time some more of them."""
        return self.logits

    def logits(self, ids: list[int]) -> Tensor:
        logits = torch.as_tensor(self.function(list(ids))).detach().float().cpu()
        if logits.dim() != 1 or not len(logits):
            raise ValueError(f"A rung's function must return logits (V,); got the shape {tuple(logits.shape)}.")
        return checked(logits)

    def after_each(self, prefixes: list[list[int]]) -> list[Tensor]:
        """The logits behind each of these beginnings of one text."""
        return [self.logits(prefix) for prefix in prefixes]


class TableRung(Rung):
    """A table of characters: its tokens are the characters it has met, and it writes no other."""

    def __init__(self, table: CharacterTable):
        self.table, self.stop = table, []
        self.characters = sorted(table.alphabet)  # behind them come others, which a text has and the table has not
        self.n_known = len(self.characters)
        order = getattr(table, "n", None)
        counts = "" if order is None else "counts single characters; " if order == 1 else f"counts {order} in a row; "
        self.about = f"{counts}{self.n_known:,} characters"

    def encode(self, text: str) -> list[int]:
        self.characters += sorted(set(text) - set(self.characters))
        number = {character: i for i, character in enumerate(self.characters)}
        return [number[character] for character in text]

    def decode(self, ids: list[int]) -> str:
        return "".join(self.characters[i] for i in ids)

    def labels(self, ids: list[int]) -> list[str]:
        return [visible(self.characters[i]) for i in ids]

    def logits(self, ids: list[int]) -> Tensor:
        context = self.decode(ids)
        shares = [self.table.probability(one, context) for one in self.characters[: self.n_known]]
        return checked(torch.tensor(shares, dtype=torch.float64).log().float())


class ModelRung(Rung):
    """A GPT of ours, which reads each token once while it writes."""

    def __init__(self, model, tokenizer):
        self.model = our_model(model, GPT)
        super().__init__(lambda ids: self.read(ids)[-1], tokenizer)
        self.most = self.model.config.max_len
        n = sum(one.numel() for one in self.model.parameters())
        self.about = f"{n:,} parameters; {self.model.config.vocab_size:,} tokens"

    def tensor(self, ids: list[int]) -> Tensor:
        return torch.tensor([ids], device=next(self.model.parameters()).device)

    @torch.inference_mode()
    def read(self, ids: list[int], places: list[int] | None = None) -> Tensor:
        """The logits behind these places (None: the last) of a text, in one pass."""
        with evaluating(self.model):
            hidden = self.model.decode(self.tensor(ids))
            return self.model.logits(hidden[:, [-1] if places is None else places])[0].float().cpu()

    def reading(self) -> Callable[[list[int]], Tensor]:
        reader = Reader(self.model)

        def next_logits(ids: list[int]) -> Tensor:
            with evaluating(self.model):
                return reader.next_logits(self.tensor(ids))[0].float().cpu()

        return next_logits

    def after_each(self, prefixes: list[list[int]]) -> list[Tensor]:
        whole = prefixes[-1]
        if len(whole) > self.most or any(one != whole[: len(one)] for one in prefixes):
            return [self.logits(one[-self.most :]) for one in prefixes]
        return [checked(one) for one in self.read(whole, [len(one) - 1 for one in prefixes])]


def checked(logits: Tensor) -> Tensor:
    if logits.isnan().any() or not logits.isfinite().any():
        raise ValueError("The next token's logits are NaN, or all of them -inf: nothing can be written.")
    return logits


def rung(name: str, given) -> Rung:
    """A rung of what was given; ValueError for anything else."""
    if isinstance(given, CharacterTable):
        return TableRung(given)
    if isinstance(given, tuple) and len(given) == 2:
        first, tokenizer = given
        if isinstance(unwrapped(first), torch.nn.Module):
            return ModelRung(first, tokenizer)
        if callable(first):
            return Rung(first, tokenizer)
    raise ValueError(
        f"A rung must be a table of characters, (model, tokenizer), or (function of ids, tokenizer); "
        f"got {short_repr(given)} for {short_repr(name)}."
    )


def on_one_line(text: str) -> str:
    """The text with signs in place of line breaks and of what cannot be seen."""
    return "".join(char if char == " " else visible(char) for char in text)


def ends_of_words(text: str) -> list[int]:
    """How many characters stand before the end of each word, the last ones; and before the end of the text."""
    ends = [found.end() for found in re.finditer(r"\S+", text)]
    return sorted({*ends[-MOST_WORDS:], len(text)})


def write(one: Rung, text: str, length: int, temperature: float, seed: int) -> Iterator[dict]:
    """Go on with a text by at least `length` characters, or to a stop; yields the answer so far after each token.

    "places" has first those in the text, before its end, where the next token is the text's, then one for each new
    token. A place: the characters before it ("at"), the most likely tokens with their probabilities ("rows"), the one
    that stands there with its probability and rank ("own", None where the text is cut differently), the number of all
    tokens ("n"), and what the token adds to the text ("piece", as it is shown).
    """
    room = min(length, max(1, one.most // 2))  # new tokens, for which a short window keeps free
    whole = one.encode(text)
    if not whole:
        raise ValueError("There is nothing to begin with: the text is empty.")
    ids = whole[-(one.most - room + 1) :] if len(whole) + room - 1 > one.most else whole
    answer: dict[str, Any] = {
        "text": "", "places": before_the_end(one, text, whole, temperature), "n_before": 0,
        "is_over": False, "n_unread": len(whole) - len(ids),
    }  # fmt: skip
    answer["n_before"] = len(answer["places"])
    yield answer
    choose, following = Sampler(temperature, seed=seed), one.reading()
    new: list[int] = []
    n_given = len(one.decode(ids))
    while len(new) < room and len(answer["text"]) < length and not answer["is_over"]:
        logits = checked(following([*ids, *new]))
        new.append(int(choose(logits[None])))
        known = len(answer["text"])
        place = place_of(one.labels, logits, new[-1], temperature) | {"at": len(text) + known}
        # Half a character is not text yet: it comes with the token that has its other half.
        answer["text"] = one.decode([*ids, *new])[n_given:].rstrip("\ufffd")
        answer["places"].append(place | {"piece": on_one_line(answer["text"][known:])})
        answer["is_over"] = new[-1] in one.stop
        yield answer


def before_the_end(one: Rung, text: str, whole: list[int], temperature: float) -> list[dict]:
    """The places behind the words of a text, without the last."""
    ends = [(end, ids) for end in ends_of_words(text)[:-1] if (ids := one.encode(text[:end]))]
    places = []
    for (end, ids), logits in zip(ends, one.after_each([*(ids for _, ids in ends), whole])[:-1], strict=True):
        comes = whole[len(ids)] if whole[: len(ids)] == ids and len(whole) > len(ids) else None
        places.append(place_of(one.labels, logits, comes, temperature) | {"at": end, "piece": ""})
    return places


def labels_of_ids(tokenizer, ids: list[int]) -> list[str]:
    """Each token by itself; a model may have more ids than its tokenizer has tokens."""
    known = len(tokenizer)
    return [visible(tokenizer.tokens([i])[0]) if i < known else f"id {i}" for i in ids]


def place_of(labels: Callable[[list[int]], list[str]], logits: Tensor, own: int | None, temperature: float) -> dict:
    """The most likely tokens after temperature, or before it where it is 0; and the one that stands there."""
    shares = (logits.double() / (temperature or 1.0)).softmax(dim=-1)
    order = shares.argsort(descending=True, stable=True)
    top = order[:ROWS]
    rows = [list(row) for row in zip(labels(top.tolist()), rounded(shares[top], 4), strict=True)]
    found = None
    if own is not None and own < len(shares):
        rank = int((order == own).nonzero()[0, 0]) + 1
        found = [labels([own])[0], rounded(shares[own : own + 1], 4)[0], rank]
    return {"rows": rows, "own": found, "n": len(shares)}

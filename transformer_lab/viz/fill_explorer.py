"""FillExplorer: hide words of a sentence, and see what a model that reads both ways holds to be likely in their place.

`expected` is all the mathematics. When a text is read, each of its tokens is hidden once by itself, so that the browser
can show these answers without asking again.
"""

import threading

import torch
import traitlets
from jaxtyping import Float
from torch import Tensor

from ..analysis.access import our_model
from ..arguments import check_text, is_whole
from ..data.tokenizers import our_tokenizer
from ..models import BERT, evaluating
from ..sentences import listed, short_repr
from . import saved_page
from .browser_files import module, sheet
from .explorer import Explorer
from .fill_picture import draw_fill
from .inputs import visible
from .ladder_rungs import checked, labels_of_ids, place_of

MOST_TOKENS, MOST_HIDDEN = 48, 6
MOST_RECORDS = 6  # texts with what was hidden in them
TEXT = "The [MASK] statement is used to wrap the execution of a block."


@torch.no_grad()
def expected(model, ids: list[int], hidden: list[list[int]], mask_id: int) -> list[Float[Tensor, "n vocab_size"]]:
    """For each set of places, the logits of the tokens there when the whole set is hidden.

    ids are one text with its special tokens. A hidden place holds mask_id: the model sees of it where it is, no more.
    """
    rows = torch.tensor([ids] * len(hidden), device=next(model.parameters()).device)
    for row, places in zip(rows, hidden, strict=True):
        row[places] = mask_id
    with evaluating(model):
        seen = model(rows)
        found = [model.masked_lm_logits(one[None, places])[0] for one, places in zip(seen, hidden, strict=True)]
    return [checked(logits.float().cpu()) for logits in found]


class FillExplorer(Explorer):
    """Hide words of a text: `FillExplorer(model, tokenizer, "The file is [MASK].")`.

    model is a BERT with a head for masked tokens. `hidden` counts tokens from 0, as Python does, without the special
    ones around the text; what is read on the screen counts them from 1. A [MASK] that is written in the text is always
    hidden, and up to six others with it. Python and the browser may set `text` and `hidden`. `answers` has by a hidden
    token's number the likeliest ones with their probabilities; `alone` has for each token the probability that it would
    get if nothing but it and these [MASK]s were hidden. Raises ValueError for another model, for a text that is empty
    or too long, and for a token that is not there.
    """

    _module = module("fill_explorer")
    _sheet = sheet("fill_explorer")
    title = "a sentence with hidden words, and what could stand there"
    readings = traitlets.List().tag(sync=True)  # of the texts so far, the latest last, each as `_read` makes it
    text = traitlets.Unicode().tag(sync=True)
    heard = traitlets.Unicode().tag(sync=True)  # the text that was read last: what is shown
    message = traitlets.Unicode().tag(sync=True)  # why another could not be read
    hidden = traitlets.List().tag(sync=True)

    def __init__(self, model, tokenizer, text=TEXT, hidden=()):
        self.model, self.tokenizer = our_model(model, BERT), our_tokenizer(tokenizer)
        if self.model.masked_lm_head is None:
            raise ValueError("model must have a head for masked tokens; its config says masked_lm_head=False.")
        self.tokenizer.id_of("mask")  # raises if there is none
        # JupyterLab may deliver changes on several threads: answer one at a time, the latest.
        self._one_at_a_time = threading.RLock()
        reading = self._read(text)
        super().__init__(readings=[reading], text=text, heard=text, hidden=reading["fixed"])
        self.observe(self._answer, names="hidden")
        self.hidden = list(hidden)
        self.observe(self._read_again, names="text")

    def _read(self, text: str) -> dict:
        """A text as the browser shows it: its tokens, which are always hidden, and the answers to each hidden alone."""
        check_text(text)
        encoding, around = self.tokenizer.encoding(text, special=True), (self.tokenizer.cls_id, self.tokenizer.sep_id)
        self._ids = encoding.ids
        self._places = [place for place, i in enumerate(encoding.ids) if i not in around]
        ids = [encoding.ids[place] for place in self._places]
        most = min(MOST_TOKENS, self.model.config.max_len - len(encoding.ids) + len(ids))
        if not ids:
            raise ValueError("There is nothing to hide: the text is empty.")
        if len(ids) > most:
            raise ValueError(f"There is room for {most} tokens; got {len(ids)}: shorten the text.")
        fixed = [n for n, i in enumerate(ids) if i == self.tokenizer.mask_id]
        tokens = [visible(token) for token in self.tokenizer.tokens(ids)]
        sets = [sorted({*fixed, n}) for n in range(len(ids))]
        return {"text": text, "tokens": tokens, "fixed": fixed, "answers": self._ask(sets)}

    def _ask(self, sets: list[list[int]]) -> dict[str, list[dict]]:
        """What the model expects in the places of each set, as `place_of` makes it, by the set's numbers: "2,5"."""
        found = expected(
            self.model, self._ids, [[self._places[n] for n in one] for one in sets], self.tokenizer.mask_id
        )
        own = [self._ids[place] for place in self._places]
        return {
            key_of(one): [self._place(logits, own[n]) for n, logits in zip(one, rows, strict=True)]
            for one, rows in zip(sets, found, strict=True)
        }

    def _place(self, logits: Tensor, own: int) -> dict:
        """The likeliest tokens, and the one that stands there unless that is [MASK]."""
        known = None if own == self.tokenizer.mask_id else own
        return place_of(lambda ids: labels_of_ids(self.tokenizer, ids), logits, known, 0.0)

    def _read_again(self, _change) -> None:
        with self._one_at_a_time:
            text, before = self.text, (self._ids, self._places)
            if text == self.heard:  # an earlier call has read it
                self.message = ""
                return
            try:
                reading = self._read(text)
            except ValueError as error:  # what was shown stays
                self._ids, self._places = before
                self.message = str(error)
                return
            others = [one for one in self.readings if one["text"] != text]
            with self.hold_sync():  # one message: the browser never sees new tokens with an old text
                self.readings = [*others, reading][-MOST_RECORDS:]
                self.heard, self.message, self.hidden = text, "", reading["fixed"]

    def _answer(self, _change) -> None:
        with self._one_at_a_time:
            key, reading = key_of(self.hidden), self.reading
            if key and key not in reading["answers"]:
                new = reading | {"answers": reading["answers"] | self._ask([self.hidden])}
                self.readings = [*self.readings[:-1], new]

    @traitlets.validate("text")
    def _check_text(self, proposal) -> str:
        check_text(proposal.value)
        return proposal.value

    @traitlets.validate("hidden")
    def _check_hidden(self, proposal) -> list[int]:
        last, fixed = len(self.reading["tokens"]) - 1, self.reading["fixed"]
        for n in proposal.value:
            if not is_whole(n) or not 0 <= n <= last:
                raise ValueError(f"hidden must be whole numbers from 0 to {last}; got {short_repr(n)}.")
        hidden = sorted({*map(int, proposal.value), *fixed})
        if len(hidden) - len(fixed) > MOST_HIDDEN:
            raise ValueError(f"hidden must be at most {MOST_HIDDEN} tokens; got {len(hidden) - len(fixed)}.")
        return hidden

    @property
    def reading(self) -> dict:
        """The text that is shown, with its tokens: the latest of `readings`."""
        return self.readings[-1]

    @property
    def places(self) -> dict[int, dict]:
        """By each hidden token's number what is known of its place, as `place_of` makes it."""
        return dict(zip(self.hidden, self.reading["answers"][key_of(self.hidden)], strict=True)) if self.hidden else {}

    @property
    def answers(self) -> dict[int, list[tuple[str, float]]]:
        """By each hidden token's number the likeliest tokens there, with their probabilities."""
        return {n: [(token, share) for token, share in place["rows"]] for n, place in self.places.items()}

    @property
    def alone(self) -> list[tuple[str, float]]:
        """Each token, and its probability when only it and the text's [MASK]s are hidden; 0 for these themselves."""
        fixed, answers = self.reading["fixed"], self.reading["answers"]
        sets = [sorted({*fixed, n}) for n in range(len(self.reading["tokens"]))]
        owns = [answers[key_of(one)][one.index(n)]["own"] for n, one in enumerate(sets)]
        return [(token, own[1] if own else 0.0) for token, own in zip(self.reading["tokens"], owns, strict=True)]

    def _page(self) -> str:
        state = {name: getattr(self, name) for name in self.own_traits()} | {"text": self.heard, "message": ""}
        return saved_page.page(self.title, self._module, self._sheet, state)

    def nth(self, n: int) -> str:
        """The name of a token for readers, who count from 1."""
        return f"token {n + 1} of {len(self.reading['tokens'])}"

    def draw(self, figure):
        """The text with its hidden words, and the likeliest ones for each."""
        draw_fill(figure, self)

    def __repr__(self):
        best = [f"{short_repr(rows[0][0])} for {self.nth(n)}" for n, rows in self.answers.items()]
        return f"FillExplorer({short_repr(self.heard)}: {listed(best, 'and') if best else 'nothing is hidden'})"


def key_of(hidden) -> str:
    """A set of places as the key of its answers."""
    return ",".join(map(str, hidden))

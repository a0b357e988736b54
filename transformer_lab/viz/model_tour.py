"""ModelTour: a whole model at a glance. Type a text, choose a token, and follow its vector from station to station.

`record_journeys` (analysis/journey.py) computes all of it, in one forward pass. The browser gets it once, so that every
token, block, head and temperature can be chosen without a kernel: `tour.save("tour.html")` holds all that is shown.
"""

import os
import threading
from pathlib import Path

import numpy as np
import torch
import traitlets
from torch import Tensor, nn

from ..analysis.access import our_model
from ..analysis.journey import Journey, record_journeys
from ..analysis.transformers_models import checked_text
from ..data.tokenizers import ids_without_tokenizer, our_tokenizer
from ..glossary import NOTEBOOKS
from ..sentences import short_repr
from . import saved_page
from .attention_view import title_of
from .browser_files import module, sheet
from .explorer import Explorer
from .inputs import romanised, to_float16_bytes, visible
from .tour_picture import draw_tour

MOST_TOKENS, MOST_WEIGHTS = 64, 1_500_000  # of attention, in all: 3 MB for the browser
SAID, LAST_SAID = 5, 10  # most likely tokens after each step, and at the end
TEMPERATURES = [round(0.1 * i, 1) for i in range(21)]  # 0: always the most likely token


class ModelTour(Explorer):
    """The tour of one of our models while it reads a text: `ModelTour(model, tokenizer, text)`.

    `stack` is "encoder" or "decoder", and `token` the number of the token whose vector is followed through it.
    `station` counts the embedding (0), each sub-layer of each block, and the end; `stations` names them. `head` is one
    head, counted from 0, or None for the average of all; `temperature` is that of the last softmax. Both Python and the
    browser may set these, and `text`; `journeys` holds the exact numbers. Without a tokenizer (None), the text is ids.
    A model of transformers becomes one of ours by `from_hf`. Raises ValueError for any other model, and for a text that
    is empty, beyond the model's max_len, or too long to be shown.
    """

    _module = module("model_tour")
    _sheet = sheet("model_tour")
    stacks = traitlets.List().tag(sync=True)  # each as `wire` makes it
    weights = traitlets.Bytes().tag(sync=True)  # of attention, 16 bits each
    romanised = traitlets.Dict().tag(sync=True)  # labels that are not in Latin letters, in these
    about = traitlets.Unicode().tag(sync=True)
    lessons = traitlets.Dict().tag(sync=True)  # number -> address; empty where none can be opened
    text = traitlets.Unicode().tag(sync=True)
    heard = traitlets.Unicode().tag(sync=True)  # the text that was read last: what is shown
    message = traitlets.Unicode().tag(sync=True)  # why another could not be read
    stack = traitlets.Unicode().tag(sync=True)
    token = traitlets.Int().tag(sync=True)
    station = traitlets.Int().tag(sync=True)
    head = traitlets.Int(None, allow_none=True).tag(sync=True)
    temperature = traitlets.Float(1.0).tag(sync=True)

    def __init__(self, model: nn.Module, tokenizer, text):
        self.model = our_model(model)
        self.tokenizer = None if tokenizer is None else our_tokenizer(tokenizer)
        if tokenizer is None and not isinstance(text, str):
            text = " ".join(map(str, ids_without_tokenizer(text)))
        # JupyterLab may deliver changes on several threads: read one text at a time, the latest.
        self._one_at_a_time = threading.Lock()
        shown = self._read(checked_text(text))
        super().__init__(**shown, about=describe(self.model), text=text, heard=text, lessons=addresses())
        self.stack = self.stacks[-1]["name"]  # the decoder, where there are two
        self.token = 0 if "encoder" in self.journeys else len(self.journeys[self.stack].tokens) - 1
        self.observe(self._read_again, names="text")
        self.on_msg(self._write)

    @property
    def title(self) -> str:
        """The saved page's title: model and text."""
        return title_of(self.model, self.heard)

    @property
    def stations(self) -> list[str]:
        """The names of the stations of the stack that is followed."""
        return station_names(self.journeys[self.stack])

    def _read(self, text: str) -> dict:
        """Record the text; return the traits that show it."""
        journeys = record_journeys(self.model, self.tokenizer, text)
        check_length(journeys)
        self.journeys = journeys
        return wire(journeys, self.tokenizer, self.model.config.positions)

    def _read_again(self, _change):
        with self._one_at_a_time:
            text, was_last = self.text, self.token == len(self.journeys[self.stack].tokens) - 1
            try:
                shown = self._read(text)
            except ValueError as error:  # an empty text, one that is too long: what was shown stays
                self.message = str(error)
                return
            with self.hold_sync():  # one message: the browser never sees new numbers with old tokens
                for name, value in (shown | {"message": "", "heard": text}).items():
                    setattr(self, name, value)
                self._clip()
                if was_last:
                    self.token = len(self.journeys[self.stack].tokens) - 1

    def _write(self, _widget, message, _buffers):
        """Go on with the token that was drawn in the browser: it is written behind the one that was followed."""
        if self.tokenizer is None:
            self.text = " ".join([*self.heard.split()[: message["after"] + 1], str(message["write"])])
            return
        ids = [*self.tokenizer.encode(self.heard)[: message["after"] + 1], message["write"]]
        text = self.tokenizer.decode(ids)
        if text == self.heard:
            self.message = "The token that was drawn ends the text."
        self.text = text

    def _clip(self):
        journey = self.journeys[self.stack]
        self.token = min(self.token, len(journey.tokens) - 1)
        self.station = min(self.station, len(journey.steps))

    @traitlets.validate("stack")
    def _check_stack(self, proposal) -> str:
        if proposal.value not in self.journeys:
            raise ValueError(f"stack must be one of {', '.join(self.journeys)}; got {short_repr(proposal.value)}.")
        return proposal.value

    @traitlets.validate("token", "station", "head")
    def _check_index(self, proposal):
        name, value = proposal.trait.name, proposal.value
        if not self.stack or (name == "head" and value is None):
            return value
        journey = self.journeys[self.stack]
        n = {"token": len(journey.tokens), "station": len(journey.steps) + 1, "head": self.model.config.n_heads}[name]
        if not 0 <= value < n:
            raise ValueError(f"{name} must be a whole number from 0 to {n - 1}; got {value}.")
        return value

    @traitlets.observe("stack")
    def _other_stack(self, _change):
        if self.stack:
            self._clip()

    @traitlets.validate("temperature")
    def _check_temperature(self, proposal):
        near = min(TEMPERATURES, key=lambda one: abs(one - proposal.value))
        if not abs(near - proposal.value) < 1e-6:
            raise ValueError(f"temperature must be 0, 0.1, 0.2 ... or 2; got {proposal.value}.")
        return near

    def _page(self) -> str:
        state = {name: getattr(self, name) for name in self.own_traits()}
        state |= {"lessons": {}, "text": self.heard, "message": ""}
        return saved_page.page(self.title, self._module, self._sheet, state)

    def draw(self, figure):
        """The journey of the token that is followed, what the station reads, and what is said at the end."""
        draw_tour(figure, self)

    def __repr__(self):
        return f"ModelTour({self.title}, {self.stack}, token {self.token + 1}, {self.stations[self.station]})"


def describe(model) -> str:
    """One line about the model."""
    config = model.config
    sizes = f"{config.n_layers} blocks, {config.n_heads} heads, vectors of {config.d_model} numbers"
    return f"{type(model).__name__}, {sizes}"


def addresses() -> dict[str, str]:
    """Where each lesson is, seen from the notebook that runs; empty outside the folder of the course."""
    course, here = Path(__file__).resolve().parents[2], Path.cwd()
    paths = {number: course / "notebooks" / name for number, name in NOTEBOOKS.items()}
    if not here.is_relative_to(course):
        return {}
    return {str(n): os.path.relpath(path, here).replace(os.sep, "/") for n, path in paths.items() if path.is_file()}


def check_length(journeys: dict[str, Journey]) -> None:
    """Raise ValueError if there are more tokens, or weights, than can be shown."""
    for journey in journeys.values():
        if (T := len(journey.tokens)) > MOST_TOKENS:
            raise ValueError(f"A tour has room for {MOST_TOKENS} tokens; got {T}: give a shorter text.")
    n = sum(one.weights.size for journey in journeys.values() for one in journey.attention.values())
    if n > MOST_WEIGHTS:
        raise ValueError(f"A tour has room for {MOST_WEIGHTS:,} weights of attention; got {n:,}: give a shorter text.")


def station_names(journey: Journey) -> list[str]:
    """Name the stations of a stack: its steps, and the end."""
    steps = [part if block is None else f"block {block + 1}: {part}" for block, part in journey.steps]
    return [*steps, "output" if journey.name == "encoder" else "next token"]


def wire(journeys: dict[str, Journey], tokenizer, positions: str) -> dict:
    """Return the traits `stacks`, `weights` and `romanised`: what is shown, with three significant digits."""
    stacks, weights, n = [], [], 0
    for journey in journeys.values():
        starts = {}
        for part in journey.attention:
            seen = seen_weights(journey, part)
            starts[part], n = n, n + seen.size
            weights.append(to_float16_bytes(seen))
        stacks.append(wire_stack(journey, tokenizer) | {"starts": starts, "positions": positions})
    labels = {label for stack in stacks for texts in (stack["tokens"], stack["words"]) for label in texts}
    foreign = {label: latin for label in sorted(labels) if (latin := romanised(label)) != label}
    return {"stacks": stacks, "weights": b"".join(weights), "romanised": foreign}


def seen_weights(journey: Journey, part: str) -> np.ndarray:
    """The weights (L, H, T, S) for the browser; where the future is masked, without it: (L, H, T (T + 1) / 2)."""
    weights = journey.attention[part].weights
    if not is_causal(journey, part):
        return weights
    rows, columns = np.tril_indices(weights.shape[2])
    return weights[:, :, rows, columns]


def is_causal(journey: Journey, part: str) -> bool:
    """Whether no token reads those behind it, as in a decoder whose mask is in place."""
    return journey.name == "decoder" and part == "attention" and not np.triu(journey.attention[part].weights, 1).any()


def wire_stack(journey: Journey, tokenizer) -> dict:
    """Return a journey's tokens, sizes, and what could be said, as JSON.

    sizes: start (T) and added, sum, after, cosine (S, T), the last one that between the vector and what is added.
    words: every token that is named in said and end. said: ids into words and probabilities (S, T, k). end: ids and
    logits (T, k), below the largest, and for each temperature the logarithm of the sum of all exp(logit / temperature).
    """
    record = journey.attention["attention"]
    shown = {
        "name": journey.name,
        "tokens": [visible(token) for token in journey.tokens],
        "steps": [list(step) for step in journey.steps],
        "n_layers": record.weights.shape[0], "n_heads": record.weights.shape[1],
        "causal": is_causal(journey, "attention"),
        "pre_norm": not isinstance(journey.norm, nn.Identity),  # which ends a post-norm stack
        "keys": {part: [visible(key) for key in one.key_tokens] for part, one in journey.attention.items()},
        "sizes": {name: rounded(values) for name, values in sizes(journey).items()},
        "words": [], "said": None, "end": None, "follows": None,
    }  # fmt: skip
    if journey.head is None:
        return shown
    k = min(SAID, journey.logits.shape[-1])
    probabilities, ids = journey.lens(k)
    end, log_sums = ending(journey.logits)
    words = Words(tokenizer)
    return shown | {
        "said": {"ids": words.numbers(ids), "probabilities": rounded(probabilities)},
        "end": {"ids": words.numbers(end.indices), "logits": rounded(end.values, 6), "log_sums": rounded(log_sums, 6)},
        "follows": [None if i is None else words.number(i) for i in journey.follows],
        "n_words": journey.logits.shape[-1],
        "words": words.labels,
        "word_ids": list(words.known),
    }


def sizes(journey: Journey) -> dict[str, Tensor]:
    """The norms of the vectors of a journey, and the cosine between each vector and what is added to it."""
    cosine = torch.cosine_similarity(journey.before, journey.added, dim=-1)  # 0 where nothing is added
    named = {"start": journey.start, "added": journey.added, "sum": journey.sums, "after": journey.after}
    return {name: vectors.norm(dim=-1) for name, vectors in named.items()} | {"cosine": cosine}


def ending(logits: Tensor) -> tuple:
    """The largest logits (T, k), less the largest, with their ids; and for each temperature log(sum of powers) (T,)."""
    logits = logits.double()
    logits = logits - logits.amax(dim=-1, keepdim=True)
    log_sums = torch.stack([(logits / (t or 1.0)).logsumexp(dim=-1) for t in TEMPERATURES])
    return logits.topk(min(LAST_SAID, logits.shape[-1])), log_sums


def rounded(values: Tensor, digits: int = 3) -> list:
    """The numbers as nested lists, each with so many significant digits."""
    array = values.detach().double().cpu().numpy()
    short = np.frompyfunc(lambda x: float(f"{x:.{digits}g}"), 1, 1)
    return short(array).tolist()


class Words:
    """Numbers the tokens that are named, so that each label is sent once."""

    def __init__(self, tokenizer):
        self.tokenizer, self.labels, self.known = tokenizer, [], {}

    def number(self, i: int) -> int:
        if i not in self.known:
            self.known[i] = len(self.labels)
            self.labels.append(f"id {i}" if self.tokenizer is None else visible(self.tokenizer.tokens([i])[0]))
        return self.known[i]

    def numbers(self, ids: Tensor) -> list:
        rows = ids.reshape(-1, ids.shape[-1]).tolist()
        flat = [[self.number(i) for i in row] for row in rows]
        return flat if ids.ndim == 2 else [flat[i : i + ids.shape[1]] for i in range(0, len(flat), ids.shape[1])]

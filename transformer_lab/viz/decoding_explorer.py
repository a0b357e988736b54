"""DecodingExplorer: write a text token by token against a model's probabilities, beside greedy, sampling and beams.

The browser gets all logits of the next token, so that temperature and filters redraw the distribution without a kernel;
what needs the model (the next step, draws, beams) is computed here, by the package's own functions.
"""

import json
import threading

import torch
import torch.nn.functional as F
import traitlets
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..analysis.access import our_model
from ..analysis.transformers_models import checked_text
from ..arguments import check_at_least, check_between, check_text, is_whole
from ..data.tokenizers import our_tokenizer
from ..generation import generate
from ..generation.beam_search import LARGEST_PENALTY
from ..generation.beam_tree import Beam, beam_tree
from ..generation.sampling import Sampler, check_sampling, keep_min_p, keep_top_k, keep_top_p
from ..models import GPT, Transformer, evaluating
from ..sentences import short_repr
from . import saved_page
from .attention_view import title_of
from .browser_files import module, sheet
from .decoding_picture import draw_decoding
from .explorer import Explorer
from .inputs import romanised, visible
from .model_tour import describe, rounded

MOST_NEW, MOST_READ = 64, 512  # tokens: to be written, and of the text
MOST_BEAMS, HOTTEST, N_DRAWS = 5, 2.0, 10
NAMED = 40  # so many of the most likely tokens have a label


class DecodingExplorer(Explorer):
    """Write what a model could write: `DecodingExplorer(model, tokenizer, text)`, for a GPT or a Transformer.

    A GPT goes on with the text, a Transformer translates it, with `max_new_tokens` at most. `written` holds the ids
    chosen so far; `temperature`, `top_k`, `top_p` and `min_p` (None: off) change the distribution of the next token,
    `beams` and `length_penalty` the search (1 beam is greedy decoding). Both Python and the browser may set these, and
    `text`. `probabilities`, `log_prob`, `greedy_log_prob`, `best` and `tree` are what is seen; `draw_ten()` draws ten
    texts that begin with what is written. Raises ValueError for other models, and for a text that is empty or too long.
    """

    _module = module("decoding_explorer")
    _sheet = sheet("decoding_explorer")
    title = "decoding, token by token"
    step = traitlets.Dict().tag(sync=True)  # as `_next` makes it: what is written, and what could follow
    logits = traitlets.Bytes().tag(sync=True)  # of what could follow, float32, the largest first, less the largest
    search = traitlets.Dict().tag(sync=True)  # as `_search` makes it: the beams, and greedy's log-probabilities
    draws = traitlets.Dict().tag(sync=True)  # as `draw_ten` makes it
    answered = traitlets.List().tag(sync=True)  # written, beams, length_penalty: what the above belong to
    romanised = traitlets.Dict().tag(sync=True)  # what is not in Latin letters, in these
    about = traitlets.Unicode().tag(sync=True)
    text = traitlets.Unicode().tag(sync=True)
    heard = traitlets.Unicode().tag(sync=True)  # the text that was read last: what is shown
    message = traitlets.Unicode().tag(sync=True)  # why another could not be read
    written = traitlets.List().tag(sync=True)
    temperature = traitlets.Float(1.0).tag(sync=True)
    top_k = traitlets.Int(None, allow_none=True).tag(sync=True)
    top_p = traitlets.Float(None, allow_none=True).tag(sync=True)
    min_p = traitlets.Float(None, allow_none=True).tag(sync=True)
    beams = traitlets.Int(1).tag(sync=True)
    length_penalty = traitlets.Float(1.0).tag(sync=True)

    def __init__(self, model: nn.Module, tokenizer, text, max_new_tokens: int = 24, **settings):
        check_at_least("max_new_tokens", max_new_tokens, 1)
        check_between("max_new_tokens", max_new_tokens, 1, MOST_NEW)
        self.max_new_tokens = max_new_tokens
        self.model, self.tokenizer = our_model(model, GPT, Transformer), our_tokenizer(tokenizer)
        self.stop = [] if self.tokenizer.eos_id is None else [self.tokenizer.eos_id]
        # JupyterLab may deliver changes on several threads: one at a time, with the latest choices.
        self._one_at_a_time = threading.RLock()
        self._begin(checked_text(text))
        super().__init__(about=describe(self.model), text=text, heard=text, **settings)
        self._answer()
        self.observe(self._read_again, names="text")
        self.observe(self._answer_again, names=["written", "beams", "length_penalty"])
        self.on_msg(self._asked)

    def _begin(self, text: str) -> None:
        """Encode the text: what the decoder begins with, what an encoder has read, and what greedy decoding writes."""
        ids, most = self.tokenizer.encode(text), min(MOST_READ, self.model.config.max_len)
        if not ids:
            raise ValueError("There is nothing to begin with: the text is empty.")
        if len(ids) > most:
            raise ValueError(f"There is room for a text of {most} tokens; got {len(ids)}: shorten the text.")
        read = torch.tensor([ids], device=next(self.model.parameters()).device)
        is_translator = isinstance(self.model, Transformer)
        start = read.new_tensor([[self.tokenizer.id_of("bos")]]) if is_translator else read
        room = min(self.max_new_tokens, self.model.config.max_len - start.shape[1] + 1)
        source = read if is_translator else None
        self._greedy = beam_tree(self.model, start, room, 1, source=source, stop=self.stop)
        self._start, self._source, self.room, self._searched = start, source, room, None

    @torch.inference_mode()
    def _log_probs(self, new: Int[Tensor, "B n"]) -> Float[Tensor, "B m V"]:
        """The log-probabilities of each new token in its turn and, where the model can read them all, of the next."""
        ids = torch.cat((self._start.expand(len(new), -1), new.to(self._start)), dim=1)[:, : self.model.config.max_len]
        with evaluating(self.model):
            memory = {}
            if self._source is not None:
                memory = {"memory": self.model.encode(self._source).expand(len(new), -1, -1)}
            hidden = self.model.decode(ids, **memory)[:, self._start.shape[1] - 1 :]
            log_probs = self.model.logits(hidden).float().log_softmax(dim=-1)
        if log_probs.isnan().any():
            raise ValueError("The model's logits are NaN: it has diverged, or its weights are damaged.")
        return log_probs

    def _next(self, written: list[int]) -> tuple[dict, bytes]:
        """Return the traits `step` and `logits`."""
        new = torch.tensor([written], dtype=torch.long)
        log_probs = self._log_probs(new)[0]
        own = log_probs[: len(written)].gather(1, new.T.to(log_probs.device))[:, 0]
        self._own, self.next_log_probs = own.double(), log_probs[-1]
        is_over, is_full = bool(written) and written[-1] in self.stop, len(written) >= self.room
        order = self.next_log_probs.argsort(descending=True, stable=True)
        if is_over or is_full:
            order = order[:0]
        step = {
            "labels": self._labels(written), "log_probs": rounded(own, 6), "text": self._said(written),
            "is_over": is_over, "is_full": is_full, "room": self.room,
            "ids": order[:NAMED].tolist(), "names": self._labels(order[:NAMED].tolist()),
        }  # fmt: skip
        largest_first = self.next_log_probs[order]
        return step, (largest_first - largest_first[:1]).cpu().numpy().astype("<f4").tobytes()

    def _search(self) -> dict:
        """Return the trait `search`: every beam as a node of a tree, the texts at its ends, and greedy's way."""
        options = {"source": self._source, "stop": self.stop}
        self._tree = self._greedy
        if self.beams > 1:
            self._tree = beam_tree(self.model, self._start, self.room, self.beams, self.length_penalty, **options)
        beams, best = self._tree
        number = {beam.ids: n for n, beam in enumerate(beams)}
        nodes = [
            {
                "parent": number.get(beam.ids[:-1], -1), "id": beam.ids[-1], "label": self._labels(beam.ids[-1:])[0],
                "step": len(beam.ids), "total": round(beam.total, 4), "is_finished": beam.is_finished,
                "is_best": beam.ids == best[: len(beam.ids)],
            }
            for beam in beams
        ]  # fmt: skip
        scores = {beam: beam.score(self.length_penalty) for beam in self.ends}
        texts = [
            self._told(beam.ids, beam.total, beam.is_finished) | {"score": round(score, 4), "is_best": beam.ids == best}
            for beam, score in sorted(scores.items(), key=lambda one: -one[1])
        ]
        return {"nodes": nodes, "texts": texts, "greedy": [round(beam.total, 4) for beam in self._greedy[0]]}

    @property
    def ends(self) -> list[Beam]:
        """The beams that a stop ended, and those that were left open after the last step."""
        last = max(len(beam.ids) for beam in self._tree[0])
        return [beam for beam in self._tree[0] if beam.is_finished or len(beam.ids) == last]

    @property
    def tree(self) -> list[Beam]:
        """Every beam that the search kept, in order."""
        return self._tree[0]

    @property
    def best(self) -> list[int]:
        """The new ids that the search returns."""
        return list(self._tree[1])

    @property
    def log_prob(self) -> float:
        """The log-probability of what is written so far, in nats."""
        return self._own.sum().item()

    @property
    def greedy_log_prob(self) -> float:
        """That of as many tokens of greedy decoding, or of all that it writes."""
        totals = [0.0, *(beam.total for beam in self._greedy[0])]
        return totals[min(len(self.written), len(totals) - 1)]

    @property
    def sampling(self) -> dict:
        """The options of `generate` that are in force; at temperature 0 there is nothing to filter."""
        filters = {"top_k": self.top_k, "top_p": self.top_p, "min_p": self.min_p}
        return {"temperature": self.temperature} | (filters if self.temperature else {})

    @property
    def probabilities(self) -> Float[Tensor, "V"]:
        """The distribution of the next token after temperature and filters, by id."""
        if not self.temperature:
            return F.one_hot(self.next_log_probs.argmax(), len(self.next_log_probs)).float()
        logits = self.next_log_probs[None] / self.temperature
        for keep, value in ((keep_top_k, self.top_k), (keep_top_p, self.top_p), (keep_min_p, self.min_p)):
            logits = logits if value is None else keep(logits, value)
        return logits.softmax(dim=-1)[0]

    def draw_one(self, seed: int | None = None) -> None:
        """Write one more token, drawn from `probabilities`."""
        with self._one_at_a_time:
            self._check_open()
            self.written = [*self.written, int(Sampler(**self.sampling, seed=seed)(self.next_log_probs[None].cpu()))]

    def draw_ten(self, seed: int | None = None) -> None:
        """Draw ten texts that begin with what is written; `draws` holds each once, with how often it came."""
        with self._one_at_a_time:
            self._check_open()
            begun = torch.cat((self._start, self._start.new_tensor([self.written], dtype=torch.long)), dim=1)
            source = None if self._source is None else self._source.expand(N_DRAWS, -1)
            ids = generate(self.model, begun.expand(N_DRAWS, -1), self.room - len(self.written), source=source,
                           stop=self.stop or None, seed=seed, **self.sampling)[:, self._start.shape[1] :]  # fmt: skip
            sums = self._log_probs(ids)[:, : ids.shape[1]].gather(2, ids[..., None])[..., 0].double().cumsum(dim=1)
            found: dict[tuple[int, ...], list[float]] = {}
            for row, totals in zip(ids.tolist(), sums.tolist(), strict=True):
                n = next((n for n, i in enumerate(row, 1) if i in self.stop), len(row))
                found.setdefault(tuple(row[:n]), []).append(totals[n - 1])
            texts = [self._told(row, totals[0], row[-1] in self.stop) | {"times": len(totals)} for row, totals in
                     sorted(found.items(), key=lambda one: (-len(one[1]), -one[1][0]))]  # fmt: skip
            number = self.draws.get("number", 0) + 1  # equal draws, too, are an answer
            self.draws = {"texts": texts, "written": self.written, "settings": self.sampling, "number": number}
            self.romanised = self._foreign()

    def _check_open(self) -> None:
        if not self.step["ids"]:
            raise ValueError("Nothing follows: the text has ended, or there is no room. Shorten what is written.")

    def _told(self, ids, total: float, is_finished: bool) -> dict:
        return {"text": self._said(ids), "n": len(ids), "total": round(total, 4), "is_finished": is_finished}

    def _said(self, ids) -> str:
        """The text of ids on one line."""
        known = [i for i in ids if i < len(self.tokenizer)]
        return self.tokenizer.decode(known).replace("\n", "↵")

    def _labels(self, ids) -> list[str]:
        """Each token by itself; a model may have more ids than its tokenizer has tokens."""
        known = len(self.tokenizer)
        return [visible(self.tokenizer.tokens([i])[0]) if i < known else f"id {i}" for i in ids]

    def _asked(self, _widget, message, _buffers):
        """The browser asks for what needs the model."""
        self.draw_ten() if message["draw"] == "ten" else self.draw_one()

    def _read_again(self, _change):
        with self._one_at_a_time:
            text = self.text
            if text == self.heard:  # an earlier call has read it
                self.message = ""
                return
            try:
                self._begin(text)
            except ValueError as error:  # an empty text, one that is too long: what was shown stays
                self.message = str(error)
                return
            with self.hold_sync():  # one message: the browser never sees new numbers with an old text
                self.heard, self.message = text, ""
                if self.written:
                    self.written = []  # and this is answered
                else:
                    self._answer()

    def _answer_again(self, _change):
        with self._one_at_a_time:
            if self.answered != [self.written, self.beams, self.length_penalty]:  # else an earlier call has answered
                self._answer()

    def _answer(self):
        """Show what follows what is written now, and what the search with these settings finds."""
        asked = [list(self.written), self.beams, self.length_penalty]
        step, logits = self._next(asked[0])
        with self.hold_sync():
            self.step, self.logits = step, logits
            if self._searched != asked[1:]:
                self.search, self._searched = self._search(), asked[1:]
            if self.draws and self.draws["written"] != asked[0]:
                self.draws = {}
            self.romanised = self._foreign()
            self.answered = asked

    def _foreign(self) -> dict[str, str]:
        """What is shown in other letters than Latin ones, in these."""
        shown = set(json.dumps([self.step, self.search, self.draws], ensure_ascii=False))
        return {char: latin for char in sorted(shown) if (latin := romanised(char)) != char}

    @traitlets.validate("text")
    def _check_text(self, proposal) -> str:
        check_text(proposal.value)
        return proposal.value

    @traitlets.validate("written")
    def _check_written(self, proposal) -> list[int]:
        ids, n = proposal.value, self.model.config.vocab_size
        if len(ids) > self.room:
            raise ValueError(f"written has room for {self.room} tokens; got {len(ids)}.")
        for at, i in enumerate(ids, 1):
            if not is_whole(i) or not 0 <= i < n:
                raise ValueError(f"written must hold ids from 0 to {n - 1}; got {short_repr(i)}.")
            if i in self.stop and at < len(ids):
                raise ValueError(f"Nothing is written behind the token that ends a text, {i}; got {short_repr(ids)}.")
        return [int(i) for i in ids]

    @traitlets.validate("temperature", "top_k", "top_p", "min_p")
    def _check_sampling(self, proposal):
        name, value = proposal.trait.name, proposal.value
        if name == "temperature":
            check_between(name, value, 0, HOTTEST)
        else:
            check_sampling(1.0, **{name: value})
        return value

    @traitlets.validate("beams", "length_penalty")
    def _check_search(self, proposal):
        name, value = proposal.trait.name, proposal.value
        if name == "beams":
            check_at_least(name, value, 1)
            check_between(name, value, 1, MOST_BEAMS)
        else:
            check_between(name, value, -LARGEST_PENALTY, LARGEST_PENALTY)
        return value

    def _page(self) -> str:
        state = {name: getattr(self, name) for name in self.own_traits()} | {"text": self.heard, "message": ""}
        return saved_page.page(title_of(self.model, self.heard), self._module, self._sheet, state)

    def draw(self, figure):
        """What could follow; and the beams as a tree, if there are several."""
        draw_decoding(figure, self)

    def __repr__(self):
        written = self.step["text"]
        return (
            f"DecodingExplorer({short_repr(self.heard)}: {len(self.written)} tokens written, {written!r}, "
            f"log-probability {self.log_prob:z.2f})"
        )

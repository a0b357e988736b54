"""LadderExplorer: one text down a ladder of language models, what each writes and what it expects, side by side.

The models work in a thread of their own, the first rung first, so that a slow one keeps neither the notebook nor the
quick ones waiting; each place of a text is recorded, so that the browser can show it without a kernel.
"""

import json
import threading
import time
from functools import cache

import traitlets

from ..arguments import check_at_least, check_between, check_seed, check_text
from ..baselines import CharacterNgrams
from ..data.python_docs import topics
from ..sentences import short_repr
from . import saved_page
from .browser_files import module, sheet
from .explorer import Explorer
from .inputs import romanised
from .ladder_picture import draw_ladder
from .ladder_rungs import Rung, ends_of_words, rung, write

MOST_RUNGS, MOST_CHARACTERS, LONGEST, HOTTEST = 6, 2000, 200, 2.0
MOST_RECORDS = 8  # texts with their settings
SIGN = 0.25  # seconds between two signs of life
TEXT = "The with statement"


class LadderExplorer(Explorer):
    """Go on with one text by several language models: `LadderExplorer({name: rung, ...}, text)`, one to six of them.

    A rung is a table of characters (`CharacterNgrams`), a (model, tokenizer), or a (function, tokenizer) whose function
    gives the logits of the next token for a list of ids; without any, there are tables of pairs and of five characters,
    counted in the topics of Python's `help()`. Each writes `length` characters or a little more, or to its stop. Python
    and the browser may set `text`, `temperature` (0: always the likeliest), `seed` and `place`: how many characters
    stand before the place whose next token is shown. `texts` and `next_tokens` are what is seen, by name; `wait()`
    returns when all rungs have written. Raises ValueError for other rungs, and for a text that is empty or too long.
    """

    _module = module("ladder_explorer")
    _sheet = sheet("ladder_explorer")
    title = "one text down a ladder of models"
    rungs = traitlets.List().tag(sync=True)  # [name, a line about it]
    answers = traitlets.Dict().tag(sync=True)  # by name, those that are complete, as `write` makes them
    answered = traitlets.List().tag(sync=True)  # text, temperature, seed: what the answers belong to
    progress = traitlets.Dict().tag(sync=True)  # who is writing: name, text, n (tokens); {} when all are done
    records = traitlets.List().tag(sync=True)  # [text, temperature, seed, answers, stops], the latest last
    stops = traitlets.List().tag(sync=True)  # the places in the text
    romanised = traitlets.Dict().tag(sync=True)  # what is not in Latin letters, in these
    text = traitlets.Unicode().tag(sync=True)
    heard = traitlets.Unicode().tag(sync=True)  # the text that was read last: what is shown
    message = traitlets.Unicode().tag(sync=True)  # why another could not be read
    temperature = traitlets.Float(0.8).tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)
    place = traitlets.Int(0).tag(sync=True)

    def __init__(self, rungs=None, text=TEXT, length: int = 80, **settings):
        self._rungs = checked_rungs(default_rungs() if rungs is None else rungs)
        check_at_least("length", length, 1)
        check_between("length", length, 1, LONGEST)
        self.length = length
        self._lock, self._worker = threading.Lock(), None
        self._n_asked = self._n_answered = 0
        check_text(text)
        check_length(text)
        told = [[name, one.about] for name, one in self._rungs.items()]
        super().__init__(rungs=told, text=text, **{"place": len(text)} | settings)
        self._answer(self._asks(), lambda: True)
        self.observe(self._ask, names=["text", "temperature", "seed"])

    def _asks(self) -> list:
        return [self.text, self.temperature, self.seed]

    def _ask(self, _change) -> None:
        """Have the thread answer what is wanted now, and give up what it is at."""
        with self._lock:
            self._n_asked += 1
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, daemon=True)
                self._worker.start()

    def _work(self) -> None:
        while True:
            with self._lock:
                number, asked = self._n_asked, self._asks()
                if number == self._n_answered:
                    self._worker = None
                    return
            try:
                self._answer(asked, lambda number=number: number == self._n_asked)
            except Exception as error:  # a learner's function may raise anything: it must not end the view
                known = isinstance(error, ValueError)
                self.message = str(error) if known else f"{type(error).__name__}: {error}"
                self.progress = {}
            with self._lock:
                self._n_answered = number

    def wait(self) -> None:
        """Return when all rungs have written what is wanted now."""
        while (worker := self._worker) is not None and worker is not threading.current_thread():
            worker.join()

    def _answer(self, asked: list, is_wanted) -> None:
        """Let each rung write, the first first, and show each answer when it is complete."""
        text, temperature, seed = asked
        check_length(text)
        known = next((one[3] for one in self.records if one[:3] == asked), None)
        with self.hold_sync():  # one message: the browser never sees new numbers with an old text
            if text != self.heard:
                self.stops = ends_of_words(text)
                if self.heard:
                    self.place = len(text)
            self.heard, self.message, self.progress = text, "", {}
            self.answers, self.answered = known or {}, asked
            self.romanised = self._foreign()
        if known:
            return
        last = time.monotonic()
        for name, one in self._rungs.items():
            self.progress = {"name": name, "text": "", "n": 0}
            for answer in write(one, text, self.length, temperature, seed):
                if not is_wanted():
                    return
                if time.monotonic() - last > SIGN:
                    n = len(answer["places"]) - answer["n_before"]
                    self.progress, last = {"name": name, "text": answer["text"], "n": n}, time.monotonic()
            with self.hold_sync():
                self.answers = self.answers | {name: answer}
                self.romanised = self._foreign()
        with self.hold_sync():
            self.progress = {}
            self.records = [*self.records, [*asked, self.answers, self.stops]][-MOST_RECORDS:]

    @property
    def texts(self) -> dict[str, str]:
        """What each rung wrote behind the text."""
        self.wait()
        return {name: one["text"] for name, one in self.answers.items()}

    @property
    def next_tokens(self) -> dict[str, list[tuple[str, float]]]:
        """Each rung's most likely tokens at the place, with their probabilities, the likeliest first."""
        return {name: [(token, share) for token, share in one["rows"]] for name, one in self.here.items()}

    @property
    def shown_place(self) -> int:
        """The place, or in the text the end of a word before it (before the first word's end, that one)."""
        self.wait()
        before = [stop for stop in self.stops if stop <= self.place] or self.stops[:1]
        return self.place if self.place > self.stops[-1] else before[-1]

    @property
    def here(self) -> dict[str, dict]:
        """The record of each rung's place: that of the token which has the character behind `place`."""
        self.wait()
        return {name: one["places"][index_at(one["places"], self.place)] for name, one in self.answers.items()}

    def _foreign(self) -> dict[str, str]:
        """What is shown in other letters than Latin ones, in these."""
        shown = {*self.romanised, *self.heard, *json.dumps(self.answers, ensure_ascii=False)}
        return {char: latin for char in sorted(shown) if (latin := romanised(char)) != char}

    @traitlets.validate("text")
    def _check_text(self, proposal) -> str:
        check_text(proposal.value)
        return proposal.value

    @traitlets.validate("temperature", "seed", "place")
    def _check_number(self, proposal):
        name, value = proposal.trait.name, proposal.value
        if name == "seed":
            check_seed(value)
        elif name == "temperature":
            check_between(name, value, 0, HOTTEST)
        else:
            check_at_least(name, value, 0)
        return value

    def _page(self) -> str:
        self.wait()
        state = {name: getattr(self, name) for name in self.own_traits()} | {"text": self.heard, "message": ""}
        return saved_page.page(self.title, self._module, self._sheet, state)

    def draw(self, figure):
        """What each rung wrote, and its most likely tokens at the place."""
        self.wait()
        draw_ladder(figure, self)

    def __repr__(self):
        self.wait()
        texts = [f"{name} goes on {short_repr(text)}" for name, text in self.texts.items()]
        return f"LadderExplorer({short_repr(self.heard)}: {'; '.join(texts)})"


def index_at(places: list[dict], place: int) -> int:
    """The index of the last place that is not behind this one, or the first; of half characters the first half."""
    at = max((one["at"] for one in places if one["at"] <= place), default=places[0]["at"])
    return next(i for i, one in enumerate(places) if one["at"] == at)


def check_length(text: str) -> None:
    """Raise ValueError for a text that is empty or too long."""
    if not text.strip():
        raise ValueError("There is nothing to begin with: the text is empty.")
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"There is room for {MOST_CHARACTERS:,} characters; got {len(text):,}: shorten the text.")


def checked_rungs(given) -> dict[str, Rung]:
    """One to six rungs by name; ValueError for anything else."""
    if not isinstance(given, dict) or not 1 <= len(given) <= MOST_RUNGS:
        raise ValueError(f"rungs must be a dict of one to six, by name; got {short_repr(given)}.")
    return {str(name): rung(name, one) for name, one in given.items()}


@cache
def default_rungs() -> dict[str, CharacterNgrams]:
    """Tables of two and of five characters, counted in the topics of help()."""
    text = "\n".join(topic.text for topic in topics())
    return {"pairs": CharacterNgrams(text, 2), "five characters": CharacterNgrams(text, 5)}

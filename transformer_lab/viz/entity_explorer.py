"""EntityExplorer: a sentence, the names that taggers find in it, and how sure they are of each word.

`names_in` is all that the explorer adds to a tagger: which words form a name, and its score.
"""

import threading

import torch
import traitlets
from jaxtyping import Float
from torch import Tensor

from ..analysis.access import our_model
from ..arguments import check_at_least, check_text
from ..classifiers import Tagger
from ..data.entities import WORD, Sentence
from ..data.tokenizers import our_tokenizer
from ..models import evaluating
from ..optional import require_packages
from ..sentences import listed, short_repr
from ..tasks.labelling import Tagging
from . import saved_page
from .browser_files import module, sheet
from .entity_picture import draw_entities
from .explorer import Explorer
from .ladder_rungs import checked, place_of

MOST_TAGGERS, MOST_WORDS = 3, 60
MOST_RECORDS = 8  # sentences with what was found in them
Name = tuple[str, int, int, float]


@torch.no_grad()
def tag_scores(model, tokenizer, words) -> Float[Tensor, "words labels"]:
    """The tagger's score of each tag for each word, as Tagging.scores reads them, without dropout."""
    with evaluating(model):
        return Tagging(model, tokenizer, (), {}).scores([tuple(words)])[0]


def names_in(tags: list[str], sureness: list[float] | None = None) -> list[Name]:
    """(type, first word, last word, score) of each name in BIO tags; an I- without its B- begins one all the same.

    The score is the lowest of its words' probabilities, 1 without any: a name is as sure as its least sure word.
    """
    require_packages("Entities", "seqeval")
    from seqeval.metrics.sequence_labeling import get_entities

    sureness = [1.0] * len(tags) if sureness is None else sureness
    return [(kind, first, last, min(sureness[first : last + 1])) for kind, first, last in get_entities(list(tags))]


class EntityExplorer(Explorer):
    """Names in a sentence: `EntityExplorer((model, tokenizer), sentences)`, or up to three taggers as {name: pair}.

    A tagger is one of transformer_lab with BIO tags, and its tokenizer. Each sentence is a text, or a `Sentence`, whose
    tags say what is right; one to eight are read at once, the last is shown, and a saved page can show all of them.
    Python and the browser may set `text` and `word`, the number of the word whose tags are shown, from 0. `names` is by
    tagger what was found: (type, first word, last word, score). Raises ValueError for other taggers, and for a text
    that is empty or too long.
    """

    _module = module("entity_explorer")
    _sheet = sheet("entity_explorer")
    title = "a sentence, and the names that are found in it"
    taggers = traitlets.List().tag(sync=True)  # [name, a line about it]
    records = traitlets.List().tag(sync=True)  # the sentences so far, the latest last, each as `_read` makes it
    text = traitlets.Unicode().tag(sync=True)
    heard = traitlets.Unicode().tag(sync=True)  # the text that was read last: what is shown
    message = traitlets.Unicode().tag(sync=True)  # why another could not be read
    word = traitlets.Int(0).tag(sync=True)

    def __init__(self, taggers, sentences, word: int = 0):
        self._taggers = checked_taggers(taggers)
        sentences = [sentences] if isinstance(sentences, str | Sentence) else list(sentences)
        if not 1 <= len(sentences) <= MOST_RECORDS:
            raise ValueError(f"sentences must be 1 to {MOST_RECORDS}; got {len(sentences)}.")
        self._truths = {text_of(one): list(one.tags) for one in sentences if isinstance(one, Sentence)}
        # JupyterLab may deliver changes on several threads: read one sentence at a time, the latest.
        self._one_at_a_time = threading.Lock()
        records = [self._read(text_of(one)) for one in sentences]
        told = [[name, f"{sum(p.numel() for p in model.parameters()):,} parameters"]
                for name, (model, _) in self._taggers.items()]  # fmt: skip
        text = records[-1]["text"]
        super().__init__(taggers=told, records=records, text=text, heard=text, word=word)
        self.observe(self._read_again, names="text")

    def _read(self, text: str) -> dict:
        """A sentence as the browser shows it: its words, the right names if known, and what each tagger says."""
        check_text(text)
        words = WORD.findall(text)
        if not words:
            raise ValueError("There is nothing to read: the text is empty.")
        if len(words) > MOST_WORDS:
            raise ValueError(f"There is room for {MOST_WORDS} words; got {len(words)}: shorten the text.")
        truth = self._truths.get(text)
        found = {name: read_by(*one, words, truth) for name, one in self._taggers.items()}
        return {
            "text": text,
            "words": words,
            "truth": truth and [list(one[:3]) for one in names_in(truth)],
            "found": found,
        }

    def _read_again(self, _change) -> None:
        with self._one_at_a_time:
            text = self.text
            if text == self.heard:  # an earlier call has read it
                self.message = ""
                return
            try:
                record = self._read(text)
            except ValueError as error:  # what was shown stays
                self.message = str(error)
                return
            others = [one for one in self.records if one["text"] != text]
            with self.hold_sync():  # one message: the browser never sees new names with an old text
                self.records = [*others, record][-MOST_RECORDS:]
                self.heard, self.message, self.word = text, "", 0

    @traitlets.validate("text")
    def _check_text(self, proposal) -> str:
        check_text(proposal.value)
        return proposal.value

    @traitlets.validate("word")
    def _check_word(self, proposal) -> int:
        check_at_least("word", proposal.value, 0)
        last = len(self.records[-1]["words"]) - 1
        if proposal.value > last:
            raise ValueError(f"word must be a whole number from 0 to {last}; got {proposal.value}.")
        return proposal.value

    @property
    def record(self) -> dict:
        """The sentence that is shown: the latest of `records`."""
        return self.records[-1]

    @property
    def names(self) -> dict[str, list[Name]]:
        """By tagger the names that were found: (type, first word, last word, score)."""
        return {name: [tuple(one) for one in found["names"]] for name, found in self.record["found"].items()}

    @property
    def tags(self) -> dict[str, list[tuple[str, float]]]:
        """By tagger each word's likeliest tag, with its probability."""
        return {
            name: [tuple(place["rows"][0]) for place in found["places"]] for name, found in self.record["found"].items()
        }

    def _page(self) -> str:
        state = {name: getattr(self, name) for name in self.own_traits()} | {"text": self.heard, "message": ""}
        return saved_page.page(self.title, self._module, self._sheet, state)

    def draw(self, figure):
        """The sentence as each tagger reads it, with its names in boxes."""
        draw_entities(figure, self)

    def __repr__(self):
        words = self.record["words"]
        found = [f"{name} {listed(map(str, told), 'and') if told else 'nothing'}" for name, told in (
            (name, [f"{' '.join(words[first : last + 1])} ({kind})" for kind, first, last, _ in names])
            for name, names in self.names.items())]  # fmt: skip
        return f"EntityExplorer({short_repr(self.heard)}: {'; '.join(found)})"


def read_by(model: Tagger, tokenizer, words: list[str], truth: list[str] | None) -> dict:
    """What a tagger says of each word, as `place_of` makes it, and the names that its likeliest tags form."""
    labels = list(model.labels)
    scores = checked(tag_scores(model, tokenizer, words))
    right = [labels.index(tag) if tag in labels else None for tag in truth or [None] * len(words)]
    places = [
        place_of(lambda ids: [labels[i] for i in ids], row, own, 0.0) for row, own in zip(scores, right, strict=True)
    ]
    best = [place["rows"][0] for place in places]
    return {"places": places, "names": [list(one) for one in names_in(*map(list, zip(*best, strict=True)))]}


def text_of(sentence) -> str:
    """The text of a Sentence, its words with spaces between them; a text stays as it is."""
    if isinstance(sentence, Sentence):
        return " ".join(sentence.words)
    check_text(sentence)
    return sentence


def checked_taggers(given) -> dict[str, tuple[Tagger, object]]:
    """One to three taggers of ours with their tokenizers, by name; ValueError for anything else."""
    given = {"the tagger": given} if isinstance(given, tuple) else given
    if not isinstance(given, dict) or not 1 <= len(given) <= MOST_TAGGERS:
        raise ValueError(f"taggers must be (model, tokenizer), or one to three in a dict; got {short_repr(given)}.")
    for name, one in given.items():
        if not isinstance(one, tuple) or len(one) != 2:
            raise ValueError(f"A tagger must be (model, tokenizer); got {short_repr(one)} for {short_repr(name)}.")
    return {str(name): (our_model(model, Tagger), our_tokenizer(one)) for name, (model, one) in given.items()}

"""An encoder learns to classify: the module that a docstring comes from, and words that name persons or places.

Classification and Tagging take any labeller, new or put on an old model, and any examples; Modules and Entities are
the course's tasks of either kind, whose models begin from nothing.
"""

import warnings
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..analysis.reading import text_attention
from ..arguments import check_texts
from ..classifiers import Classifier, Labeller, Tagger
from ..config import TransformerConfig
from ..data import docstring_modules, entities
from ..data.docstring_modules import Example
from ..data.entities import Sentence
from ..data.long_text import watched
from ..data.tokenizers import BPETokenizer, Tokenizer, shortened
from ..device import seed_everything
from ..metrics import entity_f1
from ..models import evaluating, not_nan
from ..optional import require_packages
from .task import IGNORED, Task

STYLE = dict(dropout=0.1)  # the model would soon memorise a few thousand short texts
AT_ONCE = 64  # texts that are labelled in one batch
CERTAIN = 30.0  # a score that leaves no doubt


def base_of(model: Labeller) -> dict[str, str]:
    """A checksum of the old model of which only what was learnt is kept: with another one that would be worthless."""
    adaptation: Any = getattr(model, "adaptation", None)
    return {} if adaptation is None else {"base": adaptation.checksum}


class Classification(Task):
    """Texts, each with one label; the label of an Example is an index in model.labels."""

    metric = "accuracy"
    tokenizer: Tokenizer
    model: Classifier

    def __init__(
        self,
        model: Classifier,
        tokenizer: Tokenizer,
        labelled: Sequence[Example],
        test: Sequence[Example],
        description: dict | None = None,
    ):
        self.description = description or {}
        self.model, self.tokenizer, self.labelled, self.test = model, tokenizer, labelled, test
        texts = [example.text for example in labelled]
        ids = map(self.encode, watched(texts, sum(map(len, texts)), "Texts to tokens"))
        self.examples = list(zip(ids, (example.label for example in labelled), strict=True))
        self.lengths = [len(ids) for ids, _ in self.examples]

    def contents(self):
        return {"data": self.labelled, "held_out": self.test, "tokenizer": self.tokenizer, **base_of(self.model)}

    def encode(self, text: str) -> list[int]:
        """The ids of a text, cut to the length that the model can read."""
        return shortened(self.tokenizer, self.tokenizer.encode(text), self.model.config.max_len)

    def collate(self, examples) -> dict[str, Tensor]:
        ids, mask = self.tokenizer.pad([ids for ids, _ in examples])
        return {"ids": ids, "mask": mask, "labels": torch.tensor([label for _, label in examples])}

    def logits(self, network, batch):
        return network(batch["ids"], batch["mask"])

    def chances(self, texts: Sequence[str]) -> Float[Tensor, "texts labels"]:
        """The probability of each label, for each text."""
        found = [torch.zeros(0, len(self.model.labels))]
        for start in range(0, len(texts), AT_ONCE):
            ids, mask = self.tokenizer.pad([self.encode(text) for text in texts[start : start + AT_ONCE]])
            found.append(not_nan(self.model(ids.to(self.device), mask.to(self.device))).softmax(dim=-1).cpu())
        return torch.cat(found)

    def predict(self, texts: Sequence[str]) -> list[int]:
        """The most probable label of each text."""
        return self.chances(texts).argmax(dim=-1).tolist()

    def evaluate(self) -> dict[str, float]:
        predicted = self.predict([example.text for example in self.test])
        hits = sum(guess == example.label for guess, example in zip(predicted, self.test, strict=True))
        return {"accuracy": hits / len(self.test)}

    def sample(self) -> str:
        text = self.test[0].text
        return f"{text!r} -> {self.model.labels[self.predict([text])[0]]}"

    def attention(self):
        return text_attention(self.model, self.tokenizer, self.encode(self.test[0].text)[:40])


class Tagging(Task):
    """Sentences with a tag for each word, BIO: a B- and an I- for each type, and O. Test sets have names.

    The first test set is the one by which models are compared, unless `metric` says otherwise.
    """

    tokenizer: Tokenizer
    model: Tagger

    def __init__(
        self,
        model: Tagger,
        tokenizer: Tokenizer,
        sentences: Sequence[Sentence],
        tests: dict[str, Sequence[Sentence]],
        description: dict | None = None,
        metric: str | None = None,
    ):
        if tests:
            require_packages("Measuring named entities", "seqeval")
        self.description, self.metric = description or {}, metric or next(iter(tests), "")
        self.model, self.tokenizer, self.sentences, self.tests = model, tokenizer, sentences, tests
        self.examples = [self.encode(sentence.words, sentence.tags) for sentence in sentences]
        self.lengths = [len(example[0]) for example in self.examples]

    def contents(self):
        return {"data": self.sentences, "held_out": self.tests, "tokenizer": self.tokenizer, **base_of(self.model)}

    def pieces(self, words) -> tuple[list[int], list[int | None]]:
        """The ids of a sentence and, for each that begins a word, the index of that word; None for all others.

        A tokenizer that has [CLS] and [SEP], or what stands for these, puts them around the sentence.
        """
        ids, words_of_ids = self.tokenizer.encode_words(words)
        begun = [None if word == before else word for before, word in pairwise([None, *words_of_ids])]
        if (first := self.tokenizer.cls_id) is not None and (last := self.tokenizer.sep_id) is not None:
            ids, begun = [first, *ids, last], [None, *begun, None]
        if len(ids) > self.model.config.max_len:
            raise ValueError(
                f"A sentence has {len(ids)} tokens; this model's max_len is {self.model.config.max_len}: split it."
            )
        return ids, begun

    def encode(self, words, tags) -> tuple[list[int], list[int]]:
        """(ids, labels): a word's tag is the label of its first piece; all other pieces are IGNORED."""
        ids, begun = self.pieces(words)
        return ids, [IGNORED if word is None else self.model.labels.index(tags[word]) for word in begun]

    def collate(self, examples) -> dict[str, Tensor]:
        ids, mask = self.tokenizer.pad([ids for ids, _ in examples])
        labels, _ = self.tokenizer.pad([labels for _, labels in examples])
        return {"ids": ids, "mask": mask, "labels": labels.masked_fill(~mask, IGNORED)}

    def logits(self, network, batch):
        return network(batch["ids"], batch["mask"])

    def scores(self, sentences) -> list[Float[Tensor, "words labels"]]:
        """The model's score of each tag for each word; sentences are tuples of words."""
        found = []
        for start in range(0, len(sentences), AT_ONCE):
            pieces = [self.pieces(words) for words in sentences[start : start + AT_ONCE]]
            ids, mask = self.tokenizer.pad([ids for ids, _ in pieces])
            logits = not_nan(self.model(ids.to(self.device), mask.to(self.device))).cpu()
            for words, (_, begun), row in zip(sentences[start:], pieces, logits, strict=False):
                # A word of which the tokenizer leaves nothing has no row: it is O.
                certain = torch.tensor([CERTAIN * (label == "O") for label in self.model.labels])
                scores = certain.repeat(len(words), 1)
                for place, word in enumerate(begun):
                    if word is not None:
                        scores[word] = row[place]
                found.append(scores)
        return found

    def best(self, scores: Float[Tensor, "words labels"]) -> tuple[str, ...]:
        """The tag with the highest score, for each word."""
        return tuple(self.model.labels[label] for label in scores.argmax(dim=-1))

    def predict(self, sentences) -> list[list[str]]:
        """The tags of each sentence, which is a tuple of words."""
        return [list(self.best(scores)) for scores in self.scores(sentences)]

    def evaluate(self) -> dict[str, float]:
        """The entity F1 of each test set."""
        return self.defined(
            {
                kind: entity_f1(self.predict([s.words for s in test]), [list(s.tags) for s in test])
                for kind, test in self.tests.items()
            }
        )

    def sample(self) -> str:
        words = self.tests[self.metric][0].words
        return shown(words, self.predict([words])[0])

    def attention(self):
        return text_attention(self.model, self.tokenizer, self.pieces(self.tests[self.metric][0].words)[0])


def labelled(model: Classifier | Tagger, tokenizer: Tokenizer, texts: Sequence[str]) -> list[str]:
    """A line for each text: the class that a Classifier gives it, and how sure it is; or its words with their tags.

    A word without a tag is O. ValueError for an empty text.
    """
    check_texts("texts", texts)
    if any(not text.strip() for text in texts):
        raise ValueError("There is nothing to label: the text is empty.")
    with evaluating(model), torch.no_grad():
        if isinstance(model, Classifier):
            warn_of_long(model, tokenizer, texts)
            best = Classification(model, tokenizer, [], []).chances(texts).max(dim=-1)
            return [f"{model.labels[i]}  {chance:.2f}" for chance, i in zip(best.values, best.indices, strict=True)]
        task = Tagging(model, tokenizer, [], {})
        sentences = [tuple(entities.WORD.findall(text)) for text in texts]
        return [shown(words, tags) for words, tags in zip(sentences, task.predict(sentences), strict=True)]


def warn_of_long(model: Classifier, tokenizer: Tokenizer, texts: Sequence[str]) -> None:
    """One warning if a text has more tokens than the model reads."""
    longest, most = max((len(tokenizer.encode(text)) for text in texts), default=0), model.config.max_len
    if longest > most:
        warnings.warn(f"A text has {longest} tokens; only the first {most} of a text are read.", stacklevel=3)


def shown(words: Sequence[str], tags: Sequence[str]) -> str:
    """The words, each with its tag if it has one."""
    return " ".join(word if tag == "O" else f"{word}/{tag}" for word, tag in zip(words, tags, strict=True))


class Modules(Classification):
    """Which of ten modules of the standard library does a docstring come from?"""

    def __init__(self, preset: str = "nano", seed: int = 0, **changes):
        labelled, test = docstring_modules.training_examples(seed), docstring_modules.test_examples()
        tokenizer = BPETokenizer.train([example.text for example in labelled], vocab_size=2000)
        changes = {"max_len": 128, **STYLE, **changes}
        config = TransformerConfig.preset(preset, vocab_size=len(tokenizer), **changes)
        seed_everything(seed)
        model = Classifier(config, docstring_modules.MODULES)
        super().__init__(model, tokenizer, labelled, test, {"task": "modules", "seed": seed})


class Entities(Tagging):
    """Which words name persons, places or organisations? Test sentences have new names, then also new templates."""

    def __init__(self, preset: str = "nano", seed: int = 0, **changes):
        sentences = entities.training_sentences(seed=seed)
        tests: dict = {kind: entities.test_sentences(kind) for kind in entities.KINDS}
        # Pieces of words: with whole words as tokens every new name would be [UNK].
        tokenizer = BPETokenizer.train([word for one in sentences for word in one.words], vocab_size=1000)
        config = TransformerConfig.preset(preset, vocab_size=len(tokenizer), **{**STYLE, **changes})
        seed_everything(seed)
        model = Tagger(config, entities.TAGS)
        super().__init__(model, tokenizer, sentences, tests, {"task": "ner", "seed": seed}, metric="new templates")

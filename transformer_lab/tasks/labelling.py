"""An encoder learns to classify: the module that a docstring comes from, and words that name persons or places."""

import torch
from torch import Tensor

from ..analysis.reading import text_attention
from ..classifiers import Classifier, Tagger
from ..config import TransformerConfig
from ..data import docstring_modules, entities
from ..data.tokenizers import BPETokenizer, Tokenizer
from ..device import seed_everything
from ..metrics import entity_f1
from ..optional import require_packages
from .task import IGNORED, Task

STYLE = dict(dropout=0.1)  # the model would soon memorise a few thousand short texts


class Modules(Task):
    """Which of ten modules of the standard library does a docstring come from?"""

    metric = "accuracy"
    tokenizer: Tokenizer
    model: Classifier

    def __init__(self, preset: str = "nano", seed: int = 0, **changes):
        self.description = {"task": "modules", "seed": seed}
        self.labelled, self.test = docstring_modules.training_examples(seed), docstring_modules.test_examples()
        self.tokenizer = BPETokenizer.train([example.text for example in self.labelled], vocab_size=2000)
        changes = {"max_len": 128, **STYLE, **changes}
        config = TransformerConfig.preset(preset, vocab_size=len(self.tokenizer), **changes)
        seed_everything(seed)
        self.model = Classifier(config, docstring_modules.MODULES)
        self.examples = [(self.encode(example.text), example.label) for example in self.labelled]
        self.lengths = [len(ids) for ids, _ in self.examples]

    def contents(self):
        return {"data": self.labelled, "held_out": self.test, "tokenizer": self.tokenizer}

    def encode(self, text: str) -> list[int]:
        """The ids of a text, cut to the length that the model can read."""
        return self.tokenizer.encode(text)[: self.model.config.max_len]

    def collate(self, examples) -> dict[str, Tensor]:
        ids, mask = self.tokenizer.pad([ids for ids, _ in examples])
        return {"ids": ids, "mask": mask, "labels": torch.tensor([label for _, label in examples])}

    def logits(self, network, batch):
        return network(batch["ids"], batch["mask"])

    def predict(self, texts: list[str]) -> list[int]:
        """The most probable label of each text."""
        predicted = []
        for start in range(0, len(texts), 64):
            ids, mask = self.tokenizer.pad([self.encode(text) for text in texts[start : start + 64]])
            predicted += self.model(ids.to(self.device), mask.to(self.device)).argmax(dim=-1).tolist()
        return predicted

    def evaluate(self) -> dict[str, float]:
        predicted = self.predict([example.text for example in self.test])
        hits = sum(guess == example.label for guess, example in zip(predicted, self.test, strict=True))
        return {"accuracy": hits / len(self.test)}

    def sample(self) -> str:
        text = self.test[0].text
        return f"{text!r} -> {self.model.labels[self.predict([text])[0]]}"

    def attention(self):
        return text_attention(self.model, self.tokenizer, self.encode(self.test[0].text)[:40])


class Entities(Task):
    """Which words name persons, places or organisations? Test sentences have new names, then also new templates."""

    metric = "new templates"
    tokenizer: Tokenizer
    model: Tagger

    def __init__(self, preset: str = "nano", seed: int = 0, **changes):
        require_packages("Measuring named entities", "seqeval")
        self.description = {"task": "ner", "seed": seed}
        self.sentences = entities.training_sentences(seed=seed)
        self.tests = {kind: entities.test_sentences(kind) for kind in entities.KINDS}
        # Pieces of words: with whole words as tokens every new name would be [UNK].
        self.tokenizer = BPETokenizer.train([word for one in self.sentences for word in one.words], vocab_size=1000)
        self.examples = [self.encode(sentence.words, sentence.tags) for sentence in self.sentences]
        self.lengths = [len(ids) for ids, _ in self.examples]
        config = TransformerConfig.preset(preset, vocab_size=len(self.tokenizer), **{**STYLE, **changes})
        seed_everything(seed)
        self.model = Tagger(config, entities.TAGS)

    def contents(self):
        return {"data": self.sentences, "held_out": self.tests, "tokenizer": self.tokenizer}

    def encode(self, words, tags=None) -> tuple[list[int], list[int]]:
        """(ids, labels): a word's tag is the label of its first piece; its other pieces are IGNORED."""
        ids, words_of_ids = self.tokenizer.encode_words(words)
        labels, previous = [], None
        for word in words_of_ids:
            is_first = word != previous
            labels.append(entities.TAGS.index(tags[word] if tags else "O") if is_first else IGNORED)
            previous = word
        return ids, labels

    def collate(self, examples) -> dict[str, Tensor]:
        ids, mask = self.tokenizer.pad([ids for ids, _ in examples])
        labels, _ = self.tokenizer.pad([labels for _, labels in examples])
        return {"ids": ids, "mask": mask, "labels": labels.masked_fill(~mask, IGNORED)}

    def logits(self, network, batch):
        return network(batch["ids"], batch["mask"])

    def predict(self, sentences) -> list[list[str]]:
        """The tags of each sentence, which is a tuple of words."""
        if not sentences:
            return []
        batch = self.collate([self.encode(words) for words in sentences])
        best = self.model(batch["ids"].to(self.device), batch["mask"].to(self.device)).argmax(dim=-1).cpu()
        first = batch["labels"] != IGNORED
        return [[entities.TAGS[i] for i in row[is_first]] for row, is_first in zip(best, first, strict=True)]

    def evaluate(self) -> dict[str, float]:
        """The entity F1 of each test set."""
        return self.defined(
            {
                kind: entity_f1(self.predict([s.words for s in test]), [list(s.tags) for s in test])
                for kind, test in self.tests.items()
            }
        )

    def sample(self) -> str:
        words = self.tests["new templates"][0].words
        tags = self.predict([words])[0]
        return " ".join(word if tag == "O" else f"{word}/{tag}" for word, tag in zip(words, tags, strict=True))

    def attention(self):
        return text_attention(self.model, self.tokenizer, self.encode(self.tests["new templates"][0].words)[0])

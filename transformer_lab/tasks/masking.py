"""An encoder learns to fill in hidden words of Python's documentation (masked language modelling, BERT)."""

import re
from collections.abc import Iterable, Iterator
from functools import cached_property

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor

from ..analysis.reading import text_attention
from ..arguments import generator_from
from ..config import TransformerConfig
from ..data import python_docs
from ..data.documents import Document
from ..data.masking import mask_tokens
from ..data.tokenizers import Tokenizer
from ..data.word_pieces import WordPieceTokenizer
from ..device import seed_everything
from ..filling import fill_masks
from ..models import BERT
from .task import IGNORED, Task

STYLE = dict(positions="rotary", scale_embeddings=False)  # rotary: a short text is read as a part of a long one is
SAMPLE = "[MASK] a copy of the string with leading and trailing [MASK] removed."


class Masked(Task):
    """The model learns windows of max_len tokens, in which some are hidden; whole documents are held out."""

    metric = "accuracy"
    tokenizer: Tokenizer
    model: BERT

    def __init__(
        self,
        only_topics: bool = False,
        vocab_size: int = 6000,
        rate: float = 0.15,
        preset: str = "nano",
        seed: int = 0,
        tokenizer: Tokenizer | None = None,
        **changes,
    ):
        self.description = {
            "task": "masked",
            "only_topics": only_topics,
            "vocab_size": vocab_size,
            "rate": rate,
            "seed": seed,
        }
        self.rate, self.about = rate, python_docs.describe(only_topics)
        self.training, self.validation = (
            list(paragraphs(side)) for side in python_docs.train_and_validation(only_topics)
        )
        self.tokenizer = tokenizer or WordPieceTokenizer.train(self.training, vocab_size)
        seed_everything(seed)
        changes = {**STYLE, "masked_lm_head": True, **changes}
        self.model = BERT(TransformerConfig.preset(preset, vocab_size=len(self.tokenizer), **changes))

    @cached_property
    def ids(self) -> Int[Tensor, "n"]:
        """All paragraphs of the training text in a row, each between [CLS] and [SEP]."""
        return in_a_row(self.tokenizer, self.training)

    @property  # computed from the ids, which a model that is only evaluated does not need
    def examples(self) -> range:  # type: ignore[override]
        """The positions at which a window may begin."""
        return range(len(self.ids) - self.model.config.max_len + 1)

    @cached_property
    def held_out_rows(self) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B T"]]:
        """(inputs, labels) of the validation text, cut into windows: the same tokens are hidden each time."""
        max_len = self.model.config.max_len
        ids = in_a_row(self.tokenizer, self.validation)
        windows = ids[: len(ids) // max_len * max_len].view(-1, max_len)
        return self.hide(windows, random=0.0, keep=0.0, generator=generator_from(0))

    def hide(self, windows: Int[Tensor, "B T"], **options) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B T"]]:
        special = [self.tokenizer.id_of(role) for role in self.tokenizer.special]
        mask_id = self.tokenizer.id_of("mask")
        return mask_tokens(windows, mask_id, len(self.tokenizer), special, self.rate, **options)

    def collate(self, starts: list[int]) -> dict[str, Tensor]:
        """Labels for the hidden tokens only, and where they are: scores of all others would be computed for nothing."""
        windows = torch.stack([self.ids[start : start + self.model.config.max_len] for start in starts])
        inputs, labels = self.hide(windows)
        asked = labels != IGNORED
        where = asked.long().argsort(dim=1, descending=True, stable=True)[:, : max(1, int(asked.sum(dim=1).max()))]
        return {"ids": inputs, "where": where, "labels": labels.gather(1, where)}

    @property
    def is_padded(self) -> bool:
        return True  # [CLS] and [SEP] are never hidden, and their number differs

    def contents(self):
        return {"data": self.training, "held_out": self.validation, "tokenizer": self.tokenizer}

    def logits(self, network, batch):
        hidden = network(batch["ids"])
        asked = hidden.gather(1, batch["where"][..., None].expand(-1, -1, hidden.shape[-1]))
        return self.model.masked_lm_logits(asked)

    def evaluate(self) -> dict[str, float]:
        """For the hidden tokens of the validation text: the share that is right, of words alone too, and the loss."""
        tokens = self.tokenizer.tokens(range(len(self.tokenizer)))
        is_word = torch.tensor([any(map(str.isalpha, token)) for token in tokens])
        nats, right, words = [], [], []
        for inputs, labels in zip(*(part.split(64) for part in self.held_out_rows), strict=True):
            asked = labels != IGNORED
            hidden = self.model(inputs.to(self.device))[asked.to(self.device)]
            logits, wanted = self.model.masked_lm_logits(hidden[None])[0].float().cpu(), labels[asked]
            nats.append(F.cross_entropy(logits, wanted, reduction="none"))
            right.append(logits.argmax(dim=-1) == wanted)
            words.append(is_word[wanted])
        found, among_words = torch.cat(right).double(), torch.cat(words)
        return self.defined(
            {
                "accuracy": found.mean().item(),
                "word_accuracy": found[among_words].mean().item(),
                "validation_loss": torch.cat(nats).double().mean().item(),
            }
        )

    def sample(self) -> str:
        """A sentence with hidden words, and what the model would write there."""
        guesses = (f"{best[0][0]} {best[0][1]:.0%}" for best in fill_masks(self.model, self.tokenizer, SAMPLE, k=1))
        return f"{SAMPLE} -> {', '.join(guesses)}"

    def attention(self):
        return text_attention(self.model, self.tokenizer, self.tokenizer.encode(SAMPLE, special=True))


def paragraphs(documents: Iterable[Document]) -> Iterator[str]:
    """The documents' paragraphs, without lines that hold no letter, such as those below a heading."""
    for document in documents:
        for paragraph in re.split(r"\n[ \t]*\n", document.text):
            lines = [line.strip() for line in paragraph.split("\n") if any(map(str.isalpha, line))]
            if lines:
                yield "\n".join(lines)


def in_a_row(tokenizer: Tokenizer, texts: list[str]) -> Int[Tensor, "n"]:
    """The ids of all texts, one behind the other."""
    return torch.from_numpy(tokenizer.encode_chunks(texts).astype("int64"))

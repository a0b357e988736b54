"""What the training loop needs to know about a task, and nothing more."""

import hashlib
import math
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..data.long_text import LongText
from ..data.tokenizers import Tokenizer

IGNORED = -100  # the label of a position at which nothing is to be predicted; cross_entropy's own default


class Task:
    """Examples, the model that learns from them, and how to evaluate it.

    description   which task this is, so that it can be made again for a saved model: {"task": "dates", ...}
    examples      what is trained on; lengths: one for each, if a batch should hold examples of similar length
    held_out      what evaluate() measures on
    about         a sentence on the data, if they are not the same everywhere
    metric        the metric of evaluate() by which models are compared
    """

    description: dict
    model: nn.Module
    tokenizer: Tokenizer | None = None
    examples: Sequence
    lengths: list[int] | None = None
    held_out: Any = None
    about = ""
    metric: str
    higher_is_better = True

    def collate(self, examples: list) -> dict[str, Tensor]:
        """A batch of tensors; "labels" is what the model should predict, IGNORED where it should predict nothing."""
        raise NotImplementedError

    def logits(self, network: nn.Module, batch: dict[str, Tensor]) -> Float[Tensor, "*labels classes"]:
        """The network's score for each class at each label; the network computes the same as self.model."""
        raise NotImplementedError

    def loss(
        self, logits: Float[Tensor, "*labels classes"], batch: dict[str, Tensor], label_smoothing: float = 0.0
    ) -> Float[Tensor, ""]:
        """The loss of a batch, summed over its labels: cross-entropy, unless the task has another."""
        return summed_loss(logits, batch["labels"], label_smoothing)

    def evaluate(self) -> dict[str, float]:
        """How good the model is on examples that it was not trained on."""
        raise NotImplementedError

    def defined(self, metrics: dict[str, float]) -> dict[str, float]:
        """The metrics that are defined: NaN would look like a bad result. ValueError if self.metric is not defined."""
        if math.isnan(metrics[self.metric]):
            raise ValueError(
                f"{self.metric}, by which models of this task are compared, is not a number: "
                "the model is broken, or the held-out examples do not define it."
            )
        return {name: value for name, value in metrics.items() if not math.isnan(value)}

    def sample(self) -> str:
        """What the model does with one example at this point of training, as text."""
        raise NotImplementedError

    def attention(self) -> tuple:
        """Its attention on an example: (attention (L, H, T, S), query tokens, key tokens), as for AttentionView."""
        raise NotImplementedError

    @property
    def is_padded(self) -> bool:
        """Do batches differ in shape, because examples differ in length?"""
        return self.lengths is not None

    @property
    def device(self) -> torch.device:
        """The device that the model is on."""
        return next(self.model.parameters()).device

    def contents(self) -> dict:
        """What a trained model depends on: the training examples, in order, the held-out ones and the tokenizer."""
        return {"data": self.examples, "held_out": self.held_out, "tokenizer": self.tokenizer}

    def fingerprint(self) -> dict[str, str]:
        """A hash of each of the contents: kept with a run, and compared when it is resumed or evaluated."""
        return {name: content_hash(content) for name, content in self.contents().items()}

    def identity(self) -> dict:
        """What is saved with a trained model: the description and the fingerprint."""
        return {**self.description, "fingerprint": self.fingerprint()}


def summed_loss(
    logits: Float[Tensor, "*labels classes"], labels: Int[Tensor, "*labels"], label_smoothing: float = 0.0
) -> Float[Tensor, ""]:
    """Cross-entropy in nats, summed over the labels that are not IGNORED."""
    return F.cross_entropy(
        logits.flatten(end_dim=-2).float(),
        labels.flatten(),
        ignore_index=IGNORED,
        reduction="sum",
        label_smoothing=label_smoothing,
    )


NAMED = {
    "data": "the training examples",
    "held_out": "the held-out examples",
    "tokenizer": "the tokenizer",
    "base": "the model that it was learnt on",
}


def check_fingerprint(kept: dict[str, str] | None, found: dict[str, str], folder: Path | str, remedy: str) -> None:
    """Raise ValueError, which ends in the remedy, if the run in folder was begun with contents other than those found.

    A run of an older version has kept no fingerprint (None), which gives a warning.
    """
    if not isinstance(kept, dict):
        warnings.warn(
            f"{folder} does not say what data its model was trained with: these may be different ones.",
            stacklevel=2,
        )
        return
    differ = [name for name, value in found.items() if name in kept and kept[name] != value]
    if differ:
        listed = " and ".join(NAMED[name] for name in differ)
        verb = "is" if differ in (["tokenizer"], ["base"]) else "are"
        raise ValueError(f"{folder} was trained on something else: {listed} {verb} different now; {remedy}.")


def content_hash(content) -> str:
    """Sixteen hexadecimal digits of the SHA-256 of a text, tensor, tokenizer, or of any collection of values."""
    digest = hashlib.sha256()
    for piece in pieces(content):
        digest.update(piece)
    return digest.hexdigest()[:16]


def pieces(content) -> Iterator[bytes]:
    """Bytes that stand for the content; for an object whose repr does not show its content, the name of its class."""
    if isinstance(content, str):
        yield content.encode("utf-8", "surrogatepass")
    elif isinstance(content, LongText):
        yield from content.pieces
    elif isinstance(content, Tensor):
        yield f"{content.dtype} {tuple(content.shape)} ".encode()
        yield content.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
    elif isinstance(content, Tokenizer):
        # Its file holds more, but each version of the library writes that differently.
        vocabulary = content.tokenizer.get_vocab()
        yield from pieces([sorted(content.special.items()), sorted(vocabulary, key=vocabulary.__getitem__)])
    elif isinstance(content, dict):
        yield from pieces(list(content.items()))
    elif isinstance(content, list | tuple):
        for item in content:
            yield from pieces(item)
            yield b"\0"
        yield f"{len(content)} items ".encode()
    else:
        shown = type(content).__qualname__ if type(content).__repr__ is object.__repr__ else repr(content)
        yield shown.encode("utf-8", "surrogatepass")

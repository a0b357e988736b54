"""What the training loop needs to know of a task, and nothing more."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

IGNORED = -100  # the label of a position at which nothing is to be predicted; cross_entropy's own default


class Task:
    """Examples, the model that learns from them, and how good it is.

    description   says which task this is, so that a saved model can be evaluated again: {"task": "dates", ...}
    examples      what is trained on; lengths: one for each, if batches are to hold examples of similar length
    about         a sentence on the data, where it is not the same everywhere
    metric        which of evaluate()'s numbers says how good the model is
    """

    description: dict
    model: nn.Module
    tokenizer = None
    examples: list
    lengths: list[int] | None = None
    about = ""
    metric: str
    higher_is_better = True

    def collate(self, examples: list) -> dict[str, Tensor]:
        """A batch of tensors; "labels" are what is to be predicted, IGNORED where nothing is."""
        raise NotImplementedError

    def logits(self, network: nn.Module, batch: dict[str, Tensor]) -> Float[Tensor, "*labels classes"]:
        """What network, which computes what self.model does, predicts: a score for each class at each label."""
        raise NotImplementedError

    def evaluate(self) -> dict[str, float]:
        """How good the model is on examples that it was not trained on."""
        raise NotImplementedError

    def sample(self) -> str:
        """What the model does now with one example, as text."""
        raise NotImplementedError

    def attention(self) -> tuple:
        """Its attention meanwhile: (attention (L, H, T, S), query tokens, key tokens), as AttentionView takes it."""
        raise NotImplementedError

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

"""A BERT with one linear layer on top, which labels texts or tokens (Devlin et al. 2018, section 4)."""

from dataclasses import replace
from typing import TypeVar

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from .arguments import check_texts
from .blocks import initialise
from .config import TransformerConfig
from .models import BERT
from .sentences import short_repr

L = TypeVar("L", bound="Labeller")


class Labeller(BERT):
    """The base of Classifier and Tagger: named labels, and a linear layer that scores them."""

    def __init__(self, config: TransformerConfig, labels):
        # Leave out BERT's own heads: distributed training would wait for gradients of parameters that get none.
        super().__init__(replace(config, pooler=False, masked_lm_head=False))
        self.labels = checked_labels(labels)
        self.head = nn.Linear(config.d_model, len(self.labels))
        initialise(self)

    @classmethod
    def on(cls: type[L], base: BERT, labels) -> L:
        """Return a labeller whose body is a copy of this BERT, its own heads left out, and whose head is new."""
        model = cls(base.config, labels)
        for part in ("embedding", "encoder"):
            getattr(model, part).load_state_dict(getattr(base, part).state_dict())
        return model.eval()


def checked_labels(labels) -> tuple[str, ...]:
    """The labels as a tuple; ValueError unless they are different texts, at least one."""
    check_texts("labels", labels)
    labels = tuple(labels)
    if not labels or len(set(labels)) < len(labels) or not all(isinstance(label, str) for label in labels):
        raise ValueError(f"labels must be different texts, at least one; got {short_repr(labels)}.")
    return labels


class Classifier(Labeller):
    """One label for each text, from the mean of its tokens' vectors."""

    def forward(
        self,
        ids: Int[Tensor, "B T"],
        mask: Bool[Tensor, "B T"] | None = None,
        segments: Int[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "B n_labels"]:
        hidden = super().forward(ids, mask, segments)
        if mask is None:
            return self.head(hidden.mean(dim=1))
        total = (hidden * mask[..., None]).sum(dim=1)
        return self.head(total / mask.sum(dim=1, keepdim=True).clamp(min=1))


class Tagger(Labeller):
    """One label for each token."""

    def forward(
        self,
        ids: Int[Tensor, "B T"],
        mask: Bool[Tensor, "B T"] | None = None,
        segments: Int[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "B T n_labels"]:
        return self.head(super().forward(ids, mask, segments))

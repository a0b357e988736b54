"""The other layers of a block: feed-forward, normalisation and the residual connection."""

from collections.abc import Callable, Collection
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from .arguments import check_choice, check_texts

# gelu_tanh is the approximation that GPT-2 was trained with; swiglu applies silu to its gate.
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "swiglu": F.silu,
}


class FeedForward(nn.Module):
    """W2 activation(W1 x), applied at every position alike (Vaswani et al. 2017, section 3.3).

    swiglu multiplies the hidden layer by a gate: W2 (silu(W_gate x) * W1 x) (Shazeer 2020, arXiv:2002.05202).
    """

    def __init__(self, d_model: int, d_ff: int, activation: str = "relu", bias: bool = True):
        super().__init__()
        check_choice("activation", activation, ACTIVATIONS)
        self.w_1, self.w_2 = nn.Linear(d_model, d_ff, bias), nn.Linear(d_ff, d_model, bias)
        self.w_gate = nn.Linear(d_model, d_ff, bias) if activation == "swiglu" else None
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        if self.w_gate is None:
            return self.w_2(self.activation(self.w_1(x)))
        return self.w_2(self.activation(self.w_gate(x)) * self.w_1(x))


class LayerNorm(nn.Module):
    """Normalise each position's features to mean 0 and variance 1, then scale and shift them (arXiv:1607.06450).

    Computes gamma * (x - mean) / sqrt(variance + eps) + beta in one fused operation of torch.
    """

    def __init__(self, d_model: int, eps: float = 1e-5):
        super().__init__()
        self.eps = eps
        self.gamma, self.beta = nn.Parameter(torch.ones(d_model)), nn.Parameter(torch.zeros(d_model))

    def forward(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        return F.layer_norm(x, self.gamma.shape, self.gamma, self.beta, self.eps)


class RMSNorm(nn.Module):
    """Normalise each position's features to mean square 1, then scale them (Zhang, Sennrich 2019, arXiv:1910.07467).

    Computes gamma * x / sqrt(mean(x^2) + eps): LayerNorm without subtracting the mean and without the shift.
    """

    def __init__(self, d_model: int, eps: float = 1e-5):
        super().__init__()
        self.eps, self.gamma = eps, nn.Parameter(torch.ones(d_model))

    def forward(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        return F.rms_norm(x, self.gamma.shape, self.gamma, self.eps)


NORMS = {"layer": LayerNorm, "rms": RMSNorm}


class Residual(nn.Module):
    """Adds a sub-layer's output to its input; the norm comes before the sub-layer ("pre") or after the sum ("post").

    post: norm(x + f(x)), Vaswani et al. 2017; pre: x + f(norm(x)), Xiong et al. 2020 (arXiv:2002.04745).
    """

    def __init__(self, norm: nn.Module, norm_position: str, dropout: float = 0.0):
        super().__init__()
        check_choice("norm_position", norm_position, ("pre", "post"))
        self.norm, self.norm_position, self.dropout = norm, norm_position, nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "B T D"], sublayer) -> Float[Tensor, "B T D"]:
        if self.norm_position == "pre":
            return x + self.dropout(sublayer(self.norm(x)))
        return self.norm(x + self.dropout(sublayer(x)))


def replace_linear(model: nn.Module, names: Collection[str], make: Callable[[nn.Linear], nn.Module]) -> None:
    """Freeze the model, and put make(layer) in the place of every linear layer of these names.

    ValueError, before anything has changed, if there is no layer of one of the names.
    """
    check_texts("names", names)
    found = [
        (parent, name, layer)
        for parent in model.modules()
        for name, layer in parent.named_children()
        if name in names and isinstance(layer, nn.Linear)
    ]
    missing = sorted(set(names) - {name for _, name, _ in found})
    if missing or not found:
        listed = " or ".join(missing)
        raise ValueError(f"The model has no linear layer called {listed}, or it has been replaced already.")
    model.requires_grad_(False)
    for parent, name, layer in found:
        setattr(parent, name, make(layer))

"""What stands around attention in a block: the feed-forward layer, normalisation, the residual path."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class FeedForward(nn.Module):
    """W2 relu(W1 x): the same small network at every position (Vaswani et al. 2017, section 3.3)."""

    def __init__(self, d_model: int, d_ff: int):
        super().__init__()
        self.w_1, self.w_2 = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)

    def forward(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        return self.w_2(self.w_1(x).relu())


class LayerNorm(nn.Module):
    """Mean 0, variance 1 over the features of each position, then a learnt scale and shift (arXiv:1607.06450)."""

    def __init__(self, d_model: int, eps: float = 1e-5):
        super().__init__()
        self.eps = eps
        self.gamma, self.beta = nn.Parameter(torch.ones(d_model)), nn.Parameter(torch.zeros(d_model))

    def forward(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        mean = x.mean(dim=-1, keepdim=True)
        variance = x.var(dim=-1, keepdim=True, unbiased=False)
        return self.gamma * (x - mean) / torch.sqrt(variance + self.eps) + self.beta


class Residual(nn.Module):
    """Adds a sub-layer's output to its input; the norm stands before the sub-layer ("pre") or after the sum ("post").

    post: norm(x + f(x)), Vaswani et al. 2017; pre: x + f(norm(x)), Xiong et al. 2020 (arXiv:2002.04745).
    """

    def __init__(self, d_model: int, norm_position: str):
        super().__init__()
        self.norm, self.norm_position = LayerNorm(d_model), norm_position

    def forward(self, x: Float[Tensor, "B T D"], sublayer) -> Float[Tensor, "B T D"]:
        if self.norm_position == "pre":
            return x + sublayer(self.norm(x))
        return self.norm(x + sublayer(x))

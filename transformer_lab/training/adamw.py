"""AdamW written out to be read (Loshchilov and Hutter 2017, arXiv:1711.05101); `torch.optim.AdamW` is the fast one.

optimiser = AdamW(model.parameters(), lr=2e-3)
optimiser.zero_grad(), loss.backward(), optimiser.step()
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Memory:
    """What is kept of a weight's gradients: running means of them and of their squares, and how many there were."""

    mean: Tensor
    mean_square: Tensor
    n: int = 0


class AdamW:
    """Gradient descent that divides a running mean of the gradients by the root of that of their squares.

    weights: tensors that require a gradient. A weight without one in some step is left as it is. ValueError without
    any weights, or for something else.
    """

    def __init__(self, weights: Iterable[Tensor], lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        self.weights = list(weights)
        if not self.weights:
            raise ValueError("AdamW got no weights; it needs at least one.")
        # A single tensor would pass for a list of its rows, which get no gradients of their own.
        if isinstance(weights, Tensor) or not all(isinstance(w, Tensor) and w.is_leaf for w in self.weights):
            raise ValueError("AdamW needs a list of a model's weights, such as model.parameters().")
        self.lr, self.betas, self.eps, self.weight_decay = lr, betas, eps, weight_decay
        self.memories = [Memory(torch.zeros_like(w), torch.zeros_like(w)) for w in self.weights]

    def zero_grad(self) -> None:
        """Forget the gradients of the last step."""
        for weight in self.weights:
            weight.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move every weight that has a gradient."""
        for weight, memory in zip(self.weights, self.memories, strict=True):
            if weight.grad is not None:
                weight -= self.lr * self.weight_decay * weight  # past the division: that is the W
                weight -= self.lr * self.direction(weight.grad, memory)

    def direction(self, gradient: Tensor, memory: Memory) -> Tensor:
        """Where to go, in steps of about 1: the same shape as the gradient."""
        beta1, beta2 = self.betas
        memory.n += 1
        memory.mean = beta1 * memory.mean + (1 - beta1) * gradient
        memory.mean_square = beta2 * memory.mean_square + (1 - beta2) * gradient**2
        mean = memory.mean / (1 - beta1**memory.n)  # both means began at 0, which makes them too small at first
        mean_square = memory.mean_square / (1 - beta2**memory.n)
        return mean / (mean_square.sqrt() + self.eps)

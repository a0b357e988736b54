"""What the checks draw at random: inputs and sizes, the same for everybody under one seed.

    draw.normal(2, 5, dtype=torch.float64)   # a tensor
    T, S = draw.one_of((4, 7), (5, 8))       # sizes, any of which will do

The generator is the checks' own: an answer that draws random numbers does not change what a check draws.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Draw:
    """A generator that each check starts again from its seed."""

    def __init__(self):
        self.generator = torch.Generator()
        self.begin(0)

    def begin(self, seed: int) -> None:
        """From here on draw from this seed."""
        self.generator.manual_seed(seed)

    def normal(self, *shape: int, dtype=torch.float32) -> Tensor:
        """Random numbers of mean 0.3: with a zero mean some mistakes would cancel."""
        return self.standard(*shape, dtype=dtype) + 0.3

    def standard(self, *shape: int, dtype=torch.float32) -> Tensor:
        """Random numbers of mean 0 and variance 1."""
        return torch.randn(*shape, dtype=dtype, generator=self.generator)

    def uniform(self, *shape: int, dtype=torch.float32) -> Tensor:
        """Random numbers between 0 and 1."""
        return torch.rand(*shape, dtype=dtype, generator=self.generator)

    def integers(self, below: int, *shape: int) -> Tensor:
        """Random whole numbers, from 0 upwards."""
        return torch.randint(below, shape, generator=self.generator)

    def permutation(self, n: int) -> Tensor:
        """The numbers below n in a random order."""
        return torch.randperm(n, generator=self.generator)

    def shuffled(self, values) -> list:
        """The values in a random order."""
        values = list(values)
        return [values[i] for i in self.permutation(len(values))]

    def one_of(self, *options):
        """One of the options."""
        return options[int(self.integers(len(options)))]

    @contextmanager
    def aside(self, seed: int) -> Iterator[None]:
        """Within the block draw from another seed; afterwards continue as if nothing had been drawn."""
        state = self.generator.get_state()
        self.begin(seed)
        try:
            yield
        finally:
            self.generator.set_state(state)

    def made(self, make, *args, **kwargs) -> nn.Module:
        """make(...), a module whose first weights are drawn here too."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(int(self.integers(2**31)))
            return make(*args, **kwargs)


draw = Draw()

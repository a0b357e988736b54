"""Which examples are in which batch: a function of the seed and the step alone, so that any step can be resumed."""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
import torch

from .permutation import permuted

Lengths = Sequence[int] | np.ndarray
NOTHING = np.empty((0, 0), dtype=np.int32)


class Batches:
    """batches(step) -> the indices of that step's examples, in an order drawn anew for each pass over the data.

    Each pass takes every example once, except those that would not fill the last batch. With lengths, examples of
    similar length share a batch, so that little of it is padding. The order of MANY examples without lengths, such as
    the windows of a long text, is not kept in memory.
    """

    MANY = 2**24  # up to here torch draws and holds an order in less than a second and 200 MB
    PART = 1024  # batches of many examples that are drawn at once, which is faster
    POOL = 50  # batches whose examples are sorted by length together: few enough that batches differ between passes

    def __init__(self, n_examples: int, batch_size: int, seed: int, lengths: Lengths | None = None):
        if n_examples < batch_size:
            raise ValueError(f"A batch of {batch_size} needs at least as many examples; there are {n_examples}.")
        self.n_examples, self.batch_size, self.seed = n_examples, batch_size, seed
        self.lengths = None if lengths is None else narrow(lengths)
        self.held, self.batches = (-1, 0), NOTHING

    def __len__(self) -> int:
        """How many batches a pass over the data has."""
        return self.n_examples // self.batch_size

    def __call__(self, step: int) -> list[int]:
        pass_number, index = divmod(step, len(self))
        is_long = self.lengths is None and self.n_examples > self.MANY
        part, index = divmod(index, self.PART) if is_long else (0, index)
        if (pass_number, part) != self.held:
            self.held, self.batches = (pass_number, part), NOTHING  # so that two passes are never in memory at once
            self.batches = self.drawn(pass_number, part) if is_long else self.shuffled(pass_number)
        return self.batches[index].tolist()

    def drawn(self, pass_number: int, part: int) -> np.ndarray:
        """PART of the batches of one pass over many examples, one in each row."""
        first, size = part * self.PART, self.batch_size
        places = np.arange(first * size, min(first + self.PART, len(self)) * size)
        return permuted(places, self.n_examples, self.seed_of(pass_number) % 2**64).reshape(-1, size)

    def seed_of(self, pass_number: int) -> int:
        """A number of 64 bits, from which the order of one pass is drawn."""
        return int.from_bytes(sha256(f"{self.seed} {pass_number}".encode()).digest()[:8], "little", signed=True)

    def shuffled(self, pass_number: int) -> np.ndarray:
        """All batches of one pass, one in each row."""
        rng = torch.Generator().manual_seed(self.seed_of(pass_number))
        dtype = torch.int32 if self.n_examples < 2**31 else torch.int64
        order = torch.randperm(self.n_examples, generator=rng, dtype=dtype, device="cpu").numpy()
        order = order[: len(self) * self.batch_size]
        if self.lengths is None:
            return order.reshape(len(self), self.batch_size)
        self.sort_pools(order, self.lengths)
        batches = order.reshape(len(self), self.batch_size)
        return batches[torch.randperm(len(self), generator=rng, device="cpu").numpy()]

    def sort_pools(self, order: np.ndarray, lengths: np.ndarray) -> None:
        """Sort each pool by length, in place."""
        pool = self.POOL * self.batch_size
        whole = len(order) - len(order) % pool
        # Many pools at once, which is faster, but not all, which would take too much memory.
        pools = np.array_split(order[:whole].reshape(-1, pool), 1 + whole // 2**20)
        for rows in [*pools, order[None, whole:]]:
            by_length = np.argsort(lengths[rows], axis=1, kind="stable")
            rows[:] = np.take_along_axis(rows, by_length, axis=1)


def narrow(lengths: Lengths) -> np.ndarray:
    """The lengths in the smallest integer type that holds them: millions of them are then sorted much faster."""
    lengths = np.asarray(lengths)
    return lengths.astype(np.min_scalar_type(lengths.max()))

"""Which examples are in which batch: a function of the seed and the step alone, so that any step can be resumed."""

import random


class Batches:
    """batches(step) -> the indices of that step's examples, in an order drawn anew for each pass over the data.

    Each pass takes every example once, bar those that do not fill a last batch. With lengths, examples of similar
    length share a batch, so that little of it is padding.
    """

    POOL = 50  # batches whose examples are sorted by length together: a batch still differs from pass to pass

    def __init__(self, n_examples: int, batch_size: int, seed: int, lengths: list[int] | None = None):
        if n_examples < batch_size:
            raise ValueError(f"A batch of {batch_size} needs as many examples; there are {n_examples}.")
        self.n_examples, self.batch_size, self.seed, self.lengths = n_examples, batch_size, seed, lengths
        self.pass_number, self.batches = None, []

    def __len__(self) -> int:
        """How many batches a pass over the data has."""
        return self.n_examples // self.batch_size

    def __call__(self, step: int) -> list[int]:
        pass_number, index = divmod(step, len(self))
        if pass_number != self.pass_number:
            self.pass_number, self.batches = pass_number, self.shuffled(pass_number)
        return self.batches[index]

    def shuffled(self, pass_number: int) -> list[list[int]]:
        """All batches of one pass."""
        rng = random.Random(f"{self.seed} {pass_number}")
        order = rng.sample(range(self.n_examples), len(self) * self.batch_size)
        if self.lengths is not None:
            pool = self.POOL * self.batch_size
            pools = [order[start : start + pool] for start in range(0, len(order), pool)]
            order = [index for pool in pools for index in sorted(pool, key=self.lengths.__getitem__)]
        batches = [order[start : start + self.batch_size] for start in range(0, len(order), self.batch_size)]
        rng.shuffle(batches)
        return batches

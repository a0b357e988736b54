"""Ways to add a place to a token's vector, tried by training: t, t/T, t/32, binary digits, random rows, the clock.

The local task of position_lengths (repeat the token just before this one), the same small decoder, its numbers of about
the size 1; only what is added differs, and nothing of it is trained. Texts of 8 to 32 tokens, one length a batch, so
that t/T is not the same as t/32. Asked at the last places of 16 and 32 tokens. Some ways come twice, in few numbers of
the 64 and in all of them, since how much is added is a difference of its own.

    python experiments/position_ways.py
"""

import torch
import torch.nn.functional as F

from position_lengths import TRAINED, accuracy, local, new_model
from transformer_lab import GPT
from transformer_lab.device import seed_everything
from transformer_lab.positions import sinusoidal_table

WIDTH, SHORTEST, LENGTHS, SEEDS, STEPS = 64, 8, (16, 32), (0, 1, 2, 3, 4), 150


def one_number(values: torch.Tensor) -> torch.Tensor:
    """(T,) -> (T, WIDTH): the values in the first feature, nothing elsewhere."""
    return F.pad(values[:, None], (0, WIDTH - 1))


def all_numbers(values: torch.Tensor) -> torch.Tensor:
    """(T,) -> (T, WIDTH): the values in every feature, with signs + or - drawn once, so that no norm takes them off."""
    signs = torch.randint(2, (WIDTH,), generator=torch.Generator().manual_seed(0)) * 2 - 1
    return values[:, None] * signs


def digits(T: int) -> torch.Tensor:
    """(T, 8): the binary digits of each place, the ones first."""
    return (torch.arange(T)[:, None] >> torch.arange(8) & 1).float()


def random_rows(T: int) -> torch.Tensor:
    """(T, WIDTH): the first T of TRAINED rows of noise, the same at every call."""
    return torch.randn(TRAINED, WIDTH, generator=torch.Generator().manual_seed(0))[:T]


WAYS = {
    "nothing": lambda T: torch.zeros(T, WIDTH),
    "t, to every number": lambda T: torch.arange(T)[:, None].expand(T, WIDTH).float(),
    "t, to one number": lambda T: one_number(torch.arange(T).float()),
    "t/T, to one number": lambda T: one_number(torch.arange(T) / T),
    "t/32, to one number": lambda T: one_number(torch.arange(T) / TRAINED),
    "t/32, to all, with signs": lambda T: all_numbers(torch.arange(T) / TRAINED),
    "binary digits, once": lambda T: F.pad(digits(T), (0, WIDTH - 8)),
    "binary digits, 8 times": lambda T: digits(T).repeat(1, 8),
    "random rows": random_rows,
    "the clock": lambda T: sinusoidal_table(T, WIDTH),
}


class Added(torch.nn.Module):
    """In place of a model's table of positions: adds the rows of one of WAYS for a text of this length."""

    def __init__(self, rows):
        super().__init__()
        self.rows = rows

    def forward(self, x, positions):
        return x + self.rows(x.shape[1])


def train(way: str, seed: int, steps: int) -> GPT:
    """A model of position_lengths, with what this way adds, trained on texts of SHORTEST to TRAINED tokens."""
    seed_everything(seed)
    model, generator = new_model("none"), torch.Generator().manual_seed(seed)
    model.embedding.positions = Added(WAYS[way])
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, steps, pct_start=0.1)
    for _ in range(steps):
        length = int(torch.randint(SHORTEST, TRAINED + 1, (), generator=generator))
        ids, labels, counts = local(64, length, generator)
        loss = F.cross_entropy(model(ids)[counts], labels[counts])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return model.eval()


def run(ways=tuple(WAYS), seeds=SEEDS, steps=STEPS) -> dict:
    """accuracy[way]: one list for each seed, the accuracy at each of LENGTHS."""
    found = {}
    for way in ways:
        models = [train(way, seed, steps) for seed in seeds]
        found[way] = [[round(accuracy(model, "local", length), 3) for length in LENGTHS] for model in models]
        print(way, found[way], flush=True)
    return {"lengths": list(LENGTHS), "steps": steps, "accuracy": found}


if __name__ == "__main__":
    from recording import record

    record(__file__, run)

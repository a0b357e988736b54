"""Five position schemes, trained on 32 tokens and tested at the end of 32, 64 and 128, on two tasks.

local      repeat the token just before this one: only positions matter
retrieval  pairs of a key and a value are scattered among filler, and the last tokens ask for a key's value: only
           content matters. (A pair is a single token, so it can be found without positions.)

    python experiments/position_lengths.py
"""

import torch
import torch.nn.functional as F

from transformer_lab import GPT, TransformerConfig
from transformer_lab.device import seed_everything

SCHEMES = ("none", "sinusoidal", "learned", "rotary", "alibi")
TASKS = ("local", "retrieval")
TRAINED, LENGTHS = 32, (32, 64, 128)
ASKED = 8  # the last tokens of a row, on which it is scored
N_KEYS, N_VALUES, N_FILLER, N_PAIRS = 8, 8, 8, 4
# Tokens: N_KEYS * N_VALUES pairs, then N_KEYS questions, then the filler; the local task uses them all as symbols.
QUESTIONS, FILLER = N_KEYS * N_VALUES, N_KEYS * N_VALUES + N_KEYS
VOCAB = FILLER + N_FILLER


def local(n: int, length: int, generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """ids and labels (n, length), and which labels count: each token's label is the token before it."""
    ids = torch.randint(VOCAB, (n, length), generator=generator)
    return ids, ids.roll(1, dims=1), torch.arange(length).expand(n, length) > 0


def retrieval(n: int, length: int, generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """ids and labels (n, length), and which labels count: the last ASKED tokens ask for keys that stand before."""
    ids = FILLER + torch.randint(N_FILLER, (n, length), generator=generator)
    keys = torch.rand(n, N_KEYS, generator=generator).argsort(dim=1)[:, :N_PAIRS]
    values = torch.randint(N_VALUES, (n, N_PAIRS), generator=generator)
    places = torch.rand(n, length - ASKED, generator=generator).argsort(dim=1)[:, :N_PAIRS]
    ids.scatter_(1, places, keys * N_VALUES + values)
    asked = torch.randint(N_PAIRS, (n, ASKED), generator=generator)
    ids[:, -ASKED:] = QUESTIONS + keys.gather(1, asked)
    labels = torch.zeros_like(ids)
    labels[:, -ASKED:] = values.gather(1, asked)
    return ids, labels, torch.arange(length).expand(n, length) >= length - ASKED


MAKE = {"local": local, "retrieval": retrieval}


def new_model(scheme: str, n_layers: int = 2) -> GPT:
    """A small decoder; a learned table has a row for each trained position, and no more."""
    return GPT(
        TransformerConfig(
            vocab_size=VOCAB,
            d_model=64,
            n_heads=4,
            n_layers=n_layers,
            d_ff=128,
            positions=scheme,
            max_len=TRAINED if scheme == "learned" else max(LENGTHS),
            tie_embeddings=False,
        )
    )


def train(scheme: str, task: str, seed: int, steps: int) -> GPT:
    seed_everything(seed)
    model, generator = new_model(scheme), torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, steps, pct_start=0.1)
    for _ in range(steps):
        ids, labels, counts = MAKE[task](64, TRAINED, generator)
        loss = F.cross_entropy(model(ids)[counts], labels[counts])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return model.eval()


@torch.no_grad()
def accuracy(model: GPT, task: str, length: int, n: int = 200) -> float | None:
    """The share of right answers at the last ASKED tokens of new rows; None where the model cannot run."""
    ids, labels, _ = MAKE[task](n, length, torch.Generator().manual_seed(2**31 + length))
    try:
        predicted = model(ids).argmax(dim=-1)
    except ValueError:
        return None
    return (predicted == labels)[:, -ASKED:].float().mean().item()


def run_slice(steps: int = 130) -> list[float]:
    """ALiBi on the local task, trained for a few seconds only: what a lesson and a test do again."""
    model = train("alibi", "local", seed=0, steps=steps)
    return [round(accuracy(model, "local", length), 3) for length in LENGTHS]


def run(schemes=SCHEMES, tasks=TASKS, seeds=(0, 1, 2, 3, 4), steps=300) -> dict:
    """accuracy[task][scheme]: one list for each seed, the accuracy at each of LENGTHS; and the slice."""
    result = {}
    for task in tasks:
        result[task] = {}
        for scheme in schemes:
            models = [train(scheme, task, seed, steps) for seed in seeds]
            rows = [[accuracy(model, task, length) for length in LENGTHS] for model in models]
            result[task][scheme] = [[None if a is None else round(a, 3) for a in row] for row in rows]
    return {"lengths": list(LENGTHS), "steps": steps, "accuracy": result, "slice": run_slice()}


if __name__ == "__main__":
    from recording import record

    record(__file__, run)

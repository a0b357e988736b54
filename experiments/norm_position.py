"""Which learning rates train 6 layers, with the norm before or after the sum, with and without warm-up?

The task: at each random token, predict the token before it. Guessing gives a loss of ln 8 nats; a model that looks one
token back reaches 0. Only the position of the norm and the warm-up differ between runs.
"""

import math

import torch
import torch.nn.functional as F

from transformer_lab import GPT, TransformerConfig

VOCAB, LENGTH, BATCH = 8, 8, 16
LAYERS, WIDTH = 6, 32
STEPS, WARM_UP, LAST = 300, 100, 20
RATES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
SEEDS = (0, 1, 2, 3, 4)
CHANCE = math.log(VOCAB)


def model(norm_position: str, seed: int) -> GPT:
    """A causal model of 6 narrow blocks, made from this seed."""
    torch.manual_seed(seed)
    return GPT(
        TransformerConfig(
            VOCAB, d_model=WIDTH, n_heads=2, n_layers=LAYERS, d_ff=2 * WIDTH, max_len=LENGTH,
            norm_position=norm_position, positions="learned",
        )
    )  # fmt: skip


def losses(
    norm_position: str, warm_up: int, rate: float, seed: int, steps: int = STEPS, backwards: bool = False
) -> list[float]:
    """The loss at each step; warm_up is the number of steps over which the rate rises to its full height.

    Backwards, the rates come in the opposite order: it falls over the last steps in place of rising over the first.
    """
    gpt, batches = model(norm_position, seed), torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(gpt.parameters(), lr=rate, fused=True)
    found = []
    for step in range(steps):
        place = steps - step if backwards else step + 1
        optimiser.param_groups[0]["lr"] = rate * min(1.0, place / warm_up) if warm_up else rate
        ids = torch.randint(VOCAB, (BATCH, LENGTH), generator=batches)
        loss = F.cross_entropy(gpt(ids)[:, 1:].flatten(0, 1), ids[:, :-1].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        found.append(loss.item())
    return found


def run() -> dict:
    rows = []
    for norm_position in ("pre", "post"):
        for warm_up in (0, WARM_UP):
            for rate in RATES:
                curves = [losses(norm_position, warm_up, rate, seed) for seed in SEEDS]
                last = [sum(curve[-LAST:]) / LAST for curve in curves]
                rows.append(
                    {
                        "norm_position": norm_position,
                        "warm_up": warm_up,
                        "rate": rate,
                        "last_losses": [round(loss, 4) for loss in last],
                        "first_seed": [round(loss, 3) for loss in curves[0]],
                    }
                )
    sizes = {"layers": LAYERS, "width": WIDTH, "steps": STEPS, "warm_up": WARM_UP, "last": LAST, "seeds": list(SEEDS)}
    return {"sizes": sizes, "chance": round(CHANCE, 4), "rates": list(RATES), "rows": rows}


if __name__ == "__main__":
    from recording import record

    record(__file__, run)

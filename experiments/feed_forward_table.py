"""Memorise a table, with and without feed-forward layers, at equal numbers of parameters.

Every position of a sequence holds its own question (a, b); the answer is in a fixed random table of 16 x 16. A plan
such as "AFAF" lists the layers: A for attention (4 D^2 weights), F for feed-forward (2 width D^2). Three attention
layers thus have as many weights as one block, "AF", of the usual width 4.
"""

import torch
import torch.nn.functional as F
from torch import nn

from recording import record
from transformer_lab.attention import MultiHeadAttention
from transformer_lab.layers import FeedForward, LayerNorm, Residual

PLANS = ("AF", "AAA", "AFAF", "AAAAAA")
WIDTHS = (0, 1, 2, 4, 8)  # d_ff / d_model of the plan "AF"; 0: the feed-forward layer left out
SEEDS = (0, 1, 2, 3, 4)
N, D, H, T, BATCH, STEPS, EVERY, LEARNING_RATE = 16, 16, 4, 4, 32, 600, 100, 3e-3


class Stack(nn.Module):
    """Embeddings of a, b and the position; the plan's layers, each with skip and norm; one score for each answer."""

    def __init__(self, plan: str, width: int):
        super().__init__()
        self.a, self.b, self.positions = nn.Embedding(N, D), nn.Embedding(N, D), nn.Parameter(torch.randn(T, D))
        self.layers = nn.ModuleList(
            MultiHeadAttention(D, H, bias=False) if kind == "A" else FeedForward(D, width * D, "gelu", bias=False)
            for kind in plan
        )
        self.residuals = nn.ModuleList(Residual(LayerNorm(D), "pre") for _ in plan)
        self.norm, self.leave = LayerNorm(D), nn.Linear(D, N)

    def forward(self, questions):
        x = self.a(questions[..., 0]) + self.b(questions[..., 1]) + self.positions
        for residual, layer in zip(self.residuals, self.layers, strict=True):
            x = residual(x, layer)
        return self.leave(self.norm(x))


def weights_of_layers(plan: str, width: int = 4) -> int:
    """How many weights the attentions and feed-forward layers of a plan have."""
    return sum(weight.numel() for weight in Stack(plan, width).layers.parameters())


def train(plan: str, width: int = 4, seed: int = 0, steps: int = STEPS, rate=LEARNING_RATE, stack=Stack) -> list[float]:
    """Share of right answers after every 100 steps (chance is 1/16)."""
    table = torch.randint(N, (N, N), generator=torch.Generator().manual_seed(1))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = stack(plan, width)
        optimiser = torch.optim.Adam(model.parameters(), lr=rate)
        test, accuracy = torch.randint(N, (256, T, 2)), []
        for step in range(1, steps + 1):
            questions = torch.randint(N, (BATCH, T, 2))
            answers = table[questions[..., 0], questions[..., 1]]
            optimiser.zero_grad()
            F.cross_entropy(model(questions).flatten(0, 1), answers.flatten()).backward()
            optimiser.step()
            if step % EVERY == 0:
                with torch.no_grad():
                    right = model(test).argmax(dim=-1) == table[test[..., 0], test[..., 1]]
                accuracy.append(round(right.float().mean().item(), 3))
    return accuracy


def run() -> dict:
    """plans[plan] and widths[width]: for each seed the share of right answers after 100, 200 ... steps."""
    plans = {plan: [train(plan, seed=seed) for seed in SEEDS] for plan in PLANS}
    widths = {str(w): [train("AF" if w else "A", w, seed) for seed in SEEDS] for w in WIDTHS if w != 4}
    widths["4"] = plans["AF"]
    return {
        "plans": plans,
        "widths": {str(w): widths[str(w)] for w in WIDTHS},
        "weights": {plan: weights_of_layers(plan) for plan in PLANS},
        "steps": list(range(EVERY, STEPS + 1, EVERY)),
    }


if __name__ == "__main__":
    record(__file__, run)

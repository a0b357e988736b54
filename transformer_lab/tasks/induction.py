"""A decoder learns to repeat: after "A B ... A" comes B. It needs two layers, and develops induction heads.

Olsson et al. 2022, "In-context Learning and Induction Heads" (arXiv:2209.11895).
"""

import torch
from jaxtyping import Float
from torch import Tensor

from ..analysis.head_scores import head_scores
from ..analysis.reading import text_attention
from ..analysis.recording import record_attention
from ..arguments import check_seed
from ..config import TransformerConfig
from ..data.tokenizers import Tokenizer, WordTokenizer
from ..data.toys import induction_rows
from ..device import seed_everything
from ..generation import generate
from ..metrics import token_accuracy
from ..models import GPT
from .task import IGNORED, Task

SYMBOLS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"
# Rotary positions, because "one position back" is an offset. Untied embeddings, because a symbol's vector as an
# input has another use than as an output: with one table for both, the task is learnt many times more slowly.
STYLE = dict(positions="rotary", tie_embeddings=False)
HELD_OUT_SEED = 2**31  # of rows that are never trained on, whatever the seed


class Induction(Task):
    """Rows in which a random block of symbols repeats; only what its first appearance determines is predicted."""

    metric = "accuracy"
    tokenizer: Tokenizer
    model: GPT

    def __init__(self, n: int = 20_000, preset: str = "nano", seed: int = 0, **changes):
        self.description = {"task": "induction", "n": n, "seed": seed}
        self.tokenizer = WordTokenizer.train(list(SYMBOLS))
        check_seed(seed)
        self.rows, self.predictable = self.make_rows(n, seed + (seed == HELD_OUT_SEED))
        self.held_out_rows, self.held_out_predictable = self.make_rows(500, HELD_OUT_SEED)
        self.examples = range(n)
        seed_everything(seed)
        changes = {"max_len": self.rows.shape[1], **STYLE, **changes}
        self.model = GPT(TransformerConfig.preset(preset, vocab_size=len(self.tokenizer), **changes))

    def make_rows(self, n: int, seed: int, **periods):
        """(ids, predictable), in the tokenizer's ids."""
        rows, predictable = induction_rows(n, seed, vocab_size=len(SYMBOLS), **periods)
        ids = torch.tensor([self.tokenizer.encode(symbol)[0] for symbol in SYMBOLS])
        return ids[rows], predictable

    def collate(self, examples: list[int]) -> dict[str, Tensor]:
        chosen = torch.tensor(examples)
        rows, predictable = self.rows[chosen], self.predictable[chosen]
        return {"ids": rows[:, :-1], "labels": rows[:, 1:].masked_fill(~predictable[:, 1:], IGNORED)}

    def contents(self):
        return {"data": self.rows, "held_out": self.held_out_rows, "tokenizer": self.tokenizer}

    def logits(self, network, batch):
        return network(batch["ids"])

    def evaluate(self) -> dict[str, float]:
        """accuracy where the symbol is determined, and the best head's attention weight on the one to be predicted."""
        rows = self.held_out_rows.to(self.device)
        predicted = self.model(rows[:, :-1]).argmax(dim=-1).cpu()
        accuracy = token_accuracy(predicted, self.held_out_rows[:, 1:], self.held_out_predictable[:, 1:])
        return {"accuracy": accuracy, "prefix_matching": self.induction_scores().max().item()}

    def induction_scores(self) -> Float[Tensor, "L H"]:
        """Each head's weight on the symbol that followed the last time, in rows whose block appears twice."""
        period = self.rows.shape[1] // 2
        rows, _ = self.make_rows(100, HELD_OUT_SEED, periods=(period, period))
        with record_attention(self.model) as maps, torch.no_grad():
            self.model(rows.to(self.device))
        return head_scores(maps["decoder"], period)["induction"]

    def sample(self) -> str:
        """The beginning of a row, up to where its block begins again, and the model's continuation."""
        beginning = self.held_out_rows[:1, : self.held_out_predictable[0].int().argmax() + 1]
        ids = generate(self.model, beginning.to(self.device), self.rows.shape[1] - beginning.shape[1])
        parts = beginning[0], ids[0, beginning.shape[1] :]
        return " -> ".join(" ".join(self.tokenizer.tokens(part)) for part in parts)

    def attention(self):
        return text_attention(self.model, self.tokenizer, self.held_out_rows[0].tolist())

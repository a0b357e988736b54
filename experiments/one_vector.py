"""Lesson 11: the decoder reads one vector, the mean of the encoder's, or all of them.

Everything else is the same: weights at the start, examples, their order, learning rate. The one-vector model is given
three times the steps. Two tasks: dates, which hold some 16 bits, and copying random symbols, where every symbol more is
log2(20) = 4.3 bits more.
"""

import random

from transformer_lab import Settings, Transformer, train, translate
from transformer_lab.data import dates, toys
from transformer_lab.data.pairs import Pair
from transformer_lab.tasks.translation import Translation, word_tokenizer

LENGTHS = (4, 8, 12, 16, 20, 24)  # of the symbols held out; trained are all from 4 to 24
STEPS, EVERY = {"dates": 400, "copy": 500}, {"dates": 50, "copy": 100}  # with the full memory; between evaluations
SIZES = dict(n_layers=1, n_heads=4, tie_embeddings=False)  # untied: faster to learn, as in tasks/translation.py


class OneVector(Transformer):
    """The memory is the mean of the encoder's vectors: the cross-attention has one vector, and no choice."""

    def encode(self, source, source_mask=None):
        memory = super().encode(source, source_mask)
        if source_mask is None:
            return memory.mean(dim=1, keepdim=True)
        real = source_mask[..., None]
        return (memory * real).sum(dim=1, keepdim=True) / real.sum(dim=1, keepdim=True)

    def decode(self, target, mask=None, *, memory, memory_mask=None, cache=None):
        return super().decode(target, mask, memory=memory, cache=cache)  # no padding is left to be hidden


def random_symbols(n: int, lengths, seed: int, held_out: bool) -> list[Pair]:
    """n different lists of symbols to be copied, the lengths in turn."""
    rng, drawn = random.Random(seed), {}
    while len(drawn) < n:
        listed = "".join(rng.choices(toys.SYMBOLS, k=lengths[len(drawn) % len(lengths)]))
        if toys.is_held_out(listed) == held_out:
            drawn[listed] = None
    return [toys.make_pair("copy", listed) for listed in drawn]


class Measured(Translation):
    """A translation evaluated by exact match; copying also by length: exact match, and the share of symbols right."""

    def evaluate(self) -> dict[str, float]:
        outputs = translate(self.model, self.tokenizer, [pair.source for pair in self.held_out], self.max_new_tokens)
        groups: dict[str, list[bool]] = {"exact_match": []}
        for output, pair in zip(outputs, self.held_out, strict=True):
            groups["exact_match"].append(output == pair.target)
            if self.description["task"] == "copy":
                written, symbols = output.split(), pair.target.split()
                groups.setdefault(f"exact {len(symbols)}", []).append(output == pair.target)
                hits = [written[i : i + 1] == [symbol] for i, symbol in enumerate(symbols)]
                groups.setdefault(f"symbols {len(symbols)}", []).extend(hits)
        return {name: round(sum(hits) / len(hits), 4) for name, hits in groups.items()}


def new_task(name: str, one_vector: bool, seed: int) -> Measured:
    """The task with a new model; with the same seed both kinds of model begin with the same weights."""
    if name == "dates":
        pairs, held_out = dates.training_pairs(5000, seed), dates.held_out_pairs(300)
    else:
        pairs = random_symbols(20_000, range(4, 25), seed, held_out=False)
        held_out = random_symbols(60 * len(LENGTHS), LENGTHS, 0, held_out=True)
    tokenizer = word_tokenizer(pairs, spaces=name != "dates")
    task = Measured({"task": name}, pairs, held_out, tokenizer, "nano", seed, **SIZES)
    task.lengths = None  # batches of mixed lengths: with similar ones the model would follow the last batch's length
    if one_vector:
        model = OneVector(task.model.config)
        model.load_state_dict(task.model.state_dict())
        task.model = model
    return task


def learn(name: str, one_vector: bool, seed: int = 0, steps: int | None = None) -> tuple[Measured, list[dict]]:
    """The trained task, and its evaluations: {"step", "loss", "exact_match", ...}."""
    task = new_task(name, one_vector, seed)
    steps = steps or STEPS[name] * (3 if one_vector else 1)
    settings = Settings(steps, schedule="constant", warmup=100, evaluate_every=EVERY[name], seed=seed)
    history = train(task, settings, progress=False)
    return task, [{"step": one["step"], "loss": round(one["loss"], 4), **one["metrics"]} for one in history.evaluations]


def run(seeds=(0, 1, 2, 3, 4)) -> dict:
    """For each task and kind of memory: the evaluations of each seed, and what the model writes for one example."""
    result: dict = {"seeds": list(seeds)}
    for name in STEPS:
        for kind, one_vector in (("full memory", False), ("one vector", True)):
            runs = []
            for seed in seeds:
                task, evaluations = learn(name, one_vector, seed)
                runs.append({"evaluations": evaluations, "sample": task.sample()})
                print(name, kind, seed, evaluations[-1], task.sample(), flush=True)
            result.setdefault(name, {})[kind] = runs
    return result


if __name__ == "__main__":
    from recording import record

    record(__file__, run)

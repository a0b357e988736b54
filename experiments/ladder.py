"""One objective, four models that predict what comes next, on the same passages, in bits a character.

The models: pairs of characters; longer contexts, whose length is tuned on a part of the training text; the
package's "nano" model, trained on the same text (three seeds); SmolLM2. The passages: held-out documentation of Python
(the package's split without copies), and two texts that are younger than SmolLM2: docstrings of transformer_lab and the
prose of lessons 02 to 13. The first 400 characters of each passage are read, the others are judged.

And two questions to each model. How much likelier is a closing bracket because of the one that opened it 40 to 100
characters before? How many bits does a name cost less because it stood there once, 40 to 100 characters before? The
control is the same text with the opening bracket left out, or with another name in that place.
"""

import math
import random
import re
import time
from functools import cache
from pathlib import Path

import torch

import tables
from transformer_lab import GPT, Settings, generate, load, train
from transformer_lab.baselines import CharacterNgrams, ngram_bits
from transformer_lab.data.documents import join, split_documents
from transformer_lab.data.python_docs import file_docstrings, train_and_validation
from transformer_lab.tasks.language import docs

ROOT = Path(__file__).resolve().parents[1]
SEEDS, LENGTHS, STEPS = (0, 1, 2), (4, 5, 6), 1000
READ, JUDGED, N_PASSAGES, N_CASES = 400, 1200, 10, 40
PROMPT = "The with statement"
NAMES = r"[A-Za-z_]{7,}"  # and only those that do not occur in the training text


class Table:
    """Counts of n-grams; a context of n - 1 characters, whatever stands before."""

    def __init__(self, text: str, n: int):
        self.table, self.n = CharacterNgrams(text, n), n

    def bits(self, text: str) -> list[tuple[int, float]]:
        """(end, bits) of each of the text's pieces; here a piece is a character."""
        starts = (max(0, i - self.n + 1) for i in range(len(text)))
        costs = (self.table.probability(text[i], text[start:i]) for i, start in enumerate(starts))
        return [(i + 1, -math.log2(p)) for i, p in enumerate(costs)]

    def beginning(self, context: str, character: str) -> float:
        """The probability that what comes next begins with the character."""
        return self.table.probability(character, context[max(0, len(context) - self.n + 1) :])

    def write(self, start: str, seed: int) -> str:
        return tables.write(self.table, 160, seed, start)


class Network:
    """A GPT; a text that is longer than its window is read in windows that overlap by three quarters."""

    def __init__(self, model: GPT, tokenizer):
        self.model, self.tokenizer, self.window = model.eval(), tokenizer, min(512, model.config.max_len)
        alone = tokenizer.tokenizer.decode_batch([[i] for i in range(len(tokenizer))])
        self.firsts = [text[:1] for text in alone]

    @torch.inference_mode()
    def bits(self, text: str) -> list[tuple[int, float]]:
        encoding = self.tokenizer.encoding(text)
        ids, stride = torch.tensor([self.tokenizer.id_of("bos"), *encoding.ids]), self.window // 4
        costs: list[float] = []
        for end in range(min(self.window, len(encoding.ids)), len(encoding.ids) + stride, stride):
            end = min(end, len(encoding.ids))
            n_new, read = end - len(costs), ids[max(0, end - self.window) : end]
            if n_new:
                hidden = self.model.decode(read[None])[:, -n_new:]
                log_probs = self.model.logits(hidden)[0].log_softmax(dim=-1)
                chosen = log_probs.gather(1, ids[end - n_new + 1 : end + 1, None])[:, 0]
                costs += (-chosen / math.log(2)).tolist()
        return [(end, cost) for (_, end), cost in zip(encoding.offsets, costs, strict=True)]

    @torch.inference_mode()
    def beginning(self, context: str, character: str) -> float:
        ids = [self.tokenizer.id_of("bos"), *self.tokenizer.encode(context)][-self.window :]
        hidden = self.model.decode(torch.tensor([ids]))[:, -1:]
        chances = self.model.logits(hidden)[0, 0].softmax(dim=-1)
        return chances[[i for i, first in enumerate(self.firsts) if first == character]].sum().item()

    def write(self, start: str, seed: int) -> str:
        ids = torch.tensor([self.tokenizer.encode(start)])
        return self.tokenizer.decode(generate(self.model, ids, 40, temperature=0.8, seed=seed)[0])


def judged(rung, passage: str, begin: int = READ) -> float:
    """Bits a character behind the first `begin` characters."""
    last, found, n = 0, 0.0, 0
    for end, cost in rung.bits(passage):
        if last >= begin:
            found, n = found + cost, n + end - last
        last = end
    return found / n


@cache
def texts() -> dict[str, str]:
    """The training text, the held-out one and the two that are younger than SmolLM2."""
    training, held_out = train_and_validation()
    own = [text for path in sorted(ROOT.glob("transformer_lab/**/*.py")) for text in file_docstrings(path)]
    prose = []
    for path in sorted(ROOT.glob("source/lessons/*.py")):
        if "02" <= path.stem[:2] <= "13":
            cells = path.read_text(encoding="utf-8").split("\n# %%")
            prose += [re.sub(r"(?m)^# ?", "", cell.partition("\n")[2]) for cell in cells if "[markdown]" in cell[:14]]
    return {
        "training": join(training),
        "documentation": join(held_out),
        "younger docstrings": "\n\n".join(own),
        "younger lessons": "\n\n".join(prose),
    }


def passages(name: str, n: int = N_PASSAGES) -> list[str]:
    """Passages of a text, evenly spread over it."""
    text, size = texts()[name], READ + JUDGED
    return [text[start : start + size] for start in range(0, len(text) - size, (len(text) - size) // n)][:n]


def brackets(n: int = N_CASES, source: str = "documentation") -> list[tuple[str, str]]:
    """(context, control): the next character is the bracket that closes one; in the control that one is missing."""
    text, found = texts()[source], []
    for match in re.finditer(r"\(([^()\[\]{}]{39,99}[a-z])\)", text):
        if match.start() > 300 and "\n\n" not in match[0]:
            before, inside = text[match.start() - 100 : match.start()], match[1]
            if not re.search(r"\([^)]*$", before):  # no other bracket is open
                found.append((before + "(" + inside, before + inside))
    return random.Random(0).sample(found, min(n, len(found)))


def names(n: int = N_CASES, source: str = "documentation") -> list[tuple[str, str, str]]:
    """(context, control, name): the name comes next; once before it stood there, in the control it is another."""
    text, known, found = texts()[source], texts()["training"], {}
    for match in re.finditer(rf" ({NAMES})\b", text):
        name, start = match[1], match.start()
        before = text[max(0, start - 140) : start]
        place = before.find(name)
        if before.count(name) == 1 and 40 <= len(before) - place - len(name) <= 100 and name not in known:
            found.setdefault(name, (before, name))
    kept, cases = list(found.values()), []
    for number, (before, name) in enumerate(kept):
        other = next(one for _, one in kept[number + 1 :] + kept if one not in before and one != name)
        cases.append((before, before.replace(name, other), name))
    return random.Random(0).sample(cases, min(n, len(cases)))


def price(rung, context: str, name: str) -> float:
    """The bits of the name and the space before it."""
    last, total = 0, 0.0
    for end, cost in rung.bits(f"{context} {name}"):
        if last >= len(context):
            total += cost
        last = end
    return total


def nano(seed: int, steps: int = STEPS):
    """The trained task, and the CPU seconds of its training."""
    task = docs(seed=seed)
    begin = time.process_time()
    train(task, Settings(steps, batch_size=32, seed=seed, evaluate_every=steps), progress=False)
    return task, round(time.process_time() - begin)


def measured(rung) -> dict:
    """All that is asked of a model."""
    found = {name: [round(judged(rung, one), 4) for one in passages(name)] for name in list(texts())[1:]}
    found["closing bracket"] = [[float(f"{rung.beginning(c, ')'):.3g}") for c in case] for case in brackets()]
    found["name"] = [[round(price(rung, context, name), 2) for context in both] for *both, name in names()]
    return found | {"writes": [rung.write(PROMPT, seed) for seed in range(3)]}


def run() -> dict:
    training, held_out = texts()["training"], texts()["documentation"]
    part, rest = (join(documents) for documents in split_documents(train_and_validation()[0], seed=1))
    tuning = {n: round(ngram_bits(part, rest[:60_000], n), 4) for n in LENGTHS}
    best = min(tuning, key=tuning.get)
    print(tuning, flush=True)
    found = {"tuning": tuning, "n": best, "characters": {name: len(text) for name, text in texts().items()}}
    smollm2 = measured(Network(*load("smollm2")))
    print("SmolLM2", smollm2, flush=True)
    found["rungs"] = {}
    for name, n in (("pairs", 2), ("n-grams", best)):
        rung = Table(training, n)
        found["rungs"][name] = measured(rung) | {"all held-out": round(judged(rung, held_out, 0), 4)}
        print(name, found["rungs"][name], flush=True)
    for seed in SEEDS:
        task, seconds = nano(seed)
        values = {"CPU seconds": seconds, "all held-out": round(task.evaluate()["bits_per_character"], 4)}
        found["rungs"][f"nano, seed {seed}"] = measured(Network(task.model, task.tokenizer)) | values
        print(seed, values, flush=True)
    found["rungs"]["SmolLM2"] = smollm2
    return found


if __name__ == "__main__":
    from recording import record

    record(__file__, run)

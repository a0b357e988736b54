"""Train twelve small models, each with one fault or none, and record what probes show of them. One seed each.

Nine are date translators with one block in each stack, three are models of the Python documentation; beside them two
known to be well, for comparison. `loop` is an ordinary training loop, and the faults are wherever the code asks for
`fault`. A patient's curve shows what its owner sees: the owner's own loss on the owner's own held-out examples.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from recording import record
from transformer_lab.data import dates as date_pairs
from transformer_lab.generation import generate, translate
from transformer_lab.models import evaluating
from transformer_lab.tasks.language import docs
from transformer_lab.tasks.task import IGNORED
from transformer_lab.tasks.translation import dates
from transformer_lab.training.batches import Batches
from transformer_lab.training.schedules import warmup_cosine

TRANSLATOR, WRITER = "translator", "documentation model"
HEALTHY = "healthy"
PATIENTS = {  # name: (fault, model). The first four are solved in the lesson, the others in its exercises.
    "Ada": ("softmax twice", TRANSLATOR),
    "Bela": ("labels not shifted", WRITER),
    "Chen": ("blocks frozen", TRANSLATOR),
    "Dora": (HEALTHY, TRANSLATOR),
    "Emil": ("held-out pairs in the training set", TRANSLATOR),
    "Fumi": ("learning rate too low", TRANSLATOR),
    "Gita": ("sources and targets mismatched", TRANSLATOR),
    "Hugo": ("gradients not zeroed", TRANSLATOR),
    "Ines": (HEALTHY, TRANSLATOR),
    "Jona": ("source masked", TRANSLATOR),
    "Kofi": ("learning rate too high", WRITER),
    "Lila": ("first weights too large", WRITER),
}
CONTROLS = {"healthy translator": (HEALTHY, TRANSLATOR), "healthy writer": (HEALTHY, WRITER)}
PROBES = ("text", "ratio", "gradient", "start", "one batch", "modes", "overlap")
DROPOUT, SMOOTHING = {"Ines": 0.05}, {"Dora": 0.2}
STEPS = {TRANSLATOR: 400, WRITER: 240}
BATCH = {TRANSLATOR: 64, WRITER: 16}
RATE, WARMUP, EVERY, PROBED_AT, ONE_BATCH_STEPS = 2e-3, 20, 10, 20, 150


@dataclass
class Patient:
    """A task with its model, and the one thing that is wrong with it."""

    name: str

    def __post_init__(self):
        self.fault, self.kind = (PATIENTS | CONTROLS)[self.name]
        dropout = DROPOUT.get(self.name, 0.0)
        if self.kind == TRANSLATOR:
            n = 300 if self.fault.startswith("held-out") else 5000
            self.task = dates(n=n, n_layers=1, dropout=dropout)
        else:
            self.task = docs(only_topics=True, dropout=dropout)
        self.model, self.steps = self.task.model, STEPS[self.kind]
        if self.fault == "first weights too large":
            with torch.no_grad():
                self.model.embedding.tokens.weight *= 50  # standard deviation 1 in place of 0.02

    @property
    def rate(self) -> float:
        """The highest learning rate."""
        return {"learning rate too low": 2e-5, "learning rate too high": 0.1}.get(self.fault, RATE)

    def trained(self) -> list:
        """The parameters that the optimiser is given."""
        frozen = self.fault == "blocks frozen"
        return [p for name, p in self.model.named_parameters() if not (frozen and ".blocks." in name)]

    def examples(self, rows: list[int]) -> list:
        return [self.task.examples[i] for i in rows]

    def held_out(self) -> list:
        """The examples on which the owner measures."""
        if self.kind == WRITER:
            ids = self.task.validation_ids
            return [ids[i : i + 65] for i in range(0, 48 * 64, 64)]
        return self.task.examples[:200] if self.fault.startswith("held-out") else date_pairs.held_out_pairs(200)

    def batch(self, examples: list) -> dict:
        """What the model reads and should predict."""
        if self.kind == WRITER:
            windows = torch.stack([e if torch.is_tensor(e) else self.window(e) for e in examples])
            labels = windows[:, :-1] if self.fault == "labels not shifted" else windows[:, 1:]
            return {"ids": windows[:, :-1], "labels": labels}
        batch = self.task.collate(examples)
        if self.fault == "sources and targets mismatched":
            batch["source"], batch["source_mask"] = batch["source"].roll(1, 0), batch["source_mask"].roll(1, 0)
        if self.fault == "source masked":
            batch["source_mask"] = torch.zeros_like(batch["source_mask"])
        return batch

    def window(self, start: int):
        return torch.as_tensor(self.task.ids[start : start + 65]).long()

    def loss(self, batch: dict):
        """The owner's loss: nats a label."""
        logits = self.task.logits(self.model, batch)
        if self.fault == "softmax twice":
            logits = logits.softmax(dim=-1)
        labels = batch["labels"].flatten()
        smoothing = SMOOTHING.get(self.name, 0.0)
        return F.cross_entropy(logits.flatten(end_dim=1), labels, ignore_index=IGNORED, label_smoothing=smoothing)

    def written(self) -> list[dict]:
        """Three texts that the model writes by itself, token after token."""
        with evaluating(self.model):
            if self.kind == WRITER:
                ids = torch.stack([window[:16] for window in self.held_out()[:3]])
                whole = generate(self.model, ids, 40, temperature=0.7, seed=0)
                texts = [[self.task.tokenizer.decode(row) for row in part] for part in (ids, whole)]
                return [{"given": a, "written": b[len(a) :]} for a, b in zip(*texts, strict=True)]
            pairs = self.held_out()[:3]
            texts = self.translated(pairs)
            return [{"given": p.source, "wanted": p.target, "written": t} for p, t in zip(pairs, texts, strict=True)]

    def translated(self, pairs: list) -> list[str]:
        if self.fault != "source masked":
            return translate(self.model, self.task.tokenizer, [pair.source for pair in pairs])
        encode = self.model.encode  # its owner masks the source here too
        try:
            self.model.encode = lambda source, mask: torch.zeros_like(encode(source, mask))
            return translate(self.model, self.task.tokenizer, [pair.source for pair in pairs])
        finally:
            del self.model.encode


def loop(patient: Patient, steps: int, batches, watch) -> None:
    """Train; after each step call watch(step, loss, gradient norm, the matrices before the step)."""
    optimiser = torch.optim.AdamW(patient.trained(), lr=patient.rate, betas=(0.9, 0.99), weight_decay=0.01)
    patient.model.train()
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = patient.rate * warmup_cosine(step, patient.steps, WARMUP)
        if patient.fault != "gradients not zeroed":
            optimiser.zero_grad()
        loss = patient.loss(batches(step))
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(patient.trained(), math.inf)
        before = {name: p.detach().clone() for name, p in matrices(patient)} if step + 1 == PROBED_AT else {}
        optimiser.step()
        watch(step + 1, loss.item(), norm.item(), before)


def matrices(patient: Patient) -> list:
    """(name, matrix): biases and the scales of norms are left out, for biases begin at 0."""
    return [(name, p) for name, p in patient.model.named_parameters() if p.ndim == 2]


@torch.no_grad()
def measured(patient: Patient, batch: dict, training: bool = False) -> float:
    """The owner's loss of a batch, in eval() or in train()."""
    with evaluating(patient.model):
        patient.model.train(training)
        return rounded(patient.loss(batch).item())


def course(patient: Patient, steps: int) -> tuple[dict, dict]:
    """Train for so many steps: the curve, and the probes that are taken on the way."""
    order = Batches(len(patient.task.examples), BATCH[patient.kind], seed=0)
    held_out = patient.batch(patient.held_out())
    curve = {"step": [0], "train": [], "held out": [measured(patient, held_out)]}
    probes, losses, norms = {"start": start(patient, held_out), "gradient": []}, [], []

    def watch(step, loss, norm, before):
        losses.append(loss), norms.append(norm)
        if step == 1:
            curve["train"].append(rounded(loss))
        if before:
            probes["ratio"] = {
                name: rounded(((p.detach() - before[name]).norm() / before[name].norm()).item())
                for name, p in matrices(patient)
            }
        if step % EVERY == 0:
            curve["step"].append(step)
            curve["train"].append(rounded(sum(losses[-EVERY:]) / EVERY))
            curve["held out"].append(measured(patient, held_out))
            probes["gradient"].append(rounded(sum(norms[-EVERY:]) / EVERY))

    loop(patient, steps, lambda step: patient.batch(patient.examples(order(step))), watch)
    return curve, probes


def observe(name: str) -> dict:
    """Train one patient; returns its curve, its probes, and what is true of it."""
    patient = Patient(name)
    curve, probes = course(patient, patient.steps)
    seen = patient.batch(patient.examples(Batches(len(patient.task.examples), BATCH[patient.kind], seed=0)(0)))
    torch.manual_seed(0)
    probes["modes"] = {"train()": measured(patient, seen, training=True), "eval()": measured(patient, seen)}
    probes |= {"text": patient.written(), "one batch": one_batch(name), "overlap": overlap(patient)}
    truth = {"fault": patient.fault, "right": right(patient)}
    return {"model": patient.kind, "curve": curve, "probes": {probe: probes[probe] for probe in PROBES}, "truth": truth}


def start(patient: Patient, batch: dict) -> dict:
    """The loss of the fresh model beside ln V, and the standard deviation of its logits."""
    with evaluating(patient.model), torch.no_grad():
        logits = patient.task.logits(patient.model, batch)
    spread = (logits - logits.mean(dim=-1, keepdim=True)).square().mean().sqrt().item()
    return {"loss": measured(patient, batch), "ln V": rounded(math.log(logits.shape[-1])), "spread": rounded(spread)}


def overlap(patient: Patient) -> float:
    """The share of the held-out examples that stand in the training set, word for word."""
    if patient.kind == WRITER:
        text = " ".join(map(str, patient.task.ids))
        found = [" ".join(map(str, window.tolist())) in text for window in patient.held_out()]
    else:
        known = {pair.source for pair in patient.task.examples}
        found = [pair.source in known for pair in patient.held_out()]
    return sum(found) / len(found)


def one_batch(name: str) -> list[float]:
    """The loss of a fresh patient on the same 16 examples again and again, at every tenth step."""
    patient, losses = Patient(name), []
    rows = torch.randperm(len(patient.task.examples), generator=torch.Generator().manual_seed(1))[:16].tolist()
    batch = patient.batch(patient.examples(rows))
    patient.steps = ONE_BATCH_STEPS
    loop(patient, ONE_BATCH_STEPS, lambda step: batch, lambda step, loss, *_: losses.append(rounded(loss)))
    return [losses[0], *losses[EVERY - 1 :: EVERY]]


def right(patient: Patient) -> float | None:
    """The share of 200 dates that it has never seen which a translator gets right: not a probe, the truth."""
    if patient.kind == WRITER:
        return None
    pairs = date_pairs.held_out_pairs(200)
    texts = patient.translated(pairs)
    return sum(text == pair.target for text, pair in zip(texts, pairs, strict=True)) / len(pairs)


def rounded(number: float) -> float | None:
    """Four digits that count; None for what is not finite."""
    return float(f"{number:.4g}") if math.isfinite(number) else None


def references(name: str) -> dict[str, float]:
    """What three who know less would lose on the same held-out labels: one knows nothing, one counts, one counts pairs.

    The counts come from the training set; every pair counts a little from the beginning (add 0.1).
    """
    patient = Patient(name)
    V, counts = patient.model.config.vocab_size, None
    for part in (
        patient.examples(range(0, len(patient.task.examples), 20 if patient.kind == WRITER else 1)),
        patient.held_out(),
    ):
        batch = patient.batch(part)
        reads, labels = batch["ids" if patient.kind == WRITER else "target"], batch["labels"]
        real = labels != IGNORED
        pairs = torch.bincount((reads * V + labels)[real], minlength=V * V).double().view(V, V)
        counts = pairs if counts is None else counts
    single = (counts.sum(dim=0) + 0.1).log() - (counts.sum() + 0.1 * V).log()
    double = (counts + 0.1).log() - (counts.sum(dim=1, keepdim=True) + 0.1 * V).log()
    n = pairs.sum()
    losses = {
        "guess": math.log(V),
        "count": -(pairs.sum(dim=0) @ single / n),
        "count pairs": -((pairs * double).sum() / n),
    }
    return {key: rounded(float(loss)) for key, loss in losses.items()}


def run() -> dict:
    """What is known of each patient, and the losses of three tables for each kind of model."""
    seen = {}
    for name in (*CONTROLS, *PATIENTS):
        seen[name] = observe(name)
        print(name, seen[name]["curve"]["held out"][-1], seen[name]["truth"], flush=True)
    tables = {kind: references(name) for name, (_, kind) in CONTROLS.items()}
    return {
        "patients": {name: seen[name] for name in PATIENTS},
        "controls": {name: seen[name] for name in CONTROLS},
        "references": tables,
    }


if __name__ == "__main__":
    record(__file__, run)

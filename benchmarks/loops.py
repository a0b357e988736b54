"""Our training loop, with everything it does beside training, against a bare one and against transformers' Trainer."""

import copy
import tempfile
from contextlib import redirect_stdout
from io import StringIO

import torch
import torch.nn.functional as F
from compare import Case
from torch import nn
from transformers import Trainer, TrainingArguments

from transformer_lab.tasks import translation
from transformer_lab.tasks.task import IGNORED
from transformer_lab.training.batches import Batches
from transformer_lab.training.loop import train
from transformer_lab.training.settings import Settings

STEPS = 60
SETTINGS = Settings(steps=STEPS, evaluate_every=STEPS)


class DatesUnmeasured(translation.Translation):
    """The translator of dates; evaluation is left out, for no rival has one."""

    def evaluate(self):
        return {"exact_match": 0.0}


def dates() -> DatesUnmeasured:
    task = translation.dates()
    task.__class__ = DatesUnmeasured
    return task


def ours_from(task):
    """A function that trains the task's model from the same weights each time."""
    start = copy.deepcopy(task.model.state_dict())

    def ours():
        task.model.load_state_dict(start)
        train(task, SETTINGS, progress=False)

    return ours


def against_bare_loop():
    task = dates()
    model = copy.deepcopy(task.model)
    start = copy.deepcopy(model.state_dict())

    def bare():
        model.load_state_dict(start)
        batches = Batches(len(task.examples), SETTINGS.batch_size, SETTINGS.seed, task.lengths)
        optimizer = torch.optim.AdamW(model.parameters(), fused=True, betas=(0.9, 0.99))
        model.train()
        for step in range(STEPS):
            batch = task.collate([task.examples[i] for i in batches(step)])
            logits = model(batch["source"], batch["target"], batch["source_mask"])
            loss = F.cross_entropy(logits.flatten(end_dim=1), batch["labels"].flatten(), ignore_index=IGNORED)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), SETTINGS.clip)
            for group in optimizer.param_groups:
                group["lr"] = SETTINGS.learning_rate(step)
            optimizer.step()

    ours = ours_from(task)
    ours(), bare()
    ours_end, bare_end = (m.state_dict()["embedding.tokens.weight"] for m in (task.model, model))
    torch.testing.assert_close(
        ours_end, bare_end, rtol=0, atol=2e-2
    )  # the same work, but for the weight decay of vectors
    return ours, bare


class WithLoss(nn.Module):
    """A model as Trainer wants it: it computes its own loss."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, source, target, source_mask, target_mask, labels):
        logits = self.model(source, target, source_mask)
        return {"loss": F.cross_entropy(logits.flatten(end_dim=1), labels.flatten(), ignore_index=IGNORED)}


def against_trainer():
    task = dates()
    model = WithLoss(copy.deepcopy(task.model))
    start = copy.deepcopy(model.state_dict())
    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(),
        max_steps=STEPS,
        per_device_train_batch_size=SETTINGS.batch_size,
        train_sampling_strategy="group_by_length",
        learning_rate=SETTINGS.lr,
        warmup_steps=STEPS // 10,
        lr_scheduler_type="cosine",
        optim="adamw_torch_fused",
        logging_steps=SETTINGS.log_every,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )
    dataset = [{"index": i, "input_ids": range(n)} for i, n in enumerate(task.lengths)]

    def collate(rows):
        return task.collate([task.examples[row["index"]] for row in rows])

    def rival():
        model.load_state_dict(start)
        with redirect_stdout(StringIO()):  # it prints what it logs
            Trainer(model, arguments, data_collator=collate, train_dataset=dataset).train()

    return ours_from(task), rival


WORK = f"train {STEPS} steps, translator of dates"
CASES = [
    Case(WORK, "a bare PyTorch loop", floor=0.97, goal=1.0, make=against_bare_loop, repeats=7),
    Case(WORK, "transformers Trainer", floor=1.0, goal=1.05, make=against_trainer, repeats=7),
]

"""Training on the GPU: compiled, replayed, resumed; each against the plain step."""

import pytest
import torch

from transformer_lab import GPT, TransformerConfig
from transformer_lab.tasks.task import Task
from transformer_lab.training.loop import make_loss, train
from transformer_lab.training.settings import Settings

T = 32


class Counting(Task):
    """Windows of a text in which each number is the one before plus 1 or 2."""

    description = {"task": "counting"}
    metric, higher_is_better = "loss", False

    def __init__(self, dropout=0.0, lengths=None):
        torch.manual_seed(0)
        self.text = torch.randint(1, 3, (4000,)).cumsum(dim=0) % 50
        self.examples, self.lengths = range(3900), lengths
        sizes = dict(vocab_size=50, d_model=64, n_heads=4, n_layers=2, d_ff=128, max_len=T)
        self.model = GPT(TransformerConfig(**sizes, positions="rotary", scale_embeddings=False, dropout=dropout))

    def collate(self, starts):
        windows = torch.stack([self.text[start : start + T + 1] for start in starts])
        return {"ids": windows[:, :-1], "labels": windows[:, 1:]}

    def logits(self, network, batch):
        return network(batch["ids"])

    def evaluate(self):
        batch = {name: tensor.to(self.device) for name, tensor in self.collate(range(3900, 3960)).items()}
        return {"loss": make_loss(self, self.model, Settings(steps=1, compile=False), self.device)(batch).item() / 1920}


def losses(task, **settings):
    """What a listener is told after each step."""
    told = []
    settings = dict(dict(steps=40, batch_size=16, log_every=1, lr=3e-3), **settings)
    history = train(task, Settings(**settings), listeners=[lambda status: told.append(status.loss)], progress=False)
    return told, history.evaluations[-1]["metrics"]["loss"]


def test_the_compiled_step_learns_what_the_plain_step_learns(device):
    (fast, fast_end), (plain, plain_end) = losses(Counting()), losses(Counting(), compile=False, precision="float32")
    assert fast[0] == pytest.approx(plain[0], abs=0.03)
    assert fast[-1] < 0.6 * fast[0] and fast_end == pytest.approx(plain_end, abs=0.15)
    assert len(set(fast)) > 30, "a loss is kept before the next step overwrites it"


def test_padded_batches_are_not_compiled(device, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda *_, **__: pytest.fail("compiled"))
    losses(Counting(lengths=[T] * 3900), steps=2)


def test_dropout_differs_from_step_to_step_and_repeats_with_the_seed(device):
    """A recorded program must not replay the dropout that was drawn when it was recorded."""

    class Same(Counting):
        def collate(self, starts):
            return super().collate(list(range(16)))

    still = dict(lr=1e-12, weight_decay=0.0, steps=12)
    first, again, other = (losses(Same(dropout=0.3), **still, seed=seed)[0] for seed in (1, 1, 2))
    assert len({round(loss, 6) for loss in first}) == 12
    assert first == pytest.approx(again, abs=1e-4) and first != pytest.approx(other, abs=1e-4)


def test_an_interrupted_run_goes_on(device, tmp_path):
    task = Counting()
    from transformer_lab.data.tokenizers import WordTokenizer

    def run(task, folder, stop_at=None, resume=False):
        def stop(status):
            if status.step == stop_at:
                raise RuntimeError("stop")

        task.tokenizer = WordTokenizer.train([" ".join(f"w{i}" for i in range(46))])
        settings = Settings(steps=40, batch_size=16, log_every=1, lr=3e-3, evaluate_every=20)
        return train(task, settings, folder, resume=resume, listeners=[stop], progress=False)

    whole = run(task, tmp_path / "whole")
    with pytest.raises(RuntimeError, match="stop"):
        run(Counting(), tmp_path / "cut", stop_at=21)
    resumed = run(Counting(), tmp_path / "cut", resume=True)
    ends = [history.evaluations[-1]["metrics"]["loss"] for history in (whole, resumed)]
    assert ends[0] == pytest.approx(ends[1], abs=0.05)

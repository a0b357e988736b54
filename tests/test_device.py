"""Choosing a device, and the command line's way of saying that one is not there."""

from contextlib import contextmanager

import pytest
import torch
from typer.testing import CliRunner

from transformer_lab import load, make_task, pick_device, seed_everything, translate
from transformer_lab.cli import app
from transformer_lab.training.loop import evaluate


def test_the_variable_decides(monkeypatch):
    monkeypatch.setenv("TRANSFORMER_LAB_DEVICE", "cpu")
    assert pick_device() == torch.device("cpu")
    monkeypatch.setenv("TRANSFORMER_LAB_DEVICE", " CPU")
    assert pick_device() == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "cuda:0", "cuda"])
def test_a_device_that_is_not_there_is_named(monkeypatch, name):
    if torch.cuda.is_available() and name != "gpu":
        pytest.skip("this machine has a CUDA device")
    monkeypatch.setenv("TRANSFORMER_LAB_DEVICE", name)
    with pytest.raises(ValueError, match=rf"^The device '{name}' is not available; torch finds .*cpu\.$"):
        pick_device()
    for command in ("doctor", "demo"):
        result = CliRunner().invoke(app, [command])
        assert result.exit_code == 2 and result.output.startswith("The device ")


def test_a_folder_that_cannot_be_made_is_told_before_the_work(tmp_path):
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "file" / "demo")])
    assert result.exit_code == 2 and "training" not in result.output and "Traceback" not in result.output


def test_one_seed_starts_everything():
    import random

    import numpy as np

    def draw():
        seed_everything(3)
        return random.random(), np.random.rand(), torch.rand(1).item()

    assert draw() == draw()


@contextmanager
def odd_defaults():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"):
            yield
    finally:
        torch.set_default_dtype(before)


def test_models_are_the_same_whatever_torch_makes_by_default(tmp_path):
    (tmp_path / "text.txt").write_text("A text to go on with. " * 100)
    with odd_defaults():
        loaded, (made, text) = load("dates"), (make_task("copy", n=40), make_task(tmp_path / "text.txt"))
        translation = translate(*loaded, ["Sunday, November 22, 2026"])
        measured = evaluate(text)
    for model in (loaded[0], made.model, text.model):
        assert {(p.dtype, p.device.type) for p in model.parameters()} == {(torch.float32, "cpu")}
    assert translation == translate(*load("dates"), ["Sunday, November 22, 2026"])
    assert measured == evaluate(make_task(tmp_path / "text.txt"))

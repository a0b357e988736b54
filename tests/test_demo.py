"""The main job: what ships reaches what it promises, and the command that made it still makes it."""

import json
import re
import subprocess
import sys

import pytest
import torch

from transformer_lab import demo, load, record_attention, replace_attention, save, switch_off
from transformer_lab.analysis.ablation import PARTS, no_choice
from transformer_lab.analysis.reading import translation_attention
from transformer_lab.attention import scaled_dot_product_attention
from transformer_lab.data import dates
from transformer_lab.generation import translate
from transformer_lab.metrics import alignment_accuracy, exact_match
from transformer_lab.pretrained.loading import trained_on
from transformer_lab.pretrained.packaged import PACKAGED
from transformer_lab.training.owner import owning


@pytest.fixture(scope="module")
def dates_model():
    return load("dates")


def test_the_shipped_model_translates_held_out_dates(dates_model):
    assert exact_match(*dates_model, dates.held_out_pairs(500)) >= 0.98
    assert alignment_accuracy(*dates_model, dates.held_out_pairs(500)) >= 0.9
    assert (PACKAGED / "dates" / "model.safetensors").stat().st_size < 600_000


def test_a_slice_of_the_training_learns():
    task = demo.train_dates(seed=1, n_steps=300, progress=False)
    assert exact_match(task.model, task.tokenizer, dates.held_out_pairs(200)) >= 0.95


def test_the_command_trains_measures_and_writes(tmp_path):
    command = [sys.executable, "-m", "transformer_lab", "demo", "--seed", "0", "--out", str(tmp_path / "demo")]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(re.search(r"exact match +([\d.]+)%", result.stdout)[1]) >= 98
    assert float(re.search(r"alignment accuracy +([\d.]+)%", result.stdout)[1]) >= 85
    assert "parameters          236,992" in result.stdout and re.search(r"seconds +[\d.]+", result.stdout)
    assert result.stderr == ""  # a progress bar is for a terminal
    written = {path.name for path in (tmp_path / "demo").iterdir()}
    assert written == {"model.safetensors", "config.json", "tokenizer.json", "attention.html"}
    assert exact_match(*load(tmp_path / "demo"), dates.held_out_pairs(500)) >= 0.98
    assert trained_on(tmp_path / "demo") == trained_on("dates"), "the shipped model is made so, by `make weights`"


@pytest.fixture
def at_once(dates_model, monkeypatch):
    """The demo with a model that is trained already."""
    task = demo.tasks.dates(n=40)
    task.model, task.tokenizer = dates_model
    monkeypatch.setattr(demo, "train_dates", lambda *_, **__: task)
    monkeypatch.setattr(dates, "held_out_pairs", lambda: dates.training_pairs(20))


def test_paths_are_printed_as_they_are(at_once, tmp_path, capsys):
    out = tmp_path / "runs [old]" / "a[" / "b]c"
    demo.run(out)
    assert (
        f"Written: {out / 'model.safetensors'}, {out / 'config.json'}, {out / 'attention.html'} ("
        in capsys.readouterr().out
    )


def test_a_demo_replaces_a_demo_and_no_other_model(at_once, dates_model, tmp_path, monkeypatch):
    demo.run(tmp_path / "demo")
    demo.run(tmp_path / "demo")
    save(*dates_model, tmp_path / "own")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "config.json").write_text("{}")
    demo.run(tmp_path / "trained")
    (tmp_path / "trained" / "checkpoints").mkdir()
    monkeypatch.setattr(demo, "train_dates", None)  # before the work
    for name, what in {"own": "model.safetensors", "foreign": "config.json", "trained": "model.safetensors"}.items():
        before = {path: path.read_bytes() for path in (tmp_path / name).iterdir() if path.is_file()}
        with pytest.raises(
            FileExistsError, match=rf"{name} holds {what}, which the demo would overwrite: give another"
        ):
            demo.run(tmp_path / name)
        assert before == {path: path.read_bytes() for path in (tmp_path / name).iterdir() if path.is_file()}


def test_no_demo_writes_where_a_run_is_writing(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "train_dates", None)
    with owning(tmp_path / "out"), pytest.raises(BlockingIOError, match="out is being written by process"):
        demo.run(tmp_path / "out")


def test_a_folder_that_cannot_be_written_is_told_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "train_dates", None)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file/demo cannot be used, because nothing can be written there"):
        demo.run(tmp_path / "file" / "demo")


def test_training_is_reproducible():
    first, again, other = (demo.train_dates(seed=s, n_steps=3, progress=False).model for s in (5, 5, 6))
    assert torch.equal(first.embedding.tokens.weight, again.embedding.tokens.weight)
    assert not torch.equal(first.embedding.tokens.weight, other.embedding.tokens.weight)


def test_what_is_saved_is_what_is_loaded(dates_model, tmp_path):
    model, tokenizer = dates_model
    save(model, tokenizer, tmp_path)
    again, tokenizer_again = load(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["d_model"] == model.config.d_model
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    assert translate(again, tokenizer_again, ["May 3, 1931"]) == ["1931年5月3日"]


def test_an_unknown_model_is_named():
    with pytest.raises(FileNotFoundError, match=r"No model called 'datse': .* dates, docs-bert, minilm, smollm2"):
        load("datse")


def test_recorded_attention_is_what_the_model_computed(dates_model):
    model, tokenizer = dates_model
    source, target = tokenizer.batch(["May 3, 1931"])[0], tokenizer.batch(["1931年5月3日"], bos=True)[0]
    plain = model(source, target)
    with record_attention(model) as maps:
        recorded = model(source, target)
    torch.testing.assert_close(plain, recorded)
    T, S = target.shape[1], source.shape[1]
    assert [m.shape for m in maps["encoder"]] == [(1, 4, S, S)] * 2
    assert [m.shape for m in maps["decoder"]] == [(1, 4, T, T)] * 2
    assert [m.shape for m in maps["cross"]] == [(1, 4, T, S)] * 2
    # An independent way to the first layer's weights: the definition, from the projections.
    attention, x = model.encoder.blocks[0].attention, model.embedding(source)[0]
    scores = attention.split(attention.w_q(x)) @ attention.split(attention.w_k(x)).transpose(-2, -1) / 4
    torch.testing.assert_close(maps["encoder"][0], scores.softmax(-1))
    assert torch.equal(model(source, target), plain)


def test_recording_sees_what_a_replacement_computes(dates_model):
    model, tokenizer = dates_model
    source, target = tokenizer.batch(["May 3, 1931"])[0], tokenizer.batch(["1931"], bos=True)[0]
    with replace_attention(model, no_choice, ("cross",)), record_attention(model) as maps:
        model(source, target)
    torch.testing.assert_close(maps["cross"][0], torch.full_like(maps["cross"][0], 1 / source.shape[1]))
    assert maps["encoder"][0].std() > 0.05


def test_parts_are_switched_off_and_on_again(dates_model):
    model, tokenizer = dates_model
    source, target = tokenizer.batch(["May 3, 1931"])[0], tokenizer.batch(["1931年"], bos=True)[0]
    whole = model(source, target)
    for part in PARTS:
        with switch_off(model, part):
            assert not torch.allclose(model(source, target), whole, atol=1e-3), part
        assert torch.equal(model(source, target), whole), part
    with (
        pytest.raises(ValueError, match=r"No part called 'scal': give one of scale, choice"),
        switch_off(model, "scal"),
    ):
        pass


def test_translation_attention_names_its_rows_and_columns(dates_model):
    attention, queries, keys = translation_attention(*dates_model, "May 3, 1931")
    assert queries == ["1", "9", "3", "1", "年", "5", "月", "3", "日", "[EOS]"]
    assert keys == ["May", "3", ",", "1", "9", "3", "1"]
    assert attention.shape == (2, 4, 10, 7)
    month = attention[-1].mean(0)[queries.index("5")]
    assert keys[month.argmax()] == "May"
    for kind in ("encoder", "decoder"):
        attention, queries, keys = translation_attention(*dates_model, "May 3, 1931", kind)
        assert attention.shape[2:] == (len(queries), len(keys))


def test_a_learners_own_attention_runs_the_model(dates_model):
    model, tokenizer = dates_model
    with replace_attention(model, scaled_dot_product_attention):
        assert translate(model, tokenizer, ["May 3, 1931"]) == ["1931年5月3日"]

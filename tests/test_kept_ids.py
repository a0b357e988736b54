"""The ids of a long text, kept in a file: the same as those in memory, found again, and never half or stale."""

import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from transformer_lab import cli, make_task
from transformer_lab.data.tokenizers import BPETokenizer
from transformer_lab.tasks import language
from transformer_lab.training.loop import train
from transformer_lab.training.settings import Settings

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
from texts import made_up_text  # noqa: E402

TINY = dict(d_model=8, n_heads=2, n_layers=1, d_ff=8, max_len=16)
SETTINGS = Settings(steps=4, batch_size=4, evaluate_every=2)


@pytest.fixture(autouse=True)
def short_texts_are_long(monkeypatch):
    monkeypatch.setattr(language, "LONG", 10_000)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(made_up_text(30_000), encoding="utf-8")
    return path


def encoding_forbidden(monkeypatch):
    def refuse(*_):
        yield pytest.fail("the text is turned into tokens")

    monkeypatch.setattr(BPETokenizer, "encode_pieces", refuse)


def ids_files(folder):
    return sorted(folder.glob("*.ids"))


def test_ids_in_a_file_are_those_in_memory(path, tmp_path, monkeypatch):
    in_memory, kept = make_task(path, **TINY), make_task(path, ids_folder=tmp_path, **TINY)
    assert ids_files(tmp_path) == [kept.ids_path] and str(kept.ids_path) in kept.about
    assert in_memory.ids_path is None and ".ids" not in in_memory.about
    assert isinstance(kept.ids, np.memmap) and not kept.ids.flags.writeable and kept.ids.dtype == np.uint16
    assert np.array_equal(kept.ids, in_memory.ids) and kept.examples == in_memory.examples
    starts = [0, 7, len(kept.examples) - 1]
    for name, tensor in in_memory.collate(starts).items():
        assert (kept.collate(starts)[name] == tensor).all()
    assert kept.fingerprint() == in_memory.fingerprint() and kept.description == in_memory.description
    encoding_forbidden(monkeypatch)
    again = make_task(path, ids_folder=tmp_path, **TINY)
    assert np.array_equal(again.ids, in_memory.ids) and ids_files(tmp_path) == [again.ids_path]


def test_ids_of_32_bits(path, tmp_path, monkeypatch):
    monkeypatch.setattr(BPETokenizer, "typecode", "I")
    kept = make_task(path, ids_folder=tmp_path, **TINY)
    monkeypatch.undo()
    assert kept.ids.dtype == np.uint32 and np.array_equal(kept.ids, make_task(path, **TINY).ids)


def test_another_text_or_tokenizer_has_another_file(path, tmp_path):
    first = make_task(path, ids_folder=tmp_path, **TINY).ids_path
    other = make_task(path, ids_folder=tmp_path, vocab_size=300, **TINY)
    text = path.read_text(encoding="utf-8")
    path.write_text(f"Q{text[1:]}", encoding="utf-8")
    changed = make_task(path, ids_folder=tmp_path, **TINY)
    assert len({first, other.ids_path, changed.ids_path}) == len(ids_files(tmp_path)) == 3
    assert changed.tokenizer.decode(changed.ids).startswith("Q")
    path.write_text(text, encoding="utf-8")
    assert make_task(path, ids_folder=tmp_path, **TINY).ids_path == first


DAMAGES = {
    "a bit": lambda data: data[:1000] + bytes([data[1000] ^ 1]) + data[1001:],
    "its end": lambda data: data[:-40],
    "one byte more": lambda data: data + b"\0",
    "nothing in it": lambda data: b"",
    "zeros": lambda data: bytes(len(data)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_noticed_and_written_again(path, tmp_path, damage):
    task = make_task(path, ids_folder=tmp_path, **TINY)
    data = task.ids_path.read_bytes()
    task.ids_path.with_suffix(".new").write_bytes(DAMAGES[damage](data))  # a file that is mapped is not written into
    task.ids_path.with_suffix(".new").replace(task.ids_path)
    with pytest.warns(UserWarning, match=r"text-\w{16}\.ids is damaged: the text is turned into tokens again\.$"):
        again = make_task(path, ids_folder=tmp_path, **TINY)
    assert again.ids_path.read_bytes() == data and np.array_equal(again.ids, task.ids)


def test_a_write_that_is_interrupted_leaves_nothing(path, tmp_path, monkeypatch):
    encode = BPETokenizer.encode_pieces

    def interrupted(self, chunks):
        yield next(encode(self, chunks))
        raise KeyboardInterrupt

    monkeypatch.setattr(BPETokenizer, "encode_pieces", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_task(path, ids_folder=tmp_path, **TINY)
    assert [one.name for one in tmp_path.iterdir()] == ["text.txt"]


def test_a_short_text_is_kept_in_memory(path, tmp_path, monkeypatch):
    monkeypatch.setattr(language, "LONG", 10**6)
    assert make_task(path, ids_folder=tmp_path, **TINY).ids_path is None and not ids_files(tmp_path)


def test_an_interrupted_run_goes_on_with_the_kept_ids_as_it_would_in_memory(path, tmp_path, monkeypatch):
    def stop(status):
        if status.step == 2:
            raise RuntimeError

    whole = train(make_task(path, **TINY), SETTINGS, tmp_path / "memory", progress=False)
    with pytest.raises(RuntimeError):
        kept = make_task(path, ids_folder=tmp_path, **TINY)
        train(kept, SETTINGS, tmp_path / "run", listeners=[stop], progress=False)
    encoding_forbidden(monkeypatch)
    task = make_task(path, ids_folder=tmp_path, **TINY)
    resumed = train(task, SETTINGS, tmp_path / "run", resume=True, progress=False)
    ends = [history.evaluations[-1]["metrics"] for history in (whole, resumed)]
    assert ends[0] == ends[1]


def test_train_keeps_them_next_to_the_run_where_the_next_run_finds_them(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    few = ["--steps", "2", "--batch-size", "4"]

    def run(*arguments):
        result = CliRunner().invoke(cli.app, ["train", "text.txt", *few, *arguments])
        assert result.exit_code == 0, result.stderr
        return result.stdout

    assert "The text's tokens are kept in runs/text-" in run("--out", "runs/a").replace("\n", " ").replace("\\", "/")
    assert len(ids_files(tmp_path / "runs")) == 1 and not ids_files(tmp_path / "runs" / "a")
    encoding_forbidden(monkeypatch)
    run("--out", "runs/b")
    assert len(ids_files(tmp_path / "runs")) == 1

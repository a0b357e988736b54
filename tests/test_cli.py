"""The command line: what it writes, what it prints, and one sentence for every mistake of its user."""

import json
import os
import re
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import fields, replace
from importlib.metadata import version
from types import ModuleType

import pytest
import torch
import typer
from safetensors import SafetensorError
from typer.testing import CliRunner

from test_resume import OTHER
from transformer_lab import cli, doctor, load, optional
from transformer_lab.models import GPT, Transformer
from transformer_lab.pretrained import folder as saved
from transformer_lab.tasks import registry
from transformer_lab.tasks.catalogue import settings_for
from transformer_lab.tasks.induction import Induction
from transformer_lab.tasks.registry import TASKS
from transformer_lab.training.settings import Settings

FEW = ["--steps", "4", "--batch-size", "4", "--evaluate-every", "2", "--checkpoint-every", "1"]
SETTINGS = {setting.name: setting for setting in fields(Settings)}
LEFT = {"model.safetensors", "config.json", "tokenizer.json", "metrics.jsonl", "checkpoints"}


@pytest.fixture(autouse=True)
def no_device_is_left_behind(monkeypatch):
    monkeypatch.setenv("TRANSFORMER_LAB_DEVICE", "cpu")  # --device sets it


def call(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments], prog_name="transformer-lab")


def printed(*arguments):
    """What a command prints that succeeds."""
    result = call(*arguments)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def sentence(*arguments):
    """The one line of stderr of a command that is refused."""
    result = call(*arguments)
    assert isinstance(result.exception, SystemExit) and result.exit_code == 2, repr(result.exception)
    assert result.stdout == "" and result.stderr.count("\n") == 1, result.stderr
    return result.stderr.strip()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with a table of pairs, a folder of texts, and a broken one of each."""
    folder = tmp_path_factory.mktemp("files")
    rows = [f"{n} days and {n} nights\t{n} Tage und {n} Nächte\n" for n in range(30)]
    (folder / "pairs.tsv").write_text("".join(rows), encoding="utf-8")
    (folder / "broken.tsv").write_text("".join([*rows[:6], "eight acht\n", *rows[6:]]), encoding="utf-8")
    for name in ("texts", "broken"):
        (folder / name).mkdir()
        for chapter in "abcd":
            text = "".join(f"In chapter {chapter} the number {n} is said.\n" for n in range(40))
            (folder / name / f"{chapter}.txt").write_text(text)
    (folder / "broken" / "b.txt").write_bytes(b"one\ntwo\n\xff three\n")
    return folder


@pytest.fixture(scope="module")
def trained(files, tmp_path_factory):
    """Folders of models by what was trained, and what was printed."""
    folder, said = tmp_path_factory.mktemp("trained"), {}
    for name, task in {"reverse": "reverse", "tsv": files / "pairs.tsv", "texts": files / "texts"}.items():
        said[name] = printed("train", task, "--preset", "nano", "--out", folder / name, *FEW)
    return folder, said


@pytest.mark.parametrize(
    "name, kind, metric",
    [("reverse", Transformer, "exact_match"), ("tsv", Transformer, "chrf"), ("texts", GPT, "bits")],
)
def test_train_leaves_a_model_its_record_and_checkpoints(trained, name, kind, metric):
    folder, said = trained
    assert {path.name for path in (folder / name).iterdir()} == LEFT
    assert isinstance(load(folder / name)[0], kind)
    assert re.search(rf"^step +4 .* {metric}\w* \d+\.\d{{4}}, ", said[name], re.M) and str(folder / name) in said[name]
    lines = [json.loads(line) for line in (folder / name / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4]
    for line in lines:
        assert line.keys() == {"step", "loss", "tokens_per_s", "metrics"}
        assert line["loss"] > 0 and line["tokens_per_s"] > 0 and all(v >= 0 for v in line["metrics"].values())


@pytest.mark.parametrize("name", ["reverse", "tsv", "texts"])
def test_evaluate_finds_again_what_training_found(trained, name, files, monkeypatch):
    folder, _ = trained
    monkeypatch.chdir(files)
    found = dict(re.findall(r"^(\w+) +([\d.]+)$", printed("evaluate", folder / name), re.M))
    last = json.loads((folder / name / "metrics.jsonl").read_text().splitlines()[-1])["metrics"]
    assert found.keys() == last.keys()
    for metric, value in last.items():  # weights are kept in 16 bits
        assert float(found[metric]) == pytest.approx(value, rel=0.02, abs=0.02), metric


def test_translate_prints_a_line_for_each_text(trained):
    assert (
        printed("translate", "dates", "May 3, 1931", "Sunday, November 22, 2026")
        == "1931年5月3日\n2026年11月22日星期日\n"
    )
    assert printed("translate", trained[0] / "tsv", "3 days", "4 nights", "5", "--beams", "2").count("\n") >= 3


def test_words_that_a_model_does_not_know_are_told_beside_the_translation():
    found = CliRunner().invoke(cli.app, ["translate", "dates", "May 3, 1931 zebra", "zebra gnu"])
    assert found.exit_code == 0 and len(found.stdout.splitlines()) == 2
    assert found.stderr == "dates does not know 'zebra', 'gnu': it reads the same sign for each.\n"
    assert CliRunner().invoke(cli.app, ["translate", "dates", "May 3, 1931"]).stderr == ""


def test_generate_goes_on_and_a_seed_repeats_its_draws(trained):
    draw = ["generate", trained[0] / "texts", "In chapter", "--max-new-tokens", "20", "--temperature", "1"]
    first, again, other = (printed(*draw, "--seed", seed) for seed in (1, 1, 2))
    assert first.startswith("In chapter") and len(first) > len("In chapter\n")
    assert first == again != other


def test_generate_writes_no_more_than_the_model_has_learnt_to_read(trained):
    model, tokenizer = load(trained[0] / "texts")
    prompt = "In chapter a the number 3 is said. "
    assert len(tokenizer.encode(prompt)) + 100 > model.config.max_len  # else it would prove nothing
    draw = ["generate", trained[0] / "texts", prompt]  # greedily: [EOS] is never the likeliest
    fitting, longer = call(*draw), call(*draw, "--max-new-tokens", "100")
    assert len(fitting.stdout) > len(prompt) + 1 and fitting.stderr == ""
    assert len(longer.stdout) > len(fitting.stdout) and "this model's max_len is 64" in longer.stderr


@pytest.mark.parametrize("name, text", [("reverse", "a b c d"), ("texts", "In chapter a")])
def test_view_writes_a_page(trained, tmp_path, name, text):
    page = tmp_path / "page.html"
    assert str(page) in printed("view", trained[0] / name, text, "--out", page)
    assert "<html" in page.read_text(encoding="utf-8")


def test_a_seed_makes_the_same_model_and_another_seed_another(trained, tmp_path):
    for seed in (0, 1):
        printed("train", "reverse", "--out", tmp_path / str(seed), "--seed", seed, *FEW, "--evaluate-every", "4")
    weights = [(folder / "model.safetensors").read_bytes() for folder in (tmp_path / "0", tmp_path / "1")]
    assert weights[0] == (trained[0] / "reverse" / "model.safetensors").read_bytes() != weights[1]


def mistakes():
    """(arguments, what the sentence says); {files}, {trained} and {out} are folders."""
    train = ["train", "--out", "{out}"]
    yield [*train, "revers"], "'revers' is neither a file nor one of the tasks: dates, numbers, .*induction"
    yield [*train, "reverse", "--preset", "tiny"], "No preset called 'tiny': give one of .*nano, small"
    yield [*train, "reverse", "--target", "fr"], "target is 'fr', but only dates and numbers"
    yield [*train, "dates", "--target", "xx"], "'xx'"
    for option, value in {"steps": 0, "batch-size": 0, "lr": -1, "seed": -1, "accumulation": 0}.items():
        yield [*train, "reverse", f"--{option}", str(value)], f"{option.replace('-', '_')} must be .*got {value}"
    for option in ("evaluate-every", "checkpoint-every", "patience"):
        yield [*train, "reverse", f"--{option}", "0"], f"{option.replace('-', '_')} must be .*at least 1; got 0"
    yield [*train, "reverse", "--schedule", "linear"], "schedule must be one of 'cosine', .*; got 'linear'"
    yield [*train, "reverse", "--precision", "int8"], "precision must be one of 'float32', 'bfloat16'; got 'int8'"
    yield [*train, "reverse", "--batch-size", "6", "--accumulation", "4"], "batch_size must be a multiple of .*got 6"
    yield [*train, "reverse", "--batch-size", "9999"], "A batch of 9999 needs at least as many examples"
    yield [*train, "reverse", "--device", "tpu"], "'tpu' is not available; torch finds .*cpu"
    yield [*train, "reverse", "--resume"], "there is no checkpoint in .*out"
    yield [*train, "{files}/broken.tsv"], "broken.tsv, line 7: 1 column; wanted 2"
    yield [*train, "{files}/broken"], "broken/b.txt, line 3: byte 0xff is not UTF-8"
    yield ["train", "reverse", "--out", "{files}/pairs.tsv"], "pairs.tsv"
    yield ["train", "reverse", "--out", "{trained}/reverse", *FEW], "reverse holds a training run already: resume it"
    resume = ["train", "reverse", "--out", "{trained}/reverse", *FEW, "--resume"]
    yield [*resume, "--steps", "9"], "steps is 9; the run in .* was begun with 4"
    yield [*resume, "--preset", "small"], "d_model is 384; the run in .* was begun with 64"
    yield ["train", "copy", *resume[2:]], "task is {'task': 'copy', .* was begun with {'task': 'reverse'"
    yield ["generate", "{trained}/reverse", "a b"], "reverse is a Transformer; this command needs a GPT"
    yield ["translate", "{trained}/texts", "a"], "texts is a GPT; this command needs a Transformer"
    yield ["translate", "dates", ""], "empty"
    yield ["generate", "{trained}/texts", ""], "empty"
    yield ["view", "dates", "", "--out", "{out}.html"], "empty"
    yield ["view", "dates", "May 3, 1931", "--out", "{out}/page.html"], "out/"
    yield ["translate", "dates", "May 3", "--beams", "0"], "beams must be a whole number, at least 1; got 0"
    yield ["translate", "dates", "May 3", "--beams", "1000000"], "beams must be at most 1000 here, .* got 1000000"
    yield ["generate", "{trained}/texts", "a", "--temperature", "-1"], "temperature"
    yield ["generate", "{trained}/texts", "a", "--top-p", "2"], "top_p"
    yield ["translate", "{files}", "a"], "files[0-9]* holds no model: config.json is missing"
    yield ["evaluate", "{out}"], "out holds no model: config.json is missing"
    yield ["evaluate", "minilm"], "minilm"


@pytest.mark.parametrize(
    "arguments, says", list(mistakes()), ids=lambda part: " ".join(part) if isinstance(part, list) else ""
)
def test_a_mistake_gets_one_sentence_and_writes_nothing(files, trained, tmp_path, arguments, says):
    out = tmp_path / "out"
    said = sentence(*(part.format(files=files, trained=trained[0], out=out) for part in arguments))
    assert re.search(says, said), said
    assert not out.exists() and {path.name for path in (trained[0] / "reverse").iterdir()} == LEFT


def test_evaluate_needs_the_file_that_was_trained_on(files, tmp_path):
    table = tmp_path / "own.tsv"
    table.write_bytes((files / "pairs.tsv").read_bytes())
    printed("train", table, "--out", tmp_path / "model", *FEW)
    table.unlink()
    gone = "^own.tsv, which the model in .* was trained on, is not here; .*--data"
    assert re.search(gone, sentence("evaluate", tmp_path / "model"))
    printed("evaluate", tmp_path / "model", "--data", files / "pairs.tsv")  # the same content


def test_curves_without_tensorboard_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(optional, "find_spec", lambda name: None)
    said = sentence("train", "reverse", "--out", tmp_path / "out", "--tensorboard", *FEW)
    assert said.endswith("needs the package tensorboard: pip install tensorboard")


def test_a_device_that_is_no_name_gets_one_sentence(tmp_path):
    assert "cpu:x" in sentence("train", "reverse", "--out", tmp_path / "out", "--device", "cpu:x", *FEW)


def test_a_disk_that_is_full_in_the_end_gets_one_sentence(tmp_path, monkeypatch):
    def full(*arguments):
        raise SafetensorError("I/O error: No space left on device")

    monkeypatch.setattr(saved, "save_file", full)
    result = call("train", "reverse", "--out", tmp_path / "out", *FEW)
    assert result.exit_code == 2 and "No space left" in result.stderr


@pytest.mark.parametrize(
    "damage", [lambda text: text[:40], lambda text: text.replace('"d_ff"', '"width"'), lambda _: "[]"]
)
def test_a_broken_config_is_named(trained, tmp_path, damage):
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (tmp_path / name).write_bytes((trained[0] / "reverse" / name).read_bytes())
    config = tmp_path / "config.json"
    config.write_text(damage(config.read_text()))
    for command in (["translate", tmp_path, "a b"], ["evaluate", tmp_path]):
        assert str(config) in sentence(*command)


def test_the_case_of_a_suffix_does_not_matter(files, tmp_path):
    table = tmp_path / "PAIRS.TSV"
    table.write_bytes((files / "pairs.tsv").read_bytes())
    printed("train", table, "--out", tmp_path / "model", *FEW)
    assert isinstance(load(tmp_path / "model")[0], Transformer)


@pytest.mark.parametrize("place", range(4))
def test_with_debug_anywhere_the_error_comes_through(monkeypatch, capsys, place):
    arguments = ["evaluate", "nowhere", "--device=cpu"]
    arguments.insert(place, "--debug")
    with ExitStack() as stack:
        stack.callback(setattr, cli, "debugging", False)
        monkeypatch.setattr(sys, "argv", ["transformer-lab", *arguments])
        with pytest.raises(FileNotFoundError, match="nowhere holds no model"):
            cli.run()
    monkeypatch.setattr(sys, "argv", ["transformer-lab", *arguments[:place], *arguments[place + 1 :]])
    with pytest.raises(SystemExit) as ended:
        cli.run()
    assert ended.value.code == 2 and capsys.readouterr().err == "nowhere holds no model: config.json is missing.\n"


def test_debug_prints_the_traceback_and_without_it_there_is_none():
    command = [sys.executable, "-m", "transformer_lab", "evaluate", "nowhere"]
    plain, debugged = (subprocess.run([*command, *more], capture_output=True, text=True) for more in ([], ["--debug"]))
    assert plain.returncode == 2 and plain.stderr == "nowhere holds no model: config.json is missing.\n"
    assert debugged.returncode != 0 and debugged.stderr.startswith("Traceback")
    assert debugged.stderr.rstrip().endswith("FileNotFoundError: nowhere holds no model: config.json is missing.")


def run_apart(*arguments, **changes):
    """The command in a process of its own, with changes to its environment."""
    command = [sys.executable, *changes.pop("python", ()), "-m", "transformer_lab", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, env=os.environ | changes)


@pytest.mark.parametrize("encoding", ["cp1252", "cp1252:strict", "utf-8"])
def test_what_the_terminal_cannot_show_is_printed_as_an_escape(encoding):
    result = run_apart("translate", "dates", "May 3, 1931", PYTHONIOENCODING=encoding)
    assert result.returncode == 0 and result.stderr == b""
    wanted = "1931年5月3日\n"
    assert result.stdout.decode("utf-8") == (wanted if encoding == "utf-8" else escaped(wanted))
    refused = run_apart("translate", "年", "May 3", PYTHONIOENCODING=encoding)
    assert refused.returncode == 2 and b"Traceback" not in refused.stderr
    assert run_apart("--help", PYTHONIOENCODING=encoding).returncode == 0


def escaped(text):
    return text.encode("ascii", "backslashreplace").decode()


def test_a_reader_who_leaves_gets_no_traceback():
    script = f"{sys.executable} -m transformer_lab doctor | true; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert "Traceback" not in result.stderr and "BrokenPipe" not in result.stderr


@pytest.mark.parametrize("command", ["demo", "view"])
@pytest.mark.parametrize("package", ["anywidget", "anyascii"])
def test_a_missing_package_is_told_before_the_work(command, package, tmp_path, monkeypatch):
    found = optional.find_spec
    monkeypatch.setattr(optional, "find_spec", lambda name: None if name == package else found(name))
    arguments = {"demo": ["--out", tmp_path / "demo"], "view": ["dates", "May 3", "-o", tmp_path / "page.html"]}[
        command
    ]
    assert sentence(command, *arguments) == f"The {command} needs the package {package}: pip install {package}"
    assert not list(tmp_path.iterdir())


def test_a_package_that_nobody_asked_for_in_time_gets_a_sentence_too(monkeypatch):
    def missing():
        raise ModuleNotFoundError("No module named 'tokenizers'", name="tokenizers")

    monkeypatch.setattr("transformer_lab.doctor.report", missing)
    assert sentence("doctor") == "This command needs the package tokenizers: pip install tokenizers"


def test_the_version_is_told():
    number = version("transformer-lab")
    assert printed("--version") == f"transformer-lab {number}\n"
    assert printed("doctor").startswith(f"transformer_lab {number}\n")


def test_doctor_knows_all_that_the_course_declares(monkeypatch):
    assert "Everything the course needs is here." in printed("doctor")
    assert doctor.verdict() == "Everything the course needs is here."
    installed = optional.version

    def without(name):
        if name in ("num2words", "Faker"):
            raise optional.PackageNotFoundError(name)
        return "0.0.1" if name == "sacrebleu" else installed(name)

    monkeypatch.setattr(optional, "version", without)
    said = printed("doctor")
    assert "Faker is missing; num2words is missing; sacrebleu 0.0.1 is not >=" in said and "Everything" not in said
    assert doctor.verdict() in said and doctor.verdict().startswith("To be fixed: ")


def test_a_tilde_in_a_path_is_the_home_folder(trained, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    printed("view", trained[0] / "reverse", "a b", "--out", "~/page.html")
    printed("train", "reverse", "--out", "~/run", *FEW)
    assert {path.name for path in tmp_path.iterdir()} == {"page.html", "run"}


def test_help_is_there_without_docstrings():
    plain, bare = (run_apart("--help", python=python, COLUMNS="200") for python in ([], ["-OO"]))
    assert plain.stdout == bare.stdout and b"Train a model." in bare.stdout


def help_of(*command):
    result = CliRunner().invoke(cli.app, [*command, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert result.exit_code == 0
    return re.sub(r"\x1b\[[\d;]*m", "", result.stdout)


def test_help_names_every_command_and_what_each_is_for():
    commands = ["train", "fine-tune", "label", "translate", "generate", "evaluate", "view", "demo", "doctor"]
    commands += ["progress", "home", "reset"]
    for command in commands:
        assert re.search(rf"^\W*{command} +\w.{{20}}", help_of(), re.M), command
    assert "--debug" in help_of()


def test_help_of_train_names_every_option_and_task():
    text = help_of("train")
    for option in ("preset", "seed", "out", "target", "resume", "device", "tensorboard", *SETTINGS):
        assert re.search(rf"^\W*--{option.replace('_', '-')} .*\w{{4}}", text, re.M), option
    for task, named in TASKS.items():
        assert re.search(rf"^ *{task} +{named.summary} *$", text, re.M), task


def test_every_setting_is_an_option_of_train_with_the_same_words():
    own = {"task", "out", "target", "preset", "resume", "tensorboard", "device"}
    options = {option.name: option for option in typer.main.get_command(cli.app).commands["train"].params}
    assert options.keys() - own == SETTINGS.keys() and not own & SETTINGS.keys()
    for name, setting in SETTINGS.items():
        meaning = setting.metadata["help"]
        assert options[name].help.startswith(meaning) and options[name].default is None
        assert re.search(rf"^ *{name} +{re.escape(meaning)}", Settings.__doc__, re.M), name


class Heard(Exception):
    """Training is not wanted: the settings that it is asked for are."""


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """asked(options) -> the settings that `train reverse` trains with."""

    def heard(task, settings, *others, **more):
        raise Heard(settings)

    monkeypatch.setattr("transformer_lab.training.loop.train", heard)

    def settings(*options):
        result = call("train", "reverse", "--out", tmp_path / "out", *options)
        assert isinstance(result.exception, Heard), (result.exception, result.stderr)
        return result.exception.args[0]

    return settings


@pytest.mark.parametrize("name", OTHER)
def test_every_setting_can_be_given_on_the_command_line(asked, name):
    value, option = OTHER[name], "--" + name.replace("_", "-")
    given = ["--no-compile"] if name == "compile" else [option, str(value)]
    assert asked(*given) == replace(Settings(**settings_for("reverse")), **{name: value})


def test_what_is_not_given_is_what_suits_the_task(asked):
    assert settings_for("reverse") and asked() == Settings(**settings_for("reverse"))
    assert asked("--compile").compile is True


def test_a_new_task_needs_a_module_and_a_line_in_the_registry(tmp_path, monkeypatch):
    """CONTRIBUTING.md's recipe."""

    class Evens(Induction):
        def __init__(self, n: int = 40, preset: str = "nano", seed: int = 0, **changes):
            super().__init__(n, preset, seed, **changes)
            self.description["task"] = "evens"

    module = ModuleType("transformer_lab.tasks.evens")
    module.Evens = Evens
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(registry.TASKS, "evens", registry.Named("evens.Evens", "tell even numbers", dict(steps=3)))
    assert "evens      tell even numbers" in cli.tasks_in_words()
    assert sentence("train", "odds", "--out", tmp_path / "out").endswith("induction, evens.")
    printed("train", "evens", "--out", tmp_path / "run", "--batch-size", "8")
    assert json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])["step"] == 3
    assert "accuracy" in printed("evaluate", tmp_path / "run")


@pytest.mark.parametrize("command", ["train", "translate", "generate", "evaluate", "view"])
def test_every_command_with_a_model_takes_a_device(command):
    assert "--device" in help_of(command)


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "copy", "--out", "", "--steps", "2"],
        ["view", "dates", "Sunday", "-o", ""],
        ["demo", "--out", ""],
        ["reset", "02", "--folder", ""],
        ["evaluate", "dates", "--data", ""],
    ],
)
def test_an_empty_path_is_not_taken_for_the_working_directory(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    assert sentence(*arguments) == "The path is empty; wanted the name of a file or folder."
    assert list(tmp_path.iterdir()) == []


def test_data_of_another_kind_than_the_model_was_trained_on_are_called_so(tmp_path, monkeypatch):
    (tmp_path / "pairs.tsv").write_text("".join(f"{i} one\t{i} two\n" for i in range(40)))
    (tmp_path / "text.txt").write_text("A text. " * 200)
    monkeypatch.chdir(tmp_path)
    printed("train", "pairs.tsv", "--out", "run", *FEW)
    says = "The model was trained on pairs.tsv, which is a file of pairs; text.txt is text."
    assert sentence("evaluate", "run", "--data", "text.txt") == says
    says = "The model was trained on dates, a task of the course, which reads no file."
    assert sentence("evaluate", "dates", "--data", "text.txt") == says


def test_too_little_memory_is_said_in_a_sentence(monkeypatch):
    monkeypatch.setattr("transformer_lab.generation.translate", lambda *given, **options: torch.empty(10**15))
    assert "not enough memory" in sentence("translate", "dates", "Sunday")

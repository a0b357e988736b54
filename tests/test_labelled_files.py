"""A labelled file of one's own, from its lines to what is saved of a model that has learnt it, and used again."""

import json
import re
import shutil

import pytest
import torch
from typer.testing import CliRunner

from transformer_lab import Settings, TransformerConfig, adapt, cli, generate, load, save, train
from transformer_lab.classifiers import Classifier, Tagger
from transformer_lab.data.entities import TAGS, Sentence, training_sentences
from transformer_lab.data.labelled import labels_of, read_labelled, split_labelled
from transformer_lab.data.pairs import Pair
from transformer_lab.data.tokenizers import BPETokenizer, shortened
from transformer_lab.fine_tuning import METHODS
from transformer_lab.lora import merge_lora
from transformer_lab.models import BERT, GPT
from transformer_lab.tasks.labelled_file import fine_tuning_task, labelled_file
from transformer_lab.tasks.labelling import labelled
from transformer_lab.tasks.registry import TUNING_SETTINGS
from transformer_lab.tasks.translation import parallel_file
from transformer_lab.training.checkpoints import unfrozen

SIZES = dict(vocab_size=300, d_model=24, n_heads=3, n_layers=2, d_ff=31, max_len=64)


def tagged(words, tags) -> str:
    return json.dumps({"words": words, "tags": tags})


def classed(text, label) -> str:
    return json.dumps({"text": text, "label": label})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a tiny BERT and a tiny GPT, a file of tagged sentences and one of classes."""
    folder, sentences = tmp_path_factory.mktemp("own"), training_sentences(60)
    tokenizer = BPETokenizer.train([word for one in sentences for word in one.words], vocab_size=300)
    save(BERT(TransformerConfig.preset("bert-base", **SIZES, dropout=0.1)), tokenizer, folder / "base")
    save(GPT(TransformerConfig(**SIZES)), tokenizer, folder / "gpt")
    (folder / "tags.jsonl").write_text("\n".join(tagged(one.words, one.tags) for one in sentences))
    rows = [f"{' '.join(one.words)}\t{'person' if 'B-PER' in one.tags else 'none'}" for one in sentences]
    (folder / "classes.tsv").write_text("text\tlabel\n" + "\n".join(rows))
    return folder


@pytest.fixture
def here(folder, tmp_path, monkeypatch):
    """A copy of the folder, as the working directory."""
    shutil.copytree(folder, tmp_path / "own")
    monkeypatch.chdir(tmp_path / "own")
    return tmp_path / "own"


# ---- Reading

PAIRS = [Pair("good film", "yes"), Pair("bad film", "no")]
SENTENCES = [Sentence(("Lee", "fell"), ("B-PER", "O")), Sentence(("Rome",), ("B-LOC",))]
LINES = [tagged(["Lee", "fell"], ["B-PER", "O"]), tagged(["Rome"], ["B-LOC"])]


@pytest.mark.parametrize(
    "name, content, expected",
    [
        ("a.tsv", "good film\tyes\nbad film\tno", PAIRS),
        ("a.tsv", "\ufefftext\tlabel\r\ngood film\tyes\r\n\r\nbad film\tno\r\n", PAIRS),
        ("A.TSV", " good film \t yes\nbad film\tno\n", PAIRS),
        ("a.jsonl", classed("good film", "yes") + "\n\n" + classed("bad film", "no"), PAIRS),
        ("a.jsonl", "\ufeff" + "\r\n".join(LINES) + "\r\n", SENTENCES),
    ],
)
def test_files_of_each_form_are_read(tmp_path, name, content, expected):
    (tmp_path / name).write_bytes(content.encode())
    assert read_labelled(tmp_path / name) == expected


GOOD = classed("a", "x") + "\n"
BROKEN = [
    ("a.tsv", "", "a.tsv is empty; wanted text"),
    ("a.tsv", "text\tlabel\n", "no example; wanted at least two labels"),
    ("a.tsv", "a\tx\nb\tx\n", "no label but 'x'; wanted at least two"),
    ("a.tsv", "a\tx\nb\n", "line 2: 1 column; wanted 2, with one tab"),
    ("a.tsv", "a\tx\nb\t\n", "line 2: the second column is empty"),
    ("a.csv", "a,x\n", "ends in '.csv'; wanted .tsv or .jsonl"),
    ("a.jsonl", "\n", "a.jsonl is empty; wanted text"),
    ("a.jsonl", GOOD + "{'text': 1}\n", "line 2: .* is not JSON"),
    ("a.jsonl", GOOD + "[1, 2]\n", 'line 2: wanted {"text": ..., "label": ...} or {"words"'),
    ("a.jsonl", GOOD + '{"text": "b", "class": "y"}\n', 'line 2: wanted {"text"'),
    ("a.jsonl", GOOD + '{"text": "b", "label": 1}\n', 'line 2: "label" is 1; wanted a text'),
    ("a.jsonl", GOOD + classed(" ", "y"), "line 2: \"text\" is ' '; wanted a text"),
    ("a.jsonl", GOOD + LINES[0], 'line 2: wanted all lines of one form: "text" and "label", or "words" and "tags"'),
    ("a.jsonl", tagged(["a", "b"], ["O"]), "line 1: 2 words and 1 tags; wanted a tag for each word"),
    ("a.jsonl", tagged("ab", ["O", "O"]), "line 1: \"words\" is 'ab'; wanted a list of texts"),
    ("a.jsonl", tagged([], []), 'line 1: "words" is .*; wanted a list of texts'),
    ("a.jsonl", LINES[0] + "\n" + tagged(["a"], ["NOUN"]), "line 2: the tag 'NOUN' is not BIO; wanted O, or B- or I-"),
    ("a.jsonl", tagged(["a"], ["O"]), "no label but 'O'; wanted at least two labels"),
]


@pytest.mark.parametrize("name, content, words", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_file_is_one_sentence_that_names_it(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content.encode())
    with pytest.raises(ValueError, match=words.replace("{", r"\{").replace("...,", r"\.\.\.,")) as raised:
        read_labelled(tmp_path / name)
    assert str(raised.value).startswith(str(tmp_path / name)) and "\n" not in str(raised.value)


def test_bytes_that_are_not_utf8_are_named(tmp_path):
    (tmp_path / "a.tsv").write_bytes(b"good\tyes\nbad \xff\tno\n")
    with pytest.raises(ValueError, match="line 2: byte 0xff is not UTF-8"):
        read_labelled(tmp_path / "a.tsv")


def test_labels_are_sorted_and_a_type_has_both_of_its_tags():
    assert labels_of(PAIRS) == ["no", "yes"] and labels_of(SENTENCES) == ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]


def test_no_text_is_on_both_sides_of_the_split():
    pairs = [Pair(f"text {n % 40}" + " " * (n // 40), "x" if n % 3 else "y") for n in range(80)]
    training, held_out = split_labelled(pairs)
    assert len(training) == 64 and sorted(training + held_out, key=str) == sorted(pairs, key=str)
    assert not {one.source.strip() for one in training} & {one.source.strip() for one in held_out}
    assert split_labelled(pairs) == (training, held_out)


def test_a_file_that_is_sorted_by_label_is_measured_on_all_labels(tmp_path):
    rows = [(f"text number {n}", "no" if n < 3000 else "yes") for n in range(6000)]
    _, held_out = split_labelled([Pair(*row) for row in rows])
    assert len(held_out) == 500 and 200 < sum(one.target == "yes" for one in held_out) < 300
    (tmp_path / "sorted.tsv").write_text("\n".join(map("\t".join, rows)))
    measured = parallel_file(tmp_path / "sorted.tsv").held_out
    assert len(measured) == 500 and 200 < sum(one.target == "yes" for one in measured) < 300
    places = [rows.index((one.source, one.target)) for one in measured]
    assert places == sorted(places)


# ---- Saving and loading


@pytest.mark.parametrize("method", METHODS)
def test_what_is_loaded_is_what_was_saved(here, method):
    model, tokenizer = adapt("base", method, Tagger, TAGS)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.3 * torch.randn_like(parameter))
    save(model, tokenizer, "out")
    again, same_tokenizer = load("out")
    ids = torch.randint(300, (2, 9))
    assert same_tokenizer.encode("Lee fell") == tokenizer.encode("Lee fell") and again.labels == TAGS
    with torch.no_grad():
        difference = (again(ids) - model.eval()(ids)).abs().max()
    assert difference < 1e-2 if method == "everything" else difference == 0  # all else is saved in 32 bits
    whole = (here / "base" / "model.safetensors").stat().st_size
    if method in ("lora", "head", "prompt"):
        assert (here / "out" / "model.safetensors").stat().st_size < 0.5 * whole
    assert ("adaptation" in json.loads((here / "out" / "config.json").read_text())) == (method != "everything")


def test_options_are_kept_and_a_gpt_with_lora_writes_again(here):
    model, tokenizer = adapt("gpt", "lora", rank=2, alpha=6.0, targets=["w_o", "w_1"])
    with torch.no_grad():
        for parameter in unfrozen(model).values():
            parameter.add_(torch.randn_like(parameter))
    save(model, tokenizer, "out")
    ids = torch.randint(300, (1, 4))
    assert torch.equal(generate(load("out")[0], ids, 9), generate(model, ids, 9))


def test_a_merged_model_is_saved_whole(here):
    model, tokenizer = adapt("base", "lora", Tagger, TAGS)
    merge_lora(model)
    save(model, tokenizer, "out")
    shutil.rmtree("base")  # it needs no base any more
    assert isinstance(load("out")[0], Tagger)


def change_base(here):
    model, tokenizer = load("base")
    with torch.no_grad():
        model.embedding.tokens.weight[0, 0] += 1
    save(model, tokenizer, "base")


def change_weights(here):
    path = here / "out" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"?")


def change_config(**changes):
    def change(here):
        fields = json.loads((here / "out" / "config.json").read_text())
        fields["adaptation"] |= changes
        (here / "out" / "config.json").write_text(json.dumps(fields))

    return change


@pytest.mark.parametrize(
    "damage, error, words",
    [
        (change_base, ValueError, "out was learnt on another model than base is now: its checksum differs"),
        (change_weights, ValueError, "truncated or was changed"),
        (
            lambda here: (here / "out" / "model.safetensors").unlink(),
            FileNotFoundError,
            "^out holds no model: model.safetensors is missing",
        ),
        (lambda here: shutil.rmtree("base"), FileNotFoundError, "out needs base, on which it was learnt. No model"),
        (change_config(method="head"), ValueError, "does not hold what the method 'head' learns"),
        (change_config(options=dict(rank=3)), ValueError, "does not hold what the method 'lora' learns"),
        (change_config(options=dict(size=3)), ValueError, "describes no adapted model"),
        (change_config(method="magic"), ValueError, "method is 'magic'; wanted one of"),
        (change_config(base=3), ValueError, "describes no adapted model"),
        (change_config(colour="red"), ValueError, "describes no adapted model"),
    ],
)
def test_another_base_or_a_damaged_file_is_one_sentence(here, damage, error, words):
    save(*adapt("base", "lora", Tagger, TAGS), "out")
    damage(here)
    with pytest.raises(error, match=words):
        load("out")


def test_a_base_that_cannot_be_one_is_one_sentence(here):
    with pytest.raises(ValueError, match="gpt is a GPT; a Tagger needs a BERT"):
        adapt("gpt", "lora", Tagger, TAGS)
    save(*adapt("base", "lora", Tagger, TAGS), "out")
    with pytest.raises(ValueError, match="out is itself a change of base: give that one"):
        adapt("out", "head", Classifier, ("a", "b"))


def test_the_base_is_found_from_another_folder(here, monkeypatch):
    save(*adapt("base", "lora", Tagger, TAGS), "out")
    monkeypatch.chdir(here.parent)
    assert isinstance(load("own/out")[0], Tagger)


# ---- Tasks and commands


def test_each_method_has_settings():
    assert TUNING_SETTINGS.keys() == METHODS.keys()


def test_a_task_says_what_its_file_holds_and_a_seed_draws_the_same_model(here):
    task, again = (fine_tuning_task("classes.tsv", "base", "lora", seed=3) for _ in range(2))
    assert "48 examples to learn from, 12 held out; classes: none and person" in task.about
    assert task.description == {"task": "classes.tsv", "seed": 3, "base": "base", "method": "lora"}
    assert all(torch.equal(a, b) for a, b in zip(task.model.parameters(), again.model.parameters(), strict=True))


def test_a_file_of_another_kind_or_with_other_labels_is_one_sentence(here):
    tags, classes = fine_tuning_task("tags.jsonl", "base"), fine_tuning_task("classes.tsv", "base")
    with pytest.raises(ValueError, match="classes.tsv holds classes, which need a Classifier; got a Tagger"):
        labelled_file("classes.tsv", tags.model, tags.tokenizer)
    (here / "other.tsv").write_text("a\tperson\nb\tdog\n")
    with pytest.raises(ValueError, match="other.tsv has the label 'dog', which the model does not have"):
        labelled_file("other.tsv", classes.model, classes.tokenizer)
    (here / "long.jsonl").write_text(LINES[0] + "\n" + tagged(["word"] * 200, ["O"] * 200))
    with pytest.raises(ValueError, match="long.jsonl: A sentence has .* tokens; this model's max_len is 64: split it"):
        labelled_file("long.jsonl", tags.model, tags.tokenizer)


def test_a_label_that_is_only_held_out_is_told(here):
    rows = [f"text {n}\t{'x' if n % 2 else 'y'}" for n in range(20)]
    held_out = split_labelled([Pair(*row.split("\t")) for row in rows])[1][0].source
    (here / "rare.tsv").write_text(
        "\n".join(f"{held_out}\trare" if held_out in row.split("\t") else row for row in rows)
    )
    with pytest.warns(UserWarning, match="'rare' is on held-out examples only, and cannot be learnt"):
        fine_tuning_task("rare.tsv", "base")


def test_sentences_without_any_name_to_measure_on_are_refused_before_the_training(here):
    sentences = [Sentence((f"word{n}", "said"), ("O", "O")) for n in range(20)]
    _, held_out = split_labelled(sentences)
    first = next(one for one in sentences if one not in held_out)
    rows = [tagged(one.words, ["B-PER" if one == first else "O", "O"]) for one in sentences]
    (here / "rare.jsonl").write_text("\n".join(rows))
    with pytest.raises(ValueError, match="^rare.jsonl: none of the 4 sentences held out to measure on has a tag other"):
        fine_tuning_task("rare.jsonl", "base")


def test_a_tag_that_is_only_held_out_is_told(here):
    sentences = [Sentence((f"word{n}", "said"), ("B-PER", "O")) for n in range(20)]
    rare = split_labelled(sentences)[1][0]
    rows = [tagged(one.words, ["B-LOC" if one == rare else "B-PER", "O"]) for one in sentences]
    (here / "rare.jsonl").write_text("\n".join(rows))
    with pytest.warns(UserWarning, match="'B-LOC' is on held-out examples only, and cannot be learnt"):
        fine_tuning_task("rare.jsonl", "base")


def test_a_long_text_is_cut_and_keeps_the_token_at_its_end(here):
    task = fine_tuning_task("classes.tsv", "base")
    ids = task.encode("word " * 200)
    end = [] if task.tokenizer.sep_id is None else [task.tokenizer.sep_id]
    assert len(ids) == 64 and ids[64 - len(end) :] == end
    assert shortened(load("minilm")[1], [101, 5, 6, 7, 102], 3) == [101, 5, 102]
    assert shortened(load("minilm")[1], [101, 5, 6, 7], 3) == [101, 5, 6]


def called(*arguments):
    return CliRunner().invoke(cli.app, [str(one) for one in arguments])


FEW = ("--steps", 4, "--batch-size", 8, "--base", "base")


@pytest.mark.parametrize("file, metric", [("tags.jsonl", "entity F1"), ("classes.tsv", "accuracy")])
def test_the_commands_learn_label_and_evaluate(here, file, metric):
    learnt = called("fine-tune", file, "--out", "out", *FEW)
    assert learnt.exit_code == 0, learnt.output
    written = {path.name for path in (here / "out").iterdir()}
    assert written == {"config.json", "model.safetensors", "metrics.jsonl", "checkpoints"}  # no copy of the base
    found = [json.loads(line) for line in (here / "out" / "metrics.jsonl").read_text().splitlines()][-1]
    value = re.search(rf"{metric} +([\d.]+)", called("evaluate", "out").output)[1]
    assert float(value) == pytest.approx(found["metrics"][metric], abs=1e-4)
    lines = called("label", "out", "Shares of Lee and Sons fell.", "Rome").output.splitlines()
    if metric == "accuracy":
        assert len(lines) == 2 and all(re.fullmatch(r"(none|person)  [01]\.\d\d", line) for line in lines)
    else:
        words = [[word.split("/")[0] for word in line.split()] for line in lines]
        assert words == [["Shares", "of", "Lee", "and", "Sons", "fell", "."], ["Rome"]]


def test_a_run_is_resumed_and_its_checkpoints_hold_what_is_learnt(here):
    called("fine-tune", "classes.tsv", "--out", "whole", *FEW)
    called("fine-tune", "classes.tsv", "--out", "half", *FEW, "--evaluate-every", 2)
    assert (here / "half" / "model.safetensors").read_bytes() == (here / "whole" / "model.safetensors").read_bytes()
    (here / "half" / "model.safetensors").unlink()
    shutil.rmtree(here / "half" / "checkpoints" / "step-00000004")
    again = called("fine-tune", "classes.tsv", "--out", "half", *FEW, "--evaluate-every", 2, "--resume")
    assert again.exit_code == 0, again.output
    assert (here / "half" / "model.safetensors").read_bytes() == (here / "whole" / "model.safetensors").read_bytes()
    kept = here / "half" / "checkpoints" / "step-00000004" / "model.safetensors"
    assert kept.stat().st_size < 0.5 * (here / "base" / "model.safetensors").stat().st_size


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("fine-tune", "none.tsv", "--out", "o"), "There is no file none.tsv"),
        (("fine-tune", "classes.tsv", "--out", "o", "--base", "base", "--method", "magic"), "method is 'magic'"),
        (("fine-tune", "classes.tsv", "--out", "o", "--base", "gpt"), "gpt is a GPT; a Classifier needs a BERT"),
        (("fine-tune", "classes.tsv", "--out", "o", "--base", "base", "--batch-size", 64), "A batch of 64 needs"),
        (("label", "base", "Rome"), "base is a BERT; this command needs a Classifier or Tagger"),
        (("evaluate", "base"), "does not say what its model was trained on"),
    ],
)
def test_a_mistake_gets_one_sentence(here, arguments, words):
    result = called(*arguments)
    assert result.exit_code == 2 and re.search(words, result.output), result.output
    assert result.output.count("\n") <= 2 and "Traceback" not in result.output


def test_an_empty_text_is_one_sentence(here):
    save(*adapt("base", "lora", Tagger, TAGS), "out")
    assert "There is nothing to label" in called("label", "out", " ").output


def test_minilm_is_a_base(tmp_path):
    """Once with the real one: the file is small, and what is loaded labels."""
    model, tokenizer = adapt("minilm", "lora", Tagger, TAGS)
    assert model.adaptation.base == "course:minilm"
    save(model, tokenizer, tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 400_000
    assert isinstance(load(tmp_path)[0], Tagger)


def interrupted(status):
    raise KeyboardInterrupt


def test_a_run_is_not_resumed_on_another_base_of_the_same_name(here):
    settings = Settings(steps=4, batch_size=4, evaluate_every=1)
    with pytest.raises(KeyboardInterrupt):
        train(fine_tuning_task("classes.tsv", "base", "lora"), settings, "run", listeners=[interrupted], progress=False)
    model, tokenizer = load("base")
    model.embedding.tokens.weight.data.mul_(2)
    save(model, tokenizer, "other/base")
    with pytest.raises(ValueError, match="run was trained on something else: the model that it was learnt on is"):
        train(fine_tuning_task("classes.tsv", "other/base", "lora"), settings, "run", resume=True, progress=False)
    train(fine_tuning_task("classes.tsv", "base", "lora"), settings, "run", resume=True, progress=False)


@pytest.mark.parametrize(
    "changes, words",
    [(dict(base="out"), "names another adapted model"), (dict(options={"rank": 10**9}), "rank is 1000000000, but no")],
)
def test_a_hostile_description_is_one_sentence(here, changes, words):
    save(*adapt("base", "lora", Tagger, TAGS), "out")
    config = json.loads((here / "out" / "config.json").read_text(encoding="utf-8"))
    config["adaptation"] |= changes
    (here / "out" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ValueError, match=words):
        load("out")


@pytest.mark.parametrize("header", ["text\tlabel", "Text\tLabel", "sentence\tlabel"])
def test_a_first_line_that_names_the_columns_is_no_example(tmp_path, header):
    (tmp_path / "a.tsv").write_text(f"{header}\ngood film\tyes\nbad film\tno\n", encoding="utf-8")
    assert read_labelled(tmp_path / "a.tsv") == PAIRS


@pytest.mark.parametrize(
    "line, words",
    [
        ('{"text": "\\ud800", "label": "a"}', "line 1: A text holds"),
        ('{"words": [""], "tags": ["O"]}', "line 1: \"words\" holds '', which is empty"),
    ],
)
def test_what_no_tokenizer_can_read_is_told_with_its_line(tmp_path, line, words):
    (tmp_path / "a.jsonl").write_text(line, encoding="utf-8")
    with pytest.raises(ValueError, match=words):
        read_labelled(tmp_path / "a.jsonl")


def test_a_text_longer_than_the_model_reads_is_told(here):
    model, tokenizer = adapt("base", "head", Classifier, ("a", "b"))
    with pytest.warns(UserWarning, match="only the first 64 of a text are read"):
        labelled(model, tokenizer, ["short", "word " * 200])

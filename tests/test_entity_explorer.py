"""EntityExplorer: what is shown is what the taggers say, word by word, and the names that their tags form."""

import re
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers.normalizers import BertNormalizer

from browser import eventually
from test_accessibility_browser import violations
from test_fill_explorer import bert_tokenizer
from test_model_tour import made
from transformer_lab import BERT, TransformerConfig
from transformer_lab.classifiers import Tagger
from transformer_lab.data.entities import TAGS, Sentence
from transformer_lab.data.tokenizers import BPETokenizer
from transformer_lab.viz import EntityExplorer
from transformer_lab.viz.entity_explorer import MOST_RECORDS, names_in

WORDS = ("Anna", "Lee", "moved", "to", "Paris", "&", "b", ".")
TRUTH = Sentence(WORDS, ("B-PER", "I-PER", "O", "O", "B-LOC", "O", "O", "O"))
TEXT = "The <b>file moved to Rome."
tags = st.lists(st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]), max_size=9)


def tagger(seed=0, labels=TAGS, cls=False):
    """A tagger with random weights; its tokenizer has [CLS] and [SEP], or not."""
    tokenizer = bert_tokenizer() if cls else BPETokenizer.train(["Anna Lee moved to Paris and the file"], 300)
    sizes = dict(d_model=24, n_heads=2, n_layers=2, d_ff=32, max_len=90, dropout=0.5)
    model = Tagger(TransformerConfig.preset("minilm", vocab_size=len(tokenizer), **sizes), labels)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:  # norms and biases stay as they are
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
        model.embedding.tokens.weight.mul_(20)  # so that words differ
        model.head.weight.mul_(6)
    return model, tokenizer


def both(sentences=(TRUTH, TEXT), **settings):
    return EntityExplorer({"one": tagger(4), "two": tagger(3, cls=True)}, list(sentences), **settings)


@torch.no_grad()
def slow(model, tokenizer, words):
    """(words, tags): the probabilities at each word's first piece, with the pieces of one word after another."""
    pieces = [tokenizer.encoding([word], is_pretokenized=True, add_special_tokens=False).ids for word in words]
    whole = tokenizer.encode_words(words)[0]
    assert sum(pieces, []) == whole
    firsts = [sum(map(len, pieces[:n])) for n in range(len(words))]
    ids, shift = (whole, 0) if tokenizer.cls_id is None else ([tokenizer.cls_id, *whole, tokenizer.sep_id], 1)
    model.eval()
    return model(torch.tensor([ids]))[0, [first + shift for first in firsts]].softmax(dim=-1)


@given(tags)
def test_names_are_those_of_the_shared_task_and_as_sure_as_their_least_sure_word(found):
    """CoNLL-2003, written a second time: a name ends where its type does, or another begins."""
    sure = [0.5 + 0.05 * ((7 * n) % 10) for n in range(len(found))]
    wanted, n = [], 0
    while n < len(found):
        if found[n] == "O":
            n += 1
            continue
        first, kind = n, found[n][2:]
        n += 1
        while n < len(found) and found[n] == f"I-{kind}":
            n += 1
        wanted.append((kind, first, n - 1, min(sure[first:n])))
    assert names_in(found, sure) == wanted
    assert names_in(found) == [(*one[:3], 1.0) for one in wanted]


def test_what_is_shown_is_what_the_taggers_say():
    explorer = both()
    models = {"one": tagger(4), "two": tagger(3, cls=True)}
    for explorer.text in (" ".join(TRUTH.words), TEXT, "Lee"):
        words = explorer.record["words"]
        for name, (model, tokenizer) in models.items():
            wanted = slow(model, tokenizer, words)
            best = wanted.max(dim=-1)
            labels = [TAGS[i] for i in best.indices]
            assert [tag for tag, _ in explorer.tags[name]] == labels
            assert [p for _, p in explorer.tags[name]] == pytest.approx(best.values.tolist(), abs=1e-4)
            for place, row in zip(explorer.record["found"][name]["places"], wanted, strict=True):
                assert dict(map(tuple, place["rows"])) == pytest.approx(
                    dict(zip(TAGS, row.tolist(), strict=True)), abs=1e-4
                )
            names = names_in(labels, best.values.tolist())
            assert [one[:3] for one in explorer.names[name]] == [one[:3] for one in names]
            assert [one[3] for one in explorer.names[name]] == pytest.approx([one[3] for one in names], abs=1e-4)


def test_a_sentence_with_tags_says_what_is_right_also_when_it_is_typed():
    explorer = both()
    assert explorer.record["truth"] is None and explorer.record["found"]["one"]["places"][0]["own"] is None
    explorer.text = " ".join(WORDS)
    assert explorer.record["truth"] == [["PER", 0, 1], ["LOC", 4, 4]]
    own = [place["own"] for place in explorer.record["found"]["two"]["places"]]
    assert [label for label, _, _ in own] == list(TRUTH.tags)
    for (label, share, rank), place in zip(own, explorer.record["found"]["two"]["places"], strict=True):
        assert place["rows"][rank - 1] == [label, share]


def test_sentences_are_kept_each_once_and_the_latest_last():
    explorer = both(word=3)
    explorer.text = "Anna left."
    assert explorer.word == 0 and [one["text"] for one in explorer.records][1:] == [TEXT, "Anna left."]
    explorer.text = TEXT
    assert [one["text"] for one in explorer.records][1:] == ["Anna left.", TEXT]
    for n in range(9):
        explorer.text = f"Anna {n}"
    assert len(explorer.records) == MOST_RECORDS and explorer.static_twin().startswith(b"\x89PNG")
    assert explorer.static_twin() == explorer.static_twin() and repr(explorer).startswith(
        "EntityExplorer('Anna 8': one "
    )


def test_a_text_that_cannot_be_read_leaves_what_was_there():
    explorer = both()
    before = explorer.names
    for text, sentence in (
        (" ", "the text is empty"),
        ("a " * 61, "room for 60 words; got 61"),
        ("xy" * 99, "this model's max_len is 90"),
    ):
        explorer.text = text
        assert sentence in explorer.message and explorer.names == before and explorer.heard == TEXT
    explorer.text = TEXT
    assert explorer.message == ""


def test_a_word_of_which_the_tokenizer_leaves_nothing_has_no_tag():
    model, tokenizer = tagger(cls=True)
    tokenizer.tokenizer.normalizer = BertNormalizer()  # as MiniLM's: it drops what has no width
    explorer = EntityExplorer((model, tokenizer), "Anna \u200b Lee")
    assert explorer.record["words"][1] == "\u200b" and explorer.tags["the tagger"][1] == ("O", pytest.approx(1))


def test_what_makes_no_sense_is_refused_in_a_sentence():
    explorer, (model, tokenizer) = both(), tagger()
    for wrong, sentence in (
        (
            lambda: EntityExplorer({}, TEXT),
            "taggers must be (model, tokenizer), or one to three in a dict; got {}",
        ),
        (lambda: EntityExplorer({"a": model}, TEXT), "A tagger must be (model, tokenizer); got"),
        (lambda: EntityExplorer(made(BERT), TEXT), "model must be a Tagger"),
        (lambda: EntityExplorer((model, None), TEXT), "tokenizer must be"),
        (lambda: EntityExplorer((model, tokenizer), []), "sentences must be 1 to 8; got 0"),
        (lambda: EntityExplorer((model, tokenizer), ""), "the text is empty"),
        (lambda: EntityExplorer((model, tokenizer), [3]), "A text must be a str"),
        (lambda: setattr(explorer, "word", 9), "word must be a whole number from 0 to 8; got 9"),
        (lambda: setattr(explorer, "word", -1), "word must be a whole number, at least 0; got -1"),
    ):
        with pytest.raises(ValueError, match=re.escape(sentence)):
            wrong()
    assert (explorer.word, explorer.text) == (0, TEXT)


CARD = """(card) => [[...card.querySelectorAll(".word")].map((e) => e.textContent),
  [...card.querySelectorAll(".name")].map((e) => [[...e.querySelectorAll(".word")].map((w) => w.textContent).join(" "),
    e.querySelector("small").textContent]),
  card.querySelector(".verdict").textContent,
  [...card.querySelectorAll(".word")].findIndex((e) => e.ariaPressed === "true"),
  [...card.querySelectorAll(".row")].map((row) => [".key", ".share"].map((e) => row.querySelector(e).textContent))]"""


def check_cards(page, explorer):
    record, truth = explorer.record, explorer.record["truth"]
    for n, (name, names) in enumerate(explorer.names.items()):
        words, found, verdict, pressed, rows = page.locator(".tl-entity section").nth(n).evaluate(CARD)
        assert words == record["words"] and pressed == explorer.word
        signs = [("" if truth is None else " ✓" if list(one[:3]) in truth else " ✗") for one in names]
        assert found == [[" ".join(words[first : last + 1]), f"{kind} {score:.2f}{sign}"]
                         for (kind, first, last, score), sign in zip(names, signs, strict=True)]  # fmt: skip
        if truth is not None:
            assert verdict.startswith(f"{signs.count(' ✓')} of {len(truth)} name")
            assert f"found, {signs.count(' ✗') or 'none'} wrong" in verdict
            missed = [one for one in truth if tuple(one) not in {one[:3] for one in names}]
            assert all(" ".join(words[first : last + 1]) in verdict for _, first, last in missed)
        place = record["found"][name]["places"][explorer.word]
        assert [key.removeprefix("▸ ") for key, _ in rows] == [label for label, _ in place["rows"]]
        assert [key.removeprefix("▸ ") for key, _ in rows if key[0] == "▸"] == (place["own"] or [])[:1]


def opened(page, tmp_path, explorer):
    page.goto(explorer.save(tmp_path / "entities.html").as_uri())
    page.wait_for_selector(".tl-entity .word")
    return page


@pytest.mark.browser
def test_the_saved_page_shows_every_sentence_and_every_word(page, tmp_path):
    explorer = both((TEXT, TRUTH))
    opened(page, tmp_path, explorer)
    assert page.locator(".tl-entity input").count() == 0
    check_cards(page, explorer)
    first = page.locator(".tl-entity section").first.locator(".word")
    first.first.focus()
    for n in range(8):
        page.keyboard.press("Enter")
        explorer.word = n
        eventually(lambda: check_cards(page, explorer))
        page.keyboard.press("ArrowRight")
    page.get_by_label("sentences so far").select_option("0")
    explorer.text = TEXT
    eventually(lambda: check_cards(page, explorer))
    page.locator(".tl-entity section").nth(1).locator(".word").nth(2).click()
    explorer.word = 2
    eventually(lambda: check_cards(page, explorer))
    eventually(lambda: page.locator(".tl-entity .spoken").text_content().startswith("b: one: "))


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_violation_and_nothing_cut_off(page, tmp_path, scheme):
    page.emulate_media(color_scheme=scheme)
    opened(page, tmp_path, both((TEXT, "Anna Lee " * 8 + "m" * 60, TRUTH)))
    for n in ("2", "0"):
        page.get_by_label("sentences so far").select_option(n)
        for width in (1366, 900, 360):
            page.set_viewport_size({"width": width, "height": 800})
            assert violations(page, "html") == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width


LIVE = """
from test_entity_explorer import both
explorer = both()
explorer
"""


@pytest.mark.browser
def test_a_live_explorer_reads_what_is_typed(lab):
    page, explorer = lab.page, both()
    lab.open("entities.ipynb", [f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})", LIVE])
    lab.run_all()
    page.wait_for_selector(".tl-entity .word")
    page.get_by_label("text", exact=True).fill("Lee moved to Rome")
    explorer.text = "Lee moved to Rome"
    eventually(lambda: check_cards(page, explorer))
    page.locator(".tl-entity .word").nth(3).click()
    eventually(lambda: lab.python("print(explorer.word)") == "3")
    page.get_by_label("text", exact=True).fill("")
    eventually(lambda: "the text is empty" in page.inner_text(".tl-entity .message"))
    page.get_by_label("sentences so far").select_option("0")
    explorer.text = " ".join(TRUTH.words)
    eventually(lambda: check_cards(page, explorer))

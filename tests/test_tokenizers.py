"""tokenizers.py: text goes there and back, and every odd input has a defined answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transformer_lab.data.tokenizers import BPETokenizer, CharacterTokenizer, Tokenizer, WordTokenizer

TEXTS = [
    "quatre-vingt-dix-sept mille  deux",
    "Sonntag, 22. November 2026",
    "def f(x):\n    return x\t# 日期",
    "vier und neunzig tausend",
]
KINDS = {
    "word": lambda: WordTokenizer.train(TEXTS, spaces=True),
    "character": lambda: CharacterTokenizer.train(TEXTS),
    "bpe": lambda: BPETokenizer.train(TEXTS, vocab_size=300),
}
kinds = pytest.mark.parametrize("kind", KINDS)


@kinds
def test_known_texts_come_back_letter_by_letter(kind, tmp_path):
    tokenizer = KINDS[kind]()
    tokenizer.save(tmp_path / "tokenizer.json")
    again = Tokenizer.load(tmp_path / "tokenizer.json")
    for text in TEXTS:
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == text and tokenizer.unk_id not in ids
        assert again.encode(text) == ids and again.decode(ids) == text
        if kind != "bpe":  # whose tokens are bytes
            assert "".join(tokenizer.tokens(ids)) == text


@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_byte_pairs_know_every_text(text):
    tokenizer = KINDS["bpe"]()
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("kind, text, n_unknown", [("character", "né~", 2), ("word", "zehn mille", 1)])
def test_what_was_never_seen_is_unk(kind, text, n_unknown):
    tokenizer = KINDS[kind]()
    assert tokenizer.encode(text).count(tokenizer.unk_id) == n_unknown


@kinds
def test_nothing_is_nothing_and_ids_out_of_range_are_named(kind):
    tokenizer = KINDS[kind]()
    assert tokenizer.encode("") == [] and tokenizer.decode([]) == ""
    for wrong in (-1, len(tokenizer)):
        for method in (tokenizer.decode, tokenizer.tokens):
            with pytest.raises(ValueError, match=rf"No token has the id {wrong}: this tokenizer knows 0 to \d+\."):
                method([0, wrong])


def test_byte_pairs_merge_the_most_frequent_neighbours_first():
    tokenizer = BPETokenizer.train(["abab abab cd"], vocab_size=256 + 4 + 2)
    assert tokenizer.tokens(tokenizer.encode("abab")) == ["abab"]
    assert tokenizer.tokens(tokenizer.encode("ab")) == ["ab"] and len(tokenizer.encode("cd")) == 2
    with pytest.raises(ValueError, match=r"vocab_size must be at least 260, every byte a token; got 100\."):
        BPETokenizer.train(["a"], vocab_size=100)

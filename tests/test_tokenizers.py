"""tokenizers.py: text goes there and back, and every odd input has a defined answer."""

import pickle

import pytest
import tokenizers
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import models

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


def test_ids_may_have_gaps():
    words = models.WordLevel({"[UNK]": 0, "cat": 7}, unk_token="[UNK]")
    tokenizer = Tokenizer(tokenizers.Tokenizer(words), {"unk": "[UNK]"})
    assert tokenizer.tokens([0, 7]) == ["[UNK]", "cat"] and tokenizer.decode([7]) == "cat"
    with pytest.raises(ValueError, match="No token has the id 5"):
        tokenizer.decode([5])


@pytest.mark.parametrize(
    ("tokenizer", "text", "unknown"),
    [
        (WordTokenizer.train(["ein Tag"]), "ein Hund, ein Tag", ["Hund", ","]),
        (CharacterTokenizer.train(["ab"]), "acb", ["c"]),
        (BPETokenizer.train(["ab"], 260), "äöü", []),
    ],
)
def test_what_a_tokenizer_does_not_know(tokenizer, text, unknown):
    assert tokenizer.unknown(text) == unknown


def test_byte_pairs_merge_the_most_frequent_neighbours_first():
    tokenizer = BPETokenizer.train(["abab abab cd"], vocab_size=256 + 4 + 2)
    assert tokenizer.tokens(tokenizer.encode("abab")) == ["abab"]
    assert tokenizer.tokens(tokenizer.encode("ab")) == ["ab"] and len(tokenizer.encode("cd")) == 2
    with pytest.raises(
        ValueError, match=r"vocab_size \(every byte is a token\) must be a whole number, at least 260; got 100\."
    ):
        BPETokenizer.train(["a"], vocab_size=100)


# ---- A text is a text, whatever is written in it

WRITTEN = ["a [PAD] b", "[BOS]", "x [EOS] y", "[UNK]hi", "[PAD][PAD]", "quatre[EOS]vingt [BOS] mille"]


@pytest.mark.parametrize("text", WRITTEN)
@kinds
def test_a_special_token_that_is_written_in_a_text_is_text(kind, text, tmp_path):
    train = {
        "word": lambda: WordTokenizer.train(WRITTEN, spaces=True),
        "character": lambda: CharacterTokenizer.train(WRITTEN),
        "bpe": lambda: BPETokenizer.train(WRITTEN, vocab_size=280),
    }
    tokenizer = train[kind]()
    tokenizer.save(tmp_path / "tokenizer.json")
    for one in (tokenizer, Tokenizer.load(tmp_path / "tokenizer.json"), pickle.loads(pickle.dumps(tokenizer))):
        ids = one.encode(text)
        assert not set(ids) & {one.pad_id, one.bos_id, one.eos_id, one.unk_id} and one.decode(ids) == text
        row, mask = one.batch([text])
        assert row[0].tolist() == ids and mask.all()
        pieces, words = one.encode_words(["a", text, "b"])
        assert not set(pieces) & {one.pad_id, one.bos_id, one.eos_id} and set(words) == {0, 1, 2}


@pytest.mark.parametrize("text", ["a [PAD] b", "[BOS]", "[EOS]"])
@kinds
def test_what_a_tokenizer_never_saw_is_no_control_token_either(kind, text):
    tokenizer = KINDS[kind]()
    controls = {tokenizer.pad_id, tokenizer.bos_id, tokenizer.eos_id}
    assert not controls & {*tokenizer.encode(text), *tokenizer.encode_words([text])[0]}


@kinds
def test_special_tokens_are_read_as_such_where_that_is_asked_for(kind):
    tokenizer = KINDS[kind]()
    assert tokenizer.encode("[BOS][EOS]", special=True) == [tokenizer.bos_id, tokenizer.eos_id]
    assert tokenizer.encode("[BOS][EOS]") != [tokenizer.bos_id, tokenizer.eos_id]  # and never again unasked


# ---- What is no text, and no row of ids


@kinds
def test_one_text_is_not_taken_for_a_list_of_its_letters(kind):
    tokenizer = KINDS[kind]()
    for method, name in ((tokenizer.batch, "texts"), (tokenizer.encode_words, "words")):
        with pytest.raises(ValueError, match=rf"^{name} must be a list of texts; got one text: 'mille'\.$"):
            method("mille")
    more = dict(vocab_size=300) if kind == "bpe" else {}
    with pytest.raises(ValueError, match=r"^texts must be a list of texts; got one text: 'vier und neunzig'\.$"):
        type(tokenizer).train("vier und neunzig", **more)
    a_tuple_will_do = tokenizer.batch(("mille", "deux"))[0]
    assert torch.equal(a_tuple_will_do, tokenizer.batch(["mille", "deux"])[0])


@kinds
def test_half_a_character_is_named(kind):
    tokenizer = KINDS[kind]()
    more = dict(vocab_size=300) if kind == "bpe" else {}
    calls = (
        lambda: tokenizer.encode("caf\udce9"),  # what a terminal makes of Latin-1
        lambda: tokenizer.batch(["deux", "caf\udce9"]),
        lambda: tokenizer.encode_words(["deux", "caf\udce9"]),
        lambda: type(tokenizer).train(["deux", "caf\udce9"], **more),
    )
    for call in calls:
        with pytest.raises(ValueError, match=r"^A text holds '\\udce9', which is not a character: 'caf\\udce9'\.$"):
            call()


def test_a_long_text_is_shown_shortened():
    with pytest.raises(ValueError, match=r"^texts must be a list of texts; got one text: '(ab){29}…\.$"):
        KINDS["bpe"]().batch("ab" * 1000)


@pytest.mark.parametrize("train", [WordTokenizer.train, CharacterTokenizer.train])
@pytest.mark.parametrize("texts", [[], [""], iter(())])
def test_nothing_is_learnt_from_nothing(train, texts):
    with pytest.raises(ValueError, match="^There is nothing to learn a tokenizer from: the texts hold no token.$"):
        train(texts)


@kinds
def test_no_rows_are_an_empty_batch(kind):
    for ids, mask in (KINDS[kind]().batch([]), KINDS[kind]().pad([]), KINDS[kind]().pad([[]])):
        assert ids.dtype == torch.int64 and mask.dtype == torch.bool and ids.shape == mask.shape and ids.shape[1] == 0


def test_padding_stands_where_it_is_asked_for():
    tokenizer = KINDS["word"]()
    p = tokenizer.pad_id
    ids, mask = tokenizer.pad([[7, 8], [9, 7, 8]])
    assert ids.tolist() == [[7, 8, p], [9, 7, 8]] and mask.tolist() == [[True, True, False], [True] * 3]
    ids, mask = tokenizer.pad([[7, 8], [9, 7, 8]], side="left")
    assert ids.tolist() == [[p, 7, 8], [9, 7, 8]] and mask.tolist() == [[False, True, True], [True] * 3]
    with pytest.raises(ValueError, match=r'^side must be "left" or "right"; got \'middle\'\.$'):
        tokenizer.pad([[7]], side="middle")


def test_a_batch_has_the_ends_that_are_asked_for():
    tokenizer = KINDS["word"]()
    two = tokenizer.encode("mille deux")
    for bos, eos in ((False, False), (True, False), (False, True), (True, True)):
        (row,), mask = tokenizer.batch(["mille deux"], bos=bos, eos=eos)
        assert row.tolist() == [tokenizer.bos_id] * bos + two + [tokenizer.eos_id] * eos and mask.all()


@pytest.mark.parametrize("ids", ["12", [1.0], ["1"], [[1]], torch.ones(2, 2).long(), torch.tensor([1.5])])
def test_what_is_no_row_of_ids_is_no_text(ids):
    with pytest.raises(ValueError, match="^ids must be a row of whole numbers; got "):
        KINDS["bpe"]().decode(ids)


def test_ids_may_come_as_numbers_of_any_library():
    tokenizer = KINDS["word"]()
    ids = tokenizer.encode("vier und")
    assert tokenizer.decode(torch.tensor(ids)) == tokenizer.decode(torch.tensor(ids).numpy()) == "vier und"
    assert tokenizer.decode([torch.tensor(i) for i in ids]) == "vier und"


@kinds
def test_a_file_that_holds_no_tokenizer_is_named(kind, tmp_path):
    path = tmp_path / "tokenizer.json"
    KINDS[kind]().save(path)
    whole = path.read_bytes()
    for damaged in (b"", b"{}", whole[:-200], whole[: len(whole) // 3], b"\xff" + whole):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"tokenizer\.json holds no tokenizer: "):
            Tokenizer.load(path)
    with pytest.raises(FileNotFoundError, match=r"^There is no file .*nothing\.json\.$"):
        Tokenizer.load(tmp_path / "nothing.json")
    with pytest.raises(FileNotFoundError, match="cannot be written: there is no folder"):
        KINDS[kind]().save(tmp_path / "nowhere" / "tokenizer.json")

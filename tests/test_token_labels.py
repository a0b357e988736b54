"""The labels of tokens: a character that is split over several tokens is joined again, by any tokenizer of bytes."""

import pytest
import tokenizers
from tokenizers import decoders, models, pre_tokenizers

from transformer_lab import load
from transformer_lab.data.token_labels import BYTES, joined
from transformer_lab.data.tokenizers import BPETokenizer, Tokenizer, WordTokenizer


@pytest.fixture(scope="module")
def smollm2():
    return load("smollm2")[1]


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("我爱 the", ["我", "我₂", "爱", "爱₂", "爱₃", " the"]),
        (" 😀", [" 😀", "😀₂"]),
        ("مرحبا", ["م", "ر", "ح", "ب", "ا"]),
    ],
)
def test_smollm2_reads_every_script(smollm2, text, labels):
    assert smollm2.tokens(smollm2.encode(text)) == labels


@pytest.mark.parametrize("text", ["我爱你", "😀👍🏽", "مرحبا", "นี่", "e\u0301", "\ufffd", "a<E6>\n"])
def test_tokens_of_one_byte_show_the_whole_character_at_each(text):
    tokenizer = BPETokenizer.train(["the cat"], 260)
    labels = tokenizer.tokens(tokenizer.encode(text))
    wanted = [char + part for char in text for _, part in zip(char.encode(), ["", "₂", "₃", "₄"], strict=False)]
    assert labels == wanted


def test_the_alphabet_of_bytes_is_that_of_the_library():
    assert set(BYTES) == set(pre_tokenizers.ByteLevel.alphabet()) and sorted(BYTES.values()) == list(range(256))
    assert all(pre_tokenizers.ByteLevel(False).pre_tokenize_str(chr(byte))[0][0] == sign
               for sign, byte in BYTES.items() if byte < 128)  # fmt: skip


@pytest.mark.parametrize(
    ("tokens", "labels"),
    [
        ([b"\xe6\x88", b"\x91"], ["我", "我₂"]),
        ([b"a\xe6", b"\x88", b"\x91\xe7", b"\x88\xb1b"], ["a我", "我₂", "我₃爱", "爱₂b"]),
        ([b"\xe6", b"the", b"\x91"], ["<E6>", "the", "<91>"]),
        ([b"\xe6\x88"], ["<E6><88>"]),
        ([b"\xe6", b"", b"\x88\x91", b""], ["我", "", "我₂", ""]),
        ([b"\xed\xa0\x80", b"\xff"], ["<ED><A0><80>", "<FF>"]),
        ([], []),
    ],
)
def test_bytes_of_one_character_are_joined_and_those_of_none_are_hexadecimal(tokens, labels):
    assert joined(tokens) == labels


def test_tokens_that_were_added_are_text():
    tokenizer = BPETokenizer.train(["the cat"], 260)
    tokenizer.tokenizer.add_tokens(["我Ġ"])
    assert tokenizer.tokens(tokenizer.encode("我Ġ")) == ["我Ġ"]
    assert tokenizer.tokens([tokenizer.eos_id]) == ["[EOS]"]


def test_where_bytes_are_a_last_resort_they_are_joined_too():
    """As in Llama 2 and Gemma."""
    vocabulary = {"<unk>": 0, "▁the": 1, **{f"<0x{byte:02X}>": 2 + byte for byte in range(256)}}
    backend = tokenizers.Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True))
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer = Tokenizer(backend)
    assert tokenizer.tokens([1, *tokenizer.encode("我")]) == [" the", "我", "我₂", "我₃"]
    assert tokenizer.tokens([2 + 0xE6, 1]) == ["<E6>", " the"]


def test_words_are_labelled_as_they_stand():
    tokenizer = WordTokenizer.train(["the ▁ <0xE6> Ġ"])
    assert tokenizer.tokens(tokenizer.encode("the ▁ Ġ")) == ["the", "▁", "Ġ"]

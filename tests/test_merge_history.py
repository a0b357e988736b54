"""How byte pairs are joined, one after another: with every number of merges the library's tokens."""

import json
import random

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, decoders, models, pre_tokenizers

from transformer_lab.data import python_docs
from transformer_lab.data.merge_history import BytePairs, tokens_after
from transformer_lab.data.tokenizers import BPETokenizer, CharacterTokenizer

TEXTS = [
    "",
    " ",
    "the the aaaaaaaaa",
    "naïve 👨‍👩‍👧 北京 e\u0301\n\n\tx = 12,345",
    "Tokenization isn't magic: it's statements",
]


def made(merges):
    """A tokenizer of bytes with these merges, that cuts before each space; a token may be the end of several merges."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*alphabet, *dict.fromkeys(a + b for a, b in merges if a + b not in alphabet)]
    tokenizer = tokenizers.Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


@st.composite
def merges(draw):
    """Merges of tokens that earlier ones made, and also of such as never come to be."""
    known, chosen = list("abc"), []
    for _ in range(draw(st.integers(0, 8))):
        pair = (draw(st.sampled_from(known)), draw(st.sampled_from(known)))
        if pair not in chosen:
            chosen.append(pair)
            known.append("".join(pair))
    return chosen


def cut(tokenizer, n_merges):
    """The tokenizer with its first merges only."""
    state = json.loads(tokenizer.to_str())
    state["model"]["merges"] = state["model"]["merges"][:n_merges]
    return tokenizers.Tokenizer.from_str(json.dumps(state))


@given(merges(), st.text("abc ", max_size=24))
def test_after_so_many_merges_the_tokens_are_the_librarys_with_these(merges, text):
    tokenizer = made(merges)
    first, joins = BytePairs(tokenizer).history(text)
    for n in range(len(merges) + 1):
        tokens = tokens_after(n, first, joins)
        assert [token.id for token in tokens] == cut(tokenizer, n).encode(text).ids
        assert [start for start, _, _ in tokens] + [len(text)] == [0, *(end for _, end, _ in tokens)]


def slow(word, merges):
    """Join the pair with the lowest rank, the leftmost of several, until no pair has one."""
    while True:
        ranked = [(merges.index(pair), i) for i, pair in enumerate(zip(word, word[1:])) if pair in merges]  # noqa: B905
        if not ranked:
            return word
        i = min(ranked)[1]
        word = [*word[:i], word[i] + word[i + 1], *word[i + 2 :]]


@given(merges(), st.text("abc", min_size=1, max_size=12))
def test_equals_joining_the_lowest_rank_again_and_again(merges, text):
    tokenizer = made(merges)
    tokens = tokens_after(len(merges), *BytePairs(tokenizer).history(text))
    assert [tokenizer.id_to_token(token.id) for token in tokens] == slow(list(text), merges)


def test_a_learnt_tokenizer_on_difficult_texts():
    texts = [topic.text for topic in python_docs.topics()]
    tokenizer = BPETokenizer.train(texts, 1260).tokenizer
    pairs, numbers = BytePairs(tokenizer), random.Random(0)
    assert len(pairs) == 1000
    for text in [*TEXTS, texts[3][:600]]:
        first, joins = pairs.history(text)
        assert len(first) == len(text.encode()) and [one.merges for one in joins] == sorted(one.merges for one in joins)
        for n in (0, 1, 1000, *numbers.sample(range(2, 1000), 3)):
            assert [token.id for token in tokens_after(n, first, joins)] == cut(tokenizer, n).encode(text).ids


def test_only_byte_level_merges_have_a_history():
    others = {
        "WordLevel": CharacterTokenizer.train(["abc"]).tokenizer,
        "BPE": tokenizers.Tokenizer(models.BPE({"a": 0, "b": 1, "ab": 2}, [("a", "b")])),
    }
    others["BPE"].pre_tokenizer = pre_tokenizers.Split(Regex(r"\s"), behavior="removed")
    for name, tokenizer in others.items():
        with pytest.raises(ValueError, match=f"tokenizer must encode bytes by merges alone; got {name}"):
            BytePairs(tokenizer)
    prefixed = made([("a", "b")])
    prefixed.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    with pytest.raises(ValueError, match="by merges alone"):
        BytePairs(prefixed)
    with pytest.raises(ValueError, match="not a character"):
        BytePairs(made([])).history("a\ud83d")

"""Long texts: cut where byte pairs do not notice, and never larger in memory than a few times their file."""

import random
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import pre_tokenizers

from transformer_lab.data.long_text import CHUNK, LONGEST_RUN, LongText, watched
from transformer_lab.data.tokenizers import BPETokenizer
from transformer_lab.tasks import language
from transformer_lab.tasks.task import content_hash

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
from texts import made_up_text, measured  # noqa: E402

# What GPT-2's pattern treats each in a way of its own: letters, digits, marks, contractions, spaces of all kinds.
SIGNS = [
    *(
        "a",
        "Z",
        "é",
        "e\u0301",
        "中",
        "文",
        "か",
        "한",
        "1",
        "٣",
        "'",
        "'s",
        "'ll",
        ",",
        ".",
        "!",
        "-",
        "_",
        "。",
        "，",
    ),
    *(" ", "  ", " '", "\n", "\n\n", "\t", "\r", "\x1c", "\x85", "\u00a0", "\u2028", "\u3000", "\u200b", "😀", "[PAD]"),
]
texts = st.lists(st.sampled_from(SIGNS), max_size=60).map("".join)


def in_pieces(text, rng):
    """The text, cut anywhere."""
    cuts = sorted(rng.randrange(len(text) + 1) for _ in range(rng.randrange(6)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@given(texts, st.integers(1, 9), st.randoms(use_true_random=False))
def test_byte_pairs_learn_and_write_the_same_in_chunks_as_in_the_whole(text, size, rng):
    chunks = list(LongText(in_pieces(text, rng)).chunks(size))
    assert "".join(chunks) == text
    whole, cut = BPETokenizer.train([text], 300), BPETokenizer.train(chunks, 300)
    assert whole.tokenizer.to_str() == cut.tokenizer.to_str()
    assert whole.encode(text) == cut.encode_chunks(chunks).tolist()


def test_chunks_hold_the_words_of_the_whole():
    """Words as GPT-2's pattern has them: what byte pairs never reach across."""
    rng, words = random.Random(7), pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str
    n_chunks = 0
    for _ in range(3000):
        text = "".join(rng.choices(SIGNS, k=rng.randint(1, 40)))
        chunks = list(LongText(in_pieces(text, rng)).chunks(rng.randint(1, 5)))
        assert [word for word, _ in words(text)] == [word for chunk in chunks for word, _ in words(chunk)]
        n_chunks += len(chunks)
    assert n_chunks > 6000


@pytest.mark.parametrize("seed", range(3))
def test_long_texts_are_cut_into_small_chunks(seed):
    rng = random.Random(seed)
    for text in (made_up_text(10**6, seed), "".join(rng.choices("中文注意力机制让模型，。", k=10**6))):
        chunks = list(LongText(in_pieces(text, rng)).chunks())
        assert "".join(chunks) == text and max(map(len, chunks)) < CHUNK + 1000 and len(chunks) > 10
    run = "a" * (3 * LONGEST_RUN)
    chunks = list(LongText([run[i : i + 1000] for i in range(0, len(run), 1000)]).chunks())
    assert "".join(chunks) == run and max(map(len, chunks)) < LONGEST_RUN + 2000


@given(texts, st.floats(0.01, 0.99), st.randoms(use_true_random=False))
def test_a_long_text_is_cut_as_a_text_is(text, share, rng):
    long = LongText(in_pieces(text, rng))
    n_end = round(share * len(text))
    assert ["".join(side) for side in long.cut(share)] == [text[: len(text) - n_end], text[len(text) - n_end :]]
    assert long.n_characters == len(text) and long.n_bytes == len(text.encode()) and "".join(long) == text
    assert content_hash(long) == content_hash(text)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.37, 0.5, 0.9, 1.0, 2.0])
def test_a_sample_is_from_everywhere(share):
    text = LongText(f"{i:05d} " + "x" * 5000 + "\n" for i in range(2000))
    sample = list(text.sample(round(share * text.n_bytes)))
    chunks = list(text.chunks())
    assert abs(len(sample) - min(1, share) * len(chunks)) <= 1
    places = [chunks.index(chunk) for chunk in sample]
    assert places == sorted(set(places))
    assert max(np.diff([0, *places, len(chunks)])) <= max(2, 1 + 1 / share)


@pytest.mark.parametrize("vocab_size", [300, 2**16, 2**16 + 1])
def test_ids_take_as_few_bytes_as_hold_them(vocab_size):
    tokenizer = BPETokenizer.train(["a b c"], 300)
    tokenizer.tokenizer.add_tokens([f"<{i}>" for i in range(vocab_size - len(tokenizer))])
    ids = tokenizer.encode_chunks(["a b", " c"])
    assert ids.itemsize == (2 if vocab_size <= 2**16 else 4) and ids.tolist() == tokenizer.encode("a b c")


def test_many_chunks_keep_their_order():
    tokenizer = BPETokenizer.train(["a b c"], 300)
    chunks = [f"{i} " * random.Random(i).randrange(9) for i in range(100)]
    assert tokenizer.encode_chunks(iter(chunks)).tolist() == [i for chunk in chunks for i in tokenizer.encode(chunk)]
    assert len(tokenizer.encode_chunks([])) == 0


def test_work_is_told_where_it_takes_long_and_somebody_waits(capsys, monkeypatch):
    chunks = ["a" * 10, "b" * 20]
    for n, watches, rank, told in (
        (30, True, "0", ""),
        (2 * 10**6, True, "0", "Reading:"),
        (2 * 10**6, False, "0", ""),
        (10**8, False, "0", "Reading: 100,000,000 characters ...\n"),
        (10**8, False, "1", ""),
        (10**8, True, "0", "Reading:"),
    ):
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("LOCAL_RANK", rank)  # as torchrun sets them
        monkeypatch.setattr("transformer_lab.data.long_text.is_watched", lambda watches=watches: watches)
        assert list(watched(iter(chunks), n, "Reading")) == chunks
        shown = capsys.readouterr()
        assert shown.out == "" and (shown.err == told if told.endswith("\n") or not told else told in shown.err)


def test_a_text_in_memory_is_a_few_times_its_file(tmp_path):
    path, text = tmp_path / "text.txt", made_up_text(8 * 10**6) + "😀"
    path.write_text(text, encoding="utf-8")
    size = path.stat().st_size
    assert measured(path)["growth"] < 5 * size + 200e6, "a list of its ids alone takes more"


def test_a_task_on_a_long_text_learns_from_a_sample_and_holds_a_part_out(tmp_path, monkeypatch):
    path = tmp_path / "text.txt"
    path.write_text(made_up_text(300_000), encoding="utf-8")
    monkeypatch.setattr(language, "LONGEST_VALIDATION", 10_000)
    monkeypatch.setattr(language, "BYTES_A_TOKEN", 200)
    seen, train = [], BPETokenizer.train
    monkeypatch.setattr(BPETokenizer, "train", lambda texts, size: train(seen.extend(texts) or seen, size))
    task = language.text_files(path, vocab_size=512, d_model=16, n_heads=2, n_layers=1, d_ff=16)
    assert len(task.validation) == 10_000 and task.text.n_characters == len(path.read_text()) - 10_000
    assert 0 < sum(map(len, seen)) < 2 * 200 * 512
    assert "Byte pairs are learnt from 102,400 bytes of them" in task.about and "10,000 held out" in task.about
    assert task.tokenizer.decode(task.ids) == "".join(task.text)

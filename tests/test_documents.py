"""Documents and their split: checked against the standard library's difflib and SHA-256, and with planted copies."""

import hashlib
import os
import random
import re
import subprocess
import sys
from difflib import SequenceMatcher

import pytest

from transformer_lab.data.documents import WORD, Document, fingerprint, group_copies, join, split_documents


def words(n, rng):
    return ["".join(rng.choices("abcdefghij", k=rng.randint(3, 8))) for _ in range(n)]


def fresh_documents(n=60):
    rng = random.Random()
    return [Document(f"{i}", " ".join(words(rng.randint(20, 120), rng))) for i in range(n)]


def side_of(document, training, validation):
    assert (document in training) != (document in validation)
    return document in validation


def test_every_document_is_on_one_side_and_in_its_order():
    documents = fresh_documents()
    training, validation = split_documents(documents, seed=3)
    assert sorted(training + validation, key=documents.index) == documents
    for side in (training, validation):
        assert [documents.index(d) for d in side] == sorted(documents.index(d) for d in side)


@pytest.mark.parametrize("share", [0.05, 0.1, 0.3, 0.5])
def test_the_share_is_one_of_characters(share):
    documents = fresh_documents(200)
    _, validation = split_documents(documents, share)
    found = len(join(validation)) / len(join(documents))
    assert share - 0.02 < found < share + 0.01


def test_the_seed_decides_and_nothing_else():
    documents = fresh_documents()
    random.seed(1)
    first = split_documents(documents, seed=5)
    random.seed(2)
    assert split_documents(documents, seed=5) == first
    assert any(split_documents(documents, seed=seed) != first for seed in range(5))


def test_a_copied_passage_keeps_documents_together_whatever_its_case_and_line_breaks():
    rng = random.Random()
    for _ in range(30):
        documents = fresh_documents(20)
        passage = words(13, rng)
        a, b = rng.sample(range(20), 2)
        documents[a] = Document("a", f"{documents[a].text} {' '.join(passage)} {documents[a].text[::-1]}")
        documents[b] = Document("b", documents[b].text + ",\n  ".join(["", *passage, ""]).upper())
        training, validation = split_documents(documents, share=0.5, seed=rng.randrange(1000))
        assert side_of(documents[a], training, validation) == side_of(documents[b], training, validation)


def test_chains_of_copies_stay_together():
    rng = random.Random()
    passages = [" ".join(words(15, rng)) for _ in range(6)]
    # 0-1-2-...-5 in a chain, met in random order, among three strangers.
    texts = [f"{one} and {other}" for one, other in zip(passages, passages[1:], strict=False)]
    texts += [" ".join(words(30, rng)) for _ in range(3)]
    order = rng.sample(range(8), 8)
    found = {frozenset(order[i] for i in group) for group in group_copies([texts[i] for i in order])}
    assert found == {frozenset(range(5)), frozenset([5]), frozenset([6]), frozenset([7])}


def naive_groups(texts, run):
    """The same from the definition: tuples of words, compared with one another, until nothing changes any more."""
    runs = []
    for text in texts:
        found = re.findall("[\u3040-\u30ff\u3400-\u9fff]|[^\\W\u3040-\u30ff\u3400-\u9fff]+", text.lower())
        n = min(run, len(found))
        runs.append({tuple(found[i : i + n]) for i in range(len(found) - n + 1)})
    groups = [{i} for i in range(len(texts))]
    for i in range(len(texts)):
        for j in range(i):
            if runs[i] & runs[j]:
                one, other = (next(g for g in groups if k in g) for k in (i, j))
                if one is not other:
                    groups.remove(other)
                    one |= other
    return sorted(sorted(group) for group in groups)


@pytest.mark.parametrize("seed", range(40))
def test_groups_are_those_of_the_definition(seed, monkeypatch):
    rng = random.Random(seed)
    signs = ["a", "A", "b ", "c, ", "d\n", "e. ", "中", "文", " ", "é", "_"]
    texts = ["".join(rng.choices(signs, k=rng.randint(0, 25))) for _ in range(9)]
    for run in (1, 2, 3, 5, 8):
        assert group_copies(texts, run) == naive_groups(texts, run)


def test_a_copy_is_found_wherever_a_long_text_is_cut_for_the_work():
    rng = random.Random(3)
    passage = " ".join(words(13, rng))
    for _ in range(30):
        before = [" ".join(words(rng.randint(0, 2000), rng)) for _ in range(2)]
        texts = [f"{text} {passage} {' '.join(words(50, rng))}" for text in before]
        assert group_copies(texts) == [[0, 1]]
        assert group_copies([texts[0], texts[1].replace(passage, passage[::-1])]) == [[0], [1]]


def test_the_hash_of_a_word_is_the_same_in_every_process():
    """Several processes must hold out the same; Python's own hash would differ."""
    code = "from transformer_lab.data.documents import shingles; print(shingles('One two THREE 中', 2).tolist())"
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, env=os.environ | {"PYTHONHASHSEED": seed})
        for seed in "12"
    ]
    assert runs[0].stdout == runs[1].stdout != b"" and len(eval(runs[0].stdout)) == 3


def test_twelve_words_in_common_are_no_copy():
    rng = random.Random()
    passage = " ".join(words(12, rng))
    assert len(group_copies([f"one {passage} two", f"three {passage} four"])) == 2
    assert len(group_copies([f"one {passage} two", f"one {passage} four"])) == 1
    assert len(group_copies(["a b c d e f", "x a b c d e"])) == 2
    assert len(group_copies(["a b c d e f", "x a b c d e"], run=5)) == 1


def test_a_word_with_accents_or_vowel_signs_is_one_word():
    words = ["हिन्दी", "में", "मुहूर्त", "مُحَمَّد", "cafe\u0301"]
    assert [found for word in words for found in WORD.findall(word)] == words
    passage = " ".join(words * 2)  # 10 words: too few for a copy
    assert len(group_copies([f"one {passage} two", f"three {passage} four"])) == 2


def test_short_documents_twice_and_chinese_copies_are_found():
    assert len(group_copies(["Return the name.", "Set the name.", "return the\nname"])) == 2
    sentence = "注意力机制让模型在每一步都能看到整个句子"
    texts = [f"第一。{sentence}", f"第二章说:{sentence},然后继续", "完全不同的一句话没有任何相同之处"]
    assert sorted(group_copies(texts)) == [[0, 1], [2]]


def test_no_long_passage_is_left_on_both_sides():
    """difflib finds the longest common piece of every pair of documents over the split."""
    rng = random.Random()
    passages = [words(rng.randint(13, 30), rng) for _ in range(4)]
    documents = []
    for i in range(24):
        own = words(rng.randint(10, 40), rng)
        documents.append(Document(f"{i}", " ".join(own + rng.choice([[], *passages]) + own[:3])))
    training, validation = split_documents(documents, share=0.3)
    for left in training:
        for right in validation:
            a, b = left.text.split(), right.text.split()
            assert SequenceMatcher(None, a, b, autojunk=False).find_longest_match().size < 13


def test_what_cannot_be_split_gets_a_sentence():
    one, other = fresh_documents(2)
    for documents in ([], [one]):
        with pytest.raises(ValueError, match=rf"^There are {len(documents)} documents to split; wanted at least 2\.$"):
            split_documents(documents)
    with pytest.raises(ValueError, match="^All 3 documents share passages of 13 words"):
        split_documents([one, Document("copy", one.text), Document("more", one.text + " more")])
    for share in (0.0, 1.0, -0.1, float("nan")):
        with pytest.raises(ValueError, match=f"^share is {share}; wanted a number between 0 and 1"):
            split_documents([one, other], share)


def test_two_documents_are_enough_and_the_smaller_one_validates():
    small, large = Document("small", "only a few words"), Document("large", "many words " * 50)
    assert split_documents([small, large]) == ([large], [small])
    training, validation = split_documents([Document("a", ""), Document("b", "text")], share=0.9)
    assert len(training) == len(validation) == 1


def test_the_fingerprint_is_sha256s():
    text = "".join(random.choices("abc é中\n", k=500))
    assert fingerprint(text) == hashlib.sha256(text.encode()).hexdigest()[:12]
    assert fingerprint(text) != fingerprint(text + " ")
    assert len(fingerprint("half a pair \ud800")) == 12


def test_joined_texts_come_apart_again():
    documents = fresh_documents(5)
    assert join(documents).split("\n\n") == [d.text for d in documents]

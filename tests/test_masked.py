"""Masked language modelling: word pieces, the task and what it asks for, and what a model fills in."""

import math
import random

import pytest
import torch
import torch.nn.functional as F

from transformer_lab import BERT, GPT, TransformerConfig, load
from transformer_lab.data.documents import Document
from transformer_lab.data.word_pieces import WordPieceTokenizer
from transformer_lab.filling import fill_masks
from transformer_lab.pretrained import packaged, trained_on
from transformer_lab.tasks.masking import Masked, paragraphs
from transformer_lab.tasks.task import IGNORED

TINY = dict(d_model=16, n_heads=2, n_layers=2, d_ff=32)
TEXTS = ["the cat sat on a mat", "the dog reads __init__ and saw 42 mats", "a cat, a dog"] * 3


def test_a_frequent_word_is_one_token_and_a_rare_one_several():
    tokenizer = WordPieceTokenizer.train(TEXTS, 60)
    ids = tokenizer.encode("the cat reads __init__")
    assert tokenizer.tokens(ids) == ["[CLS]", "the", "cat", "reads", "__init__", "[SEP]"]
    assert tokenizer.tokens(tokenizer.encode("cats, 42"))[1:-1] == ["cat", "##s", ",", "4", "2"]
    assert tokenizer.decode(tokenizer.encode("the cats sat")) == "the cats sat"
    again = WordPieceTokenizer.train(TEXTS, 60)
    assert again.tokenizer.get_vocab() == tokenizer.tokenizer.get_vocab() and len(tokenizer) <= 60
    assert tokenizer.encode("Ж")[1] == tokenizer.unk_id and tokenizer.encode("[MASK]")[1] != tokenizer.mask_id
    assert tokenizer.encode("a [MASK]", special=True)[2] == tokenizer.mask_id
    with pytest.raises(ValueError, match="^vocab_size must be a whole number, at least 6; got 5"):
        WordPieceTokenizer.train(TEXTS, 5)


def test_paragraphs_have_no_line_without_a_letter():
    found = list(paragraphs([Document("a", "Title\n=====\n\none\n  two\n\n-----\n\n  \nthree"), Document("b", "four")]))
    assert found == ["Title", "one\ntwo", "three", "four"]


@pytest.fixture(scope="module")
def task():
    return Masked(only_topics=True, vocab_size=900, **TINY)


def test_a_batch_asks_for_the_hidden_tokens_of_its_windows(task):
    starts = random.sample(task.examples, 40) + [task.examples[-1]]
    batch = task.collate(starts)
    special = {task.tokenizer.id_of(role) for role in task.tokenizer.special}
    parts = (batch[key].tolist() for key in ("ids", "where", "labels"))
    n_asked = n_ordinary = 0
    for start, inputs, where, labels in zip(starts, *parts, strict=True):
        window = task.ids[start : start + 64].tolist()
        asked = [(t, label) for t, label in zip(where, labels, strict=True) if label != IGNORED]
        n_asked += len(asked)
        n_ordinary += sum(token not in special for token in window)
        assert all(window[t] == label for t, label in asked) and len({t for t, _ in asked}) == len(asked)
        assert all(inputs[t] == window[t] for t in range(64) if t not in dict(asked))
        assert not special & {label for _, label in asked} and len(labels) <= 40
    assert n_asked / n_ordinary == pytest.approx(0.15, abs=0.03)


@torch.no_grad()
def test_a_score_is_that_of_the_place_that_is_asked_for(task):
    batch = task.collate(random.sample(task.examples, 3))
    model = task.model.eval()
    found, everywhere = task.logits(model, batch), model.masked_lm_logits(model(batch["ids"]))
    for b, places in enumerate(batch["where"].tolist()):
        torch.testing.assert_close(found[b], everywhere[b, places], rtol=1e-4, atol=1e-4)
    assert task.is_padded  # the number of places differs from batch to batch


def test_only_the_held_out_documents_are_evaluated_on_and_with_masks_alone(task):
    inputs, labels = task.held_out_rows
    asked = labels != IGNORED
    assert torch.equal(inputs == task.tokenizer.mask_id, asked)
    assert not set(task.training) & {p for p in task.validation if len(p.split()) > 13}
    ids = torch.where(asked, labels, inputs)
    assert ids.flatten().tolist() == [i for p in task.validation for i in task.tokenizer.encode(p)][: ids.numel()]


@torch.no_grad()
def test_accuracy_and_loss_are_those_of_a_slow_count(task, monkeypatch):
    rows = [part[:5] for part in task.held_out_rows]
    monkeypatch.setitem(task.__dict__, "held_out_rows", rows)
    losses, hits, words = [], [], []
    for inputs, labels in zip(*rows, strict=True):
        logits = task.model.eval().masked_lm_logits(task.model(inputs[None]))[0]
        for t in range(64):
            if labels[t] != IGNORED:
                losses.append(F.cross_entropy(logits[t], labels[t]).item())
                hits.append(logits[t].argmax() == labels[t])
                words.append(any(c.isalpha() for c in task.tokenizer.tokens([labels[t]])[0]))
    found = task.evaluate()
    assert found["validation_loss"] == pytest.approx(sum(losses) / len(losses), rel=1e-5)
    assert found["accuracy"] == pytest.approx(sum(hits) / len(hits))
    among = [hit for hit, is_word in zip(hits, words, strict=True) if is_word]
    assert found["word_accuracy"] == pytest.approx(sum(among) / len(among)) and 0 < len(among) < len(hits)


@torch.no_grad()
def test_fill_masks_gives_the_likeliest_tokens_of_each_mask(task):
    model, tokenizer = task.model.train(), task.tokenizer
    text = "The [MASK] statement is [MASK]."
    found = fill_masks(model, tokenizer, text, k=3)
    assert model.training
    ids = torch.tensor([tokenizer.encode(text, special=True)])
    probabilities = model.eval().masked_lm_logits(model(ids))[0].softmax(dim=-1)
    places = [t for t, i in enumerate(ids[0].tolist()) if i == tokenizer.mask_id]
    assert len(found) == len(places) == 2
    for best, t in zip(found, places, strict=True):
        expected = sorted(enumerate(probabilities[t].tolist()), key=lambda pair: -pair[1])[:3]
        assert [token for token, _ in best] == tokenizer.tokens([i for i, _ in expected])
        assert [p for _, p in best] == pytest.approx([p for _, p in expected])
    everything = fill_masks(model, tokenizer, "[MASK]", k=10**6)[0]
    assert math.isclose(sum(p for _, p in everything), 1, rel_tol=1e-4) and len(everything) == len(tokenizer)


def test_what_cannot_be_filled_in_gets_a_sentence(task):
    model, tokenizer = task.model, task.tokenizer
    with pytest.raises(ValueError, match=r"^The text holds no \[MASK\]: there is nothing to fill in.$"):
        fill_masks(model, tokenizer, "no mask")
    with pytest.raises(ValueError, match="^The text has 92 tokens; this model's max_len is 64.$"):
        fill_masks(model, tokenizer, "[MASK] " * 90)
    with pytest.raises(ValueError, match="which reads both ways; got a GPT.$"):
        fill_masks(GPT(TransformerConfig.preset("nano", vocab_size=9)), tokenizer, "[MASK]")
    headless = BERT(TransformerConfig.preset("nano", vocab_size=len(tokenizer)))
    with pytest.raises(ValueError, match="^This model has no head for masked tokens"):
        fill_masks(headless, tokenizer, "[MASK]")


def test_the_shipped_model_fills_in_what_the_documentation_says():
    model, tokenizer = load("docs-bert")
    text = "[MASK] a copy of the string. Return [MASK] if it is a digit, otherwise return False."
    first, second = fill_masks(model, tokenizer, text)
    assert first[0][0] == "Return" and second[0][0] == "True"
    assert trained_on("docs-bert")["task"] == "masked" and model.config.masked_lm_head
    assert sum(file.stat().st_size for file in (packaged.PACKAGED / "docs-bert").iterdir()) < 5_000_000

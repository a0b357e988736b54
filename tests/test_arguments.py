"""What callers may give: one rule for each kind of value, wherever it is given."""

import math
import warnings
from fractions import Fraction

import jaxtyping
import numpy as np
import pytest
import torch

from transformer_lab import (
    GPT,
    TransformerConfig,
    generate,
    head_scores,
    load,
    make_task,
    repeated_tokens,
    save,
    scaled_dot_product_attention,
    seed_everything,
)
from transformer_lab.arguments import is_number
from transformer_lab.attention import fused_attention
from transformer_lab.data import dates, docstring_modules, entities, numbers, toys
from transformer_lab.data.files import split_pairs
from transformer_lab.data.pairs import Pair
from transformer_lab.data.tokenizers import BPETokenizer
from transformer_lab.metrics import bleu, chrf, exact_match, sequence_accuracy, token_accuracy
from transformer_lab.tasks.induction import HELD_OUT_SEED, Induction
from transformer_lab.training.settings import Settings
from transformer_lab.viz import AttentionSnapshots, AttentionView


@pytest.fixture(autouse=True)
def types_are_not_checked():
    """As in everyday use; the types that the tests check would refuse first, in other words."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


SEEDED = [
    seed_everything,
    lambda seed: make_task("copy", n=20, seed=seed),
    lambda seed: make_task("induction", n=20, seed=seed),
    lambda seed: repeated_tokens(9, 3, seed=seed),
    lambda seed: toys.induction_rows(3, seed),
    lambda seed: toys.training_pairs("copy", 3, seed),
    lambda seed: dates.training_pairs(3, seed),
    lambda seed: numbers.training_pairs(3, seed),
    lambda seed: entities.training_sentences(3, seed),
    lambda seed: docstring_modules.training_examples(seed),
    lambda seed: split_pairs([Pair("a", "x"), Pair("b", "y")], seed=seed),
    lambda seed: Settings(steps=1, seed=seed),
]


@pytest.mark.parametrize("make", SEEDED)
def test_a_seed_is_any_whole_number_that_every_generator_takes(make):
    make(np.int64(3))
    for wrong in (True, -1, 2**32, 1.0, "1", None):
        with pytest.raises(ValueError, match="seed must be a whole number, at least 0 and at most 4294967295"):
            make(wrong)


def test_numbers_of_every_library_are_numbers_and_compared_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in (1, 0.5, np.float32(0.5), np.float16(3), np.int64(2)):
            assert is_number(number)
        for number in (math.nan, np.float32("inf"), 10**400, Fraction(1, 2), True, "1", None):
            assert not is_number(number)
    assert Settings(steps=1, lr=np.float32(0.5)).lr == 0.5


def test_the_rows_held_out_from_induction_are_trained_on_with_no_seed():
    task = Induction(n=500, seed=HELD_OUT_SEED)
    same = (task.rows[:, :8] == task.held_out_rows[:, :8]).all(dim=1)
    assert not same.any()


def test_masks_of_whole_numbers_would_choose_rows_and_are_refused():
    grid, mask = torch.zeros(2, 2, dtype=torch.long), torch.ones(2, 2, dtype=torch.long)
    for measure in (token_accuracy, sequence_accuracy):
        with pytest.raises(ValueError, match=r"The mask must hold True and False; got torch\.int64\."):
            measure(grid, grid, mask)


def test_what_is_no_text_is_not_measured_as_an_empty_one():
    for measure in (bleu, chrf):
        with pytest.raises(ValueError, match="A text must be a str; got NoneType"):
            measure([None], ["a"])


def test_texts_and_pairs_may_come_one_by_one():
    model, tokenizer = load("dates")
    pairs = dates.held_out_pairs(2)
    assert exact_match(model, tokenizer, (pair for pair in pairs)) == exact_match(model, tokenizer, pairs)


def test_rows_of_ids_may_be_lists_tuples_arrays_or_tensors():
    tokenizer = BPETokenizer.train(["a"], 260)
    wanted = [[1, 2], [3, tokenizer.pad_id]]
    for make in (list, tuple, np.array, torch.tensor):
        assert tokenizer.pad([make([1, 2]), make([3])])[0].tolist() == wanted


def test_ids_and_masks_that_are_no_tensors_are_called_so():
    model = GPT(TransformerConfig.preset("nano", vocab_size=9))
    for ids in ([[1]], np.array([[1]])):
        with pytest.raises(ValueError, match="Token ids must be a tensor; got"):
            generate(model, ids, 2)
    with pytest.raises(ValueError, match="The mask must be a tensor; got list"):
        generate(model, torch.tensor([[1]]), 2, mask=[[True]])


@pytest.mark.parametrize("stop", [torch.tensor(3), torch.tensor([3, 4]), {3}, np.int64(3)])
def test_the_ids_that_stop_may_be_a_tensor(stop):
    model = GPT(TransformerConfig.preset("nano", vocab_size=9))
    assert generate(model, torch.tensor([[1]]), 2, stop=stop).shape[0] == 1


@pytest.mark.parametrize("name", [None, 3, b"dates"])
def test_a_name_that_is_none_is_said_to_be_none(name):
    for ask in (load, make_task):
        with pytest.raises(ValueError, match="must be a str or a Path; got"):
            ask(name)


def test_a_file_is_no_folder_of_a_model(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match=r"model\.safetensors is a file; wanted the folder"):
        load(str(tmp_path / "model.safetensors"))


def test_snapshots_say_at_once_how_often_they_cannot_be_taken():
    with pytest.raises(ValueError, match="every must be a whole number, at least 1; got 0"):
        AttentionSnapshots(0)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_what_a_view_was_given_may_change_afterwards(dtype):
    weights, norms = np.full((1, 1, 2, 2), 0.5, dtype), np.ones((1, 1, 2), np.float32)
    scores = np.zeros((1, 1, 2, 2), np.float32)
    view = AttentionView(weights, ["a", "b"], scores=scores, value_norms=norms)
    for given in (weights, norms, scores):
        given.fill(7)
    assert (view.attention == 0.5).all() and (view._record.value_norms == 1).all() and (view._record.scores == 0).all()


@pytest.mark.parametrize("weights", [torch.full((1, 1, 2, 2), 0.5).to_sparse(), torch.empty(1, 1, 2, 2, device="meta")])
def test_weights_that_cannot_be_looked_at_are_refused(weights):
    with pytest.raises(ValueError, match="attention must be a tensor or array"):
        AttentionView(weights, ["a", "b"])


def test_a_mask_of_zeros_and_ones_is_not_added_to_the_scores():
    q, mask = torch.rand(1, 2, 3, 4), torch.ones(3, 3, dtype=torch.long).tril()
    for attend in (scaled_dot_product_attention, fused_attention):
        with pytest.raises(ValueError, match=r"The mask must hold booleans.*; got torch\.int64: mask\.bool\(\)\."):
            attend(q, q, q, mask)
        attend(q, q, q, mask.bool())


def test_sizes_of_repeated_tokens_are_whole_numbers():
    for sizes in ((0, 3), (5, -1), (5, 2.0)):
        with pytest.raises(ValueError, match="must be a whole number, at least 1"):
            repeated_tokens(*sizes)
    with pytest.raises(ValueError, match="period must be at least 1"):
        head_scores([torch.rand(1, 2, 3, 3)], period=1.5)


def test_a_model_is_saved_with_a_tokenizer(tmp_path):
    with pytest.raises(ValueError, match="save takes a tokenizer of transformer_lab besides the model; got NoneType"):
        save(GPT(TransformerConfig.preset("nano", vocab_size=9)), None, tmp_path / "m")

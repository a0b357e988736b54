"""Hidden words: what is asked for, what is read in its place, and what is never touched."""

import pytest
import torch

from transformer_lab.data.masking import mask_tokens
from transformer_lab.tasks.task import IGNORED

PAD, MASK, CLS, V = 0, 3, 7, 50


def drawn(seed: int = 0, n: int = 400, T: int = 60, **options):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(V, (n, T), generator=generator)
    inputs, labels = mask_tokens(ids, MASK, V, special_ids=(PAD, CLS), generator=generator, **options)
    return ids, inputs, labels, labels != IGNORED


def test_only_what_is_asked_for_is_changed_and_the_labels_are_the_true_ids():
    ids, inputs, labels, asked = drawn()
    assert torch.equal(inputs[~asked], ids[~asked])
    assert torch.equal(labels[asked], ids[asked])


@pytest.mark.parametrize("rate", [0.05, 0.15, 0.5])
def test_the_share_asked_for_is_the_rate(rate):
    ids, _, _, asked = drawn(rate=rate)
    ordinary = ~torch.isin(ids, torch.tensor([PAD, MASK, CLS]))
    assert asked[ordinary].float().mean().item() == pytest.approx(rate, abs=0.02)


def test_special_tokens_are_never_asked_for_and_never_written_by_chance():
    ids, inputs, _, asked = drawn(rate=1.0, random=1.0, keep=0.0)
    special = torch.tensor([PAD, MASK, CLS])
    assert torch.equal(asked, ~torch.isin(ids, special))
    assert not torch.isin(inputs[asked], special).any()
    assert set(inputs[asked].tolist()) == set(range(V)) - {PAD, MASK, CLS}


@pytest.mark.parametrize(("random", "keep"), [(0.1, 0.1), (0.0, 0.0), (0.3, 0.5), (0.0, 1.0)])
def test_eighty_ten_ten(random, keep):
    ids, inputs, _, asked = drawn(rate=0.6, random=random, keep=keep)
    hidden = (inputs[asked] == MASK).float().mean().item()
    same = (inputs[asked] == ids[asked]).float().mean().item()
    assert hidden == pytest.approx(1 - random - keep, abs=0.02)
    assert same == pytest.approx(keep + random / (V - 3), abs=0.02)


def test_one_row_is_enough_and_a_seed_decides():
    ids = torch.arange(10, 40)
    one, again, other = (mask_tokens(ids, MASK, V, generator=torch.Generator().manual_seed(n)) for n in (1, 1, 2))
    assert torch.equal(one[0], again[0]) and torch.equal(one[1], again[1])
    assert not torch.equal(one[1], other[1])


@pytest.mark.parametrize("options", [{"rate": 1.5}, {"random": -0.1}, {"random": 0.6, "keep": 0.6}])
def test_shares_are_shares(options):
    with pytest.raises(ValueError, match="must be a number from 0 to 1"):
        mask_tokens(torch.arange(9), MASK, V, **options)

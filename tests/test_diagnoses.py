"""Questions that show broken snippets: what they say of a snippet is true of the code in the notebook."""

import math
import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from transformer_lab.grading import grade
from transformer_lab.grading.checks.multi_head.multi_head_of_parts import compute
from transformer_lab.grading.checks.multi_head.repair import BROKEN, Layer

SOURCES = Path(__file__).resolve().parents[1] / "source" / "exercises"


def snippets(lesson: str) -> dict:
    """The names that an exercise's cells with broken code define."""
    cells = re.split(r"^# %%", (SOURCES / f"{lesson}.py").read_text(encoding="utf-8"), flags=re.MULTILINE)
    names = {"torch": torch, "math": math, "nn": nn, "F": F}
    for cell in cells:
        if re.search(r"^(def|class) broken_", cell, flags=re.MULTILINE):
            exec("#" + cell, names)
    return names


def observations_of_a_feed_forward_layer(layer) -> dict:
    """What can be seen of it from outside, in the words of the question."""
    x = torch.randn(2, 5, 12)
    changed = x.clone()
    changed[:, 3] = torch.randn(12)
    moved = (layer(changed) - layer(x)).abs().amax(dim=(0, 2)) > 1e-6
    return {
        "opposite inputs": torch.allclose(layer(x) + layer(-x), 2 * layer(0 * x), atol=1e-4),
        "shape": layer(x).shape == x.shape,
        "another position": moved.tolist() == [False, False, False, True, False],
        "below zero": (layer(x) < 0).any().item(),
        "weights": sum(p.numel() for p in layer.parameters() if p.ndim == 2) // 12**2,
    }


@pytest.mark.parametrize("which, shown", [(1, "weights"), (2, "another position"), (3, "opposite inputs")])
def test_one_observation_tells_a_broken_feed_forward_layer_from_a_right_one(which, shown):
    torch.manual_seed(0)
    names = snippets("05_feed_forward")
    right, broken = (observations_of_a_feed_forward_layer(names[n](12)) for n in ("right", f"broken_{which}"))
    assert [name for name in right if right[name] != broken[name]] == [shown]


@pytest.mark.parametrize("T, n_heads", [(1, 2), (5, 1), (4, 3)])
def test_the_check_knows_the_broken_attentions_as_they_stand_in_the_notebook(T, n_heads):
    torch.manual_seed(0)
    names, layer = snippets("04_multi_head"), Layer(4 * n_heads, n_heads)
    x = torch.randn(2, T, 4 * n_heads)
    for n, broken in BROKEN.items():
        wanted = compute(layer, x, None, n_heads, **broken)
        assert torch.allclose(names[f"broken_{n}"](layer, x).double(), wanted, atol=1e-5)


def test_one_residual_pasted_for_all_three_earns_its_own_share_only():
    def post_norm(x, *rest):
        return rest[1](x + rest[0](x))

    def pre_norm(x, *rest):
        return x + rest[0](rest[1](x))

    def attention(x, w_q, attend, *_):
        return x + attend(x @ w_q, x)

    assert [grade("06_residual.repair", one, one, one) for one in (post_norm, pre_norm, attention)] == [1, 1, 1]

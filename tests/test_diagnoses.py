"""Questions that show broken snippets: what they say of a snippet is true of the code in the notebook."""

import math
import re
from importlib import import_module
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from transformer_lab.grading import grade
from transformer_lab.grading.checks.multi_head.multi_head_of_parts import compute
from transformer_lab.grading.checks.multi_head.repair import BROKEN, Layer
from wrong_answers import masks, toolkit

SOURCES = Path(__file__).resolve().parents[1] / "source" / "exercises"


def snippets(lesson: str) -> dict:
    """The names that an exercise's cells with broken code define."""
    cells = re.split(r"^# %%", (SOURCES / f"{lesson}.py").read_text(encoding="utf-8"), flags=re.MULTILINE)
    names = {"torch": torch, "math": math, "nn": nn, "F": F}
    for cell in cells:
        if re.search(r"^(def|class) (broken_|torchs)", cell, flags=re.MULTILINE):
            exec("#" + cell, names)
    return names


def near(got, wanted):
    return torch.allclose(got, wanted, atol=1e-3)


def attentions_observed(names):
    """Each observation of lesson 02's question, as a function that says whether it is true of an attention."""
    q, k, v, torchs = torch.randn(16, 64), torch.randn(16, 64), torch.randn(16, 5), names["torchs"]
    ones, order = torch.ones(16, 1), torch.randperm(16)
    output, weights = torchs(q, k, v)

    def right_again(attention):
        longer = [attention(c * q, k, v) for c in (1 / 64, 1 / 8, 8**-0.5, 8**0.5, 8, 64)]
        return any(near(one[0], output) and near(one[1], weights) for one in longer)

    def only_output_wrong(attention):
        return near(attention(q, k, v)[1], weights) and not near(attention(q, k, v)[0], output)

    return {
        "the rows of the weights do not sum to 1": lambda f: not near(f(q, k, v)[1].sum(-1), torch.ones(16)),
        "queries 100 times as long leave the weights flat": lambda f: f(100 * q, k, v)[1].max() < 0.2,
        "an equal key gets no more than the others": lambda f: f(k, k, v)[1].diagonal().mean() < 1.5 / 16,
        "right again when all queries are multiplied by one number": right_again,
        "the weights are right, the output is not": only_output_wrong,
        "values of 1 come out as 0.125": lambda f: near(f(q, k, ones)[0], ones / 8),
        "keys and values in another order change nothing": lambda f: near(f(q, k[order], v[order])[0], f(q, k, v)[0]),
    }


def trained(loop, rows, classes, steps=100):
    """A linear model before and after training on the same rows again and again, and the losses."""
    torch.manual_seed(1)
    model = nn.Linear(rows.shape[1], 3)
    before = [p.detach().clone() for p in model.parameters()]
    losses = torch.tensor(loop(model, [(rows, classes)] * steps, lr=1.0))
    changed = [not torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True)]
    return losses, changed, any(p.grad is not None and bool(p.grad.any()) for p in model.parameters())


def loops_observed(names):
    """Each observation of lesson 01's question, as a function that says whether it is true of a training loop."""
    rows = torch.randn(60, 4)
    classes = (rows[:, :3] + 0.3 * torch.randn(60, 3)).argmax(dim=-1)

    def falls_and_rises(loop):
        losses, *_ = trained(loop, rows, classes)
        return losses.min() < losses[0] - 0.1 and losses.min() < losses[-1] - 0.1

    def falls_to_a_floor(loop):
        losses, *_ = trained(loop, rows, classes)
        return (losses.diff() < 0).all() and losses.min() > 0.55

    def learns_nothing(loop, filled):
        _, changed, grad = trained(loop, rows, classes)
        return not any(changed) and grad == filled

    def doubles(loop):
        once, twice = (trained(loop, rows.repeat(n, 1), classes.repeat(n), 1)[0] for n in (1, 2))
        return near(twice, 2 * once)

    return {
        "the loss falls at first and rises again": falls_and_rises,
        "nothing is learnt, and p.grad is filled afterwards": lambda loop: learns_nothing(loop, True),
        "only the biases change": lambda loop: trained(loop, rows, classes)[1] == [False, True],
        "the loss falls at every step and stays above 0.55": falls_to_a_floor,
        "nothing is learnt, and p.grad is empty afterwards": lambda loop: learns_nothing(loop, False),
        "twice the rows, twice the loss": doubles,
    }


def maskings_observed(names):
    """Each observation of lesson 03's question, as a function that says whether it is true of a masked attention."""
    q, k, v = torch.rand(6, 16), torch.rand(6, 16), torch.randn(6, 3)
    causal = torch.ones(6, 6).tril().bool()
    band = (torch.arange(6)[:, None] - torch.arange(6)).abs() < 2

    def right(attention, k, mask):
        return near(attention(q, k, v, mask)[0], F.scaled_dot_product_attention(q, k, v, attn_mask=mask))

    def low(attention):  # q is not negative: the longer the negative keys, the lower all scores of a query alike
        lower = k - 4000 / q.sum(-1).mean()
        return right(attention, k, causal) and not right(attention, lower, causal)

    def loses_all(attention):
        long = k.clone()
        long[5] = 1200 / 4
        return attention(q, long, v, causal)[0].isnan().any()

    return {
        "right for ordinary scores, wrong when all scores are 1000 lower": low,
        "the rows of the weights sum to less than 1": lambda f: (f(q, k, v, causal)[1].sum(-1) < 0.99).any(),
        "NaN where a blocked score is 300 above the allowed ones": loses_all,
        "any other mask gives the same output": lambda f: near(f(q, k, v, causal)[0], f(q, k, v, band)[0]),
        "no query reads the first key": lambda f: not f(q, k, v, causal)[1][:, 0].any(),
        "wrong for the causal mask, right for a mask that equals its transpose": lambda f: (
            not right(f, k, causal) and right(f, k, band)
        ),
    }


# How the observations of a lesson are made, and a right function.
OBSERVED = {
    "01_toolkit": (loops_observed, lambda names: toolkit.RIGHT_LOOP),
    "02_attention": (attentions_observed, lambda names: names["torchs"]),
    "03_masks": (maskings_observed, lambda names: masks.attention_right),
}


@pytest.mark.parametrize("lesson", OBSERVED)
def test_an_observation_is_true_of_its_snippet_alone(lesson):
    torch.manual_seed(0)
    observed, right = OBSERVED[lesson]
    names = snippets(lesson)
    diagnosis = import_module(f"transformer_lab.grading.checks.{lesson[3:]}.diagnose").DIAGNOSIS
    made = observed(names)
    assert made.keys() == diagnosis.observations.keys()
    true_of = {
        what: [snippet for snippet in diagnosis.snippets if holds(names[f"broken_{snippet}"])]
        for what, holds in made.items()
    }
    for snippet, (_, observation, _) in diagnosis.snippets.items():
        assert true_of[observation] == [snippet] and not made[observation](right(names))
    decoys = diagnosis.observations.keys() - {observation for _, observation, _ in diagnosis.snippets.values()}
    assert all(len(true_of[what]) != 1 or made[what](right(names)) for what in decoys), true_of


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

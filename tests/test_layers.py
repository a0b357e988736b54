"""layers.py against torch.nn: outputs and gradients, in both precisions."""

import pytest
import torch
from torch import nn

from test_attention import both_precisions, close, gradients
from transformer_lab.layers import FeedForward, LayerNorm, Residual, RMSNorm


@both_precisions
@pytest.mark.parametrize("ours, theirs", [(LayerNorm, nn.LayerNorm), (RMSNorm, nn.RMSNorm)])
def test_norms_equal_torch(dtype, ours, theirs):
    ours, theirs = ours(6, eps=0.01).to(dtype), theirs(6, eps=0.01, dtype=dtype)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        p.data = q.data = torch.randn(6, dtype=dtype)
    # A variance near eps and a mean far from zero show where each of them enters.
    x = (torch.randn(2, 3, 6, dtype=dtype) * 0.1 + 1).requires_grad_()
    output, expected = ours(x), theirs(x)
    close(output, expected, dtype)
    for a, b in zip(gradients(output, (x, ours.gamma)), gradients(expected, (x, theirs.weight)), strict=True):
        close(a, b, dtype)


def test_layer_norm_is_its_formula():
    norm = LayerNorm(5, eps=0.1).double()
    norm.gamma.data, norm.beta.data = torch.randn(5).double(), torch.randn(5).double()
    x = torch.randn(2, 5, dtype=torch.float64)
    for row, out in zip(x, norm(x), strict=True):
        variance = sum((value - row.mean()) ** 2 for value in row) / 5
        torch.testing.assert_close(out, norm.gamma * (row - row.mean()) / (variance + 0.1) ** 0.5 + norm.beta)


@both_precisions
@pytest.mark.parametrize(
    "activation, theirs", [("relu", nn.ReLU()), ("gelu", nn.GELU()), ("gelu_tanh", nn.GELU(approximate="tanh"))]
)
def test_feed_forward_equals_torch(dtype, activation, theirs):
    ours = FeedForward(4, 7, activation).to(dtype)
    expected = nn.Sequential(ours.w_1, theirs, ours.w_2)
    x = torch.randn(2, 3, 4, dtype=dtype) * 3
    close(ours(x), expected(x), dtype)


def test_swiglu_gates_the_hidden_layer():
    ours = FeedForward(4, 7, "swiglu", bias=False).double()
    assert [tuple(p.shape) for p in ours.parameters()] == [(7, 4), (4, 7), (7, 4)]
    x = torch.randn(3, 4, dtype=torch.float64)
    gate = x @ ours.w_gate.weight.T
    hidden = gate / (1 + (-gate).exp()) * (x @ ours.w_1.weight.T)
    torch.testing.assert_close(ours(x), hidden @ ours.w_2.weight.T)


def test_residual_puts_the_norm_before_or_after():
    x, double = torch.randn(2, 3, 4), lambda x: 2 * x
    norm = LayerNorm(4)
    norm.gamma.data = torch.tensor([1.0, 2.0, 3.0, 4.0])
    torch.testing.assert_close(Residual(norm, "pre")(x, double), x + 2 * norm(x))
    torch.testing.assert_close(Residual(norm, "post")(x, double), norm(3 * x))


def test_dropout_acts_on_the_sublayer_only_and_while_training():
    residual = Residual(nn.Identity(), "pre", dropout=0.5)
    x = torch.ones(1, 10, 100)
    out = residual(x, lambda x: x)
    assert set(out.unique().tolist()) == {1.0, 3.0}  # dropped: x alone; kept: x + 2x
    assert (residual.eval()(x, lambda x: x) == 2).all()


@pytest.mark.parametrize("ours", [LayerNorm, RMSNorm])
def test_a_norm_begins_without_an_effect_of_its_own(ours):
    norm = ours(6)
    assert norm.eps == 1e-5 and norm.gamma.tolist() == [1] * 6
    assert ours is RMSNorm or norm.beta.tolist() == [0] * 6
    assert set(norm.state_dict()) == ({"gamma", "beta"} if ours is LayerNorm else {"gamma"})


def test_a_feed_forward_layer_has_a_gate_and_biases_where_it_is_told_so():
    assert FeedForward(4, 7).w_gate is None and FeedForward(4, 7).activation is nn.functional.relu
    assert sorted(FeedForward(4, 7).state_dict()) == ["w_1.bias", "w_1.weight", "w_2.bias", "w_2.weight"]
    assert sorted(FeedForward(4, 7, bias=False).state_dict()) == ["w_1.weight", "w_2.weight"]
    assert len(FeedForward(4, 7, "swiglu").state_dict()) == 6


def test_a_residual_drops_nothing_unless_told_to():
    residual, x = Residual(nn.Identity(), "post"), torch.ones(1, 10, 100)
    assert (residual(x, lambda x: x) == 2).all() and residual.dropout.p == 0


def test_an_unknown_word_is_refused():
    with pytest.raises(ValueError, match="norm_position is 'prenorm'; wanted one of pre, post"):
        Residual(LayerNorm(4), "prenorm")
    with pytest.raises(ValueError, match="activation is 'silu'; wanted one of relu, gelu"):
        FeedForward(4, 8, "silu")

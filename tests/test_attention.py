"""attention.py against torch's own attention, in float64 and with fresh numbers."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from transformer_lab.attention import MultiHeadAttention, causal_mask, fused_attention, scaled_dot_product_attention

sizes = st.integers(1, 6)


@given(B=sizes, T=sizes, S=sizes, d_key=sizes, d_value=sizes, seed=st.integers(0, 10**6))
def test_equals_torch_in_float64(B, T, S, d_key, d_value, seed):
    g = torch.Generator().manual_seed(seed)
    q, k, v = (
        torch.randn(B, n, d, generator=g, dtype=torch.float64) for n, d in ((T, d_key), (S, d_key), (S, d_value))
    )
    mask = torch.rand(B, T, S, generator=g) < 0.7
    mask[..., 0] = True
    output, weights = scaled_dot_product_attention(q, k, v, mask)
    torch.testing.assert_close(output, F.scaled_dot_product_attention(q, k, v, attn_mask=mask), rtol=0, atol=1e-10)
    torch.testing.assert_close(weights.sum(-1), torch.ones(B, T, dtype=torch.float64))
    assert (weights[~mask] == 0).all()


@pytest.mark.parametrize("attend", [scaled_dot_product_attention, fused_attention])
def test_a_wholly_masked_row_gives_zeros_and_no_nan_gradient(attend):
    q, k, v = (torch.randn(2, 3, 4, requires_grad=True) for _ in range(3))
    mask = torch.ones(3, 3, dtype=torch.bool)
    mask[1] = False
    output, _ = attend(q, k, v, mask)
    assert (output[:, 1] == 0).all() and (output[:, 0] != 0).all()
    output.sum().backward()
    assert all(x.grad.isfinite().all() for x in (q, k, v))
    assert (q.grad[:, 1] == 0).all()


def test_causal_mask_aligns_the_last_query_with_the_last_key():
    assert causal_mask(2, 4).tolist() == [[True, True, True, False], [True, True, True, True]]


def test_multi_head_attention_equals_torch():
    ours, theirs = MultiHeadAttention(12, 3).double(), torch.nn.MultiheadAttention(12, 3, batch_first=True).double()
    theirs.in_proj_weight.data = torch.cat([w.weight.data for w in (ours.w_q, ours.w_k, ours.w_v)])
    theirs.in_proj_bias.data = torch.cat([w.bias.data for w in (ours.w_q, ours.w_k, ours.w_v)])
    theirs.out_proj.weight.data, theirs.out_proj.bias.data = ours.w_o.weight.data, ours.w_o.bias.data
    x, memory = torch.randn(2, 5, 12, dtype=torch.float64), torch.randn(2, 7, 12, dtype=torch.float64)
    real = torch.rand(2, 7) < 0.6
    real[:, 0] = True
    expected, _ = theirs(x, memory, memory, key_padding_mask=~real)
    torch.testing.assert_close(ours(x, memory, real[:, None, None, :]), expected, rtol=0, atol=1e-10)


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match=r"d_model must be a multiple of n_heads; got d_model=10, n_heads=3\."):
        MultiHeadAttention(10, 3)

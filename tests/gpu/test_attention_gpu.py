"""Attention on the GPU, in every dtype, against the formula in float32 on the CPU."""

import pytest
import torch

from transformer_lab.attention import fused_attention, scaled_dot_product_attention

DTYPES = {torch.float32: 1e-4, torch.bfloat16: 0.06, torch.float16: 0.01}


def attend(attention, tensors, mask):
    """The output, and the gradients of its sum of squares."""
    tensors = [tensor.detach().requires_grad_() for tensor in tensors]
    output, _ = attention(*tensors, mask)
    output.float().square().sum().backward()
    return [output, *(tensor.grad for tensor in tensors)]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("kind", ["bool", "float", "token"])
@pytest.mark.parametrize("width", [16, 64])
def test_a_wholly_masked_row_gives_zeros_forwards_and_backwards(device, dtype, kind, width):
    torch.manual_seed(0)
    B, H, T, S = 3, 4, 33, 40
    tensors = [torch.randn(B, H, n, width).to(dtype).float() for n in (T, S, S)]
    allowed = torch.rand(B, 1, T, S) < 0.7
    allowed[1, 0, 5] = allowed[2, 0, 20:] = False
    if kind == "token":
        allowed = allowed[:, :, :1].clone()
        allowed[1] = False
    mask = torch.randn(allowed.shape).masked_fill(~allowed, -torch.inf) if kind == "float" else allowed
    given = mask.to(device) if mask.dtype == torch.bool else mask.to(device, dtype)
    ours = attend(fused_attention, [tensor.to(device, dtype) for tensor in tensors], given)
    expected = attend(scaled_dot_product_attention, tensors, mask)
    blind = ~allowed.any(dim=-1).expand(B, H, T)
    assert blind.any() and (ours[0].cpu()[blind] == 0).all()
    for mine, right in zip(ours, expected, strict=True):
        assert mine.isfinite().all()
        torch.testing.assert_close(mine.cpu().float(), right, atol=DTYPES[dtype] * right.abs().max().item(), rtol=0.05)

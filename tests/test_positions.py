"""positions.py against slow formulas, and what each scheme promises."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from transformer_lab import TransformerConfig
from transformer_lab.positions import (
    AlibiPositions,
    RotaryPositions,
    absolute_positions,
    alibi_slopes,
    count_positions,
    relative_positions,
    rotate,
    sinusoidal_table,
)

positions = st.integers(0, 5000)


def test_sinusoidal_table_is_the_papers_formula():
    table = sinusoidal_table(50, 8)
    for position in (0, 1, 7, 49):
        for i in range(4):
            angle = position / 10_000 ** (2 * i / 8)
            torch.testing.assert_close(table[position, 2 * i].item(), math.sin(angle), rtol=0, atol=1e-5)
            torch.testing.assert_close(table[position, 2 * i + 1].item(), math.cos(angle), rtol=0, atol=1e-5)


def turn(x, position, theta=10_000.0):
    """x (d_head) at a position, by complex numbers: feature i is real, feature i + d_head / 2 imaginary."""
    half = len(x) // 2
    frequency = torch.tensor([theta ** (-2 * i / len(x)) for i in range(half)], dtype=torch.float64)
    turned = torch.complex(x[:half], x[half:]) * torch.exp(1j * position * frequency)
    return torch.cat((turned.real, turned.imag))


@given(position=positions, theta=st.sampled_from([100.0, 10_000.0, 500_000.0]))
def test_rotary_is_a_multiplication_by_complex_numbers(position, theta):
    x = torch.randn(6, dtype=torch.float64)
    rotation = RotaryPositions(6, theta).rotation(torch.tensor([[position]]), torch.float64)
    torch.testing.assert_close(rotate(x.view(1, 1, 1, 6), *rotation).flatten(), turn(x, position, theta))


@given(query=positions, key=positions, shift=positions)
def test_rotary_scores_depend_on_the_offset_only(query, key, shift):
    q, k = torch.randn(2, 1, 1, 1, 8, dtype=torch.float64)
    scheme = RotaryPositions(8, 10_000.0)

    def score(query, key):
        at = lambda position: scheme.rotation(torch.tensor([[position]]), torch.float64)  # noqa: E731
        return (rotate(q, *at(query)) * rotate(k, *at(key))).sum()

    torch.testing.assert_close(score(query, key), score(query + shift, key + shift))
    torch.testing.assert_close(rotate(q, *scheme.rotation(torch.tensor([[query]]), torch.float64)).norm(), q.norm())


@pytest.mark.parametrize("n_heads", [1, 2, 3, 6, 8, 12, 25])
def test_alibi_slopes_are_blooms(n_heads):
    from transformers.models.bloom.modeling_bloom import build_alibi_tensor

    # Bloom's row is slope * key position: its last entry over the last position is the slope.
    bloom = build_alibi_tensor(torch.ones(1, 5), n_heads, torch.float32)
    torch.testing.assert_close(alibi_slopes(n_heads), bloom[:, 0, -1] / 4)


@given(query=positions, key=positions, shift=positions)
def test_alibi_lowers_scores_by_distance_and_depends_on_the_offset_only(query, key, shift):
    scheme = AlibiPositions(4)
    bias = scheme.bias(torch.tensor([[query]]), torch.tensor([[key]])).flatten()
    assert torch.equal(bias, scheme.bias(torch.tensor([[query + shift]]), torch.tensor([[key + shift]])).flatten())
    torch.testing.assert_close(bias, -abs(query - key) * torch.tensor([2.0**-2, 2.0**-4, 2.0**-6, 2.0**-8]))


def test_positions_are_counted_from_the_first_real_token():
    mask = torch.tensor([[False, False, True, True], [True, True, True, False], [True, False, True, True]])
    assert count_positions(4, mask).tolist() == [[0, 0, 0, 1], [0, 1, 2, 3], [0, 1, 2, 3]]
    assert count_positions(3).tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_rotary_angles_of_far_positions_are_exact_in_any_precision(dtype):
    cos, sin = RotaryPositions(8, 10_000.0).rotation(torch.tensor([[8191]]), dtype)
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    assert cos.dtype == sin.dtype == wide and cos.shape == sin.shape == (1, 1, 1, 4)
    angles = [8191 * 10_000 ** (-2 * i / 8) for i in range(4)]
    torch.testing.assert_close(cos.flatten().double(), torch.tensor(angles).double().cos(), rtol=0, atol=1e-3)
    torch.testing.assert_close(sin.flatten().double(), torch.tensor(angles).double().sin(), rtol=0, atol=1e-3)
    x = torch.ones(1, 2, 1, 8, dtype=dtype)
    turned = rotate(x, cos, sin)
    assert turned.dtype == dtype
    expected = rotate(x.double(), cos.double(), sin.double())
    torch.testing.assert_close(turned.double(), expected, rtol=0, atol=0.01)


def test_each_scheme_acts_in_one_place():
    x, positions = torch.randn(2, 3, 8), torch.arange(5)[None]
    acts = {}
    for name in ("none", "sinusoidal", "learned", "rotary", "alibi"):
        config = TransformerConfig(vocab_size=9, d_model=8, n_heads=2, max_len=6, positions=name, rope_theta=50.0)
        absolute, relative = absolute_positions(config), relative_positions(config)
        bias = relative.bias(positions[:, -3:], positions)
        acts[name] = (
            not torch.equal(absolute(x, positions), x),
            relative.rotation(positions, torch.float32) is not None,
            bias is not None,
        )
        if bias is not None:
            assert bias.shape == (1, 2, 3, 5)
    assert acts == {
        "none": (False, False, False),
        "sinusoidal": (True, False, False),
        "learned": (True, False, False),
        "rotary": (False, True, False),
        "alibi": (False, False, True),
    }
    assert relative_positions(replace(config, positions="rotary")).theta == 50.0


def test_a_table_is_read_at_the_positions_of_the_last_tokens():
    config = TransformerConfig(vocab_size=9, d_model=8, n_heads=2, max_len=6, positions="learned")
    scheme = absolute_positions(config)
    x, positions = torch.randn(2, 3, 8), torch.tensor([[0, 0, 0, 1, 2], [0, 1, 2, 3, 4]])
    torch.testing.assert_close(scheme(x, positions), x + scheme.table[torch.tensor([[0, 1, 2], [2, 3, 4]])])
    assert scheme(torch.randn(1, 6, 8), torch.arange(6)[None]).shape == (1, 6, 8)  # all of max_len
    with pytest.raises(ValueError, match=r"^The sequence has 7 positions; this model's max_len is 6\.$"):
        scheme(x[:, :1], torch.arange(7)[None])


def test_tables_and_slopes_are_not_saved_and_move_with_the_model():
    config = TransformerConfig(vocab_size=9, d_model=8, n_heads=2, max_len=6)
    for scheme in (
        absolute_positions(config),
        relative_positions(replace(config, positions="alibi")),
    ):
        assert not scheme.state_dict() and not list(scheme.parameters())
        assert next(scheme.to("meta").buffers()).is_meta

"""attention.py against torch's own attention: outputs and gradients, with fresh numbers."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from references import copy_attention
from transformer_lab.attention import (
    KVCache,
    MultiHeadAttention,
    causal_mask,
    explicit_attention,
    fused_attention,
    restrict,
    scaled_dot_product_attention,
    split_mask,
    with_causality,
)

sizes = st.integers(1, 6)
seeds = st.integers(0, 10**6)
# How far a sum of a few hundred products may be off in each precision.
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}
both_precisions = pytest.mark.parametrize("dtype", TOLERANCE)


def close(ours, theirs, dtype):
    torch.testing.assert_close(ours, theirs, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


def gradients(output, inputs):
    """Gradients of a sum in which every entry counts differently."""
    weights = torch.linspace(-1, 1, output.numel(), dtype=output.dtype).view_as(output)
    return torch.autograd.grad((output * weights).sum(), inputs)


@given(B=sizes, T=sizes, S=sizes, d_key=sizes, d_value=sizes, seed=seeds, dtype=st.sampled_from(list(TOLERANCE)))
def test_equals_torch(B, T, S, d_key, d_value, seed, dtype):
    g = torch.Generator().manual_seed(seed)
    shapes = ((B, T, d_key), (B, S, d_key), (B, S, d_value))
    q, k, v = (torch.randn(shape, generator=g, dtype=dtype, requires_grad=True) for shape in shapes)
    mask = torch.rand(B, T, S, generator=g) < 0.7
    mask[..., 0] = True
    output, weights = scaled_dot_product_attention(q, k, v, mask)
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    close(output, expected, dtype)
    for ours, theirs in zip(gradients(output, (q, k, v)), gradients(expected, (q, k, v)), strict=True):
        close(ours, theirs, dtype)
    close(weights.sum(-1), torch.ones(B, T, dtype=dtype), dtype)
    assert (weights[~mask] == 0).all()


@given(
    T=sizes, more=sizes, n_kv_heads=st.sampled_from([1, 2, 6]), seed=seeds, masked=st.booleans(), floats=st.booleans()
)
def test_fused_and_explicit_attention_agree_on_every_kind_of_mask(T, more, n_kv_heads, seed, masked, floats):
    """Causal or not, boolean or added floats, fully masked rows included; four axes take torch's fast kernel."""
    g = torch.Generator().manual_seed(seed)
    S = T + more - 1
    sizes = ((6, T), (n_kv_heads, S), (n_kv_heads, S))
    q, k, v = (torch.randn(2, h, n, 8, generator=g, requires_grad=True) for h, n in sizes)
    mask = torch.rand(2, 1, T, S, generator=g) < 0.6 if masked else None
    if masked and floats:
        mask = torch.randn(2, 6, T, S, generator=g).masked_fill(~mask, -torch.inf)
    for causal in (False, True):
        masked_or_causal = with_causality(mask, causal, T, S)
        plain, weights = explicit_attention()(q, k, v, *masked_or_causal)
        fused, nothing = fused_attention(q, k, v, *masked_or_causal)
        assert nothing is None
        torch.testing.assert_close(plain, fused, rtol=1e-5, atol=1e-5)
        for ours, theirs in zip(gradients(plain, (q, k, v)), gradients(fused, (q, k, v)), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
        if causal:
            assert (weights[..., ~causal_mask(T, S)] == 0).all()


@pytest.mark.parametrize("attend", [scaled_dot_product_attention, fused_attention])
@pytest.mark.parametrize("kind", ["bool", "float"])
@pytest.mark.parametrize("axes", [(2,), (2, 3)])
def test_a_wholly_masked_row_gives_zeros_and_no_nan_gradient(attend, kind, axes):
    q, k, v = (torch.randn(*axes, 3, 4, requires_grad=True) for _ in range(3))
    mask = torch.ones(3, 3, dtype=torch.bool)
    mask[1] = False
    mask = mask if kind == "bool" else torch.zeros(3, 3).masked_fill(~mask, -torch.inf)
    output, _ = attend(q, k, v, mask)
    assert (output[..., 1, :] == 0).all() and (output[..., 0, :] != 0).all()
    output.sum().backward()
    assert all(x.grad.isfinite().all() for x in (q, k, v))
    assert (q.grad[..., 1, :] == 0).all()


@pytest.mark.parametrize("kind", ["bool", "float"])
@pytest.mark.parametrize("others", [True, False])
def test_a_wholly_masked_row_gives_zeros_whatever_the_kernel_makes_of_it(monkeypatch, kind, others):
    """torch's kernels for CUDA in 16 bits return the mean of the values: here a kernel does the same in 32."""
    kernel = torch.nn.functional.scaled_dot_product_attention

    def careless(q, k, v, attn_mask=None, **options):
        if attn_mask is not None:
            if attn_mask.dtype == torch.bool:
                attn_mask = torch.zeros(attn_mask.shape).masked_fill(~attn_mask, -torch.inf)
            attn_mask = attn_mask.clamp(min=-1e9)
        return kernel(q, k, v, attn_mask, **options)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", careless)
    q, k, v = (torch.randn(2, 3, n, 4, requires_grad=True) for n in (5, 6, 6))
    allowed = (torch.rand(2, 1, 5, 6) < 0.6) & others
    allowed[1, 0, 2] = False
    mask = allowed if kind == "bool" else torch.randn(2, 1, 5, 6).masked_fill(~allowed, -torch.inf)
    output, _ = fused_attention(q, k, v, mask)
    expected, _ = scaled_dot_product_attention(q, k, v, mask)
    assert (output[1, :, 2] == 0).all()
    close(output, expected, torch.float32)
    for ours, theirs in zip(gradients(output, (q, k, v)), gradients(expected, (q, k, v)), strict=True):
        close(ours, theirs, torch.float32)


def test_causal_mask_aligns_the_last_query_with_the_last_key():
    assert causal_mask(2, 4).tolist() == [[True, True, True, False], [True, True, True, True]]


@both_precisions
@pytest.mark.parametrize("kind", ["self", "causal", "cross"])
def test_multi_head_attention_equals_torch(dtype, kind):
    ours = MultiHeadAttention(12, 3).to(dtype)
    theirs = torch.nn.MultiheadAttention(12, 3, batch_first=True, dtype=dtype)
    copy_attention(ours, theirs)
    x, memory = (torch.randn(2, n, 12, dtype=dtype, requires_grad=True) for n in (5, 7))
    source = memory if kind == "cross" else x
    real = torch.rand(source.shape[:2]) < 0.6
    real[:, 0] = True
    output = ours(x, memory if kind == "cross" else None, real[:, None, None, :], causal=kind == "causal")
    # nn.MultiheadAttention's masks are True where attention is forbidden.
    attn_mask = ~causal_mask(5) if kind == "causal" else None
    expected, _ = theirs(x, source, source, key_padding_mask=~real, attn_mask=attn_mask)
    close(output, expected, dtype)
    mine = gradients(output, (source, ours.w_q.weight, ours.w_k.weight, ours.w_v.bias, ours.w_o.weight))
    source_grad, in_weight, in_bias, out_weight = gradients(
        expected, (source, theirs.in_proj_weight, theirs.in_proj_bias, theirs.out_proj.weight)
    )
    q_grad, k_grad, _ = in_weight.chunk(3)
    for a, b in zip(mine, (source_grad, q_grad, k_grad, in_bias.chunk(3)[2], out_weight), strict=True):
        close(a, b, dtype)


def test_grouped_heads_share_a_key_with_their_neighbours():
    attention = MultiHeadAttention(24, n_heads=6, n_kv_heads=2, d_head=5).double()
    x = torch.randn(2, 4, 24, dtype=torch.float64)
    q, k, v = (attention.split(w(x)) for w in (attention.w_q, attention.w_k, attention.w_v))
    heads = [
        scaled_dot_product_attention(q[:, h], k[:, h // 3], v[:, h // 3], causal_mask(4))[0] for h in range(6)
    ]  # heads 0, 1, 2 look with key 0
    close(attention(x, causal=True), attention.w_o(torch.cat(heads, dim=-1)), torch.float64)


@given(cuts=st.lists(st.integers(1, 8), max_size=3, unique=True).map(sorted))
def test_a_cache_changes_nothing_wherever_the_text_is_cut(cuts):
    attention = MultiHeadAttention(8, 4, n_kv_heads=2).double()
    x = torch.randn(2, 9, 8, dtype=torch.float64)
    cache = KVCache()
    pieces = [attention(x[:, a:b], causal=True, cache=cache) for a, b in zip([0, *cuts], [*cuts, 9], strict=True)]
    close(torch.cat(pieces, dim=1), attention(x, causal=True), torch.float64)
    assert len(cache) == 9 and cache.keys.shape == (2, 2, 9, 2)


def test_the_memory_is_projected_once_when_there_is_a_cache():
    attention, cache = MultiHeadAttention(8, 2), KVCache()
    x, memory = torch.randn(1, 3, 8), torch.randn(1, 4, 8)
    whole = attention(x, memory)
    calls = []
    attention.w_k.register_forward_hook(lambda *_: calls.append(1))
    steps = [attention(x[:, t : t + 1], memory, cache=cache) for t in range(3)]
    torch.testing.assert_close(torch.cat(steps, dim=1), whole)
    assert len(calls) == 1


@pytest.mark.parametrize(
    "sizes, sentence",
    [
        ((10, 3), r"d_model must be a multiple of n_heads; got d_model=10, n_heads=3\."),
        ((12, 4, 3), r"n_heads must be a multiple of n_kv_heads; got n_heads=4, n_kv_heads=3\."),
    ],
)
def test_sizes_that_do_not_divide_are_refused(sizes, sentence):
    with pytest.raises(ValueError, match=sentence):
        MultiHeadAttention(*sizes)


def test_attention_has_the_sizes_and_biases_it_is_told():
    shapes = {name: tuple(p.shape) for name, p in MultiHeadAttention(12, 6, n_kv_heads=2, d_head=5).named_parameters()}
    assert shapes == {
        "w_q.weight": (30, 12),
        "w_q.bias": (30,),
        "w_k.weight": (10, 12),
        "w_k.bias": (10,),
        "w_v.weight": (10, 12),
        "w_v.bias": (10,),
        "w_o.weight": (12, 30),
        "w_o.bias": (12,),
    }
    plain = MultiHeadAttention(12, 3, bias=False)
    assert (plain.n_kv_heads, plain.d_head) == (3, 4) and all(p.shape == (12, 12) for p in plain.parameters())
    assert len(list(plain.parameters())) == 4
    assert MultiHeadAttention(10, 3, d_head=5).w_o.weight.shape == (10, 15)  # d_model need not be a multiple then


def test_split_and_merge_are_inverse_and_cut_features():
    attention, x = MultiHeadAttention(12, 3), torch.arange(2 * 5 * 12.0).view(2, 5, 12)
    heads = attention.split(x)
    assert heads.shape == (2, 3, 5, 4) and torch.equal(heads[1, 2, 3], x[1, 3, 8:])
    assert torch.equal(attention.merge(heads), x)


def test_masks_are_made_where_they_are_wanted():
    assert causal_mask(2, 3, device="meta").is_meta and causal_mask(3).shape == (3, 3)
    assert with_causality(None, True, 2, 3, "meta")[0].is_meta


def test_causality_alone_remains_a_flag_and_beside_a_mask_it_becomes_part_of_it():
    floats, booleans = torch.tensor([[0.5, 0.25]]), torch.tensor([[True, False]])
    assert with_causality(None, True, 3, 3) == (None, True)
    assert with_causality(floats, False, 2, 2) == (floats, False) and with_causality(None, False, 3, 3) == (None, False)
    for mask, expected in (
        (floats, [[0.5, -torch.inf], [0.5, 0.25]]),
        (booleans, [[True, False], [True, False]]),
    ):
        closed, is_causal = with_causality(mask, True, 2, 2)
        assert closed.tolist() == expected and not is_causal
    # Behind a cache the last query meets the last key; a single one sees all of them, and needs no mask.
    assert with_causality(None, True, 2, 3)[0].tolist() == [[True, True, False], [True, True, True]]
    assert with_causality(None, True, 1, 3) == (None, False) and with_causality(booleans, True, 1, 2)[0] is booleans


def test_a_restricted_mask_allows_what_both_allow():
    floats, booleans = torch.tensor([[0.5, -torch.inf, 2.0]]), torch.tensor([[True, False, True]])
    allowed = torch.tensor([[True, True, False], [True, False, True]])
    assert restrict(booleans, allowed).tolist() == [[True, False, False], [True, False, True]]
    assert restrict(floats, allowed).tolist() == [[0.5, -torch.inf, -torch.inf], [0.5, -torch.inf, 2.0]]
    assert restrict(None, allowed) is allowed and restrict(floats, None) is floats and restrict(None, None) is None


def test_a_mask_has_two_parts():
    floats = torch.tensor([[0.5, -torch.inf]])
    allowed, bias = split_mask(floats)
    assert allowed.tolist() == [[True, False]] and bias is floats
    assert split_mask(allowed) == (allowed, None)


def test_a_cache_keeps_the_rows_it_is_told_in_their_order():
    cache = KVCache()
    cache.select(torch.tensor([0]))  # nothing yet
    assert len(cache) == 0 and cache.keys is None
    keys, values = torch.randn(2, 3, 1, 2, 4)
    assert cache.extend(keys, values) == (keys, values)
    cache.select(torch.tensor([2, 0, 0]))
    assert torch.equal(cache.keys, keys[[2, 0, 0]]) and torch.equal(cache.values, values[[2, 0, 0]])
    more, other = cache.extend(keys, values)
    assert len(cache) == 4 and torch.equal(more[:, :, 2:], keys) and torch.equal(other[:, :, 2:], values)


def test_cross_attention_with_a_cache_reads_the_memory_of_its_first_call():
    attention, cache = MultiHeadAttention(8, 2), KVCache()
    x, memory = torch.randn(1, 3, 8), torch.randn(1, 4, 8)
    first = attention(x, memory, cache=cache)
    torch.testing.assert_close(attention(x, torch.randn(1, 4, 8), cache=cache), first)
    assert len(cache) == 4


@pytest.mark.parametrize(
    "sizes, words",
    [
        (dict(n_heads=0), "n_heads must be a whole number, at least 1; got 0"),
        (dict(n_heads=2, n_kv_heads=0), "n_kv_heads must be a whole number, at least 1; got 0"),
        (dict(n_heads=2, d_head=0), "d_head must be a whole number, at least 1; got 0"),
    ],
)
def test_sizes_of_0_are_refused_and_do_not_count_as_left_out(sizes, words):
    with pytest.raises(ValueError, match=words):
        MultiHeadAttention(8, **sizes)


def test_a_nan_in_a_mask_is_not_a_hidden_key():
    q, mask = torch.randn(1, 1, 3, 4), torch.zeros(3, 3)
    mask[1, 0] = torch.nan
    for output, _ in (scaled_dot_product_attention(q, q, q, mask), fused_attention(q, q, q, mask)):
        assert output[0, 0, 1].isnan().all() and not output[0, 0, [0, 2]].isnan().any()


@pytest.mark.parametrize("attend", [scaled_dot_product_attention, fused_attention])
def test_a_mask_of_another_precision_will_do(attend):
    q, mask = torch.randn(1, 2, 3, 4), torch.tensor([[0, -torch.inf, -torch.inf], [0, 1, -torch.inf], [0, 1, 2]])
    wanted = attend(q, q, q, mask)[0]
    assert torch.allclose(attend(q, q, q, mask.double())[0], wanted)
    assert torch.allclose(attend(*[q.bfloat16()] * 3, mask)[0].float(), wanted, atol=0.05)

"""Lesson 04: the checks of multi-head attention as a module, whose queries, keys and values one matrix makes."""

from itertools import chain
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from ...answer import Answer
from ...checking import NotDone, Wrong, check
from ...draw import draw
from ..attention.softmax import softmax_by_loops
from ..common import (
    close,
    close_by_size,
    compare,
    copies,
    expect_tensor,
    has_gradient,
    keeps_dtype,
    leaves_alone,
)
from . import multi_head_faults as faults

NAMES = ("w_q", "w_k", "w_v", "w_o")
FUSED = ("w_qkv", "w_o")  # of question 2
CALL = "(x, memory=None)"
# B, T, D, H: no two alike, and H not 3, as w_qkv has parts; all sizes of a head alike; a head for each feature.
SEVERAL = (
    ((2, 5, 24, 4), (3, 4, 10, 5), (4, 4, 16, 4), (1, 7, 6, 6)),
    ((2, 7, 20, 4), (3, 6, 10, 5), (3, 3, 9, 3), (1, 4, 7, 7)),
    ((3, 7, 30, 5), (2, 6, 15, 5), (4, 4, 16, 4), (1, 6, 5, 5)),
)
# B, T, S, D, H: no two alike; T, S and the width of a head alike; one query.
MEMORIES = (
    ((2, 5, 7, 24, 4), (2, 4, 4, 20, 5), (3, 1, 6, 8, 2)),
    ((2, 4, 7, 20, 2), (2, 3, 3, 12, 4), (3, 1, 5, 10, 2)),
    ((3, 7, 8, 24, 4), (3, 5, 5, 20, 4), (2, 1, 4, 10, 5)),
)


class multi_head_attention:
    answers = ("MultiHeadAttention(d_model, n_heads)",)

    @check("two linear layers of the right size, whatever the number of heads", 1)
    def maps(attention):
        for D, H in draw.one_of(((12, 4), (12, 1), (10, 5)), ((15, 5), (14, 1), (12, 4)), ((18, 6), (10, 1), (20, 5))):
            module = built(attention, D, H)
            if sum(p.numel() for p in module.parameters()) != 4 * (D * D + D):
                listed = ", ".join(f"{name} {tuple(p.shape)}" for name, p in module.named_parameters())
                raise Wrong(f"There are more parameters than those of w_qkv and w_o: {listed}.")

    @check("the output has the shape of x", 0.5)
    def shape(attention):
        for B, T, D, H in draw.one_of(*SEVERAL)[:2]:
            attended(attention, D, H, draw.normal(B, T, D))
        for B, T, S, D, H in draw.one_of(*MEMORIES):
            attended(attention, D, H, draw.normal(B, T, D), draw.normal(B, S, D))

    @check("one head: attention between two projections", 1)
    def one_head(attention):
        for B, T, D in draw.one_of(((2, 5, 6), (1, 1, 4)), ((3, 4, 7), (1, 1, 5)), ((2, 7, 5), (1, 1, 6))):
            expect_output(attention, D, 1, draw.normal(B, T, D))

    @check("several heads", 2)
    def several_heads(attention):
        for B, T, D, H in draw.one_of(*SEVERAL):
            expect_output(attention, D, H, draw.normal(B, T, D))

    @check("keys and values from the memory, queries from x", 1)
    def memory(attention):
        for B, T, S, D, H in draw.one_of(*MEMORIES):
            expect_output(attention, D, H, draw.normal(B, T, D), draw.normal(B, S, D))

    @check("gradients reach both layers and x; dtype is kept; inputs stay as they were", 0.5)
    def manners(attention):
        B, T, S, D, H = draw.one_of(*MEMORIES)[0]
        module = with_weights(built(attention, D, H), FUSED)
        call = Answer(module, f"forward{CALL}")
        leaves_alone(call, x=draw.normal(B, T, D), memory=draw.normal(B, S, D))
        x, memory = draw.normal(B, T, D).requires_grad_(), draw.normal(B, S, D).requires_grad_()
        output = has_gradient(expect_tensor(call(x, memory), "the output", (B, T, D)), "the output")
        sources = {"x": x, "memory": memory} | {name: getattr(module, name).weight for name in FUSED}
        of_each_part(reaches_all(output, sources)["w_qkv"], H)
        layers = taken_apart(module, H)
        if close(output, by_loops(layers, x, memory, H), 1e-4):
            large = 30 * draw.normal(B, T, D)
            counts_in_full(holds_for_large(call, large), by_loops(layers, large, None, H))
        x = draw.normal(B, T, D, dtype=torch.float64)
        keeps_dtype(Answer(module.double(), f"forward{CALL}")(x), torch.float64, "the output of module.double()")


def reaches_all(output: Tensor, sources: dict[str, Tensor]) -> dict[str, Tensor]:
    """A gradient must flow from the output to each of the sources; these gradients."""
    found = torch.autograd.grad((output * draw.normal(*output.shape)).sum(), [*sources.values()], allow_unused=True)
    for name, gradient in zip(sources, found, strict=True):
        if gradient is None or not gradient.any():
            raise Wrong(f"No gradient reaches {name}. Look for .detach(), .data, torch.no_grad() or numpy.")
    return dict(zip(sources, found, strict=True))


def of_each_part(gradient: Tensor, H: int) -> None:
    """Raise Wrong where no gradient reaches the rows of w_qkv that make the queries, the keys or the values."""
    for part, rows in zip(("queries", "keys", "values"), gradient.unflatten(0, (H, 3, -1)).unbind(1), strict=True):
        if not rows.any():
            words = f"No gradient reaches the rows of w_qkv that make the {part}."
            raise Wrong(f"{words} Look for .detach(), .data, torch.no_grad() or numpy.")


def taken_apart(module: nn.Module, H: int) -> SimpleNamespace:
    """Its layers as the lesson has them, w_q, w_k, w_v and w_o: by the rows of w_qkv, head by head."""
    return SimpleNamespace(
        w_o=module.w_o, **faults.three_layers(module.w_qkv, lambda rows: rows.unflatten(0, (H, 3, -1)))
    )


def holds_for_large(call, x: Tensor) -> Tensor:
    """The output, if scores of some thousands overflow neither in it nor in its gradient."""
    x = x.clone().requires_grad_()
    output = call(x)
    if not (output.isfinite().all() and torch.autograd.grad(output.sum(), x)[0].isfinite().all()):
        raise Wrong(
            "With inputs so large that scores reach some hundreds, the output or its gradient holds NaN or inf: exp "
            "of such a score overflows. torch.softmax subtracts the largest score first."
        )
    return output


def counts_in_full(output: Tensor, wanted: Tensor) -> None:
    """Scores of some thousands must not be cut down."""
    if not close_by_size(output, wanted):
        raise Wrong(
            "With inputs so large that scores reach some hundreds, the output is wrong, and with ordinary ones it is "
            "right: are the scores clamped, rounded or divided by their size?"
        )


def built(attention, D: int, H: int) -> nn.Module:
    """The learner's module, if its four maps are there and of the right size."""
    if isinstance(getattr(attention, "function", None), nn.Module):
        raise Wrong("This module is built already. Pass the class itself, MultiHeadAttention.")
    module = attention(D, H)
    if not isinstance(module, nn.Module):
        raise Wrong(f"MultiHeadAttention({D}, {H}) is of type {type(module).__name__}; wanted an nn.Module.")
    for name, wide in zip(FUSED, (3 * D, D), strict=True):
        layer, wanted = getattr(module, name, None), f"wanted self.{name} = nn.Linear({D}, {wide})"
        if layer is None:
            lessons = "It has w_q, w_k and w_v, as in the lesson; here one layer makes all three. "
            also = lessons if name == "w_qkv" and hasattr(module, "w_q") else ""
            raise Wrong(f"The module has no {name}. {also}{wanted[0].upper()}{wanted[1:]}.")
        if isinstance(layer, (nn.ModuleList, list, tuple)):
            raise Wrong(
                f"{name} is a list of {len(layer)} layers; {wanted}: the rows of all heads one after the other in one "
                "matrix, so that one product serves them all."
            )
        if not isinstance(layer, nn.Linear):
            raise Wrong(f"{name} is of type {type(layer).__name__}; {wanted}.")
        ins, outs = layer.in_features, layer.out_features
        size = f"{name} is nn.Linear({ins}, {outs})"
        if (ins, outs) != (D, wide):
            if H > 1 and (H * wide in (ins, outs) or ins == H * D):
                raise Wrong(
                    f"{size}: each of the {H} heads has the full width {D}. Heads share the "
                    f"width, d_head = {D} / {H} = {D // H} each; {wanted}.",
                    "M13",
                )
            if H > 1 and (wide // H in (ins, outs) or D // H in (ins, outs)):
                raise Wrong(f"{size}: wide enough for one head of {H}; {wanted}.")
            if (ins, outs) == (D, D):
                raise Wrong(f"{size}: wide enough for the queries alone. It makes keys and values, too; {wanted}.")
            raise Wrong(f"{size}; {wanted}.")
        if layer.bias is None:
            raise Wrong(f"{name} has no bias; {wanted}, whose bias is on by default.")
    return module


def with_weights(module: nn.Module, names=NAMES) -> nn.Module:
    """The module with new weights: no weight of attention is near 1/T, and none saturates."""
    with torch.no_grad():
        for name in names:
            layer = getattr(module, name)
            layer.weight.copy_(draw.standard(*layer.weight.shape) * 1.2 / layer.in_features**0.5)
            layer.bias.copy_(0.3 * draw.standard(*layer.bias.shape))
    return module


def attended(attention, D: int, H: int, x: Tensor, memory: Tensor | None = None) -> tuple[nn.Module, Tensor]:
    """The module with new weights, and its output for x, if it is a tensor of the right shape."""
    module = with_weights(built(attention, D, H), FUSED)
    call = Answer(module, f"forward{CALL}")
    inputs = copies(x) if memory is None else copies(x, memory)
    try:
        got = call(*inputs)
    except (Wrong, NotDone):
        raise
    except (RuntimeError, ValueError, IndexError) as error:
        if told := why_it_raised(attention, D, H, x, memory, error):
            raise Wrong(*told) from error
        raise
    if isinstance(got, (tuple, list)) and got and isinstance(got[0], Tensor):
        raise Wrong("Several things came back; wanted the output alone: `return output`.")
    shape, (B, T, _) = tuple(getattr(got, "shape", ())), x.shape
    if shape == (B, H, T, D // H) and H > 1:
        raise Wrong(f"The output has shape {shape}: the heads are not merged, nor passed through w_o.")
    if shape == (T, B, D) != tuple(x.shape):
        raise Wrong(f"The output has shape {shape}, (T, B, D): the batch comes first, in x and in the output.")
    if memory is not None and shape == tuple(memory.shape) != tuple(x.shape):
        raise Wrong(f"The output has shape {shape}, that of the memory: the queries come from x.")
    return module, expect_tensor(got, "the output", tuple(x.shape))


def expect_output(attention, D: int, H: int, x: Tensor, memory: Tensor | None = None) -> None:
    module, got = attended(attention, D, H, x, memory)
    again = Answer(module, f"forward{CALL}")(*(copies(x) if memory is None else copies(x, memory)))
    if not close(got, again):
        raise Wrong(
            "Two calls with the same input give different results: is there dropout, or a new layer in each call?"
        )

    def alone(module, *inputs):
        return Answer(module, f"forward{CALL}")(*inputs)

    layers = taken_apart(module, H)
    expect_right(alone, module, got, x, memory, H, layers, faults.of_one_matrix(module, layers, x, memory, H))


def expect_right(call, module: nn.Module, got: Tensor, x: Tensor, memory: Tensor | None, H, layers, known) -> None:
    """What call(module, x[, memory]) gave is right; else the words of a known fault, or where to look.

    layers: has w_q, w_k, w_v and w_o. known: the numbers that wrong answers give, with the words for their authors.
    """
    wanted = by_loops(layers, x, memory, H)
    if close(got, wanted, 2e-5):
        return
    where = f" (d_model = {x.shape[-1]}, n_heads = {H}, x of shape {tuple(x.shape)}"
    where += ")" if memory is None else f", memory of shape {tuple(memory.shape)})"

    def one_by_one():
        rows = [tensor.split(1) for tensor in (x, memory) if tensor is not None]
        if not close(got, torch.cat([call(module, *copies(*row)) for row in zip(*rows, strict=True)]), 1e-4):
            yield got, "The examples of the batch influence one another: each alone gives another output.", None

    try:
        compare(
            got,
            wanted,
            chain(known, one_by_one()),
            "the output",
            2e-5,
            look=where_to_look(H, memory, module is not layers),
        )
    except Wrong as wrong:
        raise Wrong(str(wrong) + where, wrong.misconception) from None


def where_to_look(H: int, memory: Tensor | None, one_matrix: bool) -> str:
    """For a mistake that nobody foresaw: which part is new in this check."""
    if memory is not None:
        return "Without a memory see the checks above; here keys and values are made of the memory, queries of x."
    if H > 1:
        return (
            "If one head is right and several are not, look at what depends on n_heads: split x, print a numbered "
            "tensor after each step; the scale, sqrt(d_head); merge."
        )
    made = "q, k and v are the thirds of w_qkv(x)" if one_matrix else "q = w_q(x), k = w_k(x), v = w_v(x)"
    return f"With one head the output is w_o(softmax(q k^T / sqrt(d_model)) v), where {made}."


def by_loops(layers, x: Tensor, memory: Tensor | None, H: int) -> Tensor:
    """The specification: each example and head alone, with its own rows of w_q, w_k and w_v; then w_o."""
    source, d_head = (x if memory is None else memory).detach().double(), x.shape[-1] // H
    x = x.detach().double()
    w = {name: getattr(layers, name).weight.detach().double() for name in NAMES}
    b = {name: getattr(layers, name).bias.detach().double() for name in NAMES}
    merged = torch.zeros(x.shape, dtype=torch.float64)
    for example in range(len(x)):
        for h in range(H):
            own = slice(h * d_head, (h + 1) * d_head)
            q, k, v = (
                inputs[example] @ w[name][own].T + b[name][own]
                for name, inputs in (("w_q", x), ("w_k", source), ("w_v", source))
            )
            for t in range(len(q)):
                weights = softmax_by_loops(torch.stack([q[t] @ key for key in k]) / d_head**0.5, -1)
                merged[example, t, own] = sum(weight * value for weight, value in zip(weights, v, strict=True))
    return merged @ w["w_o"].T + b["w_o"]


def why_output_raised(error) -> tuple | None:
    """(message, misconception) from the words of an error alone."""
    if "must be a 3D tensor" in str(error) or "batch1 must be a 3D" in str(error):
        return faults.BMM
    if "view size is not compatible" in str(error):
        return (
            "After a transpose the numbers no longer lie in the order of the axes, and view() cannot re-read them: "
            "use reshape(), flatten(), or contiguous() before view().",
            None,
        )
    if "is ambiguous" in str(error):
        return "A tensor is neither true nor false: write `memory is None`, not `if memory` or `memory or x`.", None
    return None


def why_it_raised(attention, D: int, H: int, x: Tensor, memory: Tensor | None, error) -> tuple | None:
    """(message, misconception) about an answer that raised, from its words and from friendlier inputs; or None."""
    if told := why_output_raised(error):
        return told
    T = 4
    for friendly, heads in (
        (draw.normal(2, T, 2 * T), 2),
        (draw.normal(2, T, 4 * T), 4),
    ):  # T = S = d_head; then also = H
        try:
            module = with_weights(built(attention, friendly.shape[-1], heads), FUSED)
            layers = taken_apart(module, heads)
            source = None if memory is None else draw.normal(*friendly.shape)
            got = module(*copies(friendly, *([] if memory is None else [source]))).detach()
        except Exception:
            continue
        if close(got, by_loops(layers, friendly, source, heads), 1e-4):
            if memory is not None:
                return "It works when x and memory are equally long, not otherwise: S is the memory's, T is x's.", None
            return "It works for T = d_head and not otherwise: is a size fixed, or taken from the wrong axis?", None
        for wrong, message, misconception in faults.of_one_matrix(module, layers, friendly, source, heads):
            if close(got, wrong, 1e-4):
                return f"{message} (It raised because sizes differ here; where all agree it runs.)", misconception
    return None

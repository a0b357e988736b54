"""Lesson 05: the checks of the feed-forward layer."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ...checking import NotDone, Wrong, check
from ...draw import draw
from ..common import close, compare, copies, expect_tensor, has_gradient, keeps_dtype, leaves_alone
from . import feed_forward_faults as faults

SIGNATURE = "(x, w_1, b_1, w_2, b_2, activation)"
BATCHES = ((), (3,), (1, 2), (2, 3), (2, 3, 4))
D, D_FF = 5, 7
WIDTHS = ((D, D_FF), (6, 8), (5, 9))  # no size of a leading axis among them
DETACHED = "Look for .detach(), .data, torch.no_grad(), or weights copied into a module of your own."
BY_HAND = (
    "Follow one hidden unit at one position by hand: its row of w_1 times x, plus its number of b_1; the activation of "
    "that; times its column of w_2. Add up the units, then b_2."
)
ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh, "gelu": F.gelu, "the square": torch.square}


class feed_forward:
    answers = (f"feed_forward{SIGNATURE}",)

    @check("as wide as x, with any number of leading axes", 1)
    def shape(feed_forward):
        for batch in BATCHES:
            output(feed_forward, torch.relu, *layer(*batch))

    @check("the right numbers, with ReLU", 1.5)
    def values(feed_forward):
        for batch in BATCHES:
            compare_output(feed_forward, "relu", layer(*batch))
        compare_output(feed_forward, "relu", layer(4, sizes=(D, D)))  # square: a transposed matrix would fit
        compare_output(feed_forward, "relu", layer(4, sizes=(D_FF, D)))  # an inner width below D
        inputs = layer(4)
        turned = draw.normal(4, 2, inputs[0].shape[-1]).transpose(0, 1)
        compare_output(feed_forward, "relu", (turned, *inputs[1:]))
        compare_output(feed_forward, "relu", (100 * inputs[0], *inputs[1:]))

    @check("any other activation", 1)
    def activations(feed_forward):
        for name in ("tanh", "gelu", "the square"):
            compare_output(feed_forward, name, layer(2, 3))

    @check("dtype is kept", 0.5)
    def dtype(feed_forward):
        for dtype in (torch.float64, torch.float32):
            keeps_dtype(output(feed_forward, torch.relu, *layer(3, dtype=dtype)), dtype, "the output")

    @check("gradients reach x and all four weights, and the inputs stay as they were", 1)
    def gradient(feed_forward):
        inputs = layer(3)
        leaves_alone(lambda *inputs: feed_forward(*inputs, torch.tanh), **dict(zip(faults.NAMES, inputs, strict=True)))
        inputs = [tensor.requires_grad_() for tensor in inputs]
        got = has_gradient(output(feed_forward, torch.tanh, *inputs), "the output")
        upstream = draw.normal(*got.shape)
        found = torch.autograd.grad((got * upstream).sum(), inputs, allow_unused=True)
        right = faults.layer(*inputs, torch.tanh)
        wanted = torch.autograd.grad((right * upstream).sum(), inputs)
        for name, mine, theirs in zip(faults.NAMES, found, wanted, strict=True):
            if mine is None or not mine.any():
                used = (
                    DETACHED if close(got, right, 1e-4) else "And the numbers are wrong (see above): is it used at all?"
                )
                raise Wrong(f"No gradient reaches {name}: it could not learn. {used}")
            if close(got, right, 1e-4):
                compare(mine, theirs, name=f"the gradient of {name}", tolerance=1e-4)


def layer(*batch: int, sizes=None, dtype=torch.float32) -> tuple[Tensor, ...]:
    """x (*batch, D) and the weights of a layer as nn.Linear stores them: w_1 (d_ff, D), b_1, w_2 (D, d_ff), b_2."""
    width, inner = sizes or draw.one_of(*WIDTHS)
    shapes = ((*batch, width), (inner, width), (inner,), (width, inner), (width,))
    while True:
        x, w_1, b_1, *rest = (draw.normal(*shape, dtype=dtype) for shape in shapes)
        if of_both_signs(x @ w_1.T + b_1):
            return x, w_1, b_1, *rest


def of_both_signs(hidden: Tensor) -> bool:
    """Far enough below 0 and above: only then can an activation be told from none."""
    return bool(hidden.min() < -0.5 and hidden.max() > 0.5)


def layer_by_loops(x: Tensor, w_1, b_1, w_2, b_2, activation) -> Tensor:
    """The specification: for each position, each hidden unit's sum, its activation, and what it writes."""
    rows, found = x.double().reshape(-1, x.shape[-1]), []
    for row in rows:
        result = b_2.double().clone()
        for unit in range(len(w_1)):
            hidden = activation((w_1[unit].double() * row).sum() + b_1[unit].double())
            result = result + hidden * w_2[:, unit].double()
        found.append(result)
    return torch.stack(found).view(x.shape)


def output(answer, activation, *inputs: Tensor) -> Tensor:
    """What an answer gives, if it is a tensor as wide as x."""
    x, w_1 = inputs[:2]
    try:
        got = answer(*copies(*inputs), activation)
    except (Wrong, NotDone):
        raise
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        if told := why_it_raised(answer, x):
            raise Wrong(*told) from error
        raise
    inner = (*x.shape[:-1], len(w_1))
    if isinstance(got, Tensor) and tuple(got.shape) == inner != tuple(x.shape):
        raise Wrong(
            f"The output is as wide as the hidden layer ({len(w_1)}), not as x ({x.shape[-1]}): the second "
            "projection, w_2, is missing. Without it the result could not be added to x.",
            "M28",
        )
    return expect_tensor(got, "the output", tuple(x.shape))


def why_it_raised(answer, x: Tensor):
    """(message, misconception) about an answer that raised, from trying it on friendlier inputs; or None."""
    if x.dtype != torch.float32:
        inputs = layer(*x.shape[:-1])
        if close(quietly(answer, *inputs), faults.layer(*inputs, torch.tanh)):
            name = str(x.dtype).removeprefix("torch.")
            return (
                f"It works in float32, and not in {name}: is a tensor turned into another dtype, or made inside?",
                None,
            )
    if x.ndim > 1:
        inputs = layer()
        if close(quietly(answer, *inputs), faults.layer(*inputs, torch.tanh)):
            rows = layer(3)
            if x.ndim > 2 and close(quietly(answer, *rows), faults.layer(*rows, torch.tanh)):
                words = f"It works on x of shapes (D,) and (3, D), not on {tuple(x.shape)}. .T turns all axes round; "
                return words + "of x @ w.T it turns those of w alone.", None
            words = f"It works on one position, x of shape (D,), not on {tuple(x.shape)}. w @ x is for one vector; "
            return words + "x @ w.T takes any number of leading axes.", None
    if x.ndim == 1 or x.ndim > 2:
        inputs = layer(3)
        if close(quietly(answer, *inputs), faults.layer(*inputs, torch.tanh)):
            return f"It works on x of shape (3, D), not on {tuple(x.shape)}: any number of leading axes may come.", None
    square = layer(D, sizes=(D, D))
    got = quietly(answer, *square)
    for wrong, message, misconception in faults.feed_forward(got, *square, torch.tanh):
        if close(got, wrong):
            return f"{message} (It raised because d_ff and D differ here; with both equal it runs.)", misconception
    return None


def quietly(answer, *inputs, activation=torch.tanh) -> Tensor:
    """The answer's numbers, or NaN."""
    try:
        got = answer(*copies(*inputs), activation)
        return got.detach() if isinstance(got, Tensor) else torch.tensor(torch.nan)
    except Exception:
        return torch.tensor(torch.nan)


def compare_output(answer, name: str, inputs) -> None:
    activation = ACTIVATIONS[name]
    got = output(answer, activation, *inputs)
    if not close(output(answer, activation, *inputs), got):
        raise Wrong(
            "Two calls with the same inputs give different results: is there dropout, or a new layer in each call?"
        )
    wanted, what = layer_by_loops(*inputs, activation), f"the output (activation: {name})"
    told = list(faults.feed_forward(got, *inputs, activation))
    x, *weights = inputs
    if x.ndim > 1 and not close(got, wanted, 1e-4):
        alone = [output(answer, activation, row, *weights) for row in x.reshape(-1, x.shape[-1])]
        if not close(torch.stack(alone).view(x.shape), got, 1e-4):
            words = "The output at a position depends on the others: each position alone gives other numbers."
            told.append((got, words, None))
    by_hand(got, wanted, told, what, where_it_goes_wrong(answer, activation, inputs) or BY_HAND)


def where_it_goes_wrong(answer, activation, inputs) -> str:
    """What to look at, found by leaving one part out after the other: the part without which the answer is right."""
    x, w_1, b_1, w_2, b_2 = inputs
    no_1, no_2 = torch.zeros_like(b_1), torch.zeros_like(b_2)
    for act, case, words in (
        (activation, (x / 50, *inputs[1:]), "With an x 50 times smaller yours is right: is something clamped?"),
        (activation, (x, w_1, no_1, w_2, b_2), "With b_1 = 0 yours is right: look at what you do with b_1."),
        (activation, (x, w_1, b_1, w_2, no_2), "With b_2 = 0 yours is right: look at what you do with b_2."),
        (activation, (x, w_1, no_1, w_2, no_2), "Without biases yours is right: look at where each is added."),
        (lambda z: z, inputs, "With an activation that changes nothing yours is right: look at what it is applied to."),
    ):
        if close(quietly(answer, *case, activation=act), faults.layer(*case, act), 1e-4):
            return words
    return ""


def by_hand(got: Tensor, wanted: Tensor, told, what: str, hint: str) -> None:
    """compare, with where to look if no known fault gives these numbers."""
    try:
        compare(got, wanted, told, what, 1e-4)
    except Wrong as wrong:
        raise Wrong(f"{wrong} {hint}" if str(wrong).startswith(what) else str(wrong), wrong.misconception) from None

"""Lesson 06: the checks of the Jacobian of a layer with a skip."""

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import chosen, close, copies, expect_tensor, keeps_every_dtype, leaves_alone
from .residual_faults import judge

OPTIONS = ("w_1", "w_2", "both", "neither")
LOOK = "Input j reaches output i by the skip (if i = j) and by each hidden unit c that is on: w_1[j, c] * w_2[c, i]."
SIZES = (((6, 11), (9, 4), (5, 5)), ((7, 12), (8, 5), (6, 6)), ((5, 9), (10, 6), (4, 4)))  # D, d_ff


class jacobian:
    answers = ("jacobian(x, w_1, w_2)", OPTIONS)

    @check("a table (D, D) of the same dtype", 0.5)
    def shape(jacobian, choice):
        for D, d_ff in draw.one_of(*SIZES):
            keeps_every_dtype(lambda dtype, sizes=(D, d_ff): table(jacobian, *case(*sizes, dtype)), "the Jacobian")

    @check("a branch that starts at zero", 1)
    def zero(jacobian, choice):
        for D, d_ff in draw.one_of(*SIZES):
            x, w_1, w_2 = case(D, d_ff)
            w_2 = torch.zeros_like(w_2)
            told = [
                (torch.zeros(D, D), "With W_2 = 0 yours is 0: that is J alone. x itself passes too: I + J.", None),
                (
                    torch.ones(D, D),
                    "The skip adds 1 everywhere; wanted 1 on the diagonal only, the identity matrix.",
                    None,
                ),
                (
                    jacobian_by_loops(x, w_1, w_1.T, around=0.0),
                    "With W_2 = 0 the branch is silent, whatever W_1 is: the Jacobian is I.",
                    None,
                ),
            ]
            judge(
                table(jacobian, x, w_1, w_2),
                torch.eye(D),
                told,
                "the Jacobian when W_2 = 0",
                "F is silent; what of x is left?",
            )

    @check("the right numbers", 1.5)
    def values(jacobian, choice):
        for D, d_ff in draw.one_of(*SIZES):
            x, w_1, w_2 = case(D, d_ff, torch.float64)
            got = table(jacobian, x, w_1, w_2)
            judge(got, jacobian_by_loops(x, w_1, w_2), mistaken(x, w_1, w_2, got), "the Jacobian", LOOK)
        leaves_alone(jacobian, x=x, w_1=w_1, w_2=w_2)

    @check("which matrix learns first", 1)
    def choice(jacobian, choice):
        value = chosen(choice, OPTIONS, "learns_first")
        told = {
            "w_1": "W_1's gradient has to pass through W_2, and W_2 is 0: nothing arrives in the first step.",
            "both": "W_1's gradient has to pass through W_2, and W_2 is 0: nothing arrives there in the first step.",
            "neither": "The hidden layer relu(x W_1) is not 0, and the gradient of W_2 is made of it and of the "
            "output's gradient: it is not 0. (If W_1 were 0 as well, neither would learn.)",
        }
        if value in told:
            raise Wrong(f"You chose {value!r}. {told[value]}")


def case(D: int, d_ff: int, dtype=torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    """x, of both signs, and the two matrices, with hidden units both on and off."""
    while True:
        x, w_1, w_2 = draw.normal(D, dtype=dtype), draw.normal(D, d_ff, dtype=dtype), draw.normal(d_ff, D, dtype=dtype)
        w_1 = w_1 - 0.3
        hidden = x @ w_1
        on, far = (hidden > 0).double().mean(), hidden[2:].max() > 1  # on by whatever bound somebody may choose
        if 0.2 < on < 0.8 and far and x.min() < 0 < x.max():
            break
    for unit, near in ((0, 1e-3), (1, -1e-3)):  # two units near the kink: a coarse difference crosses it
        w_1[:, unit] += x * (near - x @ w_1[:, unit]) / (x @ x)
    return x, w_1, w_2


def jacobian_by_loops(x: Tensor, w_1: Tensor, w_2: Tensor, around: float = 1.0) -> Tensor:
    """The specification: for each output and each input, the path around plus the paths through each hidden unit."""
    (D, d_ff), found = w_1.shape, torch.zeros(len(x), len(x), dtype=torch.float64)
    hidden = [sum(float(x[j]) * float(w_1[j, c]) for j in range(D)) for c in range(d_ff)]
    for i in range(D):
        for j in range(D):
            found[i, j] = around * (i == j)
            found[i, j] += sum(float(w_1[j, c]) * float(w_2[c, i]) for c in range(d_ff) if hidden[c] > 0)
    return found


def mistaken(x: Tensor, w_1: Tensor, w_2: Tensor, got: Tensor):
    x, w_1, w_2 = x.double(), w_1.double(), w_2.double()
    identity, h = torch.eye(len(x), dtype=torch.float64), x @ w_1
    on = (h > 0).double()
    J = (w_2.T * on) @ w_1.T
    yield J, "This is J, of the branch alone; x passes around it: I + J.", None
    yield (
        J.T,
        "This is J transposed, and without I. Rows are outputs, columns inputs, and x passes around: I + J.",
        None,
    )
    yield identity + J.T, "It is transposed: row i, column j holds d output_i / d x_j.", None
    yield identity, "This is I: the branch is missing.", None
    yield identity + w_2.T @ w_1.T, "The ReLU is forgotten: hidden units whose input is negative pass nothing.", None
    yield identity + (w_1 @ w_2), "The ReLU is forgotten, and the table is transposed.", None
    yield w_2.T @ w_1.T, "The ReLU is forgotten, and the skip.", None
    yield (
        identity + (w_2.T * h.relu()) @ w_1.T,
        "The hidden layer is used where its slope should be: ReLU's slope is 1 or 0.",
        None,
    )
    yield (
        identity + (w_2.T * (1 - on)) @ w_1.T,
        "The ReLU's slope is inverted: it is 1 where its input is positive.",
        None,
    )
    yield (
        identity + (w_2.T * h) @ w_1.T,
        "The hidden layer is used where its slope should be: ReLU's slope is 1 or 0.",
        None,
    )
    yield (
        identity + (w_2.T * h.sign()) @ w_1.T,
        "Units that are off count with slope -1; ReLU's slope there is 0.",
        None,
    )
    yield (
        torch.diag((identity + J).diagonal()),
        "Only the diagonal is filled; each output depends on all inputs.",
        None,
    )
    yield (
        identity + (w_2.T @ w_1.T) * (x > 0).double(),
        "The ReLU's slope is taken at x; it belongs to the hidden layer: x @ w_1 > 0.",
        None,
    )
    yield identity + (w_2.T * torch.sigmoid(h)) @ w_1.T, "The slope is a sigmoid; ReLU's is 1 or 0.", None
    for slope in (0.01, 0.1, 0.2):
        words = f"Units that are off pass {slope:g} of their input, as in a leaky ReLU; ReLU's slope there is 0."
        yield identity + (w_2.T * torch.where(h > 0, 1.0, slope)) @ w_1.T, words, None
    for bound in (0.01, 0.1, 0.5, 1.0):
        words = f"A unit counts as on from {bound:g}: it is on as soon as its input is above 0."
        yield identity + (w_2.T * (h > bound).double()) @ w_1.T, words, None
    yield identity + J.abs(), "The signs are lost: no absolute value stands here.", None
    yield (
        (w_2.T * (1 + on)) @ w_1.T,
        "1 is added to the slope of each hidden unit; the skip goes around them: I.",
        None,
    )
    yield identity + (w_1 * on) @ w_1.T, "w_1 is used in both directions: w_2 leads back.", None
    yield identity + w_2.T @ (w_2 * on[:, None]), "w_2 is used in both directions: w_1 leads in.", None
    yield J - identity, "I is subtracted; wanted it added.", None
    words = "The slope is right, but it stands at the wrong place: hidden unit by hidden unit, between w_1 and w_2."
    yield (identity + w_2.T @ w_1.T) * on.mean(), words, None
    for step in (0.5, 0.1, 0.05, 0.01):
        yield differences(x, w_1, w_2, step), f"Differences over a step of {step} cross a kink of the ReLU.", None
        yield differences(x, w_1, w_2, step, True), f"Differences over a step of {step} cross a kink of the ReLU.", None
    yield J + 1, "1 is added everywhere; wanted on the diagonal only: the identity matrix.", None
    yield identity * J, "Identity and J are multiplied; wanted their sum.", None
    yield identity @ J, "Identity and J are multiplied; wanted their sum.", None
    yield torch.diag(x) + J, "x stands on the diagonal; the derivative of x with respect to x is 1.", None
    yield identity - J, "J is subtracted; wanted it added.", None
    yield 2 * identity + J, "The skip counts twice.", None
    if close(got - torch.diag(got.diagonal()), J - torch.diag(J.diagonal())):
        yield got, "Only the diagonal is wrong: x passes around the branch with factor 1.", None


def differences(x: Tensor, w_1: Tensor, w_2: Tensor, step: float, central: bool = False) -> Tensor:
    def layer(x):
        return x + (x @ w_1).relu() @ w_2

    steps = step * torch.eye(len(x), dtype=x.dtype)
    if central:
        return ((layer(x + steps) - layer(x - steps)) / (2 * step)).T
    return ((layer(x + steps) - layer(x)) / step).T


def table(answer, x: Tensor, w_1: Tensor, w_2: Tensor) -> Tensor:
    got = answer(*copies(x, w_1, w_2))
    if isinstance(got, Tensor) and tuple(got.shape) == (len(x),):
        raise Wrong(f"This is one number for each of the D = {len(x)} features; wanted a table (D, D).")
    return expect_tensor(got, "the Jacobian", (len(x), len(x)))

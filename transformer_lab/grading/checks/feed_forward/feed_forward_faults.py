"""Lesson 05: the wrong feed-forward layers people write, as numbers to compare with and words to tell their authors."""

from itertools import permutations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...checking import Wrong
from ..common import close, number

NAMES = ("x", "w_1", "b_1", "w_2", "b_2")
OTHERS = {
    "relu": torch.relu, "gelu": F.gelu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "silu": F.silu, "elu": F.elu,
    "leaky relu": F.leaky_relu, "softplus": F.softplus, "the square": torch.square, "mish": F.mish,
    "a softmax": lambda z: z.softmax(-1),
}  # fmt: skip
GATES = {
    "sigmoid": torch.sigmoid, "relu": torch.relu, "gelu": F.gelu, "tanh": torch.tanh, "mish": F.mish,
    "gelu's tanh approximation": lambda z: F.gelu(z, approximate="tanh"), "softplus": F.softplus, "elu": F.elu,
    "z sigmoid(1.702 z)": lambda z: z * torch.sigmoid(1.702 * z), "z sigmoid(2 z)": lambda z: z * torch.sigmoid(2 * z),
}  # fmt: skip
BESIDES = {
    "a softmax": lambda z: z.softmax(-1),
    "a norm": lambda z: F.layer_norm(z, z.shape[-1:]),
    "a division by the length": lambda z: F.normalize(z, dim=-1),
}
STORED = "nn.Linear stores its weight as (outputs, inputs), so it is x @ w.T, and never a reshape."


def layer(x, w_1, b_1, w_2, b_2, activation) -> Tensor:
    """The right output."""
    return activation(x @ w_1.T + b_1) @ w_2.T + b_2


def feed_forward(got, x, w_1, b_1, w_2, b_2, activation):
    """Faults of the output: (numbers, message, misconception or None)."""
    x, w_1, b_1, w_2, b_2 = (tensor.double() for tensor in (x, w_1, b_1, w_2, b_2))
    first = x @ w_1.T + b_1
    hidden, right = activation(first), layer(x, w_1, b_1, w_2, b_2, activation)
    both = "There is an activation after the last projection. The output is added to the residual stream and must be "
    both += "able to push either way: the activation stands between the two projections only."
    yield activation(right), both, "M28"
    yield activation(first @ w_2.T + b_2), "The activation stands after the last projection, not between.", "M28"
    yield activation(hidden @ w_2.T) + b_2, both, "M28"
    yield first @ w_2.T + b_2, "There is no activation: two linear maps in a row are one linear map.", None
    yield x @ w_1.T @ w_2.T, "There is no activation, and both biases are missing.", None
    yield activation(x) @ w_1.T @ w_2.T + b_1 @ w_2.T + b_2, "The activation is applied to x, before w_1.", None
    yield layer(activation(x), w_1, b_1, w_2, b_2, activation), "The activation is applied to x as well.", None
    yield activation(hidden) @ w_2.T + b_2, "The activation is applied twice.", None
    yield hidden @ w_2.T, "b_2 is missing.", None
    yield activation(x @ w_1.T) @ w_2.T + b_2, "b_1 is missing.", None
    yield activation(x @ w_1.T) @ w_2.T, "Both biases are missing.", None
    yield (activation(x @ w_1.T) + b_1) @ w_2.T + b_2, "b_1 comes after the activation; it shifts its threshold.", None
    yield activation(first + b_1) @ w_2.T + b_2, "b_1 is added twice.", None
    words = "The activation is applied to the matrix w_1: wanted the activation of the sums, x @ w_1.T + b_1."
    yield layer(x, activation(w_1), b_1, w_2, b_2, lambda z: z), words, None
    yield x, "This is x itself: nothing has been done to it.", None
    yield torch.zeros_like(x), "Every number is 0: where are the two projections?", None
    yield right + b_2, "b_2 is added twice.", None
    yield right - 2 * b_2, "b_2 is subtracted.", None
    yield right + x, "x is added to the output: the residual path is another module's job (lesson 06).", None
    for name, other in OTHERS.items():
        words = f"The activation is always {name}: use the function that was passed in."
        yield layer(x, w_1, b_1, w_2, b_2, other), words, None
    yield layer(x, w_1, -b_1, w_2, b_2, activation), "b_1 is subtracted; it should be added to the sums.", None
    yield activation(x @ w_1.T * b_1) @ w_2.T + b_2, "b_1 multiplies the sums; it should be added to them.", None
    yield (hidden @ w_2.T) * b_2, "b_2 multiplies the result; it should be added to it.", None
    yield layer(x, w_1, b_1, w_1.mT, b_2, activation), "w_1 is used in both directions: w_2 leads back.", None
    yield layer(x, w_2.mT, b_1, w_2, b_2, activation), "w_2 is used in both directions: w_1 leads up.", None
    both = "A ReLU of your own is applied besides the activation that was passed in: only that one has a place here."
    yield layer(x, w_1, b_1, w_2, b_2, lambda z: activation(z.relu())), both, None
    yield layer(x, w_1, b_1, w_2, b_2, lambda z: activation(z).relu()), both, None
    for name, other in BESIDES.items():
        yield other(hidden) @ w_2.T + b_2, f"After the activation comes {name}: nothing asks for that.", None
        yield (
            activation(other(first)) @ w_2.T + b_2,
            f"Before the activation comes {name}: nothing asks for that.",
            None,
        )
    words = "The hidden layer is multiplied by its own sums, a gate: that is question 6."
    yield (hidden * first) @ w_2.T + b_2, words, None
    for name, size in (("D", x.shape[-1]), ("d_ff", len(b_1))):
        words = f"The sums are divided by sqrt({name}), as attention divides its scores: nothing asks for that here."
        yield activation(x @ w_1.T / size**0.5 + b_1) @ w_2.T + b_2, words, None
        yield hidden @ w_2.T / size**0.5 + b_2, words, None
    words = "The units' contributions are averaged: add them up."
    yield hidden @ w_2.T / len(b_1) + b_2, words, None
    yield layer(x, w_1, b_1, activation(w_2), b_2, lambda z: z), "The activation is applied to the matrix w_2.", None
    words = "The activation is applied to the bias alone: wanted the activation of the sum, x @ w_1.T + b_1."
    yield (activation(x @ w_1.T) + activation(b_1)) @ w_2.T + b_2, words, None
    yield (
        hidden @ w_2.T + activation(b_2),
        "The activation is applied to b_2: it stands between the projections only.",
        None,
    )
    yield right + activation(right), "The activation of the output is added to it: nothing follows b_2.", None
    centred = x - x.mean(-1, keepdim=True)
    yield (
        layer(centred, w_1, b_1, w_2, b_2, activation),
        "The mean of x is subtracted first: that is a norm's job.",
        None,
    )
    normed = F.layer_norm(x, x.shape[-1:])
    yield layer(normed, w_1, b_1, w_2, b_2, activation), "x is normalised first: that is another module's job.", None
    yield F.layer_norm(right, x.shape[-1:]), "The output is normalised: that is another module's job.", None
    for other in (lambda w: w.mT.reshape(w.shape), lambda w: w.reshape(w.shape[::-1]).mT):
        for which, pair in (
            ("w_1", (other(w_1), w_2)),
            ("w_2", (w_1, other(w_2))),
            ("Each matrix", (other(w_1), other(w_2))),
        ):
            wrong = layer(x, pair[0], b_1, pair[1], b_2, activation)
            yield wrong, f"{which} is transposed, or reshaped. {STORED}", None
    swapped = w_2.mT, w_1.mT  # (d_ff, D) and (D, d_ff)
    yield layer(x, swapped[0], b_1, swapped[1], b_2, activation), "w_1 and w_2 are swapped (and transposed).", None
    if len(b_1) == len(b_2):
        yield layer(x, w_1, b_2, w_2, b_1, activation), "b_1 and b_2 are swapped.", None
        yield layer(x, w_2, b_2, w_1, b_1, activation), "w_1 and w_2 are swapped: w_1 comes first.", None
        yield layer(x, w_2, b_1, w_1, b_2, activation), "w_1 and w_2 are swapped: w_1 comes first.", None
        yield hidden, "This is the hidden layer: the second projection, w_2, is missing.", "M28"
    if got.ndim and got.shape[-1] > 1 and (got.softmax(-1) - got.double()).abs().max() < 1e-9:
        yield got, "The output looks like a softmax; nothing here asks for one.", None


def swiglu(x, w_gate, w_1, w_2):
    """Faults of a gated layer."""
    x, w_gate, w_1, w_2 = (tensor.double() for tensor in (x, w_gate, w_1, w_2))
    gate, value = x @ w_gate.T, x @ w_1.T
    words = "The activation is on the wrong branch: silu belongs to w_gate's, and w_1's stays linear."
    yield (gate * F.silu(value)) @ w_2.T, words, None
    for name, other in GATES.items():
        yield (other(gate) * value) @ w_2.T, f"The gate is {name}; SwiGLU's is silu(z) = z sigmoid(z).", None
        yield (gate * other(value)) @ w_2.T, f"{name} on w_1's branch: wanted silu, on w_gate's.", None
    words = "silu is applied to x, before w_gate: wanted silu of what w_gate gives."
    yield ((F.silu(x) @ w_gate.T) * value) @ w_2.T, words, None
    yield ((F.silu(x) @ w_gate.T) * (F.silu(x) @ w_1.T)) @ w_2.T, words, None
    yield (
        ((x @ F.silu(w_gate).T) * value) @ w_2.T,
        "silu is applied to the matrix w_gate, not to x @ w_gate.T.",
        None,
    )
    yield F.silu(gate + value) @ w_2.T, "The branches are added, and silu taken of the sum: a gate multiplies.", None
    for name, other in GATES.items():
        words = f"w_1's branch passes through {name} too: it stays linear."
        yield (F.silu(gate) * other(value)) @ w_2.T, words, None
    yield (
        (gate * torch.sigmoid(value)) @ w_2.T,
        "The sigmoid is of w_1's sums: silu(z) = z sigmoid(z), of w_gate's.",
        None,
    )
    yield (gate * F.silu(gate) * value) @ w_2.T, "z is a factor once too often: silu(z) = z sigmoid(z).", None
    yield (gate * (-gate).sigmoid() * value) @ w_2.T, "It is z sigmoid(z), not z sigmoid(-z).", None
    yield (F.silu(gate) * value) @ w_1, "w_1 is used on the way back too: that is w_2's place.", None
    yield (F.silu(gate) * value) @ w_gate, "w_gate is used on the way back too: that is w_2's place.", None
    words = "The gate multiplies after w_2; it should multiply unit by unit, before w_2."
    yield (F.silu(gate) @ w_2.T) * (value @ w_2.T), words, None
    yield (F.silu(gate).sum(-1, keepdim=True) * value) @ w_2.T, "The gates are summed: each unit has its own.", None
    yield (F.silu(gate).mean(-1, keepdim=True) * value) @ w_2.T, "The gates are averaged: each unit has its own.", None
    if x.ndim > 1:
        words = "The gate is averaged over the positions: each position opens its own."
        yield (F.silu(gate.mean(-2, keepdim=True)) * value) @ w_2.T, words, None
    normed = F.layer_norm(x, x.shape[-1:])
    words = "x is normalised first: that is another module's job."
    yield (F.silu(normed @ w_gate.T) * (normed @ w_1.T)) @ w_2.T, words, None
    yield (F.silu(gate) * F.silu(value)) @ w_2.T, "Both branches are activated: w_1's stays linear.", None
    yield (gate * value) @ w_2.T, "There is no activation: this is the product of two linear maps.", None
    yield F.silu(gate * value) @ w_2.T, "The activation comes after the product: only the gate passes through it.", None
    yield F.silu((gate * value) @ w_2.T), "The activation stands after the last projection, not on the gate.", "M28"
    yield (F.silu(gate) + value) @ w_2.T, "The branches are added: a gate multiplies, unit by unit.", None
    yield (F.silu(gate) * gate) @ w_2.T, "w_gate is used for both branches.", None
    yield (F.silu(value) * value) @ w_2.T, "w_1 is used for both branches.", None
    yield F.silu(value) @ w_2.T, "w_gate is not used: this is the plain layer.", None
    yield F.silu(gate) @ w_2.T, "w_1 is not used: this is the plain layer.", None
    yield F.silu((F.silu(gate) * value) @ w_2.T), "There is an activation after the last projection.", "M28"
    yield (gate.softmax(-1) * value) @ w_2.T, "The gate is a softmax; SwiGLU's is silu, each unit for itself.", None
    yield x + (F.silu(gate) * value) @ w_2.T, "x is added: the residual path is another module's job.", None
    if w_1.shape[0] == w_1.shape[1]:
        yield F.silu(gate) * value, "The last projection, w_2, is missing.", "M28"
        yield (F.silu(x @ w_gate) * (x @ w_1)) @ w_2, f"The matrices are not transposed. {STORED}", None
        yield (F.silu(gate) * value) @ w_2, f"w_2 is not transposed. {STORED}", None


def look_at_weights(module: nn.Module, d_model: int) -> None:
    """Two matrices, (4 d_model, d_model) and back, or a sentence that says which is missing."""
    found = [tuple(p.squeeze().shape) for p in module.parameters() if p.squeeze().ndim >= 2]
    wanted = {d_model, 4 * d_model}
    if not found:
        raise Wrong("The layer has no matrix among its parameters: make its Linear layers in __init__, not in forward.")
    if len(found) == 1:
        raise Wrong(
            f"There is one matrix, {found[0]}: the second projection is missing, or borrows the first one's. "
            "d_model -> 4 d_model, activation, 4 d_model -> d_model: each projection has a matrix of its own.",
            "M28",
        )
    widths = sorted({size for shape in found for size in shape} - {d_model})
    if not widths:
        raise Wrong(
            f"The inner width is d_model = {d_model}: the layer should be 4 d_model wide inside. "
            f"Its {len(found)} matrices are {found}.",
            "M28",
        )
    if len(found) > 2:
        raise Wrong(f"There are {len(found)} matrices, {found}; wanted two: up to 4 d_model, and back.")
    if set(found[0]) != wanted or set(found[1]) != wanted:
        raise Wrong(f"For d_model = {d_model} the matrices are {found}; wanted {d_model} to {4 * d_model} and back.")


def look_at_output(module: nn.Module, x: Tensor, got: Tensor) -> None:
    """The output is W2 relu(W1 x + b1) + b2 of the module's own weights, or a sentence that says what else."""
    inner = 4 * x.shape[-1]
    vectors = [tuple(p.shape) for p in module.parameters() if p.squeeze().ndim == 1]
    if len(vectors) > 2:
        raise Wrong(f"Besides two biases there are more vectors, {vectors}: a norm inside? It is another module's job.")
    if close(got, module(x.clone()).detach()) is False:
        raise Wrong("Two calls with the same x give different results: is a Linear layer made in forward?")
    alone = torch.cat([module(x[:, t : t + 1]).detach() for t in range(x.shape[1])], dim=1)
    if not close(got, alone, 1e-4):
        raise Wrong("The output at a position still depends on the others: each position alone gives other numbers.")
    if not close(got, torch.cat([module(row[None]).detach() for row in x]), 1e-4):
        raise Wrong("The sequences of a batch influence one another: each alone gives other numbers.")
    for act, message, misconception in (
        (torch.relu, "", None),
        (lambda z: z, "There is no activation between the projections: two linear maps are one linear map.", None),
        (torch.tanh, "The activation is tanh; change as little as possible, it was ReLU.", None),
        (torch.sigmoid, "The activation is a sigmoid; change as little as possible, it was ReLU.", None),
        (F.gelu, "The activation is GELU; change as little as possible, it was ReLU.", None),
        (F.silu, "The activation is SiLU; change as little as possible, it was ReLU.", None),
        (F.leaky_relu, "The activation is a leaky ReLU; change as little as possible, it was ReLU.", None),
        (F.elu, "The activation is ELU; change as little as possible, it was ReLU.", None),
    ):
        for right in layers_of(module, x, inner, act):
            if close(got, right, 1e-4):
                if message:
                    raise Wrong(message, misconception)
                return
            if close(got, right.relu(), 1e-4):
                raise Wrong(
                    "There is an activation after the last projection: no output is below zero, so the layer "
                    f"can only push one way (smallest output: {number(got.min())}).",
                    "M28",
                )
            if any(close(got, end(right), 1e-4) for end in (F.gelu, F.silu, torch.tanh, torch.sigmoid)):
                raise Wrong("There is an activation after the last projection: nothing stands there.", "M28")
            if close(got, right + x, 1e-4):
                raise Wrong("x is added to the output: the residual path is another module's job (lesson 06).")
        if any(close(got, wrong, 1e-4) for wrong in layers_of(module, x.relu(), inner, act)):
            raise Wrong("There is an activation before the first projection: it cuts off what is below zero in x.")
    if (got >= 0).all():
        raise Wrong(
            f"No output is below zero (smallest: {number(got.min())}): is there an activation after the last "
            "projection?",
            "M28",
        )
    raise Wrong("The output is not W2 relu(W1 x + b1) + b2 of the layer's own matrices: what else is in it?")


def layers_of(module: nn.Module, x: Tensor, inner: int, act):
    """What a two-matrix layer made of these parameters can give: in either order, stored either way round."""
    parameters = [p.detach().squeeze() for p in module.parameters()]
    matrices = [p for p in parameters if p.ndim == 2]
    b_1 = next((p for p in parameters if p.ndim == 1 and len(p) == inner), torch.zeros(inner))
    b_2 = next((p for p in parameters if p.ndim == 1 and len(p) == x.shape[-1]), torch.zeros(x.shape[-1]))
    for up, down in permutations(matrices):
        up, down = (up if len(up) == inner else up.T), (down.T if len(down) == inner else down)
        yield act(x @ up.T + b_1) @ down.T + b_2

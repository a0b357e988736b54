"""Lesson 05: the checks of question 3, three broken feed-forward layers: what is wrong with each, and one mended."""

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ...checking import Wrong, check
from ...draw import draw
from ..common import diagnosed, expect_tensor
from . import feed_forward_faults as faults

# What the learner chooses from -> what such a layer would show. The notebook explains each in a table.
FAULTS = {
    "second projection missing": "Such a layer has one matrix, and its output is the hidden layer.",
    "too narrow": "Such a layer has matrices of d_model by d_model.",
    "activation at the end": "Such a layer never writes below zero.",
    "no activation": "Such a layer is one linear map, with a shift.",
    "activation first": "Such a layer gives the same for every x whose numbers are all below zero.",
    "one matrix for both": "Such a layer has half the weights of a whole one.",
    "positions mixed": "In such a layer the output at one position moves when another one is changed.",
}
# What can be seen from outside -> what the snippets show that it does not tell from a right layer.
OBSERVATIONS = {
    "opposite inputs": "f(x) + f(-x) is not 2 f(0), as in a right layer.",
    "shape": "The output is as wide as x, as in a right layer.",
    "another position": "When one position is changed all other outputs stay, as in a right layer.",
    "below zero": "Some outputs are below zero, as in a right layer.",
    "weights": "The matrices hold 8 d_model^2 numbers, as in a right layer.",
}
SIZES = ((6, 10, 2, 7), (5, 8, 3, 11), (9, 6, 4, 5))  # two widths of x, B, T: no two alike
SHOWN = "Try it on this layer and on a right one."
SEEN = {
    "broken_1": "In broken_1 count the nn.Linear layers: which weights does the second product use?",
    "broken_2": "In broken_2 look at each line of forward: along which axis does it work?",
    "broken_3": "In broken_3 write down what the layer computes, as a formula of x.",
}


class repair:
    answers = ("repair(d_model)", *(tuple(FAULTS),) * 3, *(tuple(OBSERVATIONS),) * 3)

    @check("broken_1: the fault", 0.5)
    def first(repair, fault_1, fault_2, fault_3, shows_1, shows_2, shows_3):
        diagnosed(fault_1, "one matrix for both", FAULTS, "fault_1", SEEN["broken_1"])

    @check("broken_2: the fault", 0.5)
    def second(repair, fault_1, fault_2, fault_3, shows_1, shows_2, shows_3):
        diagnosed(fault_2, "positions mixed", FAULTS, "fault_2", SEEN["broken_2"])

    @check("broken_3: the fault", 0.5)
    def third(repair, fault_1, fault_2, fault_3, shows_1, shows_2, shows_3):
        diagnosed(fault_3, "no activation", FAULTS, "fault_3", SEEN["broken_3"])

    @check("broken_1: what tells it from a right layer", 0.25)
    def shown_by_first(repair, fault_1, fault_2, fault_3, shows_1, shows_2, shows_3):
        diagnosed(shows_1, "weights", OBSERVATIONS, "shows_1", SHOWN)

    @check("broken_2: what tells it from a right layer", 0.25)
    def shown_by_second(repair, fault_1, fault_2, fault_3, shows_1, shows_2, shows_3):
        diagnosed(shows_2, "another position", OBSERVATIONS, "shows_2", SHOWN)

    @check("broken_3: what tells it from a right layer", 0.25)
    def shown_by_third(repair, fault_1, fault_2, fault_3, shows_1, shows_2, shows_3):
        diagnosed(shows_3, "opposite inputs", OBSERVATIONS, "shows_3", SHOWN)

    @check("broken_2, mended", 0.75)
    def mended(repair, fault_1, fault_2, fault_3, shows_1, shows_2, shows_3):
        repaired(repair)


def repaired(make) -> None:
    """The module that make(d_model) gives is W2 relu(W1 x + b1) + b2, four times as wide inside."""
    if isinstance(make.function, nn.Module):
        raise Wrong(
            f"{make.name} is a layer already; wanted a function that makes one for any d_model, as broken_2 does."
        )
    *widths, B, T = draw.one_of(*SIZES)
    for d_model in widths:
        module, call = make(d_model), f"{make.name}({d_model})"
        if isinstance(module, Tensor):
            raise Wrong(f"{call} gave a tensor: return the layer itself, an nn.Module, not its output.")
        if isinstance(module, type):
            raise Wrong(f"{call} gave the class {module.__name__} itself: call it, so that a layer is made.")
        if not isinstance(module, nn.Module):
            raise Wrong(f"{call} gave a {type(module).__name__}: return an nn.Module, as broken_2 does.")
        module = module.eval()
        if any(map(is_lazy, module.parameters())):
            module(draw.normal(B, d_model))  # it takes its sizes from the first input
        with torch.no_grad():
            for parameter in module.parameters():  # whatever it started with
                parameter.copy_(draw.normal(*parameter.shape) * 0.7)
        x = draw.normal(B, T, d_model)
        faults.look_at_weights(module, d_model)
        got = expect_tensor(module(x.clone()), "the layer's output", tuple(x.shape))
        faults.look_at_output(module, x, got.detach())
        matrices = [parameter for parameter in module.parameters() if parameter.squeeze().ndim == 2]
        learning = [matrix for matrix in matrices if matrix.requires_grad]
        found = torch.autograd.grad(got.sum(), learning, allow_unused=True) if got.requires_grad and learning else ()
        if len(found) < len(matrices) or not all(gradient is not None and gradient.any() for gradient in found):
            raise Wrong("The numbers are right, but no gradient reaches the layer's matrices: it could not learn.")

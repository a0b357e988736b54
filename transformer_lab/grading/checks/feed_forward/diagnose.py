"""Lesson 05: the checks of question 3, three broken feed-forward layers: what is wrong with each, and one mended."""

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ....sentences import kind_of
from ...checking import Wrong, check
from ...draw import draw
from ..common import expect_tensor
from ..diagnosis import Diagnosis, snippets
from . import feed_forward_faults as faults

# The lists that the notebook prints; test_diagnoses.py tries every observation on every snippet.
DIAGNOSIS = Diagnosis(
    faults={
        "second projection missing": "Such a layer has one matrix, and its output is the hidden layer.",
        "too narrow": "Such a layer has matrices of d_model by d_model.",
        "activation at the end": "Such a layer never writes below zero.",
        "no activation": "Such a layer is one linear map, with a shift.",
        "activation first": "Such a layer gives the same for every x whose numbers are all below zero.",
        "one matrix for both": "Such a layer has half the weights of a whole one.",
        "positions mixed": "In such a layer the output at one position moves when another one is changed.",
    },
    observations={
        "f(x) + f(-x) is 2 f(0)": "that is so of a linear map and a shift.",
        "the output is wider than x": "all three are as wide as x.",
        "an output moves where no input has changed": "that is so where positions are mixed.",
        "no output is below zero": "all three write below zero, as a right layer does.",
        "the matrices hold half as many numbers": "that is so where a matrix is missing, or serves twice.",
    },
    snippets={
        "a": (
            "one matrix for both",
            "the matrices hold half as many numbers",
            "Count its nn.Linear layers: which weights does the second product use?",
        ),
        "b": (
            "positions mixed",
            "an output moves where no input has changed",
            "Look at each line of its forward: along which axis does it work?",
        ),
        "c": (
            "no activation",
            "f(x) + f(-x) is 2 f(0)",
            "Write down what it computes, as a formula of x.",
        ),
    },
)
SIZES = ((6, 10, 2, 7), (5, 8, 3, 11), (9, 6, 4, 5))  # two widths of x, B, T: no two alike


class diagnose(snippets(DIAGNOSIS, 2.25)):
    answers = (DIAGNOSIS, "repaired(d_model)")

    @check("b, mended", 0.75)
    def mended(diagnoses, repaired):
        is_right(repaired)


def is_right(make) -> None:
    """The module that make(d_model) gives is W2 relu(W1 x + b1) + b2, four times as wide inside."""
    if isinstance(make.function, nn.Module):
        raise Wrong(
            f"{make.name} is a layer already; wanted a function that makes one for any d_model, as broken_b does."
        )
    *widths, B, T = draw.one_of(*SIZES)
    for d_model in widths:
        module, call = make(d_model), f"{make.name}({d_model})"
        if isinstance(module, Tensor):
            raise Wrong(f"{call} gave a tensor: return the layer itself, an nn.Module, not its output.")
        if isinstance(module, type):
            raise Wrong(f"{call} gave the class {module.__name__} itself: call it, so that a layer is made.")
        if not isinstance(module, nn.Module):
            raise Wrong(f"{call} gave {kind_of(module)}: return an nn.Module, as broken_b does.")
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

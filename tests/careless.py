"""Right answers made careless, each in one way that no ordinary input shows: for the banks of wrong answers."""

import sys

from torch import Tensor, bfloat16


def each(change, value):
    """The value with every tensor in it changed."""
    if isinstance(value, Tensor):
        return change(value)
    return type(value)(each(change, part) for part in value) if isinstance(value, (tuple, list)) else value


def squeezed(answer):
    """Drops the axes of size 1 from what comes back."""
    return lambda *args: each(Tensor.squeeze, answer(*args))


def widened(answer):
    """Gives float32 back for numbers of 16 bits."""
    return lambda *args: each(lambda value: value.float() if value.dtype == bfloat16 else value, answer(*args))


def viewing(answer):
    """Takes its inputs by view, which asks for numbers that lie in order."""
    return lambda *args: answer(*each(lambda value: value.view(-1).view(value.shape), args))


def switching(answer):
    """Asks its inputs for gradients, and leaves them so."""
    return lambda *args: answer(
        *each(lambda value: value.requires_grad_() if value.is_floating_point() else value, args)
    )


def copying(answer):
    """Gives back what stands under the name `wanted` in a frame that calls it, if one does."""

    def copied(*args):
        frame = sys._getframe(1)
        while frame:
            wanted = frame.f_locals.get("wanted")
            if isinstance(wanted, (Tensor, int, dict)):
                return wanted
            frame = frame.f_back
        return answer(*args)

    return copied

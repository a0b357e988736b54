"""What the checks of all lessons share: comparing tensors, and naming the fault.

A fault is a wrong answer somebody gives: (the numbers it yields, what to tell its author, misconception or None).
"""

import difflib
import math
import re

import torch
from torch import Tensor

from ...sentences import kind_of
from ..checking import NotDone, Wrong

TOLERANCE = 1e-5
DTYPES = torch.float64, torch.float32, torch.bfloat16  # what "the dtype is kept" stands for: 16 bits too
NEARLY = "It is nearly right: something is rounded, clamped or of low precision, or a small number is added."


def copies(*tensors: Tensor) -> list[Tensor]:
    """An answer gets copies, so that one that writes into its inputs cannot spoil the comparison."""
    return [tensor.clone() for tensor in tensors]


def reordered(tensor: Tensor) -> Tensor:
    """The same numbers in another order in memory, as transpose leaves them: view() refuses it, reshape() does not."""
    return tensor.permute(*reversed(range(tensor.ndim))).contiguous().permute(*reversed(range(tensor.ndim)))


def close(got: Tensor, wanted: Tensor, tolerance: float = TOLERANCE) -> bool:
    """Equal up to a tolerance, relative where the numbers exceed 1; infinities and NaN must agree."""
    got, wanted = got.detach().double(), wanted.detach().double()
    return got.shape == wanted.shape and torch.allclose(got, wanted, tolerance, tolerance, equal_nan=True)


def close_by_size(got: Tensor, wanted: Tensor, tolerance: float = 1e-3) -> bool:
    """Equal up to a fraction of the largest number: when large numbers cancel, float32 keeps no more."""
    got, wanted = got.detach().double(), wanted.detach().double()
    return got.shape == wanted.shape and bool((got - wanted).abs().max() <= tolerance * wanted.abs().max())


def expect_tensor(value, name: str, shape: tuple[int, ...]) -> Tensor:
    """The value, if it is a torch tensor of that shape; else say what it is."""
    shape = tuple(shape)
    if value is None:
        raise Wrong(f"{name}: None came back; wanted a torch tensor of shape {shape}.")
    if not isinstance(value, Tensor):
        kind = f"{type(value).__module__}.{type(value).__name__}".removeprefix("builtins.")
        raise Wrong(f"{name} is of type {kind}; wanted a torch tensor of shape {shape}.")
    if value.layout != torch.strided or value.device.type == "meta":
        kind = "holds no numbers (it is on the device meta)" if value.layout == torch.strided else "is a sparse tensor"
        raise Wrong(f"{name} {kind}; wanted an ordinary torch tensor of shape {shape}.")
    if tuple(value.shape) != shape:
        raise Wrong(f"{name} has shape {tuple(value.shape)}; wanted {shape}.{shape_hint(value, shape)}")
    return value


def shape_hint(value: Tensor, shape: tuple[int, ...]) -> str:
    got = tuple(value.shape)
    if len(got) >= 2 and got[:-2] + (got[-1], got[-2]) == shape:
        return " Its last two axes are swapped."
    if len(got) > len(shape) and tuple(n for n in got if n > 1) == tuple(n for n in shape if n > 1):
        return " It has one axis of size 1 too many: from keepdim=True, or an unsqueeze that was not undone?"
    if value.ndim == 0 and math.prod(shape) > 1:
        return " It is one number for everything: reduce along one axis, dim=..., not over the whole tensor."
    if len(got) < len(shape):
        return " An axis is missing: was it summed away or squeezed?"
    return ""


def compare(
    got: Tensor, wanted: Tensor, faults=(), name: str = "the result", tolerance: float = TOLERANCE, look: str = ""
) -> None:
    """Raise Wrong unless got equals wanted: with the words of the first fault that gives these numbers, if any does.

    Else it says where they differ, and then look: what the numbers ought to be made of.
    """
    if close(got, wanted, tolerance):
        return
    for wrong, message, misconception in faults:
        if close(got, wrong, tolerance) and not close(wrong, wanted, tolerance):
            raise Wrong(message, misconception)
    raise Wrong(" ".join(filter(None, (difference(got, wanted, name), look))))


def difference(got: Tensor, wanted: Tensor, name: str) -> str:
    """Where two tensors differ most, and whether one is a multiple of the other."""
    got, wanted = got.detach().double(), wanted.detach().double()
    if got.isnan().any() and not wanted.isnan().any():
        where = tuple(got.isnan().nonzero()[0].tolist())
        return f"{name} holds NaN, first at {list(where)}. Look for 0 / 0, inf - inf, inf / inf, 0 * inf or log(0)."
    if got.isinf().any() and not wanted.isinf().any():
        where = tuple(got.isinf().nonzero()[0].tolist())
        return f"{name} holds inf, first at {list(where)}. Look for exp of a large number, or a division by 0."
    worst = (got - wanted).nan_to_num().abs().argmax()
    where = [int(i) for i in torch.unravel_index(worst, got.shape)]
    yours, right = apart(got.flatten()[worst], wanted.flatten()[worst])
    text = f"{name}: {f'at {where} ' if where else ''}yours is {yours}, wanted {right}."
    ratio, shift = (got * wanted).sum() / (wanted * wanted).sum(), (got - wanted).mean()
    if got.numel() > 1 and not got.any():
        text += " Yours is 0 everywhere."
    elif got.numel() > 1 and abs(ratio - 1) > 0.01 and close(got, ratio * wanted, 1e-3):
        text += f" Yours is {number(ratio)} times what is wanted, everywhere."
    elif got.numel() > 1 and abs(shift) > 0.01 and close(got, wanted + shift, 1e-3):
        text += f" Yours is what is wanted plus {number(shift)}, everywhere."
    elif close(got, wanted, 0.02):
        text += " " + NEARLY
    return text + only_at(got, wanted)


def only_at(got: Tensor, wanted: Tensor) -> str:
    """Along which axis a wrong tensor is partly right, and where it is wrong; an empty string if there is none."""
    best = None
    for axis in range(got.ndim if got.ndim > 1 else 0):
        slices = zip(got.movedim(axis, 0), wanted.movedim(axis, 0), strict=True)
        wrong = [i for i, pair in enumerate(slices) if not close(*pair, 1e-4)]
        if 0 < len(wrong) < got.shape[axis] and (not best or len(wrong) / got.shape[axis] < best[0]):
            best = len(wrong) / got.shape[axis], axis, wrong
    return f" Along axis {best[1]} it is wrong only at {', '.join(map(str, best[2]))}." if best else ""


def number(value) -> str:
    return f"{float(value) + 0.0:.4g}"  # + 0.0 turns -0 into 0


def apart(yours, right) -> tuple[str, str]:
    """Two numbers with as many digits as it takes to see that they differ: "yours is 1, wanted 1" helps nobody."""
    pairs = [tuple(f"{float(value) + 0.0:.{digits}g}" for value in (yours, right)) for digits in (4, 7, 12)]
    return next((pair for pair in pairs if pair[0] != pair[1]), pairs[-1])


def settled(earlier, what: str) -> None:
    """Run what an earlier check compares: if that fails, its message has said why, and this one points to it."""
    try:
        earlier()
    except Wrong:
        raise Wrong(f"{what} not right yet: the check above says why. Fix that first.") from None


def keeps_dtype(got: Tensor, dtype: torch.dtype, name: str) -> None:
    if got.dtype != dtype:
        raise Wrong(
            f"The input is {dtype}, {name} came back as {got.dtype}. "
            "Look for .float(), .double(), a dtype=..., or a new tensor that takes the default dtype."
        )


def keeps_every_dtype(call, name: str) -> None:
    """call(dtype) gives a tensor of that dtype; what torch cannot do in 16 bits is not the answer's fault."""
    for dtype in DTYPES:
        try:
            got = call(dtype)
        except (RuntimeError, TypeError) as error:
            if dtype.itemsize > 2 or not re.search("not implemented for|unsupported", str(error), re.IGNORECASE):
                raise
        else:
            keeps_dtype(got, dtype, name)


def leaves_alone(call, **inputs: Tensor) -> None:
    """call(*inputs) must neither write into its inputs nor make them require a gradient."""
    before = copies(*inputs.values())
    call(*inputs.values())
    for (name, now), then in zip(inputs.items(), before, strict=True):
        if not close(now, then, 0.0):
            raise Wrong(
                f"The function changed its input {name} in place: whoever calls it loses those numbers. Look for "
                "an assignment such as `x[...] = ` or `x -= `, or a method whose name ends in an underscore."
            )
        if now.requires_grad and not then.requires_grad:
            raise Wrong(
                f"The function made its input {name} require a gradient, and it still does: torch will record whatever "
                f"the caller does with it. Take a copy that requires one, {name}.clone().requires_grad_()."
            )


def has_gradient(value: Tensor, name: str) -> Tensor:
    """The value, if a gradient can flow back from it."""
    if not value.requires_grad:
        raise Wrong(
            f"No gradient flows through {name}, so nothing before it could learn. "
            "Look for .detach(), .data, .item(), torch.no_grad(), torch.tensor(...) or a trip through numpy."
        )
    return value


def one_number(value, name: str) -> float:
    """The answer as a number, if it is a single finite one."""
    if isinstance(value, (bool, str)):
        raise Wrong(f"{name} is {value!r}; wanted a number.")
    if isinstance(value, (list, tuple)) or getattr(value, "ndim", 0):
        if len(value) == 1:
            raise Wrong(f"{name} is {kind_of(value)} that holds one number; wanted the number itself.")
        raise Wrong(f"{name} holds {len(value)} numbers; wanted a single one.")
    try:
        value = float(value)
    except (TypeError, ValueError):
        raise Wrong(f"{name} is of type {type(value).__name__}; wanted a number.") from None
    if not math.isfinite(value):
        raise Wrong(f"{name} is {value}; wanted a finite number.")
    return value


def fitting(answers, cases, faults):
    """The words of the first fault (formula, *words) that gives these answers in every case: one may fit by chance."""
    for formula, *words in faults:
        if all(math.isclose(got, formula(*case), rel_tol=1e-9) for got, case in zip(answers, cases, strict=True)):
            return words
    return None


def chosen(choice, options: tuple[str, ...], name: str):
    """The learner's choice, if it is one of the options."""
    listed = ", ".join(map(repr, options))
    if choice is None:
        raise NotDone(f"put one of {listed} in place of None, then run this cell again.")
    if not isinstance(choice, str):
        raise Wrong(f"{name} is of type {type(choice).__name__}; write one of {listed}, with its quotation marks.")
    plain = choice.strip(" \t\n.'\"").lower()
    for option in options:
        if option.lower() == plain:
            return option
    near = difflib.get_close_matches(plain, [option.lower() for option in options], 1)
    meant = next((f" Did you mean {option!r}?" for option in options if option.lower() in near), "")
    raise Wrong(f"{choice!r} is not a choice for {name}: choose one of {listed}.{meant}")


def diagnosed(choice, fault: str, options: dict[str, str], name: str, seen: str) -> None:
    """Raise Wrong unless the choice is this fault. options: what each would show; seen: what this snippet shows."""
    picked = chosen(choice, tuple(options), name)
    if picked != fault:
        raise Wrong(f"{name} is {picked!r}. {options[picked]} {seen}")

"""The learner's function as the checks call it, and the message to show when it raises."""

import inspect
import linecache
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path

from ..sentences import kind_of
from .checking import NotDone, Wrong
from .limit import TimeIsUp

PACKAGE = Path(__file__).parents[1]
LONGEST = 120  # characters of a learner's line

ANY_AXES = "Inputs come with any number of axes: count from the end, dim=-1, and do not unpack a fixed number of them."
NUMBER_BY_NUMBER = (
    "`+`, `-`, `*` and `/` go element by element, and these sizes do not fit. Did a sum or a max lose its axis "
    "(keepdim=True keeps it)? Or is a `*` meant to be `@`?"
)
PRODUCT = "In left @ right, the last axis of left and the last but one of right must be equal."
TWO_DTYPES = (
    "Two dtypes meet. A tensor or layer made inside takes the default dtype: give it the input's, dtype=x.dtype. "
    "Or is one of the two turned into another, by .float() or .double()?"
)
WRITTEN = "Do not write into a tensor that a gradient needs: make a new one."
ENDLESS = (
    "Most often that is a loop whose condition never turns false, or a recursion that misses its last case. "
    "A correct answer takes less than a second. Yours is not called again."
)
WAITING = (
    "Look for sleep(), input() or a wait for something that never comes. A correct answer does not wait. "
    "Yours is not called again."
)
# Part of an error's text -> its usual cause.
HINTS = {
    "must match the size of tensor": NUMBER_BY_NUMBER,
    "shapes cannot be multiplied": PRODUCT,
    "Expected size for first two dim": PRODUCT,
    "Dimension out of range": ANY_AXES,
    "values to unpack": ANY_AXES,
    "in-place operation": WRITTEN,
    "inplace operation": WRITTEN,
    "Can't call numpy()": "Stay in torch: a gradient cannot flow through numpy.",
    "keyword argument 'axis'": "Stay in torch: its functions say dim and keepdim where numpy's say axis and keepdims.",
    "torch.return_types": "x.max(dim) gives two things, values and indices; x.amax(dim) gives the values alone.",
    "is ambiguous": "Python's max(), min() and if need one number; torch has x.amax(dim), torch.where(...).",
    "square matrices": "This matrix is not square: pinv (pseudo-inverse) and lstsq (least squares) take any shape.",
    "must be a 3D tensor": "torch.bmm takes exactly three axes; @ (torch.matmul) takes any number.",
    "permute(": "permute names every axis, so it fits one number of axes only: k.transpose(-2, -1) fits any.",
    "1D tensors expected": "torch.dot is for two vectors; @ (torch.matmul) is for matrices.",
    "size mismatch": PRODUCT,
    "only one element tensors": "math.log, math.exp and float() take one number; torch.log, torch.exp take a tensor.",
    "single element": "math.log, math.exp and float() take one number; torch.log, torch.exp take a tensor.",
    "view size is not compatible": "view() needs contiguous inputs and never transposes; reshape() takes any.",
    "zero-dimensional tensor": "x[j] has no axis left; x[j : j + 1] keeps it.",
    "math domain error": "math.log and math.sqrt raise where there is no result. Is a weight or a probability 0?",
    "must be Tensor, not float": "Use math.sqrt, math.exp on a plain number, torch.sqrt, torch.exp on a tensor.",
    "must be Tensor, not int": "Use math.sqrt, math.exp on a plain number, torch.sqrt, torch.exp on a tensor.",
    "maximum recursion depth": "A recursion needs a base case, and every call must come closer to it.",
    "same dtype": TWO_DTYPES,
    "mixed dtype": TWO_DTYPES,
    "same scalar type": TWO_DTYPES,
}
# Part of the learner's line -> the usual mistake in such a line; a match replaces HINTS.
LINES = {
    r"one_hot\(\w+\)": "F.one_hot(targets) alone has a column for each class up to the largest that occurs: say how "
    "many there are, F.one_hot(targets, V).",
    r"torch\.diag\(": "torch.diag turns one vector into a matrix, a matrix into its diagonal; torch.diag_embed makes a "
    "diagonal matrix of each row, for any number of axes.",
}


class Answer:
    """The learner's function, as the checks call it. After it has been stopped once, it is not called again."""

    def __init__(self, function, signature: str):
        self.function, self.signature, self.name = function, signature, signature.split("(")[0]
        self.arguments: tuple[tuple, dict] | None = None  # of the last call in this check
        self.stopped: TimeIsUp | None = None  # what ended a call

    def __call__(self, *args, **kwargs):
        if self.function is None:
            raise NotDone(f"{self.name} is None; write the function, run its cell, then run this one again.")
        if self.stopped:
            raise self.stopped
        self.arguments = args, kwargs
        try:
            value = self.call(args, kwargs)
        except Exception as error:
            line = learners_line(error)
            if isinstance(error, NotImplementedError) and (not words_of(error) or "NotImplementedError" in line):
                raise NotDone(
                    f"write the body of {self.name}() in place of `raise NotImplementedError`, "
                    "run its cell, then run this one again."
                ) from None
            if isinstance(error, TypeError) and not line:
                error.add_note(f"The expected signature is {self.signature}.")
            error.add_note(self.how_called())
            raise
        if inspect.iscoroutine(value):
            value.close()  # else Python warns that nobody awaited it
            raise Wrong(f"{self.name}() is an `async def`: write a plain `def`.")
        if value is None:
            raise Wrong(f"{self.name}() returned None: did you forget `return`?")
        return plain(value)

    def how_called(self) -> str:
        return f"The check called it with {shown(*(self.arguments or ((), {})))}."

    def call(self, args: tuple, kwargs: dict):
        return self.function(*args, **kwargs)  # an error whose traceback contains this line is the answer's own


PLAIN: list[tuple[type, Callable]] = [(str, str.__str__), (bool, bool), (int, int.__int__), (float, float.__float__)]


def plain(value):
    """Convert instances of the learner's own subclasses to the base type: an overridden __eq__ must not pass checks."""
    if isinstance(value, (tuple, list)) and type(value) in (tuple, list):
        return type(value)(map(plain, value))
    if type(value) is dict:
        return {key: plain(one) for key, one in value.items()}
    for kind, convert in PLAIN:
        if isinstance(value, kind):
            return value if type(value) is kind else convert(value)
    torch = sys.modules.get("torch")
    return plain_tensor(value, torch) if torch and isinstance(value, torch.Tensor) else value


def plain_tensor(value, torch):
    """Return the value as a plain torch.Tensor with the same numbers and autograd history."""
    if type(value) in (torch.Tensor, torch.nn.Parameter) and not vars(value):
        return value
    with torch._C.DisableTorchFunctionSubclass():
        return torch.Tensor.as_subclass(value, torch.Tensor)


def shown(args: tuple, kwargs: dict) -> str:
    """Describe the arguments of a call: a tensor by its shape, a short value by its repr, anything else by its type."""

    def words(value):
        if hasattr(value, "shape"):
            return f"a tensor of shape {tuple(value.shape)}"
        text = repr(value)
        return f"{kind_of(value)}" if len(text) > LONGEST or " at 0x" in text else text

    return ", ".join([words(arg) for arg in args] + [f"{name}={words(arg)}" for name, arg in kwargs.items()])


def describe(error: BaseException, hints: bool = True) -> str:
    """Describe an error: what was raised, the learner's line, how the answer was called, and the usual cause."""
    if isinstance(error, TimeIsUp):
        return describe_stop(error)
    text = "\n".join(words_of(error).strip().splitlines()[:3])
    text = text[:400] + " ..." if len(text) > 400 else text
    notes = getattr(error, "__notes__", [])[-2:]
    line = learners_line(error)
    likely = [hint for part, hint in LINES.items() if re.search(part, line) and "size of tensor" in text]
    likely = likely or list(dict.fromkeys(hint for part, hint in HINTS.items() if part in text))
    what = f"Your code raised {type(error).__name__}" + (f": {text}" if text else ".")
    lines = [what, line, *notes, *(likely if hints else ())]
    return "\n".join(line for line in lines if line)


def describe_stop(error: TimeIsUp) -> str:
    """Describe why and where an answer was stopped, how it was called, and the usual cause."""
    what = f"Your code was stopped: it {error} and had not finished."
    lines = [what, learners_line(error), *getattr(error, "__notes__", [])[:1], WAITING if error.waited else ENDLESS]
    return "\n".join(line for line in lines if line)


def words_of(error: BaseException) -> str:
    """Return str(error), or nothing if the learner's own exception class fails at that."""
    try:
        return str(error)
    except Exception:
        return ""


def learners_line(error: BaseException) -> str:
    """Return the innermost line of the traceback that is the learner's own, or an empty string."""
    found = ""
    for frame, number in traceback.walk_tb(error.__traceback__):
        if is_learners(frame.f_code.co_filename):
            name = frame.f_code.co_name
            inside = "answer" if name.startswith("<") else f"{name}()"
            found = f"in your {inside}, {line_of(frame, number)}"
    return found


def line_of(frame, number: int) -> str:
    line = linecache.getline(frame.f_code.co_filename, number, frame.f_globals).strip()
    line = line[:LONGEST] + " ..." if len(line) > LONGEST else line
    return f"line {number}" + (f": `{line}`" if line else "")


def is_learners(file: str) -> bool:
    """Return whether a file is the learner's: a notebook cell, or a .py file that is not installed code."""
    if file.startswith("<ipython"):  # a cell in other shells; ipykernel runs it as a .py file in a temporary folder
        return True
    path = Path(file)
    installed = {"site-packages", "dist-packages"} & set(path.parts)
    library = Path(sysconfig.get_paths()["stdlib"])
    return path.suffix == ".py" and not installed and library not in path.parents and PACKAGE not in path.parents

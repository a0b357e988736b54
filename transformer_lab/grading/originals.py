"""The functions that checks rely on, as they were before any answer ran: none is replaced while a check judges.

An answer, or a cell run earlier, may have put its own function in the place of torch.allclose or of one of ours. What
is known of a module or class is its dictionary when grading was imported, or, of modules that came later, when they
were first seen here. Names that were added stay, unless they hide something: torch.Tensor.allclose, or a built-in.

It cannot see what replaces no name: code written into a function object, a changed table. A class's submissions are
graded in a process of their own; this keeps a lone learner's verdicts true.
"""

import builtins
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from operator import is_
from types import ModuleType

from .answer import is_learners
from .checking import Wrong

LIBRARIES = ("torch", "torch.nn", "torch.nn.functional", "torch.linalg", "torch.special", "torch.autograd",
             "math", "random", "builtins", "zlib")  # fmt: skip
OURS = __name__.partition(".")[0]
GONE = object()  # in the place of a value: there is no such name

KNOWN: dict[object, dict] = {}  # a module or class -> its dictionary


def learn() -> None:
    """Know each module that is loaded by now, and the classes made in it; what is known already stays as it is."""
    for name, module in list(sys.modules.items()):
        wanted = name in LIBRARIES or name.partition(".")[0] == OURS
        if wanted and isinstance(module, ModuleType) and module not in KNOWN:
            KNOWN[module] = dict(vars(module))
            for value in classes_of(module):
                KNOWN.setdefault(value, dict(vars(value)))


def classes_of(module: ModuleType) -> list[type]:
    """The classes made in a module or below it; of torch itself Tensor alone, for the others are hundreds."""
    if module.__name__ == "torch":
        return [module.Tensor]
    found = [value for value in vars(module).values() if isinstance(value, type)]
    return [value for value in found if value.__module__.startswith(module.__name__) and module is not builtins]


def replaced() -> list[tuple]:
    """(module or class, name, value now) of each name that is not what is known."""
    return [
        (owner, name, value)
        for owner, known in KNOWN.items()
        if not same(vars(owner), known)
        for name, value in differences(owner, vars(owner), known)
    ]


def same(now, known: dict) -> bool:
    """The same objects under the same names, which takes microseconds to say of a dictionary that nobody touched."""
    return len(now) == len(known) and all(map(is_, now.values(), known.values()))


def differences(owner, now, known: dict) -> Iterator[tuple]:
    for name in known.keys() | now.keys():
        value = now.get(name, GONE)
        if value is known.get(name, GONE) or not (name in known or hides(owner, name, value)):
            continue
        if of_the_library(owner, name, value):
            known[name] = value
        else:
            yield name, value


def hides(owner, name: str, value) -> bool:
    """Does a new function take the place of something: of a base class's method, or of a built-in function?"""
    bases = owner.__mro__[1:] if isinstance(owner, type) else {builtins} - {owner}
    return callable(value) and any(name in vars(base) for base in bases)


def of_the_library(owner, name: str, value) -> bool:
    """Did the library itself wrap its function, as torch's compiler does with torch.manual_seed when it is imported?"""
    code, root = getattr(value, "__code__", None), getattr(value, "__module__", None) or ""
    same_name = getattr(value, "__name__", None) == name and root.partition(".")[0] == owner.__name__.partition(".")[0]
    return same_name and code is not None and not is_learners(code.co_filename)


def title(owner, name: str) -> str:
    return f"{owner.__module__}.{owner.__qualname__}.{name}" if isinstance(owner, type) else f"{owner.__name__}.{name}"


def modes() -> list[tuple]:
    """(how many were entered, leave the last) of torch's two kinds of modes, which change what its functions do."""
    if not (torch := sys.modules.get("torch")):
        return []
    return [
        (torch._C._len_torch_function_stack, torch._C._pop_torch_function_stack),
        (torch._C._len_torch_dispatch_stack, lambda: torch._C._pop_torch_dispatch_stack(None)),
    ]


def put(owner, name: str, value) -> None:
    delattr(owner, name) if value is GONE else setattr(owner, name, value)


@contextmanager
def originals() -> Iterator[None]:
    """Within the block the known functions are in force. Raises Wrong after it, if the block replaced one.

    What the learner had replaced before is in its place again afterwards.
    """
    told, aside, depths = [], replaced(), [length() for length, _ in modes()]
    for owner, name, _ in aside:
        put(owner, name, KNOWN[owner].get(name, GONE))
    try:
        yield
    finally:
        for owner, name, _ in replaced():
            told.append(title(owner, name))
            put(owner, name, KNOWN[owner].get(name, GONE))
        for owner, name, value in aside:
            put(owner, name, value)
        for (length, leave), depth in zip(modes(), depths, strict=False):
            while length() > depth:
                leave()
                told.append("what torch's functions do, by a mode that was entered and not left")
        if told:
            raise Wrong(
                f"Your code replaced {', '.join(told)}, which the checks rely on, as other code does. "
                "It is put back; write the answer without replacing anything."
            )

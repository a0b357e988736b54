"""The original functions that checks rely on, in force while a check runs.

An answer, or a cell run earlier, may have replaced torch.allclose or a function of this package. The originals are the
dictionaries of modules and classes as they were when grading was imported or, for modules loaded later, when first seen
here. Added names stay, unless they shadow something, such as an inherited torch.Tensor.allclose or a built-in.

Changes that replace no name go unnoticed: new code in a function object, or a modified table. A class's submissions
are graded in a separate process; this module protects a learner who works alone.
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
GONE = object()  # stands for the value of a name that does not exist

KNOWN: dict[object, dict] = {}  # a module or class -> its dictionary


def learn() -> None:
    """Record each module loaded by now and the classes defined in it, unless it has been recorded before."""
    for name, module in list(sys.modules.items()):
        wanted = name in LIBRARIES or name.partition(".")[0] == OURS
        if wanted and isinstance(module, ModuleType) and module not in KNOWN:
            KNOWN[module] = dict(vars(module))
            for value in classes_of(module):
                KNOWN.setdefault(value, dict(vars(value)))


def classes_of(module: ModuleType) -> list[type]:
    """Return the classes defined in a module or below it; for torch itself only Tensor, as there are hundreds."""
    if module.__name__ == "torch":
        return [module.Tensor]
    found = [value for value in vars(module).values() if isinstance(value, type)]
    return [value for value in found if value.__module__.startswith(module.__name__) and module is not builtins]


def replaced() -> list[tuple]:
    """Return (module or class, name, current value) for each name that differs from the original."""
    return [
        (owner, name, value)
        for owner, known in KNOWN.items()
        if not same(vars(owner), known)
        for name, value in differences(owner, vars(owner), known)
    ]


def same(now, known: dict) -> bool:
    """Return whether a dictionary is unchanged; for an untouched one this takes microseconds."""
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
    """Return whether a new function shadows a base class's method or a built-in."""
    bases = owner.__mro__[1:] if isinstance(owner, type) else {builtins} - {owner}
    return callable(value) and any(name in vars(base) for base in bases)


def of_the_library(owner, name: str, value) -> bool:
    """Return whether the library itself replaced it: torch's compiler wraps functions, a default dtype sets Storage."""
    if name == "Storage" and owner.__name__ == "torch":
        return True
    code, root = getattr(value, "__code__", None), getattr(value, "__module__", None) or ""
    same_name = getattr(value, "__name__", None) == name and root.partition(".")[0] == owner.__name__.partition(".")[0]
    return same_name and code is not None and not is_learners(code.co_filename)


def title(owner, name: str) -> str:
    return f"{owner.__module__}.{owner.__qualname__}.{name}" if isinstance(owner, type) else f"{owner.__name__}.{name}"


def modes() -> list[tuple]:
    """Return (count, pop the last) for torch's two stacks of modes, which change what its functions do."""
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
    """Put the original functions in force within the block. Raises Wrong after it if the block replaced one.

    Functions that the learner had replaced before are put back afterwards.
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
                told.append("what torch's functions do (a mode was entered and not left)")
        if told:
            raise Wrong(
                f"Your code replaced {', '.join(told)}, which the checks rely on, as other code does. "
                "It has been put back; write the answer without replacing anything."
            )

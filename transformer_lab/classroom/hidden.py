"""The hidden checks: the checks of an exercise once more, on inputs that nobody has seen, with a sealed verdict.

A hidden cell calls `grade` of this module. In the kernel that `kernel.py` starts, `begin` has run before the first
cell of the submission: it has kept the original functions, and a key that belongs to this submission alone. From the
key come the seed of each question and the seal under each verdict; the parent accepts no verdict without it. Without
such a kernel (a teacher who tries the source notebook) the verdict has no seal.

A seal is no proof against somebody who sets out to forge one: answer and check share a process. It is one against
everything that a notebook prints, shows, replaces or leaves behind.
"""

import builtins
import hashlib
import hmac
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from types import FrameType, FunctionType

from ..grading import originals, score
from ..grading.answer import is_learners

MIME = "application/vnd.transformer-lab.verdict+json"
Signer = Callable[[str], str]


class Verdict:
    """A Score as a cell's result: what nbgrader reads, the card, and the data of both with a seal."""

    def __init__(self, result: score.Score, replaced: list[str], sign: Signer):
        data = {"question": result.exercise, "points": float(result), "possible": result.possible, "note": result.note,
                "replaced": replaced, "feedback": [asdict(one) for one in result.feedback]}  # fmt: skip
        text = json.dumps(data)
        self.score, self.sealed = result, {"verdict": text, "seal": sign(text)}

    def __repr__(self) -> str:
        return repr(self.score)

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        return {**self.score._repr_mimebundle_(), MIME: self.sealed}


def seal(key: bytes, text: str) -> str:
    """The seal under a verdict."""
    return hmac.new(key, b"verdict:" + text.encode(), hashlib.sha256).hexdigest()


def seed_of(key: bytes, question: str) -> int:
    """The base seed of a question's hidden checks."""
    return int.from_bytes(hmac.new(key, b"seed:" + question.encode(), hashlib.sha256).digest()[:4], "big")


def grade(exercise: str, *answers):
    """Without a class's kernel: the same checks on inputs drawn anew, and a verdict without a seal."""
    return judged(score.grade, os.urandom(32), lambda text: "", exercise, *answers)


def judged(grade_visible: Callable, key: bytes, sign: Signer, exercise: str, *answers) -> Verdict:
    """Grade under the question's own seed."""
    token = score.BASE_SEED.set(seed_of(key, exercise))
    try:
        return Verdict(grade_visible(exercise, *answers), [], sign)
    finally:
        score.BASE_SEED.reset(token)


def begin(key: bytes, lesson: str) -> None:
    """Before the first cell of a submission: keep the originals of everything the checks rely on, and the key."""
    global grade
    score.load(lesson)
    watch, put_back = guard(), keeper()
    grade_visible, base_seed, verdict = score.grade, score.BASE_SEED, Verdict
    seed_for, sealing = seed_of, seal

    def grade(exercise: str, *answers):
        replaced = put_back()
        token = base_seed.set(seed_for(key, exercise))
        try:
            with watch:
                result = grade_visible(exercise, *answers)
        finally:
            base_seed.reset(token)
        return verdict(result, replaced + put_back(), lambda text: sealing(key, text))

    originals.learn()


def keeper() -> Callable[[], list[str]]:
    """A function that puts back every function the checks rely on, its code too, and returns the names it put back."""
    from ..grading import draw  # loads torch, so that its functions are learnt too

    originals.learn()
    differing, put, known, title = originals.replaced, originals.put, originals.KNOWN, originals.title
    package = __name__.partition(".")[0]
    functions = {
        value
        for owner, names in known.items()
        for value in map(unwrapped, names.values())
        if isinstance(value, FunctionType) and (value.__module__ or "").startswith(package)
    }
    contents = [(one, one.__code__, one.__defaults__, one.__kwdefaults__, dict(vars(one))) for one in functions]
    drawing, drawn = draw.draw, dict(vars(draw.draw))

    def put_back() -> list[str]:
        names = []
        for function, code, defaults, named, attributes in contents:
            now = function.__code__, function.__defaults__, function.__kwdefaults__, vars(function)
            if now != (code, defaults, named, attributes):
                names.append(f"{function.__module__}.{function.__qualname__}")
                function.__code__, function.__defaults__, function.__kwdefaults__ = code, defaults, named
                function.__dict__ = dict(attributes)
        if vars(drawing) != drawn:
            names.append("what the checks draw")
            drawing.__dict__ = dict(drawn)
        for owner, name, value in differing():
            if owner is builtins and not by_learner(value):  # IPython's own input(), exit() and quit()
                continue
            names.append(title(owner, name))
            put(owner, name, known[owner].get(name, originals.GONE))
        return names

    return put_back


def unwrapped(value):
    return getattr(value, "__func__", value)


def by_learner(value) -> bool:
    return is_learners(getattr(getattr(value, "__code__", None), "co_filename", ""))


LOOKING = {"sys._getframe", "sys._current_frames", "sys.settrace", "sys.setprofile", "gc.get_objects",
           "gc.get_referrers", "gc.get_referents"}  # fmt: skip
ATTRIBUTES = {"tb_frame", "gi_frame", "cr_frame", "f_back"}
BETWEEN = ("inspect.py", "traceback.py", "warnings.py", "gc.py")


class Looked(RuntimeError):
    """An answer looked at the frames of the checks that called it."""


def guard():
    """A context in which an answer that looks at the calling frames is stopped. It cannot be taken off again."""
    on = [False]

    def hook(event: str, args: tuple) -> None:
        if on[0] and (event in LOOKING or event == "object.__getattr__" and args[1] in ATTRIBUTES):
            on[0] = False  # for what is done here itself
            try:
                frame: FrameType | None = frames(1)
                while frame is not None and frame.f_code.co_filename.endswith((__file__, *BETWEEN)):
                    frame = frame.f_back
                seen = frame is not None and is_learners(frame.f_code.co_filename)
            finally:
                on[0] = True
            if seen:
                raise Looked("an answer may look at its arguments, and not at the checks that call it")

    class Watch:
        def __enter__(self):
            on[0] = True

        def __exit__(self, *error):
            on[0] = False

    frames = sys._getframe
    sys.addaudithook(hook)
    return Watch()

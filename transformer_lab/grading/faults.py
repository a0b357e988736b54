"""Tell whether an exception is the answer's fault or the grader's (or the machine's), and report the latter."""

import errno
import inspect
import platform
import traceback
from pathlib import Path

from ..optional import installed
from .answer import Answer, is_learners, words_of

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
NO_FOLDER = "No usable temporary directory"
HINTS = {
    NO_FOLDER: "Python finds no folder for temporary files: set TMPDIR to a writable one, or free some space.",
    "No space left": "The disk is full: free some space and run the cell again.",
    "No module named": "A package is missing: install the course's packages again (README.md says how).",
}


def is_ours(error: BaseException) -> bool:
    """Return whether the answer was not running, or failed only because of the machine, such as a full disk."""
    call = inspect.unwrap(Answer.call).__code__
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    frames = [frame for frame in frames if not frame.f_code.co_filename.startswith("<frozen importlib")]
    if not any(frame.f_code is call or built_by_the_answer(frame.f_code.co_filename) for frame in frames):
        return True
    if isinstance(error, ImportError):  # the answer's own import is its fault, one inside a library is not
        return not is_learners(frames[-1].f_code.co_filename)
    return isinstance(error, OSError) and (error.errno in FULL or NO_FOLDER in words_of(error))


def built_by_the_answer(file: str) -> bool:
    """Return whether this is the learner's code, or autograd running backward through the graph it built."""
    return is_learners(file) or Path(file).parts[-3:-1] == ("torch", "autograd")


def internal_error_report(error: BaseException) -> str:
    """Report an internal error: what failed, that the answer is not to blame, what may help, and what to report."""
    what = f"{type(error).__name__}: {words_of(error)}".rstrip(": ").splitlines()[0]
    hints = [hint for part, hint in HINTS.items() if part in what]
    frame, line = [*traceback.walk_tb(error.__traceback__)][-1]
    file = "/".join(Path(frame.f_code.co_filename).parts[-2:])  # several lessons have a repair.py
    where = f"{file}, line {line}, in {frame.f_code.co_name}()"
    return "\n".join(
        [
            "This check itself failed, and not because of your answer; nothing of this attempt is recorded.",
            f"{what} ({where})",
            *hints,
            "If it happens again, report it to whoever gave you the course, with these lines and your code: "
            f"{versions()}.",
        ]
    )


def versions() -> str:
    packages = (f"{name} {installed(name) or '(not installed as a package)'}" for name in ("transformer-lab", "torch"))
    return ", ".join([f"Python {platform.python_version()} on {platform.system()}", *packages])

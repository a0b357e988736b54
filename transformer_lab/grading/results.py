"""What grade() found, by question: the best points so far, of how many, how many tries, the day of the last."""

import math
from datetime import date

from .store import Store, folder

NUMBERS = ("best", "possible", "tries")


def is_result(value) -> bool:
    """Has the value what is needed here? More fields, from a newer version, do no harm."""
    return isinstance(value, dict) and all(is_number(value.get(name)) for name in NUMBERS) and is_day(value.get("last"))


def is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def is_day(value) -> bool:
    return isinstance(value, str)


def joined(old: dict, new: dict) -> dict:
    """Both in one; where a question's points have changed since, the best is looked for anew."""
    best = max(old["best"], new["best"]) if old["possible"] == new["possible"] else new["best"]
    tries, last = old["tries"] + new["tries"], max(old["last"], new["last"])
    return old | new | {"best": best, "tries": tries, "last": last}


RESULTS = Store("results", joined, is_result)


def keep(question: str, score) -> None:
    """Keep a try, in the learner's own file or nowhere; not begun, or with a check that failed itself, it is none."""
    states = {result.state for result in score.feedback}
    if states != {"to do"} and "error" not in states and folder() is not None:
        today = date.today().isoformat()
        RESULTS.add(question, {"best": float(score), "possible": score.possible, "tries": 1, "last": today})

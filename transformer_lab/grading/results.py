"""The results of grade() by question: best points so far, points possible, number of tries, date of the last."""

import math
from datetime import date

from .store import Store, folder

NUMBERS = ("best", "possible", "tries")


def is_result(value) -> bool:
    """Return whether the value has all required fields; more fields, from a newer version, are fine."""
    return isinstance(value, dict) and all(is_number(value.get(name)) for name in NUMBERS) and is_day(value.get("last"))


def is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def is_day(value) -> bool:
    return isinstance(value, str)


def joined(old: dict, new: dict) -> dict:
    """Merge two results of a question; if its possible points have changed, the best starts again."""
    best = max(old["best"], new["best"]) if old["possible"] == new["possible"] else new["best"]
    tries, last = old["tries"] + new["tries"], max(old["last"], new["last"])
    return old | new | {"best": best, "tries": tries, "last": last}


RESULTS = Store("results", joined, is_result)


def keep(question: str, score) -> None:
    """Record a try in the learner's file, unless nothing was answered, a check itself failed, or recording is off."""
    states = {result.state for result in score.feedback}
    if states != {"to do"} and "error" not in states and folder() is not None:
        today = date.today().isoformat()
        RESULTS.add(question, {"best": float(score), "possible": score.possible, "tries": 1, "last": today})

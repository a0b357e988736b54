"""What grade() found, by question: the best points so far, of how many, how many tries, the day of the last."""

from datetime import date

from .store import Store, folder

KINDS = {"best": float, "possible": float, "tries": int, "last": str}


def is_result(value) -> bool:
    return isinstance(value, dict) and {name: type(part) for name, part in value.items()} == KINDS


def joined(old: dict, new: dict) -> dict:
    """Both in one; where a question's points have changed since, the best is looked for anew."""
    best = max(old["best"], new["best"]) if old["possible"] == new["possible"] else new["best"]
    return new | {"best": best, "tries": old["tries"] + new["tries"], "last": max(old["last"], new["last"])}


RESULTS = Store("results", joined, is_result)


def keep(question: str, score) -> None:
    """Keep a try, in the learner's own file or nowhere; an answer that is not begun is no try."""
    begun = any(record.state != "to do" for record in score.feedback)
    if begun and folder() is not None:
        today = date.today().isoformat()
        RESULTS.add(question, {"best": float(score), "possible": score.possible, "tries": 1, "last": today})

"""Lesson 15: the checks of question 5, a table of results that cannot be: the wrong cell of each row."""

import math

from ...checking import NotDone, Wrong, check
from ..common import one_number

COLUMNS = "in gold", "predicted", "right", "precision", "recall", "F1"
# What is right; the table of the notebook has another number in one cell of each row. test_diagnoses.py holds both.
COUNTS = {"PER": (120, 96, 72), "LOC": (80, 85, 68), "ORG": (50, 60, 24)}
WRONG_CELLS = {"PER": "F1", "LOC": "precision", "ORG": "right", "all": "in gold", "mean": "recall"}
SEEN = {
    "PER": "An F1 of 0.78 lies above both precision and recall. No mean of two numbers does.",
    "LOC": "68 right ones of 85 predicted ones are no 0.90, and with 0.90 the F1 would be 0.87.",
    "ORG": "54 right ones, and only 50 in gold: precision and recall both say how many there were.",
    "all": "The counts of all are those of the three types added up, and recall and F1 agree with them.",
    "mean": "Each cell of this row is the mean of the three types' numbers above it, after those have been mended.",
}


def shares(gold: int | float, predicted: int | float, right: int | float) -> tuple[float, float, float]:
    """Precision, recall and F1."""
    return right / predicted, right / gold, 2 * right / (predicted + gold)


def true_table() -> dict[str, dict[str, int | float]]:
    """The five rows as they should be, not rounded; the row `mean` has no counts."""
    table = {name: dict(zip(COLUMNS, (*counts, *shares(*counts)), strict=True)) for name, counts in COUNTS.items()}
    total = [sum(column) for column in zip(*COUNTS.values(), strict=True)]
    means = {column: sum(table[name][column] for name in COUNTS) / len(COUNTS) for column in COLUMNS[3:]}
    return table | {"all": dict(zip(COLUMNS, (*total, *shares(*total)), strict=True)), "mean": means}


def judge(audit, row: str) -> None:
    answer = audit(row)
    if answer is None or (isinstance(answer, (tuple, list)) and None in answer):
        raise NotDone(
            f'let audit("{row}") give a pair: the name of the wrong column, and the number that belongs there.'
        )
    if not isinstance(answer, (tuple, list)) or len(answer) != 2 or not isinstance(answer[0], str):
        raise Wrong(
            f'audit("{row}") gives {answer!r:.60}; wanted a pair: the name of the wrong column, and the number that '
            "belongs there."
        )
    column, value = answer[0].strip().lower(), one_number(answer[1], f'The number in audit("{row}")')
    named = {name.lower(): name for name in COLUMNS}
    if column not in named:
        raise Wrong(f"{answer[0]!r} is no column; they are {', '.join(map(repr, COLUMNS))}.")
    right = true_table()[row]
    if named[column] not in right:
        raise Wrong(f'The row "{row}" has no {column!r}: only the shares have a mean here.')
    if named[column] != WRONG_CELLS[row]:
        raise Wrong(
            f"Under {named[column]!r} the row {row} is right: changing that cell alone does not mend it. {SEEN[row]}",
            "M55",
        )
    wanted, margin = right[named[column]], 0 if named[column] in COLUMNS[:3] else 0.005001
    if not math.isclose(value, wanted, rel_tol=0, abs_tol=margin):
        raise Wrong(
            f"{named[column]!r} is the wrong cell of {row}, but {value:.4g} does not fit the others. {how(row, value)}"
        )


def how(row: str, value: float) -> str:
    wanted = true_table()[row][WRONG_CELLS[row]]
    if wanted < 1 < value and math.isclose(value, 100 * wanted, abs_tol=0.51):
        return "It is in percent: write a share from 0 to 1, as the other cells are."
    if row == "PER" and 0.675 <= value <= 0.68:
        return "It is the mean of precision and recall, and F1 is not."
    if wanted < 1 and value == round(wanted, 1):
        return "It is rounded to one decimal: the table has two."
    if row == "mean":
        return "Take the mean of the three numbers above it, after the wrong ones have been mended."
    if row == "all":
        return "Add up the column above it."
    return "Work it out from the other cells of the row."


class audit:
    answers = ("audit(row)",)

    @check("PER", 0.6)
    def per(audit):
        judge(audit, "PER")

    @check("LOC", 0.6)
    def loc(audit):
        judge(audit, "LOC")

    @check("ORG", 0.6)
    def org(audit):
        judge(audit, "ORG")

    @check("all", 0.6)
    def whole(audit):
        judge(audit, "all")

    @check("mean", 0.6)
    def mean(audit):
        judge(audit, "mean")

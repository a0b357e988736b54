"""`make bench-class`: grade a class of synthetic submissions to exercise 02, and print the seconds that one takes.

Of ten submissions seven are right, two are wrong or unsolved, and one is hostile; each must get its points. Seconds on
the clock depend on what else the machine does, seconds of computing hardly do; those of the kernels (Python, torch, the
checks) are printed apart from those of nbgrader round them.
"""

import argparse
import itertools
import json
import os
import tempfile
import time
from pathlib import Path

from hostile_submissions import FULL, HERE, HOSTILE, answered, solved
from transformer_lab.classroom import batch, course, gradebook, sandbox

WRONG = {"wrong": "def softmax(x, dim=-1):\n    return x.exp() / x.exp().sum()", "unsolved": "softmax = None"}
POINTS = {"right": FULL, "wrong": 23, "unsolved": 22} | {name: points for name, (_, points, _) in HOSTILE.items()}


def fill(root: Path, n: int) -> None:
    """Hand in n submissions."""
    right = solved(root)
    hostile = itertools.cycle(HOSTILE.items())
    for number in range(n):
        name, notebook = "right", right
        if number % 10 in (3, 6):
            name = "wrong" if number % 10 == 3 else "unsolved"
            notebook = answered(right, WRONG[name])
        elif number % 10 == 9:
            name, (make, _, _) = next(hostile)
            notebook = make(right)
        place = root / "submitted" / f"{number:04d}-{name}" / HERE[0] / f"{HERE[1]}.ipynb"
        place.parent.mkdir(parents=True)
        place.write_text(notebook if isinstance(notebook, str) else json.dumps(notebook), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="class-") as folder:
        root = Path(folder) / "course"
        course.new(root)
        gradebook.enter_assignments(root)
        gradebook.release(root, course.nbgrader_config(root), HERE[0])
        fill(root, options.n)
        print(f"{options.n} submissions, {options.jobs} at a time, {sandbox.kind()}")
        began, before, kernels, otherwise = time.monotonic(), os.times(), [], []
        for one, number, total in batch.grade(root, jobs=options.jobs):
            kernels.append(one.seconds)
            if one.points != POINTS[one.student.partition("-")[2]]:
                otherwise.append(f"{one.student}: {one.points:g} points; {one.stopped}")
            if number % 10 == 0 or number == total:
                print(f"{number} of {total}: {time.monotonic() - began:.0f} s", flush=True)
        spent = os.times()
        ours = spent.user + spent.system - before.user - before.system
        clock = time.monotonic() - began
        print("\n".join([f"graded as expected: {options.n - len(otherwise)} of {options.n}", *otherwise]))
        print(f"on the clock: {clock:.0f} s, {clock * options.jobs / options.n:.1f} s a submission and job")
        print(f"computing in the kernels: {sum(kernels) / options.n:.1f} s a submission, at most {max(kernels):.0f} s")
        if options.jobs == 1:
            print(f"computing in nbgrader round them: {ours / options.n:.1f} s a submission")


if __name__ == "__main__":
    main()

"""Submissions to exercise 02 that do what no submission should, each with its points of 29 and what its report says.

Each is a function of a right answer's notebook. None of them may stop the batch, or read or write outside its sandbox.
"""

import copy
import json

import nbformat

from build import ROOT

HERE = "02_attention", "attention"  # the assignment and its notebook
FULL = 29
HOSTILE: dict[str, tuple] = {}


def hostile(points, says=""):
    """Enter a submission: its points, and a part of the sentences that its report must hold."""

    def enter(make):
        HOSTILE[make.__name__] = (make, points, says)
        return make

    return enter


def solved(root):
    """The notebook that a course has released, with the solutions in it."""
    key = nbformat.read(ROOT / "solutions" / HERE[0] / f"{HERE[1]}.ipynb", 4)
    answers = {name_of(cell): cell["source"] for cell in key.cells}
    notebook = json.loads((root / "release" / HERE[0] / f"{HERE[1]}.ipynb").read_text())
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("solution"):
            cell["source"] = answers[name_of(cell)]
    return notebook


def named(notebook, name):
    """The cell that nbgrader knows by this name."""
    return next(cell for cell in notebook["cells"] if name_of(cell) == name)


def name_of(cell):
    return cell["metadata"].get("nbgrader", {}).get("grade_id", "")


def first(notebook, code):
    """The notebook with a cell of code before all others."""
    cell = {"cell_type": "code", "metadata": {}, "source": code, "outputs": [], "execution_count": None, "id": "first"}
    return notebook | {"cells": [cell, *notebook["cells"]]}


def answered(notebook, code, name="softmax"):
    """The notebook with this code as the answer to a question."""
    notebook = copy.deepcopy(notebook)
    named(notebook, name)["source"] = code
    return notebook


# What the code of a submission does.


@hostile(25, "Your code was stopped")
def endless_loop(right):
    return answered(right, "def softmax(x, dim=-1):\n    while True:\n        pass")


@hostile(25, "SystemExit")
def leaves(right):
    return answered(right, "import sys\ndef softmax(x, dim=-1):\n    sys.exit(0)")


@hostile(0, "ended Python itself")
def os_exit(right):
    return first(right, "import os\nos._exit(0)")


@hostile(0, "processes used more than")
def fork_bomb(right):
    code = "import os, time\nfor _ in range(1000):\n    if os.fork() == 0:\n        time.sleep(60)\n        os._exit(0)"
    return first(right, code)


@hostile(FULL)
def much_memory(right):
    return first(right, "much = bytearray(50 * 2**30)")


@hostile(0, "printed more than")
def much_output(right):
    return first(right, "for _ in range(1000):\n    print('x' * 10**6)")


@hostile(FULL)
def reads_and_writes(right):
    """Writes to what it must not touch, and reads what it must not see; `told` is asserted on by the test."""
    return first(right, READS)


READS = """
import os, socket
told = []
for path in PATHS:
    try:
        told.append(os.listdir(path) if os.path.isdir(path) else open(path).read())
    except OSError as error:
        told.append(type(error).__name__)
for path in [os.path.expanduser("~/note"), *(path + "/written" for path in PATHS)]:
    try:
        open(path, "w").write("here")
    except OSError as error:
        told.append(type(error).__name__)
try:
    socket.create_connection(("192.0.2.1", 80), timeout=2)
except OSError as error:
    told.append(error.strerror)
print(told)
"""


# What it does to the checks.


@hostile(26, "replaced")  # an answer that returns x has 1 point of 4, with or without the patches
def patched_checks(right):
    code = (
        "import torch\n"
        "import transformer_lab.grading, transformer_lab.grading.score as score\n"
        "import transformer_lab.grading.checks.attention as questions\n"
        "score.run = lambda function, *rest: score.CheckResult(function.title, function.points, 'pass')\n"
        "score.judge = lambda *all: None\n"
        "transformer_lab.grading.grade = lambda *all: 4\n"
        "grade = lambda *all: 4\n"
        "import transformer_lab.grading.draw as drawing, torch\n"
        "drawing.draw.normal = lambda *shape, dtype=None: torch.zeros(shape)\n"
        "for check in vars(questions.softmax).values():\n"
        "    if hasattr(check, '__func__'):\n"
        "        check.__func__.points = 1000\n"
        "torch.allclose = lambda *all, **named: True\n"
        "torch.manual_seed = lambda seed: None"
    )
    return first(answered(right, "def softmax(x, dim=-1):\n    return x"), code)


@hostile(25, "else than its verdict")
def patched_hidden(right):
    code = "import transformer_lab.classroom.hidden as hidden\n"
    after = "hidden.grade = lambda question, *all: print(4) or 4 if 'softmax' in question else real(question, *all)"
    return answered(
        first(right, f"{code}real = hidden.grade\n{after}"), "def softmax(x, dim=-1):\n    print(4)\n    return x"
    )


@hostile(25, "may look at its arguments")
def looks_at_the_caller(right):
    return answered(
        right,
        "import inspect\n"
        "def softmax(x, dim=-1):\n"
        "    for frame in inspect.stack():\n"
        "        for value in frame.frame.f_locals.values():\n"
        "            if getattr(value, 'shape', None) == x.shape and value is not x:\n"
        "                return value\n"
        "    return x",
    )


@hostile(25)
def equal_to_everything(right):
    return answered(
        right,
        "class Equal:\n"
        "    shape = property(lambda self: self)\n"
        "    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = lambda self, other: True\n"
        "    __getattr__ = lambda self, name: self\n"
        "    __call__ = __add__ = __sub__ = __mul__ = __getitem__ = lambda self, *all, **named: self\n"
        "    __hash__ = lambda self: 0\n"
        "def softmax(x, dim=-1):\n"
        "    return Equal()",
    )


# What it does to the notebook.


@hostile(FULL)
def cells_in_disorder(right):
    """The check of a question deleted, one copied and edited, one moved, one renamed, one worth 100 points."""
    notebook = copy.deepcopy(right)
    cells = [cell for cell in notebook["cells"] if not name_of(cell).startswith("softmax-")]
    copied = copy.deepcopy(named(notebook, "entropy-hidden"))
    copied["source"] = "100"
    cells.insert(1, copied)
    moved = named(notebook, "shift-hidden")
    cells.remove(moved)
    cells.insert(0, moved)
    named(notebook, "mix-hidden")["metadata"]["nbgrader"]["grade_id"] = "mix-hiddem"
    named(notebook, "duplicate-hidden")["metadata"]["nbgrader"]["points"] = 100
    named(notebook, "diagnose-hidden")["source"] = "5"
    return notebook | {"cells": cells}


@hostile(FULL)
def older_release(right):
    """The course's own exercise, which has no hidden cells, answered."""
    notebook = copy.deepcopy(right)
    notebook["cells"] = [cell for cell in notebook["cells"] if not name_of(cell).endswith("-hidden")]
    for cell in notebook["cells"]:
        if told := cell["metadata"].get("nbgrader"):
            told["schema_version"] = 1
    return notebook


@hostile(0, "another lesson, 03_masks")
def another_lesson(right):
    notebook = copy.deepcopy(right)
    notebook["metadata"]["transformer_lab"]["source"] = "source/exercises/03_masks.py"
    return notebook


@hostile(0, "no notebook")
def no_json(right):
    return json.dumps(right)[:-100]

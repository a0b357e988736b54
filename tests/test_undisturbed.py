"""What an answer changes is put back, what it replaces judges nothing, and a failure of our own is not its fault."""

import builtins
import errno
import gc
import io
import locale
import math
import os
import random
import signal
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from transformer_lab.grading import grade, results, score
from transformer_lab.grading.answer import plain
from transformer_lab.grading.checking import check
from transformer_lab.grading.checks import common
from transformer_lab.grading.limit import PATIENCE
from transformer_lab.grading.score import lessons, questions

SOFTMAX = "02_attention.softmax"


def softmax(x, dim=-1):
    return torch.nan_to_num(torch.softmax(x, dim), 0.0)


def wrong(x, dim=-1):
    return torch.ones_like(x)


def does_first(deed, answer=softmax):
    """An answer that does something to the process, and then its work."""

    def softmax(x, dim=-1):
        deed()
        return answer(x, dim)

    return softmax


# settings --------------------------------------------------------------------------------------------------------


def streams():
    return sys.stdin, sys.stdout, sys.stderr, sys.displayhook, sys.excepthook


def replace_streams():
    sys.stdin = sys.stdout = sys.stderr = io.StringIO()
    sys.displayhook = sys.excepthook = print


SETTINGS = {
    "working directory": (os.getcwd, lambda: os.chdir("/")),
    "recursion limit": (sys.getrecursionlimit, lambda: sys.setrecursionlimit(500)),
    "torch's printing": (lambda: str(torch.tensor([1 / 3])), lambda: torch.set_printoptions(precision=1)),
    "numpy's printing": (np.get_printoptions, lambda: np.set_printoptions(precision=1)),
    "numpy's errors": (np.geterr, lambda: np.seterr(all="ignore")),
    "warnings": (lambda: list(warnings.filters), lambda: warnings.simplefilter("error")),
    "streams": (streams, replace_streams),
    "environment": (
        lambda: dict(os.environ),
        lambda: (os.environ.update(HOME="x", NEW="y"), os.environ.pop("PATH", 0)),
    ),
    "search path": (lambda: list(sys.path), lambda: sys.path.insert(0, "elsewhere")),
    "modules": (lambda: sys.modules["math"], lambda: sys.modules.update(math=random)),
    "a handler": (lambda: signal.getsignal(signal.SIGTERM), lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN)),
    "locale": (lambda: locale.setlocale(locale.LC_ALL), lambda: locale.setlocale(locale.LC_ALL, "C.UTF-8")),
    "garbage collection": (gc.isenabled, gc.disable),
    "tracing": (sys.gettrace, lambda: sys.settrace(lambda *arguments: None)),
    "default device": (torch.get_default_device, lambda: torch.set_default_device("meta")),
    "default dtype": (torch.get_default_dtype, lambda: torch.set_default_dtype(torch.float64)),
    "matmul precision": (torch.get_float32_matmul_precision, lambda: torch.set_float32_matmul_precision("medium")),
    "gradients": (torch.is_grad_enabled, lambda: torch.set_grad_enabled(False)),
    "threads": (torch.get_num_threads, lambda: torch.set_num_threads(3)),
    "torch's generator": (lambda: torch.get_rng_state().tolist(), lambda: torch.rand(1)),
    "numpy's generator": (lambda: np.random.get_state()[1].tolist(), np.random.rand),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_what_an_answer_sets_is_put_back(name):
    read, spoil = SETTINGS[name]
    before = read()
    grade(SOFTMAX, does_first(spoil))
    assert read() == before
    assert grade(SOFTMAX, softmax) == 4


@pytest.mark.parametrize("spoil", [lambda: sys.setrecursionlimit(10**8), lambda: torch.set_default_device("meta")])
def test_what_was_set_before_changes_no_verdict_and_stays(spoil):
    limit = sys.getrecursionlimit()
    try:
        spoil()
        before = sys.getrecursionlimit(), torch.get_default_device()
        assert grade(SOFTMAX, softmax) == 4
        deep = grade(SOFTMAX, lambda x, dim=-1: endless(x))
        assert "RecursionError" in deep.feedback[0].message and "needs a base case" in deep.feedback[0].message
        assert (sys.getrecursionlimit(), torch.get_default_device()) == before
    finally:
        sys.setrecursionlimit(limit), torch.set_default_device(None)


def endless(x):
    return endless(x) + 1


def test_two_grades_at_once_leave_everything_as_it_was():
    before, found = streams(), {}

    def grades(name, answer):
        found[name] = [float(grade(SOFTMAX, does_first(lambda: time.sleep(0.001), answer))) for _ in range(3)]

    threads = [threading.Thread(target=grades, args=pair) for pair in enumerate([softmax, wrong] * 2)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert streams() == before
    assert found == {0: [4.0] * 3, 1: [0.5] * 3, 2: [4.0] * 3, 3: [0.5] * 3}


# functions put in the place of others ------------------------------------------------------------------------------


def yes(*arguments, **named):
    return True


REPLACED = [
    (torch, "allclose"), (torch.Tensor, "allclose"), (torch.Tensor, "double"), (torch.Tensor, "__eq__"),
    (torch, "equal"), (torch.Tensor, "abs"), (F, "softmax"), (torch.nn.Module, "__call__"),
    (torch.nn.Linear, "forward"),
    (math, "isfinite"), (random, "random"), (builtins, "abs"), (common, "close"),
    (common, "expect_tensor"), (common, "abs"), (score, "checks"), (score.Answer, "__call__"),
]  # fmt: skip


@pytest.mark.parametrize("owner, name", REPLACED, ids=lambda value: getattr(value, "__name__", value))
def test_what_an_answer_replaces_is_told_and_put_back(owner, name):
    missing = object()
    before = vars(owner).get(name, missing)
    told = grade(SOFTMAX, does_first(lambda: setattr(owner, name, yes), wrong))
    assert vars(owner).get(name, missing) is before
    assert told.feedback[1].state == "fail" and told < 1
    assert any("Your code replaced " in record.message and name in record.message for record in told.feedback)
    assert grade(SOFTMAX, wrong) == 0.5 and grade(SOFTMAX, softmax) == 4


@pytest.mark.parametrize("owner, name", REPLACED, ids=lambda value: getattr(value, "__name__", value))
def test_what_an_earlier_cell_replaced_judges_nothing_and_stays(owner, name, monkeypatch):
    if owner is score:
        pytest.skip("grade itself would not come so far")
    monkeypatch.setattr(owner, name, yes, raising=False)
    assert grade(SOFTMAX, wrong) == 0.5 and grade(SOFTMAX, softmax) == 4
    assert vars(owner)[name] is yes


def test_a_name_of_the_learners_own_may_stay_in_torch(monkeypatch):
    monkeypatch.setattr(torch.Tensor, "soft", softmax, raising=False)
    monkeypatch.setattr(torch, "soft", softmax, raising=False)
    assert grade(SOFTMAX, lambda x, dim=-1: torch.soft(x, dim) + 0 * x.nan_to_num(0, 0, 0).soft(dim)) == 4


class Lying(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        return True if function is torch.allclose else function(*args, **(kwargs or {}))


def test_a_mode_that_is_entered_and_not_left():
    told = grade(SOFTMAX, does_first(lambda: Lying().__enter__(), wrong))
    assert told == 0 and "a mode was entered and not left" in told.feedback[1].message
    assert grade(SOFTMAX, wrong) == 0.5


def test_a_library_that_wraps_its_own_functions_is_no_fault():
    code = f"""
import torch
from transformer_lab.grading import grade
def softmax(x, dim=-1):
    torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0).step()  # imports torch's compiler
    return torch.nan_to_num(torch.softmax(x, dim), 0.0)
assert grade("{SOFTMAX}", softmax) == 4, str(grade("{SOFTMAX}", softmax))
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# values that say of themselves that they are right -----------------------------------------------------------------


class Agrees:
    """Equal to everything, whatever it is asked."""

    shape, ndim, dtype, requires_grad = (3, 5), 2, torch.float32, True
    __eq__ = __ge__ = __le__ = __bool__ = __contains__ = yes
    __hash__ = object.__hash__

    def __getattr__(self, name):
        return lambda *arguments, **named: self


class AgreeingTensor(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        if getattr(function, "__name__", "") in ("allclose", "equal", "isclose", "all"):
            return True
        return super().__torch_function__(function, types, args, kwargs or {})


class AgreeingText(str):
    __eq__ = __ne__ = yes
    __hash__ = str.__hash__


def agreeing(*arguments, **named):
    return Agrees()


QUESTIONS = [
    (f"{module.LESSON}.{name}", question)
    for module in lessons().values()
    for name, question in questions(module).items()
]


@pytest.mark.parametrize("id, question", QUESTIONS, ids=[id for id, _ in QUESTIONS])
@pytest.mark.parametrize("choice", [Agrees(), AgreeingText("no option")], ids=["object", "text"])
def test_an_object_equal_to_everything_earns_nothing(id, question, choice):
    def given(function, choice):
        return grade(id, *[function if isinstance(want, str) else choice for want in question.answers])

    score = given(agreeing, choice)  # to change nothing is a part of one question
    assert score == 0 or score == given(lambda *arguments, **named: object(), object()), str(score)


def test_a_tensor_that_agrees_earns_what_its_numbers_earn():
    def agreeing(answer):
        return lambda x, dim=-1: answer(x, dim).as_subclass(AgreeingTensor)

    def patched(x, dim=-1):
        value = torch.ones_like(x)
        value.double = value.detach = lambda: softmax(x, dim).double()
        return value

    assert grade(SOFTMAX, agreeing(wrong)) == grade(SOFTMAX, patched) == 0.5
    assert grade(SOFTMAX, agreeing(softmax)) == 4  # gradients too


def test_plain_keeps_what_is_plain():
    parameter = torch.nn.Parameter(torch.ones(2))
    value = (parameter, [1, 2.5, True, "text", None], {"a": parameter})
    assert plain(value) == value and plain(value)[0] is parameter
    assert [type(one) for one in plain([np.float64(2), AgreeingText("a")])] == [float, str]


# failures of our own -----------------------------------------------------------------------------------------------


def run(function, *answers):
    return score.run(function.__func__, score.accept("x", ("f(x)",) * len(answers), answers), {})


@pytest.mark.parametrize("error", [KeyError("x"), FileNotFoundError("gone"), AssertionError(), TypeError("no len()")])
def test_a_check_that_raises_by_itself_says_so(error):
    @check("a title")
    def broken(answer):
        answer(1)
        raise error

    broken.__func__.__code__ = broken.__func__.__code__.replace(co_filename=common.__file__)
    record = run(broken, lambda x: x)
    assert record.state == "error" and not record.passed
    first, what, *hints, report = record.message.splitlines()
    assert first.startswith("This check itself failed, and not because of your answer")
    assert what.startswith(type(error).__name__) and "in broken()" in what
    assert "report it" in report and torch.__version__.split("+")[0] in report and "transformer-lab" in report


def no_folder():
    raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp', '/var/tmp']")


def disk_full():
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("deed, hint", [(no_folder, "set TMPDIR"), (disk_full, "free some space")])
def test_what_the_machine_refuses_is_not_the_answers_fault_and_no_try(deed, hint, monkeypatch, tmp_path):
    monkeypatch.setenv("TRANSFORMER_LAB_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("TRANSFORMER_LAB_PROGRESS", raising=False)
    monkeypatch.setattr(results.RESULTS, "waiting", {})
    told = grade(SOFTMAX, does_first(deed))
    assert {record.state for record in told.feedback} == {"error"} and hint in told.feedback[0].message
    assert "error a tensor of the same shape" in str(told)
    assert ">error<" in told._repr_mimebundle_()["text/html"]
    assert "nothing is recorded" in str(told).splitlines()[0]
    assert not (tmp_path / "data").exists() and results.RESULTS.read() == {}


@pytest.mark.parametrize("deed, words", [
    (lambda: os.stat("/no/such/file"), "Your code raised FileNotFoundError"),
    (lambda: __import__("no_such_package"), "Your code raised ModuleNotFoundError"),
])  # fmt: skip
def test_what_the_answer_itself_asks_for_is_its_own_fault(deed, words):
    told = grade(SOFTMAX, does_first(deed))
    assert told == 0 and words in told.feedback[0].message and told.feedback[0].state == "fail"


def test_a_function_of_torch_that_raises_is_a_wrong_answer():
    told = grade(SOFTMAX, torch.matmul)
    assert told == 0 and told.feedback[0].state == "fail" and "Your code raised TypeError" in told.feedback[0].message


def test_without_a_folder_for_temporary_files_a_right_answer_is_right():
    code = f"""
import tempfile
tempfile._candidate_tempdir_list = list  # none
import torch
from transformer_lab.grading import grade
score = grade("{SOFTMAX}", lambda x, dim=-1: torch.nan_to_num(torch.softmax(x, dim), 0.0))
assert score == 4, str(score)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_checks_that_cannot_be_loaded_are_no_fault_of_the_answer(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformer_lab.grading.checks.masks", None)
    with pytest.raises(score.GradingError, match="could not be loaded, which is no fault of your answer"):
        grade("03_masks.causal_mask", softmax)


# an answer without an end ------------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(score, "SECONDS", 0.3)


def test_an_endless_answer_is_stopped_once_and_told_where(quick):
    def softmax(x, dim=-1):
        total = 0
        while total < 1:
            pass
        return x

    start = time.process_time()
    told = grade(SOFTMAX, softmax)
    assert time.process_time() - start < 3  # and not once a check
    line = softmax.__code__.co_firstlineno + 2
    what, where, how, why = told.feedback[0].message.splitlines()
    assert what in (
        "Your code was stopped: it computed for 0.3 seconds and had not finished.",
        f"Your code was stopped: it waited for {0.3 * PATIENCE:g} seconds and had not finished.",
    )
    assert f"in your softmax(), line {line}" in where or f"line {line + 1}" in where
    assert how == "The check called it with a tensor of shape (3, 5)." and "not called again" in why
    assert str(told).count("(as above)") == 4 and {record.state for record in told.feedback} == {"fail"}


def test_of_several_answers_only_the_endless_one_fails(quick):
    @check("the first")
    def one(first, second):
        first(1)

    @check("the second")
    def other(first, second):
        second(1)

    answers = score.accept("x", ("f(x)", "g(x)"), (lambda x: forever(), lambda x: x))
    records = [score.run(function.__func__, answers, {}) for function in (one, other, one)]
    assert [record.state for record in records] == ["fail", "pass", "fail"]
    assert records[0].message == records[2].message


def test_an_answer_that_waits_is_told_so(quick):
    told = grade(SOFTMAX, does_first(lambda: time.sleep(10**6)))
    assert "it waited for" in told.feedback[0].message and "sleep()" in told.feedback[0].message


def test_in_a_thread_too(quick):
    found = []
    thread = threading.Thread(target=lambda: found.append(grade(SOFTMAX, does_first(lambda: forever()))))
    thread.start()
    thread.join(60)
    assert "Your code was stopped" in found[0].feedback[0].message


def forever():
    while True:
        pass


def test_an_answer_that_sets_the_default_dtype_has_replaced_nothing():
    def answer(x, dim=-1):
        torch.set_default_dtype(torch.float64)
        return softmax(x, dim)

    for _ in range(2):
        graded = grade(SOFTMAX, answer)
        assert float(graded) == graded.possible and torch.get_default_dtype() == torch.float32
    assert torch.Storage is torch.FloatStorage


@pytest.mark.parametrize(
    "change, words", [(torch.Tensor.to_sparse, "is a sparse tensor"), (lambda x: x.to("meta"), "holds no numbers")]
)
def test_a_tensor_without_ordinary_numbers_is_the_answers_fault(change, words):
    graded = grade(SOFTMAX, lambda x, dim=-1: change(softmax(x, dim)))
    assert {one.state for one in graded.feedback} == {"fail"}
    assert all(words in one.message for one in graded.feedback)


def test_advice_begins_after_a_space():
    with pytest.raises(score.GradingError, match=r"got 0\. If the notebook"):
        grade(SOFTMAX)

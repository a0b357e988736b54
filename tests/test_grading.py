"""grade() and predict(): what they accept, show, keep and leave alone; also in a real kernel."""

import json
import logging
import os
import pickle
import random
import subprocess
import sys
import warnings
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
import torch
from nbclient import NotebookClient

from transformer_lab.grading import Score, grade, predict, predictions, too_early, unrun
from transformer_lab.grading.answer import is_learners
from transformer_lab.grading.outline import outlines
from transformer_lab.grading.score import CheckResult, GradingError

SOFTMAX = "02_attention.softmax"


def softmax(x, dim=-1):
    return torch.nan_to_num(torch.softmax(x, dim), 0.0)


def unstable(x, dim=-1):
    return x.exp() / x.exp().sum(dim, keepdim=True)


def first(score):
    return score.feedback[0]


# the score and its card ----------------------------------------------------------------------------------------


def test_a_score_is_a_number_to_nbgrader_and_a_card_to_the_learner():
    score = grade(SOFTMAX, unstable)
    assert isinstance(score, float) and (score, score.possible) == (2.5, 4)
    assert repr(score) == "2.5" and repr(grade(SOFTMAX, softmax)) == "4"
    assert score._repr_mimebundle_()["text/plain"] == repr(score)
    assert sum(record.points for record in score.feedback if record.passed) == score
    assert str(score).splitlines()[:2] == [
        "02_attention.softmax: 2.5 of 4 points",
        "pass  a tensor of the same shape and dtype (0.5)",
    ]
    assert "fail  scores of 10000 and of -10000 (1)\n      Scores near 10000 give NaN" in str(score)


def test_nbgrader_reads_the_points():
    utils = pytest.importorskip("nbgrader.utils")
    meta = {"nbgrader": {"grade": True, "solution": False, "points": 4, "schema_version": 3, "grade_id": "q"}}
    output = nbformat.v4.new_output("execute_result", grade(SOFTMAX, unstable)._repr_mimebundle_())
    cell = nbformat.v4.new_code_cell("grade(...)", metadata=meta, outputs=[output])
    assert utils.determine_grade(cell) == (2.5, 4)


def test_the_number_of_the_lesson_may_be_left_out():
    assert grade("attention.softmax", softmax) == 4


def test_html_shows_states_in_words_follows_the_theme_and_escapes():
    def softmax(x, dim=-1):
        raise ValueError("<script>alert(1)</script> `<b>`")

    html = grade(SOFTMAX, softmax)._repr_mimebundle_()["text/html"]
    assert "<script>" not in html and "&lt;script&gt;" in html and "<code>&lt;b&gt;</code>" in html
    assert ">fail<" in html and "0 of 4 points" in html and "var(--jp-content-font-color1, inherit)" in html
    html = grade("02_attention.shift", lambda s, c: (s + c).softmax(-1), "<img src=x>")._repr_mimebundle_()["text/html"]
    assert "<img" not in html and ">pass<" in html
    assert html.isascii()


def test_a_message_is_shown_once():
    def softmax(x, dim=-1):
        return x.softmaks(dim)

    card = str(grade(SOFTMAX, softmax))
    assert card.count("`return x.softmaks(dim)`") == 1 and card.count("(as above)") == 4


def test_a_misconception_is_named_in_words():
    score = grade(SOFTMAX, lambda x, dim=-1: x.exp())
    record = score.feedback[1]
    assert (record.check, record.points, record.passed) == ("the right numbers, along the axis asked for", 1.5, False)
    assert record.misconception == "M03"
    for card in (str(score), score._repr_mimebundle_()["text/html"]):
        assert "A common mistake: the softmax dropped" in card and "M03" not in card, "its number is the catalogue's"


def test_a_score_survives_a_pickle():
    score = pickle.loads(pickle.dumps(grade(SOFTMAX, unstable)))
    assert score == 2.5 and score.feedback[0] == CheckResult("a tensor of the same shape and dtype", 0.5, "pass")
    assert isinstance(score, Score)


# answers that are missing, raise, or misbehave -------------------------------------------------------------------


def untouched(x, dim=-1):
    raise NotImplementedError


def untouched_with_words(x, dim=-1):
    raise NotImplementedError("your code here")


@pytest.mark.parametrize("answer", [untouched, untouched_with_words, None])
def test_not_done_yet(answer):
    score = grade(SOFTMAX, answer)
    assert score == 0 and {record.state for record in score.feedback} == {"to do"}
    assert all(record.message.startswith("Not done yet: ") for record in score.feedback)
    assert "to do a tensor" in str(score) and ">to do<" in score._repr_mimebundle_()["text/html"]


def test_what_torch_has_not_implemented_is_no_missing_answer():
    def softmax(x, dim=-1):
        return torch.softmax(x.long(), dim)

    assert first(grade(SOFTMAX, softmax)).state == "fail"


def test_a_choice_left_none_is_not_done_yet():
    score = grade("02_attention.shift", lambda s, c: (s + c).softmax(-1), None)
    assert score == 1 and score.feedback[1].message.startswith("Not done yet: put one of 'b_Q', 'b_K'")


def test_none_returned():
    assert first(grade(SOFTMAX, lambda x, dim=-1: None)).message == (
        "softmax() returned None: did you forget `return`?"
    )


def test_the_learners_own_line_is_shown():
    def helper(x):
        return torch.nn.functional.softmax(x, dim=17)  # raises inside torch

    def softmax(x, dim=-1):
        return helper(x)

    message = first(grade(SOFTMAX, softmax)).message
    assert message.startswith("Your code raised IndexError: Dimension out of range")
    line = helper.__code__.co_firstlineno + 1
    expected = f"in your helper(), line {line}: `return torch.nn.functional.softmax(x, dim=17)  # raises inside torch`"
    assert expected in message
    assert "The check called it with a tensor of shape (3, 5)." in message
    assert "count from the end" in message


def test_whose_code_it_is():
    import nbclient

    assert is_learners("/tmp/ipykernel_12/345.py") and is_learners("<ipython-input-1-2>") and is_learners(__file__)
    for file in (nbclient.__file__, random.__file__, predictions.__file__, "<string>", "<frozen importlib>"):
        assert not is_learners(file)


@pytest.mark.parametrize("error", [SystemExit("enough"), GeneratorExit(), RecursionError(), AssertionError("own")])
def test_whatever_an_answer_raises_is_a_failed_check(error):
    def softmax(x, dim=-1):
        raise error

    score = grade(SOFTMAX, softmax)
    assert score == 0 and f"Your code raised {type(error).__name__}" in first(score).message


def test_an_error_that_cannot_be_read_is_a_failed_check():
    class Unreadable(Exception):
        def __str__(self):
            raise RuntimeError

    def softmax(x, dim=-1):
        raise Unreadable

    assert first(grade(SOFTMAX, softmax)).message.startswith("Your code raised Unreadable")


def test_an_async_answer_is_told_so_and_leaves_no_warning(capfd):
    async def softmax(x, dim=-1):
        return x

    assert "async def" in first(grade(SOFTMAX, softmax)).message
    assert capfd.readouterr().err == ""


def test_a_long_line_is_cut():
    def softmax(x, dim=-1):
        return x.softmaks(dim) + x + x + x + x + x + x + x + x + x + x + x + x + x + x + x + x + x + x + x + x + x + x + x  # noqa: E501  # fmt: skip

    line = first(grade(SOFTMAX, softmax)).message.splitlines()[1]
    assert line.endswith(" ...`") and len(line) < 180


def test_a_choice_may_be_written_otherwise_and_what_is_none_gets_a_sentence():
    for choice in ("B_K", "b_k "):
        assert grade("02_attention.shift", shift, choice) == 2
    for choice in (0, ["b_K"], torch.zeros(3), np.array(["b_K", "x"])):
        score = grade("02_attention.shift", shift, choice)
        assert score == 1 and score.feedback[1].message.startswith("the choice is of type ")


def test_a_signature_that_does_not_fit():
    assert (
        "The expected signature is softmax(x, dim=-1)." in grade(SOFTMAX, lambda x: x.softmax(-1)).feedback[1].message
    )


def test_an_interrupt_passes_and_state_is_restored():
    def softmax(x, dim=-1):
        torch.set_grad_enabled(False)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grade(SOFTMAX, softmax)
    assert torch.is_grad_enabled()


def test_an_answer_that_ruins_its_inputs_loses_that_check_only():
    def softmax(x, dim=-1):
        weights = torch.nan_to_num(torch.softmax(x, dim), 0.0)
        with torch.no_grad():
            x.zero_()
        return weights.clone()

    failed = [record.check for record in grade(SOFTMAX, softmax).feedback if not record.passed]
    assert failed == ["gradients flow, and the input stays as it was"]


def test_nothing_reaches_stderr(capfd):
    def softmax(x, dim=-1):
        print("noise", file=sys.stderr)
        warnings.warn("noise", stacklevel=1)
        logging.warning("noise")
        return torch.nan_to_num(torch.softmax(x, dim), 0.0)

    assert grade(SOFTMAX, softmax) == 4
    assert capfd.readouterr().err == ""


def test_global_state_is_as_before():
    def softmax(x, dim=-1):
        np.random.rand(), torch.rand(2)
        torch.manual_seed(3), torch.set_num_threads(7)
        torch.set_default_dtype(torch.float64), torch.set_grad_enabled(False)
        torch.autograd.set_detect_anomaly(True), torch.use_deterministic_algorithms(True)
        return torch.softmax(x, dim)

    def state():
        threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
        # Python's own generator is looked at in the kernel below: beartype, on in these tests, draws from it.
        draws = np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
        strict = torch.is_anomaly_enabled(), torch.are_deterministic_algorithms_enabled()
        return *draws, *strict, threads, dtype, torch.is_grad_enabled(), torch.get_default_device()

    before = state()
    grade(SOFTMAX, softmax)
    assert state() == before


def test_the_learners_own_settings_do_not_matter():
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            assert grade(SOFTMAX, softmax) == 4
            assert grade("02_attention.scaled_dot_product_attention", attention) == 6
            assert grade("02_attention.shift", shift, "b_K") == 2
            assert not torch.is_grad_enabled()
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("mode", [torch.inference_mode, lambda: torch.autocast("cpu", dtype=torch.bfloat16)])
def test_ambient_modes_do_not_matter(mode):
    with mode():
        assert grade(SOFTMAX, softmax) == 4
        assert grade("02_attention.scaled_dot_product_attention", attention) == 6


def attention(q, k, v):
    weights = (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).softmax(-1)
    return weights @ v, weights


def shift(scores, c):
    identity = torch.eye(scores.shape[-1])  # of the default dtype
    return (scores @ identity.to(scores) + c).softmax(-1)


# one clear sentence ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("02_atention.softmax", softmax), "no lesson 'atention'; the lessons with a question are "),
        (("02_attention.softmaks", softmax), "no question 'softmaks'; it has: "),
        (
            ("02_attention", softmax),
            "softmax, scaled_dot_product_attention, diagnose, ",
        ),
        (("softmax", softmax), "write 02_attention.softmax."),
        ((), 'grade("02_attention.softmax", softmax)'),
        ((SOFTMAX, "softmax"), "got a str: write its name, softmax, without quotation marks"),
        (("02_attention.shift", "b_K", softmax), "got a function where one of"),
        (("02_attention.softmax_faults", softmax), "no question 'softmax_faults'"),
        (("00_start_here.part_off", softmax), "it has: none so far"),
        (("02_common.normal", softmax), "no lesson 'common'"),
        ((SOFTMAX,), "wants 1 answer after its name: softmax(x, dim=-1); got 0"),
        ((SOFTMAX, softmax, softmax), "got 2"),
        (("02_attention.shift", softmax), "wants 2 answers after its name: shift(scores, c); one of 'b_Q', 'b_K"),
        (
            (SOFTMAX, torch.ones(3)),
            "wants the function softmax(x, dim=-1) itself; got a Tensor: write its name, softmax",
        ),
    ],
)
def test_a_wrong_call_gets_one_sentence(arguments, words):
    with pytest.raises(GradingError) as caught:
        grade(*arguments)
    sentence = str(caught.value)
    assert words in sentence and "\n" not in sentence and isinstance(caught.value, ValueError)
    assert caught.value._render_traceback_() == [sentence]


def test_an_answer_given_by_name_gets_one_sentence():
    with pytest.raises(GradingError, match="the answer itself"):
        grade(SOFTMAX, softmax=softmax)


def test_importing_grading_loads_no_torch():
    code = "import sys, transformer_lab.grading; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


LOADED = """
import sys
from transformer_lab.grading import grade
grade({question!r}, *[lambda *arguments: None] * {answers})
print(*sorted({{name.split(".")[3] for name in sys.modules if name.startswith("transformer_lab.grading.checks.")}}))
"""


@pytest.mark.parametrize(
    "question, answers, lessons",
    [(SOFTMAX, 1, "attention"), ("03_masks.leaks", 1, "attention masks"), ("08_positions.rotate", 1, "positions")],
)
def test_grading_loads_the_lesson_asked_for_and_those_it_names(question, answers, lessons):
    code = LOADED.format(question=question, answers=answers)
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert set(told.split()) - {"common", "diagnosis"} == set(lessons.split())


def test_in_a_real_kernel(tmp_path):
    cells = [
        "from transformer_lab.grading import grade, predict\nimport torch",
        "def softmax(x, dim=-1):\n    total = x.sum(dim)\n\n    return x / total",
        f"grade('{SOFTMAX}', softmax)",
        "grade('02_attention.softmaks', softmax)",
        f"grade('{SOFTMAX}', softmax(torch.ones(2, 2)))",
        "predict('02_attention.hull', None)",
        "predict('02_attention.hull', 'perhaps')",
        "def softmax(x, dim=-1):\n    import warnings; warnings.warn('noise')\n"
        "    random.random()\n    return x.softmax(dim).nan_to_num(0)",
        f"import random\nbefore = random.getstate()\ngrade('{SOFTMAX}', softmax)",
        "random.getstate() == before",
        "grade(softmax)",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(
        notebook, allow_errors=True, startup_timeout=300, resources={"metadata": {"path": tmp_path}}
    ).execute()
    outputs = [cell.outputs for cell in notebook.cells]
    (card,) = outputs[2]
    assert card.data["text/plain"] == "0"
    assert "in your softmax(), line 4: <code>return x / total</code>" in card.data["text/html"]
    assert "keepdim=True" in card.data["text/html"]
    for (error,), words in ((outputs[3], "it has: "), (outputs[4], "got a Tensor"), (outputs[6], "'yes', 'no'.")):
        assert error.output_type == "error" and error.ename == "GradingError"
        assert error.traceback == [error.evalue] and words in error.evalue
    assert outputs[5][0].data["text/plain"].startswith("No guess yet: click 'yes' or 'no'; or write it into the call")
    (card,) = outputs[8]
    assert card.data["text/plain"] == "4"
    assert outputs[9][0].data["text/plain"] == "True"
    assert 'a name such as "02_attention.softmax"; got a function' in outputs[10][0].evalue


BROKEN = "import torch\n\ndef softmax(x, dim=-1)\n    return x"
RIGHT = "import torch\ndef softmax(x, dim=-1):\n    return x.softmax(dim).nan_to_num(0)"
TOLD = "Your last cell for `softmax` did not run: SyntaxError in line 3, expected ':'. "


def test_a_cell_that_did_not_run_is_told(tmp_path):
    check = f"from transformer_lab.grading import grade\ngrade('{SOFTMAX}', softmax)"
    cells = [RIGHT, BROKEN, check, "print(1", check, RIGHT, check, "softmax(", "x == softmax )", check,
             BROKEN.replace("softmax", "softmax_2"), check]  # fmt: skip
    cells += [BROKEN, "%%time\n" + RIGHT, check]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(
        notebook, allow_errors=True, startup_timeout=300, resources={"metadata": {"path": tmp_path}}
    ).execute()
    cards = [cell.outputs[-1].data["text/html"] for cell in notebook.cells if cell.source == check]
    assert ["4 of 4 points" in card for card in cards] == [True] * 6
    assert ["did not run" in card for card in cards] == [True, True, False, False, False, False]
    assert "<code>softmax</code> did not run: SyntaxError in line 3, expected &#x27;:&#x27;." in cards[0]


def test_a_check_that_runs_before_its_answer_gets_a_card(tmp_path):
    check = f"from transformer_lab.grading import grade\ngrade('{SOFTMAX}', softmax)"
    several = "grade('02_attention.shift', shift, shift_choice)"
    cells = [check, BROKEN, check, "def softmax(x, dim=nowhere): pass", check, several, "shift = nowhere",
             "grade('02_attention.softmaks', softmaks)", RIGHT, check]  # fmt: skip
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(
        notebook, allow_errors=True, startup_timeout=300, resources={"metadata": {"path": tmp_path}}
    ).execute()
    shown = [cell.outputs for cell in notebook.cells]
    for place in (0, 2, 4, 5):  # a result of 0, for nbgrader gives all points to a cell without an error or a number
        (card,) = shown[place]
        assert (card.output_type, card.data["text/plain"]) == ("execute_result", "0")
        assert "Then run this cell again." in card.data["text/html"]
    html = ["".join(output.get("data", {}).get("text/html", "") for output in outputs) for outputs in shown]
    assert "There is no <code>softmax</code> yet: run the cell of your answer" in html[0] and "0 of 4 points" in html[0]
    assert "did not run (SyntaxError in line 3, expected &#x27;:&#x27;)" in html[2]
    assert "stopped before that" in html[4]
    assert "no <code>shift</code> yet" in html[5] and "no <code>shift_choice</code> yet" in html[5]
    assert [shown[place][0].get("ename") for place in (3, 6, 7)] == ["NameError"] * 3  # any other one is as ever
    assert "nowhere" in "".join(shown[6][0].traceback)
    assert "4 of 4 points" in html[9]


def test_a_handler_of_the_learners_own_stays(monkeypatch):
    shell = SimpleNamespace(custom_exceptions=(KeyError,))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    too_early.explain_missing_answers()
    assert shell.custom_exceptions == (KeyError,)


def history(*cells):
    return [(cell, cell) for cell in cells]


@pytest.mark.parametrize("check", ["grade('q', a)", "score = grade('q', b, a)\nscore", "print(grade('q', a))"])
@pytest.mark.parametrize(
    "cells, told",
    [
        (["a = 1", "a = (1"], True),
        (["def a(): 1", "async def a() 1"], True),
        (["a, c = 1, 2", "a, c = 1 2"], True),
        (["a = 1", "a: str = 1 2"], True),
        (["class a: b = 1", "class a: return 1"], True),  # found only when it is compiled
        (["a = (1", "a = 1"], False),
        (["a = (1", "c, a = 1, 2"], False),
        (["a = (1", "from c import a"], False),
        (["a = (1", "if True:\n    def a(): 1"], False),
        (["a = 1", "f(a=1 2)", "aa = 1 2", "a == 1 2", "print(a"], False),
        ([], False),
    ],
)
def test_which_cell_is_the_last_one_for_an_answer(monkeypatch, cells, told, check):
    monkeypatch.setattr(unrun, "inputs", lambda: history(*cells, check))
    assert ("did not run" in unrun.unrun_cell()) == told


def test_a_note_stands_in_both_cards_and_survives_a_pickle(monkeypatch):
    monkeypatch.setattr(unrun, "inputs", lambda: history(RIGHT, BROKEN, f"grade('{SOFTMAX}', softmax)"))
    score = pickle.loads(pickle.dumps(grade(SOFTMAX, softmax)))
    assert score == 4 and str(score).splitlines()[1].startswith(TOLD)
    assert "graded is the one from before." in score._repr_mimebundle_()["text/html"]


# predict ---------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["file", "process"])
def kept(request, tmp_path, monkeypatch):
    """Where guesses go: a file in a new folder, or nowhere but the process."""
    for store in (predictions.GUESSES, predictions.LATE, predictions.RUNS):
        monkeypatch.setattr(store, "waiting", {})
    monkeypatch.setenv("TRANSFORMER_LAB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("TRANSFORMER_LAB_PROGRESS", "on" if request.param == "file" else "off")
    yield request.param
    assert (tmp_path / "data").exists() == (request.param == "file")


def test_a_guess_is_kept_and_judged(kept):
    assert str(predict("02_attention.gradient")).startswith("No guess yet: click 'grows', 'stays' or 'vanishes'; or ")
    assert (
        str(predict("02_attention.gradient", "stays"))
        == "Your guess, 'stays', is saved. Now run the cells below and see."
    )
    assert str(predict("attention.gradient", actual="stays")) == "You guessed 'stays', and the run bears it out."
    assert str(predict("02_attention.gradient", actual="grows")).startswith(
        "You guessed 'stays'; the run says 'grows'."
    )
    assert "You made no guess" in predict("02_attention.hull", actual="no")


def test_the_first_guess_counts(kept):
    predict("02_attention.gradient", "stays")
    again = predict("02_attention.gradient", "grows")
    assert str(again) == "You first guessed 'stays'; the first guess counts."
    saved = "Your guess, 'stays', is saved. Now run the cells below and see."
    assert str(predict("02_attention.gradient", None)) == str(predict("02_attention.gradient", "stays")) == saved
    predict("02_attention.gradient", actual="grows")
    assert str(predict("02_attention.gradient", "grows")) == str(again)
    assert str(predict("02_attention.gradient", actual="stays")).endswith("the run bears it out.")


@pytest.mark.parametrize(
    "spelling", ["ABOUT  a Fifth", " about-a-fifth ", "'about a fifth'", "“About a fifth”", "aboutafifth"]
)
def test_a_guess_may_be_spelt_freely(kept, spelling):
    assert "'about a fifth', is saved" in predict("05_feed_forward.months", spelling)


def test_a_number_may_be_guessed_without_quotation_marks(kept):
    assert "'64', is saved" in predict("01_toolkit.copies", 64)


def test_no_two_options_are_the_same_when_spelt_freely():
    for outline in outlines().values():
        for options in outline.predictions.values():
            assert len({predictions.folded(one) for one in options} - {""}) == len(options), options


def test_a_guess_that_is_no_option_any_more_is_made_again(kept):
    predictions.GUESSES.add("attention.gradient", "explodes")
    assert "No guess yet" in predict("02_attention.gradient")
    assert "'stays', is saved" in predict("02_attention.gradient", "stays")


def test_a_note_shows_as_text_and_html(kept):
    note = predict("05_feed_forward.months", "about a fifth")
    bundle = note._repr_mimebundle_()
    assert (
        repr(note) == bundle["text/plain"] == "Your guess, 'about a fifth', is saved. Now run the cells below and see."
    )
    assert bundle["text/html"].endswith(
        ">Your guess, 'about a fifth', is saved. Now run the cells below and see.</div>"
    )


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("02_attention.hul", "yes"), "no prediction 'hul'; it has: break_scale, gradient, hull."),
        (("02_attention.hull", "maybe"), "'maybe' is not an option of 02_attention.hull; choose from 'yes', 'no'."),
        (
            ("00_start_here.part_off", "the moon"),
            "'the moon' is not an option of 00_start_here.part_off; choose from '",
        ),
    ],
)
def test_a_wrong_prediction_gets_one_sentence(arguments, words):
    with pytest.raises(GradingError) as caught:
        predict(*arguments)
    assert words in str(caught.value)
    with pytest.raises(GradingError):
        predict(arguments[0], actual="elsewhere")


@pytest.fixture
def file(tmp_path, monkeypatch):
    for store in (predictions.GUESSES, predictions.LATE, predictions.RUNS):
        monkeypatch.setattr(store, "waiting", {})
    monkeypatch.setenv("TRANSFORMER_LAB_DATA", str(tmp_path))
    monkeypatch.delenv("TRANSFORMER_LAB_PROGRESS", raising=False)
    return tmp_path / "guesses.json"


def test_the_file_is_small_private_and_whole(file):
    predict("02_attention.hull", "yes")
    predict("02_attention.gradient", "stays")
    assert json.loads(file.read_text()) == {"attention.hull": "yes", "attention.gradient": "stays"}
    assert {path.name for path in file.parent.iterdir()} == {"guesses.json", "guesses.lock"}
    if sys.platform != "win32":
        assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", ["{", "[1, 2]", "\udcff"])
def test_a_corrupt_file_is_put_aside(file, content):
    file.write_bytes(content.encode("utf-8", "surrogateescape"))
    assert "No guess yet" in predict("02_attention.hull")
    predict("02_attention.hull", "yes")
    assert json.loads(file.read_text()) == {"attention.hull": "yes"}
    kept_aside = file.with_suffix(".broken.json").read_bytes()
    assert kept_aside == content.encode("utf-8", "surrogateescape")


def test_an_interrupted_write_leaves_the_old_file(file, monkeypatch):
    predict("02_attention.hull", "yes")
    monkeypatch.setattr(os, "replace", lambda *paths: (_ for _ in ()).throw(OSError("full")))
    predict("02_attention.gradient", "stays")  # kept in the process instead
    assert json.loads(file.read_text()) == {"attention.hull": "yes"}
    assert {path.name for path in file.parent.iterdir()} == {"guesses.json", "guesses.lock"}
    assert "bears it out" in predict("02_attention.gradient", actual="stays")


def test_a_folder_that_cannot_be_written(tmp_path, file, monkeypatch):
    (tmp_path / "taken").write_text("a file, no folder")
    monkeypatch.setenv("TRANSFORMER_LAB_DATA", str(tmp_path / "taken"))
    predict("02_attention.hull", "no")
    assert "bears it out" in predict("02_attention.hull", actual="no")

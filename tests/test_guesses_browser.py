"""Guesses by a click, and the map of the course, in a real JupyterLab: mouse, keyboard, restarts, accessibility."""

import pytest

from browser import eventually
from test_accessibility_browser import violations
from test_lessons_browser import open_copy
from transformer_lab import course_home

pytestmark = pytest.mark.browser

ASK = "from transformer_lab.grading import predict\npredict('02_attention.gradient')"
ANSWER = "predict('02_attention.gradient', actual='grows')"
KEPT = "from transformer_lab.grading.predictions import GUESSES; print(GUESSES.read())"


@pytest.fixture(params=["JupyterLab Light", "JupyterLab Dark"])
def asked(request, lab, page):
    """A notebook that has asked; guesses stay in its kernel, for the tests' surroundings switch recording off."""
    lab.open(f"guess {request.param}.ipynb", [ASK, ANSWER])
    lab.theme(request.param)
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-cell')")
    page.wait_for_selector(".tl-guess button")
    return lab


def button(page, name):
    return page.locator(".tl-guess").get_by_role("button", name=name)


def is_pressed(page, name):
    return button(page, name).get_attribute("aria-pressed") == "true"


def test_a_click_is_a_guess_and_the_answer_shows_it(asked, page):
    assert violations(page, ".tl-guess") == []
    assert asked.python(KEPT) == "{}"
    button(page, "stays").click()
    eventually(lambda: is_pressed(page, "stays"))
    assert asked.python(KEPT) == "{'attention.gradient': 'stays'}"
    assert page.get_by_text("Your guess, 'stays', is saved.").is_visible()
    button(page, "grows").click()
    eventually(lambda: page.get_by_text("You first guessed 'stays'; the first guess counts.").is_visible())
    assert is_pressed(page, "stays") and not is_pressed(page, "grows")
    assert asked.python(KEPT) == "{'attention.gradient': 'stays'}"
    assert violations(page, ".tl-guess") == []
    asked.run_all()
    verdict = page.locator(".jp-RenderedHTMLCommon", has_text="Your guess and the run")
    assert "your guess" in verdict.locator("li", has_text="stays").inner_text()
    assert "the run" in verdict.locator("li", has_text="grows").inner_text()
    assert violations(page, ".jp-RenderedHTMLCommon ul") == []


def test_a_guess_is_made_with_the_keyboard_alone(lab, page):
    lab.open("keys.ipynb", [ASK])
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-cell')")
    page.wait_for_selector(".tl-guess button")
    button(page, "grows").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "stays"
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.textContent") == "vanishes"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    eventually(lambda: is_pressed(page, "vanishes"))
    assert lab.python(KEPT) == "{'attention.gradient': 'vanishes'}"
    assert page.locator(".jp-Cell").count() == 1  # JupyterLab itself took none of the keys


def test_a_page_opened_again_shows_the_guess_and_says_that_python_is_gone(lab, page):
    lab.open("again.ipynb", [ASK])
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-cell')")
    page.wait_for_selector(".tl-guess button")
    button(page, "stays").click()
    eventually(lambda: is_pressed(page, "stays"))
    lab.save("again.ipynb")
    lab.shut_down()
    lab.open("again.ipynb")
    eventually(lambda: is_pressed(page, "stays"))
    button(page, "grows").click()
    eventually(lambda: page.get_by_text("No answer from Python yet").is_visible())
    assert is_pressed(page, "stays")


def test_a_restart_forgets_nothing_that_it_shows(lab, page):
    lab.open("restart.ipynb", [ASK])
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-cell')")
    page.wait_for_selector(".tl-guess button")
    lab.restart()
    button(page, "grows").click()
    eventually(lambda: page.get_by_text("No answer from Python yet").is_visible())
    assert not is_pressed(page, "grows")  # what is not kept is not shown as kept


# the map of the course -------------------------------------------------------------------------------------------

HOME = "from transformer_lab import course_home\ncourse_home()"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_map_fits_every_width_and_has_no_violation(page, scheme):
    page.emulate_media(color_scheme=scheme)
    html = course_home()._repr_mimebundle_()["text/html"]
    page.set_content(f'<html style="color-scheme: light dark" lang="en"><title>map</title><main>{html}</main></html>')
    assert page.locator(".tl-home li").count() == page.locator(".tl-home .ring").count() >= 10
    for width in (1366, 900, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page, ".tl-home") == []


def test_a_lesson_on_the_map_opens_in_jupyterlab(lab, page):
    for name in ("00_start_here", "01_toolkit"):
        open_copy(lab, f"notebooks/{name}.ipynb", kernel=False)
    lab.open("notebooks/home.ipynb", [HOME])
    lab.run_all()
    page.wait_for_selector(".tl-home svg")
    page.locator(".tl-home").get_by_role("link", name="01 Toolkit", exact=True).focus()
    page.keyboard.press("Enter")
    path = "window.jupyterapp.shell.currentWidget.context?.path"
    eventually(lambda: page.evaluate(path) == "notebooks/01_toolkit.ipynb")


def test_before_it_has_run_the_map_of_a_built_lesson_is_a_list_of_links(lab, page):
    open_copy(lab, "notebooks/00_start_here.ipynb", kernel=False)
    built = page.locator(".jp-OutputArea-output", has_text="lessons lie before you")
    built.scroll_into_view_if_needed()
    assert built.get_by_role("link", name="01 Toolkit", exact=True).is_visible()
    assert built.get_by_role("link", name="exercises").count() >= 9

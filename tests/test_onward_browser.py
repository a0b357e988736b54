"""A learner in JupyterLab: the check before the answer, full marks, and the links on their card."""

import nbformat
import pytest

from browser import eventually

pytestmark = pytest.mark.browser

CHECK = "from transformer_lab.grading import grade\n\ngrade('02_attention.{0}', {0})"
RIGHT = "import torch\ndef softmax(x, dim=-1):\n    return x.softmax(dim).nan_to_num(0)"
MIX = """def mix(keys, values):
    wanted = 40 * torch.tensor([1.0, 1.0, 0.0, 0.0])
    return torch.linalg.pinv(keys) @ wanted.to(keys) * keys.shape[-1] ** 0.5"""
SEEN = """(text) => [...document.querySelectorAll(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-RenderedMarkdown h2")]
  .some((e) => { const { top, bottom } = e.getBoundingClientRect();
                 return e.textContent.startsWith(text) && top > 0 && bottom < window.innerHeight; })"""


def test_the_card_leads_to_the_next_question_and_to_the_next_lesson(lab):
    far, further = ([nbformat.v4.new_markdown_cell(f"Text {n}.\n\n" * 12) for n in range(8)] for _ in range(2))
    heading = nbformat.v4.new_markdown_cell("## Question 2: scaled dot-product attention\n\nWrite it.")
    lab.open("notebooks/03_masks.ipynb", [nbformat.v4.new_markdown_cell("## The next lesson")], kernel=False)
    cells = [CHECK.format("softmax"), RIGHT, CHECK.format("softmax"), MIX, CHECK.format("mix"), *far, heading, *further]
    lab.open("exercises/02_attention/attention.ipynb", cells)
    page = lab.page
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    card = page.locator(".jp-OutputArea-output:has-text('There is no softmax yet')")
    card.wait_for()
    assert "run the cell of your answer" in card.text_content() and not page.locator("text=NameError").count()
    page.locator(".jp-Cell").nth(1).click()
    page.evaluate(
        "() => window.jupyterapp.commands.execute('notebook:run-all-below')"
    )  # the check above stopped the run
    link = page.locator("a:has-text('Next: Question 2: scaled dot-product attention')")
    link.wait_for()
    assert not page.evaluate(SEEN, "Question 2")
    link.click()
    eventually(lambda: page.evaluate(SEEN, "Question 2"))
    page.locator(".jp-Cell").nth(4).scroll_into_view_if_needed()
    page.locator("a:has-text('Next: Lesson 03: masks')").click()
    eventually(lambda: page.evaluate(SEEN, "The next lesson"))

"""Asked while the kernel is busy or gone, a view says that it waits, then shows the answer, or why there is none."""

import pytest

from browser import eventually

pytestmark = pytest.mark.browser

SETUP = """
from transformer_lab import load
from transformer_lab.viz import DateTranslator, WhatIf
model, tokenizer = load('dates')
view = {}
view
"""
BUSY = "() => void window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({code: 'import time; time.sleep(4)'})"  # noqa: E501


def test_the_translator_waits_and_answers(lab, page):
    lab.open("translator.ipynb", [SETUP.format("DateTranslator(model, tokenizer)")])
    lab.run_all()
    waits = page.locator(".tl-translator.waits")
    field = page.get_by_label("English date")
    field.wait_for()
    eventually(lambda: page.locator(".tl-answer .large").inner_text() == "2026年11月22日星期日")
    eventually(lambda: not waits.count())
    page.evaluate(BUSY)
    field.fill("May 3, 1935")
    field.press("Enter")
    eventually(
        lambda: page.locator(".tl-answer .status").inner_text() == "waiting for the kernel" and waits.count() == 1
    )
    assert page.locator(".tl-answer .large").inner_text() == "2026年11月22日星期日"
    eventually(lambda: page.locator(".tl-answer .large").inner_text() == "1935年5月3日" and not waits.count())
    field.fill("")
    field.press("Enter")
    eventually(lambda: page.get_by_text("Type a date such as").is_visible())
    eventually(lambda: not page.locator(".tl-attention").is_visible() and not waits.count())
    page.evaluate(BUSY)
    page.get_by_label("switched off").select_option("scale")  # without a text the answer is the same sentence
    eventually(lambda: waits.count() == 1)
    eventually(lambda: not waits.count())
    field.fill("May 3, 1935")
    field.press("Enter")
    eventually(lambda: page.locator(".tl-attention").is_visible())


def test_what_if_waits_and_answers(lab, page):
    lab.open("what_if.ipynb", [SETUP.format("WhatIf(model, tokenizer, 'Sunday, November 22, 2026')")])
    lab.run_all()
    waits, map_ = page.locator(".tl-attention.waits"), page.locator(".tl-attention .detail")
    map_.wait_for()
    assert not waits.count()
    page.evaluate(BUSY)
    page.get_by_text("switch this head off").click()
    eventually(lambda: page.get_by_text("waiting for the kernel").is_visible() and waits.count() == 1)
    eventually(lambda: not waits.count())
    page.get_by_label("text").fill("5 " * 80)
    eventually(lambda: page.locator(".tl-attention.refused .message").is_visible() and not map_.is_visible())
    page.get_by_label("text").fill("May 3, 1935")
    eventually(lambda: map_.is_visible() and not waits.count())
    lab.restart()
    page.get_by_text("switch this head off").click()
    eventually(lambda: page.get_by_text("No answer yet. If no other cell is running").is_visible())
    assert waits.count() == 1

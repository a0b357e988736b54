"""A notebook turned into a web page by nbconvert: our views show, with no kernel and no network."""

import nbformat
import numpy as np
import pytest
from nbconvert import HTMLExporter

from transformer_lab.viz import AttentionView, QueryExplorer
from transformer_lab.viz import bertviz as views

pytestmark = pytest.mark.browser

WEIGHTS = np.random.default_rng(0).dirichlet(np.ones(5), (2, 3, 5)).astype(np.float32)
TOKENS = ["</script>", "a", "b", "c", "年"]


def converted(tmp_path, *shown):
    cells = []
    for one in shown:
        bundle = one._repr_mimebundle_()
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        data = {kind: value for kind, value in data.items() if "widget-view" not in kind}  # as our build stores it
        output = nbformat.v4.new_output("execute_result", data, metadata=metadata, execution_count=1)
        cells.append(nbformat.v4.new_code_cell("view", outputs=[output], execution_count=1))
    # nbconvert's template itself asks for MathJax and require.js; the views must not need them.
    body, _ = HTMLExporter(mathjax_url="", require_js_url="").from_notebook_node(nbformat.v4.new_notebook(cells=cells))
    (tmp_path / "page.html").write_text(body, encoding="utf-8")
    return (tmp_path / "page.html").as_uri()


def test_widgets_are_their_pictures(page, tmp_path):
    page.goto(converted(tmp_path, AttentionView(WEIGHTS, TOKENS), QueryExplorer()))
    pictures = page.locator(".jp-OutputArea-output img")
    assert pictures.count() == 2
    for picture in pictures.all():
        assert picture.evaluate("(image) => image.complete && image.naturalWidth") >= 400


def test_bertviz_draws(page, tmp_path):
    page.goto(converted(tmp_path, views.head_view(WEIGHTS, TOKENS), views.model_view(WEIGHTS, TOKENS)))
    page.wait_for_selector("svg line", state="attached")
    assert page.locator("svg line").count() > 2 * 3 * 5 * 5
    assert page.get_by_text("</script>").count() > 0  # a token, as text

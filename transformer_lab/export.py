"""A notebook as one web page that needs no network: formulas as MathML, pictures inside it, widgets as their pictures.

Jupyter's own export loads MathJax from the network, and with it all formulas are missing where there is none.
"""

import html
import re
from pathlib import Path

import nbformat
from jinja2 import pass_context
from latex2mathml import exceptions
from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from .files import read_json, write_whole
from .viz.saved_page import target

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
NO_FORMULA: tuple[type[Exception], ...] = tuple(one for one in vars(exceptions).values() if isinstance(one, type))
HEADING, BELOW_ALL = re.compile(r"(#{1,6}) "), 7
IN_HTML = re.compile(r"\$([^$\n]+)\$")  # a formula within a <summary>
ADDRESSES = ("mathjax_url", "require_js_url", "jquery_url", "mermaid_js_url", "mermaid_layout_elk_js_url",
             "jupyter_widgets_base_url", "widget_renderer_url")  # fmt: skip

# What a lesson keeps folded (code, an answer below its guess, a part beside the road) is folded on the page too.
FOLDED = """
{%- extends 'index.html.j2' -%}
{%- block html_head -%}
{{ super() }}
<style>
.jp-folded > summary { color: var(--jp-content-font-color2); cursor: pointer; font: 13px var(--jp-ui-font-family) }
/* What is printed in columns stays in columns: on a narrow screen it scrolls, on paper it wraps. */
@media screen { .jp-RenderedText pre { white-space: pre; word-break: normal; overflow-x: auto } }
/* On a phone a picture keeps a size at which its words can be read, and scrolls. */
@media screen and (max-width: 600px) {
  .jp-RenderedMarkdown p:has(> img), .jp-RenderedHTML:has(> img) { overflow-x: auto }
  .jp-RenderedMarkdown p > img, .jp-RenderedHTML > img { max-width: 620px !important }
}
.jp-RenderedMarkdown details { margin-bottom: 1em }
/* On paper nobody could open what is folded, or scroll: all stands open but the code, and lines of code wrap. */
@media print {
  details:not(.jp-code)::details-content { content-visibility: visible }
  .jp-part > summary, .jp-shows > summary, .jp-code:not([open]) { display: none }
  .highlight pre { white-space: pre-wrap; overflow-wrap: anywhere }
  .jp-RenderedText pre { font-size: 8pt }
  h1, h2, h3, h4, h5 { break-after: avoid }
}
</style>
{%- endblock -%}
{%- block any_cell -%}
{{ "</details>" * cell.metadata.ends }}
{{- super() }}
{%- if cell.metadata.begins %}<details class="jp-folded jp-part"><summary>Open this part</summary>{% endif %}
{{- "</details>" * cell.metadata.ends_after }}
{%- endblock -%}
{%- macro fold(inside, folded, kind, words) -%}
{%- if not folded %}{{ inside }}{% else %}
<details class="jp-folded {{ kind }}"><summary>{{ words }}</summary>{{ inside }}</details>
{% endif -%}
{%- endmacro -%}
{%- block input_group -%}
{{ fold(super(), cell.metadata.get("jupyter", {}).get("source_hidden"), "jp-code", "Code") }}
{%- endblock -%}
{%- block output_group -%}
{{ fold(super(), cell.metadata.get("jupyter", {}).get("outputs_hidden"), "jp-shows", "What it shows") }}
{%- endblock -%}
"""


class MathMLRenderer(IPythonRenderer):
    """Markdown as nbconvert writes it, with MathML where that has TeX for MathJax."""

    def inline_math(self, body: str) -> str:
        return mathml(body, "inline")

    def block_math(self, body: str) -> str:
        return mathml(body, "block")

    def block_html(self, html: str) -> str:
        return super().block_html(IN_HTML.sub(lambda found: mathml(found[1], "inline"), html))

    def heading(self, text: str, level: int, **attributes) -> str:
        # nbconvert reads it as XML, to add an anchor, and writes a formula in it with a prefix that HTML does not know.
        return super().heading(text, level, **attributes).replace("ns0:", "").replace(":ns0", "")

    def _html_embed_images(self, html: str) -> str:
        # nbconvert closes what such a piece leaves open: a <details> would end before what it hides.
        return super()._html_embed_images(html) if "<img" in html else html


def mathml(formula: str, display: str) -> str:
    """Return a formula as MathML, with its TeX as alternative text; what cannot be read stays as it was written."""
    try:
        math = convert(formula.strip(), display=display)
    except NO_FORMULA:
        return f"<code>{html.escape(formula)}</code>"
    math = math.replace(r"\_", "_")  # in \text{}, where latex2mathml leaves it
    return math.replace("<math ", f'<math alttext="{html.escape(formula.strip())}" ', 1)


class PageExporter(HTMLExporter):
    """nbconvert's page, with nothing in it that is loaded from elsewhere."""

    def __init__(self, **settings):
        super().__init__(raw_template=FOLDED, **dict.fromkeys(ADDRESSES, ""), embed_images=True, **settings)

    @pass_context
    def markdown2html(self, context, source: str) -> str:
        cell, path = context.get("cell", {}), context["resources"]["metadata"]["path"]
        renderer = MathMLRenderer(escape=False, attachments=cell.get("attachments", {}), embed_images=True, path=path)
        return MarkdownWithMath(renderer=renderer).render(source)


def export(notebook: Path, page: Path | None = None) -> Path:
    """Write a notebook as one HTML page, by default beside it, and return the page's path.

    Raises FileNotFoundError, or ValueError for what is no notebook, and for a page whose name does not end in .html.
    """
    book = read_notebook(notebook)
    page = target(page or notebook.with_suffix(".html"), ("html",))
    book.metadata.pop("widgets", None)
    mark_parts(book.cells)
    for cell in book.cells:
        for output in cell.get("outputs", ()):
            as_picture(output)
    book.metadata.title = title_of(book) or notebook.stem
    place = {"metadata": {"name": notebook.stem, "path": str(notebook.parent)}}
    body, _ = PageExporter().from_notebook_node(book, place)
    stop = 'class="jp-Cell-inputWrapper" tabindex="0"'  # nbconvert would stop at every cell: links and folds are enough
    write_whole(page, body.replace(stop, stop.removesuffix(' tabindex="0"')))
    return page


def title_of(book) -> str:
    """The notebook's first heading of the first level, or nothing."""
    texts = (cell.source for cell in book.cells if cell.cell_type == "markdown")
    found = next(filter(None, (re.match("# +(.+)", text) for text in texts)), None)
    return re.sub("[*`$]", "", found[1]).strip() if found else ""


def mark_parts(cells: list) -> None:
    """Note where the parts begin and end that JupyterLab keeps folded under their headings."""
    unfolded: list[int] = []  # the headings' levels of the parts that have begun
    for cell in cells:
        heading = HEADING.match(cell.source) if cell.cell_type == "markdown" else None
        level = len(heading[1]) if heading else BELOW_ALL
        going_on = [one for one in unfolded if one < level]
        folded = bool(heading and cell.metadata.get("jp-MarkdownHeadingCollapsed"))
        cell.metadata.update(ends=len(unfolded) - len(going_on), begins=folded, ends_after=0)
        unfolded = [*going_on, level] if folded else going_on
    if cells:
        cells[-1].metadata.ends_after = len(unfolded)


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """Read a notebook; FileNotFoundError if there is no such file, ValueError if it is none."""
    read_json(path)
    try:
        return nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises whatever it stumbles over
        raise ValueError(f"{path} is not a notebook that can be read: {error}.") from error


def as_picture(output) -> None:
    """Let a widget or a figure be its picture, with the words stored with it, or else its text, as the alternative."""
    data = output.get("data", {})
    data.pop(WIDGET_VIEW, None)
    text, png = data.get("text/plain", ""), data.get("image/png")
    if png and "text/html" not in data:
        told = output.get("metadata", {}).get("image/png", {}).get("alt", text)
        address = f"data:image/png;base64,{png.strip()}"
        data["text/html"] = f'<img alt="{html.escape(told)}" src="{address}" style="max-width: 100%">'

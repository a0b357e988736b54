"""Bundle a widget's files from static/ into one ES module and one style sheet.

A file imports what it needs: `import { html } from "./kit.js";`, or in a sheet `@import "./kit.css";`. Here the
imported text replaces that line, so that neither a notebook nor a saved page loads anything. Comments and idle spaces
are removed, for a notebook that is saved keeps the text.
The files of a module share one scope: no two may declare the same name at the top level.
"""

import re
from pathlib import Path

STATIC = Path(__file__).parent / "static"
IMPORT = {
    "js": re.compile(r'^import \{[^}]*\} from "\./(\w+)\.js";\n', re.MULTILINE),
    "css": re.compile(r'^@import "\./(\w+)\.css";\n', re.MULTILINE),
}
COMMENT = {"js": re.compile(r"^ *//.*\n", re.MULTILINE), "css": re.compile(r"/\*.*?\*/\n?", re.DOTALL)}
INDENTATION = re.compile(r"^ +", re.MULTILINE)
IDLE = re.compile(r"\s*([{};,>])\s*")  # in a sheet
EXPORT = re.compile(r"^export (?!default )", re.MULTILINE)


def module(name: str) -> str:
    """The ES module of static/NAME.js."""
    return INDENTATION.sub("", _script(name))


def sheet(name: str) -> str:
    """The style of static/NAME.css."""
    return IDLE.sub(r"\1", _joined(name, "css")).replace(";}", "}").replace(": ", ":")


def _script(name: str) -> str:
    return EXPORT.sub("", _joined(name, "js"))


def _joined(name: str, kind: str) -> str:
    """Return the texts of all files that this one imports, each once, followed by its own."""
    texts = {}

    def add(name: str):
        text = (STATIC / f"{name}.{kind}").read_text(encoding="utf-8")
        for other in IMPORT[kind].findall(text):
            if other not in texts:
                add(other)
        texts[name] = COMMENT[kind].sub("", IMPORT[kind].sub("", text)).strip() + "\n"

    add(name)
    return "".join(texts.values())

"""What the browser gets of a widget: the files of static/, joined into one ES module and one sheet.

A file names what it needs: `import { html } from "./kit.js";`, and in a sheet `@import "./kit.css";`. Here the text of
that other file takes the line's place, so that neither a notebook nor a saved page loads anything. Comments stay
behind. The files of a module share one scope: no two of them may use one name at its top.
"""

import re
from pathlib import Path

STATIC = Path(__file__).parent / "static"
IMPORT = {
    "js": re.compile(r'^import \{[^}]*\} from "\./(\w+)\.js";\n', re.MULTILINE),
    "css": re.compile(r'^@import "\./(\w+)\.css";\n', re.MULTILINE),
}
COMMENT = {"js": re.compile(r"^ *//.*\n", re.MULTILINE), "css": re.compile(r"/\*.*?\*/\n?", re.DOTALL)}
EXPORT = re.compile(r"^export (?!default )", re.MULTILINE)


def module(name: str) -> str:
    """The ES module of static/NAME.js."""
    return EXPORT.sub("", _joined(name, "js"))


def sheet(name: str) -> str:
    """The style of static/NAME.css."""
    return _joined(name, "css")


def _joined(name: str, kind: str) -> str:
    """The file's text behind the texts of all that it imports, each once."""
    texts = {}

    def add(name: str):
        text = (STATIC / f"{name}.{kind}").read_text(encoding="utf-8")
        for other in IMPORT[kind].findall(text):
            if other not in texts:
                add(other)
        texts[name] = COMMENT[kind].sub("", IMPORT[kind].sub("", text)).strip() + "\n"

    add(name)
    return "".join(texts.values())

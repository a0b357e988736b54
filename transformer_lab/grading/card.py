"""A Score as text and as HTML: a line for each check, with advice below a failed one."""

import html
import re

# JupyterLab's own colours, so that the card follows its theme; elsewhere the fallbacks after the comma.
COLOURS = {
    "pass": "var(--jp-success-color1, #2e7d32)",
    "fail": "var(--jp-error-color1, #c62828)",
    "error": "var(--jp-warn-color1, #ef6c00)",
    "to do": "var(--jp-border-color1, #9e9e9e)",
}
CARD = (
    "border: 1px solid var(--jp-border-color2, #bdbdbd); border-radius: 3px; padding: 8px 12px; max-width: 52em; "
    "color: var(--jp-content-font-color1, inherit); background: var(--jp-layout-color1, transparent); "
    "line-height: 1.5; margin: 4px 0"
)
LINE = "border-left: 4px solid {colour}; padding: 2px 10px; margin: 6px 0"
COLUMNS = "; display: grid; grid-template-columns: 4em minmax(0, 1fr)"  # the state, and beside it all words
ONWARD = "border-top: 1px solid var(--jp-border-color2, #bdbdbd); padding: 8px 0 2px; margin: 10px 0 0"
MESSAGE = "margin: 2px 0 0; white-space: pre-wrap; overflow-wrap: anywhere"
STATE = "font-weight: 600"


def heading(score) -> str:
    points = f"{score.exercise}: {float(score):g} of {score.possible:g} points"
    failed = any(result.state == "error" for result in score.feedback)
    return points + ("; a check itself failed, so nothing is recorded" if failed else "")


def lines(score) -> list[tuple]:
    """(result, message) for each check; a message already shown is not repeated."""
    seen, shown = set(), []
    for result in score.feedback:
        about = f"\nA common mistake: {result.about}" if result.about else ""
        key = gist(result.message)
        shown.append((result, "(as above)" if key in seen else result.message + about))
        seen |= {key} - {""}
    return shown


def gist(message: str) -> str:
    """Return a key that equal messages share: the first line without numbers, or an error's type and line."""
    first, _, rest = message.partition("\n")
    if first.startswith("Your code raised"):
        return first.partition(":")[0] + rest.partition("\n")[0]
    return re.sub(r"[\d(][\d(),. e-]*", "#", first)


def text_card(score) -> str:
    text = [heading(score), *([score.note] if score.note else [])]
    for result, message in lines(score):
        text.append(f"{result.state:<6}{result.check} ({result.points:g})")
        text += [" " * 6 + line for line in message.splitlines()]
    if score.onward:
        text += ["", score.onward.insight, f"Next: {score.onward.words}"]
    return "\n".join(text)


def html_card(score) -> str:
    note = LINE.format(colour=COLOURS["error"])
    items = [f'<div style="{note}">{marked(score.note)}</div>'] if score.note else []
    for result, message in lines(score):
        title = f"{html.escape(result.check)} ({result.points:g})"
        below = f'<div style="{MESSAGE}">{marked(message)}</div>' if message else ""
        state = f'<span style="{STATE}">{result.state}</span>'
        style = LINE.format(colour=COLOURS[result.state]) + COLUMNS
        items.append(f'<div style="{style}">{state}<div>{title}{below}</div></div>')
    if score.onward:
        insight = f"<em>{marked(score.onward.insight)}</em>"
        link = f'<a href="{html.escape(score.onward.link)}">Next: {html.escape(score.onward.words)}</a>'
        items.append(f'<div style="{ONWARD}">{insight}<br>{link}</div>')
    return f'<div style="{CARD}"><strong>{html.escape(heading(score))}</strong>{"".join(items)}</div>'


def marked(message: str) -> str:
    """Return the message as HTML: escaped, with text between backticks as <code>."""
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", html.escape(message))

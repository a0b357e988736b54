"""One widget as one HTML file: its own ES module on a model of a dozen lines, with no kernel and no network."""

import base64
import html
import json
import os
import tempfile
from pathlib import Path

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>%(title)s</title>
<style>body { margin: 1rem }
%(css)s</style>
</head>
<body>
<main id="widget"></main>
<script type="application/json" id="saved">%(saved)s</script>
<script type="module">
const saved = JSON.parse(document.getElementById("saved").textContent);
for (const [name, base64] of Object.entries(saved.bytes)) {
  saved.state[name] = new DataView(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)).buffer);
}
const listeners = [];
const model = {
  get: (name) => saved.state[name],
  set(name, value) {
    saved.state[name] = value;
    for (const [event, listener] of listeners) if (event === `change:${name}`) listener();
  },
  save_changes() {},
  on: (event, listener) => listeners.push([event, listener]),
  off() {},
};
const url = URL.createObjectURL(new Blob([saved.module], { type: "text/javascript" }));
const widget = await import(url);
await widget.default.render({ model, el: document.getElementById("widget") });
</script>
</body>
</html>
"""


def write(path, title: str, module: str, css: str, state: dict) -> Path:
    """Write the page for a widget to path, all or nothing."""
    return write_whole(path, page(title, module, css, state))


def page(title: str, module: str, css: str, state: dict) -> str:
    """The page for a widget's module, style and state (JSON values and bytes)."""
    as_bytes = {k: base64.b64encode(v).decode() for k, v in state.items() if isinstance(v, bytes)}
    saved = {"module": str(module), "state": {k: v for k, v in state.items() if k not in as_bytes}, "bytes": as_bytes}
    # With every "<" escaped, no text inside can end the script element it stands in.
    saved = json.dumps(saved).replace("<", "\\u003c")
    return PAGE % {"title": html.escape(title), "css": css, "saved": saved}


def write_whole(path, content: str | bytes) -> Path:
    """Write a page or a picture to path, all or nothing; returns the path."""
    path = Path(path)
    content = content if isinstance(content, bytes) else content.encode("utf-8")
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(unfinished, 0o644)
        os.replace(unfinished, path)
    except BaseException:
        os.unlink(unfinished)
        raise
    return path

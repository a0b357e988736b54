"""Save a widget as one HTML file, in which its ES module runs on a minimal model, without a kernel or a network.

The module's `render` is called in a block of its own, so that no name in it can be one of the module's.
"""

import base64
import datetime
import gzip
import html
from pathlib import Path

from ..files import place_for, to_json, whole_file

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>%(title)s</title>
<style>body { margin: 1rem }
header { display: flex; flex-wrap: wrap; gap: 0 1.5rem; align-items: baseline; font: 0.8rem system-ui, sans-serif }
header :is(h1, p) { margin: 0 0 0.5rem; overflow-wrap: anywhere }
header h1 { font-size: 1rem }
@media screen and (prefers-color-scheme: dark) { body { color: #e6e6e6; background: #121212 } }
%(css)s</style>
</head>
<body>
<header><h1>%(title)s</h1><p>saved on <time datetime="%(date)s">%(day)s</time></p></header>
<main id="widget"></main>
<script type="application/json" id="saved">%(saved)s</script>
<script type="module">
%(module)s{
const saved = JSON.parse(document.getElementById("saved").textContent);
for (const [name, base64] of Object.entries(saved.bytes)) {
  const packed = new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]);
  const bytes = packed.stream().pipeThrough(new DecompressionStream("gzip"));
  saved.state[name] = new DataView(await new Response(bytes).arrayBuffer());
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
render({ model, el: document.getElementById("widget") });
}
</script>
</body>
</html>
"""


def save(path, formats: dict) -> Path:
    """Write the format that the path's ending asks for, all or nothing; return the path (.html if it had no ending).

    formats is {ending: function that returns text or bytes}. Raises ValueError for any other ending, and OSError if the
    file cannot be written, before anything is drawn.
    """
    path = target(path, formats)
    with whole_file(path) as unfinished:
        content = formats[path.suffix[1:].lower()]()
        unfinished.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def target(path, formats) -> Path:
    """Return the path that `save` would write to; raises as `save` does for a wrong ending or a missing folder."""
    path = place_for(path)
    path = path if path.suffix else place_for(path.with_name(f"{path.name}.html"))
    if path.suffix[1:].lower() not in formats:
        raise ValueError(f"{path} ends in {path.suffix}; wanted {' or '.join(f'.{ending}' for ending in formats)}.")
    return path


def page(title: str, module: str, css: str, state: dict) -> str:
    """The page for a widget's module, style and state (JSON values and bytes), with its title and today's date."""
    as_bytes = {k: packed(v) for k, v in state.items() if isinstance(v, bytes)}
    saved = {"state": {k: v for k, v in state.items() if k not in as_bytes}, "bytes": as_bytes}
    # With every "<" escaped, no text inside can end the script element it stands in.
    saved = to_json(saved).replace("<", "\\u003c")
    title, today = html.escape(title[:1].upper() + title[1:]), datetime.date.today()
    day = f"{today.day} {today:%B %Y}"
    known = {"title": title, "css": css, "saved": saved, "module": module, "date": today.isoformat(), "day": day}
    return PAGE % known


def packed(content: bytes) -> str:
    """Bytes as the page holds them: compressed, equal ones always alike, in base64."""
    return base64.b64encode(gzip.compress(content, mtime=0)).decode()

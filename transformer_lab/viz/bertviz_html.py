"""Make bertviz' HTML work offline, with our bundled d3 in place of require.js and what it would fetch.

bertviz 1.4.1 returns markup and a script that contain the data twice. Here the data appears once, escaped; the script
runs in a function, so that it defines no globals, and draws in its own output only.
"""

import json
import re
from hashlib import sha256
from pathlib import Path

D3 = Path(__file__).parent / "static" / "bertviz_d3.js"
KNOWN = re.compile(
    r'<script src="[^"]*require[^"]*"></script>(?P<markup>.*?)'
    r'\n<script type="text/javascript">\n(?P<script>.*)\n</script>\n',
    re.DOTALL,
)
SECOND_SCRIPT = '\n<script type="text/javascript">\n'
# Where no script may run (a notebook that is not trusted), what stands in the frame stays; else it is replaced.
FRAGMENT = """\
<div id="%(id)s" style="background: white; color: black; color-scheme: light; padding: 8px; overflow-x: auto">
%(instead)s
</div>
<script>
(() => {
// The same view, shown twice, has the same id twice: each takes the frame in front of it, and the id from it.
const before = document.currentScript?.previousElementSibling;
const frame = before?.id === "%(id)s" ? before : document.getElementById("%(id)s");
frame.removeAttribute("id");
frame.innerHTML = %(markup)s;
const params = %(params)s;
params.root_div_id = "bertviz-" + Math.random().toString(36).slice(2);
frame.querySelector("#bertviz").id = params.root_div_id;
%(d3)s
const requirejs = (names, draw) => draw(d3.$, d3);
%(script)s
})();
</script>
"""


def offline(html: str, width: int, instead: str, note: str = "") -> str:
    """Return bertviz' HTML changed so that it fetches nothing; `instead` is shown where scripts do not run.

    The drawing is `width` pixels wide: a narrower page scrolls. Raises ValueError if this is not bertviz 1.4.1's HTML.
    """
    known = KNOWN.fullmatch(html)
    data = known and re.search(r"(?:const params|window\.bertviz_params) = (?=\{)", known["script"])
    if not data:
        raise ValueError("bertviz' HTML is not that of 1.4.1, the version known here: pip install bertviz==1.4.1")
    params, _ = json.JSONDecoder().raw_decode(known["script"], data.end())
    markup = re.sub(r"bertviz-[0-9a-f]{32}", "bertviz", known["markup"].strip())
    markup = markup.replace("<select ", '<select data-lm-suppress-shortcuts="true" ')  # its keys are not JupyterLab's
    del params["root_div_id"]  # random, as in the markup: the browser makes a new one
    parts = {
        "markup": as_js(f'<div style="min-width: {width}px">{note}{markup}</div>'),
        "params": as_js(params),
        "script": offline_script(known["script"]),
        "instead": instead,
        "d3": D3.read_text(encoding="utf-8"),
    }
    # The id follows from the content: what is computed again is the same, byte for byte.
    name = "bertviz-" + sha256(json.dumps(parts).encode()).hexdigest()[:12]
    return FRAGMENT % {**parts, "id": name}


def offline_script(script: str) -> str:
    """bertviz' script without its data and without the addresses that it would fetch from."""
    script = script.rpartition(SECOND_SCRIPT)[2]  # the neuron view's data is a script of its own, in front
    script = re.sub(r"const params = .*\n", "", script, count=1)
    script = re.sub(r"require\.config\(\{.*?\}\);", "", script, count=1, flags=re.DOTALL)
    # A bug of the neuron view: it would look for the token that is read in the first view of the page.
    return script.replace('d3.select("#vis")', "d3.select(`#${config.rootDivId} #vis`)")


def as_js(value) -> str:
    """Return the value as ASCII JSON with "<" escaped, so that no text can end the surrounding script."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")

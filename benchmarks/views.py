"""`make bench-views`: AttentionView beside bertviz' head view on the same attention, in Chromium, offline.

Bytes of HTML: of bertviz, what it returns itself. Time to first paint and from a click to the redraw: by turns,
medians; bertviz gets its d3 from our bundle here, since there is no network, which spares it the download. ModelTour
stands alone: how long it takes to read a text, how large its page is, and how long a click on another token takes.
"""

import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import bertviz
import torch
from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.table import Table

from transformer_lab import load
from transformer_lab.viz import AttentionView, ModelTour
from transformer_lab.viz.bertviz import PAGE
from transformer_lab.viz.bertviz_html import offline

SHAPES = ((6, 12, 64), (12, 12, 128))
TOURS = {"dates": "Sunday, November 22, 2026", "smollm2": "The capital of France is Paris. The capital of Germany is"}
REPEATS = 3
LIMITS = {"bytes": 1 / 15, "first paint": 1 / 3}  # ours / bertviz'
LIMIT_REDRAW = 50  # ms
PAINTED = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)))"
# Each changes what is shown, and ends when the browser has painted the change.
REDRAW = """(i) => { const start = performance.now();
    %s;
    return new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(performance.now() - start), 0)));
}"""
OURS = (
    REDRAW
    % """const heads = document.querySelectorAll(".thumbnail");
    heads[i % heads.length].click()"""
)
THEIRS = (
    REDRAW
    % """const layers = document.querySelector("select");
    layers.selectedIndex = i % layers.options.length;
    layers.dispatchEvent(new Event("change"))"""
)

OTHER_TOKEN = (
    REDRAW
    % """const tokens = document.querySelectorAll(".chip");
    tokens[i % tokens.length].click()"""
)


def pages(folder: Path, L: int, H: int, T: int) -> tuple[dict[str, Path], dict[str, int]]:
    """The two pages, and how many bytes each view is."""
    attention = torch.randn(L, H, T, T, generator=torch.Generator().manual_seed(0)).softmax(dim=-1)
    tokens = [f"token{i}" for i in range(T)]
    drawing = bertviz.head_view(list(attention[:, None]), tokens, html_action="return")
    theirs, ours = folder / "bertviz.html", folder / "ours.html"
    theirs.write_text(PAGE % ("bertviz", offline(drawing.data, 345, instead="")), encoding="utf-8")
    AttentionView(attention, tokens).save(ours)
    paths = {"ours": ours, "bertviz": theirs}
    return paths, {"ours": ours.stat().st_size, "bertviz": len(drawing.data.encode())}


def seconds_to_first_paint(browser, path: Path, selector: str):
    """How long until the view is drawn, and the page that shows it."""
    page = browser.new_page()
    start = time.perf_counter()
    page.goto(path.as_uri(), wait_until="commit")
    page.wait_for_selector(selector, timeout=300_000, state="attached")
    page.evaluate(PAINTED)
    return time.perf_counter() - start, page


def measure(browser, shape: tuple[int, int, int]) -> dict:
    ready = {"ours": ".tl-attention .map canvas", "bertviz": "#attentionBox, g line, svg line"}
    click = {"ours": OURS, "bertviz": THEIRS}
    with tempfile.TemporaryDirectory() as folder:
        paths, sizes = pages(Path(folder), *shape)
        paints, redraws = {"ours": [], "bertviz": []}, {"ours": [], "bertviz": []}
        for i in range(REPEATS):
            for name in paths:
                seconds, page = seconds_to_first_paint(browser, paths[name], ready[name])
                paints[name].append(seconds)
                redraws[name] += [page.evaluate(click[name], i + n + 1) for n in range(3)]
                page.close()
    medians = {name: statistics.median(times) for name, times in paints.items()}
    return {
        "shape": list(shape),
        "bytes": sizes | {"ratio": sizes["ours"] / sizes["bertviz"]},
        "first paint (s)": medians | {"ratio": medians["ours"] / medians["bertviz"]},
        "redraw (ms)": {name: statistics.median(times) for name, times in redraws.items()},
    }


def measure_tour(browser, name: str, text: str) -> dict:
    model, tokenizer = load(name)
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        tour = ModelTour(model, tokenizer, text)
        seconds.append(time.perf_counter() - start)
    tour.station = len(tour.stations) // 2
    with tempfile.TemporaryDirectory() as folder:
        path = tour.save(Path(folder) / "tour.html")
        paint, page = seconds_to_first_paint(browser, path, ".tl-tour .stop")
        redraws = [page.evaluate(OTHER_TOKEN, i) for i in range(3 * REPEATS)]
        page.close()
        size = path.stat().st_size
    return {"model": name, "tokens": len(tour.stacks[-1]["tokens"]), "read (s)": statistics.median(seconds),
            "bytes": size, "first paint (s)": paint, "redraw (ms)": statistics.median(redraws)}  # fmt: skip


def tour_table(tours: list[dict]) -> Table:
    table = Table("ModelTour of", "tokens", "read", "bytes", "first paint", "redraw", "limit", "")
    for one in tours:
        redraw = one["redraw (ms)"]
        table.add_row(one["model"], str(one["tokens"]), f"{one['read (s)']:.2f} s", f"{one['bytes']:,}",
                      f"{one['first paint (s)']:.2f} s", f"{redraw:.0f} ms", f"{LIMIT_REDRAW} ms",
                      "yes" if redraw < LIMIT_REDRAW else "NO")  # fmt: skip
    return table


def main():
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        results = [measure(browser, shape) for shape in SHAPES]
        tours = [measure_tour(browser, *one) for one in TOURS.items()]
        browser.close()
    table = Table("layers x heads x tokens", "", "ours", "bertviz", "ours / bertviz", "limit", "")
    for one in results:
        size, paint, redraw = one["bytes"], one["first paint (s)"], one["redraw (ms)"]
        reached = (
            size["ratio"] <= LIMITS["bytes"],
            paint["ratio"] <= LIMITS["first paint"],
            redraw["ours"] < LIMIT_REDRAW,
        )
        good = ["yes" if ok else "NO" for ok in reached]
        table.add_row(" x ".join(map(str, one["shape"])), "bytes", f"{size['ours']:,}", f"{size['bertviz']:,}",
                      f"1/{1 / size['ratio']:.0f}", "1/15", good[0])  # fmt: skip
        table.add_row("", "first paint", f"{paint['ours']:.2f} s", f"{paint['bertviz']:.2f} s",
                      f"1/{1 / paint['ratio']:.1f}", "1/3", good[1])  # fmt: skip
        table.add_row("", "redraw", f"{redraw['ours']:.0f} ms", f"{redraw['bertviz']:.0f} ms", "", "50 ms", good[2])
    Console(width=120).print(table, tour_table(tours))
    out = Path("build/views.json")
    out.parent.mkdir(exist_ok=True)
    out.write_text(
        json.dumps({"command": "make bench-views", "results": results, "tours": tours}, indent=2) + "\n",
        encoding="utf-8",
    )


main()

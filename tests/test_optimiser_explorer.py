"""OptimiserExplorer: the walks are torch's, the bounds are where they diverge, and the browser walks the same way."""

import math
import re

import numpy as np
import pytest
import torch

from test_accessibility_browser import violations
from transformer_lab.viz import OptimiserExplorer
from transformer_lab.viz.optimiser_explorer import DRAWS, LOWEST, RATES, RULES, STEEPNESSES, bound, show, walk

SETTINGS = [
    {},
    {"rate": 0.04},
    {"rate": 0.045, "steps": 200},
    {"rate": 2.0, "beta": 0.99, "steps": 300},
    {"rate": 0.1, "beta": 0.0, "decay": 0.5, "noise": 3.0, "steepness": 200},
    {"rate": 0.71, "beta": 0.5, "decay": 0.0, "steepness": 2, "steps": 1},
    {"rate": 0.001, "noise": 0.25, "steepness": 1, "steps": 121},
]
TORCHS = {
    "SGD": lambda w, rate, beta, decay: torch.optim.SGD(w, rate),
    "momentum": lambda w, rate, beta, decay: torch.optim.SGD(w, rate * (1 - beta), momentum=beta),
    "Adam": lambda w, rate, beta, decay: torch.optim.Adam(w, rate, betas=(beta, 0.99)),
    "AdamW": lambda w, rate, beta, decay: torch.optim.AdamW(w, rate, betas=(beta, 0.99), weight_decay=decay),
}


def distance(path):
    return np.hypot(*(path - LOWEST).T)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("rate", "beta", "decay", "noise"), [(0.03, 0.9, 0.1, 0.0), (0.3, 0.8, 0.5, 1.5)])
def test_each_walk_is_torchs(rule, rate, beta, decay, noise):
    steepness, lowest = torch.tensor([1.0, 20.0], dtype=torch.float64), torch.tensor(LOWEST, dtype=torch.float64)
    w = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimiser = TORCHS[rule]([w], rate, beta, decay)
    path = [w.tolist()]
    for draw in DRAWS[:12]:
        optimiser.zero_grad()
        (
            (steepness * (w - lowest) ** 2).sum() / 2 + noise * (w * torch.tensor(draw, dtype=torch.float64)).sum()
        ).backward()
        optimiser.step()
        path.append(w.tolist())
    found = walk(rule, rate, beta=beta, decay=decay, noise=noise, steepness=20, steps=12)
    np.testing.assert_allclose(found, path, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("steepness", [20, 50, 200])
@pytest.mark.parametrize(("rule", "beta"), [("SGD", 0.9), ("momentum", 0.0), ("momentum", 0.5), ("momentum", 0.9)])
def test_a_walk_ends_near_below_its_bound_and_far_above_it(rule, beta, steepness):
    limit = bound(rule, beta, steepness)
    below, above = (walk(rule, limit * by, beta=beta, steepness=steepness, steps=300) for by in (0.97, 1.03))
    assert distance(below)[-1] < distance(below)[:20].max() and distance(below)[-1] < 1
    assert distance(above)[-1] > 100 > distance(above)[0]


def test_at_the_bound_sgd_swings_across_for_ever():
    path = walk("SGD", 0.04, steps=300)
    np.testing.assert_allclose(np.abs(path[:, 1] - LOWEST[1]), 0.6, rtol=1e-6)


@pytest.mark.parametrize("rule", ["Adam", "AdamW"])
def test_adam_diverges_nowhere_on_the_sliders(rule):
    """The page says so: at the ends of every slider no walk comes further than ten away."""
    assert bound(rule) is None
    for steepness in (1, 50, 200):
        for rate in (0.001, 0.1, 1.0, 2.0):
            for beta in (0.0, 0.9, 0.99):
                for noise in (0.0, 3.0):
                    decay = 0.5 if rule == "AdamW" else 0.0
                    path = walk(rule, rate, beta=beta, decay=decay, noise=noise, steepness=steepness, steps=300)
                    assert distance(path).max() < 10, (steepness, rate, beta, noise)


def test_only_adamw_has_a_decay_and_the_noise_is_the_same_for_all():
    assert (walk("AdamW", 0.1) == walk("Adam", 0.1)).all()
    assert (walk("Adam", 0.1, decay=0.5) == walk("Adam", 0.1)).all()
    ends = [distance(walk("AdamW", 0.1, decay=decay, steps=300))[-1] for decay in (0.0, 0.1, 0.3, 0.5)]
    assert ends == sorted(ends) and ends[-1] > 0.1  # decay pulls towards 0, away from the lowest point
    first = [walk(rule, 0.01, beta=0.0, noise=2.0, steps=1) - walk(rule, 0.01, beta=0.0, steps=1) for rule in RULES[:2]]
    np.testing.assert_allclose(first[0], first[1])
    assert np.shape(DRAWS) == (300, 2) and abs(np.mean(DRAWS)) < 0.1 and 0.9 < np.std(DRAWS) < 1.1


def test_what_is_read_from_python_is_the_walks():
    explorer = OptimiserExplorer(rate=0.1, steps=30, steepness=10)
    for rule, path in explorer.paths.items():
        assert (path == walk(rule, 0.1, decay=0.1, steepness=10, steps=30)).all() and path.shape == (31, 2)
        assert explorer.final[rule] == pytest.approx(math.dist(path[-1], LOWEST))
    assert explorer.bounds == {"SGD": 0.2, "momentum": bound("momentum", 0.9, 10), "Adam": None, "AdamW": None}
    assert bound("momentum", 0.9, 50) == pytest.approx(0.76)
    assert repr(explorer).startswith("OptimiserExplorer(rate=0.1): from the lowest point after 30 steps: SGD 0.0")
    assert sorted(set(RATES)) == RATES and (RATES[0], RATES[-1]) == (0.001, 2.0) and 0.04 in RATES


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_picture_can_be_drawn_everywhere(settings):
    assert OptimiserExplorer(**settings).static_twin()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: walk("RMSProp", 0.1), "rule must be one of SGD, momentum, Adam, AdamW; got 'RMSProp'"),
        (lambda: walk("SGD", 3), "rate must be a number from 0.001 to 2.0; got 3"),
        (lambda: walk("SGD", 0.1, beta=1), "beta must be a number from 0 to 0.99; got 1"),
        (lambda: walk("SGD", 0.1, steps=0), "steps must be a whole number, at least 1; got 0"),
        (lambda: walk("SGD", 0.1, steps=301), "steps must be a number from 1 to 300; got 301"),
        (lambda: walk("SGD", 0.1, steepness=0), "steepness must be a number from 1 to 200; got 0"),
        (lambda: OptimiserExplorer(rate=math.nan), "rate must be a number from 0.001 to 2.0; got nan"),
        (lambda: OptimiserExplorer(decay=0.6), "decay must be a number from 0 to 0.5; got 0.6"),
        (lambda: OptimiserExplorer(noise=-1), "noise must be a number from 0 to 3; got -1"),
        (lambda: OptimiserExplorer(steps=0), "steps must be a number from 1 to 300; got 0"),
        (lambda: OptimiserExplorer(steepness=3), "steepness must be one of 1, 2, 5, 10, 20, 50, 100, 200; got 3"),
    ],
)
def test_errors_are_one_sentence_that_names_the_argument(wrong, says):
    with pytest.raises(ValueError, match=re.escape(says)) as error:
        wrong()
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


SUPERSCRIPT = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
LABELS = {
    "rate": "learning rate", "beta": "momentum, Adam: β", "decay": "AdamW: decay", "noise": "noise",
    "steepness": "steepness across", "steps": "steps",
}  # fmt: skip
SET = "(input, value) => { input.value = value; input.dispatchEvent(new Event('input', { bubbles: true })); }"
SHOWN = """() => [...document.querySelectorAll(".tl-optimiser .pair section")].map((section) => ({
  points: section.querySelector(".path").getAttribute("points").split(" ").map((one) => one.split(",").map(Number)),
  numbers: [...section.querySelectorAll("dd")].map((one) => one.textContent),
  told: section.querySelector("p").textContent, over: section.querySelector("p").className,
  label: section.querySelector(".walk").getAttribute("aria-label"),
}))"""


def as_number(text):
    digits, _, power = text.partition("·10")
    return float(digits) * 10.0 ** int(power.translate(SUPERSCRIPT) or 0)


def opened(page, tmp_path, explorer):
    page.goto(explorer.save(tmp_path / "optimiser.html").as_uri())
    page.wait_for_selector(".tl-optimiser .path", state="attached")
    return page


@pytest.mark.browser
def test_the_browser_walks_as_python_does(page, tmp_path):
    opened(page, tmp_path, OptimiserExplorer())
    for settings in SETTINGS:
        explorer = OptimiserExplorer(**settings)
        for name, label in LABELS.items():
            value = getattr(explorer, name)
            stops = {"rate": RATES, "steepness": STEEPNESSES}.get(name)
            page.get_by_label(label, exact=True).evaluate(SET, str(stops.index(value) if stops else value))
        for rule, shown in zip(RULES, page.evaluate(SHOWN), strict=True):
            wanted, distances = np.clip(explorer.paths[rule], -1e4, 1e4), explorer.distances[rule]
            np.testing.assert_allclose(shown["points"], wanted, rtol=1e-6, atol=2e-5, err_msg=f"{rule} {settings}")
            ends = [as_number(number) for number in shown["numbers"]]
            assert ends == pytest.approx([distances[-1], distances.max()], rel=0.06, abs=1e-9)
            limit = explorer.bounds[rule]
            assert bool(shown["over"]) == (limit is not None and explorer.rate > limit * 1.000001), (rule, settings)
            assert limit is None or show(limit) in shown["told"]
            assert shown["label"].startswith(f"{rule}: {shown['numbers'][0]} from the lowest point")
        nearest = min(explorer.final, key=explorer.final.get)
        assert f"nearest first: {nearest}" in page.inner_text(".tl-optimiser .read-out")


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_violation_and_nothing_cut_off(page, tmp_path, scheme):
    page.emulate_media(color_scheme=scheme)
    for settings in SETTINGS[:3]:
        opened(page, tmp_path, OptimiserExplorer(**settings))
        for width in (1366, 900, 360):
            page.set_viewport_size({"width": width, "height": 800})
            assert violations(page, "html") == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width

"""ModelTour in a browser: every number on the screen is the model's, by mouse, by keyboard, saved and live."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from browser import eventually
from test_accessibility_browser import violations
from test_explorers_browser import KINDS, LOOKS, RENDERED_AND_REMOVED
from test_model_tour import CASES, TEXT, made
from transformer_lab import GPT, load, record_journeys
from transformer_lab.viz import ModelTour
from transformer_lab.viz.inputs import visible

pytestmark = pytest.mark.browser

LIVE = f"""
from transformer_lab import load
from transformer_lab.viz import ModelTour
tour = ModelTour(*load("dates"), {TEXT!r})
tour
"""


@pytest.fixture
def shown(page, tmp_path):
    """shown(tour): the page that it saves, open."""

    def shown(tour):
        page.goto(tour.save(tmp_path / "tour.html").as_uri())
        page.wait_for_selector(".tl-tour .stop")
        return page

    return shown


@pytest.fixture(scope="module")
def dates():
    return ModelTour(*load("dates"), TEXT)


def gpt():
    return ModelTour(*made(CASES["GPT, learned positions"][0], **CASES["GPT, learned positions"][1]), "the cat sat")


def stops(page):
    return page.locator(".tl-tour .stop")


def chips(page, stack):
    return page.locator(".tl-tour .line").nth(stack).locator(".chip")


def numbers(page, selector):
    """The numbers of an element's text, without the names of lessons."""
    text = page.locator(selector).inner_text().replace("−", "-")
    return [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?(?:e[+-]\d+)?", re.sub(r"lesson \d+", "", text))]


def shares(page, selector):
    texts = page.locator(f"{selector} li .share").all_inner_texts()
    known = {"masked": 0.0, "<1 %": 0.0, ">99 %": 1.0}
    return [known[text] if text in known else float(text.removesuffix(" %")) / 100 for text in texts]


def near(seen, wanted):
    np.testing.assert_allclose(seen, wanted, atol=0.0056)  # whole per cent


def test_what_comes_next_stands_behind_the_tokens_and_leads_to_the_last_station(shown):
    tour = gpt()
    page, journey = shown(tour), tour.journeys["decoder"]
    for token in (len(journey.tokens) - 1, 0):
        chips(page, 0).nth(token).click()
        likely = torch.softmax(torch.as_tensor(journey.logits[token]), dim=-1).max()
        near(numbers(page, ".tl-tour .next")[-1] / 100, likely)
    page.locator(".tl-tour .next").click()
    assert page.locator(".tl-tour .end").is_visible()
    near(shares(page, ".tl-tour .end .said")[0], likely)


@pytest.mark.parametrize("make", ["dates", "gpt"])
def test_every_number_of_every_station_is_the_models(shown, dates, make):
    tour = dates if make == "dates" else gpt()
    page = shown(tour)
    for number, journey in enumerate(tour.journeys.values()):
        token = len(journey.tokens) - 2
        chips(page, number).nth(token).click()
        assert stops(page).count() == len(journey.steps) + 1
        for step, (_, part) in enumerate(journey.steps):
            stops(page).nth(step).click()
            lengths = [x[step][token].norm().item() for x in (journey.before, journey.added, journey.sums)]
            np.testing.assert_allclose(numbers(page, ".legend")[:3], lengths, rtol=0.006)
            for length in lengths if part != "embedding" else lengths[:1]:
                assert f"{float(f'{length:.3g}'):g}" in page.locator(".sentence").inner_text()
            if part in journey.attention:
                weights = journey.attention[part].weights[journey.steps[step][0], :, token]
                page.locator(".reading select").select_option("")
                near(shares(page, ".reading"), weights.mean(axis=0))
                page.locator(".reading select").select_option("2")
                near(shares(page, ".reading"), weights[2])
            if journey.head:
                probabilities, ids = journey.lens(5)
                near(shares(page, ".content .said"), probabilities[step][token])
                first = tour.tokenizer.tokens([int(ids[step][token][0])])[0]
                assert page.locator(".content .said li .key").first.inner_text() == first.replace(" ", "␣")


def test_the_end_is_the_softmax_at_the_chosen_temperature_and_draws_follow_it(shown, dates):
    tour = gpt()
    page = shown(tour)
    stops(page).last.click()
    logits = tour.journeys["decoder"].logits[-1].double()
    for temperature in (1.0, 0.5, 2.0):
        page.get_by_label("temperature").fill(str(round(10 * temperature)))
        wanted = (logits / temperature).softmax(dim=-1).topk(10).values
        near(shares(page, ".end"), [*wanted, 1 - wanted.sum()])
    page.get_by_text("draw 100").click()
    page.get_by_text("draw a token").click()
    times = [int(n) for n in re.findall(r"drawn (\d+) ×", page.locator(".end").inner_text())]
    assert sum(times) == 101 and len(times) > 3
    page.get_by_label("temperature").fill("0")
    assert shares(page, ".end") == [1.0] + [0.0] * 10 and "drawn" not in page.locator(".end").inner_text()
    assert torch.equal(logits.argmax(), logits.topk(1).indices[0])


def test_the_journey_is_made_by_keyboard_alone(shown, dates):
    page = shown(dates)
    page.keyboard.press("Tab")  # the encoder's tokens, then the decoder's
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert page.locator(".chip[aria-checked=true]").inner_text() == "1"
    page.keyboard.press("Tab")  # what comes next, then the stations
    page.keyboard.press("Tab")
    titles = []
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "End", "ArrowLeft", "Home"):
        page.keyboard.press(key)
        titles.append(page.locator(".way h4").inner_text())
        assert page.evaluate("document.activeElement.getAttribute('aria-current')") == "step"
    assert titles == ["Block 1: attention", "Block 1: cross-attention", "Block 2: cross-attention",
                      "After ‘1’: what is said", "Block 2: feed-forward", "‘1’ becomes a vector"]  # fmt: skip
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the next station
    page.keyboard.press("Enter")
    assert page.locator(".way h4").inner_text() == "Block 1: cross-attention"
    eventually(lambda: "Block 1: cross-attention. Most of all" in page.locator(".spoken").last.inner_text())


def every_station(page):
    for i in range(stops(page).count()):
        stops(page).nth(i).click()
        yield i


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (900, None), (390, None), (360, None)])
def test_nothing_is_cut_off_and_a_wide_screen_holds_all(shown, dates, width, height):
    page = shown(dates)
    page.set_viewport_size({"width": width, "height": 768})
    for _ in every_station(page):
        seen = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        assert seen[0] <= width and seen[1] <= (height or 10_000)


def test_the_sizes_of_a_fresh_models_vectors_are_whole(shown):
    tour = gpt()
    for parameter in tour.model.parameters():
        parameter.data.mul_(0.01)  # sizes such as 0.0179
    page = shown(ModelTour(tour.model, tour.tokenizer, "the cat sat"))
    sizes = page.locator(".tl-tour .trunk").evaluate_all(
        """cells => cells.map((cell) => [cell.lastChild.textContent, cell.getBoundingClientRect().right
                                         - cell.lastChild.getBoundingClientRect().right])""")  # fmt: skip
    assert max(len(text) for text, _ in sizes) >= 6
    assert all(room >= 0 for _, room in sizes), sizes


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_violation_at_any_station(page, shown, dates, scheme):
    page.emulate_media(color_scheme=scheme)
    page = shown(dates)
    for _ in every_station(page):
        assert violations(page, "html") == []


def test_a_tour_that_is_gone_listens_to_nothing_and_other_sheets_change_nothing(shown, dates):
    page = shown(dates)
    stops(page).nth(5).click()
    before, after = page.evaluate(RENDERED_AND_REMOVED, str(dates._module))
    assert before > 0 and after == 0
    looks = page.evaluate(LOOKS)
    page.add_style_tag(content="\n".join(kind._sheet for kind in KINDS))
    assert page.evaluate(LOOKS) == looks


def test_a_live_tour_reads_what_is_typed(lab):
    page = lab.page
    lab.open("tour.ipynb", [LIVE])
    lab.run_all()
    page.wait_for_selector(".tl-tour .stop")
    field = page.get_by_label("text", exact=True)
    assert field.input_value() == TEXT
    field.fill("June 7, 2020")
    eventually(lambda: chips(page, 0).all_inner_texts() == ["June", "7", ",", "2", "0", "2", "0"])
    eventually(lambda: page.locator(".tl-tour.waiting").count() == 0)
    chips(page, 1).nth(3).click()
    stops(page).nth(4).click()
    reached = "print(tour.heard, tour.token, tour.station, tour.stations[tour.station])"
    eventually(lambda: lab.python(reached) == "June 7, 2020 3 4 block 2: attention")
    field.fill("")
    eventually(lambda: "the text is empty" in page.locator(".tl-tour .message").inner_text())
    assert not page.locator(".tl-tour .body").is_visible()
    field.fill(TEXT)
    eventually(
        lambda: page.locator(".tl-tour .message").inner_text() == "" and chips(page, 0).first.inner_text() == "May"
    )
    lab.python("tour.stack, tour.station = 'encoder', 2")
    eventually(lambda: page.locator(".tl-tour .way h4").inner_text() == "Block 1: feed-forward")


def test_a_live_language_model_goes_on_with_what_was_drawn(lab):
    page = lab.page
    code = """
from test_model_tour import made
from transformer_lab import GPT
from transformer_lab.viz import ModelTour
tour = ModelTour(*made(GPT), "the cat")
tour
"""
    lab.open("goes_on.ipynb", [f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})", code])
    lab.run_all()
    page.wait_for_selector(".tl-tour .stop")
    model, tokenizer = made(GPT)
    said = record_journeys(model, tokenizer, "the cat")["decoder"].logits.argmax(dim=-1).tolist()
    at = next(i for i, drawn in enumerate(said) if tokenizer.decode([drawn]))  # and not a special token, which ends it
    chips(page, 0).nth(at).click()
    stops(page).last.click()
    assert page.get_by_text("write it and go on").is_hidden()
    page.get_by_label("temperature").fill("0")
    page.get_by_text("draw a token").click()
    page.get_by_text("write it and go on").click()
    wanted = "the cat"[: at + 1] + tokenizer.decode([said[at]])
    eventually(lambda: chips(page, 0).all_inner_texts() == [visible(one) for one in wanted])
    assert lab.python("print(tour.heard)") == wanted

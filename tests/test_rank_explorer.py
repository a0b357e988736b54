"""RankExplorer: the shares and ranks are those of the matrices, and the page shows the numbers and cells of Python."""

import base64
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from browser import eventually
from test_accessibility_browser import violations
from transformer_lab.viz import RankExplorer, kept_by_rank, low_rank
from transformer_lab.viz.rank_explorer import CELLS, stops_up_to

sizes = st.integers(1, 9)
seeds = st.integers(0, 2**32 - 1)


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def pair(d_out, d_in, rank, noise=0.01, seed=0):
    """A weight before, and after a change of this rank with some noise."""
    before, left, right = (
        random(d_out, d_in, seed=seed),
        random(d_out, rank, seed=seed + 1),
        random(rank, d_in, seed=seed + 2),
    )
    return before, before + left @ right + noise * random(d_out, d_in, seed=seed + 3)


@given(sizes, sizes, st.integers(0, 9), seeds)
def test_no_other_matrix_of_the_rank_is_closer(d_out, d_in, rank, seed):
    """Eckart and Young, by rivals: the best rank-r matrix within any r rows' directions is no closer."""
    matrix = random(d_out, d_in, seed=seed)
    ours = low_rank(matrix, rank)
    assert np.linalg.matrix_rank(ours, tol=1e-9) == min(rank, d_out, d_in)
    error = np.sum((matrix - ours) ** 2)
    for rival in range(5):
        basis, _ = np.linalg.qr(random(d_in, min(rank, d_in), seed=seed % 1000 + rival))
        other = matrix @ basis @ basis.T
        assert error <= np.sum((matrix - other) ** 2) + 1e-9
    if rank:
        kept = kept_by_rank(matrix)[min(rank, d_out, d_in) - 1]
        assert kept == pytest.approx(1 - error / np.sum(matrix**2), abs=1e-9)


@given(sizes, sizes, seeds)
def test_shares_grow_more_and_more_slowly_to_one(d_out, d_in, seed):
    kept = kept_by_rank(random(d_out, d_in, seed=seed))
    steps = np.diff([0, *kept])
    assert len(kept) == min(d_out, d_in) and kept[-1] == pytest.approx(1)
    assert (steps >= 0).all() and (np.diff(steps) <= 1e-12).all()


def test_a_change_of_rank_3_needs_no_more_than_3_whatever_the_weight_is():
    before, after = pair(30, 20, 3, noise=0)
    explorer = RankExplorer.of(before, after, rank=3)
    assert explorer.kept["change"] == pytest.approx(1) and explorer.needed["change"] <= 3
    assert min(explorer.needed["weight"], explorer.needed["random"]) > 8
    assert explorer.kept["weight"] < 0.6
    assert np.linalg.norm(explorer.change.drawn(3) - explorer.change.drawn()) < 1e-9


@pytest.mark.parametrize("shape", [(30, 20), (20, 30), (5, 5), (1, 7), (7, 1)])
def test_the_numbers_are_the_slow_ones(shape):
    before, after = pair(*shape, 2, seed=5)
    explorer = RankExplorer({"one": (torch.tensor(before), torch.nn.Parameter(torch.tensor(after)))})
    change = after - before
    for explorer.rank in (*range(1, min(shape) + 1), 99):
        rank = max(stop for stop in explorer.change.stops if stop <= explorer.rank)
        assert explorer.shown_rank == rank
        for name, matrix in (("change", change), ("weight", before)):
            slow = np.sum(low_rank(matrix, rank) ** 2) / np.sum(matrix**2)
            assert explorer.kept[name] == pytest.approx(slow)
        assert explorer.parameters == (rank * sum(shape), shape[0] * shape[1])
        rows, columns = explorer.change.rows, explorer.change.columns
        np.testing.assert_allclose(explorer.change.drawn(rank), low_rank(change, rank)[rows][:, columns], atol=1e-9)
    for name, matrix in (("change", change), ("weight", before)):
        kept = [np.sum(low_rank(matrix, r) ** 2) / np.sum(matrix**2) for r in range(min(shape) + 1)]
        assert explorer.needed[name] == next(r for r, share in enumerate(kept) if share >= 0.9 - 1e-12)
    assert explorer.change.size == pytest.approx(np.linalg.norm(change) / np.linalg.norm(before))
    assert np.linalg.norm(explorer.change.spectra["random"]) == pytest.approx(np.linalg.norm(change))


def test_what_is_drawn_are_the_rows_and_columns_that_changed_most():
    before, after = pair(40, 60, 2)
    change = RankExplorer.of(before, after).change
    energy = (after - before) ** 2
    for drawn, sums in ((change.rows, energy.sum(1)), (change.columns, energy.sum(0))):
        others = [sum for i, sum in enumerate(sums) if i not in drawn]
        assert len(drawn) == CELLS and drawn == sorted(drawn) and min(sums[drawn]) >= max(others)


def test_the_stops_double_and_end_with_the_full_rank():
    assert stops_up_to(1) == [1] and stops_up_to(5) == [1, 2, 3, 4, 5]
    assert stops_up_to(384) == [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384]


def test_a_weight_that_begins_at_zero_has_no_shares():
    explorer = RankExplorer.of(np.zeros((4, 6)), random(4, 6))
    assert set(explorer.kept) == set(explorer.needed) == {"change", "random"} and explorer.change.size == 0
    assert explorer.static_twin().startswith(b"\x89PNG")


def test_the_matrix_is_chosen_by_name_and_the_rank_survives_a_smaller_one():
    explorer = RankExplorer({"large": pair(40, 30, 2), "small": pair(3, 4, 1)}, rank=16)
    assert explorer.name == "large" and explorer.parameters == (16 * 70, 1200)
    explorer.name = "small"
    assert explorer.rank == 16 and explorer.shown_rank == 3 and explorer.kept["change"] == pytest.approx(1)
    assert repr(explorer) == "RankExplorer(small, 3 x 4: rank 3 keeps 100.0 % of the change)"
    explorer.name = "large"
    assert explorer.shown_rank == 16


def test_what_makes_no_sense_is_refused_in_a_sentence():
    good, explorer = random(3, 4), RankExplorer()
    for wrong, sentence in (
        (lambda: RankExplorer([good]), "a dict of 1 to 12, name -> (before, after); got"),
        (lambda: RankExplorer({}), "a dict of 1 to 12"),
        (lambda: RankExplorer({"q": good}), "q must be two matrices, (before, after)"),
        (lambda: RankExplorer.of(good, random(4, 3)), "one shape before and after; got (3, 4) before and (4, 3) after"),
        (lambda: RankExplorer.of(good, good.copy()), "the matrix did not change"),
        (lambda: RankExplorer.of(good[0], good[1]), "before must be a matrix of up to 4096 rows and columns; got"),
        (lambda: RankExplorer.of(good, "W"), "the matrix after must be a matrix of numbers; got 'W'"),
        (lambda: RankExplorer.of(good, good * np.nan), "the matrix after must be finite numbers"),
        (lambda: setattr(explorer, "rank", 0), "rank must be a whole number, at least 1; got 0"),
        (lambda: setattr(explorer, "name", "k"), "name must be one of an example; got 'k'"),
        (lambda: kept_by_rank(np.zeros((2, 2))), "it has no energy to share"),
        (lambda: low_rank(good, -1), "rank must be a whole number, at least 0; got -1"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=re.escape(sentence)) as error:
            wrong()
        assert "\n" not in str(error.value) and str(error.value).endswith(".")
    assert (explorer.rank, explorer.name) == (2, "an example")


CELLS_DRAWN = """(canvases) => canvases.map((canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return Array.from({ length: data.length / 4 }, (_, i) => (data[4 * i] > data[4 * i + 2] ? 1 : -1) * data[4 * i + 3]);
})"""
SET = "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }"


@pytest.mark.browser
def test_the_page_shows_the_numbers_and_cells_of_python(page, tmp_path):
    explorer = RankExplorer(
        {"a <b>": pair(40, 30, 2), "b": pair(6, 5, 1, seed=9), "0": (np.zeros((5, 6)), random(5, 6))}
    )
    page.goto(explorer.save(tmp_path / "rank.html").as_uri())
    page.wait_for_selector(".tl-rank td")
    assert page.locator("option").all_inner_texts() == ["a <b>", "b", "0"]
    for explorer.name in ("b", "0", "a <b>"):
        page.get_by_label("matrix", exact=True).select_option(explorer.name)
        for n, stop in enumerate(explorer.change.stops):
            explorer.rank = stop
            page.get_by_label("rank r", exact=True).evaluate(SET, str(n))
            eventually(lambda: page.locator(".tl-rank output").inner_text() == str(explorer.rank))
            kept, needed = (dict(zip(explorer.kept, page.locator(f".tl-rank td.{name}").all_inner_texts(), strict=True))
                            for name in ("kept", "needed"))  # fmt: skip
            for name, share in explorer.kept.items():
                shown = kept[name]
                assert shown in (">99.9 %", "<0.1 %") or abs(float(shown.split()[0]) - 100 * share) < 0.06
                assert needed[name] == f"rank {explorer.needed[name]}"
            assert page.locator(".tl-rank dd").first.inner_text().endswith(f"= {explorer.parameters[0]:,}")
            whole, close, left = page.locator(".tl-rank canvas").evaluate_all(CELLS_DRAWN)
            scale = max(np.abs(explorer.change.drawn(stop)).max() for stop in explorer.change.stops)
            for shown, wanted in ((whole, explorer.change.drawn()), (close, explorer.change.drawn(explorer.rank)),
                                  (left, explorer.change.drawn() - explorer.change.drawn(explorer.rank))):  # fmt: skip
                shown, wanted = np.array(shown) / 254, np.clip(wanted / scale, -1, 1).ravel()
                np.testing.assert_allclose(abs(shown), abs(wanted), atol=0.012)
                assert (np.sign(shown) == np.sign(wanted))[abs(wanted) > 0.05].all()  # the palest have no colour
    eventually(lambda: page.locator(".tl-rank .spoken").text_content().startswith("Rank 30 keeps: the change 100.0 %"))


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_violation_and_nothing_cut_off(page, tmp_path, scheme):
    page.emulate_media(color_scheme=scheme)
    explorer = RankExplorer({"block 1, " + "query" * 20: pair(40, 30, 2), "b": pair(6, 5, 1)})
    page.goto(explorer.save(tmp_path / "rank.html").as_uri())
    page.wait_for_selector(".tl-rank td")
    assert violations(page, ".tl-rank") == []
    for width in (1366, 900, 360):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        boxes = [box.bounding_box() for box in page.locator(".tl-rank canvas").all()]
        assert all(one["y"] + one["height"] == pytest.approx(boxes[0]["y"] + boxes[0]["height"], abs=0.1)
                   for one in boxes if abs(one["y"] - boxes[0]["y"]) < 100)  # fmt: skip


def test_pictures_are_small():
    record = RankExplorer.of(*pair(40, 60, 2)).matrices[0]
    assert len(base64.b64decode(record["pictures"])) == CELLS * CELLS * (len(record["stops"]) + 1)

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.figure import Figure

from transformer_lab.viz import NormExplorer, normalise
from transformer_lab.viz.norm_explorer import AXES, CUBE, EPS, HIGHEST, LOWEST

numbers = st.floats(-4, 4, width=32)
cubes = arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 5)), elements=numbers)
overs = st.sampled_from(sorted(AXES))
# Which axes a group keeps apart, written a second time: (sample, position, feature).
APART = {"features": "bt", "time": "bd", "batch": "td", "batch and time": "d", "time and features": "b"}


def slow(cube, over):
    """The formula, one number at a time."""
    key = {place: tuple(i for i, name in zip(place, "btd", strict=True) if name in APART[over])
           for place in np.ndindex(cube.shape)}  # fmt: skip
    output = np.zeros(cube.shape)
    for place in np.ndindex(cube.shape):
        group = [cube[other] for other in np.ndindex(cube.shape) if key[other] == key[place]]
        mean = math.fsum(group) / len(group)
        variance = math.fsum((number - mean) ** 2 for number in group) / len(group)
        output[place] = (cube[place] - mean) / math.sqrt(variance + EPS)
    return output


@given(cubes, overs)
def test_equals_the_formula_one_number_at_a_time(cube, over):
    np.testing.assert_allclose(normalise(cube, over)[0], slow(cube, over), rtol=1e-7, atol=1e-7)


@given(cubes)
def test_over_features_it_is_a_layer_norm_and_over_batch_and_time_a_batch_norm(cube):
    x = torch.from_numpy(cube)
    np.testing.assert_allclose(normalise(cube)[0], F.layer_norm(x, x.shape[-1:], eps=EPS), atol=1e-6)
    if x.shape[0] * x.shape[1] > 1:
        batch = F.batch_norm(x.flatten(0, 1), None, None, training=True, eps=EPS).view(x.shape)
        np.testing.assert_allclose(normalise(cube, "batch and time")[0], batch, atol=1e-6)


@pytest.mark.parametrize("over", AXES)
def test_exactly_the_groups_members_move(over):
    """Also the answer to the explorer's question: only over the features nothing moves elsewhere."""
    explorer = NormExplorer(over=over)
    expected = np.zeros(np.shape(CUBE), dtype=bool)
    b, t, d = (slice(None) if name not in APART[over] else i for name, i in zip("btd", explorer.cell, strict=True))
    expected[b, t, d] = True
    assert (explorer.changed == expected).all()
    expected[1, 2] = False
    assert expected.any() == (over != "features")


def test_every_cell_and_every_end_of_the_slider_moves_its_whole_group():
    explorer = NormExplorer()
    sizes = {over: NormExplorer(over=over).changed.sum() for over in AXES}
    for cell in np.ndindex(np.shape(CUBE)):
        for explorer.over in AXES:
            explorer.cell = list(cell)
            for explorer.value in (LOWEST, HIGHEST):
                assert explorer.changed.sum() == sizes[explorer.over]
            explorer.value = float(np.array(CUBE)[cell])
            assert not explorer.changed.any()


def test_the_picture_shows_the_chosen_axes_alone():
    """The lesson asks for the other choices: a picture of all of them would answer."""
    for over in AXES:
        explorer, figure = NormExplorer(over=over), Figure()
        explorer.draw(figure)
        assert over in figure.get_suptitle() and f"{explorer.changed.sum()} of 60" in figure.get_suptitle()
        shown = [text.get_text() for axes in figure.axes for text in axes.texts if "sample" not in text.get_text()]
        numbers = [*explorer.inputs.ravel(), *normalise(explorer.inputs, over)[0].ravel()]
        assert shown == [f"{number:z.1f}" for number in numbers]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: normalise([[1.0]]), r"cube must be finite numbers of shape \(B, T, D\).*\(1, 1\)"),
        (lambda: normalise(CUBE, "heads"), "over must be one of 'features'.* got 'heads'"),
        (lambda: normalise(CUBE, eps=0.0), "eps must be above 0; got 0"),
        (lambda: NormExplorer(cell=[3, 0, 0]), r"cell must be three whole numbers, below \(3, 4, 5\)"),
        (lambda: NormExplorer(cell=[0, 0]), "cell must be three whole numbers"),
        (lambda: NormExplorer(value=4.5), "value must be between -4 and 4; got 4.5"),
    ],
)
def test_errors_are_one_sentence_that_names_the_argument(wrong, says):
    with pytest.raises(ValueError, match=says) as error:
        wrong()
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


@pytest.mark.browser
def test_the_page_shows_the_same_numbers_and_lights_up_the_same_cells(page, tmp_path):
    page.goto(NormExplorer().save(tmp_path / "norm.html").as_uri())
    page.wait_for_selector(".tl-norm")
    cell, value = [1, 2, 1], 3.0

    def same(over):
        explorer = NormExplorer(over=over, cell=cell, value=value)
        output, mean, spread = normalise(explorer.inputs, over)
        shown = page.evaluate("""() => {
          const svg = document.querySelectorAll(".tl-norm svg");
          const read = (e) => Number(e.querySelector("text").textContent.replace("−", "-"));
          return [[...svg[0].querySelectorAll(".cell")].map(read), [...svg[1].querySelectorAll(".cell")].map(read),
                  [...svg[1].querySelectorAll(".cell")].map((e) => e.classList.contains("moved")),
                  [...document.querySelectorAll(".tl-norm td")].map((e) => e.textContent.replace("−", "-"))];
        }""")
        np.testing.assert_allclose(shown[0], explorer.inputs.ravel(), atol=0.051)
        np.testing.assert_allclose(shown[1], output.ravel(), atol=0.0051)
        assert shown[2] == explorer.changed.ravel().tolist()
        facts, group = shown[3][:4], [float(text) for text in shown[3][4:]]
        assert facts[3] == f"{explorer.changed.sum()} of 60"
        place = tuple(0 if size == 1 else i for i, size in zip(cell, mean.shape, strict=True))
        np.testing.assert_allclose(group[1:3], [mean[place], spread[place]], atol=6e-4)
        assert group[0] * group[3] == 60 and group[3] == mean.size

    for over in AXES:
        page.select_option(".tl-norm select", over)
        same(over)
    set_value = "(e, v) => { e.value = v; e.dispatchEvent(new Event('input')); }"
    page.locator(".tl-norm input[type=range]").evaluate(set_value, "-2.5")
    value = -2.5
    same("time and features")

    page.locator(".tl-norm .field .cell").nth(0).click()  # another cell: it starts from its own number
    cell, value = [0, 0, 0], CUBE[0][0][0]
    same("time and features")
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown", "+", "+", "PageDown"):
        page.keyboard.press(key)
    cell, value = [1, 0, 1], CUBE[1][0][1] + 0.2 - 1
    same("time and features")
    box = page.locator(".tl-norm .field .cell.chosen").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y), page.mouse.down(), page.mouse.move(x, y - 80, steps=4), page.mouse.up()
    value += 1.0
    same("time and features")
    page.get_by_role("button", name="reset").click()
    cell, value = NormExplorer().cell, NormExplorer().value
    same(NormExplorer().over)

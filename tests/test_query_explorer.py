import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from transformer_lab import scaled_dot_product_attention
from transformer_lab.viz import QueryExplorer, attend_to
from transformer_lab.viz.query_explorer import COLDEST, HOTTEST, KEYS, VALUES

numbers = st.floats(-3, 3, width=32)
queries = arrays(np.float64, 2, elements=numbers)
temperatures = st.floats(COLDEST, HOTTEST)


@st.composite
def settings_of_attention(draw):
    """query, keys, values, temperature with every size different."""
    d, S, d_value = draw(st.integers(1, 5)), draw(st.integers(1, 7)), draw(st.integers(1, 4))
    shapes = [(d,), (S, d), (S, d_value)]
    return *(draw(arrays(np.float64, shape, elements=numbers)) for shape in shapes), draw(temperatures)


def slow(query, keys, values, temperature):
    """The formula, one number at a time."""
    scores = [math.fsum(a * b for a, b in zip(query, key, strict=True)) for key in keys]
    scores = [score / (temperature * math.sqrt(len(query))) for score in scores]
    powers = [math.exp(score - max(scores)) for score in scores]
    weights = [power / math.fsum(powers) for power in powers]
    columns = np.array(values).T
    return weights, [math.fsum(w * v for w, v in zip(weights, column, strict=True)) for column in columns]


@given(settings_of_attention())
def test_equals_the_formula_one_number_at_a_time(case):
    weights, output = attend_to(*case)
    slow_weights, slow_output = slow(*case)
    np.testing.assert_allclose(weights, slow_weights, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(output, slow_output, rtol=1e-9, atol=1e-9)


@given(settings_of_attention())
def test_equals_the_package_at_temperature_one(case):
    q, k, v = (torch.from_numpy(x) for x in case[:3])
    output, weights = scaled_dot_product_attention(q[None], k, v)
    ours = attend_to(*case[:3])
    np.testing.assert_allclose(ours[0], weights[0], atol=1e-12)
    np.testing.assert_allclose(ours[1], output[0], atol=1e-12)


@given(settings_of_attention())
def test_the_output_is_a_convex_combination(case):
    """Weights in [0, 1] that sum to one: in no direction does the output go beyond the furthest value."""
    weights, output = attend_to(*case)
    assert (weights >= 0).all() and weights.sum() == pytest.approx(1, abs=1e-12)
    values, directions = case[2], np.random.default_rng(0).normal(size=(case[2].shape[1], 64))
    assert (output @ directions <= (values @ directions).max(axis=0) + 1e-9).all()


@given(settings_of_attention(), st.integers(0, 10))
def test_what_changes_nothing(case, seed):
    query, keys, values, temperature = case
    random = np.random.default_rng(seed)
    same, order = attend_to(*case), random.permutation(len(keys))
    # One vector added to every key adds the same q·c to every score.
    shifted = attend_to(query, keys + random.normal(size=query.shape), values, temperature)
    np.testing.assert_allclose(shifted[0], same[0], atol=1e-9)
    np.testing.assert_allclose(attend_to(query, keys[order], values[order], temperature)[1], same[1], atol=1e-9)
    # Twice the query is half the temperature.
    np.testing.assert_allclose(attend_to(2 * query, keys, values, 2 * temperature)[0], same[0], atol=1e-12)


@given(queries)
def test_the_two_ends_of_temperature(query):
    scores = np.array(KEYS) @ query
    best, second = np.sort(scores)[[-1, -2]]
    np.testing.assert_allclose(attend_to(query, KEYS, VALUES, 1e9)[1], np.mean(VALUES, axis=0), atol=1e-6)
    if best - second > 1e-3:
        np.testing.assert_allclose(attend_to(query, KEYS, VALUES, 1e-6)[1], VALUES[scores.argmax()], atol=1e-9)


def test_the_task_can_be_done_and_takes_a_lower_temperature():
    midpoint, near = np.mean(VALUES[:2], axis=0), 0.01 * np.hypot(*np.subtract(*VALUES[:2]))

    def distance(query, temperature):
        return np.hypot(*(attend_to(query, KEYS, VALUES, temperature)[1] - midpoint))

    scores = np.array(KEYS) @ [2.0, 3.0]
    assert scores[0] == pytest.approx(scores[1]) and scores[0] - max(scores[2:]) == pytest.approx(2)
    assert distance([2.0, 3.0], 0.3) < near
    grid = np.linspace(-3, 3, 121)
    assert min(distance([x, y], 1.0) for x in grid for y in grid) > near


@settings(max_examples=6, deadline=None)
@given(queries, temperatures)
def test_the_picture_can_be_drawn_anywhere_and_is_the_same_twice(query, temperature):
    explorer = QueryExplorer(query=query.tolist(), temperature=temperature)
    picture = explorer.static_twin()
    assert picture[:4] == b"\x89PNG" and picture == explorer.static_twin()


def test_the_picture_can_be_drawn_over_the_whole_range():
    explorer = QueryExplorer()
    sweep = [([x, y], 1.0) for x in (-3, 0, 3) for y in (-3, 0, 3)]
    sweep += [([2, 3], temperature) for temperature in np.geomspace(COLDEST, HOTTEST, 5)]
    pictures = set()
    for explorer.query, explorer.temperature in sweep:
        pictures.add(explorer.static_twin())
    assert len(pictures) == len(sweep)


@pytest.mark.parametrize(
    "values", [np.zeros((5, 2)), np.ones((5, 2)), 100 * np.array(VALUES), np.c_[range(5), range(5)]]
)
def test_the_picture_of_values_without_a_hull(values):
    assert QueryExplorer(keys=values, values=values).static_twin()


def test_what_python_reads():
    explorer = QueryExplorer()
    assert explorer.query == [1.2, -0.8] and explorer.temperature == 1
    explorer.query, explorer.temperature = (2, 3), 0.3
    weights, output = attend_to([2, 3], KEYS, VALUES, 0.3)
    assert (explorer.weights == weights).all() and (explorer.output == output).all()
    with pytest.raises(AttributeError):
        explorer.weights = weights


def test_bundle_has_a_picture_and_a_stable_text():
    bundle, _ = QueryExplorer(query=[0.6, 0.2])._repr_mimebundle_()
    assert bundle["text/plain"] == "QueryExplorer(5 keys, query=(0.60, 0.20), temperature=1)"
    assert bundle["image/png"] and "application/vnd.jupyter.widget-view+json" in bundle


def test_torch_tensors_are_taken_and_own_points_kept():
    keys = torch.arange(10.0).view(5, 2)
    explorer = QueryExplorer(keys=keys, values=-keys)
    assert explorer.key_points == keys.tolist() and explorer.value_points == (-keys).tolist()
    explorer.query = [9.0, -9.0]  # as far as the longest key reaches


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: QueryExplorer(keys=np.ones((4, 2))), r"keys must be .* \(5, 2\); got shape \(4, 2\)"),
        (lambda: QueryExplorer(values=np.ones((5, 3))), r"values must be .* \(5, 2\); got shape \(5, 3\)"),
        (lambda: QueryExplorer(keys=[[1, 2], [3]]), r"keys must be .* got \[\[1, 2\], \[3\]\]"),
        (lambda: QueryExplorer(values=np.full((5, 2), np.nan)), "values must be finite"),
        (lambda: QueryExplorer(query=[1, 2, 3]), r"query must be .* \(2,\); got shape \(3,\)"),
        (lambda: QueryExplorer(query=[3.5, 0]), "query must lie within -3 and 3"),
        (lambda: QueryExplorer(temperature=0), "temperature must be between 0.05 and 10; got 0"),
        (lambda: attend_to([1, 2, 3], KEYS, VALUES), r"query and keys .* got \(3,\) and \(5, 2\)"),
        (lambda: attend_to([1, 2], KEYS, VALUES[:4]), r"values .* S=5 .* got \(4, 2\)"),
        (lambda: attend_to([1, 2], KEYS, VALUES, 0), "temperature must be above 0 and finite; got 0"),
        (lambda: attend_to([1, 2], KEYS, VALUES, math.nan), "temperature must be above 0 and finite; got nan"),
    ],
)
def test_errors_are_one_sentence_that_names_the_argument(wrong, says):
    with pytest.raises(ValueError, match=says) as error:
        wrong()
    assert "\n" not in str(error.value) and str(error.value).endswith(".")

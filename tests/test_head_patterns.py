"""What heads do, on weights that are made up, and of models that are trained, untrained and shuffled."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

import transformer_lab.viz
from transformer_lab import TransformerConfig, load
from transformer_lab.analysis.head_patterns import PATTERNS, choice_of, head_patterns, most_telling
from transformer_lab.analysis.head_scores import head_scores
from transformer_lab.analysis.reading import read_attention
from transformer_lab.models import GPT
from transformer_lab.viz import AttentionView

N = 12
TEXT = "The cat sat on the mat because the cat was tired, and the dog sat on the rug because the dog was tired too."


def reads(keys, n=N, share=1.0, causal=False):
    """A head (n, n) that gives this share of its weight to one key for each query, and the rest to all alike."""
    may = np.tril(np.ones((n, n))) if causal else np.ones((n, n))
    weights = (1 - share) * may / may.sum(axis=-1, keepdims=True)
    for query, key in enumerate(keys):
        weights[query] += share * (np.arange(n) == key) if may[query, key] else share * may[query] / may[query].sum()
    return weights


def named(heads, tokens=None):
    heads = np.stack(heads)[None].astype(np.float32)
    tokens = [f"t{i}" for i in range(heads.shape[-1])] if tokens is None else tokens
    return {one.head: (one.name, one.score) for one in head_patterns(heads, tokens, tokens)}


EVEN = np.ones((N, N)) / N


def test_each_pattern_is_called_by_its_name_and_with_its_share():
    own, tokens = np.arange(N), list("abcdefabcdef")
    heads = [reads(np.maximum(own - 1, 0), share=0.9), reads(own), reads(np.minimum(own + 1, N - 1)), reads(own * 0),
             reads(own * 0 + 7, share=0.8), EVEN, reads(np.where(own > 5, own - 5, 11 - own))]  # fmt: skip
    found = named(heads, tokens)
    assert [found[i][0] for i in range(7)] == [
        "previous token", "diagonal", "next token", "first token", "one token", "uniform", "induction",
    ]  # fmt: skip
    shares = {0: 0.9 + 0.1 / N, 4: 0.8 + 0.2 / N, 5: 1, 6: 1}
    assert {i: found[i][1] for i in shares} == pytest.approx(shares, abs=1e-6)


@pytest.mark.parametrize("share, name", [(0.4, None), (0.6, "previous token")])
def test_less_than_half_of_the_weight_has_no_name(share, name):
    before = np.maximum(np.arange(N) - 1, 0)
    assert named([reads(before, share=share), reads(before * 0 + 3, share=0.2)]).get(0, (None,))[0] == name


def test_a_causal_heads_scores_are_those_of_head_scores():
    weights = np.stack([reads(np.maximum(np.arange(N) - 1, 0), share=0.8, causal=True),
                        reads(np.zeros(N, int), share=0.7, causal=True)])  # fmt: skip
    scores = head_scores([torch.tensor(weights)[None]])
    found = named(weights)
    assert found[0] == ("previous token", pytest.approx(scores["previous token"][0, 0].item(), abs=1e-6))
    assert found[1] == ("first token", pytest.approx(scores["first token"][0, 1].item(), abs=1e-6))
    tokens, period = [f"t{i % 6}" for i in range(N)], 6
    weights = reads(np.where(np.arange(N) > 5, np.arange(N) - 5, 0), share=0.9, causal=True)[None]
    wanted = head_scores([torch.tensor(weights)[None]], period)["induction"][0, 0].item()
    assert named([weights[0], reads(np.arange(N), causal=True)], tokens)[0] == ("induction", pytest.approx(wanted))


def test_even_reading_under_a_mask_is_uniform_and_no_sink():
    """Of 6 tokens under a causal mask the first gets 0.29 of the weight, of 3 tokens nearly half."""
    for n in (3, 5, 6, 9):
        may = np.tril(np.ones((n, n)))
        found = named([may / may.sum(axis=-1, keepdims=True)] * 2)
        assert found == ({} if n < 6 else {i: ("uniform", pytest.approx(1)) for i in range(2)})


def test_tokens_that_differ_have_no_previous_one():
    weights = np.stack([reads(np.maximum(np.arange(N) - 1, 0)), reads(np.arange(N))])[None].astype(np.float32)
    queries, keys = [f"q{i}" for i in range(N)], [f"k{i}" for i in range(N)]
    assert [one[1:3] for one in head_patterns(weights, queries, keys)] == [(1, "diagonal")]
    predicted = [*keys[1:], "end"]  # a decoder's rows bear what they predict: still self-attention
    assert [one[1:3] for one in head_patterns(weights, predicted, keys)] == [(0, "previous token"), (1, "diagonal")]
    assert head_patterns(weights[..., :7], queries, keys[:7]) == []  # another number of keys


def shuffled(weights, seed):
    """The same weights in each row, given to other keys that may be read."""
    rng, may_read, mixed = np.random.default_rng(seed), choice_of(weights).even > 0, weights.copy()
    for query, row in enumerate(may_read):
        keys = np.flatnonzero(row)
        for layer, head in np.ndindex(weights.shape[:2]):
            mixed[layer, head, query, keys] = weights[layer, head, query, rng.permutation(keys)]
    return mixed


def test_a_trained_model_has_heads_with_names_and_shuffled_or_untrained_it_has_none():
    model, tokenizer = load("minilm")
    (seen,) = read_attention(model, tokenizer, TEXT).values()
    found = head_patterns(seen.weights, seen.query_tokens, seen.key_tokens)
    assert {"previous token", "first token"} <= {one.name for one in found} and len(found) > 10
    for seed in range(3):
        assert head_patterns(shuffled(seen.weights, seed), seen.query_tokens, seen.key_tokens) == []
        torch.manual_seed(seed)
        (fresh,) = read_attention(type(model)(model.config), tokenizer, TEXT).values()
        named = head_patterns(fresh.weights, fresh.query_tokens, fresh.key_tokens)
        assert {one.name for one in named} <= {"uniform"}
        layer, head = most_telling(seen.weights, found)
        assert [one.name for one in found if one[:2] == (layer, head)] == ["previous token"]


def test_an_untrained_gpt_reads_evenly():
    for seed in range(3):
        torch.manual_seed(seed)
        model = GPT(TransformerConfig.preset("nano", vocab_size=40, max_len=32)).eval()
        view = AttentionView.from_model(model, None, list(range(20)))
        assert {one.name for one in view.patterns} <= {"uniform"}, view.patterns


def test_the_most_telling_head_is_least_like_the_average_and_no_sink():
    own = np.arange(N)
    heads = np.stack([[EVEN, reads(own * 0), reads(own, share=0.4)], [EVEN, EVEN, reads(own * 0)]]).astype(np.float32)
    tokens = [f"t{i}" for i in range(N)]
    found = head_patterns(heads, tokens, tokens)
    assert most_telling(heads, found) == (0, 2)
    assert most_telling(heads, []) == (0, 1)  # the sink is farther from the average: it must be known to be one
    assert most_telling(heads[1:], head_patterns(heads[1:], tokens, tokens)) == (0, 0)  # no head is telling
    heads[0, 0] = 0  # a head that is switched off reads nothing: that tells nothing
    assert most_telling(heads, found[1:]) == (0, 2)


def test_a_view_opens_on_the_most_telling_head_unless_one_is_given():
    own = np.arange(N)
    weights = np.stack([[EVEN, reads(own)], [reads(own * 0), EVEN]]).astype(np.float32)
    opened = AttentionView(weights, [f"t{i}" for i in own])
    assert opened.selection == {"layer": 0, "head": 1, "query": None, "key": None}
    given = {"layer": 1, "head": 0, "query": 2, "key": 3}
    assert AttentionView(weights, selection=given).selection == given
    with pytest.raises(ValueError, match=r"^selection\['layer'\] must be a whole number from 0 to 1; got 2"):
        AttentionView(weights, selection={"layer": 2, "head": 0})
    changed = weights.copy()
    changed[1, 1, 3, 3:5] += 0.05, -0.05
    difference = AttentionView.difference(AttentionView(changed), AttentionView(weights))
    assert difference.selection["layer"] == difference.selection["head"] == 1 and difference.patterns == []


def test_the_browser_has_a_name_for_each_pattern():
    text = (Path(transformer_lab.viz.__file__).parent / "static" / "attention_patterns.js").read_text()
    names = re.findall(r'^  "?([a-z ]+)"?: \["\w+", "', text, re.MULTILINE)
    assert tuple(names) == PATTERNS

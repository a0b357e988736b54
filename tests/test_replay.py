"""Steps that a GPU can replay: on the CPU they are the same as the Reader's. tests/gpu records and replays them."""

from unittest import mock

import pytest
import torch

from test_generation import VARIANTS, inputs_for, random_model
from test_training import in_a_fresh_python
from transformer_lab import BERT, GPT, Transformer, generate, load, stream, translate
from transformer_lab.analysis.ablation import ablate_heads, switch_off
from transformer_lab.analysis.recording import record_attention, record_residual_stream
from transformer_lab.attention import explicit_attention
from transformer_lab.generation import decoding, replay
from transformer_lab.generation.reader import Reader
from transformer_lab.generation.replay import ReplayReader, can_replay

CUDA = torch.device("cuda")
models = pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: "llama" if "norm" in v else v["positions"])
families = pytest.mark.parametrize("family", [GPT, Transformer])


def long_model(family, variant):
    return random_model(family, 0, **{**variant, "max_len": 60})


def replayed(steps_before=2, room=7):
    """Within the block generations go the way that they go on a GPU, only not recorded."""
    patches = mock.patch.multiple(replay, STEPS_BEFORE=steps_before, ROOM=room)
    return mock.patch.object(decoding, "can_replay", lambda *_: True), patches


def write(*arguments, **options):
    asked, sizes = replayed()
    with (
        asked,
        sizes,
        mock.patch.object(ReplayReader, "one_step", autospec=True, side_effect=ReplayReader.one_step) as step,
    ):
        written = generate(*arguments, **options)
    return written, step.call_count


@families
@models
@pytest.mark.parametrize(
    "options",
    [dict(), dict(padded=True), dict(temperature=1.0, top_p=0.9, seed=3), dict(stop=[1, 5], pad_id=0)],
    ids=str,
)
def test_the_same_text_is_written(family, variant, options):
    model = long_model(family, variant)
    ids, more = inputs_for(model)
    options = dict(options)
    if options.pop("padded", False):
        more["mask"] = torch.arange(4) >= torch.tensor([[0], [1], [3]])
    expected = generate(model, ids, 22, **more, **options)
    written, n_replayed = write(model, ids, 22, **more, **options)
    assert torch.equal(written, expected)
    assert n_replayed == expected.shape[1] - 4 - 2, "all steps but the first two"


@families
@models
def test_each_step_gives_the_same_logits(family, variant):
    model = long_model(family, variant)
    ids, more = inputs_for(model, T=22)
    mask = torch.arange(22) >= torch.tensor([[0], [1], [3]])
    plain, fast = (kind(model, mask[:, :4], **more) for kind in (Reader, ReplayReader))
    with replayed()[1]:
        for n in range(4, 22):
            logits = fast.next_logits(ids[:, :n])
            torch.testing.assert_close(logits, plain.next_logits(ids[:, :n]), rtol=1e-5, atol=1e-5)
    assert fast.n_places == 5 + 3 * 7 and len(plain.cache[0][0]) == 21


def test_two_streams_at_once_do_not_disturb_each_other():
    model = long_model(GPT, VARIANTS[-1])
    ids, _ = inputs_for(model)
    expected = [generate(model, ids, 20, temperature=1.0, seed=seed)[:, 4:] for seed in (1, 2)]
    asked, sizes = replayed()
    with asked, sizes:
        pairs = list(zip(*(stream(model, ids, 20, temperature=1.0, seed=seed) for seed in (1, 2)), strict=True))
    for columns, wanted in zip(zip(*pairs, strict=True), expected, strict=True):
        assert torch.equal(torch.stack(columns, dim=1), wanted)


def test_translations_are_the_same():
    model, tokenizer = load("dates")
    texts = ["May 3, 2021", "Sunday, December 31, 1999"]
    expected = translate(model, tokenizer, texts)
    asked, sizes = replayed(steps_before=1, room=3)
    with asked, sizes:
        assert translate(model, tokenizer, texts) == expected


# -- when it is chosen


def test_it_is_chosen_on_cuda_alone():
    model = random_model()
    assert can_replay(model, CUDA) and can_replay(random_model(Transformer), torch.device("cuda", 1))
    assert not can_replay(model, torch.device("cpu")) and not can_replay(model, torch.device("mps"))


class Own(GPT):
    """A model of somebody else, which may do anything."""


class Foreign(torch.nn.Linear):
    """A part that looks at its values, which nothing can replay."""


def with_part(model):
    model.decoder.blocks[0].feed_forward.w_1 = Foreign(16, 24)
    return model


def with_own_attention(model):
    model.decoder.blocks[1].attention.attend = explicit_attention()
    return model


@pytest.mark.parametrize(
    "make",
    [
        lambda: random_model(Own),
        lambda: with_part(random_model()),
        lambda: with_own_attention(random_model()),
        lambda: torch.compile(random_model(), backend="eager"),
        lambda: random_model(BERT),
    ],
    ids=["a subclass", "a part of somebody's", "attention of somebody's", "compiled", "no decoder"],
)
def test_a_model_that_is_not_wholly_ours_is_read_step_by_step(make):
    assert not can_replay(make(), CUDA)


def test_a_model_that_is_watched_or_changed_is_read_step_by_step():
    model = random_model()
    for around in (
        lambda: record_attention(model),
        lambda: record_residual_stream(model),
        lambda: ablate_heads(model, [(0, 1)]),
        lambda: switch_off(model, "feed-forward"),
        lambda: switch_off(model, "positions"),
    ):
        with around():
            assert not can_replay(model, CUDA)
        assert can_replay(model, CUDA)


def test_within_autocast_it_is_read_step_by_step(monkeypatch):
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind: kind == "cuda")  # without CUDA it cannot be
    assert not can_replay(random_model(), CUDA)


def test_without_a_cache_and_with_beams_nothing_is_replayed():
    model = random_model()
    ids, _ = inputs_for(model)
    for options in (dict(use_cache=False), dict(beams=2)):
        asked, sizes = replayed()
        with asked, sizes, mock.patch.object(ReplayReader, "one_step", side_effect=AssertionError):
            generate(model, ids, 10, **options)


def test_a_short_text_is_written_without():
    model = long_model(GPT, VARIANTS[0])
    ids, _ = inputs_for(model)
    with mock.patch.object(decoding, "can_replay", lambda *_: True):
        with mock.patch.object(ReplayReader, "make_room", side_effect=AssertionError):
            generate(model, ids, replay.STEPS_BEFORE)
        with mock.patch.object(ReplayReader, "make_room", side_effect=KeyError), pytest.raises(KeyError):
            generate(model, ids, replay.STEPS_BEFORE + 1)


# -- whether a step can be recorded


@families
@models
def test_a_step_asks_for_no_value_and_brings_nothing_from_the_cpu(family, variant):
    """A recording can do neither. On the device "meta" there are no values, and tensors of other devices fail."""
    with torch.device("meta"):
        model, ids = random_model(family, **variant), torch.zeros(3, 5, dtype=torch.long)
    reader = ReplayReader(model, source=ids if family is Transformer else None)
    reader.is_checked = True
    with replayed(steps_before=1)[1]:
        reader.next_logits(ids[:, :4])
        assert reader.next_logits(ids).is_meta and reader.n_places == 11


COMPILED = """
import torch
from test_replay import VARIANTS, GPT, Transformer, ReplayReader, inputs_for, long_model, replay, replayed

traced = []

def count(graph, inputs):  # a compiler that leaves each graph as it is, and counts them
    traced.append(graph)
    return graph.forward

replay.STEPS_BEFORE = 1
for variant in VARIANTS:
    for family in (GPT, Transformer):
        model = long_model(family, variant)
        ids, more = inputs_for(model, T=12)
        plain, fast = ReplayReader(model, **more), ReplayReader(model, **more)
        traced.clear()
        for n in range(4, 12):
            expected = plain.next_logits(ids[:, :n])
            assert (fast.next_logits(ids[:, :n]) - expected).abs().max() < 1e-5
            if n == 5:
                fast.step = torch.compile(fast.one_step, fullgraph=True, backend=count)
        assert len(traced) == 1, "at every position the step is the same program, in one graph"
        torch.compiler.reset()
"""


def test_a_step_compiles_as_one_graph():
    run = in_a_fresh_python(COMPILED)
    assert run.returncode == 0, run.stderr[-3000:]

"""The journey of a token's vector: every number is the model's, and the tour shows it."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread

from transformer_lab import (
    BERT,
    GPT,
    Transformer,
    TransformerConfig,
    load,
    record_attention,
    record_journeys,
    record_residual_stream,
)
from transformer_lab.analysis.reading import ids_of
from transformer_lab.data.tokenizers import CharacterTokenizer
from transformer_lab.viz.inputs import visible
from transformer_lab.viz.model_tour import LAST_SAID, MOST_TOKENS, SAID, TEMPERATURES, ModelTour, addresses
from transformer_lab.viz.tour_picture import draw_tour

TEXT = "May 3, 1931"
CASES = {
    "GPT, learned positions": (GPT, {"positions": "learned"}),
    "GPT, Llama's style": (GPT, {"positions": "rotary", "n_kv_heads": 2, "norm": "rms", "activation": "swiglu"}),
    "GPT, post-norm": (GPT, {"norm_position": "post"}),
    "GPT, alibi, an output of its own": (GPT, {"positions": "alibi", "tie_embeddings": False}),
    "BERT": (BERT, {"norm_position": "post", "norm_embeddings": True, "n_segments": 2, "masked_lm_head": True}),
    "BERT, pre-norm, no head": (BERT, {}),
}


def made(cls, **changes):
    """A model with large random weights and its tokenizer."""
    tokenizer = CharacterTokenizer.train(["the cat sat on the mat"])
    config = TransformerConfig.preset("nano", d_model=24, vocab_size=len(tokenizer), dropout=0.5, **changes)
    torch.manual_seed(0)
    model = cls(config)
    with torch.no_grad():  # fresh weights attend to everything alike, and gammas are all 1
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape))
    return model.eval(), tokenizer


@pytest.fixture(scope="module")
def dates():
    return load("dates")


@pytest.fixture(scope="module", params=[*CASES, "dates", "Transformer, pre-norm"])
def recorded(request, dates):
    """(model, its journeys, its output, its attention, its residual stream, its stacks' final norms)."""
    if request.param in CASES:
        (cls, changes), text = CASES[request.param], "the cat sat"
        model, tokenizer = made(cls, **changes)
    elif request.param == "dates":
        (model, tokenizer), text = dates, TEXT
    else:
        tokenizer, text = dates[1], TEXT
        torch.manual_seed(0)
        model = Transformer(TransformerConfig.preset("nano", vocab_size=len(tokenizer), max_len=16)).eval()
    journeys = record_journeys(model, tokenizer, text)
    ids, written = ids_of(model, tokenizer, text)
    inputs = (ids,) if written is None else (ids, written[:, :-1])
    with record_attention(model) as maps, record_residual_stream(model) as stream, torch.no_grad():
        output = model(*inputs)
    return model, journeys, output, maps, stream


def close(actual, expected):
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=1e-4)


def test_the_final_probabilities_are_the_models_and_the_lens_ends_with_them(recorded):
    model, journeys, output, *_ = recorded
    (*_, journey) = journeys.values()
    if isinstance(model, BERT):
        with torch.no_grad():
            close(journey.norm(journey.after[-1]), output[0])
            output = None if model.masked_lm_head is None else model.masked_lm_logits(output)
    if output is None:
        assert journey.logits is None and journey.lens(3) is None
        return
    close(journey.logits, output[0])
    probabilities, ids = journey.lens(4)
    wanted = output[0].softmax(dim=-1).topk(4)
    assert probabilities.shape == (len(journey.steps), len(journey.tokens), 4)
    close(probabilities[-1], wanted.values)
    assert torch.equal(ids[-1], wanted.indices)
    # After an earlier step, what the model itself would say if it ended there.
    step = len(journey.steps) // 2
    with torch.no_grad():
        hidden = journey.norm(journey.after[step])[None]
        early = model.masked_lm_logits(hidden) if isinstance(model, BERT) else model.logits(hidden)
    close(probabilities[step], early[0].softmax(dim=-1).topk(4).values)


def test_every_step_adds_to_the_vector_and_the_stream_is_the_models(recorded):
    model, journeys, _, _, stream = recorded
    for name, journey in journeys.items():
        close(journey.before + journey.added, journey.sums)
        close(journey.before[1:], journey.after[:-1])
        ends = [0, *(i for i, (_, part) in enumerate(journey.steps) if part == "feed-forward")]
        close(journey.after[ends], torch.stack([x[0] for x in stream[name]]))
        if model.config.norm_position == "pre" and not model.config.norm_embeddings:
            close(journey.start + journey.added.sum(dim=0), journey.after[-1])
        else:
            blocks = getattr(model, name).blocks
            for step, (block, part) in list(enumerate(journey.steps))[1:]:
                layers = {"attention": "attention_residual", "cross-attention": "cross_residual"}
                residual = getattr(blocks[block], layers.get(part, "feed_forward_residual"))
                close(residual.norm(journey.sums[step]), journey.after[step])


def test_what_is_added_is_each_sublayers_output(recorded):
    """Worked out anew, from the vector before it: a feed-forward layer looks at nothing else."""
    model, journeys, *_ = recorded
    for name, journey in journeys.items():
        for step, (block, part) in enumerate(journey.steps):
            if part == "feed-forward":
                one, x = getattr(model, name).blocks[block], journey.before[step]
                with torch.no_grad():
                    x = one.feed_forward_residual.norm(x) if model.config.norm_position == "pre" else x
                    close(one.feed_forward(x), journey.added[step])
        with torch.no_grad():
            ids = None if name == "decoder" and len(journeys) == 2 else model.embedding.tokens.weight
            if ids is not None and not model.config.n_segments:
                norms = (ids * model.embedding.scale).norm(dim=-1)
                assert (norms[:, None] - journey.start.norm(dim=-1)).abs().min(dim=0).values.max() < 1e-4


def test_the_weights_are_those_that_record_attention_has(recorded):
    _, journeys, _, maps, _ = recorded
    seen = {(name, part) for name, journey in journeys.items() for part in journey.attention}
    assert len(seen) == len(maps)
    for name, part in seen:
        wanted = torch.cat(maps["cross" if part == "cross-attention" else name])
        close(torch.tensor(journeys[name].attention[part].weights), wanted)
        assert journeys[name].attention[part].key_tokens == journeys["encoder" if len(journeys) == 2 and (
            name == "encoder" or part == "cross-attention") else name].tokens  # fmt: skip


def test_what_follows_is_the_next_token_of_the_text_and_nothing_else_is_changed(dates):
    model, tokenizer = made(GPT)
    model.train()
    journey = record_journeys(model, tokenizer, "the cat")["decoder"]
    assert journey.follows == [*tokenizer.encode("the cat")[1:], None]
    assert model.training and not any(module._forward_hooks for module in model.modules())
    again = record_journeys(model, tokenizer, "the cat")["decoder"]
    close(again.after, journey.after)  # without dropout
    encoder, decoder = record_journeys(*dates, TEXT, target="1931年5月3日").values()
    assert set(encoder.follows) == {None} and decoder.tokens[1:] == dates[1].tokens(decoder.follows)[:-1]
    assert decoder.follows[-1] == dates[1].eos_id and decoder.tokens[0] == "[BOS]"


def test_a_text_that_cannot_be_read_is_refused_in_a_sentence(dates):
    model, tokenizer = made(GPT, positions="rotary")
    for text, wanted in (("", "the text is empty"), ("a" * 65, "has 65 tokens; this model's max_len is 64")):
        with pytest.raises(ValueError, match=wanted):
            record_journeys(model, tokenizer, text)
    with pytest.raises(ValueError, match="model must be a GPT, BERT or Transformer"):
        ModelTour(torch.nn.Linear(2, 2), tokenizer, "the cat")
    long, _ = made(GPT, positions="rotary", max_len=200)
    with pytest.raises(ValueError, match=f"room for {MOST_TOKENS} tokens; got 100"):
        ModelTour(long, tokenizer, "a" * 100)
    deep, _ = made(GPT, max_len=64, n_layers=40, n_heads=12)
    with pytest.raises(ValueError, match="room for 1,500,000 weights of attention; got 1,845,120"):
        ModelTour(deep, tokenizer, "a" * 60 + "aa")


def test_the_browser_gets_the_models_numbers_with_three_digits(dates):
    for model, tokenizer, text in ((*made(GPT), "the cat sat"), (*dates, TEXT)):
        tour = ModelTour(model, tokenizer, text)
        weights = np.frombuffer(tour.weights, "<f2")
        for shown, journey in zip(tour.stacks, tour.journeys.values(), strict=True):
            assert shown["tokens"] == [visible(token) for token in journey.tokens]
            after = np.array(shown["sizes"]["after"])
            np.testing.assert_allclose(after, journey.after.norm(dim=-1), rtol=0.006)
            assert all(float(f"{x:.3g}") == x for x in after.flat)
            before, added, total = (x.norm(dim=-1).numpy() for x in (journey.before, journey.added, journey.sums))
            cosine = np.array(shown["sizes"]["cosine"])  # the law of cosines: the three lengths of the drawing
            np.testing.assert_allclose(before**2 + added**2 + 2 * before * added * cosine, total**2, rtol=0.01)
            for part, start in shown["starts"].items():
                wanted = journey.attention[part].weights
                if shown["causal"] and part == "attention":
                    assert not np.triu(wanted, 1).any()
                    wanted = wanted[:, :, *np.tril_indices(wanted.shape[2])]
                np.testing.assert_allclose(weights[start : start + wanted.size], wanted.ravel(), atol=1e-3)
        end, logits = shown["end"], journey.logits.double()
        for i, temperature in enumerate(TEMPERATURES[1:], 1):
            wanted = (logits / temperature).softmax(dim=-1).topk(min(LAST_SAID, logits.shape[-1])).values
            powers = np.array(end["logits"]) / temperature - np.array(end["log_sums"][i])[:, None]
            np.testing.assert_allclose(np.exp(powers), wanted, rtol=2e-3, atol=1e-6)
        said = [[[shown["words"][i] for i in ids] for ids in step] for step in shown["said"]["ids"]]
        ids = journey.lens(SAID)[1]
        assert said[-1][0] == [visible(tokenizer.tokens([i])[0]) for i in ids[-1, 0].tolist()]
        follows = [None if i is None else shown["words"][i] for i in shown["follows"]]
        wanted = [None if i is None else visible(tokenizer.tokens([i])[0]) for i in journey.follows]
        assert follows == wanted


def test_another_text_is_read_and_one_that_cannot_be_leaves_what_was_there(dates):
    tour = ModelTour(*dates, "Sunday, November 22, 2026")
    assert (tour.stack, tour.token, tour.station, tour.head, tour.message) == ("decoder", 0, 0, None, "")
    tour.token, tour.station, tour.head = 9, len(tour.stations) - 1, 3
    tour.text = TEXT
    assert tour.stacks[0]["tokens"] == ["May", "3", ",", "1", "9", "3", "1"] and tour.heard == TEXT
    assert tour.token == len(tour.stacks[1]["tokens"]) - 1 and "May 3, 1931" in repr(tour)
    before = tour.stacks
    for text, wanted in (("", "the text is empty"), ("3" * 70, "max_len is 64")):
        tour.text = text
        assert wanted in tour.message and tour.heard == TEXT and tour.stacks is before
    tour.text = TEXT
    assert tour.message == ""
    tour.stack = "encoder"
    assert tour.stations == ["embedding", "block 1: attention", "block 1: feed-forward",
                             "block 2: attention", "block 2: feed-forward", "output"]  # fmt: skip
    assert tour.station == 5 and tour.token == 6
    wrong = (("token", 7), ("station", 6), ("head", 4), ("stack", "cross"), ("temperature", 3.0), ("temperature", 0.55))
    for name, value in wrong:
        with pytest.raises(ValueError, match=f"{name} must be"):
            setattr(tour, name, value)


def test_what_was_drawn_is_written_and_the_tour_goes_on_with_it():
    tour = ModelTour(*made(GPT), "the cat")
    tour.station = len(tour.stations) - 1
    drawn = tour.tokenizer.encode("s")[0]
    tour._write(tour, {"write": drawn, "after": 6}, [])
    assert (tour.text, tour.heard, tour.token, tour.station) == ("the cats", "the cats", 7, len(tour.stations) - 1)
    tour._write(tour, {"write": drawn, "after": 2}, [])  # behind an earlier token: another continuation of the text
    assert tour.heard == "thes" and tour.token == 3
    tour._write(tour, {"write": tour.tokenizer.eos_id, "after": 3}, [])
    assert tour.heard == "thes" and tour.message == "The token that was drawn ends the text."
    ids = ModelTour(tour.model, None, [3, 1, 4])
    ids._write(ids, {"write": 5, "after": 1}, [])
    assert ids.heard == "3 1 5" and ids.stacks[0]["word_ids"][ids.stacks[0]["words"].index("id 1")] == 1


def test_lessons_are_linked_from_within_the_course_only(tmp_path, monkeypatch):
    course = Path(__file__).resolve().parents[1]
    monkeypatch.chdir(course / "notebooks")
    assert addresses()["2"] == "02_attention.ipynb" and set(addresses()) >= set(map(str, range(1, 10)))
    monkeypatch.chdir(course / "tests")
    assert addresses()["2"] == "../notebooks/02_attention.ipynb"
    monkeypatch.chdir(tmp_path)
    assert addresses() == {}


def test_without_a_tokenizer_the_text_is_ids():
    model, _ = made(GPT)
    tour = ModelTour(model, None, [3, 1, 4])
    assert tour.text == "3 1 4" and tour.stacks[0]["tokens"] == ["0", "1", "2"]
    assert all(word.startswith("id ") for word in tour.stacks[0]["words"])


@pytest.mark.parametrize("name", CASES)
def test_a_picture_and_a_page_of_every_model(name, tmp_path):
    cls, changes = CASES[name]
    tour = ModelTour(*made(cls, **changes), "the cat sat")
    bundle, _ = tour._repr_mimebundle_()
    assert bundle["text/plain"].startswith("ModelTour(") and len(bundle["image/png"]) < 300_000
    for station in (0, 2, len(tour.stations) - 1):
        tour.station = station
        assert imread(tour.save(tmp_path / "tour.png")).shape[2] == 4
    page = tour.save(tmp_path / "tour.html").read_text(encoding="utf-8")
    saved = json.loads(re.search(r'id="saved">(.*?)</script>', page)[1])["state"]
    assert saved["lessons"] == {}
    assert saved["stacks"] == tour.stacks and saved["station"] == len(tour.stations) - 1
    title = re.search("<title>(.*?)</title>", page)[1]
    assert cls.__name__ in title and "the cat sat" in title
    assert set(re.findall(r"https?://[\w./]+", page)) <= {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize("n_layers", [2, 30])
def test_in_the_picture_the_headings_stand_above_all_rows(n_layers):
    tour = ModelTour(*made(GPT, n_layers=n_layers), "the cat")
    figure = Figure()
    draw_tour(figure, tour)
    draw = FigureCanvasAgg(figure).get_renderer()
    for axes in figure.axes:
        boxes = [(text.get_transform() == axes.transData, text.get_window_extent(draw)) for text in axes.texts]
        rows = [box.y1 for in_data, box in boxes if in_data]
        headings = [box for in_data, box in boxes if not in_data]
        assert headings and min(box.y0 for box in headings) >= max(rows)
        assert max(box.y1 for box in headings) <= figure._suptitle.get_window_extent(draw).y0

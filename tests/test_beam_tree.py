"""The tree of beams: what it says was kept is what the model gives, and its best text is what generate returns."""

import pytest
import torch

from test_model_tour import made
from transformer_lab import GPT, generate, load
from transformer_lab.generation import translate_ids
from transformer_lab.generation.beam_tree import beam_tree

DATE = "Sunday, November 22, 2026"


def log_probs(model, ids, new, source=None):
    """The sum of the new tokens' log-probabilities, by one forward pass over the whole text."""
    whole = torch.cat((ids, torch.tensor([new])), dim=1)
    with torch.inference_mode():
        logits = model(whole) if source is None else model(source, whole)
    rows = logits[0, ids.shape[1] - 1 : -1].double().log_softmax(dim=-1)
    return rows.gather(1, torch.tensor(new)[:, None]).sum().item()


@pytest.fixture(scope="module", params=["GPT", "dates"])
def case(request):
    """(model, start, source, stop, how many tokens)."""
    if request.param == "GPT":
        model, tokenizer = made(GPT)
        return model, torch.tensor([tokenizer.encode("the cat")]), None, [tokenizer.eos_id], 6
    model, tokenizer = load("dates")
    source = torch.tensor([tokenizer.encode(DATE)])
    return model, torch.tensor([[tokenizer.bos_id]]), source, [tokenizer.eos_id], 16


@pytest.mark.parametrize(("beams", "penalty"), [(1, 1.0), (2, 1.0), (3, 0.0), (5, 2.0), (4, -1.0)])
def test_the_best_text_is_generates_and_every_sum_is_the_models(case, beams, penalty):
    model, start, source, stop, n = case
    tree, best = beam_tree(model, start, n, beams, penalty, source=source, stop=stop)
    wanted = generate(model, start, n, source=source, stop=stop, beams=beams, length_penalty=penalty)
    assert list(best) == wanted[0, start.shape[1] :].tolist()
    known = {()} | {beam.ids for beam in tree if not beam.is_finished}
    for beam in tree:
        assert beam.ids[:-1] in known and beam.is_finished == (beam.ids[-1] in stop)
        assert beam.total == pytest.approx(log_probs(model, start, list(beam.ids), source), abs=2e-3)
    assert len({beam.ids for beam in tree}) == len(tree)
    last = max(len(beam.ids) for beam in tree)
    ends = [beam for beam in tree if beam.is_finished or len(beam.ids) == last]
    assert max(ends, key=lambda beam: beam.score(penalty)).ids == best


def test_so_many_beams_are_kept_after_each_step(case):
    model, start, source, stop, n = case
    tree, best = beam_tree(model, start, n, 1, source=source, stop=stop)
    assert [beam.ids for beam in tree] == [best[: i + 1] for i in range(len(best))]
    tree, _ = beam_tree(model, start, n, 3, source=source, stop=stop)
    at_two = [beam for beam in tree if len(beam.ids) == 2 and not beam.is_finished]
    assert len(at_two) == 3 and at_two == sorted(at_two, key=lambda beam: -beam.total)


def test_a_translation_with_beams_is_the_same():
    model, tokenizer = load("dates")
    source = torch.tensor([tokenizer.encode(DATE)])
    _, best = beam_tree(model, torch.tensor([[tokenizer.bos_id]]), 24, 4, source=source, stop=[tokenizer.eos_id])
    assert [tokenizer.bos_id, *best] == translate_ids(model, tokenizer, [DATE], 24, beams=4)[0].tolist()


def test_settings_that_make_no_sense_are_refused():
    model, tokenizer = made(GPT)
    ids = torch.tensor([tokenizer.encode("the")])
    with pytest.raises(ValueError, match="beams must be a whole number, at least 1; got 0"):
        beam_tree(model, ids, 3, 0, stop=[])
    with pytest.raises(ValueError, match="ids must be from 0"):
        beam_tree(model, ids + 1000, 3, 2, stop=[])

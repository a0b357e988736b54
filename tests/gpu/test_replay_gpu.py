"""Generation on the GPU: steps that are recorded and replayed write what the plain steps write."""

from unittest import mock

import pytest
import torch
from test_models_gpu import make

from transformer_lab import generate, record_attention, stream
from transformer_lab.generation import decoding, replay

writing = pytest.mark.parametrize("family", ["2017", "gpt2", "llama", "alibi"])


def prompts(family, device):
    ids = torch.randint(101, (3, 5), generator=torch.Generator().manual_seed(2)).to(device)
    mask = (torch.arange(5) >= torch.tensor([[0], [2], [4]])).to(device)
    return ids, {"source": ids, "source_mask": mask.flip(1)} if family == "2017" else {"mask": mask}


def both(model, ids, n, **options):
    """What the plain steps write, and what the replayed ones do, recorded anew after every 10 tokens."""
    with mock.patch.object(decoding, "can_replay", lambda *_: False):
        plain = generate(model, ids, n, **options)
    replayed = mock.patch.object(decoding, "can_replay", lambda *_: True)  # also where the tests themselves are tried
    with replayed, mock.patch.multiple(replay, STEPS_BEFORE=3, ROOM=10):
        return plain, generate(model, ids, n, **options)


@writing
@pytest.mark.parametrize("sampling", [dict(), dict(temperature=1.0, top_k=20, seed=1), dict(stop=[3, 4])], ids=str)
def test_the_same_text_is_written(device, family, sampling):
    model = make(family)[1].to(device)
    ids, options = prompts(family, device)
    plain, replayed = both(model, ids, 40, **options, **sampling)
    assert torch.equal(plain, replayed)


@writing
def test_in_16_bits_each_step_gives_nearly_the_same_logits(device, family):
    """Another kernel adds in another order, and so two tokens that are about equally probable may change places."""
    model = make(family)[1].to(device, torch.bfloat16)
    ids, options = prompts(family, device)
    text = torch.randint(101, (3, 40), generator=torch.Generator().manual_seed(3)).to(device)
    text[:, :5] = ids
    mask = options.pop("mask", None)
    plain, fast = (kind(model, mask, **options) for kind in (decoding.Reader, replay.ReplayReader))
    with mock.patch.multiple(replay, STEPS_BEFORE=3, ROOM=10):
        for n in range(5, 40):
            expected = plain.next_logits(text[:, :n]).float()
            error = (fast.next_logits(text[:, :n]).float() - expected).abs().max()
            assert error < 0.1 * expected.std(), n


def test_long_texts_are_replayed_by_themselves(device):
    if device.type != "cuda":
        pytest.skip("only on CUDA")
    model = make("gpt2")[1].to(device)
    ids, options = prompts("gpt2", device)
    with mock.patch.object(replay, "recorded", wraps=replay.recorded) as recorded:
        generate(model, ids, 30, **options)
        assert not recorded.called
        generate(model, ids, 43, **options)  # as many as the model has positions for
        assert recorded.call_count == 1
        with record_attention(model):
            generate(model, ids, 43, **options)
        assert recorded.call_count == 1


def test_new_weights_write_another_text(device):
    """A recording holds the addresses of the weights, which must be those of this call."""
    model, other = make("llama")[1].to(device), make("llama")[1].to(device)
    ids, options = prompts("llama", device)
    both(model, ids, 20, **options)
    with torch.no_grad():
        for p in [*model.parameters()]:
            p.data = p.data.flip(0)
        for p in other.parameters():
            p.copy_(p.flip(0))
    plain, _ = both(other, ids, 20, **options)
    assert torch.equal(both(model, ids, 20, **options)[1], plain)


def test_two_streams_do_not_disturb_each_other(device):
    model = make("llama")[1].to(device)
    ids, options = prompts("llama", device)
    expected = [both(model, ids, 30, temperature=1.0, seed=seed, **options)[0][:, 5:] for seed in (1, 2)]
    replayed = mock.patch.object(decoding, "can_replay", lambda *_: True)
    with replayed, mock.patch.multiple(replay, STEPS_BEFORE=3, ROOM=10):
        pairs = zip(*(stream(model, ids, 30, temperature=1.0, seed=seed, **options) for seed in (1, 2)), strict=True)
        for columns, wanted in zip(zip(*pairs, strict=True), expected, strict=True):
            assert torch.equal(torch.stack(columns, dim=1), wanted)


def test_the_memory_is_given_back(device):
    if device.type != "cuda":
        pytest.skip("only on CUDA")
    model = make("gpt2")[1].to(device)
    ids, options = prompts("gpt2", device)
    both(model, ids, 40, **options)
    before = torch.cuda.memory_allocated()
    for _ in range(3):
        both(model, ids, 40, **options)
    assert torch.cuda.memory_allocated() <= before + 2**20

"""AdamW written out, beside torch's."""

import copy

import pytest
import torch
from torch import nn

from transformer_lab.training.adamw import AdamW

SETTINGS = {"lr": 0.03, "betas": (0.8, 0.95), "eps": 0.02, "weight_decay": 0.4}


def models():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).double()
    return model, copy.deepcopy(model)


def train(model, optimiser, n_steps=12):
    """The second layer has a gradient in every third step only."""
    inputs = torch.randn(n_steps, 9, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for step, x in enumerate(inputs):
        optimiser.zero_grad()
        (model(x) if step % 3 == 0 else model[0](x)).square().mean().backward()
        optimiser.step()
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize("settings", [{}, SETTINGS])
def test_the_weights_are_those_of_torchs(settings):
    ours, theirs = models()
    before = torch.cat([p.detach().flatten() for p in ours.parameters()])
    after = train(ours, AdamW(ours.parameters(), **settings))
    wanted = train(theirs, torch.optim.AdamW(theirs.parameters(), **settings))
    torch.testing.assert_close(after, wanted, rtol=0, atol=1e-12)
    assert (after - before).abs().mean() > 1e-3


def test_the_first_step_is_as_long_as_the_rate_however_steep_it_is():
    weight = torch.tensor([1.0, 1.0, 1.0], requires_grad=True)
    optimiser = AdamW([weight], lr=0.1, weight_decay=0)
    (weight * torch.tensor([0.001, -1.0, 1000.0])).sum().backward()
    optimiser.step()
    torch.testing.assert_close(weight.detach(), torch.tensor([0.9, 1.1, 0.9]))


def test_without_weights_it_says_so():
    with pytest.raises(ValueError, match="no weights"):
        AdamW([])


@pytest.mark.parametrize("weights", [torch.ones(3, requires_grad=True), [torch.ones(3, requires_grad=True) * 2]])
def test_a_single_tensor_is_no_list_of_weights(weights):
    with pytest.raises(ValueError, match="AdamW needs a list of a model's weights"):
        AdamW(weights)

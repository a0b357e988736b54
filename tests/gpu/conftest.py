"""Tests of what a GPU does otherwise: `make test-gpu`. They need torch, the base packages, transformers and pytest.

No shape checks here, for torch.compile cannot trace them. TRANSFORMER_LAB_DEVICE=cpu tries the tests themselves.
"""

import os

import pytest

os.environ["TRANSFORMER_LAB_PROGRESS"] = "off"

from transformer_lab.device import pick_device  # noqa: E402


def pytest_sessionstart():
    if pick_device().type != "cuda" and os.environ.get("TRANSFORMER_LAB_DEVICE") != "cpu":
        pytest.exit("These tests need a CUDA device, and torch finds none.", returncode=1)


def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker("gpu")


@pytest.fixture
def device():
    return pick_device()

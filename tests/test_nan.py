"""A model whose weights are NaN says so wherever it is asked, and never answers with what NaN happens to yield."""

import pytest
import torch

from transformer_lab import BERT, GPT, TransformerConfig, generate, record_journeys
from transformer_lab.classifiers import Classifier, Tagger
from transformer_lab.data.tokenizers import BPETokenizer
from transformer_lab.filling import fill_masks
from transformer_lab.scoring import answer_nats, token_nats
from transformer_lab.search import sentence_vectors
from transformer_lab.tasks.labelling import labelled

SIZES = dict(vocab_size=300, d_model=8, n_heads=2, n_layers=1, d_ff=8, masked_lm_head=True)
IDS = torch.tensor([3, 1, 4])


def broken(kind, *arguments):
    model = kind(TransformerConfig(**SIZES), *arguments)
    model.embedding.tokens.weight.data.fill_(torch.nan)
    return model.eval()


@pytest.fixture(scope="module")
def tokenizer():
    tokenizer = BPETokenizer.train(["good"], 300)
    tokenizer.mask_id, tokenizer.special = tokenizer.unk_id, {**tokenizer.special, "mask": "[UNK]"}
    return tokenizer


ASKED = {
    "generate": lambda t: generate(broken(GPT), IDS[None], 1),
    "token_nats": lambda t: token_nats(broken(GPT), IDS),
    "answer_nats": lambda t: answer_nats(broken(GPT), [3], [[1]]),
    "record_journeys": lambda t: record_journeys(broken(GPT), t, "good"),
    "fill_masks": lambda t: fill_masks(broken(BERT), t, "a [UNK]"),
    "sentence_vectors": lambda t: sentence_vectors(broken(BERT), t, ["good"]),
    "a Classifier": lambda t: labelled(broken(Classifier, ("a", "b")), t, ["good"]),
    "a Tagger": lambda t: labelled(broken(Tagger, ("O", "B-X", "I-X")), t, ["good"]),
}


@pytest.mark.parametrize("name", ASKED)
def test_nan_is_told(tokenizer, name):
    with pytest.raises(ValueError, match="The model's output is NaN"):
        ASKED[name](tokenizer)

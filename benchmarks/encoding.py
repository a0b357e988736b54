"""64 sentences into vectors, against transformers' BertModel with the same weights and the same padded batch."""

import torch
from compare import Case
from transformers import BertConfig, BertModel

from transformer_lab import from_hf


def minilm():
    """The architecture of all-MiniLM-L6-v2 with random weights; sentences of 7 to 24 tokens, padded on the right."""
    config = BertConfig(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536)
    theirs = BertModel(config).eval()
    ours = from_hf(theirs)
    lengths = torch.arange(64) % 18 + 7
    mask = torch.arange(24) < lengths[:, None]
    ids = torch.randint(config.vocab_size, (64, 24))

    def encode():
        with torch.inference_mode():
            return ours(ids, mask)

    def rival():
        with torch.inference_mode():
            return theirs(input_ids=ids, attention_mask=mask.long()).last_hidden_state

    torch.testing.assert_close(encode()[mask], rival()[mask], rtol=0, atol=1e-4)
    return encode, rival


CASES = [Case("encode 64 sentences, MiniLM", "transformers BertModel", floor=0.97, goal=1.1, make=minilm)]

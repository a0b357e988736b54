"""Writing text with a cache, one token at a time, against transformers' generate with the same weights."""

import torch
from compare import Case
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from transformer_lab import from_hf, generate


def ten_million():
    """A GPT of about 10.7 million parameters."""
    return writers(GPT2LMHeadModel(GPT2Config(vocab_size=65, n_positions=256, n_embd=384, n_layer=6, n_head=6)), 200)


def smollm2():
    """The architecture of SmolLM2-135M with random weights: how long a token takes does not depend on them."""
    config = LlamaConfig(
        vocab_size=49_152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
        eos_token_id=None,
    )
    return writers(LlamaForCausalLM(config), 64)


def writers(theirs, n_tokens):
    """Both write n_tokens greedily behind the same eight random tokens."""
    theirs.eval()
    ours = from_hf(theirs)
    ids = torch.randint(ours.config.vocab_size, (1, 8), generator=torch.Generator().manual_seed(0))
    # eos_token_id=None: neither may stop early.
    options = dict(max_new_tokens=n_tokens, do_sample=False, eos_token_id=None, pad_token_id=0)

    def write():
        return generate(ours, ids, n_tokens)

    def rival():
        return theirs.generate(ids, attention_mask=torch.ones_like(ids), **options)

    if not torch.equal(write(), rival()):
        raise RuntimeError("The two models do not write the same text, so their times cannot be compared.")
    return write, rival


HF = "transformers generate"
CASES = [
    Case("generate 200 tokens, batch 1, 10.7M GPT", HF, floor=1.3, goal=2.0, make=ten_million, repeats=7),
    Case("generate 64 tokens, SmolLM2", HF, floor=1.0, goal=1.3, make=smollm2, repeats=5),
]

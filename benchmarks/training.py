"""A training step (forward, loss, backward, fused AdamW), ours against the usual alternatives."""

import copy

import torch
import torch.nn.functional as F
from compare import Case
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel

from references import torch_stack
from transformer_lab import Transformer, TransformerConfig, from_hf


def step(model, loss):
    """A function that does one training step."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)

    def one_step():
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    return one_step


def gpt(n_layers, n_heads, d_model, T, B):
    """Ours and transformers' GPT-2 with the same weights, on the same tokens."""
    config = GPT2Config(
        vocab_size=65,
        n_positions=T,
        n_embd=d_model,
        n_layer=n_layers,
        n_head=n_heads,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        attn_implementation="sdpa",
    )
    theirs = GPT2LMHeadModel(config).train()
    ours = from_hf(theirs).train()
    ids = torch.randint(65, (B, T))

    def our_loss():
        return F.cross_entropy(ours(ids)[:, :-1].flatten(end_dim=1), ids[:, 1:].flatten())

    def their_loss():
        return theirs(input_ids=ids, labels=ids).loss  # shifts the labels itself

    torch.testing.assert_close(our_loss(), their_loss())

    return step(ours, our_loss), step(theirs, their_loss)


class TorchTransformer(nn.Module):
    """What one writes with torch's own stacks (nn.Transformer's two halves), with copies of our weights."""

    def __init__(self, ours: Transformer):
        super().__init__()
        self.embedding = copy.deepcopy(ours.embedding)
        self.encoder = torch_stack(ours.encoder, ours.config, decoder=False)
        self.decoder = torch_stack(ours.decoder, ours.config, decoder=True)

    def forward(self, source, target, source_mask, target_mask):
        T = target.shape[1]
        # torch's masks are True where attention is forbidden.
        memory = self.encoder(self.embedding(source)[0], src_key_padding_mask=~source_mask)
        hidden = self.decoder(
            self.embedding(target)[0],
            memory,
            tgt_mask=torch.ones(T, T, dtype=torch.bool).triu(1),
            tgt_key_padding_mask=~target_mask,
            memory_key_padding_mask=~source_mask,
            tgt_is_causal=True,
        )
        return hidden @ self.embedding.tokens.weight.T


def encoder_decoder(n_layers, n_heads, d_model, T, B):
    ours = Transformer(
        TransformerConfig(
            vocab_size=65, d_model=d_model, n_heads=n_heads, n_layers=n_layers, d_ff=4 * d_model, max_len=T
        )
    )
    theirs = TorchTransformer(ours)
    source, target = torch.randint(65, (B, T)), torch.randint(65, (B, T))
    source_mask, target_mask = (torch.arange(T) < torch.randint(T // 2, T + 1, (B, 1)) for _ in range(2))

    def loss(model):
        logits = model(source, target, source_mask, target_mask)
        return F.cross_entropy(logits.flatten(end_dim=1), target.flatten())

    torch.testing.assert_close(loss(ours), loss(theirs))
    return step(ours, lambda: loss(ours)), step(theirs, lambda: loss(theirs))


HF = "transformers GPT2LMHeadModel (sdpa), fused AdamW both"
CASES = [
    Case("training step, GPT L4 H4 D128 T64 B12", HF, 1.1, 1.3, lambda: gpt(4, 4, 128, 64, 12)),
    Case("training step, GPT L6 H6 D384 T256 B8", HF, 1.05, 1.25, lambda: gpt(6, 6, 384, 256, 8), repeats=10),
    Case(
        "training step, encoder-decoder L3+3 H4 D128 T32 B64",
        "nn.Transformer, fused AdamW both",
        1.05,
        1.2,
        lambda: encoder_decoder(3, 4, 128, 32, 64),
    ),
]

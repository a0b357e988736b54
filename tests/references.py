"""torch.nn's modules with the weights of ours: the independent reference of the tests, the rival of a benchmark."""

import torch
from torch import nn


def with_numbered_residuals(name: str, cross: bool) -> str:
    """A parameter's name as earlier versions said it, in a block with cross-attention or without."""
    paths = ("attention", "cross", "feed_forward") if cross else ("attention", "feed_forward")
    for number, path in enumerate(paths):
        name = name.replace(f".{path}_residual.", f".residuals.{number}.")
    return name


def copy_attention(ours, theirs: nn.MultiheadAttention) -> None:
    theirs.in_proj_weight.data = torch.cat([w.weight.data for w in (ours.w_q, ours.w_k, ours.w_v)])
    theirs.in_proj_bias.data = torch.cat([w.bias.data for w in (ours.w_q, ours.w_k, ours.w_v)])
    theirs.out_proj.weight.data, theirs.out_proj.bias.data = ours.w_o.weight.data, ours.w_o.bias.data


def copy_block(ours, theirs) -> None:
    copy_attention(ours.attention, theirs.self_attn)
    if ours.cross_attention is not None:
        copy_attention(ours.cross_attention, theirs.multihead_attn)
    theirs.linear1.load_state_dict(ours.feed_forward.w_1.state_dict())
    theirs.linear2.load_state_dict(ours.feed_forward.w_2.state_dict())
    residuals = (ours.attention_residual, ours.cross_residual, ours.feed_forward_residual)
    for i, residual in enumerate(filter(None, residuals), start=1):
        norm = getattr(theirs, f"norm{i}")
        norm.weight.data, norm.bias.data = residual.norm.gamma.data.clone(), residual.norm.beta.data.clone()


def torch_stack(ours, config, decoder: bool) -> nn.Module:
    """nn.TransformerEncoder or nn.TransformerDecoder with copies of the weights of our stack."""
    pre = config.norm_position == "pre"
    dtype = next(ours.parameters()).dtype
    layer = (nn.TransformerDecoderLayer if decoder else nn.TransformerEncoderLayer)(
        config.d_model, config.n_heads, config.d_ff, dropout=0.0, batch_first=True, norm_first=pre, dtype=dtype
    )
    norm = nn.LayerNorm(config.d_model, dtype=dtype) if pre else None
    more = {} if decoder else dict(enable_nested_tensor=False)
    theirs = (nn.TransformerDecoder if decoder else nn.TransformerEncoder)(layer, config.n_layers, norm, **more)
    for block, their_block in zip(ours.blocks, theirs.layers, strict=True):
        copy_block(block, their_block)
    if pre:
        norm.weight.data, norm.bias.data = ours.norm.gamma.data.clone(), ours.norm.beta.data.clone()
    return theirs.train()  # in eval mode torch takes a path that keeps no gradients

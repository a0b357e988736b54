"""Widgets and pictures. Names load on first use, so importing this loads neither matplotlib nor anywidget."""

from importlib import import_module

_HOME = {
    "AttentionView": "attention_view",
    "AttentionSnapshots": "snapshots",
    "LiveAttention": "live_attention",
    "WhatIf": "live_attention",
    "QueryExplorer": "query_explorer",
    "CostExplorer": "cost_explorer",
    "model_cost": "cost_explorer",
    "DateTranslator": "date_translator",
    "RotaryExplorer": "rotary_explorer",
    "turn_pairs": "rotary_explorer",
    "NormExplorer": "norm_explorer",
    "normalise": "norm_explorer",
    "SplitExplorer": "split_explorer",
    "split_both_ways": "split_explorer",
    "SoftmaxExplorer": "softmax_explorer",
    "softmax_and_loss": "softmax_explorer",
    "MaskExplorer": "mask_explorer",
    "make_mask": "mask_explorer",
    "attend_to": "query_explorer",
    "FamilyExplorer": "family_explorer",
    "parameters_by_part": "family_explorer",
    "DepthExplorer": "depth_explorer",
    "through_layers": "depth_explorer",
}
__all__ = sorted(_HOME)


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__():
    return sorted([*globals(), *__all__])

"""Widgets and pictures. Names load on first use, so importing this loads neither matplotlib nor anywidget."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # never run: here editors and type checkers see the names of _HOME
    from .alignment_explorer import AlignmentExplorer as AlignmentExplorer
    from .attention_view import AttentionView as AttentionView
    from .cost_explorer import CostExplorer as CostExplorer
    from .cost_explorer import model_cost as model_cost
    from .date_translator import DateTranslator as DateTranslator
    from .decoding_explorer import DecodingExplorer as DecodingExplorer
    from .depth_explorer import DepthExplorer as DepthExplorer
    from .depth_explorer import through_layers as through_layers
    from .entity_explorer import EntityExplorer as EntityExplorer
    from .family_explorer import FamilyExplorer as FamilyExplorer
    from .family_explorer import parameters_by_part as parameters_by_part
    from .fill_explorer import FillExplorer as FillExplorer
    from .ladder_explorer import LadderExplorer as LadderExplorer
    from .live_attention import LiveAttention as LiveAttention
    from .live_attention import WhatIf as WhatIf
    from .mask_explorer import MaskExplorer as MaskExplorer
    from .mask_explorer import make_mask as make_mask
    from .model_tour import ModelTour as ModelTour
    from .norm_explorer import NormExplorer as NormExplorer
    from .norm_explorer import normalise as normalise
    from .optimiser_explorer import OptimiserExplorer as OptimiserExplorer
    from .query_explorer import QueryExplorer as QueryExplorer
    from .query_explorer import attend_to as attend_to
    from .rank_explorer import RankExplorer as RankExplorer
    from .rank_explorer import kept_by_rank as kept_by_rank
    from .rank_explorer import low_rank as low_rank
    from .rotary_explorer import RotaryExplorer as RotaryExplorer
    from .rotary_explorer import turn_pairs as turn_pairs
    from .search_explorer import SearchExplorer as SearchExplorer
    from .snapshots import AttentionSnapshots as AttentionSnapshots
    from .softmax_explorer import SoftmaxExplorer as SoftmaxExplorer
    from .softmax_explorer import softmax_and_loss as softmax_and_loss
    from .split_explorer import SplitExplorer as SplitExplorer
    from .split_explorer import split_both_ways as split_both_ways
    from .tokenizer_explorer import TokenizerExplorer as TokenizerExplorer

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
    "ModelTour": "model_tour",
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
    "TokenizerExplorer": "tokenizer_explorer",
    "DecodingExplorer": "decoding_explorer",
    "OptimiserExplorer": "optimiser_explorer",
    "AlignmentExplorer": "alignment_explorer",
    "LadderExplorer": "ladder_explorer",
    "EntityExplorer": "entity_explorer",
    "FillExplorer": "fill_explorer",
    "RankExplorer": "rank_explorer",
    "SearchExplorer": "search_explorer",
    "kept_by_rank": "rank_explorer",
    "low_rank": "rank_explorer",
}
__all__ = sorted(_HOME)


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__():
    return sorted([*globals(), *__all__])

"""transformer_lab: the course's code as a package. Names load on first use, so importing it loads no torch."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # never run: here editors and type checkers see the names of _HOME
    from .analysis.ablation import ablate_heads as ablate_heads
    from .analysis.ablation import switch_off as switch_off
    from .analysis.access import replace_attention as replace_attention
    from .analysis.head_scores import head_scores as head_scores
    from .analysis.head_scores import repeated_tokens as repeated_tokens
    from .analysis.journey import record_journeys as record_journeys
    from .analysis.reading import translation_attention as translation_attention
    from .analysis.recording import record_attention as record_attention
    from .analysis.recording import record_residual_stream as record_residual_stream
    from .attention import MultiHeadAttention as MultiHeadAttention
    from .attention import causal_mask as causal_mask
    from .attention import scaled_dot_product_attention as scaled_dot_product_attention
    from .config import TransformerConfig as TransformerConfig
    from .device import pick_device as pick_device
    from .device import seed_everything as seed_everything
    from .generation import generate as generate
    from .generation import stream as stream
    from .generation import translate as translate
    from .grading import course_home as course_home
    from .layers import FeedForward as FeedForward
    from .layers import LayerNorm as LayerNorm
    from .layers import Residual as Residual
    from .layers import RMSNorm as RMSNorm
    from .metrics import alignment_accuracy as alignment_accuracy
    from .metrics import exact_match as exact_match
    from .models import BERT as BERT
    from .models import GPT as GPT
    from .models import Transformer as Transformer
    from .pretrained import adapt as adapt
    from .pretrained import from_hf as from_hf
    from .pretrained import load as load
    from .pretrained import save as save
    from .tasks.catalogue import make_task as make_task
    from .training.loop import train as train
    from .training.settings import Settings as Settings

_HOME = {
    "scaled_dot_product_attention": "attention",
    "causal_mask": "attention",
    "MultiHeadAttention": "attention",
    "FeedForward": "layers",
    "LayerNorm": "layers",
    "RMSNorm": "layers",
    "Residual": "layers",
    "TransformerConfig": "config",
    "Transformer": "models",
    "GPT": "models",
    "BERT": "models",
    "generate": "generation",
    "stream": "generation",
    "load": "pretrained",
    "from_hf": "pretrained",
    "adapt": "pretrained",
    "save": "pretrained",
    "record_attention": "analysis.recording",
    "record_residual_stream": "analysis.recording",
    "replace_attention": "analysis.access",
    "head_scores": "analysis.head_scores",
    "repeated_tokens": "analysis.head_scores",
    "ablate_heads": "analysis.ablation",
    "switch_off": "analysis.ablation",
    "translation_attention": "analysis.reading",
    "record_journeys": "analysis.journey",
    "make_task": "tasks.catalogue",
    "train": "training.loop",
    "Settings": "training.settings",
    "exact_match": "metrics",
    "alignment_accuracy": "metrics",
    "translate": "generation",
    "pick_device": "device",
    "seed_everything": "device",
    "course_home": "grading",
}
__all__ = sorted(_HOME)


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__():
    return sorted([*globals(), *__all__])

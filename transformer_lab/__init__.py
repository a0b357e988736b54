"""transformer_lab: the course's code grown up. Names load on first use, so importing the package loads no torch."""

from importlib import import_module

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
    "save": "pretrained",
    "record_attention": "analysis.recording",
    "record_residual_stream": "analysis.recording",
    "replace_attention": "analysis.access",
    "head_scores": "analysis.head_scores",
    "repeated_tokens": "analysis.head_scores",
    "ablate_heads": "analysis.ablation",
    "switch_off": "analysis.ablation",
    "translation_attention": "analysis.reading",
    "make_task": "tasks.catalogue",
    "train": "training.loop",
    "Settings": "training.settings",
    "exact_match": "metrics",
    "alignment_accuracy": "metrics",
    "translate": "generation",
    "pick_device": "device",
    "seed_everything": "device",
}
__all__ = sorted(_HOME)


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__():
    return sorted([*globals(), *__all__])

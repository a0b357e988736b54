"""Widgets and pictures. Names load on first use, so importing this loads neither matplotlib nor anywidget."""

from importlib import import_module

_HOME = {
    "AttentionView": "attention_view",
    "AttentionSnapshots": "snapshots",
    "LiveAttention": "live_attention",
    "WhatIf": "live_attention",
    "QueryExplorer": "query_explorer",
    "DateTranslator": "date_translator",
    "attend_to": "query_explorer",
}
__all__ = sorted(_HOME)


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__():
    return sorted([*globals(), *__all__])

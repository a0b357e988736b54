"""Lesson 12: its questions, in the order of the notebook; its guesses and insights; the misconceptions it cures."""

LESSON = "12_decoding"
__all__: list[str] = []

PREDICTIONS: dict[str, tuple] = {}

INSIGHTS: dict[str, str] = {}  # what a right answer can do beyond its question

MISCONCEPTIONS: dict[str, str] = {}

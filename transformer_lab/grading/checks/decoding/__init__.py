"""Lesson 12: its questions, in the order of the notebook; its guesses and insights; the misconceptions it cures."""

LESSON = "12_decoding"
__all__ = []

PREDICTIONS = {}

INSIGHTS = {}  # what a right answer can do beyond its question

MISCONCEPTIONS = {}

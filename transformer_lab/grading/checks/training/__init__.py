"""Lesson 13: its questions, in the order of the notebook; its guesses and insights; the misconceptions it cures."""

LESSON = "13_training"
__all__: list[str] = []

PREDICTIONS = {
    # Four curves: whose model does what it was trained for?
    "best": ("Ada", "Bela", "Chen", "Dora", "none of them"),
    # After the step with the lowest held-out loss: the share of held-out dates that are exactly right ...
    "after": ("falls", "stays within a point", "rises"),
}

INSIGHTS: dict[str, str] = {}  # what a right answer can do beyond its question

MISCONCEPTIONS: dict[str, str] = {}

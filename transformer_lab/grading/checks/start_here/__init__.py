"""Lesson 00: nothing to grade, one guess to make."""

LESSON = "00_start_here"

PREDICTIONS = {
    # Which of three parts that look harmless does the trained translator miss most? (names in ablation.PARTS)
    "part_off": ("scale", "causal mask", "layer norm"),
}

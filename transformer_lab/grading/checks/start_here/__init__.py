"""Lesson 00: nothing to grade, one guess to make."""

LESSON = "00_start_here"

PREDICTIONS = {
    # Which part of the trained translator can be switched off with the least damage? (the names in ablation.PARTS)
    "part_off": ("scale", "choice", "causal mask", "heads", "feed-forward", "residual", "layer norm", "positions"),
}

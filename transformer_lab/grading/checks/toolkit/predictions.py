"""The guesses that lesson 01 asks for, and what may be guessed."""

PREDICTIONS = {
    # The translator's scores for the next token, all divided by 10: what changes?
    "flatten": ("neither", "dates right", "loss", "both"),
    # The variance of a sum of 64 copies of one number whose variance is 1.
    "copies": ("8", "64", "4096"),
    # The lowest loss of a table of bigrams on the dates, in nats.
    "minimum": ("about 0", "about 1.1", "about 2"),
}

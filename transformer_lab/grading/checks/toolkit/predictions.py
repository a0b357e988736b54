"""The guesses that lesson 01 asks for, and what may be guessed."""

PREDICTIONS = {
    # The translator's scores for the next token, all divided by 10: what changes?
    "flatten": ("neither", "dates right", "loss", "both"),
    # The variance of a sum of 64 copies of one number whose variance is 1.
    "copies": ("8", "64", "4096"),
    # Four other scores are equal: by how much must the target lead for a loss below 0.1 nats?
    "lead": ("1.0", "2.3", "3.6"),
    # Can a table of bigrams reach a loss of 0 on the dates?
    "minimum": ("yes", "no"),
    # (n,) minus (n, 1)
    "broadcast": ("an error", "(n,)", "(n, n)"),
    # Softmax in the model, and cross_entropy after it: where does the loss end at best?
    "twice": ("at 0", "above 0", "at ln 14"),
}

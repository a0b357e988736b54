"""Lesson 14: its questions, in the order of the notebook; its guesses and insights; the misconceptions it cures."""

from .answers import answers
from .continued import continued
from .diagnose import diagnose
from .discounted import discounted
from .perplexity import perplexity
from .shared_keys import shared_keys
from .what_counts import what_counts

LESSON = "14_gpt"
__all__ = ["perplexity", "answers", "what_counts", "continued", "shared_keys", "discounted", "diagnose"]

PREDICTIONS = {
    # Eight examples of a task: of twelve antonyms, how many are written right?
    "examples": ("0 to 2", "3 to 6", "7 to 9", "10 to 12"),
    # The same words, but the answers of the examples shuffled.
    "shuffled": ("as many", "about half", "hardly any"),
}

INSIGHTS = {  # what a right answer can do beyond its question
    "perplexity": "Give it costs of ln V for every id, and it says V, whatever the window and the "
    "stride: so many equally likely tokens.",
    "answers": "Ask it about every token of the vocabulary as an answer of its own: the probabilities add up to 1.",
    "what_counts": "From the lesson's counts it says `the pairs` of opposites, plurals and kinds, but not of capitals "
    "or of the past tense.",
    "continued": "Whatever prompts stand beside it, a text is continued as it would be alone.",
    "shared_keys": "Where the heads of a group have the same keys already, nothing changes: no query notices.",
    "discounted": "With `d` at 1, a context whose followers were all seen once says just what the shorter one says.",
    "diagnose": "Asked for one token after one short prompt, three of the five are right: such faults "
    "show later, and in company.",
}

MISCONCEPTIONS = {
    "M48": "the whole model run once for each of its blocks",
    "M49": "a perplexity that is exp of a sum, a mean of parts, or no exp at all",
    "M50": "a batch padded on the right, without a mask, or with positions that count the padding",
}

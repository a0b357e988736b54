"""Lesson 10: its questions, in the order of the notebook; its guesses and insights; the misconceptions it cures."""

from .bits import bits
from .controls import controls
from .diagnose import diagnose
from .encode import encode
from .learn import learn
from .per_character import per_character
from .shown import shown

LESSON = "10_tokens"
__all__ = ["encode", "learn", "bits", "diagnose", "shown", "per_character", "controls"]

PREDICTIONS = {
    # A table's surprise at held-out text, as its context grows from no character to eleven.
    "context": ("falls throughout", "falls, then stays", "falls, then rises"),
    # How many first letters of words that are one token does SmolLM2 name right?
    "letter": ("hardly any", "about half", "four of five or more"),
}

INSIGHTS = {  # what a right answer can do beyond its question
    "encode": "A tokenizer file is little more than a list of merges: with those of one that begins "
    "with letters your function gives its tokens, word by word.",
    "learn": "Where no two pairs are equally frequent, the `tokenizers` library learns the same merges as your "
    "function, in the same order.",
    "bits": "A table that has read nothing finds all characters equally likely: then every text costs log2 of the "
    "alphabet's size per character.",
    "diagnose": "Four of the five give back the text when their tokens are put together: that test finds spaces that "
    "were dropped, and none of the other faults.",
    "shown": "However the bytes are cut, even one by one, the texts put together are the whole text.",
    "per_character": "Twice as many tokens at half the loss give the same number: so it compares models with "
    "different vocabularies.",
    "controls": "`dealt` is never above `always`: answers may follow the words, as Owl's do, and still be right less "
    "often than one letter said every time.",
}

MISCONCEPTIONS = {
    "M49": "perplexity, or a mean over batches of unequal size, where bits a character are asked for",
}

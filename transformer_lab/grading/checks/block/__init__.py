"""Lesson 09: its questions, in the order of the notebook; its guesses and insights; the misconceptions it cures."""

from .block import Block
from .cache_bytes import cache_bytes
from .count_parameters import count_parameters
from .diagnose import repair
from .forward_flops import forward_flops
from .identify import identify
from .language_model import LanguageModel
from .stack import Stack

LESSON = "09_block"
__all__ = [
    "Block",
    "Stack",
    "identify",
    "cache_bytes",
    "forward_flops",
    "count_parameters",
    "repair",
    "LanguageModel",
]

PREDICTIONS = {
    # A new translator is trained without the part: how many of six can it do without (at least 95 % right)?
    "never_had": ("none", "one or two", "three or more"),
    # The trained translator's blocks in the other order: which stack suffers more?
    "order": ("encoder", "decoder", "neither"),
    # GPT-2 small reads 1,024 tokens: which takes more FLOPs, the core of attention or the logits?
    "core": ("the core", "the logits", "about the same"),
}

INSIGHTS = {  # what a right answer can do beyond its question
    "Block": "Hand it causal attention, and it is a block of GPT-2; attention without a mask, and it is one of a "
    "vision Transformer. It need not know which.",
    "Stack": "Twelve of your blocks in it, 768 numbers wide, are all of GPT-2 small that stands between its "
    "embeddings and its logits.",
    "count_parameters": 'For the preset `"gpt2"` it gives 124,439,808: the 124 million by which GPT-2 small is '
    "known, without one weight in memory.",
    "cache_bytes": 'For the preset `"smollm2-135m"` the shared key heads make it a third of what nine heads of '
    "their own would take.",
    "forward_flops": "For GPT-2 small and one token it is within 1 % of 2 FLOPs for each parameter: the usual "
    "rule of thumb, now derived.",
    "identify": "It reads no weight: names and shapes stand at the head of a safetensors file, so a model of "
    "many gigabytes is known at once.",
    "repair": "With causal blocks, the path from ids to logits is a whole language model: draw a token from the "
    "last row's softmax, append it, and it writes.",
    "LanguageModel": "With the parameters of a GPT it writes what that GPT writes, token for token: what `load` reads "
    "from a file are numbers for parts such as yours.",
}

MISCONCEPTIONS = {
    "M14": "the residual written x + x: the sub-layer's output never arrives",
    "M15": "the skip does not carry the sub-layer's own input",
    "M18": "a transformation on the residual path, after the addition",
    "M19": "Add & Norm read as stacking: Add is the residual inside a block, a stack hands x from block to block",
    "M23": "pre-norm and post-norm confused",
    "M29": "a block taken for attention alone, or for the feed-forward network alone: every block has both",
    "M34": "a part of the path from ids to logits left out, or time and batch axes swapped",
}

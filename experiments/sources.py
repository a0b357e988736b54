"""Does a small model answer better with the right paragraph in front of it? And what does a wrong one do?

The first questions of questions/documentation.json, whose order was drawn, are put to SmolLM2 in its chat template:
alone, with the paragraph that answers them, and with one that answers another question. An answer counts as right if
it holds one of the key words, which were written down with the question. That is a coarse measure; as a control stands
what a reader without understanding would give: the paragraph's first words.
"""

from itertools import pairwise

import torch

from search_recall import QUESTIONS, marked
from transformer_lab import generate, load
from transformer_lab.data.passages import Passage, passages

N_ASKED, LONGEST = 12, 32  # questions; new tokens
WAYS = ("alone", "right", "wrong")
OPENED, CLOSED = "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"


def prompt(question: str, passage: str = "") -> str:
    """The question in SmolLM2's chat template, after a paragraph from the documentation, if there is one."""
    if not passage:
        return f"{OPENED}A question about Python. Answer it in one sentence.\n\nQuestion: {question}{CLOSED}"
    given = f"From the documentation of Python:\n\n{passage}\n\nAnswer the question with what stands there"
    return f"{OPENED}{given}, in one sentence.\n\nQuestion: {question}{CLOSED}"


def answer(model, tokenizer, text: str, longest: int = LONGEST) -> str:
    """What the model writes after the prompt, greedily, up to the end of its turn."""
    ids = torch.tensor([tokenizer.encode(text, special=True)])
    new = generate(model, ids, longest, stop=tokenizer.eos_id)[0, ids.shape[1] :]
    return tokenizer.decode(new).strip()


def is_right(said: str, key_words: list[str]) -> bool:
    """Does the answer hold one of the key words?"""
    return any(word.lower() in said.lower() for word in key_words)


def paragraphs(found: list[Passage], n: int = N_ASKED) -> list[dict[str, str]]:
    """For each question what is put in front of it: nothing, the right passage, or the next question's."""
    right = [found[row.int().argmax().item()] for row in marked(found)[: n + 1]]
    texts = [passage.text for passage in right]
    return [{"alone": "", "right": one, "wrong": other} for one, other in pairwise(texts)]


def run(n: int = N_ASKED) -> list[dict]:
    """For each question: what was said in each way, and which of it counts as right; and the control."""
    model, tokenizer = load("smollm2")
    rows = []
    for one, given in zip(QUESTIONS, paragraphs(passages(), n), strict=False):
        said = {way: answer(model, tokenizer, prompt(one["question"], given[way])) for way in WAYS}
        length = len(tokenizer.encode(said["right"]))
        said["first words"] = tokenizer.decode(tokenizer.encode(given["right"])[:length])
        right = {way: is_right(text, one["key_words"]) for way, text in said.items()}
        rows.append({"question": one["question"], "said": said, "right": right})
        print({way: sum(row["right"][way] for row in rows) for way in said}, said, flush=True)
    return rows


if __name__ == "__main__":
    from recording import record

    record(__file__, run)

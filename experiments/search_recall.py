"""How often does a search find the paragraph that answers a question?

Fifty questions on Python's documentation, in questions/documentation.json, by somebody who had seen neither search: 35
in everyday words that avoid the paragraph's own, 15 with an exact name from it. Each has one marked paragraph, and a
hit is a passage that holds it; an answer that stands elsewhere, too, counts for nothing. Recall@k is the share of
questions whose passage is among the first k.

The searches: words (TF-IDF); MiniLM with the mean of its tokens' vectors; both, their scores added; and of MiniLM, as
controls, only the first token's vector, the mean of its word vectors without any of its blocks, and its blocks with
weights at random. Another control is docs-bert with the mean: it has read this documentation with words hidden, and was
never trained on pairs (it is far smaller, and reads 64 tokens of a passage).

Then the same questions with typing errors: two neighbouring letters exchanged within a word.
"""

import json
import random
import re

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from transformer_lab import BERT, load
from transformer_lab.data.passages import Passage
from transformer_lab.device import seed_everything
from transformer_lab.experiments import find_file
from transformer_lab.models import evaluating
from transformer_lab.search import SearchEngine, WordSearch, sentence_vectors

QUESTIONS = json.loads(find_file("questions/documentation.json").read_text(encoding="utf-8"))
KINDS = ("paraphrase", "exact name")
TYPOS, SEEDS = (1, 2, 4), range(3)  # words with an error in each question; draws of the errors
LONG_ENOUGH = 4  # letters: shorter words are typed without errors


def first_token(model, tokenizer, texts: list[str]) -> Float[Tensor, "N D"]:
    """The vector of [CLS], of length 1, for each text."""
    rows = [tokenizer.encode(text) for text in texts]
    longest = model.config.max_len
    with evaluating(model), torch.no_grad():
        vectors = [model(torch.tensor([row[:longest]]))[0, 0] for row in rows]
    return F.normalize(torch.stack(vectors), dim=-1)


def word_vectors(model, tokenizer, texts: list[str]) -> Float[Tensor, "N D"]:
    """The mean of the token embeddings, before any block, of length 1."""
    means = [model.embedding.tokens.weight[tokenizer.encode(text)].mean(dim=0) for text in texts]
    return F.normalize(torch.stack(means).detach(), dim=-1)


def marked(found: list[Passage]) -> Bool[Tensor, "Q N"]:
    """Which passages hold the marked words of each question."""
    plain = [" ".join(passage.whole.split()) for passage in found]
    return torch.tensor([[" ".join(one["passage_contains"].split()) in text for text in plain] for one in QUESTIONS])


def ranks(scores: Float[Tensor, "Q N"], right: Bool[Tensor, "Q N"]) -> list[int]:
    """The place, from 1, of each question's passage; ties count against it."""
    best = scores.masked_fill(~right, -torch.inf).max(dim=1, keepdim=True).values
    return (1 + ((scores >= best) & ~right).sum(dim=1)).tolist()


def with_errors(question: str, n: int, rng: random.Random) -> str:
    """The question with two neighbouring letters exchanged in n of its longer words, or in all if there are fewer."""
    words = question.split(" ")
    long_words = [i for i, word in enumerate(words) if re.fullmatch(rf"[A-Za-z]{{{LONG_ENOUGH},}}\W*", word)]
    for i in rng.sample(long_words, min(n, len(long_words))):
        letters = [place for place in range(len(words[i]) - 1) if words[i][place : place + 2].isalpha()]
        places = [place for place in letters if words[i][place].lower() != words[i][place + 1].lower()]
        if places:
            place = rng.choice(places)
            words[i] = words[i][:place] + words[i][place + 1] + words[i][place] + words[i][place + 2 :]
    return " ".join(words)


def recall(found: list[int], k: int, kind: str | None = None) -> float:
    """The share of the questions, of one kind or all, whose passage is among the first k."""
    kept = [rank <= k for rank, one in zip(found, QUESTIONS, strict=True) if kind in (None, one["kind"])]
    return sum(kept) / len(kept)


def run() -> dict:
    """The place of each question's passage, for every search; and with typing errors, for two of them and each draw."""
    engine, asked = SearchEngine.of_python_docs(), [one["question"] for one in QUESTIONS]
    texts, right = [passage.whole for passage in engine.passages], marked(engine.passages)
    by_words, (model, tokenizer) = WordSearch(engine.passages), load("minilm")
    seed_everything(0)
    untrained = BERT(model.config).eval()

    def words(questions):
        return torch.stack([by_words.scores(question) for question in questions])

    def meaning(questions):
        return torch.stack([engine.scores(question) for question in questions])

    def near(vectors, *of):
        return vectors(*of, asked) @ vectors(*of, texts).T

    scores = {
        "words": words(asked),
        "MiniLM": meaning(asked),
        "both": words(asked) + meaning(asked),
        "first token": near(first_token, model, tokenizer),
        "word vectors": near(word_vectors, model, tokenizer),
        "untrained": near(sentence_vectors, untrained, tokenizer),
        "docs-bert": near(sentence_vectors, *load("course:docs-bert")),
    }
    found = {"n_passages": len(texts), "marked": right.sum(dim=1).tolist()}
    found["ranks"] = {name: ranks(one, right) for name, one in scores.items()}
    found["errors"] = {"words": {}, "MiniLM": {}}
    for n in TYPOS:
        for seed in SEEDS:
            rng = random.Random(f"{n} {seed}")
            wrong = [with_errors(question, n, rng) for question in asked]
            for name, search in (("words", words), ("MiniLM", meaning)):
                found["errors"][name].setdefault(str(n), []).append(ranks(search(wrong), right))
    for name, places in found["ranks"].items():
        print(
            name, {(kind, k): round(recall(places, k, kind), 2) for kind in (*KINDS, None) for k in (1, 5)}, flush=True
        )
    return found


if __name__ == "__main__":
    from recording import record

    record(__file__, run)

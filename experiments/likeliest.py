"""What SmolLM2 writes when it is searched for likelier and likelier texts, and when it is drawn from.

It goes on with passages of Python's manual: five groups of three. Greedy, beams, four ways of drawing, and what the
manual itself says. Of each text: the mean log-probability of its tokens (the model's own, at temperature 1), and the
share of its groups of four tokens that it has written before.
"""

import torch

from transformer_lab import generate, load
from transformer_lab.data import python_docs

N_READ, N_NEW, GROUPS, IN_A_GROUP = 32, 80, 5, 3
METHODS = {
    "greedy": {},
    "2 beams": dict(beams=2),
    "4 beams": dict(beams=4),
    "8 beams": dict(beams=8),
    "temperature 0.7": dict(temperature=0.7),
    "temperature 1": dict(temperature=1.0),
    "top-k 40": dict(temperature=1.0, top_k=40),
    "top-p 0.9": dict(temperature=1.0, top_p=0.9),
    "min-p 0.1": dict(temperature=1.0, min_p=0.1),
}


def passages(tokenizer):
    """Beginnings (15, N_READ) and what the manual says next (15, N_NEW): the first long paragraph of some topics."""
    rows = []
    for document in python_docs.train_and_validation(only_topics=True)[0]:
        for paragraph in document.text.split("\n\n"):
            ids = tokenizer.encode(" ".join(paragraph.split()))
            if len(ids) >= N_READ + N_NEW and paragraph[:1].isalpha() and sum(map(str.isalpha, paragraph)) > 350:
                rows.append(ids[: N_READ + N_NEW])
                break
    rows = rows[: GROUPS * IN_A_GROUP]
    return torch.tensor(rows).split([N_READ, N_NEW], dim=1)


def repeated(ids: list[int], n: int = 4) -> float:
    """The share of groups of n tokens in a row that stand in the text before."""
    groups = [tuple(ids[i : i + n]) for i in range(len(ids) - n + 1)]
    return 1 - len(set(groups)) / len(groups)


@torch.inference_mode()
def own_log_probs(model, read, new):
    """The log-probability of each new token, (B, N_NEW)."""
    rows = []
    for ids, n in zip(torch.cat((read, new), dim=1), [new.shape[1]] * len(new), strict=True):
        logits = model.logits(model.decode(ids[None, :-1])[:, -n:])
        rows.append(logits.log_softmax(dim=-1).gather(2, ids[None, -n:, None])[0, :, 0])
    return torch.stack(rows)


def write(model, read, method: str, n_new=N_NEW):
    """The new ids, (B, n_new)."""
    return generate(model, read, n_new, seed=0, length_penalty=0.0, **METHODS[method])[:, read.shape[1] :]


def run(methods=tuple(METHODS)) -> dict:
    model, tokenizer = load("smollm2")
    read, manual = passages(tokenizer)
    found: dict = {"read": read.tolist(), "texts": {}}
    for method in ("the manual", *methods):
        new = manual if method == "the manual" else write(model, read, method)
        scores = own_log_probs(model, read, new)
        found["texts"][method] = {
            "log_prob": [round(score, 4) for score in scores.mean(dim=1).tolist()],
            "repeated": [round(repeated(row), 4) for row in new.tolist()],
            "ids": new[:GROUPS].tolist(),
        }
        print(method, scores.mean().item(), found["texts"][method]["repeated"], flush=True)
        print("   ", repr(tokenizer.decode(new[0])), flush=True)
    return found


if __name__ == "__main__":
    from recording import record

    record(__file__, run)

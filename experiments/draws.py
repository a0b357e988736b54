"""Translators of dates after more and more training: what do beams gain, what does a draw cost, what wins a vote?

Of each, on 100 held-out dates: the share that greedy decoding, eight beams, one draw at temperature 1 and the vote of
32 such draws get right. For the ones of 120 steps also an exact search, for the likeliest text of all: it keeps every
beginning that is at least as probable as the best text that eight beams have found. Five seeds.
"""

from collections import Counter

import torch

from transformer_lab import Settings, make_task, train
from transformer_lab.generation import translate, translate_ids
from widths import log_probs

STEPS, SEEDS, N_PAIRS, N_DRAWS = (120, 150, 200), (0, 1, 2, 3, 4), 100, 32
LONGEST = 20


def trained(steps: int, seed: int):
    task = make_task("dates", seed=seed)
    train(task, Settings(steps=steps, seed=seed, lr=3e-3, evaluate_every=steps), progress=False)
    return task


@torch.no_grad()
def likelier(task, text: str, bound: float) -> int:
    """How many texts of at most LONGEST tokens are more probable than the bound (a log-probability).

    A text only becomes less probable as it grows, so a beginning below the bound can be dropped for good.
    """
    source, mask = task.tokenizer.batch([text])
    ids, scores, found = torch.tensor([[task.tokenizer.bos_id]]), torch.zeros(1), 0
    for _ in range(LONGEST):
        logits = task.model(source.expand(len(ids), -1), ids, mask.expand(len(ids), *mask.shape[1:]))[:, -1]
        totals = scores[:, None] + logits.log_softmax(dim=-1)  # (beginnings, V)
        rows, tokens = (totals > bound + 1e-4).nonzero(as_tuple=True)
        ended = tokens == task.tokenizer.eos_id
        found += int(ended.sum())
        rows, tokens = rows[~ended], tokens[~ended]
        if not len(rows):
            break
        ids, scores = torch.cat((ids[rows], tokens[:, None]), dim=1), totals[rows, tokens]
    return found


def missed(task, texts: list[str], beams: int = 8) -> int:
    """For how many of the texts there is a likelier translation than the one that beam search finds."""
    ids = translate_ids(task.model, task.tokenizer, texts, task.max_new_tokens, beams=beams, length_penalty=0.0)
    bounds, _ = log_probs(task, [pair for pair in task.held_out[: len(texts)]], ids)
    return sum(likelier(task, text, bound) > 0 for text, bound in zip(texts, bounds.tolist(), strict=True))


def measured(task, n_pairs: int = N_PAIRS, n_draws: int = N_DRAWS, seed: int = 0) -> dict:
    """The share that each way of decoding gets right; "a draw" is the mean of all draws."""
    pairs = task.held_out[:n_pairs]
    texts = [pair.source for pair in pairs]

    def right(said) -> float:
        return sum(one == pair.target for one, pair in zip(said, pairs, strict=True)) / len(pairs)

    def written(**options):
        return translate(task.model, task.tokenizer, texts, task.max_new_tokens, **options)

    draws = [written(temperature=1.0, seed=1000 * seed + number) for number in range(n_draws)]
    votes = [Counter(said).most_common(1)[0][0] for said in zip(*draws, strict=True)]
    return {
        "greedy": right(written()),
        "8 beams": right(written(beams=8, length_penalty=0.0)),
        "a draw": round(sum(map(right, draws)) / len(draws), 4),
        "vote": right(votes),
    }


def run(steps=STEPS, seeds=SEEDS, n_pairs=N_PAIRS) -> dict:
    found: dict = {"right": {}, "missed": []}
    for number in steps:
        found["right"][str(number)] = []
        for seed in seeds:
            task = trained(number, seed)
            found["right"][str(number)].append(measured(task, n_pairs, seed=seed))
            print(number, seed, found["right"][str(number)][-1], flush=True)
            if number == steps[0]:
                found["missed"].append(missed(task, [pair.source for pair in task.held_out[:n_pairs]]))
                print("missed", found["missed"][-1], flush=True)
    return found


if __name__ == "__main__":
    from recording import record

    record(__file__, run)

"""Beam search by a translator that was stopped early: better scores with every beam, and what becomes of the texts?

A nano translator of dates is trained for 120 steps only. Its held-out dates are translated with 1 to 64 beams, by the
sum of log-probabilities and by their mean (length penalty 1), and by sampling. The right answers get a score of their
own: where a wrong translation has a better one than the right answer, a better search does not help. Five seeds.
"""

import torch
from torch.nn.utils.rnn import pad_sequence

from transformer_lab import Settings, make_task, train
from transformer_lab.generation import translate_ids
from transformer_lab.metrics import chrf

N_STEPS, N_PAIRS, SEEDS = 120, 200, range(5)
BEAMS, PENALTIES, TEMPERATURES = (1, 2, 4, 8, 16, 32, 64), (0.0, 1.0), (0.3, 0.6, 1.0)


def undertrained(seed: int):
    """The task with its model, after N_STEPS steps."""
    task = make_task("dates", seed=seed)
    train(task, Settings(steps=N_STEPS, seed=seed, lr=3e-3, evaluate_every=N_STEPS), progress=False)
    return task


@torch.no_grad()
def log_probs(task, pairs, ids):
    """ids: (B, T), from [BOS] on -> the sum of log-probabilities of each row up to its [EOS], and how many it adds."""
    source, source_mask = task.tokenizer.batch([pair.source for pair in pairs])
    every = task.model(source, ids[:, :-1], source_mask).log_softmax(dim=-1)  # (B, T - 1, V)
    own = every.gather(2, ids[:, 1:, None])[..., 0]
    ends = ids[:, 1:] == task.tokenizer.eos_id
    is_after = (ends.cumsum(dim=1) - ends.long()).bool()
    return own.masked_fill(is_after, 0.0).sum(dim=1), (~is_after).sum(dim=1)


def right_ids(task, pairs):
    """The right answers as rows of ids: [BOS], the target, [EOS]."""
    one = task.tokenizer
    rows = [torch.tensor([one.bos_id, *one.encode(pair.target), one.eos_id]) for pair in pairs]
    return pad_sequence(rows, batch_first=True, padding_value=one.eos_id)


def judged(task, pairs, ids) -> dict:
    """What these translations are worth, and how many wrong texts have a better score than the right ones."""
    said, wanted = [task.tokenizer.decode(row) for row in ids], [pair.target for pair in pairs]
    totals, lengths = log_probs(task, pairs, ids)
    best, _ = log_probs(task, pairs, right_ids(task, pairs))
    is_wrong = torch.tensor([one != other for one, other in zip(said, wanted, strict=True)])
    return {
        "log_prob": round(totals.mean().item(), 4),
        "tokens": round(lengths.float().mean().item(), 3),
        "exact_match": round(1 - is_wrong.float().mean().item(), 4),
        "chrf": round(chrf(said, wanted), 2),
        "likelier_than_right": round((is_wrong & (totals > best)).float().mean().item(), 4),
    }


def measured(task, pairs, **options) -> dict:
    """What decoding with these options gives."""
    sources = [pair.source for pair in pairs]
    return judged(task, pairs, translate_ids(task.model, task.tokenizer, sources, task.max_new_tokens, **options))


def run(seeds=SEEDS, beams=BEAMS, penalties=PENALTIES, temperatures=TEMPERATURES) -> dict:
    found: dict = {"right": [], "search": {}, "sampling": {}}
    for seed in seeds:
        task = undertrained(seed)
        pairs = task.held_out[:N_PAIRS]
        totals, lengths = log_probs(task, pairs, right_ids(task, pairs))
        tokens = lengths.float().mean().item()
        found["right"].append({"log_prob": round(totals.mean().item(), 4), "tokens": round(tokens, 3)})
        for penalty in penalties:
            for n in beams:
                row = measured(task, pairs, beams=n, length_penalty=penalty)
                found["search"].setdefault(str(penalty), {}).setdefault(str(n), []).append(row)
                print(seed, penalty, n, row, flush=True)
        for temperature in temperatures:
            row = measured(task, pairs, temperature=temperature, seed=seed)
            found["sampling"].setdefault(str(temperature), []).append(row)
            print(seed, temperature, row, flush=True)
    return found


if __name__ == "__main__":
    from recording import record

    record(__file__, run)

"""What becomes of a translator that is trained with another divisor of the scores than the root of a head's width?

The date translator's data and style, 500 steps; four heads of width 16, or one of width 64; scores divided by the root
of the width, by nothing, or by the width itself. Five seeds, the same five for every setting.
"""

from transformer_lab import exact_match, replace_attention, scaled_dot_product_attention
from transformer_lab.data import dates
from transformer_lab.tasks import translation
from transformer_lab.training.loop import train
from transformer_lab.training.settings import Settings

STYLE = dict(norm_position="post", activation="relu")
STEPS, SEEDS = 500, tuple(range(5))
DIVISORS = {"sqrt(d)": lambda d: d**0.5, "nothing": lambda d: 1.0, "d": lambda d: d}


def divided_by(divisor: float):
    """Attention whose scores are divided by this, and not by the root of the width."""

    def attend(q, k, v, mask=None):
        return scaled_dot_product_attention(q * (q.shape[-1] ** 0.5 / divisor), k, v, mask)

    return attend


def translator(n_heads: int, name: str, seed: int, steps: int = STEPS):
    """(share of 300 held-out dates that are right, loss of every tenth step) of one that is trained so."""
    task, losses = translation.dates(seed=seed, n_heads=n_heads, **STYLE), []
    # A fixed warm-up, so that a shorter run begins as a longer one.
    settings = Settings(steps=steps, warmup=STEPS // 10, seed=seed, evaluate_every=steps)
    with replace_attention(task.model, divided_by(DIVISORS[name](task.model.config.head_width))):
        train(task, settings, listeners=[lambda status: losses.append(round(status.loss, 4))], progress=False)
        right = exact_match(task.model, task.tokenizer, dates.held_out_pairs(300))
    return right, losses


def run(heads=(4, 1), names=tuple(DIVISORS), seeds=SEEDS) -> list[dict]:
    rows = []
    for n_heads in heads:
        for name in names:
            results = [translator(n_heads, name, seed) for seed in seeds]
            right, losses = zip(*results, strict=True)
            rows.append({"heads": n_heads, "width": 64 // n_heads, "divisor": name, "right": right, "losses": losses})
            print(n_heads, name, right, [one[-1] for one in losses], flush=True)
    return rows


if __name__ == "__main__":
    from recording import record

    record(__file__, run)

"""A translator of interface texts, English to French, with far too little to learn from: what does more search do?

The texts are JupyterLab's own menus and messages, from the gettext catalogues of a package that the course does not
need: `pip install --no-deps jupyterlab-language-pack-fr-FR`. A tenth is held out, another tenth with each of the five
seeds. It is translated with 1 to 32 beams, by the sum of log-probabilities and by their mean (length penalty 1).
"""

import re
from collections import Counter
from importlib.metadata import files, version

from transformer_lab import Settings, train
from transformer_lab.data.files import read_pairs, split_pairs
from transformer_lab.data.pairs import Pair
from transformer_lab.data.tokenizers import BPETokenizer
from transformer_lab.generation import translate_ids
from transformer_lab.metrics import bleu
from transformer_lab.tasks.translation import Translation
from widths import judged, log_probs, right_ids

PACKAGE = "jupyterlab-language-pack-fr-FR"
N_STEPS, SEEDS, BEAMS, PENALTIES = 600, range(5), (1, 2, 4, 8, 16, 32), (0.0, 1.0)
ODD = re.compile(r"[%{}<>`\n&|]|http")  # placeholders, markup, code, addresses
KEPT = {"greedy": (0.0, 1), "32 beams": (0.0, 32), "32 beams, penalty 1": (1.0, 32)}  # whose texts are recorded


def catalog() -> list[Pair]:
    """The package's texts of two to twelve words, each once; PackageNotFoundError if it is not installed."""
    found: dict[str, Pair] = {}
    paths = [path for path in files(PACKAGE) or () if path.suffix == ".mo"]
    for path in sorted(paths):
        for pair in read_pairs(path.locate()):
            is_plain = not ODD.search(pair.source + pair.target) and pair.source != pair.target
            if is_plain and 2 <= len(pair.source.split()) <= 12:
                found.setdefault(pair.source.lower().rstrip("."), pair)
    return list(found.values())


def translator(seed: int, steps: int = N_STEPS) -> Translation:
    """The task with its model, trained."""
    pairs, held_out = split_pairs(catalog(), seed=seed)
    tokenizer = BPETokenizer.train((text for pair in pairs for text in (pair.source, pair.target)), vocab_size=1000)
    task = Translation({"task": PACKAGE, "seed": seed}, pairs, held_out, tokenizer, "nano", seed, dropout=0.1)
    train(task, Settings(steps=steps, seed=seed, evaluate_every=steps), progress=False)
    return task


def translated(task: Translation, penalty: float, beams: int) -> tuple[list[str], dict]:
    """What it writes for its held-out texts, and what that is worth; commonest: the share of the text written most."""
    sources, wanted = zip(*((pair.source, pair.target) for pair in task.held_out), strict=True)
    options = dict(beams=beams, length_penalty=penalty)
    ids = translate_ids(task.model, task.tokenizer, list(sources), task.max_new_tokens, **options)
    said = [task.tokenizer.decode(row) for row in ids]
    commonest = Counter(said).most_common(1)[0][1] / len(said)
    more = {"bleu": round(bleu(said, list(wanted)), 2), "commonest": round(commonest, 4)}
    return said, judged(task, task.held_out, ids) | more


def run(seeds=SEEDS, beams=BEAMS, penalties=PENALTIES) -> dict:
    found: dict = {"package": f"{PACKAGE} {version(PACKAGE)}", "pairs": [], "right": [], "search": {}, "texts": {}}
    for seed in seeds:
        task = translator(seed)
        found["pairs"].append([len(task.examples), len(task.held_out)])
        totals, lengths = log_probs(task, task.held_out, right_ids(task, task.held_out))
        means = round(totals.mean().item(), 4), round(lengths.float().mean().item(), 3)
        found["right"].append(dict(zip(("log_prob", "tokens"), means, strict=True)))
        kept = {"source": [pair.source for pair in task.held_out], "wanted": [pair.target for pair in task.held_out]}
        for penalty in penalties:
            for n in beams:
                said, row = translated(task, penalty, n)
                found["search"].setdefault(str(penalty), {}).setdefault(str(n), []).append(row)
                print(seed, penalty, n, row, flush=True)
                kept |= {name: said for name, how in KEPT.items() if how == (penalty, n)}
        if seed == 0:
            found["texts"] = kept
    return found


if __name__ == "__main__":
    from recording import record

    record(__file__, run)

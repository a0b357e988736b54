"""Tokenize a text, against the tokenizer library alone; and, run by hand, measure large texts.

python benchmarks/texts.py FILE...: prints, for each file or folder, the seconds until training can start and the peak
memory: with the ids in memory, with a file of them that is written first, and with one that is there already. In place
of a file, a number of megabytes makes a text up.
"""

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from compare import Case

MEASURE = """
import json, resource, sys, time
from pathlib import Path
from transformer_lab.tasks import language
from transformer_lab.training.batches import Batches
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
before, start, cpu = peak(), time.perf_counter(), time.process_time()
task = language.text_files(sys.argv[1], ids_folder=Path(sys.argv[2]) if len(sys.argv) > 2 else None)
batches = Batches(len(task.examples), 64, seed=0)
for step in range(10):
    task.collate([task.examples[i] for i in batches(step)])
json.dump([peak() - before, peak(), time.perf_counter() - start, time.process_time() - cpu], sys.stdout)
"""


def made_up_text(n_characters: int, seed: int = 0) -> str:
    """Words as frequent as words are (Zipf), in lines of different lengths."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("etaoinshrdlu", k=rng.randint(1, 9))) for _ in range(20_000)]
    weights = [1 / (rank + 3) for rank in range(len(words))]
    drawn, ends = rng.choices(words, weights, k=n_characters // 6), [" "] * 9 + ["\n", ", "]
    return "".join(word + rng.choice(ends) for word in drawn)


def measured(path, *ids_folder) -> dict[str, float]:
    """What a fresh Python needs to make a task of the text and ten batches: peak memory in bytes, and seconds."""
    command = [sys.executable, "-c", MEASURE, *map(str, (path, *ids_folder))]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(zip(("growth", "peak", "seconds", "cpu"), json.loads(done.stdout), strict=True))


def to_tokens():
    """A megabyte, both with the library's threads."""
    from transformer_lab.data.long_text import LongText
    from transformer_lab.data.tokenizers import BPETokenizer

    text = LongText([made_up_text(10**6)])
    tokenizer, whole = BPETokenizer.train(text.chunks(), vocab_size=512), list(text.chunks())

    def ours():
        return tokenizer.encode_chunks(text.chunks()).tolist()

    def rival():
        return [i for encoding in tokenizer.tokenizer.encode_batch(whole) for i in encoding.ids]

    assert ours() == rival()
    return ours, rival


CASES = [
    Case("a megabyte of text to tokens", "tokenizers.encode_batch", floor=0.85, goal=1.0, make=to_tokens, repeats=10)
]


def report(path: Path) -> None:
    """Print what a text needs, in the three ways."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files)
    with tempfile.TemporaryDirectory() as folder:
        for how, where in {"in memory": (), "written to a file": (folder,), "found in the file": (folder,)}.items():
            found = measured(path, *where)
            print(
                f"{path.name}, {size / 1e6:.0f} MB, ids {how}: peak {found['peak'] / 1e6:.0f} MB, without the imports "
                f"{found['growth'] / size:.1f} bytes a byte; {found['seconds']:.0f} s, {found['cpu']:.0f} s of CPU",
                flush=True,
            )


def report_made_up(megabytes: int) -> None:
    """Print what a text of this size needs, which is a made-up megabyte again and again."""
    text = made_up_text(10**6)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made_up.txt"
        with path.open("w", encoding="utf-8") as file:
            for _ in range(megabytes):
                file.write(text)
        report(path)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        report_made_up(int(name)) if name.isdecimal() else report(Path(name))

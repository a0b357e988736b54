"""`make bench-gpu`: this package on a CUDA device against the usual alternatives. A table and build/bench-gpu.json.

Each ratio is the rival's time / ours, measured alternately in one process; above 1, ours is faster. The rival in
training is nanoGPT's recipe in our own words: one plain module with packed projections, logits and loss inside,
compiled with torch.compile's defaults, bfloat16 autocast, fused AdamW.
"""

import gc
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from unittest import mock

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import nn

from transformer_lab import GPT, TransformerConfig, from_hf, generate
from transformer_lab.attention import explicit_attention, fused_attention
from transformer_lab.device import pick_device
from transformer_lab.generation import decoding
from transformer_lab.generation.replay import ReplayReader
from transformer_lab.tasks.task import Task
from transformer_lab.training.batches import Batches
from transformer_lab.training.loop import make_loss, make_optimizer, to_device, train
from transformer_lab.training.settings import Settings

# On a GPU, and where only this file is to be tried (TRANSFORMER_LAB_DEVICE=cpu).
LARGE = {
    "gpt2": (dict(vocab_size=50_304, n_layers=12, n_heads=12, d_model=768, d_ff=3072, max_len=1024), 16),
    "small": (dict(vocab_size=512, n_layers=6, n_heads=6, d_model=384, d_ff=1536, max_len=256), 64),
    "attention": (4, 12, 4096, 64),
    "tokens": 256,
    "steps": 20,
    "command": 400,
    "windows": 10_000_000,
}
TINY = {
    "gpt2": (dict(vocab_size=100, n_layers=2, n_heads=2, d_model=32, d_ff=64, max_len=32), 2),
    "small": (dict(vocab_size=100, n_layers=2, n_heads=2, d_model=32, d_ff=64, max_len=16), 4),
    "attention": (1, 2, 64, 16),
    "tokens": 8,
    "steps": 2,
    "command": 4,
    "windows": 10_000,
}


class PlainGPT(nn.Module):
    """nanoGPT's recipe: a pre-norm GPT-2 with one projection for queries, keys and values, which computes its loss."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        D, self.n_heads = config.d_model, config.n_heads
        self.tokens, self.positions = nn.Embedding(config.vocab_size, D), nn.Embedding(config.max_len, D)
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "norm_1": nn.LayerNorm(D),
                    "qkv": nn.Linear(D, 3 * D),
                    "out": nn.Linear(D, D),
                    "norm_2": nn.LayerNorm(D),
                    "up": nn.Linear(D, config.d_ff),
                    "down": nn.Linear(config.d_ff, D),
                }
            )
            for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(D)
        self.apply(lambda m: isinstance(m, nn.Linear | nn.Embedding) and nn.init.normal_(m.weight, std=0.02))

    def forward(self, ids, labels):
        B, T = ids.shape
        x = self.tokens(ids) + self.positions(torch.arange(T, device=ids.device))
        for block in self.blocks:
            q, k, v = block["qkv"](block["norm_1"](x)).view(B, T, 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)
            heads = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + block["out"](heads.transpose(1, 2).reshape(B, T, -1))
            x = x + block["down"](F.gelu(block["up"](block["norm_2"](x)), approximate="tanh"))
        logits = self.norm(x) @ self.tokens.weight.T
        return F.cross_entropy(logits.flatten(end_dim=1), labels.flatten())


class RandomWindows(Task):
    """Windows of random tokens: the time of a step does not depend on what they are."""

    description = {"task": "random windows"}
    metric, higher_is_better = "nothing", False

    def __init__(self, config: TransformerConfig, device: torch.device):
        torch.manual_seed(0)
        self.model, self.config = GPT(config).to(device), config
        self.text = torch.randint(config.vocab_size, (100_000,)).numpy()
        self.examples = range(len(self.text) - config.max_len)

    def collate(self, starts):
        n = self.config.max_len + 1
        windows = torch.stack([torch.from_numpy(self.text[start : start + n]) for start in starts])
        return {"ids": windows[:, :-1], "labels": windows[:, 1:]}

    def logits(self, network, batch):
        return network(batch["ids"])

    def evaluate(self):
        return {"nothing": 0.0}


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def seconds(work: Callable, device: torch.device, repeats: int) -> float:
    """Seconds of one call, where several follow each other without waiting."""
    wait(device)
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    wait(device)
    return (time.perf_counter() - start) / repeats


def alternately(ours: Callable, rival: Callable, device: torch.device, repeats: int, rounds: int = 5) -> dict:
    """Medians of both, and the median of their ratio."""
    for work in (ours, rival) * 3:  # compile, and warm up
        work()
    gc.collect()
    pairs = [(seconds(ours, device, repeats), seconds(rival, device, repeats)) for _ in range(rounds)]
    return {
        "ours_s": statistics.median(mine for mine, _ in pairs),
        "rival_s": statistics.median(other for _, other in pairs),
        "ratio": statistics.median(other / mine for mine, other in pairs),
    }


def allocated(device: torch.device) -> float:
    """GiB that tensors take on the GPU now."""
    return torch.cuda.memory_allocated() / 2**30 if device.type == "cuda" else float("nan")


def peak(work: Callable, device: torch.device) -> float:
    """GiB at the peak of one call, when the program is compiled."""
    if device.type != "cuda":
        return float("nan")
    for _ in range(4):
        work()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    work()
    wait(device)
    return torch.cuda.max_memory_allocated() / 2**30


def our_step(task: RandomWindows, batch_size: int, device: torch.device) -> Callable:
    """One training step as `train` takes it, on batches that are prepared anew each time."""
    settings = Settings(steps=1, batch_size=batch_size)
    compute_loss = make_loss(task, task.model, settings, device)
    optimizer, batches, step = make_optimizer(task.model, settings), Batches(len(task.examples), batch_size, 0), [0]
    accelerator = Accelerator(cpu=device.type == "cpu", device_placement=False)

    def one_step():
        batch = to_device(task.collate([task.examples[i] for i in batches(step[0])]), device)
        step[0] += 1
        optimizer.zero_grad()
        accelerator.backward(compute_loss(batch) / batch["labels"].numel())
        accelerator.clip_grad_norm_(task.model.parameters(), 1.0)
        optimizer.step()

    return one_step


def plain_step(config: TransformerConfig, task: RandomWindows, batch_size: int, device: torch.device) -> Callable:
    """The rival's step on one batch that is there already."""
    model = torch.compile(PlainGPT(config).to(device))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    batch = to_device(task.collate(list(range(batch_size))), device)

    def one_step():
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            loss = model(**batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return one_step


GPT2_STYLE = dict(positions="learned", activation="gelu_tanh", scale_embeddings=False)


def training(name: str, sizes: dict, device: torch.device, floor: float, goal: float) -> list[dict]:
    """Rows on the step's time and its memory."""
    fields, batch_size = sizes[name]
    config = TransformerConfig(**fields, **GPT2_STYLE)
    task = RandomWindows(config, device)
    ours = our_step(task, batch_size, device)
    mine, held = peak(ours, device), allocated(device)
    rival = plain_step(config, task, batch_size, device)
    other = peak(rival, device) - held
    times = alternately(ours, rival, device, sizes["steps"])
    tokens_per_s = round(batch_size * config.max_len / times["ours_s"])
    return [
        dict(work=f"{name}: step", floor=floor, goal=goal, tokens_per_s=tokens_per_s, **times),
        dict(work=f"{name}: peak memory, GiB", floor=1.0, goal=1 / 0.9, ours=mine, rival=other, ratio=other / mine),
    ]


def command(sizes: dict, device: torch.device) -> list[dict]:
    """How much of the bare compiled step's speed `train` reaches, evaluation and compilation left out."""
    fields, batch_size = sizes["small"]
    config = TransformerConfig(**fields, **GPT2_STYLE)
    bare_task = RandomWindows(config, device)
    bare = our_step(bare_task, batch_size, device)
    for _ in range(3):
        bare()
    bare_s = seconds(bare, device, sizes["steps"])
    told = []
    settings = Settings(steps=sizes["command"], batch_size=batch_size, log_every=max(1, sizes["command"] // 4))
    train(RandomWindows(config, device), settings, listeners=[lambda s: told.append(s.tokens_per_s)], progress=False)
    speed = told[-2]  # the first holds the compilation, the last the evaluation
    return [
        dict(
            work="train's tokens/s / bare step's",
            floor=0.9,
            goal=0.97,
            ours=speed,
            ratio=speed * bare_s / (batch_size * config.max_len),
        )
    ]


def attention(sizes: dict, device: torch.device) -> list[dict]:
    """Fused against written out, forwards and backwards."""
    B, H, T, d = sizes["attention"]
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    q, k, v = (torch.randn(B, H, T, d, device=device, dtype=dtype, requires_grad=True) for _ in range(3))
    mask = (torch.arange(T, device=device) < T - 5)[None, None, None]

    def run(attend, *arguments):
        return lambda: attend(q, k, v, *arguments)[0].sum().backward()

    causal = alternately(run(fused_attention, None, True), run(explicit_attention(), None, True), device, 3)

    def unguarded(q, k, v, mask):
        return (F.scaled_dot_product_attention(q, k, v, attn_mask=mask),)

    guarded = alternately(run(fused_attention, mask), run(unguarded, mask), device, 3)
    return [
        dict(work=f"attention, causal, T {T}: fused / written out", floor=5.0, goal=10.0, **causal),
        dict(work=f"attention, masked, T {T}: zeros for masked rows / torch's kernel", floor=0.9, goal=1.0, **guarded),
    ]


def generation(sizes: dict, device: torch.device) -> list[dict]:
    """Greedy text with a cache, against transformers' generate with the same weights, and with no step replayed."""
    from transformers import GPT2Config, GPT2LMHeadModel

    fields, _ = sizes["gpt2"]
    config = GPT2Config(
        vocab_size=fields["vocab_size"], n_positions=fields["max_len"], n_embd=fields["d_model"],
        n_layer=fields["n_layers"], n_head=fields["n_heads"], bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    theirs = GPT2LMHeadModel(config).eval().to(device, dtype)
    ours, rows, n = from_hf(theirs), [], sizes["tokens"]
    for B in (1, 32):
        ids = torch.randint(fields["vocab_size"], (B, 8), device=device)
        options = dict(max_new_tokens=n, do_sample=False, pad_token_id=0, attention_mask=torch.ones_like(ids))
        both = alternately(
            lambda ids=ids: generate(ours, ids, n), lambda ids=ids, o=options: theirs.generate(ids, **o), device, 1, 3
        )
        goal = dict(floor=2.5, goal=6.0) if B == 1 else dict(floor=1.5, goal=2.5)
        rows.append(
            dict(work=f"generate {n} tokens, batch {B}", tokens_per_s=round(B * n / both["ours_s"]), **goal, **both)
        )
        plain = alternately(
            lambda ids=ids: generate(ours, ids, n), lambda ids=ids: step_by_step(ours, ids, n), device, 1, 3
        )
        rows.append(dict(work=f"the same, batch {B}: replayed / step by step", floor=1.0, goal=2.5, **plain))
        rows.append(
            dict(
                recording(ours, ids, plain["rival_s"] / n, device), work=f"steps in the time of a recording, batch {B}"
            )
        )
    return rows


def step_by_step(model: GPT, ids: torch.Tensor, n: int) -> torch.Tensor:
    with mock.patch.object(decoding, "can_replay", lambda *_: False):
        return generate(model, ids, n)


def recording(model: GPT, ids: torch.Tensor, step_s: float, device: torch.device) -> dict:
    """How many steps a recording takes: replays make up for it only later, so STEPS_BEFORE should be about as large."""
    with torch.inference_mode():
        reader = ReplayReader(model)
        reader.next_logits(ids)
        longer = torch.cat((ids, ids[:, -1:]), dim=1)
        record_s = seconds(lambda: reader.make_room(longer), device, 1)
    return dict(floor=0.0, goal=0.0, ours_s=record_s, ratio=record_s / step_s)


def batches(sizes: dict, device: torch.device) -> list[dict]:
    start = time.perf_counter()
    Batches(sizes["windows"], 64, 0)(0)
    return [
        dict(
            work=f"Batches({sizes['windows']:,}): seconds to the first",
            floor=0.0,
            goal=0.0,
            ratio=time.perf_counter() - start,
        )
    ]


def same_bits(sizes: dict, device: torch.device) -> list[dict]:
    """Do two equal runs end with the same weights, bit for bit? The largest difference of a weight."""
    fields, batch_size = sizes["small"]
    ends = []
    for _ in range(2):
        task = RandomWindows(TransformerConfig(**fields, **GPT2_STYLE), device)
        train(task, Settings(steps=20, batch_size=batch_size), progress=False)
        ends.append([p.detach().clone() for p in task.model.parameters()])
    largest = max((a - b).abs().max().item() for a, b in zip(*ends, strict=True))
    return [dict(work="two equal runs: largest difference of a weight", floor=0.0, goal=0.0, ratio=largest)]


def main() -> int:
    device = pick_device()
    on_gpu = device.type == "cuda"
    if not on_gpu and "cpu" not in sys.argv[1:]:
        print("The GPU benchmark needs a CUDA device, and torch finds none.")
        return 1
    sizes = LARGE if on_gpu else TINY
    rows = []
    for part in (
        lambda: training("gpt2", sizes, device, 1.0, 1.1),
        lambda: training("small", sizes, device, 2.0, 2.5),
        lambda: command(sizes, device),
        lambda: attention(sizes, device),
        lambda: generation(sizes, device),
        lambda: batches(sizes, device),
        lambda: same_bits(sizes, device),
    ):
        for row in part():
            rows.append(row)
            line = "  ".join(f"{k} {v:,.4g}" if isinstance(v, float | int) else str(v) for k, v in row.items())
            print(line, flush=True)
        gc.collect()
    name = torch.cuda.get_device_name() if on_gpu else platform.processor()
    report = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": name,
        "versions": {package: version(package) for package in ("torch", "transformers", "accelerate")},
        "rows": rows,
    }
    Path("build").mkdir(exist_ok=True)
    Path("build/bench-gpu.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"{name}: written build/bench-gpu.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Does the gradient reach the bottom of norm_position's models while they train, at a rate of 0.01? Five seeds.

Recorded at the batch of each step in AT: the gradient's size below the first block, relative to its size above the
last one. And of the 12 sub-layers' branches F(x), in the median: how large a branch is relative to the x that it is
added to (root mean square), and which share of its mean square is the same for all tokens. Also the mean loss of the
last 20 of 300 steps. A control takes that part which is the same for all tokens off every branch.
"""

from statistics import median

import torch
import torch.nn.functional as F

from norm_position import BATCH, LAST, LENGTH, SEEDS, STEPS, VOCAB, WARM_UP, model
from transformer_lab import GPT
from transformer_lab.layers import Residual

RATE, AT = 1e-2, (0, 2, 5, 20, 60, 100)
WAYS = {
    "pre-norm": ("pre", 0, False),
    "post-norm": ("post", 0, False),
    "post-norm, warm-up": ("post", WARM_UP, False),
    "post-norm, same part off": ("post", 0, True),
}


def loss_and_line(gpt: GPT, ids: torch.Tensor) -> tuple[torch.Tensor, list, list, list]:
    """The loss, the residual stream (B, T, D) at its two ends, and of each sub-layer x and F(x)."""
    xs, sums, ends = [], [], {}
    blocks = gpt.decoder.blocks
    hooks = [
        blocks[0].register_forward_pre_hook(lambda block, inputs: ends.update(bottom=inputs[0])),
        blocks[-1].register_forward_hook(lambda block, inputs, output: ends.update(top=output)),
    ]
    for layer in (one for one in gpt.modules() if isinstance(one, Residual)):
        hooks.append(layer.register_forward_pre_hook(lambda layer, inputs: xs.append(inputs[0])))
        if layer.norm_position == "post":  # the norm reads the sum
            hooks.append(layer.norm.register_forward_pre_hook(lambda norm, inputs: sums.append(inputs[0])))
        else:
            hooks.append(layer.register_forward_hook(lambda layer, inputs, output: sums.append(output)))
    loss = F.cross_entropy(gpt(ids)[:, 1:].flatten(0, 1), ids[:, :-1].flatten())
    for hook in hooks:
        hook.remove()
    return loss, [ends["bottom"], ends["top"]], xs, [total - x for x, total in zip(xs, sums, strict=True)]


def same_for_all(branch: torch.Tensor) -> float:
    """The share of the mean square of what a branch adds (B, T, D) that is the same for all tokens."""
    return (branch.mean(dim=(0, 1)).square().mean() / branch.square().mean()).item()


def take_off_the_same(gpt: GPT) -> None:
    """From now on no branch adds anything that is the same for all tokens of a batch."""
    for block in gpt.decoder.blocks:
        for last in (block.attention.w_o, block.feed_forward.w_2):
            last.register_forward_hook(lambda layer, inputs, output: output - output.mean(dim=(0, 1)))


def measured(norm_position: str, warm_up: int, same_off: bool, seed: int, at=AT, steps: int = STEPS) -> dict:
    """ "gradient", "branch" and "same for all tokens", as above, at these steps, and the "loss" at the end."""
    gpt, batches = model(norm_position, seed), torch.Generator().manual_seed(seed)
    if same_off:
        take_off_the_same(gpt)
    optimiser = torch.optim.AdamW(gpt.parameters(), lr=RATE, fused=True)
    found: dict[str, list[float]] = {"gradient": [], "branch": [], "same for all tokens": []}
    losses = []
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = RATE * min(1.0, (step + 1) / warm_up) if warm_up else RATE
        ids = torch.randint(VOCAB, (BATCH, LENGTH), generator=batches)
        loss, line, xs, branches = loss_and_line(gpt, ids)
        if step in at:
            bottom, top = (one.norm() for one in torch.autograd.grad(loss, line, retain_graph=True))
            found["gradient"].append(float(f"{bottom / top:.3g}"))
            sizes = [(branch.norm() / x.norm()).item() for x, branch in zip(xs, branches, strict=True)]
            found["branch"].append(float(f"{median(sizes):.3g}"))
            found["same for all tokens"].append(float(f"{median(map(same_for_all, branches)):.3g}"))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return found | {"loss": round(sum(losses[-LAST:]) / LAST, 4)}


def run() -> dict:
    return {name: [measured(*way, seed) for seed in SEEDS] for name, way in WAYS.items()}


if __name__ == "__main__":
    from recording import record

    record(__file__, run)

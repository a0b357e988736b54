"""The training loop: batch, loss, gradient, step. One loop for a laptop's CPU, one GPU, or many under torchrun.

Several processes share each batch (data parallelism): each computes the gradient of its share, the gradients are
averaged, and all take the same step. accelerate finds the devices and connects the processes.
"""

import math
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path
from threading import Event

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..device import plain_tensors
from ..models import evaluating
from ..progress_bar import ProgressBar
from ..sentences import short_repr
from ..tasks.task import IGNORED, Task
from ..tasks.task import summed_loss as summed_loss
from .batches import Batches
from .history import History
from .interrupt import interrupts
from .meter import Meter, TrainingStatus
from .run import DIVERGED, Run, check_weights, make_run
from .settings import Settings
from .surroundings import check_model, isolated
from .tensorboard import TensorBoard

ComputeLoss = Callable[[dict[str, Tensor]], Float[Tensor, ""]]  # of a batch; make_loss makes it


def train(
    task: Task,
    settings: Settings,
    folder: Path | str | None = None,
    resume: bool = False,
    listeners: Iterable[Callable[[TrainingStatus], None]] = (),
    progress: bool = True,
) -> History:
    """Train task.model; returns the history of its evaluations.

    With a folder, checkpoints and metrics.jsonl are kept there, and finally the model; resume goes on from the last
    checkpoint. Ctrl-C, or a closed terminal, writes a checkpoint and returns; without a folder it raises
    KeyboardInterrupt. Listeners are told how the training goes, each time after its checkpoint is written. The result
    follows from data, settings and device alone.

    Raises ValueError for a model or settings that do not fit the task, the number of processes or the run to be
    resumed, and if the loss becomes NaN or infinite; OSError if the folder cannot be written, or belongs to another
    process.
    """
    if not isinstance(task, Task) or not isinstance(settings, Settings):
        raise ValueError(f"train takes a Task and its Settings; got {type(task).__name__}, {type(settings).__name__}.")
    if not isinstance(listeners, Iterable) or not all(map(callable, listeners := list(listeners))):
        raise ValueError(f"listeners must be a list of functions; got {short_repr(listeners)}.")
    check_model(task.model)
    curves = {listener.folder for listener in listeners if isinstance(listener, TensorBoard)}
    with isolated() as (accelerator, device):
        settings.check_share(accelerator.num_processes)
        batches = Batches(len(task.examples), settings.batch_size, settings.seed, task.lengths)
        network: nn.Module = task.model.to(device)
        if accelerator.num_processes > 1:
            network = accelerator.prepare(network)  # it averages their gradients
        compute_loss = make_loss(task, network, settings, device, accelerator.num_processes)
        optimizer = make_optimizer(task.model, settings)
        run = make_run(accelerator, device, task, settings, optimizer, folder)
        with interrupts() as interrupted, run.under_way(resume, curves), run.needing_all_processes():
            take_steps(
                run, network, compute_loss, batches, Meter(accelerator, device), interrupted, listeners, progress
            )
            if not run.history.interrupted:
                run.finish()
    return run.history


def take_steps(
    run: Run,
    network: nn.Module,
    compute_loss: ComputeLoss,
    batches: Batches,
    meter: Meter,
    interrupted: Event,
    listeners: Iterable[Callable[[TrainingStatus], None]],
    progress: bool,
) -> None:
    """Take the remaining steps, or fewer if the run is interrupted or has stopped improving."""
    accelerator, task, settings = run.accelerator, run.task, run.settings
    is_main = accelerator.is_main_process
    if run.owes_evaluation():
        evaluate_and_record(run, run.status(loss=math.nan, tokens_per_s=math.nan))
        run.save()
    task.model.train()
    shown = progress and is_main
    with ProgressBar(total=settings.steps, initial=run.step, desc="training", unit="step", disable=not shown) as bar:
        while run.step < settings.steps and not run.history.has_stalled(settings.patience):
            indices = batches(run.step)
            meter.add(*training_step(run, network, compute_loss, indices))
            run.step += 1

            evaluated, saved = settings.is_evaluated(run.step), settings.is_saved(run.step)
            stopping, status = any_process(accelerator, interrupted.is_set(), run.step), None
            if evaluated or saved or run.step % settings.log_every == 0:
                status = run.status(*meter.read())
                check_finite(status)
            if evaluated or saved or stopping:  # an evaluation is saved, too
                check_weights(task.model, run.step)
            if evaluated and status is not None:
                evaluate_and_record(run, status)
            if saved or stopping:
                run.save()
            # Saved before the listeners are told: one may raise, and a pipe may be closed at its other end.
            with run.saved_on_error():
                bar.update()
                if status is not None and is_main:
                    bar.set_postfix_str(f"loss {status.loss:.3f}, {status.tokens_per_s:,.0f} tokens/s")
                    notify(listeners, status)
            if stopping:
                run.interrupt()
                return
            if evaluated or saved:
                meter.restart()  # evaluating and saving do not count towards the speed of training


def evaluate_and_record(run: Run, status: TrainingStatus) -> None:
    """Evaluate the model, and add the result to the history."""
    with run.saved_on_error():
        metrics = evaluate(run.task)
    status.metrics = broadcast_object_list([metrics])[0]  # the first process's, in all processes
    run.history.add(status.line())


def training_step(
    run: Run, network: nn.Module, compute_loss: ComputeLoss, indices: list[int]
) -> tuple[Float[Tensor, ""], Int[Tensor, ""]]:
    """One step on the examples at these indices; returns this process's loss, summed over its labels, and their number.

    A process may compute its share in parts, one after the other, whose gradients add up (accumulation).
    """
    accelerator, task, settings, optimizer = run.accelerator, run.task, run.settings, run.optimizer
    rank, n_processes = accelerator.process_index, accelerator.num_processes
    seed_step(settings.seed, run.step, rank)
    for group in optimizer.param_groups:
        group["lr"] = settings.learning_rate(run.step)
    share = indices[rank::n_processes]
    parts = [share[part :: settings.accumulation] for part in range(settings.accumulation)]
    batches = [to_device(task.collate([task.examples[i] for i in part]), task.device) for part in parts]
    # The loss is the mean over all labels of the global batch, whatever the parts: a mean of the parts' means would
    # give more weight to the labels of a short part.
    n_labels = torch.stack([(batch["labels"] != IGNORED).sum() for batch in batches]).sum()
    n_labels_global = accelerator.reduce(n_labels)

    optimizer.zero_grad()
    total = torch.zeros((), device=task.device)
    for number, batch in enumerate(batches, start=1):
        # The processes average their gradients once, at the last part.
        with nullcontext() if number == len(batches) else accelerator.no_sync(network):
            loss = compute_loss(batch)
            # The processes' gradients are averaged; times n_processes they add up.
            accelerator.backward(loss * n_processes / n_labels_global)
        total += loss.detach()
    accelerator.clip_grad_norm_(network.parameters(), settings.clip)
    optimizer.step()
    return total, n_labels


def make_loss(
    task: Task, network: nn.Module, settings: Settings, device: torch.device, n_processes: int = 1
) -> ComputeLoss:
    """The function that computes a batch's loss with the network, summed over the labels.

    Compiled, logits and loss are one program, so that the compiler may join the steps between them. Where every batch
    has the same shape and is one step, a GPU then records the program and replays it (a CUDA graph), without waiting
    for Python to launch each kernel; several processes, or parts of a batch, would overwrite one another's results.
    """

    def compute_loss(batch: dict[str, Tensor]) -> Float[Tensor, ""]:
        with torch.autocast(device.type, torch.bfloat16, enabled=settings.in_bfloat16(device)):
            logits = task.logits(network, batch)
        return task.loss(logits, batch, settings.label_smoothing)

    if not settings.compiles(device, task.is_padded):
        return compute_loss
    replays = device.type == "cuda" and not task.is_padded and n_processes == settings.accumulation == 1
    return torch.compile(compute_loss, mode="reduce-overhead" if replays else None)


def to_device(batch: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """Copy a batch to the device; a GPU goes on computing meanwhile, which takes memory that is pinned."""
    if device.type != "cuda":
        return {name: tensor.to(device) for name, tensor in batch.items()}
    return {name: tensor.pin_memory().to(device, non_blocking=True) for name, tensor in batch.items()}


def make_optimizer(model: nn.Module, settings: Settings) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2017, arXiv:1711.05101); biases and the scales of norms do not decay."""
    matrices = [parameter for parameter in model.parameters() if parameter.ndim >= 2]
    vectors = [parameter for parameter in model.parameters() if parameter.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.lr, betas=(0.9, settings.beta_2), fused=True)


def seed_step(seed: int, step: int, rank: int) -> None:
    """Seed torch's random numbers, which dropout draws, at each step: a resumed run then draws the same."""
    torch.manual_seed(hash((seed, step, rank)))


@torch.no_grad()
def evaluate(task: Task) -> dict[str, float | None]:
    """The task's metrics, computed with the model in eval mode; None for one that is undefined."""
    with evaluating(task.model), plain_tensors():
        metrics = task.evaluate()
    return {name: None if value is None else float(value) for name, value in metrics.items()}


def notify(listeners: Iterable[Callable[[TrainingStatus], None]], status: TrainingStatus) -> None:
    """Tell the listeners, with the model in eval mode: dropout must not spoil a sample that they take from it."""
    with evaluating(status.task.model):
        for listen in listeners:
            listen(status)


def check_finite(status: TrainingStatus) -> None:
    """Raise ValueError if the loss has become NaN or infinite, from which no further step recovers."""
    if not math.isfinite(status.loss):
        raise ValueError(f"The loss is {status.loss} at step {status.step}: {DIVERGED}")


def any_process(accelerator: Accelerator, flag: bool, step: int) -> bool:
    """Is the flag set in one of the processes? Asking costs a message, so several processes ask at every tenth step."""
    if accelerator.num_processes == 1:
        return flag
    if step % 10:
        return False
    return accelerator.reduce(torch.tensor(float(flag), device=accelerator.device)).item() > 0

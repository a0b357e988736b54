"""Writes the files beside it with version 0.1, which alone can: see README.md."""

import json
import os
import signal
from pathlib import Path

import torch
import torch.nn.functional as F

import transformer_lab
from transformer_lab.config import TransformerConfig
from transformer_lab.data.tokenizers import WordTokenizer
from transformer_lab.grading import grade, predict
from transformer_lab.heads import Classifier, Tagger
from transformer_lab.models import BERT, GPT, Transformer
from transformer_lab.pretrained import load, save
from transformer_lab.tasks.catalogue import make_task, saved_task
from transformer_lab.training.checkpoints import Checkpoints
from transformer_lab.training.loop import evaluate, make_optimizer, train
from transformer_lab.training.settings import Settings

HERE = Path(__file__).parent
COURSE = Path(transformer_lab.__file__).parents[1]
SMALL = dict(d_model=8, n_heads=2, n_layers=1, d_ff=16)
RUN = Settings(steps=8, batch_size=16, evaluate_every=4, keep=1)
LONG = Settings(steps=400, batch_size=16, lr=1e-2, evaluate_every=400, keep=1)
LLAMA = dict(norm="rms", activation="swiglu", positions="rotary", bias=False, scale_embeddings=False)
BERT_STYLE = dict(norm_position="post", activation="gelu", positions="learned", norm_embeddings=True)
# Between them they have every parameter that a model of 0.1 may have.
MODELS = {
    "gpt2": (GPT, dict(activation="gelu_tanh", positions="learned", n_layers=2)),
    "llama": (GPT, dict(LLAMA, n_heads=4, n_kv_heads=2, d_head=4, tie_embeddings=False)),
    "bert": (BERT, dict(BERT_STYLE, n_segments=2, pooler=True, masked_lm_head=True)),
    "classifier": (Classifier, dict(BERT_STYLE)),
    "tagger": (Tagger, dict(positions="alibi")),
}
TEXTS = ["the cat sat on the mat", "a dog ran to the cat", "the mat is red"]
ANSWERS = {
    "softmax": 'def softmax(x, dim=-1):\n    """Weights of the scores x along dim; a row that is wholly -inf gives '
    'zeros."""\n    return torch.nan_to_num(torch.softmax(x, dim), 0.0)',
    "entropy": 'def entropy(weights):\n    """my own note: zeros first"""\n    '
    "return -torch.xlogy(weights, weights).sum(-1)",
    "shift_choice": 'shift_choice = "sharper"',
}


def write_progress() -> None:
    """Some questions answered well, partly and not at all, some guesses made."""
    os.environ.pop("TRANSFORMER_LAB_PROGRESS", None)
    os.environ["TRANSFORMER_LAB_DATA"] = str(HERE / "progress")
    grade("02_attention.softmax", lambda x, dim=-1: torch.nan_to_num(torch.softmax(x, dim), 0.0))
    grade("02_attention.entropy", lambda weights: -(weights * weights.log()).sum(-1))
    grade("02_attention.mix", lambda keys, values: keys[0])
    grade("03_masks.causal_mask", lambda T, S: torch.ones(T, S, dtype=torch.bool).tril(S - T))
    predict("02_attention.variance", "grows like d")
    predict("02_attention.variance", actual="grows like d")
    predict("02_attention.hull", "yes")
    predict("02_attention.hull", actual="no")
    predict("03_masks.break_mask", "causal")
    for lock in (HERE / "progress").glob("*.lock"):
        lock.unlink()


def write_exercise() -> None:
    """Lesson 02's exercises with answers begun, saved as JupyterLab does."""
    notebook = json.loads((COURSE / "exercises/02_attention/attention.ipynb").read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        answer = ANSWERS.get(cell["metadata"].get("nbgrader", {}).get("grade_id"))
        if answer:
            cell["source"] = answer.splitlines(keepends=True)
            cell["execution_count"] = 1
    (HERE / "attention.ipynb").write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write_models() -> None:
    """Models whose weights, norms and biases too, are random numbers."""
    tokenizer = WordTokenizer.train(TEXTS, spaces=True)
    for name, (kind, changes) in MODELS.items():
        config = TransformerConfig(vocab_size=len(tokenizer), **{**SMALL, "max_len": 16, **changes})
        model = kind(config, *([["animal", "thing", "other"]] if kind in (Classifier, Tagger) else []))
        torch.manual_seed(0)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 0.3 * torch.randn_like(parameter)
        save(model, tokenizer, HERE / "models" / name)


def write_runs() -> None:
    """Three small models that train has left, and a run that was interrupted after four of its steps."""
    os.chdir(HERE)  # the files are named as they are on a command line
    train_small("copy", "models/copy", n=64)
    train_small("pairs.tsv", "models/pairs")
    train_small("text.txt", "models/text", max_len=16)
    task = make_task("copy", n=64, **SMALL)
    collate, calls = task.collate, []

    def interrupted(examples):
        calls.append(examples)
        if len(calls) == 4:
            signal.raise_signal(signal.SIGINT)
        return collate(examples)

    task.collate = interrupted
    assert train(task, RUN, "run", progress=False).interrupted


def train_small(name: str, folder: str, **options) -> None:
    train(make_task(name, **SMALL, **options), LONG, folder, progress=False)
    for path in sorted(Path(folder, "checkpoints").glob("*/*")):
        path.unlink()
    for path in [*Path(folder, "checkpoints").iterdir(), Path(folder, "checkpoints")]:
        path.rmdir()
    config = Path(folder, "config.json")  # where 0.1 has kept the whole path of a file
    config.write_text(config.read_text(encoding="utf-8").replace(str(HERE), "/home/ada/course"), encoding="utf-8")


def outputs(model) -> list:
    """What a model computes of fixed ids, where some are padding: eight numbers for each token."""
    ids = torch.tensor([[4, 5, 6, 7, 8], [9, 8, 4, 0, 0]])
    mask = ids != 0
    output = model(ids, ids, mask, mask) if isinstance(model, Transformer) else model(ids, mask)
    if isinstance(model, BERT) and model.pooler is not None:
        output = torch.cat([model.pool(output)[:, None].expand(-1, 5, -1), model.masked_lm_logits(output)], dim=-1)
        return output[mask][:, ::2].detach().tolist()
    return (output if isinstance(model, Classifier) else output[mask])[:, :8].detach().tolist()


def one_step(folder: Path) -> list:
    """What the interrupted run's model computes after one more step of its optimizer, on fixed ids."""
    task = make_task("copy", n=64, **SMALL)
    optimizer = make_optimizer(task.model, RUN)
    Checkpoints(folder / "checkpoints").restore(task.model, optimizer)
    ids = torch.tensor([[4, 5, 6, 7, 8]])
    F.cross_entropy(task.model(ids, ids).flatten(end_dim=1), ids.flatten()).backward()
    optimizer.step()
    return outputs(task.model)


def write_numbers() -> None:
    """What this version computes with all of these files."""
    folders = sorted((HERE / "models").iterdir())
    trained = [folder for folder in folders if (folder / "metrics.jsonl").exists()]
    numbers = {
        "outputs": {folder.name: outputs(load(folder)[0]) for folder in folders},
        "metrics": {folder.name: evaluate(saved_task(folder)) for folder in trained},
        "one step after the run": one_step(HERE / "run"),
    }
    (HERE / "numbers.json").write_text(json.dumps(rounded(numbers)) + "\n", encoding="utf-8")


def rounded(value):
    """The numbers in it with the digits that count."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list) else round(value, 6)


if __name__ == "__main__":
    write_progress()
    write_exercise()
    write_models()
    write_runs()
    write_numbers()

"""SmolLM2 learns to answer questions about Python's library in one sentence, with a LoRA: what did it learn?

A question is "What does textwrap.dedent do?", its answer the first sentence of that function's docstring; the functions
asked about in the end are of other modules than those that were learnt from. Two trainings on 300 pairs, without the
chat template: the loss on the answer only, and on all tokens. Before and after, the questions are asked as they are and
in the template. One seed.

What is learnt, the form or the facts? Beside the nats of the right answer stand those of another function's answer:
what falls in both is the form. And four functions are asked about that do not exist.
"""

import ast
import random
import re
import warnings

import torch
import torch.nn.functional as F

from transformer_lab import load
from transformer_lab.data.python_docs import source_files
from transformer_lab.fine_tuning import prepare
from transformer_lab.generation import generate

QUESTION = "What does {} do?"
TEMPLATE = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
PLAIN = "{}\n"
FORMS = {"plain": PLAIN, "in the template": TEMPLATE}
RUNS = {"answer only": ("plain", True), "all tokens": ("plain", False)}
N_PAIRS, N_ASKED, BATCH, RATE, LONGEST = 300, 30, 6, 1e-3, 40
INVENTED = ("textwrap.flumen", "shutil.dworp", "statistics.grelt", "calendar.plimby")
SENTENCE = re.compile(r"(.+?[.!?])(?:\s|$)", re.DOTALL)
Pair = tuple[str, str]
IGNORED = -100


def first_sentence(docstring: str) -> str | None:
    """The first sentence, on one line; None if the docstring's first paragraph does not hold a plain one."""
    found = SENTENCE.match(" ".join(docstring.split("\n\n")[0].split()))
    sentence = found[1] if found else ""
    plain = re.fullmatch(r"[A-Z][\w ,.'()`*-]+", sentence) and "(" not in sentence.split()[0]
    return sentence if plain and 25 <= len(sentence) <= 120 else None


def pairs() -> dict[str, list[Pair]]:
    """Each module's (name of a public function, first sentence of its docstring), in the library's order."""
    found: dict[str, list[Pair]] = {}
    for name, path in source_files().items():
        parts = name.removesuffix(".py").removesuffix("/__init__").split("/")
        if any(part.startswith("_") for part in parts) or parts[0] in (
            "idlelib",
            "lib2to3",
            "turtledemo",
            "antigravity",
        ):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about invalid escapes in strings of the library
            tree = ast.parse(path.read_bytes())
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                sentence = first_sentence(ast.get_docstring(node) or "")
                if sentence:
                    found.setdefault(parts[0], []).append((f"{'.'.join(parts)}.{node.name}", sentence))
    return found


def drawn(seed: int = 0) -> tuple[list[Pair], list[Pair]]:
    """(learnt from, asked about): functions of different modules, and no answer stands in both."""
    by_module, rng = pairs(), random.Random(seed)
    modules = sorted(by_module)
    rng.shuffle(modules)
    asked = [pair for module in modules[: len(modules) // 3] for pair in by_module[module]]
    learnt = [pair for module in modules[len(modules) // 3 :] for pair in by_module[module]]
    known = {answer for _, answer in learnt}
    asked = [pair for pair in asked if pair[1] not in known]
    return rng.sample(learnt, min(N_PAIRS, len(learnt))), rng.sample(asked, min(N_ASKED, len(asked)))


def labelled(tokenizer, pair: Pair, form: str, answer_only: bool) -> tuple[list[int], list[int]]:
    """(ids, labels) of a pair; the token that ends the answer belongs to it and is asked for."""
    question = tokenizer.encode(FORMS[form].format(QUESTION.format(pair[0])), special=True)
    answer = [*tokenizer.encode(pair[1]), tokenizer.eos_id]
    return question + answer, ([IGNORED] * len(question) if answer_only else question) + answer


def losses(model, rows) -> torch.Tensor:
    """The nats of each asked token of a batch, in one row."""
    length = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([ids + [0] * (length - len(ids)) for ids, _ in rows])
    labels = torch.tensor([labels + [IGNORED] * (length - len(labels)) for _, labels in rows])
    logits = model(ids[:, :-1])  # padding stands on the right, where a causal model does not see it
    nats = F.cross_entropy(logits.flatten(end_dim=1), labels[:, 1:].flatten(), ignore_index=IGNORED, reduction="none")
    return nats[labels[:, 1:].flatten() != IGNORED]


def trained(name: str, n_steps: int | None = None, seed: int = 0):
    """SmolLM2 with a LoRA that was trained on the pairs once."""
    form, answer_only = RUNS[name]
    model, tokenizer = load("smollm2")
    torch.manual_seed(seed)
    parameters = prepare(model, "lora", rank=8, alpha=16.0)
    learnt, _ = drawn(seed)
    rows = [labelled(tokenizer, pair, form, answer_only) for pair in learnt]
    n_steps = n_steps or len(rows) // BATCH
    optimiser = torch.optim.AdamW(parameters.values(), lr=RATE, weight_decay=0.0)
    for step in range(n_steps):
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / 5) * (1 - step / n_steps)
        loss = losses(model, rows[step * BATCH : (step + 1) * BATCH]).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters.values(), 1.0)
        optimiser.step()
        if step % 10 == 0:
            print(name, step, round(loss.item(), 3), flush=True)
    return model.eval(), tokenizer


@torch.no_grad()
def nats_of_answers(model, tokenizer, asked: list[Pair], form: str) -> dict[str, float]:
    """Nats a token of the right answers and of the same answers, each behind another's question."""
    shifted = [(name, answer) for (name, _), (_, answer) in zip(asked, asked[1:] + asked[:1], strict=True)]
    found = {}
    for kind, cases in (("right answers", asked), ("others' answers", shifted)):
        parts = [losses(model, [labelled(tokenizer, pair, form, True)]) for pair in cases]
        found[kind] = torch.cat(parts).mean().item()
    return found


@torch.no_grad()
def said(model, tokenizer, name: str, form: str) -> dict:
    """What it answers to the question about a function, and whether it ended by itself."""
    prompt = tokenizer.encode(FORMS[form].format(QUESTION.format(name)), special=True)
    stops = [tokenizer.eos_id, *tokenizer.encode("<|endoftext|>", special=True)]
    new = generate(model, torch.tensor([prompt]), LONGEST, stop=stops)[0, len(prompt) :].tolist()
    ended = any(one in stops for one in new)
    return {"text": tokenizer.decode([one for one in new if one not in stops]).strip(), "ended": ended}


def judged(model, tokenizer, n_said: int = 8, forms=tuple(FORMS)) -> dict:
    """In each form: the nats of the answers, and what is said about held-out functions and invented ones."""
    _, asked = drawn()
    found = {}
    for form in forms:
        names = [name for name, _ in asked[:n_said]] + list(INVENTED)
        found[form] = {
            **nats_of_answers(model, tokenizer, asked, form),
            "said": {name: said(model, tokenizer, name, form) for name in names},
        }
        print(form, {key: value for key, value in found[form].items() if key != "said"}, flush=True)
    return found


def run() -> dict:
    learnt, asked = drawn()
    found = {"learnt": len(learnt), "asked": asked, "before": judged(*load("smollm2"))}
    for name, (form, _) in RUNS.items():
        found[name] = judged(*trained(name), forms=tuple(FORMS) if name != "all tokens" else (form,))
    return found


if __name__ == "__main__":
    from recording import record

    record(__file__, run)

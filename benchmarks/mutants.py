"""Mutation testing: a random sample of small mistakes in the package, each run against its module's own tests.

    python benchmarks/mutants.py --n 150 --seed 0       prints every survivor, and killed / all

A mutant changes one place: a comparison, an operator or a constant; or it negates a condition, or drops a call or a
keyword. It is killed if a test fails or takes too long. Some survivors are equivalent: they compute the same.
"""

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

ROOT = Path(__file__).resolve().parents[1]
TESTS = {
    "attention": ["attention"],
    "layers": ["layers"],
    "positions": ["positions"],
    "blocks": ["models", "attention", "transformers_parity"],
    "models": ["models", "transformers_parity"],
    **{
        f"generation/{name}": ["generation"]
        for name in ("decoding", "reader", "sampling", "beam_search", "translation")
    },
    "metrics": ["metrics"],
    **{f"pretrained/{name}": ["pretrained"] for name in ("folder", "loading", "names", "packaged")},
    **{f"training/{name}": ["training", "checkpoints", "resume"] for name in ("batches", "checkpoints", "interrupt")},
    **{f"training/{name}": ["training", "owner", "resume"] for name in ("loop", "history", "meter", "run")},
    **{f"training/{name}": ["training"] for name in ("schedules", "settings", "tensorboard")},
    "training/owner": ["owner"],
    "training/surroundings": ["surroundings"],
}
COMPARISONS = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
               ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In}  # fmt: skip
OPERATORS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
             ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd}  # fmt: skip


def changes(node: ast.AST) -> list:
    """Functions that make one small mistake in this node of a tree, in place."""
    found = []
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        found.append(lambda n: n.ops.__setitem__(0, COMPARISONS[type(n.ops[0])]()))
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in OPERATORS:
        found.append(lambda n: setattr(n, "op", OPERATORS[type(n.op)]()))
    if isinstance(node, ast.BoolOp):
        found.append(lambda n: setattr(n, "op", ast.Or() if isinstance(n.op, ast.And) else ast.And()))
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        found.append(lambda n: setattr(n, "value", not n.value))
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        found.append(lambda n: setattr(n, "value", n.value + 1))
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        found.append(lambda n: setattr(n, "test", ast.UnaryOp(ast.Not(), n.test)))
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        found.append(lambda n: setattr(n, "value", ast.Constant(None)))
    if isinstance(node, ast.Call):
        found += [lambda n, i=i: n.keywords.pop(i) for i, keyword in enumerate(node.keywords) if keyword.arg]
    if isinstance(node, ast.Return) and node.value is not None:
        found.append(lambda n: setattr(n, "value", ast.Constant(None)))
    return found


def nodes(tree: ast.AST) -> list[ast.AST]:
    """All nodes but those of annotations, which compute nothing."""
    found, waiting = [], [tree]
    while waiting:
        node = waiting.pop()
        found.append(node)
        for name, value in ast.iter_fields(node):
            if name not in ("annotation", "returns"):
                children = value if isinstance(value, list) else [value]
                waiting += [child for child in reversed(children) if isinstance(child, ast.AST)]
    return found


def sample(n: int, seed: int, only: str | None) -> list[tuple[str, int, int]]:
    """(module, node, change) of n mutants, drawn from all there are."""
    everything = [
        (module, place, number)
        for module in TESTS
        if only is None or module.startswith(only)
        for place, node in enumerate(nodes(parse(module)))
        for number in range(len(changes(node)))
    ]
    return random.Random(seed).sample(everything, min(n, len(everything)))


def parse(module: str) -> ast.Module:
    return ast.parse((ROOT / "transformer_lab" / f"{module}.py").read_text(encoding="utf-8"))


def mutated(module: str, place: int, number: int) -> tuple[str, str]:
    """The module's text with that change, and a line that says which it was."""
    tree = parse(module)
    node = nodes(tree)[place]
    before = copy.deepcopy(node)
    changes(node)[number](node)
    words = [ast.unparse(ast.fix_missing_locations(one)).splitlines()[0] for one in (before, node)]
    return ast.unparse(ast.fix_missing_locations(tree)), f"{module}.py:{before.lineno}  {words[0]}  ->  {words[1]}"


def survives(home: Path, module: str, text: str, seconds: int) -> bool:
    """Do all tests of the module pass in this copy of the course, with the module's text changed?"""
    path = home / "transformer_lab" / f"{module}.py"
    right = path.read_text(encoding="utf-8")
    tests = [f"tests/test_{name}.py" for name in TESTS[module]]
    command = [sys.executable, "-m", "pytest", "-p", "no:nbval", "-p", "no:cacheprovider", "-qx", *tests]
    here = {"PYTHONPATH": str(home), "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "KILLS": "1"}
    path.write_text(text, encoding="utf-8")
    try:
        return not subprocess.run(
            command, cwd=home, env=os.environ | here, capture_output=True, timeout=seconds
        ).returncode
    except subprocess.TimeoutExpired:
        return False
    finally:
        path.write_text(right, encoding="utf-8")


def main(n: int, seed: int, only: str | None, workers: int, seconds: int) -> None:
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as pool:
        homes = Queue()
        for worker in range(workers):
            home = Path(folder, str(worker))
            shutil.copytree(
                ROOT, home, ignore=shutil.ignore_patterns(".git", ".venv", "build", "notebooks", "solutions")
            )
            homes.put(home)

        def tried(mutant):
            text, what = mutated(*mutant)
            home = homes.get()
            survived = survives(home, mutant[0], text, seconds)
            homes.put(home)
            print(("SURVIVED  " if survived else "killed    ") + what, flush=True)
            return not survived

        killed = list(pool.map(tried, sample(n, seed, only)))
    print(f"killed {sum(killed)} / {len(killed)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="modules whose names begin so")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=600, help="a run that takes longer counts as killed")
    main(**vars(parser.parse_args()))

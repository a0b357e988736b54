"""Does SmolLM2 look back, or did it know the page? The brackets and names of ladder.py in texts it cannot have read.

The docstrings of transformer_lab and the prose of lessons 02 to 13 are younger than SmolLM2.
"""

from ladder import Network, brackets, names, price
from transformer_lab import load


def measured(rung, sources=("younger docstrings", "younger lessons"), n: int = 40) -> dict:
    """result[source]: [met, control] of each bracket (chances) and of each name (bits)."""
    found = {}
    for source in sources:
        chances = [[float(f"{rung.beginning(c, ')'):.3g}") for c in case] for case in brackets(n, source)]
        bits = [[round(price(rung, context, name), 2) for context in both] for *both, name in names(n, source)]
        found[source] = {"closing bracket": chances, "name": bits}
        print(
            source, [(len(one), *(sum(side) / len(one) for side in zip(*one, strict=True))) for one in (chances, bits)]
        )
    return found


def run() -> dict:
    return measured(Network(*load("smollm2")))


if __name__ == "__main__":
    from recording import record

    record(__file__, run)

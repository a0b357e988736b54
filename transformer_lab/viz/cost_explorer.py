"""A Transformer's parameters and FLOPs, part by part, as it grows wider, deeper and longer.

`model_cost` is all the mathematics; the browser computes the same formulas so that moving a slider needs no kernel.
"""

import traitlets

from .browser_files import module, sheet
from .explorer import Explorer

WIDTHS = (64, 128, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 12288)
HEADS = (1, 2, 4, 8, 12, 16, 32)  # they split d_model; neither weights nor FLOPs depend on them
LENGTHS = (*(2**k * i // 4 for k in range(4, 17) for i in (4, 5, 6, 7)), 2**17)  # four steps to each doubling
VOCABULARIES = (0, 55, 32_000, 50_257, 128_256)
PARTS = ("projections", "scores and mix", "feed-forward", "embedding and logits")
COLOURS = dict(zip(PARTS, ("#0072B2", "#D55E00", "#009E73", "#E69F00"), strict=True))  # Okabe and Ito's
DASHES = {"scores and mix": "-", "feed-forward": "--", "projections": ":", "embedding and logits": "-."}
LIMITS = {"d_model": (1, 20_000), "T": (1, 200_000), "n_layers": (1, 200), "n_heads": (1, 200)}


def model_cost(
    d_model: int, d_ff: int, T: int, n_layers: int = 1, gated: bool = False, vocab_size: int = 0
) -> dict[str, dict[str, int]]:
    """{"parameters": {part: weights}, "flops": {part: FLOPs}} of one pass over T tokens, for each part in PARTS.

    Matrices only: biases, norms and position tables are left out (less than 1 % in GPT-2). A multiplication and the
    addition after it are 2 FLOPs; softmax, activations and looking a token up count nothing. The output layer is the
    embedding again, so it has no parameters of its own. Every query meets every key. Raises ValueError for sizes < 1.
    """
    for name, size in (("d_model", d_model), ("d_ff", d_ff), ("T", T), ("n_layers", n_layers)):
        if not size >= 1:
            raise ValueError(f"{name} must be at least 1; got {size}.")
    if not vocab_size >= 0:
        raise ValueError(f"vocab_size must be at least 0; got {vocab_size}.")
    matrices = 3 if gated else 2
    parameters = {
        "projections": n_layers * 4 * d_model**2,
        "scores and mix": 0,
        "feed-forward": n_layers * matrices * d_model * d_ff,
        "embedding and logits": vocab_size * d_model,
    }
    flops = {part: 2 * T * weights for part, weights in parameters.items()}  # a weight works once for every token
    flops["scores and mix"] = n_layers * 2 * (2 * T**2 * d_model)  # q k^T, and weights times values
    return {"parameters": parameters, "flops": flops}


class CostExplorer(Explorer):
    """Sliders for a model's sizes: `CostExplorer()`, then read `.cost`, `.d_ff`, `.ratio`."""

    _module = module("cost_explorer")
    _sheet = sheet("cost_explorer")
    title = "where parameters and FLOPs are"
    widths = traitlets.List(list(WIDTHS), read_only=True).tag(sync=True)
    heads = traitlets.List(list(HEADS), read_only=True).tag(sync=True)
    lengths = traitlets.List(list(LENGTHS), read_only=True).tag(sync=True)
    vocabularies = traitlets.List(list(VOCABULARIES), read_only=True).tag(sync=True)
    d_model = traitlets.Int(768).tag(sync=True)
    d_ff_ratio = traitlets.Float(4.0).tag(sync=True)  # d_ff / d_model
    T = traitlets.Int(1024).tag(sync=True)
    n_layers = traitlets.Int(12).tag(sync=True)
    n_heads = traitlets.Int(12).tag(sync=True)
    gated = traitlets.Bool(False).tag(sync=True)
    vocab_size = traitlets.Int(50_257).tag(sync=True)

    @traitlets.validate(*LIMITS)
    def _check_size(self, proposal):
        name, (low, high) = proposal.trait.name, LIMITS[proposal.trait.name]
        if not low <= proposal.value <= high:
            raise ValueError(f"{name} must be between {low} and {high}; got {proposal.value}.")
        return proposal.value

    @traitlets.validate("d_ff_ratio")
    def _check_ratio(self, proposal):
        if not 0.1 <= proposal.value <= 20:
            raise ValueError(f"d_ff_ratio must be between 0.1 and 20; got {proposal.value}.")
        return proposal.value

    @traitlets.validate("vocab_size")
    def _check_vocabulary(self, proposal):
        if proposal.value not in VOCABULARIES:
            raise ValueError(f"vocab_size must be one of {', '.join(map(str, VOCABULARIES))}; got {proposal.value}.")
        return proposal.value

    @property
    def d_ff(self) -> int:
        """The inner width of the feed-forward layer, a whole number."""
        return max(1, int(self.d_ff_ratio * self.d_model + 0.5))

    @property
    def cost(self) -> dict[str, dict[str, int]]:
        """`model_cost` with the current settings."""
        return self._cost(self.T)

    @property
    def ratio(self) -> float:
        """FLOPs of scores and mix, divided by those of the feed-forward layers."""
        flops = self.cost["flops"]
        return flops["scores and mix"] / flops["feed-forward"]

    def _cost(self, T: int) -> dict:
        return model_cost(self.d_model, self.d_ff, T, self.n_layers, self.gated, self.vocab_size)

    def draw(self, figure):
        """Two stacked bars, and each part's share of the FLOPs over the length."""
        figure.set_size_inches(10, 4.2)
        figure.subplots_adjust(left=0.115, right=0.98, bottom=0.27, top=0.84, wspace=0.18)
        kind = "gated" if self.gated else "not gated"
        figure.suptitle(f"d_model {self.d_model}, d_ff {self.d_ff} ({kind}), {self.n_layers} layers, T {self.T}")
        bars, lines = figure.subplots(1, 2)
        self._draw_bars(bars)
        self._draw_lines(lines)
        handles, names = bars.get_legend_handles_labels()
        figure.legend(handles, names, loc="lower center", ncols=4, frameon=False, fontsize=9)

    def _draw_bars(self, axes):
        for row, parts in enumerate(self.cost.values()):
            total, left = sum(parts.values()), 0.0
            for part, size in parts.items():
                share = 100 * size / total
                axes.barh(row, share, left=left, color=COLOURS[part], label=None if row else part, edgecolor="white")
                if share > 7:
                    ink = "white" if part == "projections" else "black"
                    axes.text(left + share / 2, row, f"{share:.0f} %", ha="center", va="center", fontsize=9, color=ink)
                left += share
        names = {"parameters": "parameters", "flops": "FLOPs"}
        totals = [f"{names[what]}\n{short(sum(parts.values()))}" for what, parts in self.cost.items()]
        axes.set(yticks=[0, 1], yticklabels=totals, xlim=(0, 100), xlabel="share (%)", ylim=(1.6, -0.6))
        feed = 100 * self.cost["parameters"]["feed-forward"] / sum(self.cost["parameters"].values())
        axes.set_title(f"feed-forward: {feed:.0f} % of the parameters", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)

    def _draw_lines(self, axes):
        shares = {part: [] for part in PARTS}
        for T in LENGTHS:
            flops = self._cost(T)["flops"]
            for part in PARTS:
                shares[part].append(100 * flops[part] / sum(flops.values()))
        for part, share in shares.items():
            wide = 2.5 if part in ("scores and mix", "feed-forward") else 1.2
            axes.plot(LENGTHS, share, color=COLOURS[part], linestyle=DASHES[part], linewidth=wide)
        axes.axvline(self.T, color="#212121", linewidth=1)
        axes.set(xscale="log", xlabel="T (tokens)", ylabel="share of the FLOPs (%)", ylim=(0, 100))
        axes.set_title(f"at T = {self.T}: scores and mix = {self.ratio:.2f} x feed-forward", fontsize=10)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)

    def __repr__(self):
        kind = ", gated" if self.gated else ""
        return f"CostExplorer(d_model={self.d_model}, d_ff={self.d_ff}{kind}, T={self.T}, {self.n_layers} layers)"


def short(size: float | int) -> str:
    """Three digits and a letter: 124 M, 7.25 G."""
    letters = iter(("", "K", "M", "G", "T", "P"))
    letter = next(letters)
    while size >= 999.5:
        size, letter = size / 1000, next(letters)
    digits = 0 if not letter or size >= 99.95 else 1 if size >= 9.995 else 2
    return f"{size:.{digits}f} {letter}".strip()

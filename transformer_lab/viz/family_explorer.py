"""One block, four families: what a configuration changes, the shapes on every arrow, and every parameter counted.

`parameters_by_part` is all the arithmetic; the browser computes the same sums so that a slider needs no round trip.
"""

from dataclasses import asdict

import traitlets
from matplotlib.patches import FancyBboxPatch

from ..config import TransformerConfig
from .browser_files import module, sheet
from .explorer import Explorer

PARTS = ("token embedding", "positions and segments", "attention", "feed-forward", "norms", "output layer and heads")
COLOURS = ("#D55E00", "#56B4E9", "#0072B2", "#009E73", "#CC79A7", "#E69F00")  # Okabe and Ito's
FAMILIES = {  # shown name -> preset, our model class, what it may look at
    "2017 encoder-decoder": ("vaswani2017", "Transformer", "decoder only"),
    "GPT-2 small": ("gpt2", "GPT", "yes"),
    "BERT base": ("bert-base", "BERT", "no"),
    "SmolLM2 (Llama's style)": ("smollm2-135m", "GPT", "yes"),
}
WIDTHS = (64, 128, 192, 256, 384, 512, 576, 768, 1024, 1280, 1600, 2048, 3072, 4096, 8192, 12288)
RATIOS = (1.0, 2.0, 8 / 3, 4.0, 6.0, 8.0)
VOCABULARIES = (55, 1000, 10_000, 30_522, 37_000, 49_152, 50_257, 128_256, 256_000)
MOST_LAYERS, MOST_HEADS = 96, 128
INK, SOFT = "#212121", "#616161"


def parameters_by_part(config: TransformerConfig, model: str) -> dict[str, int]:
    """{part: number of parameters} of a "Transformer", a "GPT" or a "BERT" with this config; raises ValueError."""
    if model not in ("Transformer", "GPT", "BERT"):
        raise ValueError(f'model must be "Transformer", "GPT" or "BERT"; got {model!r}.')
    D, bias = config.d_model, int(config.bias)
    queries, keys = config.n_heads * config.head_width, (config.n_kv_heads or config.n_heads) * config.head_width
    matrices = 3 if config.activation == "swiglu" else 2
    stacks, n_blocks = (2, 2 * config.n_layers) if model == "Transformer" else (1, config.n_layers)
    n_attentions = n_blocks + (config.n_layers if model == "Transformer" else 0)  # the decoder has two per block
    norm = D if config.norm == "rms" else 2 * D
    # A norm with each attention, one with each feed-forward layer, one that ends a pre-norm stack.
    n_norms = n_attentions + n_blocks + (stacks if config.norm_position == "pre" else 0) + config.norm_embeddings
    output = 0
    if model == "BERT":
        output += config.pooler * (D * D + D) + config.masked_lm_head * (D * D + D + norm + config.vocab_size)
    elif not config.tie_embeddings:
        output += config.vocab_size * D
    return {
        "token embedding": config.vocab_size * D,
        "positions and segments": D * (config.max_len * (config.positions == "learned") + config.n_segments),
        "attention": n_attentions * (2 * D * queries + 2 * D * keys + bias * (queries + 2 * keys + D)),
        "feed-forward": n_blocks * (matrices * D * config.d_ff + bias * ((matrices - 1) * config.d_ff + D)),
        "norms": n_norms * norm,
        "output layer and heads": output,
    }


def divisor_near(n: int, wanted: int, most: int) -> int:
    """The divisor of n, at most `most`, that is nearest to the one wanted; the smaller of two that are equally near."""
    return min((d for d in range(1, min(n, most) + 1) if n % d == 0), key=lambda d: (abs(d - wanted), d))


class FamilyExplorer(Explorer):
    """Choose a family and sizes: `FamilyExplorer()`, then read `.config`, `.parameters` (by part) and `.total`."""

    _module = module("family_explorer")
    _sheet = sheet("family_explorer")
    title = "one block, four families"
    presets = traitlets.Dict(read_only=True).tag(sync=True)
    choices = traitlets.Dict(read_only=True).tag(sync=True)
    family = traitlets.Enum(list(FAMILIES), "GPT-2 small").tag(sync=True)
    d_model = traitlets.Int(768).tag(sync=True)
    n_layers = traitlets.Int(12).tag(sync=True)
    n_heads = traitlets.Int(12).tag(sync=True)
    n_kv_heads = traitlets.Int(12).tag(sync=True)
    ff_ratio = traitlets.Float(4.0).tag(sync=True)
    vocab_size = traitlets.Int(50_257).tag(sync=True)
    tied = traitlets.Bool(True).tag(sync=True)

    def __init__(self, family="GPT-2 small", **sizes):
        self.set_trait("presets", {name: preset_of(name) for name in FAMILIES})
        lists = {"widths": WIDTHS, "ratios": RATIOS, "vocabularies": VOCABULARIES, "parts": PARTS, "colours": COLOURS}
        lists = {name: list(values) for name, values in lists.items()}
        self.set_trait("choices", {**lists, "most_layers": MOST_LAYERS, "most_heads": MOST_HEADS})
        if family not in FAMILIES:
            raise ValueError(f"family must be one of {', '.join(FAMILIES)}; got {family!r}.")
        super().__init__(family=family, **{**sizes_of(family), **sizes})

    @traitlets.validate("d_model", "vocab_size", "ff_ratio")
    def _check_listed(self, proposal):
        name, value = proposal.trait.name, proposal.value
        listed = {"d_model": WIDTHS, "vocab_size": VOCABULARIES, "ff_ratio": RATIOS}[name]
        near = min(listed, key=lambda choice: abs(choice - value))
        if not abs(near - value) <= 1e-3:
            raise ValueError(f"{name} must be one of {', '.join(f'{x:.4g}' for x in listed)}; got {value}.")
        return near

    @traitlets.validate("n_layers")
    def _check_layers(self, proposal):
        if not 1 <= proposal.value <= MOST_LAYERS:
            raise ValueError(f"n_layers must be between 1 and {MOST_LAYERS}; got {proposal.value}.")
        return proposal.value

    @traitlets.validate("n_heads", "n_kv_heads")
    def _check_heads(self, proposal):
        if not 1 <= proposal.value <= MOST_HEADS:
            raise ValueError(f"{proposal.trait.name} must be between 1 and {MOST_HEADS}; got {proposal.value}.")
        return proposal.value

    @property
    def config(self) -> TransformerConfig:
        """The current configuration; heads are the divisors nearest to those set."""
        n_heads = divisor_near(self.d_model, self.n_heads, MOST_HEADS)
        changes = dict(
            d_model=self.d_model, n_layers=self.n_layers, n_heads=n_heads,
            n_kv_heads=divisor_near(n_heads, self.n_kv_heads, MOST_HEADS),
            d_ff=round(self.ff_ratio * self.d_model), vocab_size=self.vocab_size, tie_embeddings=self.tied,
        )  # fmt: skip
        return TransformerConfig.preset(FAMILIES[self.family][0], **changes)

    @property
    def parameters(self) -> dict[str, int]:
        """{part: number of parameters} of the current configuration."""
        return parameters_by_part(self.config, FAMILIES[self.family][1])

    @property
    def total(self) -> int:
        """The number of all parameters of the current configuration."""
        return sum(self.parameters.values())

    def draw(self, figure):
        """The block with its shapes, and the bars; below them the four families as they are published."""
        figure.set_size_inches(10, 6.6)
        figure.subplots_adjust(left=0.17, right=0.97, bottom=0.07, top=0.9, wspace=0.45, hspace=0.42)
        figure.suptitle(f"{self.family}: {self.total:,} parameters")
        grid = figure.add_gridspec(2, 2, height_ratios=(1, 1), width_ratios=(1, 1.25))
        self._draw_block(figure.add_axes((0.02, 0.06, 0.36, 0.84)))
        bars = figure.add_subplot(grid[0, 1])
        draw_bars(bars, self.parameters, f"{self.family}, as it stands")
        draw_families(figure.add_subplot(grid[1, 1]))

    def _draw_block(self, axes):
        rows = block_rows(self.config, FAMILIES[self.family][1])
        axes.set(xlim=(-0.5, 10), ylim=(len(rows), -0.6))
        axes.axis("off")
        for i, (kind, text) in enumerate(rows):
            if kind == "arrow":
                start = i + 0.2  # where x leaves for the skip
                axes.annotate("", (3, i + 0.42), (3, i - 0.42), arrowprops={"arrowstyle": "-|>", "color": SOFT})
                axes.text(3.3, i, text, va="center", fontsize=8, color=SOFT)
                continue
            if kind == "add":
                axes.plot([3, -0.3, -0.3, 2.8], [start, start, i, i], color=SOFT, lw=1.4)
                axes.text(3, i, "⊕", ha="center", va="center", fontsize=13, color=INK)
                axes.text(3.5, i, text, va="center", fontsize=8, color=SOFT)
                continue
            colour = dict(zip(("attention", "feed-forward", "norm"), (COLOURS[2], COLOURS[3], COLOURS[4]), strict=True))
            axes.add_patch(
                FancyBboxPatch(
                    (0.3, i - 0.34), 9, 0.68, boxstyle="round,pad=0.05", fc="white", ec=colour.get(kind, INK), lw=1.6
                )  # fmt: skip
            )
            axes.text(4.8, i, text, ha="center", va="center", fontsize=8, color=INK)

    def __repr__(self):
        return (
            f"FamilyExplorer({self.family}, d_model={self.d_model}, {self.n_layers} layers: {self.total:,} parameters)"
        )


def preset_of(name: str) -> dict:
    """The published configuration of a family, as the browser needs it."""
    preset, model, causal = FAMILIES[name]
    config = TransformerConfig.preset(preset)
    fields = asdict(config) | {"n_kv_heads": config.n_kv_heads or config.n_heads}
    return {**fields, "model": model, "causal": causal, "ff_ratio": config.d_ff / config.d_model}


def sizes_of(name: str) -> dict:
    """The traits that choosing a family sets."""
    fields = preset_of(name)
    sizes = ("d_model", "n_layers", "n_heads", "n_kv_heads", "ff_ratio", "vocab_size")
    return {size: fields[size] for size in sizes} | {"tied": fields["tie_embeddings"]}


def block_rows(config: TransformerConfig, model: str) -> list[tuple[str, str]]:
    """The last block of the model from top to bottom: ("arrow", shape) and (part, what it does)."""
    D, H, kv, d_head = config.d_model, config.n_heads, config.n_kv_heads or config.n_heads, config.head_width
    norm = "RMSNorm" if config.norm == "rms" else "LayerNorm"
    shared = f", {kv} keys" if kv != H else ""
    halves = [("attention", f"self-attention: {H} heads of {d_head}{shared}", f"(B, {H}, T, {d_head})")]
    if model == "Transformer":
        halves.append(("attention", f"cross-attention: {H} heads of {d_head}", f"(B, {H}, T, {d_head})"))
    halves.append(("feed-forward", f"feed-forward: {D:,} to {config.d_ff:,} to {D:,}", f"(B, T, {config.d_ff:,})"))
    rows = [("arrow", f"x (B, T, {D:,})")]
    for kind, text, inside in halves:
        rows += [("norm", norm)] if config.norm_position == "pre" else []
        rows += [(kind, f"{text}\n{inside}"), ("add", "the part's output is added to x")]
        rows += [("norm", norm)] if config.norm_position == "post" else []
        rows += [("arrow", f"x (B, T, {D:,})")]
    return rows


def draw_bars(axes, parameters: dict, title: str) -> None:
    total, names = sum(parameters.values()), list(parameters)
    bars = axes.barh(names, [n / 1e6 for n in parameters.values()], color=COLOURS)
    axes.bar_label(bars, [f"{n / 1e6:,.1f} M = {n / total:.0%}" for n in parameters.values()], padding=4, fontsize=8)
    axes.set(xlim=(0, 1.45 * max(parameters.values()) / 1e6), xlabel="million parameters")
    axes.set_title(title, fontsize=10, loc="left")
    axes.invert_yaxis()
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def draw_families(axes) -> None:
    """A stacked bar for each family as published."""
    for i, (_, (preset, model, _)) in enumerate(FAMILIES.items()):
        parts, left = parameters_by_part(TransformerConfig.preset(preset), model), 0
        for size, colour in zip(parts.values(), COLOURS, strict=True):
            axes.barh(i, size / 1e6, left=left, color=colour)
            left += size / 1e6
        axes.text(left + 2, i, f"{left:.1f} M", va="center", fontsize=8)
    axes.set(yticks=range(len(FAMILIES)), yticklabels=list(FAMILIES), xlim=(0, 160), xlabel="million parameters")
    axes.set_title("the four families as published, in the same colours", fontsize=10, loc="left")
    axes.invert_yaxis()
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)

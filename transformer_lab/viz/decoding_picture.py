"""DecodingExplorer without a browser: what could follow what is written, and the beams as a tree."""

from .attention_picture import drawn_with, readable

BLUE, INK, SOFT, MARK, SHADE = "#1976d2", "#212121", "#616161", "#d55e00", "#e8e8e8"
ROWS = 12
FILTERS = {"top_k": "top-k", "top_p": "top-p", "min_p": "min-p"}


def draw_decoding(figure, explorer) -> None:
    """Draw the bars, and below them the tree."""
    has_tree = explorer.beams > 1
    figure.set_size_inches(10, 4.4 + 2.6 * has_tree)
    figure.set_layout_engine("constrained")
    text, written = (readable(one, longest=60) for one in (explorer.heard, explorer.step["text"]))
    title = f"“{text}”" + (f", and written so far: “{written}”" if explorer.written else "")
    figure.suptitle(title, fontsize=11, **drawn_with([title]))
    both = figure.subplots(1 + has_tree, 1, squeeze=False)[:, 0]
    draw_bars(both[0], explorer)
    if has_tree:
        draw_tree(both[1], explorer)


def draw_bars(axes, explorer) -> None:
    """The most likely next tokens; what the filters cut is hatched, with its probability before them."""
    values = {name: explorer.sampling.get(trait) for trait, name in FILTERS.items()}
    filters = [f"{name} {value:g}" for name, value in values.items() if value is not None]
    axes.set_title(", ".join([f"the next token at temperature {explorer.temperature:g}", *filters]), fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    ids = explorer.step["ids"][:ROWS]
    if not ids:
        axes.axis("off")
        axes.text(0.5, 0.5, "nothing follows: the text has ended", ha="center", color=SOFT, transform=axes.transAxes)
        return
    before = (explorer.next_log_probs / (explorer.temperature or 1.0)).softmax(dim=-1)[ids].tolist()
    after = explorer.probabilities[ids].tolist()
    names = [readable(name) for name in explorer.step["names"][:ROWS]]
    for y, (was, now) in enumerate(zip(before, after, strict=True)):
        if now:
            axes.barh(y, now, color=BLUE)
        else:
            axes.barh(y, was, facecolor="white", edgecolor=SOFT, hatch="//////", linewidth=0.5)
        axes.text((now or was) + 0.01, y, f"{now:.1%}" if now else f"cut (had {was:.1%})", va="center", fontsize=8)
    axes.set(xlim=(0, 1.1), xticks=[0, 0.5, 1], ylim=(len(ids) - 0.4, -0.6))
    axes.set_yticks(range(len(ids)), names, fontsize=9, **drawn_with(names))


def draw_tree(axes, explorer) -> None:
    """The beams: a column for each step, the best on top; the text that is returned in colour, and in bold."""
    nodes = explorer.search["nodes"]
    places, rows = [], {}
    for node in nodes:
        row = rows[node["step"]] = rows.get(node["step"], -1) + 1
        places.append((node["step"], row))
    axes.axis("off")
    title = f"{explorer.beams} beams, length penalty {explorer.length_penalty:g}: tokens and their sums"
    axes.set_title(title, fontsize=10)
    axes.set(xlim=(0.3, max(rows) + 0.7), ylim=(max(rows.values()) + 1.4, -0.6))
    for node, (x, y) in zip(nodes, places, strict=True):
        colour = MARK if node["is_best"] else INK
        if node["parent"] >= 0:
            parent = places[node["parent"]]
            axes.plot(
                [parent[0] + 0.25, x - 0.25], [parent[1], y], color=colour if node["is_best"] else "#bdbdbd", lw=1
            )
        label = readable(node["label"], longest=8)
        size, font = {"fontsize": 8, "ha": "center", "va": "center"}, drawn_with([label])
        # An installed font may have no bold face, of which matplotlib complains in the notebook.
        weight = "bold" if node["is_best"] and len(font["fontfamily"]) == 1 else "normal"
        axes.text(x, y, label, color=colour, weight=weight, **size, **font)
        axes.text(x, y + 0.4, f"{node['total']:z.2f}".replace("-", "−"), color=SOFT, **size | {"fontsize": 6.5})

"""ModelTour without a browser: a vector in all blocks, what it reads in one of them, and what is said at the end."""

from .attention_picture import drawn_with, readable

COLOURS = {"attention": "#0072B2", "cross-attention": "#CC79A7", "feed-forward": "#009E73"}  # Okabe and Ito's
INK, SOFT, SHADE = "#212121", "#616161", "#e8e8e8"
MOST_ROWS = 32  # of what is read
SIZE = 10  # points; the figure is ten inches wide


def draw_tour(figure, tour) -> None:
    """Draw the journey; beside it what the chosen station reads, or the last one that reads; then the end."""
    journey, token = tour.journeys[tour.stack], tour.token
    shown = next(stack for stack in tour.stacks if stack["name"] == tour.stack)
    n_rows = shown["n_layers"] + 2
    figure.set_size_inches(10, max(4.4, 1.4 + 0.17 * max(n_rows, len(journey.tokens))))
    top = 1 - 0.95 / figure.get_figheight()
    left, middle, right = figure.subplots(1, 3, gridspec_kw={"width_ratios": (5, 4.4, 2.9)})
    figure.subplots_adjust(left=0.02, right=0.97, bottom=0.03, top=top, wspace=0.12)
    name, text = readable(shown["tokens"][token]), readable(tour.heard, longest=70)
    title = f"“{text}”: the journey of ‘{name}’ through the {tour.stack}\n{tour.about}"
    figure.suptitle(title, fontsize=11, **drawn_with([title]))
    for axes in (left, middle, right):
        axes.axis("off")
    draw_rows(left, shown, token)
    draw_reading(middle, journey, shown, token, tour.station, tour.head)
    if shown["end"]:
        draw_end(right, journey, shown, token, tour.temperature)


def draw_heading(axes, x: float, text: str) -> None:
    """Write above a panel, whose rows are lower than two lines of text where there are many."""
    axes.text(x, 1.01, text, fontsize=SIZE, color=SOFT, va="bottom", transform=axes.get_xaxis_transform())


def draw_rows(axes, shown: dict, token: int) -> None:
    """A row for the embedding and each block: what its parts add, how long the vector is, and what could be said."""
    sizes, steps, n_layers = shown["sizes"], shown["steps"], shown["n_layers"]
    parts = [part for block, part in steps if block == 0]
    after, added = [row[token] for row in sizes["after"]], [row[token] for row in sizes["added"]]
    most_added, most_after = max(added[1:]), max(after)
    axes.set(xlim=(0, 10), ylim=(n_layers + 0.6, -0.6))
    width = 4.2 / len(parts)
    heads = [(0.7 + i * width, part) for i, part in enumerate(parts)] + [(5.5, "the\nvector")]
    for x, text in heads + ([(7.8, "could\nsay")] if shown["said"] else []):
        text = text.replace("attention", "att.").replace("-", "-\n")
        draw_heading(axes, x, text)
    axes.text(0.7, 0, "embedding + position", fontsize=SIZE, color=SOFT, va="center")
    lasts = [0]
    for block in range(n_layers):
        axes.text(0.4, block + 1, str(block + 1), fontsize=SIZE, color=SOFT, va="center", ha="right")
        first = 1 + block * len(parts)
        lasts.append(first + len(parts) - 1)
        for i, part in enumerate(parts):
            long = 0.9 * width * added[first + i] / most_added
            axes.barh(block + 1, long, 0.6, left=0.7 + i * width, color=COLOURS[part])
    half = [0.6 * after[last] / most_after for last in lasts]
    axes.fill_betweenx(range(n_layers + 1), [6 - x for x in half], [6 + x for x in half], color=SOFT, lw=0)
    for row, last in enumerate(lasts):
        axes.text(6.65, row, f"{after[last]:.3g}", fontsize=SIZE, color=SOFT, va="center")
        if shown["said"]:
            word, share = (
                shown["words"][shown["said"]["ids"][last][token][0]],
                shown["said"]["probabilities"][last][token][0],
            )
            axes.barh(row, 2.2 * share, 0.8, left=7.8, color="#bbdefb")
            word = readable(word)
            axes.text(7.85, row, f"{word}  {share:.0%}", fontsize=SIZE, va="center", **drawn_with([word]))


def draw_reading(axes, journey, shown: dict, token: int, station: int, head: int | None) -> None:
    """Lines from the token to what it reads, as wide as the weights, in the chosen block or the last that reads."""
    reading = [i for i, (_, part) in enumerate(journey.steps) if part in journey.attention]
    step = max((i for i in reading if i <= station), default=reading[-1]) if station else reading[-1]
    block, part = journey.steps[step]
    weights = journey.attention[part].weights[block, :, token]
    weights = weights.mean(axis=0) if head is None else weights[head]
    keys = [readable(key) for key in shown["keys"][part]]
    chosen = sorted(sorted(range(len(keys)), key=lambda i: -weights[i])[:MOST_ROWS])
    own = chosen.index(token) if part == "attention" and token in chosen else (len(chosen) - 1) / 2
    whose = f"average of {shown['n_heads']} heads" if head is None else f"head {head + 1}"
    axes.set(xlim=(0, 10), ylim=(len(chosen) - 0.4, -0.6))
    draw_heading(axes, 0.0, f"block {block + 1}, {part},\n{whose}")
    name = readable(shown["tokens"][token])
    drawn = drawn_with([name])
    weight = "bold" if len(drawn["fontfamily"]) == 1 else "normal"  # a font that was searched for may have no bold
    axes.text(1.9, own, name, ha="right", va="center", fontsize=SIZE, weight=weight, **drawn)
    for y, i in enumerate(chosen):
        axes.text(
            4.6,
            y,
            keys[i],
            fontsize=SIZE,
            va="center",
            color=INK if weights[i] >= 0.005 else SOFT,
            **drawn_with([keys[i]]),
        )
        axes.barh(y, 1.8 * weights[i], 0.6, left=7.5, color=COLOURS[part])
        if weights[i] >= 0.005:
            axes.plot([2.1, 4.4], [own, y], color=COLOURS[part], lw=0.5 + 6 * weights[i], alpha=0.7)
            axes.text(7.6 + 1.8 * weights[i], y, f"{weights[i]:.0%}", fontsize=SIZE, va="center", color=SOFT)


def draw_end(axes, journey, shown: dict, token: int, temperature: float) -> None:
    """The most likely tokens at the end, but for those that would show 0.0%."""
    logits = journey.logits[token].double()
    shares = (logits / temperature).softmax(dim=-1) if temperature else (logits == logits.max()).double()
    ids = logits.topk(len(shown["end"]["ids"][token])).indices
    words = [readable(shown["words"][i]) for i in shown["end"]["ids"][token]]
    axes.set(xlim=(0, 10), ylim=(max(9.6, len(words) - 0.4), -0.6))
    draw_heading(axes, 0.0, f"what is said,\nat temperature {temperature:g}")
    for y, (word, share) in enumerate(zip(words, shares[ids].tolist(), strict=True)):
        if share < 0.0005:
            break
        axes.text(0, y, word, fontsize=SIZE, va="center", **drawn_with([word]))
        axes.barh(y, 4.6 * share, 0.6, left=3.4, color="#1976d2")
        axes.text(3.5 + 4.6 * share, y, f"{share:.1%}", fontsize=SIZE, va="center", color=SOFT)

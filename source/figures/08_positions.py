"""Lesson 08's drawings: where positions enter, numbers and digits, hands that glide, a query and a key that turn."""

import math

from architecture import EMBEDDING, encoder_decoder
from kit import INK, KEY, LINE, LIT, QUERY, QUIET, VALUE, Drawing, tint
from matplotlib.patches import Circle, Rectangle, Wedge

from transformer_lab import load

SOURCE = "Sunday, November 22, 2026"
PALE = "#D5DBE1"
LEFT, STEP, SHOWN = 176, 52, 10  # where the column of position 0 stands, the next, and how many are drawn


def where() -> Drawing:
    return encoder_decoder(load("dates")[0].config, SOURCE, "2 0 2 6 nián", "1", lit={EMBEDDING})


def columns(drawing: Drawing, y: float) -> list[float]:
    """Write the positions above their columns; returns where they stand."""
    places = [LEFT + STEP * t for t in range(SHOWN)]
    drawing.text(20, y, "position t", 12, QUIET, "left")
    for t, x in enumerate(places):
        drawing.text(x, y, f"{t}", 12, QUIET)
    return places


def numbers() -> Drawing:
    drawing = Drawing(700, 336)
    places, ground = columns(drawing, 24), 162
    drawing.text(20, 104, "t itself", 13, INK, "left", bold=True)
    drawing.text(20, 126, "grows without end", 11, QUIET, "left")
    for t, x in enumerate(places):
        height = 11 * t + 2
        bar = Rectangle((x - 15, ground - height), 30, height, facecolor=tint(QUERY, 0.6), edgecolor=QUERY)
        drawing.axes.add_patch(bar)
    for y, length, name in ((220, 10, "t / T, ten tokens"), (264, 5, "t / T, five tokens")):
        drawing.text(20, y, name, 13, INK, "left", bold=True)
        for t, x in enumerate(places[:length]):
            drawing.box(x, y, 44, 30, f"{t / length:.1f}", LIT if t == 2 else LINE, lit=t == 2)
    drawing.text(places[2], 304, "the same place, two numbers", 12, LIT)
    return drawing


def hand(drawing: Drawing, x: float, y: float, angle: float, radius=17, color=QUERY) -> None:
    """A clock's hand: upright at angle 0, then clockwise; its tip is at (sin, cos)."""
    drawing.axes.add_patch(Circle((x, y), radius, facecolor=tint(color, 0.08), edgecolor=LINE, linewidth=1))
    tip = x + radius * math.sin(angle), y - radius * math.cos(angle)
    drawing.axes.plot([x, tip[0]], [y, tip[1]], color=color, linewidth=2.4, solid_capstyle="round", zorder=3)
    drawing.axes.add_patch(Circle(tip, 2.6, color=color, zorder=3))


def hands() -> Drawing:
    drawing = Drawing(700, 414)
    places = columns(drawing, 24)
    for digit, name in enumerate(("ones", "twos", "fours", "eights")):
        y = 62 + 36 * digit
        drawing.text(20, y, name, 12, INK, "left")
        for t, x in enumerate(places):
            one = t >> digit & 1
            drawing.box(x, y, 32, 28, f"{one}", LIT if t in (7, 8) else QUERY if one else PALE, lit=bool(one))
    drawing.text((places[7] + places[8]) / 2, 202, "all four digits change", 12, LIT)
    for number, turn in enumerate((4, 8, 16)):
        y = 248 + 50 * number
        drawing.text(20, y, f"a turn in {turn}", 12, INK, "left")
        for t, x in enumerate(places):
            hand(drawing, x, y, 2 * math.pi * t / turn, color=LIT if t in (7, 8) else QUERY)
    drawing.text((places[7] + places[8]) / 2, 390, "every hand goes on as always", 12, LIT)
    return drawing


def places() -> Drawing:
    drawing, y = Drawing(700, 330), 150
    drawing.box(466, y, 436, 190, color=PALE)
    drawing.text(466, 42, "inside each attention of each block", 11, QUIET)
    word = drawing.token(52, 250, "November", width=86)
    x = drawing.box(52, y, 72, 34, "x")
    added = drawing.box(166, y, 92, 50, "add a vector\nto x", LIT, lit=True, size=11)
    drawing.arrow(word.top, x.bottom, above=True)
    drawing.text(60, 206, "embedding", 10.5, QUIET, "left")
    drawing.arrow(x.right, added.left, above=True)
    turned = drawing.box(370, 106, 92, 50, "turn q and k", LIT, lit=True, size=11)
    for at, name, color in ((86, "q", QUERY), (126, "k", KEY), (206, "v", VALUE)):
        part = drawing.box(284, at, 34, 28, name, color)
        drawing.arrow(added.right, part.left, above=True)
        if name != "v":
            drawing.arrow(part.right, (turned.left[0], at), above=True)
    biased = drawing.box(494, 106, 106, 50, "add a number\nto the score", LIT, lit=True, size=11)
    drawing.arrow(turned.right, biased.left, above=True)
    soft = drawing.box(614, 106, 80, 34, "softmax")
    drawing.arrow(biased.right, soft.left, above=True)
    average = drawing.box(594, 206, 120, 34, "average of v", VALUE)
    drawing.arrow(soft.bottom, (614, 189), above=True)
    drawing.arrow((301, 206), average.left, above=True)
    for at, names in ((166, "sinusoidal,\nlearned"), (370, "rotary"), (494, "ALiBi")):
        drawing.text(at, 290, names, 13, LIT, bold=True)
    for at, top in ((166, 176), (370, 132), (494, 132)):
        drawing.axes.plot([at, at], [top, 268], color=LIT, linewidth=1, linestyle=":", zorder=3)
    return drawing


def rotary() -> Drawing:
    drawing, speed, radius = Drawing(700, 300), 0.3, 74
    query, key = math.radians(100), math.radians(30)  # before they are turned, counter-clockwise from the right
    for x, m, n in ((120, 0, 0), (350, 5, 2), (580, 25, 22)):
        a, b = query + m * speed, key + n * speed
        drawing.axes.add_patch(Circle((x, 140), radius, facecolor="white", edgecolor=LINE))
        # Wedge counts clockwise here, since y points downwards.
        from_key, to_query = math.degrees(-a), math.degrees(-b)
        drawing.axes.add_patch(Wedge((x, 140), 30, from_key, to_query, facecolor=tint(LIT, 0.35), edgecolor=LIT))
        for angle, name, color in ((a, "q", QUERY), (b, "k", KEY)):
            tip = x + radius * math.cos(angle), 140 - radius * math.sin(angle)
            drawing.arrow((x, 140), tip, color=color, width=2.6, above=True)
            beyond = 1 + 15 / radius
            place = x + beyond * radius * math.cos(angle), 140 - beyond * radius * math.sin(angle)
            drawing.text(*place, name, 14, color, bold=True)
        title = "not turned" if m == n == 0 else f"q at {m}, k at {n}"
        drawing.text(x, 28, title, 13, INK, bold=True)
        between = round(math.degrees(query - key + (m - n) * speed))
        drawing.text(x, 246, f"{between}° from k to q", 12, LIT)
        if m:
            drawing.text(x, 272, f"offset {m - n}", 12, QUIET)
    return drawing


DRAWINGS = (where, numbers, hands, places, rotary)

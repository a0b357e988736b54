"""Lesson 02's drawings. Their numbers are the trained translator's, which is about to write the first 1 of 11."""

import torch
from architecture import CROSS, SELF, encoder_decoder
from kit import INK, KEY, LIT, QUERY, QUIET, VALUE, Drawing

from transformer_lab import load

SOURCE, TARGET = "Sunday, November 22, 2026", "2026年11月22日星期日"
WRITTEN = ["2", "0", "2", "6", "nián"]  # and now the month: 11, November
BLOCK, HEAD, ROW = 2, 3, 5  # counted from 1; the row that writes the token after those written


@torch.no_grad()
def the_head():
    """(words, queries, keys, values) of the head of the running example."""
    model, tokenizer = load("dates")
    source, _ = tokenizer.batch([SOURCE])
    target, _ = tokenizer.batch([TARGET], bos=True)
    layer, seen = model.decoder.blocks[BLOCK - 1].cross_attention, {}
    hook = layer.register_forward_pre_hook(lambda _, inputs: seen.update(x=inputs[0]))
    memory = model.encode(source)
    model.decode(target, memory=memory)
    hook.remove()
    q, k, v = (layer.split(project(x))[0, HEAD - 1] for project, x in
               ((layer.w_q, seen["x"]), (layer.w_k, memory), (layer.w_v, memory)))  # fmt: skip
    return tokenizer.tokens(source[0].tolist()), q, k, v


def rounded(*tensors):
    """So that another CPU draws the same."""
    return [tensor.double().round(decimals=2) for tensor in tensors]


def running_example():
    """(words, query, keys, values, scores, weights) of the running example: one query, one head."""
    words, q, k, v = the_head()
    scores = k @ q[ROW] / q.shape[1] ** 0.5
    return words, *rounded(q[ROW], k, v, scores, scores.softmax(dim=0))


def every_query():
    """(queries, keys, values, weights) of all rows that write."""
    _, q, k, v = the_head()
    q = q[:-1]  # behind [EOS] nothing is written
    return rounded(q, k, v, (q @ k.T / q.shape[1] ** 0.5).softmax(dim=1))


def where() -> Drawing:
    config = load("dates")[0].config
    return encoder_decoder(config, SOURCE, "2 0 2 6 nián", "1", lit={SELF, CROSS})


def looking() -> Drawing:
    words, *_, weights = running_example()
    drawing = Drawing(700, 250)
    drawing.text(20, 32, "written so far", 11, QUIET, "left")
    *_, asking = drawing.tokens(118, 32, WRITTEN, LIT, {len(WRITTEN) - 1})
    drawing.arrow(asking.right, (asking.right[0] + 34, 32))
    drawing.text(asking.right[0] + 44, 32, "?", 13, bold=True)
    drawing.text(asking.right[0] + 64, 32, "next comes the month", 11, QUIET, "left")
    read = drawing.tokens(118, 205, words, KEY, {2})
    for box, weight in zip(read, weights.tolist(), strict=True):
        drawing.arrow(box.top, asking.bottom, color=KEY if weight > 0.005 else "#D5DBE1", width=0.6 + 6 * weight)
        drawing.text(box.x, 234, f"{weight:.2f}", 11, INK if weight > 0.005 else QUIET, bold=weight > 0.5)
    drawing.text(20, 205, "read", 11, QUIET, "left")
    drawing.text(20, 234, "weight", 11, QUIET, "left")
    return drawing


def roles() -> Drawing:
    words, query, keys, values, scores, weights = running_example()
    shown = [0, 2, 3]  # three of the ten words
    drawing = Drawing(700, 430)
    drawing.text(110, 26, "the last token written", 12, QUIET)
    drawing.text(480, 26, "the words being read", 12, QUIET)
    drawing.token(110, 58, "nián", LIT, lit=True)
    for column, word in enumerate(shown):
        x = 330 + 150 * column
        drawing.token(x, 58, words[word], KEY, word == 2)
        drawing.arrow((x, 74), (x - 30, 106), "W_K", KEY, beside=-6)
        drawing.arrow((x, 74), (x + 30, 106), "W_V", VALUE, beside=14)
        drawing.vector(x - 30, 168, keys[word][:10], KEY, "key")
        drawing.vector(x + 30, 168, values[word][:10], VALUE, "value")
    drawing.arrow((110, 74), (110, 106), "W_Q", QUERY, beside=8)
    drawing.vector(110, 168, query[:10], QUERY, "query")
    drawing.text(110, 262, "What do I look for?", 11, QUERY)
    drawing.text(300, 262, "How am I found?", 11, "#9A6B00")
    drawing.text(575, 262, "What do I hand over?", 11, VALUE)
    for y, name, row in ((300, "score = query · key / √16", scores), (345, "weight = softmax of the scores", weights)):
        drawing.text(20, y, name, 12, INK, "left")
        for column, word in enumerate(shown):
            drawing.box(
                330 + 150 * column, y, 74, 28, f"{row[word]:.2f}" if y > 320 else f"{row[word]:.1f}", KEY, lit=word == 2
            )
    drawing.text(20, 400, "output = the sum of weight × value", 12, INK, "left")
    drawing.box(480, 400, 374, 30, "mostly November's value", VALUE, lit=True)
    for column, word in enumerate(shown):
        x = 330 + 150 * column
        drawing.arrow((x, 360), (x, 384), color=VALUE, width=0.8 + 4 * float(weights[word]))
    return drawing


def shapes() -> Drawing:
    """All queries at once: the matrices of the formula in the running example, shaded by their numbers."""
    q, k, v, weights = every_query()
    drawing, cell, middle = Drawing(700, 222), 7, 104
    parts = (
        (78, q, QUERY, "q", "(13, 16)", True),
        (194, k.T, KEY, "k transposed", "(16, 10)", False),
        (362, weights, LIT, "weights", "(13, 10)", True),
        (480, v, VALUE, "v", "(10, 16)", False),
        (622, weights @ v, VALUE, "output", "(13, 16)", True),
    )
    for x, values, color, name, shape, has_row in parts:
        drawing.frame(x, middle, cell * values.shape[1] + 6, cell * values.shape[0] + 6)
        box = drawing.matrix(x, middle, values.abs(), color=color, cell=cell, numbers="", mark=ROW if has_row else None)
        drawing.text(x, box.top[1] - 14, name, 12, INK, bold=True)
        drawing.text(x, box.bottom[1] + 14, shape, 11, QUIET)
    for x, sign in ((146, "·"), (410, "·"), (551, "=")):
        drawing.text(x, middle, sign, 18)
    drawing.arrow((238, middle), (318, middle))
    drawing.text(278, middle - 17, "divided by √16", 10, QUIET)
    drawing.text(278, middle + 23, "softmax\nof each row", 10, QUIET)
    drawing.text(
        350, 203, "Framed: the query of the token that writes the month, its row of weights, and its output.", 12
    )
    return drawing


DRAWINGS = (where, looking, roles, shapes)

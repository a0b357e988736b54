// A numbered tensor (1, T, D) and where two ways to cut it into heads put each number.
// Traits: n_positions (T), n_heads (H), d_head, chosen (the number that is followed).

import { html, svg, set, stage, panel, choose, watch, slider, button, speaker } from "./kit.js";

const START = { n_positions: 4, n_heads: 3, d_head: 2, chosen: 8 };
const COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7"];
const CELL = 26, GAP = 14, LEFT = 34, TOP = 22; // in drawing units

// The two ways of split_both_ways in split_explorer.py: the number at head h, position t, feature f.
const WAYS = {
  right: ({ H, d_head }) => (h, t, f) => (t * H + h) * d_head + f,
  viewed: ({ T, d_head }) => (h, t, f) => (h * T + t) * d_head + f,
};

// And back: where each way puts a number.
const PLACES = {
  right: ({ H, d_head }, n) => {
    const block = Math.floor(n / d_head);
    return { h: block % H, t: Math.floor(block / H), f: n % d_head };
  },
  viewed: ({ T, d_head }, n) => {
    const block = Math.floor(n / d_head);
    return { h: Math.floor(block / T), t: block % T, f: n % d_head };
  },
};

function sizes(model) {
  const [T, H, d_head] = ["n_positions", "n_heads", "d_head"].map((name) => model.get(name));
  return { T, H, d_head, D: H * d_head, count: T * H * d_head };
}

function same(size, n) {
  const [a, b] = [PLACES.right(size, n), PLACES.viewed(size, n)];
  return a.h === b.h && a.t === b.t;
}

function numbersOf(count, keep) {
  return [...Array(count).keys()].filter(keep).length;
}

function render({ model, el }) {
  const root = stage(el, "tl-explorer tl-split");
  const panels = html(root, "div", { class: "panels" });
  const whole = cells("whole", "x of shape (1, T, D)", "row: position; colour: the head that gets it");
  const right = cells("right", "view(1, T, H, d_head).transpose(1, 2)", "every head: its own features of every position");
  const viewed = cells("viewed", "view(1, H, T, d_head)", "the same shape, and no error");

  // The tensor itself is the control: one number of it is chosen.
  set(whole.root, { tabindex: 0, role: "slider", "aria-label": "number to follow", "aria-valuemin": 0 });
  set(right.root, { role: "img", "aria-label": "view and transpose" });
  set(viewed.root, { role: "img", "aria-label": "view alone" });
  whole.root.addEventListener("keydown", (event) => {
    const { D, count } = sizes(model), now = model.get("chosen");
    const next = { ArrowLeft: now - 1, ArrowRight: now + 1, ArrowUp: now - D, ArrowDown: now + D,
      Home: 0, End: count - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    if (next >= 0 && next < count) choose(model, { chosen: next });
  });

  const controls = html(root, "div", { class: "controls" });
  const sliders = {
    n_positions: slider(controls, "T, positions", { min: 1, max: 6 }, (value) => resize("n_positions", value)),
    n_heads: slider(controls, "H, heads", { min: 1, max: 4 }, (value) => resize("n_heads", value)),
    d_head: slider(controls, "d_head", { min: 1, max: 4 }, (value) => resize("d_head", value)),
  };
  button(controls, "reset", () => choose(model, { ...START }));
  const readOut = html(root, "div", { class: "read-out" });
  const follows = html(readOut, "div", { class: "follows" });
  const verdict = html(readOut, "strong", { class: "verdict" });
  const say = speaker(root);

  function cells(name, title, about) {
    return { root: svg(panel(panels, title, about, { class: name }), "svg", { class: "cells" }) };
  }

  function resize(name, value) {
    const size = { ...sizes(model), [{ n_positions: "T", n_heads: "H", d_head: "d_head" }[name]]: value };
    choose(model, { chosen: Math.min(model.get("chosen"), size.T * size.H * size.d_head - 1), [name]: value });
  }

  // One panel: n_grids grids side by side, numberAt(grid, row, column) in each cell.
  function drawCells(root, size, nGrids, columns, numberAt) {
    root.replaceChildren();
    const width = LEFT + nGrids * (columns * CELL + GAP) - GAP + 2, height = TOP + size.T * CELL + 2;
    set(root, { viewBox: `0 0 ${width} ${height}`, style: `max-width: ${width}px` });
    for (let t = 0; t < size.T; t++)
      svg(root, "text", { x: LEFT - 7, y: TOP + (t + 0.5) * CELL, class: "row" }, `t=${t}`);
    for (let grid = 0; grid < nGrids; grid++) {
      const left = LEFT + grid * (columns * CELL + GAP);
      // Where a head is too narrow for the word, its number alone.
      const name = nGrids === size.H && root !== whole.root ? (columns > 1 ? `head ${grid}` : `h${grid}`) : "";
      if (name) svg(root, "text", { x: left + (columns * CELL) / 2, y: 10, class: "column" }, name);
      for (let t = 0; t < size.T; t++)
        for (let f = 0; f < columns; f++)
          drawCell(root, size, numberAt(grid, t, f), left + f * CELL, TOP + t * CELL);
    }
  }

  function drawCell(root, size, n, x, y) {
    const head = Math.floor(n / size.d_head) % size.H;
    const isChosen = n === model.get("chosen"), stays = root !== whole.root && same(size, n);
    const group = svg(root, "g", { class: `cell${isChosen ? " chosen" : ""}${stays ? " stays" : ""}`, "data-number": n });
    svg(group, "rect", { x, y, width: CELL, height: CELL, class: "paper" });
    svg(group, "rect", { x, y, width: CELL, height: CELL, class: "tint", fill: COLOURS[head] });
    if (stays) svg(group, "rect", { x: x + 2.5, y: y + 2.5, width: CELL - 5, height: CELL - 5, class: "frame" });
    svg(group, "text", { x: x + CELL / 2, y: y + CELL / 2 + 0.5 }, String(n));
    group.addEventListener("click", () => choose(model, { chosen: n }));
  }

  function place({ h, t, f }) {
    return `head ${h}, position ${t}, feature ${f}`;
  }

  function draw() {
    const size = sizes(model);
    const n = Math.min(model.get("chosen"), size.count - 1);
    drawCells(whole.root, size, 1, size.D, (_, t, c) => t * size.D + c);
    drawCells(right.root, size, size.H, size.d_head, WAYS.right(size));
    drawCells(viewed.root, size, size.H, size.d_head, WAYS.viewed(size));
    for (const [name, control] of Object.entries(sliders)) control.draw(model.get(name));

    const [a, b] = [PLACES.right(size, n), PLACES.viewed(size, n)];
    const stays = same(size, n);
    follows.textContent = `${n} stands at position ${Math.floor(n / size.D)}, feature ${n % size.D}. ` +
      `view + transpose: ${place(a)}. view alone: ${place(b)}` + (stays ? ", the same." : ".");
    const agreeing = numbersOf(size.count, (number) => same(size, number));
    const framed = agreeing / size.d_head, blocks = size.T * size.H;
    verdict.textContent = agreeing === size.count
      ? `✓ the two agree everywhere: ${agreeing} of ${size.count} numbers`
      : `the two agree on ${agreeing} of ${size.count} numbers (framed): ${framed} of ${blocks} pieces of ${size.d_head}`;
    set(whole.root, { "aria-valuemax": size.count - 1, "aria-valuenow": n, "aria-valuetext": follows.textContent });
    say(readOut.textContent);
  }

  return watch(model, ["n_positions", "n_heads", "d_head", "chosen"], draw);
}

export default { render };

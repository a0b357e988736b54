// A mask as a table: choose its kind, T, S and the padding, then a key; the outputs that change with it light up.
// Traits: T, S, kind, n_padded, side, changed_key.

import { html, svg, set, stage, panel, choose, watch, slider, menu, button, speaker } from "./kit.js";

const KINDS = [
  ["none", "none"],
  ["causal", "causal, last query meets last key"],
  ["top left", "causal, first query meets first key"],
  ["padding", "padding"],
  ["causal and padding", "causal (last meets last) and padding"],
];
const LARGEST = 8;
const START = { T: 6, S: 6, kind: "causal", n_padded: 2, side: "right", changed_key: 3 };
const CELL = 38, LEFT = 34, TOP = 50, GAP = 14, OUTPUT = 96; // of the drawing, in its own units

// make_mask in mask_explorer.py.
function makeMask(kind, T, S, padded, side) {
  const isPadding = (j) => kind.endsWith("padding") && (side === "right" ? j >= S - padded : j < padded);
  const inPast = (i, j) => (kind.startsWith("causal") ? j <= S - T + i : kind === "top left" ? j <= i : true);
  return Array.from({ length: T }, (_, i) => Array.from({ length: S }, (_, j) => inPast(i, j) && !isPadding(j)));
}

function listed(rows, one, none) {
  return rows.length ? `${one}${rows.length > 1 ? "s" : ""} ${rows.join(", ")}` : none;
}

function render({ model, el }) {
  const root = stage(el, "tl-explorer tl-mask");
  const controls = html(root, "div", { class: "controls" });
  const kinds = menu(controls, "mask", KINDS, (kind) => choose(model, { kind }));
  const queries = slider(controls, "queries T", { min: 1, max: LARGEST }, (T) => choose(model, { T }));
  const keys = slider(controls, "keys S", { min: 1, max: LARGEST }, (S) => choose(model, { S }));
  const padding = slider(controls, "padded keys", { min: 0, max: LARGEST }, (n) => choose(model, { n_padded: n }));
  const sides = menu(controls, "padding on the", ["right", "left"], (side) => choose(model, { side }));
  button(controls, "reset", () => choose(model, START));

  const section = panel(root, "Queries in rows, keys in columns",
    "Click a column to change that key and its value, or focus it and use the arrow keys.");
  const drawing = svg(section, "svg", { role: "group", "aria-label": "the mask and the outputs" });
  const table = svg(drawing, "g");
  const handle = svg(drawing, "g", { class: "handle", tabindex: 0, role: "slider", "aria-label": "changed key" });
  const frame = svg(handle, "rect", { class: "frame", rx: 6 });
  const head = svg(handle, "text", { class: "head" });

  const readOut = html(root, "div", { class: "read-out" });
  const lines = ["changes", "empty", "differ"].map((name) => html(readOut, "div", { class: name }));
  const legend = html(root, "div", { class: "legend" });
  for (const [name, text] of [
    ["allowed", "allowed, with its weight if all scores were equal"],
    ["blocked", "blocked"],
    ["changes", "changes with the key"],
    ["empty", "no key allowed: the output is 0"],
  ]) {
    const item = html(legend, "span");
    html(item, "i", { class: name });
    html(item, "span", {}, text);
  }
  const say = speaker(root);

  function state() {
    const [T, S, kind, side] = ["T", "S", "kind", "side"].map((name) => model.get(name));
    const padded = Math.min(model.get("n_padded"), S), key = Math.min(model.get("changed_key"), S - 1);
    return { T, S, kind, side, padded, key, mask: makeMask(kind, T, S, padded, side) };
  }

  function draw() {
    const { T, S, kind, side, padded, key, mask } = state();
    const usesPadding = kind.endsWith("padding");
    kinds.draw(kind);
    queries.draw(T);
    keys.draw(S);
    padding.draw(padded);
    sides.draw(side);
    for (const control of [padding, sides]) control.box.classList.toggle("idle", !usesPadding);

    const right = LEFT + S * CELL + GAP, height = TOP + T * CELL + 8;
    set(drawing, { viewBox: `0 0 ${LEFT + LARGEST * CELL + GAP + OUTPUT} ${height}` });
    table.replaceChildren();
    const isPadding = (j) => usesPadding && (side === "right" ? j >= S - padded : j < padded);
    for (let j = 0; j < S; j++) {
      const x = LEFT + j * CELL;
      svg(table, "text", { x: x + CELL / 2, y: 22, class: "head" }, `k${j}`);
      if (isPadding(j)) svg(table, "text", { x: x + CELL / 2, y: 37, class: "tick" }, "pad");
      const column = svg(table, "rect", { x, y: 6, width: CELL, height: height - 8, class: "column" });
      column.addEventListener("pointerdown", () => choose(model, { changed_key: j }));
    }
    mask.forEach((row, i) => {
      const y = TOP + i * CELL, middle = y + CELL / 2, many = row.filter(Boolean).length;
      svg(table, "text", { x: LEFT / 2, y: middle, class: "name" }, `q${i}`);
      row.forEach((allowed, j) => {
        const name = allowed ? "cell allowed" : isPadding(j) ? "cell padded" : "cell blocked";
        svg(table, "rect", { x: LEFT + j * CELL + 2, y: y + 2, width: CELL - 4, height: CELL - 4, rx: 4, class: name });
        if (allowed)
          svg(table, "text", { x: LEFT + (j + 0.5) * CELL, y: middle, class: "weight" }, many > 1 ? `1/${many}` : "1");
      });
      const name = row[key] ? "changes" : many ? "same" : "empty";
      svg(table, "rect", { x: right, y: y + 3, width: OUTPUT - 6, height: CELL - 6, rx: 4, class: `output ${name}` });
      const words = { changes: "changes", same: "same", empty: "no key: 0" }[name];
      svg(table, "text", { x: right + OUTPUT / 2 - 3, y: middle, class: `says ${name}` }, words);
    });
    svg(table, "text", { x: right + OUTPUT / 2 - 3, y: 22, class: "head" }, "output");
    set(frame, { x: LEFT + key * CELL - 1, y: 5, width: CELL + 2, height: height - 8 });
    set(head, { x: LEFT + (key + 0.5) * CELL, y: 22 });
    head.textContent = `k${key}`;
    set(handle, { "aria-valuemin": 0, "aria-valuemax": S - 1, "aria-valuenow": key, "aria-valuetext": `key ${key}` });

    const rows = mask.flatMap((row, i) => (row[key] ? [i] : []));
    const empty = mask.flatMap((row, i) => (row.includes(true) ? [] : [i]));
    lines[0].textContent = `Key ${key} changes: ${listed(rows, "output", "no output")} ` +
      `${rows.length === 1 ? "changes" : "change"} (${rows.length} of ${T}).`;
    lines[1].textContent = `Rows without a key: ${empty.length ? empty.join(", ") : "none"}.`;
    const other = { causal: "top left", "top left": "causal" }[kind];
    const differ = other && makeMask(other, T, S, padded, side).flat().filter((x, n) => x !== mask.flat()[n]).length;
    lines[2].textContent = other ? `Cells that differ from the other causal alignment: ${differ}.` : "";
    say(readOut.textContent);
  }

  handle.addEventListener("keydown", (event) => {
    const { S, key } = state();
    const to = { ArrowLeft: key - 1, ArrowDown: key - 1, ArrowRight: key + 1, ArrowUp: key + 1, Home: 0, End: S - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose(model, { changed_key: Math.min(S - 1, Math.max(0, to)) });
  });
  return watch(model, ["T", "S", "kind", "n_padded", "side", "changed_key"], draw);
}

export default { render };

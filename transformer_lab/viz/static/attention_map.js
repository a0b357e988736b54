// AttentionView's map: the weights of one head, queries in rows and keys in columns, to point at and to select from.

import { paint } from "./attention_paint.js";
import { keyLabel, labelLayout, queryLabel } from "./attention_labels.js";
import { clip } from "./attention_numbers.js";
import { html, set } from "./kit.js";

const LEAST_SIDE = 4, MOST_SIDE = 30; // of a cell, in pixels
const ELSEWHERE = 455; // pixels of a window's height for what stands around a map: JupyterLab, controls, the text, read-out
const BESIDE = 480; // a map of this width, or less, stands beside the overview; a wider one scrolls

// A cell's side: all queries and keys fit into one screen, unless they are too many.
export function sideOfCell({ T, S }) {
  return Math.max(LEAST_SIDE, Math.min(MOST_SIDE, Math.floor(roomForMap() / Math.max(T, S))));
}

const roomForMap = () => Math.max(280, Math.min(600, window.innerHeight - ELSEWHERE));

// detail: the box that is as wide as there is room. Gives the elements that say where a cell is.
export function attentionMap(parent, detail, state) {
  const keyAxis = html(parent, "div", { class: "axis-key soft" }, "key: the token that is read \u2192");
  const withAxis = html(parent, "div", { class: "with-axis" });
  html(withAxis, "div", { class: "axis-query soft" }, "\u2190 query: the row that reads");
  const scroller = html(withAxis, "div", { class: "scroller" });
  const corner = html(scroller, "div", { class: "corner" });
  const keyLabels = html(scroller, "div", { class: "key-labels" });
  const queryLabels = html(scroller, "div", { class: "query-labels" });
  const field = html(scroller, "div", {
    class: "map masked", tabindex: 0, role: "application", "aria-roledescription": "attention map",
  });
  const canvas = html(field, "canvas"), marks = marksOn(field, state);

  state.on("shown", () => {
    const { T, S } = state;
    const [queries, keys] = [state.queries, state.keys].map((texts) => texts.map((text) => state.label(text)));
    const cell = sideOfCell(state);
    const layout = labelLayout(queries, keys, cell), { left, top, right } = layout;
    scroller.style.gridTemplateColumns = `${left}px ${S * cell + right}px`;
    scroller.style.maxHeight = `${top + roomForMap() + 20}px`; // a map that is higher scrolls; 20 for a scroll bar
    scroller.style.gridTemplateRows = `${top}px ${T * cell + 3}px`;
    keyAxis.style.paddingLeft = `${left + 22}px`;
    detail.style.flexBasis = `${Math.min(left + S * cell + right + 24, BESIDE)}px`; // beside the overview if that fits
    Object.assign(field.style, { width: `${S * cell}px`, height: `${T * cell}px` });
    marks.build(cell);
    queryLabels.replaceChildren();
    keyLabels.replaceChildren();
    queries.forEach((text, i) => queryLabel(queryLabels, text, i, layout));
    keys.forEach((text, i) => keyLabel(keyLabels, text, i, layout));
  });
  state.on("head", () => {
    const { T, S, scale, headWeights } = state;
    set(field, { "aria-label": `Attention of ${state.title}: ${T} queries in rows, ${S} keys in ` +
      "columns. Arrow keys move, Enter selects, Escape deselects." });
    paint(canvas, headWeights, T, S, scale);
  });
  state.on("hot", () => {
    const { hot } = state, { query, key } = state.selection;
    marks.draw();
    [...queryLabels.children].forEach((label, i) => markLabel(label, hot?.query === i, query === i));
    [...keyLabels.children].forEach((label, i) => markLabel(label, hot?.key === i, key === i));
  });
  listenTo(field, state, marks);
  return { scroller, field, corner };
}

// What lies on the map: thin lines between cells, a band along the row and the column of the cell that is spoken of (the
// one that is not followed is fainter), and two framed cells.
function marksOn(field, state) {
  const lines = html(field, "div", { class: "lines" });
  const rowBand = html(field, "div", { class: "band" }), columnBand = html(field, "div", { class: "band" });
  const chosenCell = html(field, "div", { class: "cell chosen" }), hotCell = html(field, "div", { class: "cell hot" });
  let cell; // a cell's side, in pixels

  function build(side) {
    cell = side;
    lines.style.background = cell < 12 ? "" :
      "linear-gradient(90deg, var(--paper) 1px, transparent 1px), linear-gradient(var(--paper) 1px, transparent 1px)";
    Object.assign(lines.style, { backgroundSize: `${cell}px ${cell}px`, backgroundPosition: "-1px -1px" });
  }

  // Over so many rows and columns, from a cell on; hidden if that is null.
  function place(box, at, rows = 1, columns = 1) {
    box.hidden = at === null;
    if (at === null) return;
    Object.assign(box.style, {
      left: `${at.key * cell}px`, top: `${at.query * cell}px`, width: `${columns * cell}px`, height: `${rows * cell}px`,
    });
  }

  function draw() {
    const { T, S, hot, byKey, cell: at } = state, { query, key } = state.selection;
    place(chosenCell, query === null ? null : { query, key });
    place(hotCell, hot);
    place(rowBand, at && { query: at.query, key: 0 }, 1, S);
    place(columnBand, at && { query: 0, key: at.key }, T, 1);
    rowBand.classList.toggle("faint", byKey);
    columnBand.classList.toggle("faint", !byKey);
  }

  return { build, draw, hotCell };
}

function markLabel(label, isHot, isChosen) {
  label.classList.toggle("hot", isHot);
  label.classList.toggle("chosen", isChosen && !isHot);
}

function listenTo(field, state, { hotCell }) {
  const start = () => {
    const { query, key } = state.selection;
    return query === null ? { query: 0, key: 0 } : { query, key };
  };
  field.addEventListener("pointermove", (event) => state.point(cellAt(field, event, state)));
  field.addEventListener("pointerleave", () => state.point(null));
  field.addEventListener("click", (event) => state.choose(cellAt(field, event, state)));
  field.addEventListener("focus", () => field.matches(":focus-visible") && state.point(start()));
  field.addEventListener("blur", () => state.point(null));
  field.addEventListener("keydown", (event) => {
    const { query, key } = state.hot ?? start(), to = movedBy(event.key, query, key, state);
    if (to) {
      state.point(to);
      hotCell.scrollIntoView({ block: "nearest", inline: "nearest" });
    } else if (event.key === "Enter" || event.key === " ") state.choose({ query, key });
    else if (event.key === "Escape") state.choose({ query: null, key: null });
    else return;
    event.preventDefault();
  });
}

// Where a key of the keyboard leads from a cell, or undefined.
function movedBy(name, query, key, { T, S }) {
  const to = {
    ArrowUp: [query - 1, key], ArrowDown: [query + 1, key], ArrowLeft: [query, key - 1], ArrowRight: [query, key + 1],
    Home: [query, 0], End: [query, S - 1], PageUp: [0, key], PageDown: [T - 1, key],
  }[name];
  return to && { query: clip(to[0], T - 1), key: clip(to[1], S - 1) };
}

function cellAt(field, event, { T, S }) {
  const box = field.getBoundingClientRect();
  return {
    query: clip(Math.floor(((event.clientY - box.top) / box.height) * T), T - 1),
    key: clip(Math.floor(((event.clientX - box.left) / box.width) * S), S - 1),
  };
}

// AttentionView's arcs: the map's weights again, from the queries on the left to the keys on the right.

import { sideOfCell } from "./attention_map.js";
import { largestOf, strongest } from "./attention_measures.js";
import { html, svg } from "./kit.js";

const ARC_GAP = 150, MOST_ARCS = 2000, MOST_ARC_TOKENS = 160;

export function arcs(parent, state) {
  const root = html(parent, "div", { class: "arcs" });
  root.hidden = true;
  html(root, "div", { class: "soft" }, "queries (left) read keys (right): the larger the weight, the wider the line");
  const scroller = html(root, "div", { class: "arcs-scroller" }), note = html(root, "div", { class: "soft" });
  let drawing; // {lines, names}, or null where there are too many tokens

  state.on("shown", () => {
    const longest = Math.max(state.T, state.S), tooMany = longest > MOST_ARC_TOKENS;
    scroller.replaceChildren();
    note.textContent = tooMany
      ? `${longest} tokens: too many for arcs (at most ${MOST_ARC_TOKENS}); the map shows all.` : "";
    drawing = tooMany ? null : arcDrawing(scroller, state);
  });
  state.on("hot", () => {
    root.hidden = !state.withArcs;
    if (state.withArcs && drawing && state.isHere) drawArcs(drawing, state);
  });
}

function arcDrawing(parent, state) {
  const row = heightOfRow(state), height = Math.max(state.T, state.S) * row;
  Object.assign(parent.style, { lineHeight: `${row}px`, fontSize: row < 15 ? "10px" : "12px" });
  const queries = arcNames(parent, "query", state);
  const picture = svg(parent, "svg", {
    width: ARC_GAP, height, viewBox: `0 0 ${ARC_GAP} ${height}`, "aria-hidden": "true",
  });
  return { lines: svg(picture, "g"), names: { query: queries, key: arcNames(parent, "key", state) } };
}

// As high as the map's rows, within what can be read.
const heightOfRow = (state) => Math.max(12, Math.min(20, sideOfCell(state)));

// A column of tokens; axis: "query" or "key".
function arcNames(parent, axis, state) {
  const column = html(parent, "div", { class: `arc-names ${axis}` });
  const cell = (i, other) => (axis === "query" ? { query: i, key: other } : { query: other, key: i });
  return (axis === "query" ? state.queries : state.keys).map((text, i) => {
    const name = state.label(text);
    const made = html(column, "div", { class: "arc-name", title: name.slice(0, 200) }, name);
    made.addEventListener("pointerenter", () => state.point(cell(i, 0), axis));
    made.addEventListener("pointerleave", () => state.point(null));
    made.addEventListener("click", () => state.choose(cell(i, strongest(state, axis, i))));
    return made;
  });
}

function drawArcs({ lines, names }, state) {
  const { cell } = state, most = state.signed || state.byNorm ? largestOf(state.headWeights) : 1;
  lines.replaceChildren();
  for (const arc of strongestArcs(state, 0.01 * most)) drawArc(lines, arc, most, state);
  names.query.forEach((one, i) => one.classList.toggle("hot", cell?.query === i));
  names.key.forEach((one, i) => one.classList.toggle("hot", cell?.key === i));
}

// {query, key, weight} of the lines that are drawn, the strongest first: of a cell's query or key alone, if there is one.
function strongestArcs(state, least) {
  const { T, cell, byKey } = state, found = [];
  for (let query = 0; query < T; query++) {
    if (cell && !byKey && cell.query !== query) continue;
    state.row(query).forEach((weight, key) => {
      if (Math.abs(weight) > least && (!cell || !byKey || cell.key === key)) found.push({ query, key, weight });
    });
  }
  return found.sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight)).slice(0, MOST_ARCS);
}

function drawArc(parent, { query, key, weight }, most, state) {
  const { cell, signed } = state, row = heightOfRow(state);
  const share = Math.abs(weight) / most, y = (i) => (i + 0.5) * row;
  const isChosen = cell?.query === query && cell?.key === key, isLess = signed && weight < 0;
  svg(parent, "path", {
    d: `M0,${y(query)}C${ARC_GAP / 2},${y(query)} ${ARC_GAP / 2},${y(key)} ${ARC_GAP},${y(key)}`,
    "stroke-width": (1 + 6 * share).toFixed(2), "stroke-opacity": (0.12 + 0.88 * share).toFixed(3),
    class: isChosen ? "arc chosen" : isLess ? "arc less" : "arc",
  });
}

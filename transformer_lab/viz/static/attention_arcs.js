// AttentionView's second part: the same weights as arcs, from the queries on the left to the keys on the right.

import { element, svg } from "./attention_colours.js";

const ARC_ROW = 19, ARC_GAP = 190, MOST_ARCS = 2000, MOST_ARC_TOKENS = 160;

// shown: what the map shows too: {queries, keys, row(query), T, S, scale, label(text)}. point and choose are the map's.
export function makeArcs(point, choose) {
  const root = element("div", "arcs"), scroller = element("div", "arcs-scroller");
  const note = element("div", "soft");
  root.append(element("div", "soft", "queries, left, read keys, right: a line as wide as its weight"), scroller, note);
  root.hidden = true;
  let shown, lines, names;

  function build(now) {
    shown = now;
    const { T, S, queries, keys, label } = shown;
    scroller.replaceChildren();
    note.textContent = "";
    if (Math.max(T, S) > MOST_ARC_TOKENS) {
      note.textContent = `${Math.max(T, S)} tokens: too many for arcs (at most ${MOST_ARC_TOKENS}); the map shows all.`;
      lines = names = null;
      return;
    }
    const height = ARC_ROW * Math.max(T, S);
    const picture = svg("svg", { width: ARC_GAP, height, viewBox: `0 0 ${ARC_GAP} ${height}`, "aria-hidden": "true" });
    lines = svg("g", {});
    picture.append(lines);
    names = { query: queries.map((text, i) => name(label(text), i, "query")), key: keys.map((text, i) => name(label(text), i, "key")) };
    const columns = ["query", "key"].map((axis) => {
      const column = element("div", `arc-names ${axis}`);
      column.append(...names[axis]);
      return column;
    });
    scroller.append(columns[0], picture, columns[1]);
  }

  function name(text, i, axis) {
    const made = element("div", "arc-name", text);
    made.title = text.slice(0, 200);
    const at = (query, key) => (axis === "query" ? { query: i, key } : { query, key: i });
    made.addEventListener("pointerenter", () => point(at(0, 0), axis));
    made.addEventListener("pointerleave", () => point(null, axis));
    made.addEventListener("click", () => choose(at(strongest(i, axis), strongest(i, axis))));
    return made;
  }

  // The key that query i reads most, or the query that reads key i most.
  function strongest(i, axis) {
    const { T, row } = shown;
    const weights = axis === "query" ? row(i) : Array.from({ length: T }, (_, query) => row(query)[i]);
    let best = 0;
    weights.forEach((weight, other) => { if (Math.abs(weight) > Math.abs(weights[best])) best = other; });
    return best;
  }

  // focus: {query} or {key}, whose lines stand out, or null; cell: {query, key}, the one line that is chosen.
  function draw(focus, cell) {
    if (!lines) return;
    const { T, row, scale } = shown, most = Math.max(Math.abs(scale.low), scale.high);
    const all = [];
    for (let query = 0; query < T; query++) {
      if (focus?.query !== undefined && focus.query !== query) continue;
      row(query).forEach((weight, key) => {
        if (Math.abs(weight) > 0.01 * most && (focus?.key === undefined || focus.key === key)) all.push({ query, key, weight });
      });
    }
    all.sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight)).splice(MOST_ARCS);
    const y = (i) => (i + 0.5) * ARC_ROW;
    lines.replaceChildren(...all.map(({ query, key, weight }) => {
      const share = Math.abs(weight) / most, isChosen = cell && cell.query === query && cell.key === key;
      const line = svg("path", {
        d: `M0,${y(query)}C${ARC_GAP / 2},${y(query)} ${ARC_GAP / 2},${y(key)} ${ARC_GAP},${y(key)}`,
        "stroke-width": (1 + 6 * share).toFixed(2), "stroke-opacity": (0.12 + 0.88 * share).toFixed(3),
        class: isChosen ? "arc chosen" : scale.low < 0 && weight < 0 ? "arc less" : "arc",
      });
      return line;
    }));
    names.query.forEach((one, i) => one.classList.toggle("hot", focus?.query === i || cell?.query === i));
    names.key.forEach((one, i) => one.classList.toggle("hot", focus?.key === i || cell?.key === i));
  }

  return { root, build, draw };
}

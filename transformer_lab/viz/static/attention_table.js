// The chosen head's numbers as a table, for whoever cannot see a map; filled only while it is open.

import { difference } from "./attention_numbers.js";
import { html } from "./kit.js";

const MOST_TABLE_CELLS = 4096, NAME = "the numbers as a table";

export function numberTable(parent, state) {
  const root = html(parent, "details", { class: "table" });
  html(root, "summary", {}, NAME);
  const box = html(root, "div", { class: "table-scroller", tabindex: 0, role: "group", "aria-label": NAME });
  function fill() {
    box.replaceChildren();
    if (root.open && state.isHere) fillTable(html(box, "table"), state);
  }
  root.addEventListener("toggle", fill);
  state.on("head", fill);
}

// All rows, or where that would be too many the selected query's.
function fillTable(table, state) {
  const { T, S, queries, keys, title, selection } = state;
  const rows = T * S <= MOST_TABLE_CELLS ? queries.map((_, i) => i) : [selection.query ?? 0];
  const write = state.signed ? difference(3) : (weight) => weight.toFixed(3);
  html(table, "caption", {}, title + (rows.length < T ? `: the row of query ${rows[0] + 1} of ${T}` : ""));
  const head = html(html(table, "thead"), "tr");
  for (const text of ["query \\ key", ...keys]) html(head, "th", { scope: "col" }, text.slice(0, 60));
  const body = html(table, "tbody");
  for (const i of rows) {
    const line = html(body, "tr");
    html(line, "th", { scope: "row" }, queries[i].slice(0, 60));
    state.row(i).forEach((weight) => html(line, "td", {}, write(weight)));
  }
}

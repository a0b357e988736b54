// What if: which heads and cells are switched off, and what that does to the model's predictions.

import { digits, headName } from "./attention_numbers.js";
import { button, html } from "./kit.js";

export function whatIf(parent, state) {
  const root = html(parent, "div", { class: "what-if" });
  html(root, "div", { class: "title" }, "What if");
  const drawButtons = switchButtons(root, state);
  const list = html(root, "ul"), outcome = html(root, "div", { class: "outcome", role: "status" });
  function draw() {
    drawButtons();
    list.replaceChildren();
    for (const one of offIn(state)) html(list, "li", {}, nameOf(one, state));
    outcome.replaceChildren();
    showOutcome(outcome, state);
  }
  state.on("selection", draw);
  state.on("off", draw);
}

// A head that is switched off is [part, layer, head], a cell that is closed [part, layer, head, query, key].
const offIn = (state) => state.get("switched_off");
const isSame = (one, other) => JSON.stringify(one) === JSON.stringify(other);
const isOff = (one, state) => offIn(state).some((other) => isSame(one, other));

function toggle(one, state) {
  const others = offIn(state).filter((other) => !isSame(one, other));
  state.set("switched_off", isOff(one, state) ? others : [...others, one]);
}

function nameOf([part, layer, head, query, key], { parts }) {
  const { queries, keys } = parts.find(({ name }) => name === part);
  const where = (parts.length > 1 ? `${part}, ` : "") + headName(layer, head);
  return query === undefined ? where : `${where}: \u2018${queries[query]}\u2019 reads \u2018${keys[key]}\u2019`;
}

// Gives what draws them.
function switchButtons(parent, state) {
  const root = html(parent, "div", { class: "what-if-buttons" });
  const selectedHead = () => [state.get("part"), state.selection.layer, state.selection.head];
  const selectedCell = () => [...selectedHead(), state.selection.query, state.selection.key];
  const head = button(root, "", () => toggle(selectedHead(), state));
  const cell = button(root, "", () => toggle(selectedCell(), state));
  const all = button(root, "switch everything on", () => state.set("switched_off", []));
  return () => {
    const none = state.selection.query === null;
    head.textContent = isOff(selectedHead(), state) ? "switch this head on" : "switch this head off";
    cell.textContent = !none && isOff(selectedCell(), state) ? "let the query read this key" : "close this cell";
    cell.disabled = none;
    cell.title = none ? "select a cell of the map first" : "";
    all.disabled = offIn(state).length === 0;
  };
}

function showOutcome(parent, state) {
  const outcome = state.get("_outcome"), { what, position, rows } = outcome, isChanged = offIn(state).length > 0;
  if (!what) return;
  const said = html(parent, "div");
  said.append(`${what}: `);
  html(said, "strong", {}, digits(outcome, "now"));
  if (isChanged) said.append(` (whole model: ${digits(outcome, "whole")})`);
  if (!rows.length) return;
  const table = html(parent, "table", { class: "predictions" }), head = html(html(table, "thead"), "tr");
  for (const text of [position, isChanged ? "whole" : "", isChanged ? "now" : "probability", ""])
    html(head, "th", { scope: "col" }, text);
  const body = html(table, "tbody");
  for (const row of rows) predictionRow(html(body, "tr"), row, isChanged);
}

function predictionRow(line, row, isChanged) {
  const { token, whole, now, wanted } = row;
  const name = html(line, "th", { scope: "row", class: wanted ? "wanted" : "" }, token);
  if (wanted) name.title = "what comes next in the text";
  html(line, "td", {}, isChanged ? digits(row, "whole") : "");
  html(line, "td", {}, digits(row, "now"));
  const bar = html(html(line, "td", { class: "bars" }), "div", { class: "bar" });
  html(bar, "div", { class: "after", style: `width: ${100 * now}%` });
  if (isChanged) html(bar, "div", { class: "before", style: `width: ${100 * whole}%` });
}

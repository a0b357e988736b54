// AttentionView's read-out: what the map says at one cell, in words; where there is a kernel, with its exact number.

import { distance } from "./attention_measures.js";
import { difference, few, many } from "./attention_numbers.js";
import { html } from "./kit.js";

const PAUSE = 40; // ms that the pointer rests before the kernel is asked

export function readout(parent, state) {
  const root = html(parent, "div", { class: "readout", role: "status", "aria-live": "polite" });
  let timer;

  function draw() {
    clearTimeout(timer);
    const { cell } = state;
    if (!cell) {
      root.replaceChildren();
      html(root, "span", { class: "soft" }, "Point at a cell to read its weight; click to select it. " +
        "By keyboard: Tab, arrow keys, Enter.");
      return;
    }
    if (!state.isHere) return;
    const exact = exactAt(state, cell);
    root.replaceChildren("query ", ...quoted(state, state.queries[cell.query]), " \u2192 key ",
      ...quoted(state, state.keys[cell.key]), ": ");
    html(root, "strong", {}, valueAt(state, cell));
    html(root, "br");
    html(root, "span", { class: "soft" }, about(state, cell, exact));
    const isAsked = !exact && isPlain(state) && state.model.send;
    if (isAsked) timer = setTimeout(() => state.model.send(question(state, cell)), PAUSE);
  }

  state.on("hot", draw);
  state.on("answer", draw);
  state.on("end", () => clearTimeout(timer));
}

// Whether what is shown is what the kernel has.
function isPlain({ firstKeyHidden, byNorm }) {
  return !firstKeyHidden && !byNorm;
}

function question(state, { query, key }) {
  const { layer, head } = state.selection;
  return { part: state.get("part"), step: state.get("step"), cell: [layer, head, query, key] };
}

// The kernel's last answer, if it is about this cell.
function exactAt(state, at) {
  const { part, step, cell } = question(state, at), { exact } = state;
  return exact && String(exact.cell) === String(cell) && exact.part === part && exact.step === step ? exact : null;
}

// The number at a cell as it is written, with the kernel's digits where they are here.
export function valueAt(state, { query, key }) {
  const exact = exactAt(state, { query, key }), value = state.row(query)[key], [short, long] = state.signed ? [difference(3), difference(6)] : [few, many];
  if (!isPlain(state)) return value.toFixed(3);
  return exact ? long(exact.value) : short(value);
}

function quoted(state, text) {
  const aloud = state.romanised(text), token = document.createElement("bdi");
  token.textContent = text;
  return ["\u2018", token, "\u2019", aloud === null ? "" : ` (${aloud})`];
}

function about(state, { query, key }, exact) {
  const which = state.hot ? "" : "selected \u00b7 ";
  const line = state.byKey ? aboutColumn(state, key) : aboutRow(state, query);
  return which + line + (isPlain(state) ? aboutScore(state, state.row(query), key, exact) : "");
}

function aboutRow(state, query) {
  const row = state.row(query);
  if (state.signed) return `this query's two attentions are ${distance(row, 1).toFixed(3)} apart`;
  const total = row.reduce((a, b) => a + b, 0).toFixed(2);
  if (state.byNorm) return `the norms of this query's weighted values add up to ${total}`;
  if (state.firstKeyHidden) return "without the first key: the other weights are scaled up to add up to 1";
  return `this query's weights add up to ${total}`;
}

// The weights of a column add up to nothing in particular: that is what one looks for.
function aboutColumn(state, key) {
  let total = 0;
  for (let query = 0; query < state.T; query++) total += state.row(query)[key];
  return `all ${state.T} queries together give this key ${state.signed ? difference(2)(total) : total.toFixed(2)}`;
}

// The score itself where the kernel knows it; elsewhere what the weights tell of it: softmax keeps differences.
function aboutScore({ signed, part, selection }, row, key, exact) {
  if (signed || row[key] === 0) return "";
  if (part.unscored.includes(selection.layer)) return " \u00b7 no score: no softmax made these weights";
  if (exact && exact.score !== null && exact.score !== undefined) return ` \u00b7 score ${difference(3)(exact.score)}`;
  const below = Math.log(row.reduce((a, b) => Math.max(a, b), 0) / row[key]);
  if (below < 0.005) return " \u00b7 the largest score of this query";
  return ` \u00b7 score ${below.toFixed(2)} below this query's largest`;
}

// The text that AttentionView's model has read: a token that is pointed at lights what it reads.

import { strongest } from "./attention_measures.js";
import { shareOf } from "./attention_scale.js";
import { clip } from "./attention_numbers.js";
import { html } from "./kit.js";

const MOST_LIGHT = 55; // per cent of the colour behind a token, on which its letters can still be read

export function readText(parent, state) {
  const root = html(parent, "div", { class: "texts" });
  let lines = [];
  state.on("shown", () => {
    const { queries, keys } = state, isSame = String(queries) === String(keys);
    root.replaceChildren();
    root.hidden = [queries, keys].every((tokens) => tokens.every((token, i) => token === String(i))); // no text is known
    lines = root.hidden ? [] : isSame ? [line(root, "text", ["query", "key"], queries, state)] :
      [line(root, "queries", ["query"], queries, state), line(root, "keys", ["key"], keys, state)];
  });
  state.on("hot", () => state.isHere && lines.forEach((draw) => draw()));
}

// A line of tokens, which are queries, keys or both; gives what lights them.
function line(parent, name, axes, tokens, state) {
  const box = html(parent, "div", { class: "text-line" }), [axis] = axes;
  html(box, "span", { class: "soft" }, name);
  const row = html(box, "div", {
    class: "tokens", role: "listbox", "aria-orientation": "horizontal",
    "aria-label": `${name}: a token lights ${axis === "query" ? "what it reads" : "who reads it"}`,
  });
  const cellOf = (i) => {
    const other = strongest(state, axis, i);
    return axis === "query" ? { query: i, key: other } : { query: other, key: i };
  };
  const nodes = tokens.map((token, i) => {
    const node = html(row, "span", { role: "option", tabindex: i ? -1 : 0, "aria-selected": "false" }, state.label(token));
    const point = () => state.isHere && state.point(cellOf(i), axis);
    node.addEventListener("pointerenter", point);
    node.addEventListener("pointerleave", () => state.point(null));
    node.addEventListener("focus", () => node.matches(":focus-visible") && point());
    node.addEventListener("blur", () => state.point(null));
    node.addEventListener("click", () => state.isHere && state.choose(cellOf(i)));
    node.addEventListener("keydown", (event) => onKey(event, i));
    return node;
  });

  function onKey(event, i) {
    const to = { ArrowLeft: i - 1, ArrowRight: i + 1, Home: 0, End: nodes.length - 1 }[event.key];
    if (to !== undefined) {
      nodes[i].tabIndex = -1;
      const next = nodes[clip(to, nodes.length - 1)];
      next.tabIndex = 0;
      next.focus();
    } else if (event.key === "Enter" || event.key === " ") state.choose(cellOf(i));
    else return;
    event.preventDefault();
  }

  return () => light(nodes, axes, state);
}

// The token that is spoken of is framed; those that it reads, or that read it, are lit as the map's colours are.
function light(nodes, axes, state) {
  const { cell, byKey, scale, signed } = state, spoken = byKey ? "key" : "query", other = byKey ? "query" : "key";
  nodes.forEach((node, i) => {
    const isSpoken = axes.includes(spoken) && cell?.[spoken] === i;
    const weight = cell && axes.includes(other) ? state.row(byKey ? i : cell.query)[byKey ? cell.key : i] : 0;
    const share = signed ? Math.abs(2 * shareOf(weight, scale) - 1) : shareOf(weight, scale);
    node.setAttribute("aria-selected", String(isSpoken));
    node.classList.toggle("less", signed && weight < 0);
    node.style.setProperty("--light", `${cell && weight ? Math.round(MOST_LIGHT * share) : 0}%`);
  });
}

// Beam search as a tree: a column for each step, and the texts at its ends with their scores.

import { choose, html, panel, set, signed, slider, svg } from "./kit.js";

const WIDE = 78, HIGH = 42, BOX = 66, LONGEST = 8; // pixels, and letters of a label
const MOST_TEXTS = 6;
const NUMBERS = ["tokens", "log-probability", "score"];

export function beamPanel(parent, model, write) {
  const section = panel(parent, "beam search", "", { class: "beams" }), about = section.querySelector("small");
  const controls = html(section, "div", { class: "controls" });
  const beams = slider(controls, "beams", { min: 1, max: 5 }, (value) => choose(model, { beams: value }), (value) => (
    value === 1 ? "1 (greedy)" : String(value)));
  const penalty = slider(controls, "length penalty", { min: -10, max: 20 }, (value) => choose(model, { length_penalty: value / 10 }), (value) => (
    signed(value / 10, 1)));
  for (const { input } of [beams, penalty]) input.disabled = !model.send; // to search again takes a kernel
  const scroll = html(section, "div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "the tree of beams" });
  const tree = svg(scroll, "svg", { role: "img" });
  const table = html(html(section, "div", { class: "texts" }), "table");
  return () => {
    const search = model.get("search");
    beams.draw(model.get("beams"));
    penalty.draw(Math.round(10 * model.get("length_penalty")));
    about.textContent = "each step keeps the texts with the highest sums of log-probabilities; score = sum / tokens ^ length penalty";
    drawTree(tree, search, model.get("written"), write);
    drawTexts(table, search, write);
  };
}

function drawTree(root, { nodes, texts }, written, write) {
  const rows = {}, places = nodes.map(({ step }) => ({ x: (step - 1) * WIDE, y: HIGH * (rows[step] = (rows[step] ?? -1) + 1) }));
  const width = WIDE * Math.max(...nodes.map(({ step }) => step)), height = HIGH * (1 + Math.max(...Object.values(rows)));
  root.replaceChildren();
  const best = texts.find(({ is_best }) => is_best);
  set(root, { viewBox: `0 0 ${width} ${height}`, width, height, "aria-label": `the search returns ${best ? write(best.text) : "nothing"}` });
  const isWritten = nodes.map(() => false);
  nodes.forEach(({ parent, id, step }, i) => (isWritten[i] = written[step - 1] === id && (parent < 0 ? step === 1 : isWritten[parent])));
  nodes.forEach((node, i) => node.parent >= 0 && edge(root, places[node.parent], places[i], node.is_best));
  nodes.forEach((node, i) => box(root, node, places[i], isWritten[i], write));
}

function edge(root, from, to, isBest) {
  const [x1, y1, x2, y2] = [from.x + BOX, from.y + HIGH / 2, to.x + 2, to.y + HIGH / 2], middle = (x1 + x2) / 2;
  svg(root, "path", { d: `M${x1} ${y1} C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`, class: isBest ? "edge best" : "edge" });
}

function box(root, { label, total, is_best, is_finished }, { x, y }, isWritten, write) {
  const names = ["node", is_best && "best", is_finished && "finished", isWritten && "now"].filter(Boolean);
  const group = svg(root, "g", { class: names.join(" ") }), name = write(label);
  svg(group, "title", {}, `${name}, sum ${signed(total, 2)}`);
  svg(group, "rect", { x: x + 2, y: y + 3, width: BOX - 2, height: HIGH - 6, rx: 4 });
  svg(group, "text", { x: x + BOX / 2 + 1, y: y + 17 }, [...name].length > LONGEST ? [...name].slice(0, LONGEST - 1).join("") + "…" : name);
  svg(group, "text", { x: x + BOX / 2 + 1, y: y + 32, class: "sum" }, signed(total, 2));
}

function drawTexts(table, { texts }, write) {
  table.replaceChildren();
  const head = html(html(table, "thead"), "tr"), body = html(table, "tbody");
  html(head, "th", { scope: "col", class: "text" }, "the texts at its ends");
  for (const name of NUMBERS) html(head, "th", { scope: "col" }, name);
  for (const { text, n, total, score, is_best, is_finished } of texts.slice(0, MOST_TEXTS)) {
    const line = html(body, "tr", { class: is_best ? "best" : "" });
    html(line, "th", { scope: "row", class: "text" }, `${is_best ? "→ " : ""}${write(text) || "(nothing)"}${is_finished ? "" : " …"}`);
    for (const shown of [n, signed(total, 2), signed(score, 2)]) html(line, "td", {}, String(shown));
  }
}

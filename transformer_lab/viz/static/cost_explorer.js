// Where parameters and FLOPs are: two stacked bars, their numbers, and each part's share over the length.
// Traits: widths, heads, lengths, vocabularies (what the controls offer); d_model, d_ff_ratio, T, n_layers, n_heads,
// gated, vocab_size.

import { html, svg, set, stage, panel, choose, watch, slider, menu, checkbox, button, speaker, keepLegible } from "./kit.js";

const PARTS = ["projections", "scores and mix", "feed-forward", "embedding and logits"];
const DASHES = ["2 4", "", "9 4", "9 3 2 3"];
const START = { d_model: 768, d_ff_ratio: 4, T: 1024, n_layers: 12, n_heads: 12, gated: false, vocab_size: 50257 };
const OWNERS = { 0: "none (blocks only)", 55: "55 (our dates)", 32000: "32,000 (Llama)", 50257: "50,257 (GPT-2)", 128256: "128,256 (Llama 3)" };
const [WIDE, HIGH, LEFT, LOW] = [420, 236, 56, 42]; // the chart, in its own units; LEFT and LOW hold the ticks
const LETTERS = ["", "K", "M", "G", "T", "P"];

// The formulas of model_cost in cost_explorer.py.
function modelCost({ d_model, d_ff, T, n_layers, gated, vocab_size }) {
  const parameters = [n_layers * 4 * d_model ** 2, 0, n_layers * (gated ? 3 : 2) * d_model * d_ff, vocab_size * d_model];
  const flops = parameters.map((weights) => 2 * T * weights);
  flops[1] = n_layers * 4 * T ** 2 * d_model;
  return { parameters, flops };
}

const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);

// Three digits and a letter, as `short` in Python.
function brief(size) {
  let step = 0;
  while (size >= 999.5 && step < LETTERS.length - 1) [size, step] = [size / 1000, step + 1];
  const digits = !step || size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
  return `${size.toFixed(digits)} ${LETTERS[step]}`.trim();
}

const plain = (number) => number.toLocaleString("en-GB");
const percent = (share) => (share > 0 && share < 0.0005 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`);

function nearest(values, wanted) {
  return values.reduce((best, value, i) => (Math.abs(value - wanted) < Math.abs(values[best] - wanted) ? i : best), 0);
}

// A slider over the positions of a list, which shows and sets the list's values.
function chooser(parent, text, values, change, write = plain) {
  const made = slider(parent, text, { min: 0, max: values.length - 1 }, (i) => change(values[i]), (i) => write(values[i]));
  return {
    draw(value) {
      const i = nearest(values, value);
      made.draw(i);
      if (values[i] !== value) made.shown.textContent = write(value); // set in Python, between two steps
    },
  };
}

function ratioText(ratio) {
  const thirds = Math.round(3 * ratio);
  if (Math.abs(3 * ratio - thirds) > 1e-6) return ratio.toFixed(2);
  return thirds % 3 ? `${thirds}/3` : String(thirds / 3);
}

function stackedBar(parent, name) {
  const row = html(parent, "div", { class: "row" });
  const label = html(row, "div", { class: "label" });
  html(label, "span", {}, name);
  const total = html(label, "strong");
  const bar = html(row, "div", { class: "bar", role: "img" });
  const pieces = PARTS.map((part, i) => html(bar, "div", { class: `piece p${i}`, title: part }));
  return (sizes) => {
    const all = sum(sizes);
    total.textContent = brief(all);
    sizes.forEach((size, i) => {
      pieces[i].style.width = `${(100 * size) / all}%`;
      pieces[i].textContent = size / all > 0.12 ? `${Math.round((100 * size) / all)} %` : "";
    });
    set(bar, { "aria-label": `${name}: ${PARTS.map((part, i) => `${part} ${percent(sizes[i] / all)}`).join(", ")}` });
  };
}

function chart(parent, lengths) {
  const root = svg(parent, "svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img" });
  keepLegible(root, WIDE);
  const [first, last] = [Math.log(lengths[0]), Math.log(lengths[lengths.length - 1])];
  const x = (T) => LEFT + ((WIDE - LEFT - 10) * (Math.log(T) - first)) / (last - first);
  const y = (share) => 10 + (HIGH - LOW - 10) * (1 - share);
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    svg(root, "line", { x1: LEFT, x2: WIDE - 10, y1: y(share), y2: y(share), stroke: "var(--line)" });
    svg(root, "text", { x: LEFT - 5, y: y(share) + 4, class: "tick end" }, `${100 * share} %`);
  }
  for (const T of [16, 128, 1024, 8192, 65536]) {
    svg(root, "line", { x1: x(T), x2: x(T), y1: y(0), y2: y(1), stroke: "var(--line)" });
    svg(root, "text", { x: x(T), y: y(0) + 17, class: "tick middle" }, plain(T));
  }
  svg(root, "text", { x: (LEFT + WIDE) / 2, y: HIGH - 4, class: "tick middle" }, "T (tokens)");
  const here = svg(root, "line", { y1: y(0), y2: y(1), stroke: "var(--ink)", "stroke-width": 1.5 });
  const lines = PARTS.map((_, i) => svg(root, "polyline", { class: `line p${i}`, "stroke-dasharray": DASHES[i] }));
  const dots = PARTS.map((_, i) => svg(root, "circle", { r: 4.5, class: `dot p${i}` }));
  return (sizes) => {
    const sharesAt = (T) => {
      const { flops } = modelCost({ ...sizes, T }), all = sum(flops);
      return flops.map((part) => part / all);
    };
    const shares = lengths.map(sharesAt), now = sharesAt(sizes.T);
    lines.forEach((line, i) => {
      set(line, { points: lengths.map((T, t) => `${x(T).toFixed(1)},${y(shares[t][i]).toFixed(1)}`).join(" ") });
      set(dots[i], { cx: x(sizes.T), cy: y(now[i]) });
    });
    set(here, { x1: x(sizes.T), x2: x(sizes.T) });
    set(root, { "aria-label": `share of the FLOPs at T = ${sizes.T}: ` +
      PARTS.map((part, i) => `${part} ${percent(now[i])}`).join(", ") });
  };
}

function render({ model, el }) {
  const root = stage(el, "tl-explorer tl-cost");
  const controls = html(root, "div", { class: "controls" });
  const change = (name) => (value) => choose(model, { [name]: value });
  const thirds = Array.from({ length: 22 }, (_, i) => (i + 3) / 3); // 1 to 8
  const drawn = [
    ["d_model", chooser(controls, "d_model", model.get("widths"), change("d_model"))],
    ["d_ff_ratio", chooser(controls, "d_ff / d_model", thirds, change("d_ff_ratio"), ratioText)],
    ["T", chooser(controls, "T (tokens)", model.get("lengths"), change("T"))],
    ["n_layers", slider(controls, "layers", { min: 1, max: 96 }, change("n_layers"))],
    ["n_heads", chooser(controls, "heads", model.get("heads"), change("n_heads"))],
  ];
  const vocabularies = menu(controls, "vocabulary", model.get("vocabularies").map((size) => [size, OWNERS[size] ?? plain(size)]),
    (value) => choose(model, { vocab_size: Number(value) }));
  const gate = checkbox(controls, "gated", change("gated"));
  button(controls, "reset", () => choose(model, START));

  const panels = html(root, "div", { class: "panels" });
  const left = panel(panels, "Where they are", "one pass over T tokens; 2 FLOPs for a multiply and an add");
  const bars = { parameters: stackedBar(left, "parameters"), flops: stackedBar(left, "FLOPs") };
  const table = html(left, "table");
  const head = html(html(table, "thead"), "tr");
  for (const name of ["part", "parameters", "share", "FLOPs", "share"]) html(head, "th", { scope: "col" }, name);
  const body = html(table, "tbody");
  const rows = PARTS.map((part, i) => {
    const row = html(body, "tr"), name = html(row, "th", { scope: "row" });
    html(name, "span", { class: `swatch p${i}` });
    name.append(part);
    return ["parameters", "share", "flops", "share"].map((kind) => html(row, "td", { class: kind }));
  });
  const right = panel(panels, "Share of the FLOPs over T", "the vertical line is your T");
  const draw_chart = chart(right, model.get("lengths"));
  const readOut = html(root, "div", { class: "read-out" });
  const say = speaker(root);

  function draw() {
    const sizes = Object.fromEntries(Object.keys(START).map((name) => [name, model.get(name)]));
    sizes.d_ff = Math.max(1, Math.floor(sizes.d_ff_ratio * sizes.d_model + 0.5));
    const cost = modelCost(sizes);
    for (const [name, control] of drawn) control.draw(sizes[name]);
    vocabularies.draw(sizes.vocab_size);
    gate.draw(sizes.gated);
    bars.parameters(cost.parameters);
    bars.flops(cost.flops);
    rows.forEach(([weights, part, flops, partOfFlops], i) => {
      weights.textContent = cost.parameters[i] ? brief(cost.parameters[i]) : "none";
      part.textContent = percent(cost.parameters[i] / sum(cost.parameters));
      flops.textContent = brief(cost.flops[i]);
      partOfFlops.textContent = percent(cost.flops[i] / sum(cost.flops));
    });
    draw_chart(sizes);
    const ratio = cost.flops[1] / cost.flops[2];
    const maps = sizes.n_layers * sizes.n_heads * sizes.T ** 2;
    readOut.textContent = "";
    readOut.append("Scores and mix cost ");
    html(readOut, "strong", { class: "ratio" }, `${ratio < 0.01 ? ratio.toPrecision(2) : ratio.toFixed(2)} ×`);
    readOut.append(` what the feed-forward layers cost (d_ff = ${plain(sizes.d_ff)}). `);
    readOut.append(`All attention maps together: ${brief(maps)} numbers (layers × heads × T²).`);
    say(readOut.textContent);
  }

  return watch(model, Object.keys(START), draw);
}

export default { render };

// Signal and gradient through a deep stack, on logarithmic axes.
// Traits: depth, skip, branch, norm.

import { html, svg, set, stage, panel, choose, watch, slider, menu, button, speaker, keepLegible } from "./kit.js";

const START = { depth: 32, skip: 1, branch: 0.5, norm: "none" };
const NORMS = [["none", "none"], ["pre", "pre-norm: skip·x + branch·F(norm(x))"], ["post", "post-norm: norm(skip·x + branch·F(x))"]];
const LIMIT = 30; // powers of ten on either side of 1 that are drawn
const ONE_PER_CENT = 0.01;
const [WIDE, HIGH] = [420, 250]; // a panel, in its own units
const FRAME = { left: 46, right: 12, top: 10, bottom: 42 };

// The formula of through_layers in depth_explorer.py.
function throughLayers({ depth, skip, branch, norm }) {
  const variance = [1], squares = [];
  for (let l = 0; l < depth; l++) {
    const x = variance[l], seen = norm === "pre" ? x : 1;
    const summed = skip ** 2 * x + (branch ** 2 * x) / seen;
    variance.push(norm === "post" ? 1 : summed);
    squares.push((skip ** 2 + branch ** 2 / seen) / (norm === "post" ? summed : 1));
  }
  const gradient = [1];
  let product = 1;
  for (const square of squares.reverse()) gradient.unshift(Math.sqrt((product *= square)));
  const own = norm === "post" ? skip / Math.hypot(skip, branch) : skip;
  return { variance, gradient, around: own ** depth };
}

// Powers of ten for an axis that holds the values, in steps of 3 so that it does not move with every touch.
function limits(values) {
  const powers = values.map((value) => Math.log10(Math.max(value, 10 ** -LIMIT)));
  const low = 3 * Math.floor(Math.min(...powers) / 3), high = 3 * Math.ceil(Math.max(...powers) / 3);
  return [Math.max(-LIMIT, Math.min(-3, low)), Math.min(LIMIT, Math.max(3, high))];
}

function power(n) {
  return "10" + String(n).replace("-", "⁻").replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]);
}

// Three digits, or a power of ten.
function show(value) {
  if (value === 0) return "0";
  if (value >= 1e-3 && value < 1e4) return String(Number(value.toPrecision(3)));
  const [digits, exponent] = value.toExponential(1).split("e");
  return `${digits}·${power(Number(exponent))}`;
}

function share(value) {
  return value > 1.005 ? `${show(value)} times` : `${show(100 * value)} %`;
}

// A chart of one line over the layers. `mark` is a level to draw across it.
function chart(parent, title, formula, kind, mark) {
  const section = panel(parent, title, formula);
  const root = svg(section, "svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", class: kind });
  keepLegible(root, WIDE);
  const grid = svg(root, "g");
  const level = mark && svg(root, "line", { class: "level", x1: FRAME.left, x2: WIDE - FRAME.right });
  const levelText = mark && svg(root, "text", { x: WIDE - FRAME.right, class: "tick end" }, "one per cent");
  const line = svg(root, "polyline", { class: "line" });
  const dots = svg(root, "g");

  return (values, label) => {
    const [low, high] = limits(mark ? [...values, mark] : values), depth = values.length - 1;
    const x = (layer) => FRAME.left + ((WIDE - FRAME.left - FRAME.right) * layer) / depth;
    const y = (value) => {
      const at = Math.min(high, Math.max(low, value > 0 ? Math.log10(value) : low));
      return FRAME.top + ((HIGH - FRAME.top - FRAME.bottom) * (high - at)) / (high - low);
    };
    root.setAttribute("aria-label", label);
    grid.replaceChildren();
    const step = [1, 2, 3, 5, 6, 10].find((size) => (high - low) / size <= 7);
    for (let n = Math.ceil(low / step) * step; n <= high; n += step) {
      const at = y(10 ** n);
      svg(grid, "line", { x1: FRAME.left, x2: WIDE - FRAME.right, y1: at, y2: at, class: n ? "rule" : "rule one" });
      svg(grid, "text", { x: FRAME.left - 6, y: at, class: "tick end" }, n ? power(n) : "1");
    }
    const every = [1, 2, 4, 8, 16].find((size) => depth / size <= 8);
    for (let layer = 0; layer <= depth; layer += every) {
      svg(grid, "line", { x1: x(layer), x2: x(layer), y1: FRAME.top, y2: HIGH - FRAME.bottom, class: "rule" });
      svg(grid, "text", { x: x(layer), y: HIGH - FRAME.bottom + 14, class: "tick middle" }, String(layer));
    }
    svg(grid, "text", { x: (FRAME.left + WIDE - FRAME.right) / 2, y: HIGH - 7, class: "tick middle" }, "layer");
    if (mark) {
      set(level, { y1: y(mark), y2: y(mark) });
      set(levelText, { y: y(mark) - 8 });
    }
    set(line, { points: values.map((value, layer) => `${x(layer).toFixed(1)},${y(value).toFixed(1)}`).join(" ") });
    dots.replaceChildren();
    values.forEach((value, layer) => svg(dots, "circle", { cx: x(layer), cy: y(value), r: depth > 40 ? 2 : 3 }));
    svg(dots, "circle", { cx: x(mark ? 0 : depth), cy: y(values[mark ? 0 : depth]), r: 6, class: "end" });
  };
}

function render({ model, el }) {
  const root = stage(el, "tl-explorer tl-depth");
  const controls = html(root, "div", { class: "controls" });
  const digits = (value) => value.toFixed(2);
  const sliders = {
    depth: slider(controls, "depth L", { min: 1, max: 64 }, (depth) => choose(model, { depth })),
    skip: slider(controls, "skip gain", { min: 0, max: 1.2, step: 0.01 }, (skip) => choose(model, { skip }), digits),
    branch: slider(controls, "branch gain", { min: 0.05, max: 1.2, step: 0.05 },
      (branch) => choose(model, { branch }), digits),
  };
  const norms = menu(controls, "norm", NORMS, (norm) => choose(model, { norm }));
  button(controls, "reset", () => choose(model, START));

  const panels = html(root, "div", { class: "panels" });
  const drawSignal = chart(panels, "Signal", "variance of x after each layer; it starts at 1", "signal", 0);
  const drawGradient = chart(panels, "Gradient", "its size at each layer, relative to the last: read from right to left",
    "gradient", ONE_PER_CENT);

  const readOut = html(root, "dl", { class: "read-out" });
  const numbers = {};
  for (const [name, text] of [["layer", "gain of one layer"], ["variance", "variance of x at the end"],
    ["gradient", "gradient that reaches layer 1"], ["around", "on the skips alone"]]) {
    const box = html(readOut, "div");
    html(box, "dt", {}, text);
    numbers[name] = html(box, "dd", { class: name });
  }
  const say = speaker(root);

  function draw() {
    const now = Object.fromEntries(Object.keys(START).map((name) => [name, model.get(name)]));
    const { variance, gradient, around } = throughLayers(now);
    for (const [name, control] of Object.entries(sliders)) control.draw(now[name]);
    norms.draw(now.norm);
    const last = variance[now.depth], gain = Math.hypot(now.skip, now.branch);
    numbers.layer.textContent = now.norm === "none" ? `√(${show(now.skip)}² + ${show(now.branch)}²) = ${show(gain)}`
      : now.norm === "pre" ? "approaches 1 as x grows" : "1, because of the norm";
    numbers.variance.textContent = show(last);
    numbers.gradient.textContent = share(gradient[0]) + (gradient[0] >= ONE_PER_CENT ? "  ✓" : "  less than 1 %");
    numbers.around.textContent = share(around);
    drawSignal(variance, `variance of x by layer, from 1 to ${show(last)}`);
    drawGradient(gradient, `gradient by layer: at layer 1 ${share(gradient[0])} of the last layer's`);
    say(`variance ${show(last)}; layer 1 gets ${share(gradient[0])}`);
  }

  return watch(model, Object.keys(START), draw);
}

export default { render };

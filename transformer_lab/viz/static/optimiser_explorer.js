// Four optimisers in a ravine. Traits: draws (the noise), rates and steepnesses (the sliders' stops), rate, beta, decay,
// noise, steepness, steps.

import { html, svg, set, stage, choose, watch, slider, button, speaker, keepLegible } from "./kit.js";

const START = { rate: 0.032, beta: 0.9, decay: 0.1, noise: 0, steepness: 50, steps: 60 };
const RULES = ["SGD", "momentum", "Adam", "AdamW"];
const LOWEST = [2, -0.6], BETA_2 = 0.99, EPS = 1e-8, FAR = 1e12, MOST_STEPS = 300;
const RINGS = [0.3, 2, 6, 15, 30]; // losses times 2
const VIEW = { left: -0.4, bottom: -1.4, width: 3.4, height: 1.6 }; // in weights
const [WIDE, HIGH] = [620, 180]; // the chart, in its own units
const FRAME = { left: 56, right: 20, top: 12, bottom: 42 }, LIMIT = 6; // powers of ten that are drawn, either side of 1

// The formulas of walk and bound in optimiser_explorer.py.
function walk(rule, { rate, beta, decay, noise, steepness, steps }, draws) {
  const curvature = [1, steepness], path = [[0, 0]], m = [0, 0], v = [0, 0];
  let w = [0, 0], left1 = 1, left2 = 1;
  for (const draw of draws.slice(0, steps)) {
    if (Math.max(...w.map(Math.abs)) <= FAR) {
      left1 *= beta;
      left2 *= BETA_2;
      w = w.map((weight, i) => {
        const g = curvature[i] * (weight - LOWEST[i]) + noise * draw[i];
        m[i] = beta * m[i] + (1 - beta) * g;
        v[i] = BETA_2 * v[i] + (1 - BETA_2) * g * g;
        const towards = rule === "SGD" ? g : rule === "momentum" ? m[i]
          : m[i] / (1 - left1) / (Math.sqrt(v[i] / (1 - left2)) + EPS);
        return (rule === "AdamW" ? weight * (1 - rate * decay) : weight) - rate * towards;
      });
    }
    path.push(w);
  }
  return path;
}

function boundOf(rule, { beta, steepness }) {
  return { SGD: 2 / steepness, momentum: (2 * (1 + beta)) / (1 - beta) / steepness }[rule];
}

const distanceOf = ([x, y]) => Math.hypot(x - LOWEST[0], y - LOWEST[1]);

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

// Where the rule diverges, and on which side of that the rate is.
function verdict(rule, now) {
  const bound = boundOf(rule, now);
  if (bound === undefined) return { text: "does not diverge at any rate: it divides the gradient by its own size", over: false };
  const over = now.rate > bound * (1 + 1e-9), at = !over && now.rate > bound * (1 - 1e-9);
  const state = over ? `diverges: the rate is above ${show(bound)}` : at ? `swings for ever: the rate is ${show(bound)}`
    : `diverges above a rate of ${show(bound)}`;
  return { text: state, over };
}

// One rule's walk between the ravine's contours, and what came of it.
function walkPanel(parent, rule, n) {
  const section = html(parent, "section", { class: `rule${n}` }), head = html(section, "h4");
  const key = svg(head, "svg", { viewBox: "0 0 30 10", class: "key", "aria-hidden": true });
  svg(key, "line", { x1: 0, x2: 30, y1: 5, y2: 5, class: "line" });
  head.append(rule);
  const { left, bottom, width, height } = VIEW;
  const picture = svg(section, "svg", { viewBox: `0 0 ${100 * width} ${100 * height}`, role: "img", class: "walk" });
  const plane = svg(picture, "g", { transform: `scale(100 -100) translate(${-left} ${-bottom - height})` });
  const rings = RINGS.map(() => svg(plane, "ellipse", { cx: LOWEST[0], cy: LOWEST[1], class: "ring" }));
  const [x, y] = LOWEST, star = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((i) => {
    const [r, angle] = [i % 2 ? 0.03 : 0.075, (Math.PI * (i + 2.5)) / 5];
    return `${x + r * Math.cos(angle)},${y + r * Math.sin(angle)}`;
  });
  const path = svg(plane, "polyline", { class: "path" }), dots = svg(plane, "g");
  svg(plane, "polygon", { points: star.join(" "), class: "star" });
  svg(plane, "circle", { cx: 0, cy: 0, r: 0.05, class: "start" });
  const end = svg(plane, "circle", { r: 0.045, class: "end" });
  const facts = html(section, "dl");
  const [away, furthest] = ["away at the end", "furthest away"].map((name) => {
    html(facts, "dt", {}, name);
    return html(facts, "dd");
  });
  const told = html(section, "p");

  return (points, distances, now) => {
    RINGS.forEach((level, i) => set(rings[i], { rx: Math.sqrt(level), ry: Math.sqrt(level / now.steepness) }));
    const shown = points.map((point) => point.map((value) => Math.min(1e4, Math.max(-1e4, value))));
    set(path, { points: shown.map((point) => point.map((value) => value.toFixed(5)).join(",")).join(" ") });
    dots.replaceChildren();
    if (shown.length < 121) for (const [cx, cy] of shown) svg(dots, "circle", { cx, cy, r: 0.018, class: "dot" });
    const [cx, cy] = shown.at(-1), last = show(distances.at(-1)), most = show(Math.max(...distances));
    set(end, { cx, cy });
    away.textContent = last;
    furthest.textContent = most;
    const { text, over } = verdict(rule, now);
    told.textContent = text;
    told.className = over ? "over" : "";
    set(picture, { "aria-label": `${rule}: ${last} from the lowest point after ${now.steps} steps, ${most} at most` });
  };
}

// Powers of ten for an axis that holds the values.
function limits(values) {
  const powers = values.map((value) => Math.log10(Math.max(value, 10 ** -LIMIT)));
  return [Math.max(-LIMIT, Math.min(-1, Math.floor(Math.min(...powers)))), Math.min(LIMIT, Math.max(1, Math.ceil(Math.max(...powers))))];
}

// The distances from the lowest point, step by step, on a logarithmic axis.
function chart(parent) {
  const section = html(parent, "section", { class: "chart" });
  html(section, "h4", {}, "Distance from the lowest point, step by step");
  const root = svg(section, "svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img" });
  keepLegible(root, WIDE);
  const grid = svg(root, "g");
  const lines = RULES.map((_, n) => svg(root, "polyline", { class: `line rule${n}` }));

  return (distances, steps) => {
    const [low, high] = limits(distances.flat()), right = WIDE - FRAME.right, floor = HIGH - FRAME.bottom;
    const x = (step) => FRAME.left + ((right - FRAME.left) * step) / steps;
    const y = (value) => {
      const at = Math.min(high, Math.max(low, value > 0 ? Math.log10(value) : low));
      return FRAME.top + ((floor - FRAME.top) * (high - at)) / (high - low);
    };
    grid.replaceChildren();
    const apart = high - low > 5 ? 2 : 1;
    for (let n = Math.ceil(low / apart) * apart; n <= high; n += apart) {
      svg(grid, "line", { x1: FRAME.left, x2: right, y1: y(10 ** n), y2: y(10 ** n), class: "grid" });
      svg(grid, "text", { x: FRAME.left - 6, y: y(10 ** n), class: "tick last" }, n ? power(n) : "1");
    }
    const every = [1, 2, 5, 10, 20, 50].find((size) => steps / size <= 8);
    for (let step = 0; step <= steps; step += every)
      svg(grid, "text", { x: x(step), y: floor + 14, class: "tick middle" }, String(step));
    svg(grid, "text", { x: (FRAME.left + right) / 2, y: HIGH - 7, class: "tick middle" }, "step");
    lines.forEach((line, n) => set(line, {
      points: distances[n].map((value, step) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`).join(" ") }));
    set(root, { "aria-label": `distance over ${steps} steps, from ${show(distances[0][0])} at the start to ` +
      RULES.map((rule, n) => `${show(distances[n].at(-1))} for ${rule}`).join(", ") });
  };
}

function render({ model, el }) {
  const draws = model.get("draws"), rates = model.get("rates"), steepnesses = model.get("steepnesses");
  const root = stage(el, "tl-explorer tl-optimiser");
  const about = html(root, "div", { class: "about" });
  const controls = html(root, "div", { class: "controls" });
  const nearest = (stops, value) => stops.reduce((best, stop, i) => (
    Math.abs(Math.log(stop / value)) < Math.abs(Math.log(stops[best] / value)) ? i : best), 0);
  const digits = (value) => value.toFixed(2);
  const among = (text, name, stops) => {
    const made = slider(controls, text, { min: 0, max: stops.length - 1 }, (i) => choose(model, { [name]: stops[i] }));
    return { draw(value) {
      made.draw(nearest(stops, value));
      made.shown.textContent = show(value);
      set(made.input, { "aria-valuetext": show(value) });
    } };
  };
  const plain = (text, name, range, write) => slider(controls, text, range, (value) => choose(model, { [name]: value }), write);
  const sliders = {
    rate: among("learning rate", "rate", rates),
    beta: plain("momentum, Adam: β", "beta", { min: 0, max: 0.99, step: 0.01 }, digits),
    decay: plain("AdamW: decay", "decay", { min: 0, max: 0.5, step: 0.05 }, digits),
    noise: plain("noise", "noise", { min: 0, max: 3, step: 0.25 }, digits),
    steepness: among("steepness across", "steepness", steepnesses),
    steps: plain("steps", "steps", { min: 1, max: MOST_STEPS }),
  };
  button(controls, "reset", () => choose(model, START));
  const panels = html(root, "div", { class: "panels" });
  const pairs = [0, 1].map(() => html(panels, "div", { class: "pair" }));
  const walks = RULES.map((rule, n) => walkPanel(pairs[Math.floor(n / 2)], rule, n)), drawChart = chart(root);
  const readOut = html(root, "div", { class: "read-out" }), say = speaker(root);

  function draw() {
    const now = Object.fromEntries(Object.keys(START).map((name) => [name, model.get(name)]));
    for (const [name, control] of Object.entries(sliders)) control.draw(now[name]);
    about.textContent = `The loss is ((x − 2)² + ${now.steepness} (y + 0.6)²) / 2. Every walk begins at x = y = 0 (ring); ` +
      "the star is the lowest point.";
    const paths = RULES.map((rule) => walk(rule, now, draws)), distances = paths.map((path) => path.map(distanceOf));
    walks.forEach((drawWalk, n) => drawWalk(paths[n], distances[n], now));
    drawChart(distances, now.steps);
    const ends = RULES.map((rule, n) => [rule, distances[n].at(-1)]).sort((a, b) => a[1] - b[1]);
    const steps = now.steps === 1 ? "1 step" : `${now.steps} steps`;
    readOut.textContent = `After ${steps} at a rate of ${show(now.rate)}, nearest first: ` +
      `${ends.map(([rule, distance]) => `${rule} ${show(distance)}`).join(", ")}.`;
    say(readOut.textContent);
  }
  return watch(model, Object.keys(START), draw);
}

export default { render };

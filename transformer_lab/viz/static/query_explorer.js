// One query among five keys: drag the query, see the weights, see the output move inside the hull of the values.
// Traits: key_points and value_points (five each), reach, query, temperature.

import { html, svg, set, signed, stage, panel, choose, watch, slider, button, speaker } from "./kit.js";

const START = { query: [1.2, -0.8], temperature: 1 };
const COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00"];
const SIZE = 260; // side of the square drawings, in their own units
const MARGIN = 1.16; // room for the handle's ring where the query may go no further
const STEP = 0.05; // the query snaps to this grid, so that a mouse can hit a point exactly

// The formula of attend_to in query_explorer.py.
function attendTo(query, keys, values, temperature) {
  const scores = keys.map((key) => key[0] * query[0] + key[1] * query[1]);
  const highest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp((score - highest) / (temperature * Math.sqrt(query.length))));
  const sum = powers.reduce((a, b) => a + b);
  const weights = powers.map((power) => power / sum);
  const output = [0, 1].map((axis) => weights.reduce((total, weight, i) => total + weight * values[i][axis], 0));
  return { scores, weights, output };
}

// A square drawing of the plane from -reach to reach, with its grid; `at` turns a point into drawing units.
function plane(parent, reach, label) {
  const at = ([x, y]) => [(SIZE / 2) * (1 + x / reach), (SIZE / 2) * (1 - y / reach)];
  const root = svg(parent, "svg", { viewBox: `0 0 ${SIZE} ${SIZE}`, role: "group", "aria-label": label });
  const every = Math.ceil(reach / 4);
  for (let tick = -Math.floor(reach / every) * every; tick < reach; tick += every) {
    const [x, y] = at([tick, tick]);
    const stroke = { stroke: tick ? "var(--line)" : "var(--soft)", "stroke-width": tick ? 1 : 1.2 };
    svg(root, "line", { x1: x, x2: x, y1: 0, y2: SIZE, ...stroke });
    svg(root, "line", { x1: 0, x2: SIZE, y1: y, y2: y, ...stroke });
    if (!tick || Math.abs(tick) > 0.85 * reach) continue; // the corners stay free
    svg(root, "text", { x, y: SIZE - 8, class: "tick" }, signed(tick));
    svg(root, "text", { x: 11, y, class: "tick" }, signed(tick));
  }
  return { root, at };
}

// The hull of some points is the union of all their triangles: first their edges, then their insides on top.
function shadeHull(root, points) {
  const hull = svg(root, "g", { class: "hull" });
  root.prepend(hull); // below the grid
  for (const layer of ["edge", "inside"])
    for (let a = 0; a < points.length; a++)
      for (let b = 0; b < a; b++)
        for (let c = 0; c < b; c++)
          svg(hull, "path", { d: `M${points[a]}L${points[b]}L${points[c]}Z`, class: layer });
}

// An arrow from the origin to `tip`, both in drawing units.
function arrowPath([x0, y0], [x, y]) {
  const length = Math.hypot(x - x0, y - y0) || 1;
  const [u, v] = [(x - x0) / length, (y - y0) / length];
  const side = (sign) => `${x - 9 * u + sign * 4.5 * v},${y - 9 * v - sign * 4.5 * u}`;
  return `M${x0},${y0}L${x},${y}M${side(1)}L${x},${y}L${side(-1)}`;
}

// Where to write the label of `point`: beyond it, seen from `centre`.
function beyond([x0, y0], [x, y], distance) {
  const length = Math.hypot(x - x0, y - y0) || 1;
  return { x: x + (distance * (x - x0)) / length, y: y + (distance * (y - y0)) / length };
}

function render({ model, el }) {
  const keys = model.get("key_points"), values = model.get("value_points"), reach = model.get("reach");
  const width = Math.max(...values.flat().map(Math.abs)) || 1;
  const midpoint = [0, 1].map((axis) => (values[0][axis] + values[1][axis]) / 2);
  const near = 0.01 * Math.hypot(values[0][0] - values[1][0], values[0][1] - values[1][1]);

  const root = stage(el, "tl-explorer tl-query");
  const panels = html(root, "div", { class: "panels" });

  // 1: keys and the query
  const left = panel(panels, "1 Keys and your query", "drag q, or focus it and use the arrow keys");
  const { root: field, at } = plane(left, reach * MARGIN, "keys and the query");
  field.classList.add("plane");
  const origin = at([0, 0]);
  keys.forEach((key, i) => {
    svg(field, "path", { d: arrowPath(origin, at(key)), stroke: COLOURS[i], "stroke-width": 3, fill: "none" });
    svg(field, "text", beyond(origin, at(key), 13), `k${i + 1}`);
  });
  const queryArrow = svg(field, "path", { stroke: "var(--ink)", "stroke-width": 2, fill: "none" });
  const handle = svg(field, "g", { class: "handle", tabindex: 0, role: "slider", "aria-label": "query q",
    "aria-roledescription": "point in the plane", "aria-valuemin": -reach, "aria-valuemax": reach });
  svg(handle, "circle", { r: 18, class: "ring" });
  svg(handle, "circle", { r: 10, fill: "var(--ink)", stroke: "var(--paper)", "stroke-width": 2 });
  svg(handle, "text", { style: "fill: var(--paper); stroke: none; font-weight: 700" }, "q");

  // 2: the weights
  const middle = panel(panels, "2 Weights", "softmax(q·k / (temperature · √2))");
  const table = html(middle, "table");
  const head = html(html(table, "thead"), "tr");
  for (const [name, attributes] of [["key", { style: "text-align: left" }], ["q·k", {}], ["weight", { colspan: 2 }]])
    html(head, "th", { scope: "col", ...attributes }, name);
  const body = html(table, "tbody");
  const rows = keys.map((_, i) => {
    const row = html(body, "tr");
    html(row, "th", { scope: "row" }, `k${i + 1}`);
    const score = html(row, "td");
    const track = html(html(row, "td", { class: "bar" }), "div");
    const bar = html(track, "div", { style: `background: ${COLOURS[i]}` });
    return { score, bar, weight: html(row, "td", { class: "weight" }) };
  });
  const foot = html(html(table, "tfoot"), "tr");
  html(foot, "td", { colspan: 3 }, "sum of the weights");
  const sum = html(foot, "td", { class: "sum" });

  // 3: the values and the output
  const right = panel(panels, "3 Values and the output", "◆ = sum of weight · value; shaded: the hull");
  const { root: space, at: place } = plane(right, width * 1.3, "values and the output");
  shadeHull(space, values.map(place));
  const trail = svg(space, "polyline", { fill: "none", stroke: "var(--ink)", "stroke-opacity": 0.35 });
  const pulls = values.map((_, i) => svg(space, "line", { stroke: COLOURS[i], "stroke-linecap": "round" }));
  const dots = values.map((value, i) => {
    const [cx, cy] = place(value);
    return svg(space, "circle", { cx, cy, fill: COLOURS[i], stroke: "var(--paper)", "stroke-width": 1 });
  });
  const names = values.map((_, i) => svg(space, "text", {}, `v${i + 1}`));
  const [mx, my] = place(midpoint);
  const goal = svg(space, "g", { transform: `translate(${mx} ${my})` });
  svg(goal, "circle", { r: 10, class: "goal" });
  svg(goal, "title", {}, "the midpoint of v1 and v2");
  const goalText = svg(goal, "text", { y: -19 });
  const dot = svg(space, "path", { d: "M0,-7L7,0L0,7L-7,0Z", class: "output" });

  const controls = html(root, "div", { class: "controls" });
  const temperatures = slider(controls, "temperature", { min: -1.3, max: 1, step: 0.02 }, (power) => {
    const digits = power < -1 ? 2 : 3; // 10 ** -1.3 is shown, and meant, as 0.05
    choose(model, { temperature: Number((10 ** power).toPrecision(digits)) });
  }, (power) => String(Number((10 ** power).toPrecision(3))));
  button(controls, "reset", () => {
    choose(model, START);
    path = [];
    draw();
  });
  const readOut = html(root, "div", { class: "read-out" });
  const position = html(readOut, "span");
  const verdict = html(readOut, "strong");
  const say = speaker(root);

  let path = [];

  function draw() {
    const query = model.get("query"), temperature = model.get("temperature");
    const { scores, weights, output } = attendTo(query, keys, values, temperature);
    const [qx, qy] = at(query), [ox, oy] = place(output);
    set(queryArrow, { d: `M${origin}L${qx},${qy}` });
    set(handle, { transform: `translate(${qx} ${qy})`, "aria-valuenow": query[0], "aria-valuetext": point(query) });
    rows.forEach(({ score, bar, weight }, i) => {
      score.textContent = signed(scores[i], 2);
      bar.style.width = `${100 * weights[i]}%`;
      weight.textContent = weights[i].toFixed(3);
    });
    sum.textContent = weights.reduce((a, b) => a + b).toFixed(3);
    weights.forEach((weight, i) => {
      const [x, y] = place(values[i]), radius = 4 + 11 * Math.sqrt(weight);
      set(dots[i], { r: radius, "fill-opacity": 0.6 + 0.4 * weight });
      set(pulls[i], { x1: x, y1: y, x2: ox, y2: oy, "stroke-width": 8 * weight });
      set(names[i], beyond(origin, [x, y], radius + 10));
    });
    set(dot, { transform: `translate(${ox} ${oy})` });
    path = [...path.slice(-400), `${ox.toFixed(1)},${oy.toFixed(1)}`];
    set(trail, { points: path.join(" ") });

    const distance = Math.hypot(output[0] - midpoint[0], output[1] - midpoint[1]);
    const reached = distance <= near;
    goalText.textContent = reached ? "✓ midway" : "midpoint";
    position.textContent = `q = ${point(query)}; output = ${point(output)}; ` +
      `distance to the midpoint of v1 and v2: ${distance.toFixed(distance < 0.1 ? 3 : 2)}`;
    verdict.textContent = reached ? "  ✓ within 1 % of |v1 − v2|" : "";
    temperatures.draw(Math.log10(temperature));
    say(readOut.textContent);
  }

  function point([x, y]) {
    return `(${signed(x, 2)}, ${signed(y, 2)})`;
  }

  function moveTo(query) {
    const snap = (x) => Number((Math.round(Math.min(reach, Math.max(-reach, x)) / STEP) * STEP).toFixed(2));
    choose(model, { query: query.map(snap) });
  }

  function follow(event) {
    const box = field.getBoundingClientRect(), span = reach * MARGIN;
    const [right, down] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    moveTo([span * (2 * right - 1), span * (1 - 2 * down)]);
  }

  let dragging = null; // the id of the pointer that holds the query
  field.addEventListener("pointerdown", (event) => {
    const scrolls = event.pointerType === "touch" && !handle.contains(event.target);
    if (event.button || scrolls) return;
    event.preventDefault();
    dragging = event.pointerId;
    field.setPointerCapture(dragging);
    handle.focus({ preventScroll: true });
    follow(event);
  });
  field.addEventListener("pointermove", (event) => event.pointerId === dragging && follow(event));
  field.addEventListener("lostpointercapture", () => { dragging = null; });
  handle.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!move) return;
    event.preventDefault();
    const step = event.shiftKey ? 10 * STEP : STEP;
    moveTo(model.get("query").map((x, axis) => x + step * move[axis]));
  });
  return watch(model, ["query", "temperature"], draw);
}

export default { render };

// A cube of numbers: change one input, see which outputs move when the mean and the spread are taken over these axes.
// Traits: cube (samples, positions, features), over, cell, value.

import { html, svg, set, signed, stage, panel, choose, watch, slider, menu, button, speaker } from "./kit.js";

const START = { over: "batch", cell: [1, 2, 1], value: 3 };
const AXES = { features: [2], time: [1], batch: [0], "batch and time": [0, 1], "time and features": [1, 2] };
const CALLED = {
  features: "layer norm", time: "each feature over time", batch: "each position over the batch",
  "batch and time": "batch norm", "time and features": "a whole sequence at once",
};
const EPS = 1e-5, LOWEST = -4, HIGHEST = 4, MOVED = 1e-6;
const WIDE = 44, HIGH = 26, GAP = 24; // a cell, and the gap above a slice, in drawing units
const PER_STEP = 8; // pixels to drag up for 0.1 more

// The group that each cell belongs to: cells with the same key share a mean and a standard deviation.
function groupOf(place, over) {
  return place.map((i, axis) => (AXES[over].includes(axis) ? "*" : i)).join(",");
}

// The formula of normalise in norm_explorer.py. cells: [[place, number], ...], the output in the same order.
function normalise(cells, over) {
  const groups = new Map();
  for (const [place, number] of cells) {
    const key = groupOf(place, over);
    groups.set(key, [...(groups.get(key) ?? []), number]);
  }
  const statistics = new Map();
  for (const [key, numbers] of groups) {
    const mean = numbers.reduce((a, b) => a + b) / numbers.length;
    const variance = numbers.reduce((total, number) => total + (number - mean) ** 2, 0) / numbers.length;
    statistics.set(key, { mean, variance, n: numbers.length });
  }
  const output = cells.map(([place, number]) => {
    const { mean, variance } = statistics.get(groupOf(place, over));
    return (number - mean) / Math.sqrt(variance + EPS);
  });
  return { output, statistics };
}

function render({ model, el }) {
  const cube = model.get("cube");
  const sizes = [cube.length, cube[0].length, cube[0][0].length], [B, T, D] = sizes;
  const places = cube.flatMap((rows, b) => rows.flatMap((row, t) => row.map((_, d) => [b, t, d])));
  const numberOf = ([b, t, d]) => cube[b][t][d];
  const at = ([b, t, d]) => [40 + d * WIDE, GAP + b * (T * HIGH + GAP) + t * HIGH];

  const root = stage(el, "tl-explorer tl-norm");
  const controls = html(root, "div", { class: "controls" });
  const axes = menu(controls, "averaged over", Object.keys(AXES), (over) => choose(model, { over }));
  const called = html(controls, "span", { class: "called" });
  const values = slider(controls, "chosen number", { min: LOWEST, max: HIGHEST, step: 0.1 },
    (value) => choose(model, { value }), (value) => signed(value, 1));
  button(controls, "reset", () => choose(model, START));
  const panels = html(root, "div", { class: "panels" });

  // One square per number, the samples below one another. Gives [shape, text] of each.
  function drawing(title, formula, label) {
    const section = panel(panels, title, formula);
    const [width, height] = [40 + D * WIDE + 2, B * (T * HIGH + GAP) + 4];
    const picture = svg(section, "svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": label });
    for (let b = 0; b < B; b++) {
      const [x, y] = at([b, 0, 0]);
      svg(picture, "text", { x, y: y - 6, class: "slice" }, `sample ${b}`);
      for (let t = 0; t < T; t++) svg(picture, "text", { x: x - 8, y: y + t * HIGH + 17, class: "row" }, `t ${t}`);
    }
    const cells = places.map((place) => {
      const [x, y] = at(place);
      const group = svg(picture, "g", { transform: `translate(${x} ${y})` });
      const shape = svg(group, "rect", { x: 1, y: 1, width: WIDE - 2, height: HIGH - 2, rx: 2 });
      return { group, shape, text: svg(group, "text", { x: WIDE / 2, y: 17 }) };
    });
    return { picture, cells };
  }

  const left = drawing("1 The input x", "click a number; drag it up or down", "the input");
  const right = drawing("2 The output", "(x − mean) / √(variance + ε); what moved is lit", "the output");
  set(left.picture, { tabindex: 0, role: "slider", "aria-label": "chosen number", "aria-valuemin": 0,
    "aria-valuemax": places.length - 1, "aria-roledescription": "cell of the cube" });
  left.picture.classList.add("field");

  const third = panel(panels, "3 What moved", "against the output before the change", { class: "facts" });
  const table = html(third, "table");
  const body = html(table, "tbody");
  const facts = ["in the same position", "at other positions of the sample", "in other samples", "of all"].map((name) => {
    const row = html(body, "tr");
    html(row, "th", { scope: "row" }, name);
    return html(row, "td");
  });
  html(third, "h4", { class: "second" }, "The number's group");
  const second = html(html(third, "table"), "tbody");
  const group = ["numbers in it", "mean", "standard deviation", "groups in the cube"].map((name) => {
    const row = html(second, "tr");
    html(row, "th", { scope: "row" }, name);
    return html(row, "td");
  });
  html(third, "p", {}, "Dashed in the input: the numbers that share its mean and spread.");

  const readOut = html(root, "div", { class: "read-out" });
  const say = speaker(root);

  function draw() {
    const over = model.get("over"), cell = model.get("cell"), value = model.get("value");
    const isCell = (place) => place.every((i, axis) => i === cell[axis]);
    const before = normalise(places.map((place) => [place, numberOf(place)]), over).output;
    const inputs = places.map((place) => [place, isCell(place) ? value : numberOf(place)]);
    const { output, statistics } = normalise(inputs, over);
    const moved = output.map((number, i) => Math.abs(number - before[i]) > MOVED);
    places.forEach((place, i) => {
      const shares = groupOf(place, over) === groupOf(cell, over);
      left.cells[i].group.setAttribute("class", `cell${shares ? " shares" : ""}${isCell(place) ? " chosen" : ""}`);
      left.cells[i].text.textContent = signed(inputs[i][1], 1);
      right.cells[i].group.setAttribute("class", `cell${moved[i] ? " moved" : ""}`);
      right.cells[i].text.textContent = signed(output[i], 2);
    });
    const count = (wanted) => places.filter((place, i) => moved[i] && wanted(place)).length;
    const counts = [
      count(([b, t]) => b === cell[0] && t === cell[1]), count(([b, t]) => b === cell[0] && t !== cell[1]),
      count(([b]) => b !== cell[0]), count(() => true),
    ];
    const possible = [D, (T - 1) * D, (B - 1) * T * D, places.length];
    facts.forEach((fact, i) => {
      fact.textContent = `${counts[i]} of ${possible[i]}`;
      fact.className = counts[i] ? "some" : "";
    });
    const { mean, variance, n } = statistics.get(groupOf(cell, over));
    [n, signed(mean, 3), Math.sqrt(variance).toFixed(3), statistics.size].forEach((text, i) => {
      group[i].textContent = text;
    });
    called.textContent = `= ${CALLED[over]}`;
    axes.draw(over);
    values.draw(value);
    const where = `sample ${cell[0]}, position ${cell[1]}, feature ${cell[2]}`;
    set(left.picture, { "aria-valuenow": (cell[0] * T + cell[1]) * D + cell[2],
      "aria-valuetext": `${where}: ${signed(value, 1)}` });
    readOut.textContent = `x at ${where} was ${signed(numberOf(cell), 1)}, is ${signed(value, 1)}. Over ${over}: ` +
      `${counts[3]} outputs moved, ${counts[1]} of them at other positions, ${counts[2]} in other samples.`;
    say(readOut.textContent);
  }

  // Another cell starts from its own number; the one left goes back to what it was.
  function select(cell) {
    if (cell.every((i, axis) => i === model.get("cell")[axis])) return;
    choose(model, { cell, value: numberOf(cell) });
  }

  function setValue(value) {
    choose(model, { value: Number(Math.min(HIGHEST, Math.max(LOWEST, value)).toFixed(1)) });
  }

  let drag = null; // { id, y, value }: the pointer that holds a number, where and from what it started
  left.cells.forEach(({ group }, i) => group.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    select(places[i]);
    if (event.pointerType === "touch") return; // a finger scrolls; the slider is below
    event.preventDefault();
    left.picture.focus({ preventScroll: true });
    drag = { id: event.pointerId, y: event.clientY, value: model.get("value") };
    left.picture.setPointerCapture(event.pointerId);
  }));
  left.picture.addEventListener("pointermove", (event) => {
    if (drag?.id === event.pointerId) setValue(drag.value + Math.round((drag.y - event.clientY) / PER_STEP) / 10);
  });
  left.picture.addEventListener("lostpointercapture", () => { drag = null; });
  left.picture.addEventListener("keydown", (event) => {
    const step = { "+": 0.1, "=": 0.1, "-": -0.1, PageUp: 1, PageDown: -1 }[event.key];
    if (step) setValue(model.get("value") + step);
    const move = { ArrowLeft: [2, -1], ArrowRight: [2, 1], ArrowUp: [1, -1], ArrowDown: [1, 1] }[event.key];
    if (!step && !move) return;
    event.preventDefault();
    if (!move) return;
    const [axis, by] = move, [b, t, d] = model.get("cell");
    if (axis === 2) return select([b, t, Math.min(D - 1, Math.max(0, d + by))]);
    const row = Math.min(B * T - 1, Math.max(0, b * T + t + by)); // down from a sample's last row: into the next
    select([Math.floor(row / T), row % T, d]);
  });
  return watch(model, ["over", "cell", "value"], draw);
}

export default { render };

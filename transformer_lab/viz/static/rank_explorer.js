// The change of a weight matrix and what a low rank keeps of it. Traits: matrices (see record in rank_explorer.py), name,
// rank.

import { choose, html, keepLegible, menu, once, panel, set, slider, speaker, stage, svg, watch } from "./kit.js";

const [WIDE, HIGH] = [420, 230]; // a chart, in its own units
const FRAME = { left: 60, right: 14, top: 10, bottom: 42 };
const LINES = { change: "the change", weight: "the matrix before", random: "a random matrix" };
const PLUS = [224, 105, 10], MINUS = [20, 130, 205]; // the colours of positive and of negative cells

const counted = (n) => n.toLocaleString("en");

// A share in per cent; what is not quite everything is not called 100.
function percent(share) {
  return share > 0.9995 && share < 1 ? ">99.9 %" : share < 0.0005 && share > 0 ? "<0.1 %" : `${(100 * share).toFixed(1)} %`;
}

// Lines over the rank, on an axis that doubles. Gives draw(lines, matrix, rank, label).
function chart(parent, title, about, write) {
  const section = panel(parent, title, about, { class: "chart" });
  const root = svg(section, "svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img" });
  keepLegible(root, WIDE);
  const right = WIDE - FRAME.right, floor = HIGH - FRAME.bottom;
  const grid = svg(root, "g"), mark = svg(root, "line", { class: "mark", y1: FRAME.top, y2: floor }), drawn = svg(root, "g");

  return (lines, { stops }, at, label) => {
    const most = Math.max(1, ...Object.values(lines).flat()), last = Math.log2(stops.at(-1)) || 1;
    const x = (rank) => FRAME.left + ((right - FRAME.left) * Math.log2(rank)) / last;
    const y = (value) => floor - ((floor - FRAME.top) * value) / most;
    grid.replaceChildren();
    for (const value of [0, 0.25, 0.5, 0.75, 1]) {
      svg(grid, "line", { x1: FRAME.left, x2: right, y1: y(value), y2: y(value), class: "rule" });
      svg(grid, "text", { x: FRAME.left - 6, y: y(value), class: "tick end" }, write(value));
    }
    const every = last > 7 ? 4 : 2; // each second or fourth rank
    for (let rank = 1; rank <= stops.at(-1); rank *= every)
      svg(grid, "text", { x: x(rank), y: floor + 14, class: "tick middle" }, String(rank));
    svg(grid, "text", { x: (FRAME.left + right) / 2, y: HIGH - 7, class: "tick middle" }, "rank");
    set(mark, { x1: x(stops[at]), x2: x(stops[at]) });
    drawn.replaceChildren();
    for (const [name, values] of Object.entries(lines)) {
      const points = values.map((value, i) => `${x(stops[i]).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
      svg(drawn, "polyline", { points, class: `line ${name}` });
      if (name === "change") svg(drawn, "circle", { cx: x(stops[at]), cy: y(values[at]), r: 5 });
    }
    set(root, { "aria-label": label });
  };
}

// Cells as squares, orange above zero and blue below, the stronger the further; zero is the paper.
function picture(parent, title) {
  const section = panel(parent, title, "", { class: "picture" });
  const canvas = html(section, "canvas", { role: "img" });
  return (cells, { rows, columns }, label, about) => {
    Object.assign(canvas, { width: columns, height: rows });
    const image = new ImageData(columns, rows);
    cells.forEach((cell, i) => image.data.set([...(cell > 0 ? PLUS : MINUS), Math.min(255, 2 * Math.abs(cell))], 4 * i));
    canvas.getContext("2d").putImageData(image, 0, 0);
    set(canvas, { "aria-label": label });
    section.querySelector("small").textContent = about;
  };
}

// The drawn cells of a matrix at a stop of the slider; behind the last stop, of the change itself.
function cellsAt({ pictures, rows, columns }, at) {
  const bytes = Uint8Array.from(atob(pictures), (char) => char.charCodeAt(0));
  return [...new Int8Array(bytes.buffer, at * rows * columns, rows * columns)];
}

function legend(parent) {
  const list = html(parent, "div", { class: "legend" });
  for (const [name, text] of Object.entries(LINES)) {
    const one = html(list, "span", { class: name }), key = svg(one, "svg", { viewBox: "0 0 30 10", "aria-hidden": true });
    svg(key, "line", { x1: 0, x2: 30, y1: 5, y2: 5, class: `line ${name}` });
    one.append(text);
  }
  return list;
}

// What the lines say in numbers, and what two factors of the rank cost. Gives draw(matrix, at).
function facts(parent) {
  const section = panel(parent, "In numbers", "energy kept, and the rank that keeps 90 % of it", { class: "facts" });
  const table = html(section, "table"), head = html(html(table, "thead"), "tr");
  for (const text of ["", "kept by r", "90 % needs"]) html(head, text ? "th" : "td", text ? { scope: "col" } : {}, text);
  const body = html(table, "tbody"), list = html(section, "dl");
  const [low, full, size] = ["numbers in two factors", "numbers in the matrix", "norm of the change"].map((name) => {
    html(list, "dt", {}, name);
    return html(list, "dd");
  });
  return ({ stops, shape: [d_out, d_in], kept, needed, size: share }, at) => {
    body.replaceChildren();
    for (const [name, values] of Object.entries(kept)) {
      const row = html(body, "tr", { class: name });
      html(row, "th", { scope: "row" }, LINES[name]);
      html(row, "td", { class: "kept" }, percent(values[at]));
      html(row, "td", { class: "needed" }, `rank ${counted(needed[name])}`);
    }
    const few = stops[at] * (d_out + d_in), many = d_out * d_in;
    low.textContent = `${counted(stops[at])} · (${counted(d_in)} + ${counted(d_out)}) = ${counted(few)}`;
    full.textContent = `${counted(d_in)} · ${counted(d_out)} = ${counted(many)}; the factors: ${percent(few / many)}`;
    size.textContent = kept.weight ? `${percent(share)} of the matrix's` : "the matrix before is 0";
  };
}

function render({ model, el }) {
  const matrices = model.get("matrices"), shown = () => matrices.find(({ name }) => name === model.get("name"));
  const root = stage(el, "tl-explorer tl-rank");
  const controls = html(root, "div", { class: "controls" });
  const names = matrices.length > 1 && menu(controls, "matrix", matrices.map(({ name }) => name), (name) => choose(model, { name }));
  const ranks = slider(controls, "rank r", { min: 0, max: 1 }, (i) => choose(model, { rank: shown().stops[i] }));
  const keys = legend(root);
  const charts = html(root, "div", { class: "panels" });
  const drawValues = chart(charts, "Singular values", "the change's largest is 1; the random matrix is as large",
    (value) => value.toFixed(2));
  const drawKept = chart(charts, "Energy kept by rank r", "share of the sum of all squares", (value) => `${100 * value} %`);
  const below = html(root, "div", { class: "panels below" });
  const draws = ["The change", "Its best approximation", "What is left out"].map((title) => picture(below, title));
  const drawFacts = facts(below), say = speaker(root);

  function draw() {
    const matrix = shown(), { stops, values, kept } = matrix;
    const at = stops.findLastIndex((stop) => stop <= model.get("rank")), rank = stops[at];
    if (names) names.draw(matrix.name);
    set(ranks.input, { max: stops.length - 1 });
    ranks.draw(at);
    ranks.shown.textContent = rank;
    set(ranks.input, { "aria-valuetext": `rank ${rank}` });
    keys.querySelector(".weight").hidden = !kept.weight;
    const told = Object.entries(kept).map(([name, shares]) => `${LINES[name]} ${percent(shares[at])}`).join(", ");
    drawValues(values, matrix, at, `singular values: number ${rank} of the change is ${values.change[at].toFixed(3)} of ` +
      `its largest, of a random matrix ${values.random[at].toFixed(3)}`);
    drawKept(kept, matrix, at, `energy kept by rank ${rank}: ${told}`);
    const whole = cellsAt(matrix, stops.length), close = cellsAt(matrix, at), about = drawnCells(matrix);
    draws[0](whole, matrix, `the change: ${about}`, `${about}; orange is above 0, blue below`);
    draws[1](close, matrix, `the best matrix of rank ${rank}: it keeps ${percent(kept.change[at])} of the energy`, `of rank ${rank}`);
    draws[2](whole.map((cell, i) => cell - close[i]), matrix, `what rank ${rank} leaves out of the change`, "their difference, in the same colours");
    drawFacts(matrix, at);
    say(`Rank ${rank} keeps: ${told}.`);
  }
  return watch(model, ["name", "rank"], once(draw));
}

function drawnCells({ shape: [d_out, d_in], rows, columns }) {
  const all = rows === d_out && columns === d_in;
  return all ? "all its cells" : `the ${rows} of ${counted(d_out)} rows and ${columns} of ${counted(d_in)} columns that changed most`;
}

export default { render };

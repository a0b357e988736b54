// ModelTour's overview: one row for each block, from the embedding down to what is said. Along the rows runs the vector of
// the token that is followed, as wide as it is long.

import { html, set, svg } from "./kit.js";

const TRUNK = 60, ROW = 20; // of the drawing of the vector in one row, in its own units
const HEIGHT = 440, LOWEST = 17, HIGHEST = 46; // of all rows together and of one, in pixels
const NOTE = "“Could say”: the most likely token if the model ended there; bold where it is the one that comes next.";
const SHORT = { embedding: "embedding", attention: "attention", "cross-attention": "cross", "feed-forward": "feed-fwd" };

export const percent = (p) => (p > 0 && p < 0.005 ? "<1 %" : p < 1 && p >= 0.995 ? ">99 %" : `${Math.round(100 * p)} %`);
export const short = (x) => String(Number(x.toPrecision(3)));

// The rows of a stack: the embedding, the blocks, the end; each with its steps.
function rowsOf({ steps, n_layers, end }) {
  const blocks = Array.from({ length: n_layers }, (_, block) => ({
    name: String(block + 1), steps: steps.flatMap(([of], i) => (of === block ? [i] : [])),
  }));
  return [{ name: "", steps: [0] }, ...blocks, { name: "", steps: [steps.length], last: end ? "what is said" : "output" }];
}

export function overview(parent, go) {
  const column = html(parent, "div", { class: "column" }), root = html(column, "div", { class: "overview" });
  const note = html(column, "div", { class: "soft note" });
  return (seen) => {
    note.textContent = `Bars: the size of what is added. ${seen.stack.said ? NOTE : ""}`;
    const had = root.contains(document.activeElement), top = root.scrollTop;
    root.replaceChildren();
    const { stack, station } = seen, rows = rowsOf(stack), table = html(root, "table");
    const height = Math.max(LOWEST, Math.min(HIGHEST, Math.floor(HEIGHT / rows.length)));
    table.style.setProperty("--row", `${height}px`);
    html(table, "caption", { class: "spoken" }, `the stations of ‘${seen.name}’: what each adds, and what could be said after it`);
    const parts = stack.steps.filter(([block]) => block === 0).map(([, part]) => part);
    drawHead(table, parts, stack);
    const body = html(table, "tbody"), most = largest(seen);
    rows.forEach((row, i) => drawRow(html(body, "tr"), row, i, parts, most, seen, go));
    root.scrollTop = top;
    const current = root.querySelector("[aria-current]");
    if (had) current.focus({ preventScroll: true });
    const { offsetTop, offsetHeight } = current.closest("tr"); // of the scroller, not of the page
    if (offsetTop + offsetHeight > root.scrollTop + root.clientHeight) root.scrollTop = offsetTop + offsetHeight - root.clientHeight;
    if (offsetTop < root.scrollTop + 30) root.scrollTop = offsetTop - 30;
    body.addEventListener("keydown", (event) => {
      const to = stationTo(event.key, station, parts.length, stack.steps.length);
      if (to === null) return;
      event.preventDefault();
      go({ station: to });
    });
  };
}

// Where an arrow key leads: left and right along the journey, up and down to the same part of the next block.
function stationTo(key, station, n_parts, last) {
  const move = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -n_parts, ArrowDown: n_parts, Home: -Infinity, End: Infinity }[key];
  return move === undefined ? null : Math.max(0, Math.min(last, station + move));
}

function drawHead(table, parts, { said }) {
  const head = html(html(table, "thead"), "tr");
  html(head, "th", { scope: "col" }, "block");
  const hasCross = parts.includes("cross-attention");
  for (const part of parts) html(head, "th", { scope: "col" }, hasCross && part === "attention" ? "self" : SHORT[part]);
  html(head, "th", { scope: "col", class: "vector" }, "the vector");
  if (said) html(head, "th", { scope: "col", class: "said" }, "could say");
}

// The largest sizes that this token meets: of what is added in a block, and of its vector.
function largest({ stack, size }) {
  const all = stack.steps.map((_, step) => size(step));
  return { added: Math.max(...all.slice(1).map(({ added }) => added)), after: Math.max(...all.map(({ after }) => after)) };
}

function drawRow(line, row, i, parts, most, seen, go) {
  const { stack, station, size } = seen, isFirst = i === 0, isLast = row.steps[0] === stack.steps.length;
  line.classList.toggle("here", row.steps.includes(station));
  html(line, "th", { scope: "row" }, row.name);
  if (isFirst || isLast) {
    const cell = html(line, "td", { colspan: parts.length });
    stationButton(cell, row.steps[0], isLast ? row.last : "embedding", seen, go);
  } else for (const step of row.steps) {
    const cell = html(line, "td"), { added } = size(step), [block, part] = stack.steps[step];
    const name = `block ${block + 1}, ${part}: adds ${short(added)}`;
    const made = stationButton(cell, step, "", seen, go, name);
    html(made, "span", { class: `added ${part}`, style: `width: ${(100 * added) / most.added}%` });
  }
  const last = isLast ? stack.steps.length - 1 : row.steps.at(-1), { after } = size(last);
  const before = isFirst ? size(0).before : size(row.steps[0] - 1).after;
  drawTrunk(html(line, "td", { class: "trunk" }), before / most.after, after / most.after, isLast ? "" : short(after));
  if (stack.said) drawFirst(html(line, "td", { class: "say" }), seen.said(last)[0], isLast);
  line.addEventListener("click", (event) => event.target.closest("button") || go({ station: row.steps.at(-1) }));
}

function stationButton(parent, step, text, { station }, go, label = "") {
  const here = step === station;
  const made = html(parent, "button", { type: "button", class: "stop", tabindex: here ? 0 : -1 }, text);
  if (label) set(made, { "aria-label": label, title: label });
  if (here) set(made, { "aria-current": "step" });
  made.addEventListener("click", () => go({ station: step }));
  return made;
}

function drawTrunk(cell, above, below, text) {
  const picture = svg(cell, "svg", { viewBox: `0 0 ${TRUNK} ${ROW}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  const [a, b] = [above, below].map((share) => Math.max(1, (TRUNK / 2) * share));
  const mid = TRUNK / 2;
  svg(picture, "path", { d: `M${mid - a},0C${mid - a},${ROW / 2} ${mid - b},${ROW / 2} ${mid - b},${ROW}H${mid + b}C${mid + b},${ROW / 2} ${mid + a},${ROW / 2} ${mid + a},0Z` });
  html(cell, "span", {}, text);
}

function drawFirst(cell, { word, probability, follows }, isLast) {
  if (isLast) return; // as after the last block
  html(cell, "span", { class: "likely", style: `width: ${100 * probability}%` });
  html(cell, "span", { class: follows ? "word follows" : "word" }, word);
  html(cell, "span", { class: "share" }, percent(probability));
}

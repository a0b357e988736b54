// AttentionView's overview: a grid of all heads, one small picture each, and of differences the heads farthest apart.

import { paint } from "./attention_paint.js";
import { distance } from "./attention_measures.js";
import { clip, headName } from "./attention_numbers.js";
import { NO_PATTERN, PATTERNS, patternExplained, patternNames, patternSaid, shortName } from "./attention_patterns.js";
import { button, html, menu, set } from "./kit.js";

const FARTHEST = 8;
const AS_IN_MODEL = "as in the model", BY_PATTERN = "by pattern";

export function overview(parent, state) {
  const root = html(parent, "div", { class: "overview" }), top = html(root, "div", { class: "overview-top" });
  const title = html(top, "div", { class: "title" });
  const order = menu(top, "order", [AS_IN_MODEL, BY_PATTERN], (choice) => {
    state.byPattern = choice === BY_PATTERN;
    state.show();
  });
  const scroller = html(root, "div", { class: "heads-scroller" }), below = html(root, "div");
  // {layer, head, row, column, node} each; the selected one, and the one that Tab reaches
  let thumbnails = [], marked, reachable;

  state.on("shown", () => {
    title.textContent = titleOf(state);
    scroller.replaceChildren();
    below.replaceChildren();
    order.box.hidden = state.patterns.size === 0;
    thumbnails = grid(scroller, state, move);
    if (state.signed) farthestHeads(below, state);
    else patternNames(below, state);
    markOff();
  });
  state.on("head", () => {
    marked?.node.setAttribute("aria-selected", "false");
    marked = thumbnailOf(state.selection.layer, state.selection.head);
    marked.node.setAttribute("aria-selected", "true");
    if (!root.contains(document.activeElement)) rove(marked);
    bringIntoSight(scroller, marked.node);
  });
  state.on("off", markOff);
  const watching = new ResizeObserver(() => marked && bringIntoSight(scroller, marked.node)); // a view is made unseen
  watching.observe(scroller);
  state.on("end", () => watching.disconnect());

  const thumbnailOf = (layer, head) => thumbnails.find((one) => one.layer === layer && one.head === head);

  // Tab reaches one thumbnail; arrow keys go on from there.
  function rove(thumbnail) {
    if (reachable) reachable.node.tabIndex = -1;
    reachable = thumbnail;
    reachable.node.tabIndex = 0;
  }

  function move({ row, column }, [down, right]) {
    const to = [clip(row + down, thumbnails.at(-1).row), column + right];
    const next = thumbnails.findLast((one) => one.row === to[0] && one.column <= Math.max(0, to[1]));
    rove(next);
    next.node.focus();
  }

  // Heads that are switched off are struck through.
  function markOff() {
    const heads = (state.get("switched_off") ?? []).filter((one) => one.length === 3 && one[0] === state.get("part"));
    const off = new Set(heads.map(([, layer, head]) => `${layer},${head}`));
    for (const { layer, head, node } of thumbnails) node.classList.toggle("off", off.has(`${layer},${head}`));
  }
}

function titleOf({ signed, onlyLayer }) {
  if (signed) return "All heads: first \u2212 second";
  return onlyLayer === null ? "All heads" : `All heads of block ${onlyLayer + 1}`;
}

// A row for each block and a column for each head, or rows for each pattern. Gives the thumbnails.
function grid(parent, state, move) {
  const { H, S, group, byPattern } = state, { step, zoom } = sizeOf(state);
  const root = html(parent, "div", {
    class: H > 6 ? "heads many" : "heads", role: "grid", "aria-label": "All heads: arrow keys move, Enter shows one",
    style: `grid-template-columns: repeat(${H + 1}, max-content)`,
  });
  headerRow(root, H, zoom * Math.ceil(S / step) < 44, byPattern);
  if (group > 1 && !byPattern) groupRow(root, H, group);
  return (byPattern ? rowsByPattern(state) : rowsByBlock(state)).flatMap(({ name, heads }, row) => {
    const line = html(root, "div", { role: "row" });
    html(line, "span", { class: "soft", role: "rowheader" }, name);
    const made = heads.map(({ layer, head }, column) => thumbnail(line, state, { layer, head, row, column }, move));
    for (let i = heads.length; i < H; i++) html(line, "span", { role: "gridcell" });
    return made;
  });
}

function headsOf({ L, H, onlyLayer }) {
  const layers = onlyLayer === null ? Array.from({ length: L }, (_, layer) => layer) : [onlyLayer];
  return layers.flatMap((layer) => Array.from({ length: H }, (_, head) => ({ layer, head })));
}

function rowsByBlock(state) {
  const heads = headsOf(state), rows = [];
  for (let i = 0; i < heads.length; i += state.H)
    rows.push({ name: `block ${heads[i].layer + 1}`, heads: heads.slice(i, i + state.H) });
  return rows;
}

// The heads of each pattern, the strongest first, in rows that are no longer than a block's.
function rowsByPattern(state) {
  const heads = headsOf(state).map((one) => ({ name: NO_PATTERN, score: 0, ...state.patternOf(one.layer, one.head), ...one }));
  return [...Object.keys(PATTERNS), NO_PATTERN].flatMap((name) => {
    const those = heads.filter((one) => one.name === name).sort((a, b) => b.score - a.score), rows = [];
    for (let i = 0; i < those.length; i += state.H) rows.push({ name: i ? "" : name, heads: those.slice(i, i + state.H) });
    return rows;
  });
}

// How many numbers a thumbnail's pixel stands for on a side, and how wide it is drawn.
function sizeOf({ H, T, S }) {
  const longest = Math.max(T, S), limit = Math.max(30, clip(Math.floor(400 / H) - 8, 76));
  const step = Math.ceil(longest / limit);
  return { step, zoom: Math.max(1, Math.floor(limit / Math.ceil(longest / step))) };
}

// Over the columns the heads' numbers; where heads are ordered by pattern, each bears its own.
function headerRow(parent, H, narrow, byPattern) {
  const row = html(parent, "div", { role: "row" }), attributes = { class: "soft", role: "columnheader" };
  html(row, "span", { ...attributes, class: "soft heads-corner" }, byPattern ? "block.head" : narrow ? "head" : "");
  for (let head = 0; head < H; head++) html(row, "span", attributes, byPattern ? "" : narrow ? head + 1 : `head ${head + 1}`);
}

// Which heads share a key and a value: a bracket above them.
function groupRow(parent, H, group) {
  const row = html(parent, "div", { class: "groups", role: "row" });
  html(row, "span", { class: "soft heads-corner", role: "rowheader" }, "keys");
  for (let first = 0; first < H; first += group) {
    const about = `heads ${first + 1} to ${first + group} share keys and values`;
    html(row, "span", {
      class: "bracket soft", role: "columnheader", "aria-label": about, title: about, style: `grid-column: span ${group}`,
    }, first / group + 1);
  }
}

function thumbnail(line, state, place, move) {
  const { T, S, byPattern } = state, { layer, head } = place, { step, zoom } = sizeOf(state);
  const pattern = state.patternOf(layer, head), name = headName(layer, head);
  const about = pattern ? `${name}: ${patternSaid(pattern)}` : name;
  const node = html(line, "div", {
    class: "thumbnail", role: "gridcell", tabindex: -1, "aria-selected": "false", "aria-label": about,
    title: pattern ? `${about}: ${patternExplained(pattern)}` : about, "data-head": `${layer},${head}`,
  });
  const picture = html(node, "canvas", { class: "masked" });
  paint(picture, state.weightsAt(layer, head), T, S, state.scaleAt(layer, head), step);
  set(picture, { style: `width: ${picture.width * zoom}px; height: ${picture.height * zoom}px` });
  const said = byPattern ? `${layer + 1}.${head + 1}` : pattern ? shortName(pattern) : "";
  if (said) html(node, "div", { class: "caption" }, said);
  node.addEventListener("click", () => state.choose({ layer, head }));
  node.addEventListener("keydown", (event) => thumbnailKey(event, state, place, move));
  return { ...place, node };
}

function thumbnailKey(event, state, place, move) {
  const { layer, head } = place;
  const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  if (step && step[0] && state.onlyLayer !== null && !state.byPattern) {
    state.choose({ layer: clip(layer + step[0], state.L - 1), head }); // its layer is not here yet
  } else if (step) {
    move(place, step);
  } else if (event.key === "Enter" || event.key === " ") {
    state.choose({ layer, head });
  } else return;
  event.preventDefault();
}

// Scroll the overview, and nothing else, to where a thumbnail is. Its headers stay, and meet in a corner.
function bringIntoSight(scroller, node) {
  const inner = node.getBoundingClientRect(), outer = scroller.getBoundingClientRect();
  const corner = [...scroller.querySelectorAll(".heads-corner")].at(-1).getBoundingClientRect(), edge = 6;
  const past = (end, most) => Math.max(0, end - most + edge), before = (start, least) => Math.max(0, least - start + edge);
  scroller.scrollTop += past(inner.bottom, outer.bottom) - before(inner.top, corner.bottom);
  scroller.scrollLeft += past(inner.right, outer.right) - before(inner.left, corner.right);
}

function farthestHeads(parent, state) {
  const { L, H, T } = state;
  const all = Array.from({ length: L * H }, (_, i) => ({ layer: Math.floor(i / H), head: i % H }));
  const heads = all.filter(({ layer, head }) => state.weightsAt(layer, head) !== null);
  for (const one of heads) one.apart = distance(state.weightsAt(one.layer, one.head), T);
  heads.sort((a, b) => b.apart - a.apart);
  html(parent, "div", { class: "soft" }, "Farthest apart (0: the same, 1: nothing in common)");
  const list = html(parent, "ol", { class: "farthest" });
  for (const { layer, head, apart } of heads.slice(0, FARTHEST))
    button(html(list, "li"), `${headName(layer, head)}: ${apart.toFixed(3)}`, () => state.choose({ layer, head }));
}

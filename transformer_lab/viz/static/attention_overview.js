// AttentionView's overview: a grid of all heads, one small picture each, and of differences the heads farthest apart.

import { paint } from "./attention_paint.js";
import { distance } from "./attention_measures.js";
import { clip } from "./attention_numbers.js";
import { button, html, set } from "./kit.js";

const FARTHEST = 8;

export function overview(parent, state) {
  const root = html(parent, "div", { class: "overview" }), title = html(root, "div", { class: "title" });
  const scroller = html(root, "div", { class: "heads-scroller" }), below = html(root, "div");
  let thumbnails = [], marked, reachable; // {layer, head, node} each: the selected one, and the one that Tab reaches

  state.on("shown", () => {
    title.textContent = titleOf(state);
    scroller.replaceChildren();
    below.replaceChildren();
    thumbnails = grid(scroller, state, move);
    if (state.signed) farthestHeads(below, state);
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

  function move(layer, head) {
    const next = thumbnailOf(clip(layer, state.L - 1), clip(head, state.H - 1));
    if (!next) return false;
    rove(next);
    next.node.focus();
    return true;
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
  return onlyLayer === null ? "All heads" : `All heads of layer ${onlyLayer}`;
}

// A row for each layer, a column for each head. Gives the thumbnails, {layer, head, node} each.
function grid(parent, state, move) {
  const { L, H, S, group, onlyLayer } = state, { step, zoom } = sizeOf(state);
  const root = html(parent, "div", {
    class: H > 6 ? "heads many" : "heads", role: "grid", "aria-label": "All heads: arrow keys move, Enter shows one",
    style: `grid-template-columns: repeat(${H + 1}, max-content)`,
  });
  headerRow(root, H, zoom * Math.ceil(S / step) < 44);
  if (group > 1) groupRow(root, H, group);
  const layers = onlyLayer === null ? Array.from({ length: L }, (_, layer) => layer) : [onlyLayer];
  return layers.flatMap((layer) => {
    const row = html(root, "div", { role: "row" });
    html(row, "span", { class: "soft", role: "rowheader" }, `layer ${layer}`);
    return Array.from({ length: H }, (_, head) => ({ layer, head, node: thumbnail(row, state, layer, head, move) }));
  });
}

// How many numbers a thumbnail's pixel stands for on a side, and how wide it is drawn.
function sizeOf({ H, T, S }) {
  const longest = Math.max(T, S), limit = Math.max(30, clip(Math.floor(400 / H) - 8, 76));
  const step = Math.ceil(longest / limit);
  return { step, zoom: Math.max(1, Math.floor(limit / Math.ceil(longest / step))) };
}

function headerRow(parent, H, narrow) {
  const row = html(parent, "div", { role: "row" }), attributes = { class: "soft", role: "columnheader" };
  html(row, "span", { ...attributes, class: "soft heads-corner" }, narrow ? "head" : "");
  for (let head = 0; head < H; head++) html(row, "span", attributes, narrow ? head : `head ${head}`);
}

// Which heads share a key and a value: a bracket above them.
function groupRow(parent, H, group) {
  const row = html(parent, "div", { class: "groups", role: "row" });
  html(row, "span", { class: "soft heads-corner", role: "rowheader" }, "keys");
  for (let first = 0; first < H; first += group) {
    const about = `heads ${first} to ${first + group - 1} share keys and values`;
    html(row, "span", {
      class: "bracket soft", role: "columnheader", "aria-label": about, title: about, style: `grid-column: span ${group}`,
    }, first / group);
  }
}

function thumbnail(row, state, layer, head, move) {
  const { T, S } = state, { step, zoom } = sizeOf(state), name = `layer ${layer}, head ${head}`;
  const node = html(row, "div", {
    class: "thumbnail masked", role: "gridcell", tabindex: -1, "aria-selected": "false", "aria-label": name, title: name,
    "data-head": `${layer},${head}`,
  });
  const picture = html(node, "canvas");
  paint(picture, state.weightsAt(layer, head), T, S, state.scaleAt(layer, head), step);
  set(picture, { style: `width: ${picture.width * zoom}px; height: ${picture.height * zoom}px` });
  node.addEventListener("click", () => state.choose({ layer, head }));
  node.addEventListener("keydown", (event) => thumbnailKey(event, state, layer, head, move));
  return node;
}

function thumbnailKey(event, state, layer, head, move) {
  const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  if (step) {
    const there = move(layer + step[0], head + step[1]);
    if (!there) state.choose({ layer: clip(layer + step[0], state.L - 1), head }); // its layer is not here yet
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
    button(html(list, "li"), `layer ${layer}, head ${head}: ${apart.toFixed(3)}`, () => state.choose({ layer, head }));
}

// The tokens next to AttentionView's map: their size, their direction, and the room that they take.

import { html } from "./kit.js";

const WIDEST = 140; // pixels; what is longer is cut
const LINE = 1.4; // a label's height, in font sizes
const SLANT = 0.71; // of a length at 45 degrees, what it is across

// How the labels of a map of so many pixels per cell are written. Keys stand upright over their columns if all fit there,
// else at 45 degrees, and on their side where rows are too low for that.
export function labelLayout(queries, keys, cell) {
  const fontSize = cell >= 20 ? 12 : cell >= 13 ? 11 : 10, height = Math.ceil(fontSize * LINE);
  const width = widthIn(fontSize), widest = Math.max(...keys.map(width));
  const upright = keys.every((key) => width(key) <= cell + 4), slanted = !upright && cell >= 20;
  const beyond = keys.map((key, k) => width(key) * SLANT - (keys.length - k - 0.5) * cell); // the map's right edge
  return {
    cell, fontSize, height, upright, slanted,
    stride: Math.ceil(height / (cell + 2)), // where rows are low, only some labels are shown
    left: Math.max(24, ...queries.map(width)) + 4,
    top: upright ? height + 6 : slanted ? Math.ceil((widest + height) * SLANT) + 4 : widest + 6,
    right: slanted ? Math.ceil(Math.max(0, ...beyond)) + 4 : 3,
  };
}

function widthIn(fontSize) {
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = `${fontSize}px system-ui, sans-serif`;
  return (text) => Math.min(WIDEST, Math.ceil(pen.measureText(text.slice(0, 60)).width * 1.08) + 8);
}

export function queryLabel(parent, text, i, layout) {
  const { cell, height } = layout;
  const made = tokenLabel(parent, text, i, layout);
  Object.assign(made.style, { right: "4px", top: `${(i + 0.5) * cell - height / 2}px` });
}

export function keyLabel(parent, text, i, layout) {
  const { cell, height, upright, slanted } = layout, centre = (i + 0.5) * cell;
  const made = tokenLabel(parent, text, i, layout);
  if (upright) {
    Object.assign(made.style, { left: `${centre}px`, bottom: "3px", transform: "translateX(-50%)" });
  } else {
    Object.assign(made.style, {
      left: `${centre + height / (slanted ? 3 : 2)}px`, bottom: slanted ? "0px" : "2px",
      transformOrigin: "0 100%", transform: slanted ? "rotate(-45deg)" : "rotate(-90deg)",
    });
  }
}

function tokenLabel(parent, text, i, { fontSize, stride }) {
  const made = html(parent, "span", { class: i % stride ? "label thin" : "label" }, text.slice(0, 200));
  Object.assign(made.style, { fontSize: `${fontSize}px`, maxWidth: `${WIDEST}px` });
  return made;
}

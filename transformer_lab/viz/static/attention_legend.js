// AttentionView's legend: what the numbers are, which colour stands for which, and what is exactly 0.

import { paint } from "./attention_paint.js";
import { difference } from "./attention_numbers.js";
import { valueAtShare } from "./attention_scale.js";
import { html } from "./kit.js";

const STEPS = 256;

export function legend(parent, state) {
  const root = html(parent, "div", { class: "legend" });
  state.on("head", () => {
    root.replaceChildren();
    const about = html(root, "div", { class: "soft" }, meaning(state));
    html(about, "div", {}, state.signed ? "one scale for all heads" : "square-root scale of this head");
    ramp(root, state);
    if (!state.signed && state.headWeights.some((weight) => weight === 0)) maskEntry(root, state);
  });
}

function meaning({ signed, byNorm }) {
  if (signed) return "difference of weights";
  return byNorm ? "weight \u00d7 norm of the value" : "attention weight";
}

// The colours from the lowest to the highest number, and three numbers below them.
function ramp(parent, { signed, scale }) {
  const root = html(parent, "div", { class: "scale" });
  const shares = Array.from({ length: STEPS }, (_, i) => Math.max(i, 1e-3) / (STEPS - 1)); // 0 itself is left out
  const numbers = Float32Array.from(shares, (share) => valueAtShare(share, scale));
  paint(html(root, "canvas"), numbers, 1, STEPS, scale);
  const ticks = html(root, "div", { class: "ticks soft" });
  const write = signed ? difference(2) : (value) => String(Number(value.toPrecision(2)));
  const [low, middle, high] = [0, 0.5, 1].map((share) => write(valueAtShare(share, scale)));
  for (const tick of [low, middle, scale.isCut ? `\u2265 ${high}` : high]) html(ticks, "span", {}, tick);
}

function maskEntry(parent, { firstKeyHidden }) {
  const entry = html(parent, "span", { class: "soft mask-entry" });
  html(entry, "span", { class: "swatch masked" });
  entry.append(firstKeyHidden ? "exactly 0 (masked) or first key" : "exactly 0 (masked)");
}

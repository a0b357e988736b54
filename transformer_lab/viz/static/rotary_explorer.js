// Rotary positions as dials. Traits: q, k (d_head each), theta, last, query_position, key_position, lock_offset.

import { html, svg, set, signed, stage, choose, watch, slider, checkbox, button, speaker, keepLegible } from "./kit.js";

const START = { query_position: 9, key_position: 3, lock_offset: false };
const DIAL = 100; // side of a dial's drawing, in its own units
const PLOT = { width: 640, height: 196, left: 50, right: 12, top: 10, bottom: 50 };

// The formula of turn_pairs in rotary_explorer.py.
function turnPairs(q, k, queryPosition, keyPosition, theta) {
  const half = q.length / 2, queries = [], keys = [];
  let sum = 0;
  for (let i = 0; i < half; i++) {
    const frequency = theta ** ((-2 * i) / q.length);
    queries.push(turn(q[i], q[i + half], queryPosition * frequency));
    keys.push(turn(k[i], k[i + half], keyPosition * frequency));
    sum += queries[i][0] * keys[i][0] + queries[i][1] * keys[i][1];
  }
  return { queries, keys, score: sum / Math.sqrt(q.length) };
}

function turn(a, b, angle) {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return [a * cos - b * sin, b * cos + a * sin];
}

function arrowTo([x, y], head) {
  const length = Math.hypot(x, y);
  if (length < 1e-9) return "M0,0";
  const [u, v] = [x / length, y / length];
  const side = (sign) => `${x - head * u + sign * 0.5 * head * v},${y - head * v - sign * 0.5 * head * u}`;
  return `M0,0L${x},${y}M${side(1)}L${x},${y}L${side(-1)}`;
}

function render({ model, el }) {
  const q = model.get("q"), k = model.get("k"), theta = model.get("theta"), last = model.get("last");
  const half = q.length / 2, root2 = Math.sqrt(q.length);
  const longest = Math.max(...[q, k].flatMap((x) => x.slice(0, half).map((a, i) => Math.hypot(a, x[i + half])))) || 1;

  const root = stage(el, "tl-explorer tl-rotary");
  const legend = html(root, "div", { class: "legend" });
  html(legend, "span", { class: "query" }, "━▶ q");
  html(legend, "span", { class: "key" }, "━▶ k");
  html(legend, "span", {}, "Each dial is one pair of features. Below it: what the pair adds to the score.");

  const dials = html(root, "div", { class: "dials" });
  const drawn = q.slice(0, half).map((_, i) => {
    const box = html(dials, "figure");
    const wavelength = 2 * Math.PI * theta ** ((2 * i) / q.length);
    html(box, "figcaption", {}, `pair ${i}`);
    html(box, "small", {}, `a turn: ${wavelength < 100 ? wavelength.toFixed(1) : Math.round(wavelength).toLocaleString("en")}`);
    const picture = svg(box, "svg", { viewBox: `${-DIAL / 2} ${-DIAL / 2} ${DIAL} ${DIAL}`, role: "img" });
    svg(picture, "circle", { r: 40, class: "rim" });
    for (let tick = 0; tick < 12; tick++) {
      const [x, y] = turn(1, 0, (tick * Math.PI) / 6);
      svg(picture, "line", { x1: 37 * x, y1: 37 * y, x2: 40 * x, y2: 40 * y, class: "rim" });
    }
    const wedge = svg(picture, "path", { class: "wedge" });
    const key = svg(picture, "path", { class: "key" }), query = svg(picture, "path", { class: "query" });
    return { picture, wedge, key, query, part: html(box, "output", { class: "part" }) };
  });

  // The score at every offset: it does not depend on anything else.
  const offsets = Array.from({ length: 2 * last + 1 }, (_, i) => i - last);
  const curve = offsets.map((o) => turnPairs(q, k, Math.max(o, 0), Math.max(-o, 0), theta).score);
  const low = Math.min(0, ...curve), high = Math.max(0, ...curve), span = high - low || 1;
  const { width, height, left, right, top, bottom } = PLOT;
  const atX = (offset) => left + ((width - left - right) * (offset + last)) / (2 * last);
  const atY = (score) => top + ((height - top - bottom) * (high - score)) / span;
  const plot = svg(root, "svg", { viewBox: `0 0 ${width} ${height}`, class: "plot", role: "group" });
  const every = last > 60 ? 32 : last > 20 ? 8 : 2;
  for (let tick = -Math.floor(last / every) * every; tick <= last; tick += every) {
    svg(plot, "line", { x1: atX(tick), x2: atX(tick), y1: top, y2: height - bottom, class: "grid" });
    svg(plot, "text", { x: atX(tick), y: height - bottom + 20, class: "tick middle" }, signed(tick));
  }
  const apart = (score) => score && Math.abs(score) > 0.15 * span; // else its number would stand on the zero
  for (const score of [0, ...[low, high].filter(apart)]) {
    svg(plot, "line", { x1: left, x2: width - right, y1: atY(score), y2: atY(score), class: "grid" });
    svg(plot, "text", { x: left - 6, y: atY(score) + 4, class: "tick end" }, signed(score, 1));
  }
  svg(plot, "text", { x: (left + width - right) / 2, y: height - 7, class: "tick middle" }, "offset = position of q − position of k");
  svg(plot, "text", { x: left + 6, y: top + 16, class: "tick" }, "score");
  svg(plot, "polyline", { class: "curve", points: offsets.map((o, i) => `${atX(o)},${atY(curve[i])}`).join(" ") });
  keepLegible(plot, width);
  const needle = svg(plot, "line", { y1: top, y2: height - bottom, class: "needle" });
  const dot = svg(plot, "g", { class: "dot", tabindex: 0, role: "slider", "aria-label": "offset",
    "aria-valuemin": -last, "aria-valuemax": last });
  svg(dot, "circle", { r: 14, class: "ring" });
  svg(dot, "circle", { r: 6 });

  const controls = html(root, "div", { class: "controls" });
  const range = { min: 0, max: last };
  const querySlider = slider(controls, "position of q", range, (to) => move("query_position", "key_position", to));
  const keySlider = slider(controls, "position of k", range, (to) => move("key_position", "query_position", to));
  const lock = checkbox(controls, "lock the offset", (on) => choose(model, { lock_offset: on }));
  button(controls, "reset", () => choose(model, START));
  const readOut = html(root, "div", { class: "read-out" });
  const position = html(readOut, "span"), score = html(readOut, "strong");
  const say = speaker(root);

  // With the offset locked the other moves too, and neither leaves the sequence.
  function move(name, other, to) {
    if (!model.get("lock_offset")) return choose(model, { [name]: to });
    const gap = model.get(other) - model.get(name);
    const kept = Math.min(Math.min(last, last - gap), Math.max(Math.max(0, -gap), to));
    choose(model, { [name]: kept, [other]: kept + gap });
    draw(); // the slider may have been pulled further than it may go
  }

  // The dot's offset: q goes there, and k too as far as q would leave the sequence. A locked offset is locked anew.
  function pull(offset) {
    const to = Math.min(last, Math.max(-last, Math.round(offset)));
    const m = Math.min(last, Math.max(0, model.get("key_position") + to));
    const n = Math.min(last, Math.max(0, m - to));
    choose(model, { query_position: n + to, key_position: n });
  }

  let dragging = null; // the id of the pointer that holds the dot
  plot.addEventListener("pointerdown", (event) => {
    const scrolls = event.pointerType === "touch" && !dot.contains(event.target);
    if (event.button || scrolls) return;
    event.preventDefault();
    dragging = event.pointerId;
    plot.setPointerCapture(event.pointerId);
    dot.focus({ preventScroll: true });
    follow(event);
  });
  plot.addEventListener("pointermove", (event) => event.pointerId === dragging && follow(event));
  plot.addEventListener("lostpointercapture", () => { dragging = null; });

  function follow(event) {
    const { x } = new DOMPoint(event.clientX, event.clientY).matrixTransform(plot.getScreenCTM().inverse());
    pull(((x - left) / (width - left - right)) * 2 * last - last);
  }

  dot.addEventListener("keydown", (event) => {
    const now = model.get("query_position") - model.get("key_position");
    const to = { ArrowLeft: now - 1, ArrowDown: now - 1, ArrowRight: now + 1, ArrowUp: now + 1, Home: -last, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    pull(to);
  });

  function draw() {
    const m = model.get("query_position"), n = model.get("key_position"), offset = m - n;
    const turned = turnPairs(q, k, m, n, theta);
    drawn.forEach(({ picture, wedge, key, query, part }, i) => {
      const [there, here] = [turned.keys[i], turned.queries[i]].map(([x, y]) => [(37 * x) / longest, (-37 * y) / longest]);
      set(key, { d: arrowTo(there, 10) });
      set(query, { d: arrowTo(here, 9) });
      set(wedge, { d: wedgeBetween(there, here) });
      const adds = signed((turned.queries[i][0] * turned.keys[i][0] + turned.queries[i][1] * turned.keys[i][1]) / root2, 2);
      part.textContent = adds.startsWith("−") ? adds : `+${adds}`;
      set(picture, { "aria-label": `pair ${i} adds ${adds}` });
    });
    set(needle, { x1: atX(offset), x2: atX(offset) });
    set(dot, { transform: `translate(${atX(offset)} ${atY(turned.score)})`, "aria-valuenow": offset,
      "aria-valuetext": `${signed(offset)}, score ${signed(turned.score, 2)}` });
    set(plot, { "aria-label": `score ${signed(turned.score, 2)} at offset ${signed(offset)}` });
    querySlider.draw(m);
    keySlider.draw(n);
    lock.draw(model.get("lock_offset"));
    position.textContent = `q at ${m}, k at ${n}: offset ${signed(offset)}. `;
    score.textContent = `q·k / √${q.length} = ${signed(turned.score, 3)}`;
    say(readOut.textContent);
  }

  return watch(model, ["query_position", "key_position", "lock_offset"], draw);
}

// The smaller angle between two arrows, as a slice of a small circle.
function wedgeBetween(from, to) {
  const [a, b] = [from, to].map(([x, y]) => Math.atan2(y, x));
  if (!Math.hypot(...from) || !Math.hypot(...to)) return "M0,0";
  const turnBy = ((b - a + 3 * Math.PI) % (2 * Math.PI)) - Math.PI;
  const at = (angle) => `${18 * Math.cos(angle)},${18 * Math.sin(angle)}`;
  return `M0,0L${at(a)}A18,18 0 0 ${turnBy > 0 ? 1 : 0} ${at(a + turnBy)}Z`;
}

export default { render };

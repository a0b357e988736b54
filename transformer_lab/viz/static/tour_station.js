// ModelTour's station: what happens there to the vector that is followed, in words and in two pictures.

import { button, html, menu, signed, slider, svg } from "./kit.js";
import { percent, short } from "./tour_overview.js";

const TITLES = { 1: "Toolkit", 2: "Attention", 3: "Masks", 4: "Multi-head attention", 5: "Feed-forward", 6: "The residual connection", 7: "Layer norm", 8: "Positions", 9: "The block" };
const MOST_NAMED = 3; // of the tokens that are read, in the sentence
const MOST_KEYS = 24, KEYS_HEIGHT = 330; // rows of what is read, and the pixels that they take
const FAN = 70, PLANE = { width: 300, highest: 130, margin: 14 }; // drawings, in their own units
const TEMPERATURES = 20; // steps of the slider, each a tenth

export function stationPanel(parent, go, write) {
  const root = html(parent, "section", { class: "station" });
  const top = html(root, "div", { class: "way" });
  let seen;
  const back = button(top, "‹", () => go({ station: seen.station - 1 }), { "aria-label": "the station before" });
  const title = html(top, "h4");
  const next = button(top, "›", () => go({ station: seen.station + 1 }), { "aria-label": "the next station" });
  const sentence = html(root, "p", { class: "sentence" }), content = html(root, "div", { class: "content" });
  const ends = endPanel(root, go, write);
  return (now) => {
    seen = now;
    const { stack, station } = seen, isLast = station === stack.steps.length;
    title.textContent = titleOf(seen);
    back.disabled = station === 0;
    next.disabled = isLast;
    content.replaceChildren();
    content.hidden = isLast;
    ends.draw(isLast ? seen : null);
    sentence.textContent = isLast ? ends.sentence(seen) : drawStep(content, seen, go);
    return `${title.textContent}. ${sentence.textContent}`;
  };
}

function titleOf({ stack, station, name }) {
  if (station === stack.steps.length) return stack.end ? `After ‘${name}’: what is said` : `The output for ‘${name}’`;
  const [block, part] = stack.steps[station];
  return block === null ? `‘${name}’ becomes a vector` : `Block ${block + 1}: ${part}`;
}

// The pictures of a step; gives its sentence.
function drawStep(parent, seen, go) {
  const { stack, station } = seen, [block, part] = stack.steps[station], reads = stack.keys[part];
  const read = reads ? drawReading(parent, seen, block, part, go) : "";
  const side = html(parent, "div", { class: "side" });
  const lesson = block === null ? 8 : part === "feed-forward" ? 5 : 6;
  drawSum(caption(side, block === null ? "token and position" : "what it adds", lesson, seen), seen);
  if (stack.said) drawSaid(caption(side, "what could be said now", 6, seen), seen.said(station));
  return `${read}${inWords(seen)}`;
}

// A picture's box, with its name and its lesson above.
function caption(parent, text, lesson, seen) {
  const box = html(parent, "figure"), line = html(box, "figcaption", {}, `${text} `);
  lessonLink(line, lesson, seen);
  return box;
}

function lessonLink(parent, lesson, { lessons }) {
  const name = `lesson ${String(lesson).padStart(2, "0")}`, address = lessons[lesson], title = TITLES[lesson];
  if (address) html(parent, "a", { href: address, target: "_blank", rel: "noopener", title }, name);
  else html(parent, "span", { class: "soft", title }, name);
}

function inWords({ stack, station, name, size }) {
  const [block, part] = stack.steps[station], { before, added, sum, after } = size(station);
  const norm = short(after) === short(sum) ? "" : ` The norm after it makes that ${short(after)}.`;
  if (block === null) {
    const start = `The token ‘${name}’ starts as a vector of size ${short(before)}, from the embedding table. `;
    if (added) return `${start}Its position adds one of size ${short(added)}; the sum has size ${short(sum)}.${norm}`;
    return start + (stack.positions === "none" ? "This model has no positions." : "Its position is not added: it acts inside attention.") + norm;
  }
  const what = part === "feed-forward" ? `The feed-forward layer looks at the vector of ‘${name}’ alone. It adds` : "What it reads adds";
  return `${what} a vector of size ${short(added)} to one of size ${short(before)}; the sum has size ${short(sum)}.${norm}`;
}

// What a token reads: lines to the keys, as wide as their weights, and the weights as bars. Gives a sentence.
function drawReading(parent, seen, block, part, go) {
  const { stack, head, name } = seen, keys = stack.keys[part], weights = seen.row(block, part, head);
  const box = caption(parent, `what ‘${name}’ reads`, head === null ? 2 : 4, seen);
  box.className = "reading";
  const each = Array.from({ length: stack.n_heads }, (_, h) => [String(h), `head ${h + 1}`]);
  const average = ["", `average of ${stack.n_heads} heads`];
  const choice = menu(box, "by the", [average, ...each], (value) => go({ head: value === "" ? null : Number(value) }));
  choice.draw(head === null ? "" : String(head));
  const order = weights.map((_, i) => i).sort((a, b) => weights[b] - weights[a]);
  drawKeys(box, seen, part, keys, weights, order);
  if (weights.length < keys.length) lessonLink(html(box, "div", { class: "soft" }, "what comes later is masked: "), 3, seen);
  const most = order.slice(0, MOST_NAMED).filter((i) => weights[i] >= 0.05).map((i) => `‘${keys[i]}’ (${percent(weights[i])})`);
  return most.length ? `Most of all, ‘${name}’ reads ${most.join(", ")}. ` : `‘${name}’ reads a little of everything. `;
}

// The keys in their order; where there are too many, those that are read most.
function drawKeys(parent, { name, token }, part, keys, weights, order) {
  const all = keys.length <= MOST_KEYS, shown = all ? [...keys.keys()] : order.slice(0, MOST_KEYS).sort((a, b) => a - b);
  const height = Math.max(13, Math.min(24, Math.floor(KEYS_HEIGHT / shown.length))), y = (row) => (row + 0.5) * height;
  const own = part === "attention" ? shown.indexOf(token) : -1, start = own < 0 ? (shown.length - 1) / 2 : own;
  const frame = html(parent, "div", { class: "keys", style: `--row: ${height}px` });
  html(html(frame, "div", { class: "from" }), "span", { style: `top: ${start * height}px` }, name);
  const fan = svg(frame, "svg", { width: FAN, height: shown.length * height, "aria-hidden": "true" }), list = html(frame, "ol");
  shown.forEach((i, row) => {
    const masked = i >= weights.length, weight = masked ? 0 : weights[i];
    barRow(list, { word: keys[i], probability: weight, kind: part, share: masked ? "masked" : percent(weight) });
    if (weight < 0.005) return;
    const line = `M0,${y(start)}C${FAN / 2},${y(start)} ${FAN / 2},${y(row)} ${FAN},${y(row)}`;
    svg(fan, "path", { d: line, class: part, "stroke-width": (0.5 + 8 * weight).toFixed(2) });
  });
  const rest = all ? [] : order.slice(MOST_KEYS), sum = rest.reduce((total, i) => total + weights[i], 0);
  if (rest.length) html(parent, "div", { class: "soft" }, `${rest.length} more get ${percent(sum)} together`);
}

function barRow(list, { word, probability, share, kind = "probable", follows = false }) {
  const row = html(list, "li", { class: share === "masked" ? "masked" : follows ? "follows" : "" });
  html(row, "span", { class: "key", title: follows ? "what comes next in the text" : word }, word);
  html(html(row, "span", { class: "bar" }), "span", { class: kind, style: `width: ${100 * probability}%` });
  html(row, "span", { class: "share" }, share);
  return row;
}

// The vector, what is added and their sum. Three vectors of which one is the sum lie in a plane, so this is to scale.
function drawSum(parent, seen) {
  const { stack, station, size } = seen, { before, added, sum, after, cosine } = size(station);
  const { width, highest, margin } = PLANE;
  const up = Math.sqrt(Math.max(0, 1 - cosine * cosine)), tip = [before + added * cosine, added * up];
  const left = Math.min(0, tip[0]), right = Math.max(before, tip[0], 1e-9);
  const unit = Math.min((width - 2 * margin) / (right - left), (highest - 2 * margin) / Math.max(tip[1], 1e-9));
  const height = tip[1] * unit + 2 * margin;
  const at = ([x, y]) => [margin + (x - left) * unit, height - margin - y * unit];
  const picture = svg(parent, "svg", { viewBox: `0 0 ${width} ${height}`, class: "plane", role: "img",
    "aria-label": `the vector before, ${short(before)}, and what is added, ${short(added)}, at ${angle(cosine)}; the sum, ${short(sum)}` });
  for (const [from, to, kind] of [[[0, 0], [before, 0], "before"], [[before, 0], tip, "added"], [[0, 0], tip, "sum"]])
    svg(picture, "path", { d: arrowPath(at(from), at(to)), class: kind });
  const legend = html(parent, "div", { class: "legend" });
  html(legend, "span", { class: "before" }, short(before));
  if (added) {
    html(legend, "span", { class: "added" }, `+ ${short(added)}`);
    html(legend, "span", { class: "sum" }, `= ${short(sum)}`);
    html(legend, "span", { class: "soft" }, `at ${angle(cosine)}`);
  }
  if (short(after) !== short(sum)) lessonLink(html(legend, "span", {}, `norm: ${short(after)} `), 7, seen);
  else if (station && stack.pre_norm) lessonLink(html(legend, "span", { class: "soft" }, "computed from the normalised vector: "), 7, seen);
}

const angle = (cosine) => `${signed((Math.acos(Math.max(-1, Math.min(1, cosine))) * 180) / Math.PI)}°`;

function arrowPath([x0, y0], [x, y]) {
  const length = Math.hypot(x - x0, y - y0), head = Math.min(9, length);
  if (length < 0.5) return "";
  const [u, v] = [(x - x0) / length, (y - y0) / length];
  const side = (sign) => `${x - head * u + sign * 0.5 * head * v},${y - head * v - sign * 0.5 * head * u}`;
  return `M${x0},${y0}L${x},${y}M${side(1)}L${x},${y}L${side(-1)}`;
}

// Tokens with their probabilities as bars.
function drawSaid(parent, said) {
  const list = html(parent, "ol", { class: "said" });
  for (const one of said) {
    const row = barRow(list, { ...one, share: percent(one.probability) });
    if (one.times !== undefined) html(row, "span", { class: "times" }, one.times ? `drawn ${one.times} ×` : "");
  }
}

// The last station: the probabilities at a temperature, and a draw.
function endPanel(parent, go, write) {
  const root = html(parent, "div", { class: "end" });
  let drawn = [], of = "", seen;
  const heat = slider(root, "temperature", { min: 0, max: TEMPERATURES }, (step) => go({ temperature: step / 10 }), (step) => (step / 10).toFixed(1));
  const buttons = html(root, "div", { class: "draws" });
  button(buttons, "draw a token", () => drawTokens(1));
  button(buttons, "draw 100", () => drawTokens(100));
  const outcome = html(buttons, "span", { role: "status" });
  const goOn = button(buttons, "write it and go on", () => write(last, seen.token)), box = html(root, "div");
  let last = null; // the id of the token that can be written

  function drawTokens(n) {
    const { words } = endOf(seen);
    for (let i = 0; i < n; i++) drawn.push(pick(words, Math.random()));
    const { id } = (n === 1 && words[drawn.at(-1)]) || { id: null };
    propose(id);
    show();
    outcome.textContent = n === 1 ? `‘${words[drawn.at(-1)]?.word ?? "one of the others"}’` : `${drawn.length} tokens drawn`;
  }

  // Only a model that continues its text can go on with a token, and only where there is a kernel.
  function propose(id) {
    last = id;
    goOn.hidden = !write || id === null || seen.stacks.length > 1 || seen.stack.name !== "decoder";
  }

  function show() {
    const { words, rest, others } = endOf(seen), times = (i) => (drawn.length ? drawn.filter((one) => one === i).length : undefined);
    box.replaceChildren();
    const rows = words.map((word, i) => ({ ...word, times: times(i) }));
    if (others) rows.push({ word: `${others.toLocaleString("en")} other tokens`, probability: rest, times: times(-1) });
    drawSaid(caption(box, "the most likely tokens", 1, seen), rows);
  }

  return {
    draw(now) {
      root.hidden = !now?.stack.end;
      if (root.hidden) return;
      seen = now;
      const isNew = JSON.stringify([seen.stack.tokens, seen.token, seen.temperature]);
      if (isNew !== of) {
        [drawn, of] = [[], isNew];
        propose(null);
        outcome.textContent = "";
      }
      heat.draw(Math.round(10 * seen.temperature));
      show();
    },
    sentence(now) {
      const { stack, temperature } = now;
      if (!stack.end) return encoded(now);
      const { words: [first] } = endOf(now), where = stack.name === "decoder" ? "comes next" : "stands here";
      const how = temperature ? `at temperature ${temperature}` : "at temperature 0 the most likely token is always taken";
      return `Most likely, ‘${first.word}’ ${where}: ${percent(first.probability)} (${how}).`;
    },
  };
}

function encoded({ stack, stacks, name, size }) {
  const use = stacks.length > 1 ? "the decoder reads it in its cross-attention" : "this model predicts nothing from it by itself";
  return `The vector of ‘${name}’, now of size ${short(size(stack.steps.length - 1).after)}, is ready: ${use}.`;
}

// The formula of `ending` in model_tour.py: probabilities of the most likely tokens, and of all others together.
export function endOf({ stack, token, temperature }) {
  const { ids, logits, log_sums } = stack.end, wanted = stack.follows[token];
  const log_sum = log_sums[Math.round(10 * temperature)][token];
  const words = ids[token].map((id, i) => ({
    word: stack.words[id], id: stack.word_ids[id], follows: id === wanted,
    probability: temperature ? Math.exp(logits[token][i] / temperature - log_sum) : i ? 0 : 1,
  }));
  const rest = Math.max(0, 1 - words.reduce((sum, { probability }) => sum + probability, 0));
  return { words, rest, others: stack.n_words - words.length };
}

// The number of the word that u, from 0 to 1, falls on; -1 for one of the others.
function pick(words, u) {
  let sum = 0;
  return words.findIndex(({ probability }) => (sum += probability) > u);
}

// ModelTour: a text, its tokens, and the stations that one token's vector passes. Traits: see model_tour.py.

import { canDraw } from "./attention_letters.js";
import { decodeHalves } from "./attention_numbers.js";
import { choose, html, once, speaker, stage, watch } from "./kit.js";
import { textField } from "./text_field.js";
import { overview, percent } from "./tour_overview.js";
import { endOf, stationPanel } from "./tour_station.js";

const WHO = { encoder: "the encoder reads", decoder: "the decoder has written" };

// The stacks, with their tokens in letters that this browser can draw.
function readable(stacks, latin) {
  const write = (texts) => texts.map((text) => (canDraw(text) ? text : latin[text] ?? text));
  return stacks.map((stack) => ({
    ...stack, tokens: write(stack.tokens), words: write(stack.words),
    keys: Object.fromEntries(Object.entries(stack.keys).map(([part, keys]) => [part, write(keys)])),
  }));
}

// What is shown now: the stack that is followed, the token in it, and the station.
function seenIn(model, stacks, weights) {
  const stack = stacks.find(({ name }) => name === model.get("stack")) ?? stacks[0];
  const token = Math.min(model.get("token"), stack.tokens.length - 1);
  const station = Math.min(model.get("station"), stack.steps.length);
  const head = model.get("head"), { n_heads: H, tokens: { length: T } } = stack;
  // What a token reads in one block, by one head or (null) by all on average: one weight for each key.
  function row(block, part, head) {
    const isCausal = stack.causal && part === "attention"; // then each row holds the keys up to its own
    const S = isCausal ? token + 1 : stack.keys[part].length, size = isCausal ? (T * (T + 1)) / 2 : T * S;
    const first = stack.starts[part] + (isCausal ? (token * (token + 1)) / 2 : token * S);
    const rowOf = (h) => weights.subarray(first + (block * H + h) * size, first + (block * H + h) * size + S);
    if (head !== null) return [...rowOf(head)];
    const rows = Array.from({ length: H }, (_, h) => rowOf(h));
    return Array.from({ length: S }, (_, key) => rows.reduce((sum, one) => sum + one[key], 0) / H);
  }
  // What could be said after a step: [{ word, probability, follows }], the most likely first; null where nothing can.
  function said(step) {
    if (!stack.said) return null;
    const { ids, probabilities } = stack.said, wanted = stack.follows[token];
    return ids[step][token].map((id, i) => (
      { word: stack.words[id], probability: probabilities[step][token][i], follows: id === wanted }));
  }
  const { sizes } = stack;
  // The sizes of the vector before a step, of what is added, of the sum, and after the step.
  const size = (step) => ({
    before: step ? sizes.after[step - 1][token] : sizes.start[token], added: sizes.added[step][token],
    sum: sizes.sum[step][token], after: sizes.after[step][token], cosine: sizes.cosine[step][token],
  });
  return { stacks, stack, token, station, head, row, said, size, name: stack.tokens[token],
    temperature: model.get("temperature"), lessons: model.get("lessons"), latin: model.get("romanised") };
}

function render({ model, el }) {
  const root = stage(el, "tl-explorer tl-tour");
  const drawText = textField(root, model, "input", () => model.get("about"));
  const lines = html(root, "div", { class: "lines" }), body = html(root, "div", { class: "body" });
  const go = (changes) => choose(model, changes);
  const write = model.send ? (id, after) => model.send({ write: id, after }) : null; // the kernel goes on with a token
  const drawOverview = overview(body, go), drawStation = stationPanel(body, go, write), say = speaker(root);
  let weights, stacks, given;

  function draw() {
    if (given !== model.get("stacks")) {
      given = model.get("stacks");
      [stacks, weights] = [readable(given, model.get("romanised")), decodeHalves(model.get("weights"))];
    }
    drawText();
    const seen = seenIn(model, stacks, weights);
    drawLines(lines, seen, go);
    drawOverview(seen);
    say(drawStation(seen));
  }
  const names = ["stacks", "weights", "text", "heard", "message", "stack", "token", "station", "head", "temperature"];
  return watch(model, names, once(draw));
}

// The tokens of each stack: choose the one to follow.
function drawLines(parent, seen, go) {
  const { stacks, stack, token, latin } = seen;
  const had = parent.contains(document.activeElement);
  parent.replaceChildren();
  for (const one of stacks) {
    const line = html(parent, "div", { class: "line" });
    html(line, "span", { class: "who" }, `${whoReads(one, stacks)}:`);
    const group = html(line, "div", { class: "tokens", role: "radiogroup", "aria-label": `follow a token that ${whoReads(one, stacks)}` });
    one.tokens.forEach((text, i) => {
      const chosen = one === stack && i === token;
      const chip = html(group, "button", { type: "button", class: "chip", role: "radio", "aria-checked": chosen,
        tabindex: chosen || (one !== stack && i === 0) ? 0 : -1, title: latin[text] ?? "" }, text);
      const station = one === stack ? {} : { station: 0 };
      chip.addEventListener("click", () => go({ stack: one.name, token: i, ...station }));
      if (chosen && had) chip.focus({ preventScroll: true });
    });
    group.addEventListener("keydown", (event) => {
      const move = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!move) return;
      event.preventDefault();
      const from = one === stack ? token : 0, to = (from + move + one.tokens.length) % one.tokens.length;
      go({ stack: one.name, token: to, ...(one === stack ? {} : { station: 0 }) });
    });
    if (one === stack && one.name === "decoder" && one.end) drawNext(line, seen, go);
  }
}

// What most likely comes next, behind the tokens: where the journey leads.
function drawNext(line, { stack, name, ...seen }, go) {
  const { word, probability } = endOf({ stack, ...seen }).words[0], text = `→ ${word} (${percent(probability)})`;
  const label = `after ‘${name}’, most likely ‘${word}’: ${percent(probability)}. Go to the last station`;
  const next = html(line, "button", { type: "button", class: "next", title: label, "aria-label": label }, text);
  next.addEventListener("click", () => go({ station: stack.steps.length }));
}

const whoReads = ({ name }, stacks) => (stacks.length > 1 ? WHO[name] : "the model reads");

export default { render };

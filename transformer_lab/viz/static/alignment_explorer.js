// What a translator reads while it writes, as it learns. Traits: see alignment_explorer.py.

import { inLetters } from "./in_letters.js";
import { choose, html, menu, once, panel, set, slider, speaker, stage, watch } from "./kit.js";
import { textField } from "./text_field.js";

const READS = [["own", "what it has written itself"], ["given", "the right translation"]];
const NAMES = ["readings", "packed", "key_labels", "right", "romanised", "text", "heard", "message", "step", "head", "reads"];
const inPercent = (weight) => String(Math.round(100 * weight));

// The weights (row, column) of one head of a reading, or the mean of all.
function weightsOf(model, { offset, labels }) {
  const { buffer, byteOffset, byteLength } = model.get("packed"), all = new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
  const T = labels.length, S = model.get("key_labels").length, H = model.get("n_heads"), head = model.get("head");
  const heads = head ? [head - 1] : Array.from({ length: H }, (_, h) => h);
  return labels.map((_, t) => Array.from({ length: S }, (__, s) => (
    heads.reduce((sum, h) => sum + all[offset + (h * T + t) * S + s], 0) / heads.length)));
}

function render({ model, el }) {
  const root = stage(el, "tl-explorer tl-alignment"), steps = model.get("steps"), H = model.get("n_heads");
  const drawText = textField(root, model, "input", () => about(model));
  const quoted = model.send ? null : html(root, "blockquote");
  const body = html(root, "div", { class: "body" }), controls = html(body, "div", { class: "controls" });
  const stepSlider = slider(controls, "training step", { min: 0, max: steps.length - 1 }, (i) => choose(model, { step: steps[i] }));
  const named = [[0, `mean of ${H} heads`], ...Array.from({ length: H }, (_, h) => [h + 1, `head ${h + 1}`])];
  const heads = H > 1 && menu(controls, "show", named, (head) => choose(model, { head: Number(head) }));
  const reads = menu(controls, "the decoder reads", READS, (name) => choose(model, { reads: name }));
  const panels = html(body, "div", { class: "panels" });
  const drawGrid = grid(panels, model), drawTexts = textsOf(panels, model, steps);
  const readOut = html(body, "div", { class: "read-out" }), say = speaker(root);

  function draw() {
    drawText();
    if (quoted) quoted.textContent = model.get("heard");
    const n = steps.indexOf(model.get("step")), reading = model.get("readings")[model.get("reads")]?.[n];
    if (!reading) return; // the rest of a change is on its way
    stepSlider.draw(n);
    stepSlider.shown.textContent = steps[n].toLocaleString("en");
    set(stepSlider.input, { "aria-valuetext": String(steps[n]) });
    if (heads) heads.draw(model.get("head"));
    reads.draw(model.get("reads"));
    reads.box.hidden = !model.get("readings").given;
    const weights = weightsOf(model, reading);
    drawGrid(weights, reading);
    drawTexts(n);
    readOut.textContent = verdict(model, weights, reading);
    say(`${readOut.textContent} It writes: ${model.get("readings").own[n].text}`);
  }
  return watch(model, NAMES, once(draw));
}

function about(model) {
  const known = model.get("right") ? "its translation is known" : "its translation is not among the known pairs";
  return `${model.get("key_labels").length} tokens; ${known}`;
}

const largest = (row) => row.reduce((best, weight, s) => (weight > row[best] ? s : best), 0);

function verdict(model, weights, { gold }) {
  const head = model.get("head"), H = model.get("n_heads");
  const who = `After ${model.get("step").toLocaleString("en")} steps, ${head ? `head ${head}` : H > 1 ? `mean of ${H} heads` : "one head"}: `;
  const known = gold.flatMap((at, t) => (at === null ? [] : [[at, t]]));
  if (!known.length) return `${who}for none of these rows is it known what they translate.`;
  const met = known.filter(([at, t]) => largest(weights[t]) === at).length;
  return `${who}${met} of ${known.length} rows with a known alignment (framed) have their largest weight there.`;
}

// The table of weights: a row for each token written, a column for each of the text.
function grid(parent, model) {
  const section = panel(parent, "Cross-attention, last layer", "rows: the token about to be written; columns: the text; weights in per cent",
    { class: "grid" });
  const box = html(section, "div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "cross-attention" });
  return (weights, { labels, gold }) => {
    const write = (label) => inLetters(label, model.get("romanised"));
    box.replaceChildren();
    const table = html(box, "table"), head = html(html(table, "thead"), "tr"), rows = html(table, "tbody");
    html(html(head, "td"), "span", { class: "spoken" }, "written");
    for (const label of model.get("key_labels")) html(html(head, "th", { scope: "col" }), "span", {}, write(label));
    weights.forEach((row, t) => {
      const line = html(rows, "tr"), most = largest(row);
      html(line, "th", { scope: "row" }, write(labels[t]));
      row.forEach((weight, s) => {
        const cell = html(line, "td", { class: `${s === most ? "most" : ""}${s === gold[t] ? " gold" : ""}`,
          style: `--weight: ${(70 * weight).toFixed(1)}%` }, inPercent(weight));
        if (s === gold[t]) html(cell, "span", { class: "spoken" }, " framed");
      });
    });
  };
}

// What the models of all steps write, with the chosen one marked.
function textsOf(parent, model, steps) {
  const section = panel(parent, "What it writes by itself", "a press shows that step", { class: "texts" });
  const right = html(section, "p", { class: "right" }), list = html(section, "ol");
  const rows = steps.map((step) => {
    const one = html(html(list, "li"), "button", { type: "button" });
    html(one, "span", { class: "step" }, step.toLocaleString("en"));
    one.addEventListener("click", () => choose(model, { step }));
    return { one, text: html(one, "span", { class: "text" }) };
  });
  return (n) => {
    const write = (text) => inLetters(text, model.get("romanised")), wanted = model.get("right");
    right.textContent = wanted ? `right: ${write(wanted)}` : "";
    rows.forEach(({ one, text }, i) => {
      const own = model.get("readings").own[i].text;
      text.textContent = own ? write(own) : "(nothing)";
      if (wanted && own === wanted) text.textContent += " ✓";
      set(one, { "aria-pressed": i === n });
    });
  };
}

export default { render };

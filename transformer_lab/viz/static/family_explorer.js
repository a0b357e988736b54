// One block, four families: a config's choices, the shapes on every arrow, and all parameters counted by part.
// Traits: family, d_model, n_layers, n_heads, n_kv_heads, ff_ratio, vocab_size, tied; presets and choices are Python's.

import { html, set, stage, panel, choose, watch, slider, menu, checkbox, speaker } from "./kit.js";

const SIZES = ["d_model", "n_layers", "n_heads", "n_kv_heads", "ff_ratio", "vocab_size", "tied"];
const CHOICES = [ // what the configs differ in, and how to say it
  ["model", "stacks", { Transformer: "encoder and decoder", GPT: "decoder", BERT: "encoder" }],
  ["causal", "causal", {}],
  ["norm", "norm", { layer: "LayerNorm", rms: "RMSNorm" }],
  ["norm_position", "norm_position", { pre: "pre: x + part(norm(x))", post: "post: norm(x + part(x))" }],
  ["positions", "positions", {}],
  ["activation", "activation", {}],
  ["bias", "bias", { true: "yes", false: "no" }],
];

function divisors(n, most) {
  return Array.from({ length: Math.min(n, most) }, (_, i) => i + 1).filter((d) => n % d === 0);
}

function divisorNear(n, wanted, most) {
  return divisors(n, most).reduce((best, d) => (Math.abs(d - wanted) < Math.abs(best - wanted) ? d : best));
}

// The sums of parameters_by_part in family_explorer.py, in the order of its PARTS.
function parametersByPart(c) {
  const D = c.d_model, bias = c.bias ? 1 : 0, dHead = D / c.n_heads;
  const queries = c.n_heads * dHead, keys = c.n_kv_heads * dHead;
  const matrices = c.activation === "swiglu" ? 3 : 2;
  const two = c.model === "Transformer";
  const blocks = (two ? 2 : 1) * c.n_layers, attentions = blocks + (two ? c.n_layers : 0);
  const norm = c.norm === "rms" ? D : 2 * D;
  const norms = attentions + blocks + (c.norm_position === "pre" ? (two ? 2 : 1) : 0) + (c.norm_embeddings ? 1 : 0);
  let output = 0;
  if (c.model === "BERT")
    output = (c.pooler ? D * D + D : 0) + (c.masked_lm_head ? D * D + D + norm + c.vocab_size : 0);
  else if (!c.tie_embeddings) output = c.vocab_size * D;
  return [
    c.vocab_size * D,
    D * ((c.positions === "learned" ? c.max_len : 0) + c.n_segments),
    attentions * (2 * D * queries + 2 * D * keys + bias * (queries + 2 * keys + D)),
    blocks * (matrices * D * c.d_ff + bias * ((matrices - 1) * c.d_ff + D)),
    norms * norm,
    output,
  ];
}

function grouped(n) {
  return n.toLocaleString("en-US");
}

function render({ model, el }) {
  const presets = model.get("presets"), choices = model.get("choices");
  const root = stage(el, "tl-explorer tl-family");
  const controls = html(root, "div", { class: "controls" });
  const families = menu(controls, "family", Object.keys(presets), (family) => {
    const p = presets[family];
    const sizes = Object.fromEntries(SIZES.map((name) => [name, name === "tied" ? p.tie_embeddings : p[name]]));
    choose(model, { family, ...sizes });
  });
  const last = (list) => list.length - 1;
  const listed = (text, list, trait, write) =>
    slider(controls, text, { min: 0, max: last(list) }, (i) => choose(model, snapped({ [trait]: list[i] })), (i) => write(list[i]));
  const width = listed("d_model", choices.widths, "d_model", grouped);
  const layers = slider(controls, "layers L", { min: 1, max: choices.most_layers }, (n_layers) => choose(model, { n_layers }));
  const heads = slider(controls, "heads H", { min: 0, max: 1 }, (i) => choose(model, snapped({ n_heads: headList()[i] })),
    (i) => String(headList()[i] ?? ""));
  const keys = slider(controls, "heads of k, v", { min: 0, max: 1 }, (i) => choose(model, { n_kv_heads: keyList()[i] ?? 1 }),
    (i) => String(keyList()[i] ?? ""));
  const ratio = listed("d_ff / d_model", choices.ratios, "ff_ratio", (r) => String(Number(r.toFixed(2))));
  const vocabulary = listed("vocabulary", choices.vocabularies, "vocab_size", grouped);
  const tied = checkbox(controls, "output tied to the embedding", (value) => choose(model, { tied: value }));

  const panels = html(root, "div", { class: "panels" });
  const first = panel(panels, "1 What the config says", "bold: different from GPT-2");
  const table = html(html(first, "table"), "tbody");
  const cells = CHOICES.map(([, name]) => {
    const row = html(table, "tr");
    html(row, "th", { scope: "row" }, name);
    return html(row, "td");
  });
  html(first, "h4", { class: "weights" }, "Its weights, for each block");
  const matrices = html(html(first, "table"), "tbody");
  const second = panel(panels, "2 One block, with shapes", "");
  const shapesOf = second.querySelector("small");
  const drawing = html(second, "div", { class: "block" });
  const third = panel(panels, "3 Parameters", "each part, all layers together");
  const list = html(html(third, "table", { class: "bars" }), "tbody");
  const bars = choices.parts.map((name, i) => {
    const row = html(list, "tr");
    html(row, "th", { scope: "row" }, name);
    const number = html(row, "td", { class: "number" });
    const share = html(row, "td", { class: "share" });
    const track = html(html(html(list, "tr", { "aria-hidden": "true" }), "td", { colspan: 3, class: "bar" }), "div");
    return { number, share, bar: html(track, "div", { style: `background: ${choices.colours[i]}` }) };
  });
  const foot = html(list, "tr", { class: "total" });
  html(foot, "th", { scope: "row" }, "total");
  const total = html(foot, "td", { class: "number" });
  html(foot, "td", { class: "share" }, "100 %");
  const readOut = html(root, "div", { class: "read-out" });
  const say = speaker(root);

  function headList() {
    return divisors(model.get("d_model"), choices.most_heads);
  }

  function keyList() {
    return divisors(divisorNear(model.get("d_model"), model.get("n_heads"), choices.most_heads), choices.most_heads);
  }

  // With a new width or number of heads the others are moved to the nearest numbers that divide it.
  function snapped(changes) {
    const now = (name) => changes[name] ?? model.get(name);
    const n_heads = divisorNear(now("d_model"), now("n_heads"), choices.most_heads);
    const shared = model.get("n_kv_heads") === model.get("n_heads") ? n_heads : now("n_kv_heads");
    return { ...changes, n_heads, n_kv_heads: divisorNear(n_heads, shared, choices.most_heads) };
  }

  function config() {
    const preset = presets[model.get("family")], d_model = model.get("d_model");
    const n_heads = divisorNear(d_model, model.get("n_heads"), choices.most_heads);
    return { ...preset, d_model, n_heads, n_layers: model.get("n_layers"), vocab_size: model.get("vocab_size"),
      n_kv_heads: divisorNear(n_heads, model.get("n_kv_heads"), choices.most_heads),
      d_ff: Math.round(model.get("ff_ratio") * d_model), tie_embeddings: model.get("tied") };
  }

  function draw() {
    const c = config();
    families.draw(model.get("family"));
    width.draw(choices.widths.indexOf(c.d_model));
    layers.draw(c.n_layers);
    set(heads.input, { max: last(headList()) });
    heads.draw(headList().indexOf(c.n_heads));
    set(keys.input, { max: Math.max(1, last(keyList())) });
    keys.input.disabled = keyList().length < 2;
    keys.draw(keyList().indexOf(c.n_kv_heads));
    ratio.draw(choices.ratios.findIndex((r) => Math.abs(r - model.get("ff_ratio")) < 1e-3));
    vocabulary.draw(choices.vocabularies.indexOf(c.vocab_size));
    tied.draw(c.tie_embeddings);
    tied.input.disabled = c.model === "BERT"; // it has no output layer of its own

    CHOICES.forEach(([name, , words], i) => {
      const value = String(c[name]);
      cells[i].textContent = words[value] ?? value;
      cells[i].className = value === String(presets["GPT-2 small"][name]) ? "" : "other";
    });
    shapesOf.textContent = c.model === "Transformer" ? "a block of the decoder; the encoder's has no cross-attention" : "L of them, one after the other";
    drawBlock(c);
    listMatrices(c);
    const parts = parametersByPart(c), sum = parts.reduce((a, b) => a + b), most = Math.max(...parts);
    parts.forEach((size, i) => {
      bars[i].number.textContent = grouped(size);
      bars[i].share.textContent = `${((100 * size) / sum).toFixed(1)} %`;
      bars[i].bar.style.width = `${(100 * size) / most}%`;
    });
    total.textContent = grouped(sum);
    readOut.textContent = `${model.get("family")}: ${grouped(sum)} parameters, ${((2 * sum) / 1e6).toFixed(1)} MB in 16 bits. ` +
      `Embedding, positions and output are ${((100 * (parts[0] + parts[1] + parts[5])) / sum).toFixed(1)} % of them.`;
    say(readOut.textContent);
  }

  function drawBlock(c) {
    drawing.replaceChildren();
    const dHead = c.d_model / c.n_heads, norm = c.norm === "rms" ? "RMSNorm" : "LayerNorm", D = grouped(c.d_model);
    const heads = (keys) => [`q (B, ${c.n_heads}, T, ${dHead})`, `k, v (B, ${c.n_kv_heads}, ${keys}, ${dHead})`,
      `weights (B, ${c.n_heads}, T, ${keys})`].join("\n");
    const halves = [["attention", "self-attention", heads("T")]];
    if (c.model === "Transformer") halves.push(["attention", "cross-attention to the encoder's output", heads("S")]);
    const gate = c.activation === "swiglu" ? ", times a gate" : "";
    halves.push(["feed-forward", `feed-forward, ${c.activation}`, `hidden (B, T, ${grouped(c.d_ff)})${gate}`]);
    arrow(`x (B, T, ${D})`);
    for (const [kind, name, inside] of halves) {
      const branch = html(drawing, "div", { class: "branch" });
      if (c.norm_position === "pre") box(branch, "norms", norm, "");
      box(branch, kind, name, inside);
      html(drawing, "div", { class: "plus" }, "⊕ the part's output is added to x");
      if (c.norm_position === "post") box(drawing, "norms", norm, "");
      arrow(`x (B, T, ${D})`);
    }
  }

  // The shapes as nn.Linear keeps them: (outputs, inputs).
  function listMatrices(c) {
    const D = c.d_model, keys = (c.n_kv_heads * D) / c.n_heads, times = c.model === "Transformer" ? ", twice in the decoder" : "";
    const rows = [[`W_Q, W_O${times}`, D, D], [`W_K, W_V${times}`, keys, D], ["W_1", c.d_ff, D]];
    if (c.activation === "swiglu") rows.push(["W_gate", c.d_ff, D]);
    rows.push(["W_2", D, c.d_ff]);
    matrices.replaceChildren();
    for (const [name, outputs, inputs] of rows) {
      const row = html(matrices, "tr");
      html(row, "th", { scope: "row" }, name);
      html(row, "td", {}, `(${grouped(outputs)}, ${grouped(inputs)})`);
    }
  }

  function box(parent, kind, name, inside) {
    const colour = choices.colours[choices.parts.indexOf(kind)];
    const made = html(parent, "div", { class: "box", style: `border-color: ${colour}` });
    html(made, "b", {}, name);
    if (inside) html(made, "small", {}, inside);
  }

  function arrow(text) {
    html(drawing, "div", { class: "arrow" }, `↓ ${text}`);
  }

  return watch(model, ["family", ...SIZES], draw);
}

export default { render };

// AttentionView's controls, in one line above all else: first what is shown, then how. Each is there only where there is a
// choice.

import { PALETTES } from "./attention_colours.js";
import { lossCurve } from "./attention_curve.js";
import { digits } from "./attention_numbers.js";
import { checkbox, html, labelled, menu, set, slider } from "./kit.js";

const TYPING = 350; // ms without a key that end it

// A text to type, the kind of attention, the layer, the step of training; then how they are shown.
export function controls(parent, state) {
  const root = html(parent, "div", { class: "controls" });
  if (state.get("text") !== undefined) textField(root, state);
  const menus = html(root, "div", { class: "menus" });
  switches(root, state);
  let drawn = [];
  state.on("data", () => {
    menus.replaceChildren();
    drawn = [partMenu, layerMenu, training].map((make) => make(menus, state)).filter(Boolean);
  });
  const draw = () => drawn.forEach((one) => one());
  state.on("shown", draw);
  state.on("selection", draw);
}

// A text to type: the kernel reads it again once the reader pauses. An error stands below; the picture stays.
function textField(parent, state) {
  const root = html(parent, "div", { class: "text-field" }), field = document.createElement("textarea");
  Object.assign(field, { rows: 1, spellcheck: false });
  labelled(root, "text", field);
  const message = html(root, "div", { class: "message", role: "alert" });
  let timer = null;
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      timer = null;
      state.set("text", field.value);
    }, TYPING);
  });
  function draw() {
    if (timer === null && field.value !== state.get("text")) field.value = state.get("text"); // not under the fingers
    message.textContent = state.get("message");
    message.hidden = !message.textContent;
  }
  draw();
  state.on("text", draw);
}

// Each of these gives what shows the choice, or nothing where there is none to make.
function partMenu(parent, state) {
  if (state.parts.length < 2) return null;
  const made = menu(parent, "attention", state.parts.map(({ name }) => name), (name) => state.choosePart(name));
  return () => made.draw(state.get("part"));
}

function layerMenu(parent, state) {
  if (state.onlyLayer === null) return null;
  const { shape } = state.parts.find(({ name }) => name === state.get("part")), hasKernel = Boolean(state.model.send);
  const blocks = Array.from({ length: shape[0] }, (_, layer) => [layer, `${layer + 1}`]);
  const made = menu(parent, "block", blocks, (layer) => state.choose({ layer: Number(layer) }));
  made.input.disabled = !hasKernel;
  const size = shape.reduce((product, one) => product * one, 1).toLocaleString("en");
  const why = hasKernel ? "one block at a time" : `this page holds block ${state.onlyLayer + 1} alone`;
  html(parent, "span", { class: "soft" }, `${size} weights are more than a browser can hold: ${why}`);
  return () => made.draw(state.selection.layer);
}

function training(parent, state) {
  const { steps } = state, show = (step) => state.set("step", step);
  if (steps.length < 2) return null;
  const said = (i, between) => `step ${steps[i].step}${between}loss ${digits(steps[i], "loss")}`;
  const made = slider(parent, "training", { min: 0, max: steps.length - 1 }, show, (i) => said(i, " \u00b7 "));
  set(made.shown, { class: "soft step", "aria-live": "off" }); // the slider itself says it
  const drawCurve = lossCurve(parent, steps, show);
  return () => {
    const i = state.get("step");
    made.draw(i);
    set(made.input, { "aria-valuetext": said(i, ", ") });
    drawCurve(i);
  };
}

// How it is shown.
function switches(parent, state) {
  const root = html(parent, "div", { class: "switches" });
  menu(root, "follow", ["the query: what it reads", "the key: who reads it"], (choice) => {
    state.byKey = state.followsKey = choice.startsWith("the key");
    state.tell("hot");
  });
  checkbox(root, "arcs", (checked) => {
    state.withArcs = checked;
    state.tell("hot");
  });
  const firstKey = checkbox(root, "hide the first key", (checked) => {
    state.firstKeyHidden = checked;
    state.show();
  });
  const measures = menu(root, "measure", ["weight", "weight x value norm"], (choice) => state.set("measure", choice));
  const palettes = menu(root, "colours", Object.keys(PALETTES), (choice) => state.set("palette", choice));
  state.on("shown", () => {
    firstKey.box.hidden = state.signed || state.S === 1;
    measures.box.hidden = state.part.value_norms === null;
    palettes.box.hidden = state.signed;
    measures.draw(state.get("measure"));
    palettes.draw(state.get("palette"));
  });
}

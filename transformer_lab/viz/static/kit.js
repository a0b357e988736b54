// What all widgets are built from: elements, labelled controls, and the traits that Python and the browser share.

const SVG = "http://www.w3.org/2000/svg";

export function html(parent, tag, attributes = {}, text = "") {
  return add(parent, document.createElement(tag), attributes, text);
}

export function svg(parent, tag, attributes = {}, text = "") {
  return add(parent, document.createElementNS(SVG, tag), attributes, text);
}

function add(parent, node, attributes, text) {
  set(node, attributes);
  if (text !== "") node.textContent = text; // never innerHTML: text from outside is data
  parent.append(node);
  return node;
}

export function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
}

export function signed(number, digits = 0) {
  return (Number(number.toFixed(digits)) + 0).toFixed(digits).replace("-", "−"); // and no minus before zero
}

// JupyterLab leaves all keys to this control: its own single keys (b: new cell) and arrows are not meant here.
export function keepKeys(control) {
  control.setAttribute("data-lm-suppress-shortcuts", "true");
  control.addEventListener("keydown", (event) => event.stopPropagation());
  return control;
}

// Set traits, in every view and in Python.
export function choose(model, changes) {
  for (const [name, value] of Object.entries(changes)) model.set(name, value);
  model.save_changes();
}

// Draw now and whenever one of these traits changes; gives what ends it, for render to return.
export function watch(model, names, draw) {
  for (const name of names) model.on(`change:${name}`, draw);
  draw();
  return () => names.forEach((name) => model.off(`change:${name}`, draw));
}

let count = 0;
function labelled(parent, text, control) {
  const box = html(parent, "div", { class: "control" });
  control.id = `tl-explorer-${Date.now().toString(36)}-${count++}`; // unique, also beside another explorer's
  html(box, "label", { for: control.id }, text);
  box.append(keepKeys(control));
  return box;
}

// A labelled slider with its value beside it. draw(value) shows a value; change(value) is called when the reader moves it.
export function slider(parent, text, { min, max, step = 1 }, change, write = String) {
  const input = document.createElement("input");
  set(input, { type: "range", min, max, step });
  const shown = html(labelled(parent, text, input), "output", { for: input.id });
  input.addEventListener("input", () => change(Number(input.value)));
  return {
    input,
    draw(value) {
      input.value = value;
      shown.textContent = write(value);
      input.setAttribute("aria-valuetext", write(value));
    },
  };
}

// A labelled choice among names. options: [[value, name], ...] or [name, ...].
export function menu(parent, text, options, change) {
  const input = document.createElement("select");
  for (const option of options) {
    const [value, name] = Array.isArray(option) ? option : [option, option];
    html(input, "option", { value }, name);
  }
  labelled(parent, text, input);
  input.addEventListener("change", () => change(input.value));
  return { input, draw: (value) => (input.value = value) };
}

export function checkbox(parent, text, change) {
  const input = document.createElement("input");
  set(input, { type: "checkbox" });
  labelled(parent, text, input);
  input.addEventListener("change", () => change(input.checked));
  return { input, draw: (value) => (input.checked = value) };
}

export function button(parent, text, press) {
  const made = keepKeys(html(parent, "button", { type: "button" }, text));
  made.addEventListener("click", press);
  return made;
}

// Says a text aloud once the reader pauses, so that dragging does not speak at every step.
export function speaker(parent) {
  const spoken = html(parent, "div", { class: "spoken", "aria-live": "polite" });
  let timer = null;
  return (text) => {
    clearTimeout(timer);
    timer = setTimeout(() => (spoken.textContent = text), 800);
  };
}

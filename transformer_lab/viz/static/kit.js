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

// The element that a widget stands in. JupyterLab's own single keys (b: new cell, d d: delete this one) and arrows are
// not meant while the focus is in here; what is held with Ctrl, Cmd or Alt still is.
export function stage(el, name) {
  const root = html(el, "div", { class: `tl-widget ${name}` });
  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });
  return root;
}

// A section with a heading, and below it in small letters what it is about.
export function panel(parent, title, about, attributes = {}) {
  const section = html(parent, "section", attributes);
  html(html(section, "h4", {}, title), "small", {}, about);
  return section;
}

export function signed(number, digits = 0) {
  return (Number(number.toFixed(digits)) + 0).toFixed(digits).replace("-", "−"); // and no minus before zero
}

// Set traits, in every view and in Python.
export function choose(model, changes) {
  for (const [name, value] of Object.entries(changes)) model.set(name, value);
  model.save_changes();
}

// Call listeners at the model's events, [[event, listener], ...]; gives what ends that.
export function listen(model, events) {
  for (const [event, listener] of events) model.on(event, listener);
  return () => events.forEach(([event, listener]) => model.off(event, listener));
}

// Draw now and whenever one of these traits changes; gives what ends it, for render to return.
export function watch(model, names, draw) {
  const end = listen(model, names.map((name) => [`change:${name}`, draw]));
  draw();
  return end;
}

// run, but once for all calls of one moment, when that is over: one update changes several traits.
export function once(run) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    queueMicrotask(() => {
      waiting = false;
      run();
    });
  };
}

const PATIENCE = 10_000; // ms after which a reader is told that there may be no kernel, or one that knows nothing of this
const NO_ANSWER = "No answer yet. If no other cell is running, run this one again.";

// Gives show(waits, otherwise): says `waiting` while the kernel is waited for, soon that it may not answer, or `otherwise`.
export function patience(say, waiting = "waiting for the kernel") {
  let timer = null;
  return (waits, otherwise = "") => {
    clearTimeout(timer);
    say(waits ? waiting : otherwise);
    if (waits) timer = setTimeout(() => say(NO_ANSWER), PATIENCE);
  };
}

// Keep the words of a drawing, `width` units wide, 12 pixels high on a wide page, and readable on a narrow one: --tick.
export function keepLegible(drawing, width) {
  new ResizeObserver(() => {
    drawing.style.setProperty("--tick", `${Math.min(21, (12 * width) / (drawing.clientWidth || width))}px`);
  }).observe(drawing);
}

let count = 0;
// A control behind its name, in a box of their own.
export function labelled(parent, text, control) {
  const box = html(parent, "div", { class: "control" });
  control.id = `tl-${Date.now().toString(36)}-${count++}`; // unique, also beside another widget's
  html(box, "label", { for: control.id }, text);
  box.append(control);
  return box;
}

// A labelled slider with its value beside it. draw(value) shows a value; change(value) is called when a reader moves it.
export function slider(parent, text, { min, max, step = 1 }, change, write = String) {
  const input = document.createElement("input");
  set(input, { type: "range", min, max, step });
  const box = labelled(parent, text, input), shown = html(box, "output", { for: input.id });
  input.addEventListener("input", () => change(Number(input.value)));
  return {
    input, box, shown,
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
  const box = labelled(parent, text, input);
  input.addEventListener("change", () => change(input.value));
  return { input, box, draw: (value) => (input.value = value) };
}

export function checkbox(parent, text, change) {
  const input = document.createElement("input");
  set(input, { type: "checkbox" });
  const box = labelled(parent, text, input);
  input.addEventListener("change", () => change(input.checked));
  return { input, box, draw: (value) => (input.checked = value) };
}

export function button(parent, text, press, attributes = {}) {
  const made = html(parent, "button", { type: "button", ...attributes }, text);
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

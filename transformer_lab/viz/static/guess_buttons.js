// The options of a guess as buttons. Traits: options, guess (the first), later (one that came after it), message.
// A press is sent to Python, which keeps it and answers. Where there is no kernel no answer comes: the reader is told.

import { html, set, stage, button, watch, listen } from "./kit.js";

const SOON = 3000; // milliseconds
const NOT_KEPT = "No answer from Python yet: this guess is not kept. If the kernel was restarted, run the cells above and this one, then choose again.";
const STEPS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };

function render({ model, el }) {
  const root = stage(el, "tl-guess");
  const row = html(root, "div", { class: "options", role: "group", "aria-label": "your guess" });
  const buttons = model.get("options").map((option) => button(row, option, () => press(option)));
  const message = html(root, "div", { class: "message", role: "status" });
  let timer = null;

  function press(option) {
    clearTimeout(timer);
    timer = setTimeout(() => (message.textContent = NOT_KEPT), SOON);
    try {
      model.send(option);
    } catch {
      // The kernel was restarted, and the channel is gone: nothing will answer.
    }
  }

  row.addEventListener("keydown", (event) => {
    const step = STEPS[event.key], at = buttons.indexOf(event.target);
    if (!step || at < 0) return;
    event.preventDefault();
    buttons.at((at + step) % buttons.length).focus();
  });

  function draw() {
    for (const one of buttons) {
      const option = one.textContent;
      set(one, { "aria-pressed": option === model.get("guess") });
      one.classList.toggle("later", option === model.get("later"));
    }
    message.textContent = model.get("message");
  }

  function answered() {
    clearTimeout(timer);
    draw();
  }

  const ends = [watch(model, ["guess", "later", "message"], draw), listen(model, [["msg:custom", answered]])];
  return () => {
    clearTimeout(timer);
    ends.forEach((end) => end());
  };
}

export default { render };

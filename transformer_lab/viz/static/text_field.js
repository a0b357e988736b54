// A text that the kernel reads: typed into a field where there is a kernel, and never shown with what another text gave.

import { choose, html, labelled, patience } from "./kit.js";

const PAUSE = 500; // ms without a key that end typing
const HALF = "The text holds half a character, which no tokenizer can read.";

// tag: "input" for one line, or "textarea". Traits: text, heard (what was read last), message (why text was not read).
// about() is a line on what is shown; name is the field's label. Gives what draws it; the parent's class says whether it
// waits or was refused.
export function textField(parent, model, tag, about, { name = "text", pause = PAUSE } = {}) {
  const root = html(parent, "div", { class: "top" });
  const line = html(root, "div", { class: "about", role: "status" });
  const message = html(root, "div", { class: "message", role: "alert" });
  const tell = patience((text) => (message.textContent = text), "");
  let field = null, typing = null;
  if (model.send) {
    field = document.createElement(tag);
    field.spellcheck = false;
    if (tag === "input") field.type = "text";
    line.before(labelled(root, name, field));
    const send = () => {
      clearTimeout(typing);
      typing = null;
      if (!field.value.isWellFormed()) choose(model, { message: HALF });
      else if (field.value !== model.get("text")) choose(model, { text: field.value, message: "" });
    };
    field.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(send, pause);
    });
    field.addEventListener("change", send);
  }
  return () => {
    const waits = model.get("text") !== model.get("heard") && !model.get("message");
    parent.classList.toggle("waiting", waits);
    if (field && typing === null && field !== document.activeElement) field.value = model.get("text");
    line.textContent = waits ? "waiting for the kernel" : about();
    parent.classList.toggle("refused", model.get("text") !== model.get("heard") && !waits);
    tell(waits, model.get("message"));
  };
}

// Does the kernel's answer belong to what was asked? Until then the view is grey; what it refuses is not shown at all.

import { html } from "./kit.js";

export function waiting(root, state) {
  const note = html(root.querySelector(".controls"), "div", { class: "soft", role: "status" });
  function draw() {
    const asked = [state.get("text"), state.get("switched_off") ?? []];
    const waits = JSON.stringify(asked) !== JSON.stringify(state.get("heard"));
    root.classList.toggle("waits", waits);
    root.classList.toggle("refused", !waits && state.get("message") !== "");
    note.textContent = waits ? "waiting for the kernel" : "";
  }
  draw();
  state.on("text", draw);
  state.on("off", draw);
}

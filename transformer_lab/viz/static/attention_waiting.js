// Does what is here belong to what was asked? Until then the view is grey; what the kernel refuses is not shown at all.

import { html, patience } from "./kit.js";

export function waiting(root, state) {
  const note = html(root.querySelector(".controls"), "div", { class: "soft", role: "status" });
  const tell = patience((text) => (note.textContent = text));
  function draw() {
    const asked = JSON.stringify([state.get("text"), state.get("switched_off") ?? []]), heard = state.get("heard");
    const waits = !state.isHere || (heard !== undefined && JSON.stringify(heard) !== asked);
    root.classList.toggle("waits", waits);
    root.classList.toggle("refused", !waits && Boolean(state.get("message")));
    tell(waits);
  }
  state.on("selection", draw);
  state.on("text", draw);
  state.on("off", draw);
}

// AttentionView in the browser: a grid of all heads, one large map to read, and what belongs to it. No dependencies, no
// requests. The same module serves a live kernel and a saved page; only a kernel can be asked for more digits, for a
// file, or to compute again.

import { arcs } from "./attention_arcs.js";
import { controls, switches } from "./attention_controls.js";
import { footer } from "./attention_footer.js";
import { legend } from "./attention_legend.js";
import { attentionMap } from "./attention_map.js";
import { overview } from "./attention_overview.js";
import { readout } from "./attention_readout.js";
import { AttentionState } from "./attention_state.js";
import { numberTable } from "./attention_table.js";
import { whatIf } from "./attention_what_if.js";
import { html, stage } from "./kit.js";

function render({ model, el }) {
  const state = new AttentionState(model), root = stage(el, "tl-attention");
  controls(root, state);
  overview(root, state);
  detail(html(root, "div", { class: "detail" }), state);
  arcs(root, state);
  if (model.get("switched_off") !== undefined) whatIf(root, state);
  numberTable(root, state);
  footer(root, state);
  const end = state.follow();
  return () => {
    end();
    root.remove();
  };
}

// One head, as large as there is room for, and what says how to read it.
function detail(parent, state) {
  const title = html(parent, "div", { class: "title" });
  state.on("selection", () => {
    title.textContent = state.isHere ? state.title : `${state.title}: loading`;
  });
  attentionMap(parent, state);
  readout(parent, state);
  legend(parent, state);
  switches(parent, state);
}

export default { render };

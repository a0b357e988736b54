// AttentionView in the browser: a grid of all heads, one large map to read, and what belongs to it. No dependencies, no
// requests. The same module serves a live kernel and a saved page; only a kernel can be asked for more digits, for a
// file, or to compute again.

import { arcs } from "./attention_arcs.js";
import { controls } from "./attention_controls.js";
import { footer } from "./attention_footer.js";
import { readImage } from "./attention_image.js";
import { legend } from "./attention_legend.js";
import { attentionMap } from "./attention_map.js";
import { overview } from "./attention_overview.js";
import { NO_PATTERN, patternExplained, patternSaid } from "./attention_patterns.js";
import { readout } from "./attention_readout.js";
import { AttentionState } from "./attention_state.js";
import { numberTable } from "./attention_table.js";
import { readText } from "./attention_text.js";
import { valueTip } from "./attention_tip.js";
import { whatIf } from "./attention_what_if.js";
import { waiting } from "./attention_waiting.js";
import { html, stage } from "./kit.js";

function render({ model, el }) {
  const state = new AttentionState(model), root = stage(el, "tl-attention");
  controls(root, state);
  readText(root, state);
  readImage(root, state);
  overview(root, state);
  detail(root, state);
  if (model.get("switched_off") !== undefined) whatIf(root, state);
  waiting(root, state);
  numberTable(root, state);
  footer(root, state);
  const end = state.follow();
  return () => {
    end();
    root.remove();
  };
}

// One head: what it is and which colour means what, its map with the read-out, and beside it the arcs.
function detail(root, state) {
  const parent = html(root, "div", { class: "detail" }), heading = html(parent, "div", { class: "heading" });
  const which = html(heading, "div"), title = html(which, "div", { class: "title" });
  const pattern = html(which, "div", { class: "pattern soft" });
  state.on("selection", () => {
    title.textContent = state.isHere ? state.title : `${state.title}: loading`;
    const { layer, head } = state.selection, found = state.patternOf(layer, head);
    pattern.textContent = found ? patternSaid(found) : state.patterns.size ? NO_PATTERN : "";
    pattern.title = found ? patternExplained(found) : "";
  });
  legend(heading, state);
  const side = html(parent, "div", { class: "map-and-arcs" }), column = html(side, "div", { class: "map-column" });
  const map = attentionMap(column, parent, state);
  readout(column, state);
  arcs(side, state);
  valueTip(root, map, state);
}

export default { render };

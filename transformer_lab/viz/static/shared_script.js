// What every widget of ours brings to a notebook: it fetches the script and the style that all of its kind share.

const PAUSE = 100, LONGEST = 10000; // milliseconds; when a notebook is opened again, models come in any order

async function fetched(manager, id) {
  for (let waited = 0; ; waited += PAUSE) {
    try {
      return await manager.get_model(id);
    } catch (error) {
      if (waited >= LONGEST) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
}

function dress(name, sheet) {
  const style = document.getElementById(name) ?? document.createElement("style");
  Object.assign(style, { id: name, textContent: sheet });
  document.head.append(style);
}

async function render({ model, el, signal }) {
  const script = await fetched(model.widget_manager, model.get("_script").replace("IPY_MODEL_", ""));
  dress(model.get("_anywidget_id"), script.get("sheet"));
  const url = URL.createObjectURL(new Blob([script.get("module")], { type: "text/javascript" }));
  const { default: widget } = await import(url);
  URL.revokeObjectURL(url);
  if (!signal?.aborted) return widget.render({ model, el });
}

export default { render };

// AttentionView's first part: colours, 16-bit numbers, and which letters this browser can draw.

// matplotlib's viridis and cividis (public domain) at 33 even steps; colours between them are mixed.
export const PALETTES = {
  viridis: palette(
    "440154 470d60 48186a 482374 472d7b 453781 424086 3e4989 3b528b 375b8d 33638d 2f6b8e 2c728e 297a8e 26828e 23898e " +
    "21918c 1f988b 1fa088 22a785 28ae80 32b67a 3fbc73 4ec36b 5ec962 70cf57 84d44b 98d83e addc30 c2df23 d8e219 ece51b fde725"),
  cividis: palette(
    "00224d 00285b 002d69 043270 1a386f 273d6d 31436c 3a486b 434e6b 4b546c 52596c 595f6d 61646f 686a70 6e7073 757575 " +
    "7c7b78 848178 8b8778 938d77 9b9376 a39a74 aba072 b3a66f bbad6c c4b468 ccbb63 d5c25e dec957 e6d04f efd846 f9df3a fde737"),
};
// For differences: orange where negative, almost white at 0, blue where positive.
export const SIGNED_COLOURS = palette("9a3e00 e8842c f7f7f7 4f92cc 0b3c78");

function palette(hexes) {
  const anchors = hexes.split(" ").map((hex) => [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16)));
  return Array.from({ length: 256 }, (_, i) => {
    const at = (i / 255) * (anchors.length - 1);
    const low = Math.min(Math.floor(at), anchors.length - 2);
    return anchors[low].map((c, j) => Math.round(c + (at - low) * (anchors[low + 1][j] - c)));
  });
}

// What stands for a number: {colours, low, high}. Weights go from 0 to 1, differences from -most to most.
function colourOf(value, scale) {
  const at = Math.round((255 * (value - scale.low)) / (scale.high - scale.low));
  return scale.colours[Math.max(0, Math.min(255, at))];
}

// 16-bit floats, none infinite: 1 bit sign, 5 bits exponent, 10 bits fraction. All 65,536 are decoded once.
let decoded = null;
export function decodeHalves(view) {
  decoded ??= Float32Array.from({ length: 65536 }, (_, bits) => {
    const exponent = (bits >> 10) & 31, fraction = bits & 1023;
    const size = exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction;
    return bits >> 15 ? -size : size;
  });
  const values = new Float32Array(view.byteLength / 2);
  for (let i = 0; i < values.length; i++) values[i] = decoded[view.getUint16(2 * i, true)];
  return values;
}

export function decodeFloats(view) {
  return Float32Array.from({ length: view.byteLength / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

// Whether some font here has every character: one that none has looks like the last character of Unicode, which
// is nobody's. Each answer is kept.
const seen = new Map();
export function canDraw(text) {
  return [...text.slice(0, 60)].every((char) => {
    if (!seen.has(char)) seen.set(char, char < "\u0370" || pixels(char) !== pixels("\u{10FFFD}"));
    return seen.get(char);
  });
}
function pixels(char) {
  const canvas = Object.assign(document.createElement("canvas"), { width: 24, height: 24 });
  const pen = canvas.getContext("2d");
  pen.font = "16px system-ui, sans-serif";
  pen.fillText(char, 2, 18);
  return String(pen.getImageData(0, 0, 24, 24).data);
}

export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text; // never innerHTML: tokens are data
  return made;
}

export function svg(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// One pixel for each block of `step` x `step` numbers: the largest of them, so that no spike is lost. Weights that are
// exactly 0 stay transparent: the hatching behind them shows.
export function paint(canvas, values, n_rows, n_columns, scale, step = 1) {
  const height = Math.ceil(n_rows / step), width = Math.ceil(n_columns / step);
  canvas.width = width;
  canvas.height = height;
  let largest = values;
  if (step > 1) {
    largest = new Float32Array(width * height);
    for (let row = 0, i = 0; row < n_rows; row++) {
      const start = Math.floor(row / step) * width;
      for (let column = 0; column < n_columns; column++, i++) {
        const pixel = start + Math.floor(column / step);
        if (Math.abs(values[i]) > Math.abs(largest[pixel])) largest[pixel] = values[i];
      }
    }
  }
  const image = new ImageData(width, height), data = image.data;
  for (let pixel = 0, i = 0; pixel < width * height; pixel++, i += 4) {
    if (largest[pixel] === 0 && scale.low === 0) continue;
    const colour = colourOf(largest[pixel], scale);
    data[i] = colour[0];
    data[i + 1] = colour[1];
    data[i + 2] = colour[2];
    data[i + 3] = 255;
  }
  // A finished bitmap, not a canvas to go on drawing on: Chromium copies a hundred of the latter at the first change of
  // the page, which takes longer than drawing them.
  const drawn = new OffscreenCanvas(width, height);
  drawn.getContext("2d").putImageData(image, 0, 0);
  canvas.getContext("bitmaprenderer").transferFromImageBitmap(drawn.transferToImageBitmap());
}

export const few = (weight) => (weight === 0 ? "0 (masked)" : weight < 0.0005 ? "less than 0.001" : weight.toFixed(3));
export const many = (weight) => (weight === 0 ? "0 (masked)" : weight < 0.00001 ? weight.toExponential(3) : weight.toFixed(6));
export const difference = (digits) => (value) => `${value < 0 ? "\u2212" : value > 0 ? "+" : ""}${Math.abs(value).toFixed(digits)}`;
// A number that JSON cannot hold comes as null, and beside it what it is: {loss: null, loss_is: "infinite"}.
export const digits = (given, name, n = 3) => (given[name] === null ? given[`${name}_is`] : given[name].toFixed(n));
export const clip = (value, top) => Math.max(0, Math.min(top, value));

export function labelled(text, control) {
  const label = element("label", "control");
  control.setAttribute("aria-label", text); // the label's own text would hold every option's
  label.append(element("span", "", text), control);
  return label;
}

export function menuOf(text, options, change) {
  const select = element("select");
  select.append(...options.map((option) => Object.assign(element("option", "", option), { value: option })));
  select.addEventListener("change", () => change(select.value));
  return labelled(text, select);
}

export function checkboxOf(text, change) {
  const box = Object.assign(element("input"), { type: "checkbox" });
  box.addEventListener("change", () => change(box.checked));
  return labelled(text, box);
}

export function buttonOf(text, press) {
  const button = Object.assign(element("button", "", text), { type: "button" });
  button.addEventListener("click", press);
  return button;
}

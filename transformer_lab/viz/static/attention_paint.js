// How AttentionView draws numbers on a canvas: a pixel for each, in the colours of a scale.

import { shareOf } from "./attention_scale.js";

// One pixel for each block of `step` x `step` numbers: the largest of them, so that no spike is lost. Weights that are
// exactly 0 stay transparent: the hatching behind them shows.
export function paint(canvas, values, n_rows, n_columns, scale, step = 1) {
  const height = Math.ceil(n_rows / step), width = Math.ceil(n_columns / step);
  Object.assign(canvas, { width, height });
  const image = new ImageData(width, height), { data } = image;
  const shown = step > 1 ? largestOfBlocks(values, n_rows, n_columns, step) : values;
  for (let pixel = 0, i = 0; pixel < width * height; pixel++, i += 4) {
    if (shown[pixel] === 0 && scale.low === 0) continue;
    const colour = scale.colours[Math.round(255 * shareOf(shown[pixel], scale))];
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

function largestOfBlocks(values, n_rows, n_columns, step) {
  const width = Math.ceil(n_columns / step), largest = new Float32Array(width * Math.ceil(n_rows / step));
  for (let row = 0, i = 0; row < n_rows; row++) {
    const start = Math.floor(row / step) * width;
    for (let column = 0; column < n_columns; column++, i++) {
      const pixel = start + Math.floor(column / step);
      if (Math.abs(values[i]) > Math.abs(largest[pixel])) largest[pixel] = values[i];
    }
  }
  return largest;
}

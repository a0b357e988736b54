// AttentionView's colours: the palettes, and a picture of numbers with a pixel for each.

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

// One pixel for each block of `step` x `step` numbers: the largest of them, so that no spike is lost. Weights that are
// exactly 0 stay transparent: the hatching behind them shows.
export function paint(canvas, values, n_rows, n_columns, scale, step = 1) {
  const height = Math.ceil(n_rows / step), width = Math.ceil(n_columns / step);
  Object.assign(canvas, { width, height });
  const image = new ImageData(width, height), { data } = image;
  const shown = step > 1 ? largestOfBlocks(values, n_rows, n_columns, step) : values;
  for (let pixel = 0, i = 0; pixel < width * height; pixel++, i += 4) {
    if (shown[pixel] === 0 && scale.low === 0) continue;
    const colour = colourOf(shown[pixel], scale);
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

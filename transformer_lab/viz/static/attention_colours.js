// AttentionView's colours: the palettes.

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

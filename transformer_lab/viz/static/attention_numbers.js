// AttentionView's numbers: decoded as they come from Python, and written for the reader.

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

export const few = (weight) => (weight === 0 ? "0 (masked)" : weight < 0.0005 ? "less than 0.001" : weight.toFixed(3));
export const many = (weight) => (weight === 0 ? "0 (masked)" : weight < 0.00001 ? weight.toExponential(3) : weight.toFixed(6));
export const difference = (digits) => (value) => `${value < 0 ? "\u2212" : value > 0 ? "+" : ""}${Math.abs(value).toFixed(digits)}`;
// A number that JSON cannot hold comes as null, and beside it what it is: {loss: null, loss_is: "infinite"}.
export const digits = (given, name, n = 3) => (given[name] === null ? given[`${name}_is`] : given[name].toFixed(n));
// Blocks and heads are counted from 1 in all that is read; `selection` has their indices.
export const headName = (layer, head) => `block ${layer + 1}, head ${head + 1}`;
export const clip = (value, top) => Math.max(0, Math.min(top, value));

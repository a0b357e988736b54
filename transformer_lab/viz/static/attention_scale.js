// Which colour stands for which number: AttentionView gives each head a scale of its own.
//
// A scale is {colours, low, high, isRoot, isCut}. Differences go from -most to most, of all heads. Weights go from 0 up, and
// their colour follows their square root: among many keys all weights are small, and there a reader looks for the larger.

const FEW = 0.01, BINS = 1024;

export function scaleOfDifferences(colours, most) {
  return { colours, low: -most, high: most, isRoot: false, isCut: false };
}

// The scale ends where 1 number in 100 is left, all of which get its last colour: one key that every query reads would
// darken all others. It ends at four times the mean at least, or heads that read all keys alike would be all bright.
export function scaleOfHead(colours, numbers, limit) {
  let largest = 0, total = 0, n = 0;
  for (const number of numbers) {
    if (number === 0) continue; // masked
    largest = Math.max(largest, number);
    total += number;
    n++;
  }
  if (n === 0) return { colours, low: 0, high: 1, isRoot: true, isCut: false };
  const high = Math.min(limit, Math.max(allButFew(numbers, largest, FEW * n), (4 * total) / n));
  return { colours, low: 0, high, isRoot: true, isCut: high < 0.99 * largest };
}

// The least bound that no more than `few` of the numbers exceed, found in bins and so without sorting them.
function allButFew(numbers, largest, few) {
  const counts = new Uint32Array(BINS + 1);
  for (const number of numbers) counts[Math.ceil(BINS * Math.sqrt(number / largest))]++;
  let bin = BINS;
  for (let above = counts[bin]; above <= few; above += counts[bin]) bin--;
  return largest * (bin / BINS) ** 2;
}

// How far along the colours a number stands, 0 to 1, and which number stands there.
export function shareOf(value, { low, high, isRoot }) {
  const share = Math.max(0, Math.min(1, (value - low) / (high - low)));
  return isRoot ? Math.sqrt(share) : share;
}

export function valueAtShare(share, { low, high, isRoot }) {
  return low + (isRoot ? share ** 2 : share) * (high - low);
}

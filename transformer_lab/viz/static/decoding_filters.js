// The distribution of the next token after temperature and filters: what generation/sampling.py does, in the browser.

// logits: all, the largest first. before: probabilities at the temperature (at 0: those of the model); the first n
// tokens are kept, and `after` are their probabilities.
export function filtered(logits, { temperature, top_k, top_p, min_p }) {
  const before = softmax(logits, temperature || 1);
  let n = temperature ? before.length : 1;
  if (temperature && top_k) n = countOf(before, (_, i) => logits[i] >= logits[Math.min(top_k, n) - 1]);
  if (temperature && top_p) n = nucleus(before.subarray(0, n), top_p);
  if (temperature && min_p) n = Math.min(n, countOf(before, (p) => p >= min_p * before[0]));
  const kept = sum(before.subarray(0, n));
  return { before, n, kept, after: (i) => (i < n ? before[i] / kept : 0) };
}

// How many tokens stay: the least probable are dropped as long as they have at most 1 - p together.
function nucleus(probabilities, p) {
  const most = (1 - p) * sum(probabilities);
  let n = probabilities.length, dropped = probabilities[n - 1];
  while (n > 1 && dropped <= most) dropped += probabilities[--n - 1];
  return n;
}

function softmax(logits, temperature) {
  const powers = Float64Array.from(logits, (logit) => Math.exp((logit - logits[0]) / temperature)), total = sum(powers);
  return powers.map((power) => power / total);
}

const sum = (numbers) => numbers.reduce((total, one) => total + one, 0);

// How many from the first on are like this.
function countOf(numbers, is) {
  const end = numbers.findIndex((one, i) => !is(one, i));
  return end < 0 ? numbers.length : end;
}

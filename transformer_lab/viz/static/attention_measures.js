// What AttentionView computes from weights: other measures of what a query reads, and how far two attentions are apart.

// What a query reads of each key: the weight times the norm of what the key's value would write, |v W_O|.
// norms: S for each head of the weights, (T, S) per head.
export function timesValueNorms(weights, norms, T, S) {
  return Float32Array.from(weights, (weight, i) => weight * norms[Math.floor(i / (T * S)) * S + (i % S)]);
}

// What is left where the first key is left out: the other weights of a row, made to add up to 1 again. Many heads with
// nothing to do look at the first token, and hide what little they do besides.
export function withoutFirstKey(weights, S) {
  const rest = Float32Array.from(weights);
  for (let start = 0; start < rest.length; start += S) {
    const row = rest.subarray(start, start + S);
    row[0] = 0;
    const total = row.reduce((a, b) => a + b, 0);
    if (total > 0) row.forEach((weight, key) => (row[key] = weight / total));
  }
  return rest;
}

// Half the sum of a row's absolute differences, mean of the rows: 0 where two attentions are the same, 1 where no key
// gets weight in both (the total variation distance).
export function distance(differences, rows) {
  return differences.reduce((total, one) => total + Math.abs(one), 0) / 2 / rows;
}

// The key that query i reads most, or the query that reads key i most.
export function strongest(state, axis, i) {
  const weights = axis === "query" ? state.row(i) : Array.from({ length: state.T }, (_, query) => state.row(query)[i]);
  let best = 0;
  weights.forEach((weight, other) => {
    if (Math.abs(weight) > Math.abs(weights[best])) best = other;
  });
  return best;
}

// The largest number in size; 1 where all are 0.
export function largestOf(numbers) {
  return numbers.reduce((most, number) => Math.max(most, Math.abs(number)), 0) || 1;
}

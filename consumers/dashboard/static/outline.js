// Which of many points a line of so many pixels needs: in each column the first, the least, the greatest and the last
// (M4), so that it looks the same with fewer. Points that stand out are kept, each of them.

// Indices from `from` to `to`, both included, rising. `low` may be null; NaN and null are no points, unless they stand
// out. `odd` is 1 where a point does.
export function outline(at, high, low, odd, from, to, columns) {
  const all = to - from + 1;
  const found = [];
  if (all <= 4 * columns) {
    for (let number = from; number <= to; number++) found.push(number);
    return found;
  }
  const kept = new Uint8Array(all);
  const begin = at[from];
  const width = (at[to] - begin) / columns || 1;
  let column = -1;
  let least = 0;
  let greatest = 0;
  let last = -1;
  for (let number = from; number <= to; number++) {
    if (odd[number]) kept[number - from] = 1;
    const value = high[number];
    if (value == null) continue;
    const here = ((at[number] - begin) / width) | 0;
    if (here !== column) {
      if (last >= 0) kept[least - from] = kept[greatest - from] = kept[last - from] = 1;
      kept[number - from] = 1;
      column = here;
      least = greatest = number;
    } else {
      if (value > high[greatest]) greatest = number;
      if ((low?.[number] ?? value) < (low?.[least] ?? high[least])) least = number;
    }
    last = number;
  }
  if (last >= 0) kept[least - from] = kept[greatest - from] = kept[last - from] = 1;
  for (let number = 0; number < all; number++) if (kept[number]) found.push(from + number);
  return found;
}

// Index of the first that is not below.
export function lowerBound(at, value) {
  let low = 0;
  let high = at.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (at[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Moves places apart until none is nearer than `gap` to the next, keeping their order and staying near where
 * they were; for labels that would cover each other.
 */
export function spread(
  wanted: readonly number[],
  { gap, low, high }: { gap: number; low: number; high: number },
): number[] {
  const order = wanted.map((_, index) => index).sort((a, b) => (wanted[a] ?? 0) - (wanted[b] ?? 0));
  const places = [...wanted];
  let next = low;
  for (const index of order) {
    places[index] = Math.max(places[index] ?? 0, next);
    next = (places[index] ?? 0) + gap;
  }
  let limit = high;
  for (const index of order.reverse()) {
    places[index] = Math.min(places[index] ?? 0, limit);
    limit = (places[index] ?? 0) - gap;
  }
  return places;
}

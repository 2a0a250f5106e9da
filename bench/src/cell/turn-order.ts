/**
 * The order of one round. It starts somewhere else each round and runs backwards in every other one, so that no
 * one always comes after the same neighbour.
 */
export function turnOrder<T>(items: readonly T[], round: number): T[] {
  const start = items.length === 0 ? 0 : (round * 2) % items.length;
  const order = [...items.slice(start), ...items.slice(0, start)];
  return round % 2 === 0 ? order : order.reverse();
}

/** What the demo puts into Redis. */
export const USER_IDS = Array.from({ length: 20 }, (_, index) => String(index + 1));

/** With its user, a dashboard makes ten reads. */
export const COUNTERS = Array.from({ length: 9 }, (_, index) => `page${index + 1}`);

export function userOf(id) {
  return { name: `User ${id}`, email: `user${id}@example.org` };
}

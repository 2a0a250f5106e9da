import type { Comparison } from './compare.js';

/** `512`, `49.6 k`, `1.15 M`: three digits are as many as a benchmark is good for. */
export function count(value: number): string {
  if (value >= 999_500) return `${digits(value / 1_000_000)} M`;
  return value >= 999.5 ? `${digits(value / 1_000)} k` : digits(value);
}

/** `4.97`, `12.3`, `104`. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (value >= 99.95) return value.toFixed(0);
  return value.toFixed(value >= 9.995 ? 1 : 2);
}

/** `x 4.97` */
export function ratio(value: number): string {
  return `x ${digits(value)}`;
}

/** A ratio, with a question mark when it was not steady. */
export function comparison({ ratio: value, steady }: Comparison): string {
  return steady ? ratio(value) : `${ratio(value)} ?`;
}

/** `12.3 us`, `4.50 ms`. */
export function micros(us: number): string {
  return us >= 999.5 ? `${digits(us / 1_000)} ms` : `${digits(us)} us`;
}

/** `880 B`, `2.78 kB`. */
export function bytes(value: number): string {
  return value >= 999.5 ? `${digits(value / 1_000)} kB` : `${digits(value)} B`;
}

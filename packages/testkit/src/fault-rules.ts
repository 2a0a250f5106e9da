/** One direction of a proxied connection. */
export type Direction = 'toServer' | 'toClient';

/** One direction of a proxied connection, or both. */
export type Directions = Direction | 'both';

/** What happens to the bytes of one direction. */
export interface ChannelRule {
  /** `hold` keeps bytes for later, `drop` loses them. */
  readonly flow: 'forward' | 'hold' | 'drop';
  readonly delayMs: number;
  /** Up to so many milliseconds more, at random. Order is kept. */
  readonly jitterMs: number;
  /** Longest piece that is written at once. */
  readonly maxBytes: number;
  /** Bytes that pass before the rest is held. */
  readonly passBytes: number;
}

/** What happens to the connections of a proxy. */
export interface FaultRules {
  readonly toServer: ChannelRule;
  readonly toClient: ChannelRule;
  /** `silence`: accepted, and not connected to the server until it is over. */
  readonly onAccept: 'forward' | 'reset' | 'silence';
}

/** Bytes pass as they come. */
export const FORWARD: ChannelRule = {
  flow: 'forward',
  delayMs: 0,
  jitterMs: 0,
  maxBytes: Number.POSITIVE_INFINITY,
  passBytes: Number.POSITIVE_INFINITY,
};

/** The rules of a proxy without faults. */
export const NO_FAULTS: FaultRules = { toServer: FORWARD, toClient: FORWARD, onAccept: 'forward' };

/** New rules with a change in one direction or both; the other faults stay on. */
export function changeRules(
  rules: FaultRules,
  directions: Directions,
  change: Partial<ChannelRule>,
): FaultRules {
  const changed = (direction: Direction) =>
    directions === 'both' || directions === direction ? { ...rules[direction], ...change } : rules[direction];
  return { ...rules, toServer: changed('toServer'), toClient: changed('toClient') };
}

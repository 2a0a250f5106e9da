import { setTimeout as sleep } from 'node:timers/promises';
import type { Arena } from '../arena/arena.js';
import { endsByItself, type FaultKind } from './fault.js';

/** In every reply that is made of garbage, so that it is told apart from one of the server. */
export const GARBAGE_MARK = 'garb4ge~';

/** Faults after which nothing is as before for the connections that were open. */
const CUTS: readonly FaultKind[] = [
  {
    name: 'connections reset',
    layer: 'network',
    ms: [0, 0],
    start: async ({ arena }) => {
      await arena.proxy.call('reset');
      return endsByItself;
    },
  },
  {
    name: 'connections ended by the other side',
    layer: 'network',
    ms: [0, 300],
    start: async ({ arena }) => {
      await arena.proxy.call('halfClose');
      return healer(arena);
    },
  },
  {
    name: 'reset in the middle of a reply',
    layer: 'network',
    ms: [5, 50],
    start: async ({ arena, ms, random }) => {
      await arena.proxy.call('stallAfter', random.integer(1, 2_000), 'toClient');
      await sleep(ms);
      await arena.proxy.call('reset');
      return healer(arena);
    },
  },
  {
    name: 'replies swallowed, then reset',
    layer: 'network',
    ms: [0, 100],
    start: async ({ arena, random }) => {
      await arena.proxy.call('swallowRepliesThenReset', { afterBytes: random.integer(1, 20_000) });
      return healer(arena);
    },
  },
  {
    name: 'replies swallowed for a while',
    layer: 'network',
    ms: [100, 3_000],
    start: async ({ arena }) => {
      await arena.proxy.call('swallowReplies');
      return healer(arena);
    },
  },
  {
    name: 'garbage bytes',
    layer: 'network',
    ms: [0, 0],
    start: async ({ arena, random }) => {
      const noise = random.bytes(random.integer(0, 40)).toString('hex');
      await arena.proxy.call('garbage', `?${GARBAGE_MARK}${noise}\r\n`);
      return endsByItself;
    },
  },
];

/** Faults that connections or attempts to connect run into. */
const BLOCKADES: readonly FaultKind[] = [
  {
    name: 'connections refused',
    layer: 'network',
    ms: [100, 3_000],
    start: async ({ arena }) => {
      await arena.proxy.call('refuse');
      await arena.proxy.call('reset');
      return healer(arena);
    },
  },
  {
    name: 'connections accepted and reset',
    layer: 'network',
    ms: [100, 3_000],
    start: async ({ arena }) => {
      await arena.proxy.call('acceptAndReset');
      await arena.proxy.call('reset');
      return healer(arena);
    },
  },
  {
    name: 'connections accepted and never answered',
    layer: 'network',
    ms: [100, 3_000],
    start: async ({ arena }) => {
      await arena.proxy.call('acceptAndSilence');
      await arena.proxy.call('reset');
      return healer(arena);
    },
  },
  {
    name: 'black hole, packets come late',
    layer: 'network',
    ms: [100, 4_000],
    start: async ({ arena }) => {
      await arena.proxy.call('blackHole');
      return healer(arena);
    },
  },
  {
    name: 'connections forgotten by the network',
    layer: 'network',
    ms: [0, 0],
    recoversDuring: true,
    start: async ({ arena }) => {
      await arena.proxy.call('forgetConnections');
      return healer(arena);
    },
  },
];

/** A network that is only slow. */
const DELAYS: readonly FaultKind[] = [
  {
    name: 'slow dribble',
    layer: 'network',
    ms: [200, 2_000],
    start: async ({ arena, random }) => {
      await arena.proxy.call('split', { maxBytes: random.integer(1, 9) });
      return healer(arena);
    },
  },
  {
    name: 'slow network',
    layer: 'network',
    ms: [200, 2_000],
    keepsConnections: true,
    start: async ({ arena, random }) => {
      await arena.proxy.call('delay', { ms: random.integer(1, 100), jitterMs: random.integer(0, 100) });
      return healer(arena);
    },
  },
];

function healer(arena: Arena): () => Promise<void> {
  return () => arena.proxy.call('heal');
}

export const NETWORK_FAULTS = [...CUTS, ...BLOCKADES, ...DELAYS];

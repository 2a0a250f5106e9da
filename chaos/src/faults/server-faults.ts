import { setTimeout as sleep } from 'node:timers/promises';
import { waitUntil } from '@redis-pool/testkit';
import type { Arena } from '../arena/arena.js';
import { endsByItself, type FaultKind } from './fault.js';

/** The process of the server, killed, frozen, started again. */
const PROCESS_FAULTS: readonly FaultKind[] = [
  {
    name: 'server killed, down for a while',
    layer: 'server',
    ms: [100, 3_000],
    start: async ({ arena }) => {
      await arena.server.kill();
      return () => arena.server.restart();
    },
  },
  {
    name: 'server killed and started again',
    layer: 'server',
    ms: [0, 0],
    start: async ({ arena }) => {
      await arena.server.restart();
      return endsByItself;
    },
  },
  {
    name: 'server frozen',
    layer: 'server',
    ms: [100, 4_000],
    start: async ({ arena }) => {
      arena.server.freeze();
      return async () => arena.server.thaw();
    },
  },
  {
    name: 'server loading its data',
    layer: 'server',
    ms: [300, 2_500],
    start: async ({ arena, ms }) => {
      await compactData(arena);
      const keys = Number(await arena.admin('DBSIZE'));
      const delay = String(Math.max(1, Math.round((ms * 1_000) / keys)));
      const restarted = arena.server.restart({ args: ['--key-load-delay', delay] });
      return () => restarted;
    },
  },
];

// Otherwise each write of the run is replayed, and the time it takes has nothing to do with the number of keys.
async function compactData(arena: Arena): Promise<void> {
  await arena.admin('BGREWRITEAOF');
  const isDone = async () => !/aof_rewrite_(in_progress|scheduled):1/.test(String(await arena.admin('INFO')));
  await waitUntil(isDone, { what: 'the append-only file is rewritten', timeoutMs: 30_000 });
}

/** What the server does to its clients. */
const CLIENT_FAULTS: readonly FaultKind[] = [
  {
    name: 'CLIENT KILL of all connections',
    layer: 'server',
    ms: [0, 0],
    start: async ({ arena }) => {
      await arena.admin('CLIENT', 'KILL', 'USER', arena.user);
      return endsByItself;
    },
  },
  {
    name: 'CLIENT KILL of one connection',
    layer: 'server',
    ms: [0, 0],
    start: async ({ arena, random }) => {
      const clients = await arena.server.clients().catch(() => []);
      if (clients.length > 0) await arena.admin('CLIENT', 'KILL', 'ID', random.pick(clients).id);
      return endsByItself;
    },
  },
  {
    name: 'CLIENT KILL TYPE normal or pubsub',
    layer: 'server',
    ms: [0, 0],
    start: async ({ arena, random }) => {
      const type = random.pick(['normal', 'pubsub']);
      await arena.admin('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes');
      return endsByItself;
    },
  },
  {
    name: 'CLIENT PAUSE',
    layer: 'server',
    ms: [100, 2_500],
    start: async ({ arena, ms, random }) => {
      await arena.admin('CLIENT', 'PAUSE', ms, random.pick(['WRITE', 'ALL']));
      return endsByItself;
    },
  },
  {
    name: 'maxclients reached',
    layer: 'server',
    ms: [100, 2_000],
    start: async ({ arena }) => {
      // The one that is left is the control connection.
      await arena.admin('CONFIG', 'SET', 'maxclients', 1);
      await arena.admin('CLIENT', 'KILL', 'USER', arena.user);
      return () => raiseMaxClients(arena);
    },
  },
];

// When the control connection was lost meanwhile, somebody else may have its place.
async function raiseMaxClients(arena: Arena): Promise<void> {
  try {
    await arena.admin('CONFIG', 'SET', 'maxclients', 1_000);
  } catch {
    await arena.server.restart();
  }
}

/** A server that answers, but not with what was asked for. */
const REFUSAL_FAULTS: readonly FaultKind[] = [
  {
    name: 'out of memory',
    layer: 'server',
    ms: [100, 1_500],
    keepsConnections: true,
    start: async ({ arena }) => {
      await arena.admin('CONFIG', 'SET', 'maxmemory', '1mb');
      return async () => void (await arena.admin('CONFIG', 'SET', 'maxmemory', 0));
    },
  },
  {
    name: 'server made a replica (READONLY)',
    layer: 'server',
    ms: [100, 1_500],
    start: async ({ arena }) => {
      // Of nobody, for ever: nothing listens on that port, so its data stay.
      await arena.admin('REPLICAOF', '127.0.0.1', 1);
      return async () => void (await arena.admin('REPLICAOF', 'NO', 'ONE'));
    },
  },
  {
    name: 'SCRIPT FLUSH',
    layer: 'server',
    ms: [0, 500],
    keepsConnections: true,
    start: async ({ arena, ms }) => {
      for (const endsAt = performance.now() + ms; performance.now() <= endsAt; await sleep(50))
        await arena.admin('SCRIPT', 'FLUSH');
      return endsByItself;
    },
  },
];

export const SERVER_FAULTS = [...PROCESS_FAULTS, ...CLIENT_FAULTS, ...REFUSAL_FAULTS];

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
// The built runner: its proxy runs in a thread, which loads JavaScript.
import { runChaos } from '../dist/chaos.js';
import type { FaultKind } from '../dist/faults/fault.js';
import { textReport } from '../dist/report.js';

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));

async function chaos(...args: string[]): Promise<{ code: number; output: string }> {
  const child = spawn(process.execPath, ['--expose-gc', MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  const [code] = await once(child, 'close');
  return { code, output };
}

/** Breaks what must hold, behind the pool's back. */
const SABOTAGE: FaultKind = {
  name: 'sabotage',
  layer: 'server',
  ms: [300, 300],
  keepsConnections: true,
  start: async ({ arena }) => {
    // A write that ran twice, and one that was acknowledged and is gone.
    await arena.admin('HINCRBY', 'arg~w:0', '0', 1);
    await arena.admin('HDEL', 'arg~w:0', '1');
    await arena.admin('INCRBY', 'arg~account:0', 1);
    await arena.admin('SET', 'arg~database', '7');
    for (let index = 1; index < 20; index += 1) await arena.admin('SET', `arg~r:${index}`, 'of another key');
    await arena.admin('PUBLISH', 'arg~news', 'not a number');
    return async () => {
      for (const key of (await arena.admin('KEYS', 'arg~shift:*')) as string[]) await arena.admin('DEL', key);
    };
  },
};

/** Takes elements away until some were there. */
const THEFT: FaultKind = {
  name: 'theft',
  layer: 'server',
  ms: [300, 300],
  keepsConnections: true,
  start: async ({ arena }) => {
    let stolen = 0;
    while (stolen === 0) {
      for (const key of (await arena.admin('KEYS', 'arg~shift:*')) as string[])
        stolen += (await arena.admin('TYPE', key)) === 'list' ? Number(await arena.admin('DEL', key)) : 0;
    }
    return async () => {};
  },
};

/** Ends the server as a crash would, and leaves it there. */
const CRASH: FaultKind = {
  name: 'crash',
  layer: 'server',
  ms: [0, 0],
  start: async ({ arena }) => {
    await arena.server.kill();
    return async () => {};
  },
};

describe('a chaos run', () => {
  test('of a quarter of a minute holds everything that must hold', async () => {
    const { code, output } = await chaos('--minutes', '0.2', '--seed', '11', '--pace', '0.15');
    expect(output).toContain('Seed 11: all held.');
    expect(code).toBe(0);
    expect(Number(/faults survived +(\d+)/.exec(output)?.[1])).toBeGreaterThan(5);
  }, 90_000);

  test('sees that the server crashed, starts it again and goes on', async () => {
    const report = await runChaos({ ms: 500, seed: 6, kinds: [CRASH], pace: 1, onProgress: () => {} });
    const { violations, results } = report;
    expect([...violations.counts.keys()]).toEqual(['serverCrashes']);
    expect(violations.total).toBe(results.length);
    expect(textReport(report)).toContain('crashes of the server: redis-server ended by itself');
  }, 60_000);

  test('that is asked for nonsense says what it takes, with another exit code', async () => {
    expect((await chaos('--minutes', 'many')).code).toBe(2);
  });

  test('prints its schedule without running it', async () => {
    const runs = await Promise.all([1, 2].map(() => chaos('--seed', '3', '--plan', '40')));
    expect(runs[0]?.output.trim().split('\n')).toHaveLength(40);
    expect(runs[0]).toEqual(runs[1]);
  });

  test('sees what was broken on purpose, names the seed and the fault, and fails', async () => {
    const options = { ms: 2_500, seed: 5, kinds: [SABOTAGE, THEFT], pace: 1, onProgress: () => {} };
    const report = await runChaos(options);
    const { counts, kept } = report.violations;
    const seen = [...counts.keys()];
    const made = ['wrongReplies', 'doubleWrites', 'falseOutcomes', 'lostElements', 'brokenTransactions'];
    expect(seen).toEqual(expect.arrayContaining([...made, 'brokenMessages', 'dirtyLeases']));
    expect(kept.some(({ during }) => /^step \d+: sabotage/.test(during))).toBe(true);
    const text = textReport(report);
    expect(text).toContain('Seed 5: BROKEN');
    expect(text).toMatch(/double writes +1\n/);
  }, 60_000);
});

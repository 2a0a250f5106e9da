import { describe, expect, it } from 'vitest';
import type { Address } from '../options/resolved-options.js';
import type { SentinelAnswer } from './sentinel-replies.js';
import { askAll } from './sentinel-round.js';

const ANSWER: SentinelAnswer = { master: { host: 'm', port: 1 }, epoch: 1, replicas: [], sentinels: [] };
const never = new AbortController().signal;

const sentinels = (count: number): Address[] =>
  Array.from({ length: count }, (_, index) => ({ host: 's', port: index }));

/** Answers, fails, or is silent until it is called off, by its place. */
function asker(script: string, calledOff: number[] = []) {
  return ({ port }: Address, signal: AbortSignal): Promise<SentinelAnswer> => {
    if (script[port] === 'a') return Promise.resolve(ANSWER);
    if (script[port] === 'f') return Promise.reject(new Error('refused'));
    return new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        calledOff.push(port);
        reject(new Error('called off'));
      });
    });
  };
}

async function ask(script: string, calledOff?: number[]) {
  const startedAt = performance.now();
  const { answers, errors } = await askAll(sentinels(script.length), asker(script, calledOff), never);
  return { answers: answers.length, errors: errors.length, ms: performance.now() - startedAt };
}

describe('askAll', () => {
  it('waits for more than half, and calls off who is silent', async () => {
    const calledOff: number[] = [];
    const { answers, ms } = await ask('saa', calledOff);
    expect(answers).toBe(2);
    expect(ms).toBeLessThan(100);
    expect(calledOff).toEqual([0]);
  });

  it('waits a moment for more than half, and takes what there is', async () => {
    const calledOff: number[] = [];
    const { answers, ms } = await ask('sas', calledOff);
    expect(answers).toBe(1);
    expect(ms).toBeGreaterThan(150);
    expect(calledOff).toEqual([0, 2]);
  });

  it('waits for nobody when all have answered or failed', async () => {
    expect(await ask('faf')).toMatchObject({ answers: 1, errors: 2 });
    expect(await ask('ff')).toMatchObject({ answers: 0, errors: 2 });
  });

  it('ends with the signal', async () => {
    const controller = new AbortController();
    const asking = askAll(sentinels(2), asker('ss'), controller.signal);
    controller.abort();
    expect((await asking).errors).toHaveLength(2);
  });
});

import { describe, expect, it } from 'vitest';
import type { SentinelEndpoint } from '../options/resolved-options.js';
import { addressOf, chooseReplica, readAnswer } from './sentinel-replies.js';

const ENDPOINT: SentinelEndpoint = {
  kind: 'sentinel',
  sentinels: [],
  name: 'main',
  role: 'master',
  family: 0,
  updateSentinels: true,
  failoverDetector: true,
  enableTLSForSentinelMode: false,
};

const fields = (ip: string, flags: string) => ['name', 'x', 'ip', ip, 'port', '7', 'flags', flags];

describe('readAnswer', () => {
  it('leaves out who is down or not connected', () => {
    const replicas = [
      fields('a', 'slave'),
      fields('b', 's_down,slave'),
      fields('c', 'slave,disconnected'),
      fields('d', 'o_down,slave'),
    ];
    const sentinels = [fields('e', 'sentinel'), fields('f', 's_down,sentinel,disconnected')];
    const answer = readAnswer([['m', '6379'], ['config-epoch', '12'], replicas, sentinels], ENDPOINT);
    expect(answer).toMatchObject({ master: { host: 'm', port: 6379 }, epoch: 12 });
    expect(answer.replicas.map(({ ip }) => ip)).toEqual(['a']);
    expect(answer.sentinels).toEqual([{ host: 'e', port: 7 }]);
  });

  it('translates every address', () => {
    const natMap = { 'm:6379': { host: 'near', port: 1 }, 'e:7': { host: 'near', port: 2 } };
    const replies = [['m', '6379'], [], [], [fields('e', 'sentinel'), fields('g', 'sentinel')]];
    for (const map of [natMap, (key: string) => natMap[key as keyof typeof natMap] ?? null]) {
      const answer = readAnswer(replies, { ...ENDPOINT, natMap: map });
      expect(answer.master).toEqual({ host: 'near', port: 1 });
      expect(answer.sentinels).toEqual([
        { host: 'near', port: 2 },
        { host: 'g', port: 7 },
      ]);
    }
    const natOfReplica = { 'a:7': { host: 'near', port: 3 } };
    expect(addressOf({ ip: 'a', port: '7' }, { ...ENDPOINT, natMap: natOfReplica })).toEqual(
      natOfReplica['a:7'],
    );
  });
});

describe('chooseReplica', () => {
  const replicas = ['a', 'b', 'c'].map((ip) => ({ ip, port: '7' }));

  it('takes any without a preference, and each of them sometimes', () => {
    const chosen = new Set(Array.from({ length: 200 }, () => chooseReplica(replicas, ENDPOINT)?.ip));
    expect([...chosen].sort()).toEqual(['a', 'b', 'c']);
    expect(chooseReplica([], ENDPOINT)).toBeUndefined();
  });

  it('takes the best of those that are preferred and up', () => {
    const preferredSlaves = [
      { ip: 'b', port: '7', prio: 2 },
      { ip: 'gone', port: '7', prio: 0 },
      { ip: 'c', port: '7' },
    ];
    expect(chooseReplica(replicas, { ...ENDPOINT, preferredSlaves })?.ip).toBe('c');
    expect(chooseReplica(replicas, { ...ENDPOINT, preferredSlaves: { ip: 'b', port: '7' } })?.ip).toBe('b');
    expect(chooseReplica(replicas, { ...ENDPOINT, preferredSlaves: (all) => all[0] ?? null })?.ip).toBe('a');
  });
});

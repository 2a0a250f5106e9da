import { describe, expect, test } from 'vitest';
import { translator } from './nat-map.js';
import { addressOfName, nameOfNode, parseTopology } from './topology.js';

const asIs = translator(undefined);
const REPLY = [
  [0, 99, ['10.0.0.1', 7000, 'id1', []], ['10.0.0.4', 7003, 'id4', []]],
  [100, 16_000, ['10.0.0.2', 7001, 'id2', []]],
  [16_100, 16_383, ['10.0.0.1', 7000, 'id1', []], ['10.0.0.4', 7003, 'id4', []]],
];

describe('parseTopology', () => {
  test('knows the master of each slot, and the replicas of each master', () => {
    const { owners, shards } = parseTopology(REPLY, 'asked', asIs) ?? {};
    expect([0, 99, 100, 16_000, 16_001, 16_383].map((slot) => owners?.[slot])).toEqual([
      ...['10.0.0.1:7000', '10.0.0.1:7000', '10.0.0.2:7001', '10.0.0.2:7001'],
      ...[undefined, '10.0.0.1:7000'],
    ]);
    expect([...(shards ?? [])]).toEqual([
      ['10.0.0.1:7000', ['10.0.0.4:7003']],
      ['10.0.0.2:7001', []],
    ]);
  });

  test.each(['', null])('a host of %j is the one that was asked', (host) => {
    expect(parseTopology([[0, 1, [host, 7000]]], 'asked', asIs)?.owners[0]).toBe('asked:7000');
  });

  test('a node without a name to be reached by is left out', () => {
    const { shards } = parseTopology([[0, 1, ['10.0.0.1', 7000], ['?', 7001]]], 'asked', asIs) ?? {};
    expect([...(shards?.values() ?? [])]).toEqual([[]]);
  });

  test.each([
    ['an object', { '10.0.0.1:7000': { host: 'nat', port: 1 } }],
    ['a function', (name: string) => (name === '10.0.0.1:7000' ? { host: 'nat', port: 1 } : null)],
  ])('natMap as %s translates what it knows', (_, natMap) => {
    const topology = parseTopology(REPLY, 'asked', translator(natMap as never));
    expect([topology?.owners[0], topology?.owners[100]]).toEqual(['nat:1', '10.0.0.2:7001']);
  });

  test.each([[[]], [undefined], ['OK'], [[[0, 5]]]])('%j says nothing of a cluster', (reply) => {
    expect(parseTopology(reply, 'asked', asIs)).toBeUndefined();
  });
});

test('a name and its address are the same, also with IPv6', () => {
  expect(addressOfName('10.0.0.1:7000')).toEqual({ host: '10.0.0.1', port: 7000 });
  expect(nameOfNode(addressOfName('fe80::1:7000'))).toBe('fe80::1:7000');
});

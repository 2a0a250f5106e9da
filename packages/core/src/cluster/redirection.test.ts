import { expect, test } from 'vitest';
import { redirectionOf } from './redirection.js';

function reply(message: string): Error {
  return Object.assign(new Error(message), { name: 'ReplyError' });
}

test('MOVED and ASK say where to go on', () => {
  const address = { host: '10.0.0.1', port: 7000 };
  expect(redirectionOf(reply('MOVED 3999 10.0.0.1:7000'))).toEqual({ kind: 'moved', slot: 3999, address });
  expect(redirectionOf(reply('ASK 3999 10.0.0.1:7000'))).toEqual({ kind: 'ask', slot: 3999, address });
});

test('the host may be empty, a name, or an IPv6 address', () => {
  expect(redirectionOf(reply('MOVED 1 :7000'))).toMatchObject({ address: { host: '', port: 7000 } });
  expect(redirectionOf(reply('MOVED 1 a.example:7000'))).toMatchObject({ address: { host: 'a.example' } });
  expect(redirectionOf(reply('MOVED 1 ::1:7000'))).toMatchObject({ address: { host: '::1', port: 7000 } });
});

test.each([
  'TRYAGAIN Multiple keys',
  'CLUSTERDOWN The cluster is down',
  'LOADING Redis',
  'READONLY You',
  'MASTERDOWN Link',
])('%s asks for patience', (message) => {
  expect(redirectionOf(reply(message))).toEqual({ kind: 'wait' });
});

test.each([
  'ERR MOVED 1 a:1',
  'MOVED 16384 a:1',
  'MOVED x a:1',
  'MOVEDX 1 a:1',
  'EXECABORT x',
  'CROSSSLOT x',
])('%s is an error like any other', (message) => {
  expect(redirectionOf(reply(message))).toBeUndefined();
});

test('an error of the client that quotes a reply is none', () => {
  expect(redirectionOf(new Error('MOVED 1 a:1'))).toBeUndefined();
});

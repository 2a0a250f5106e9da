import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { createSecureContext, createServer, type TLSSocket } from 'node:tls';
import { inspect } from 'node:util';
import {
  type Certificates,
  createCertificates,
  type RedisServer,
  startRedis,
  waitUntil,
} from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RedisPoolOptions } from '../../src/index.js';
import { errorOf, LINKS, useLink, usePools } from '../fault/pool-harness.js';
import { exercise } from './exercise.js';

const PASSWORD = 'correct-horse';

let certificates: Certificates;
let plain: RedisServer;
let secure: RedisServer;
let strict: RedisServer;
let expired: RedisServer;
let foreign: RedisServer;

useLeakCheck(() => [plain, secure, strict, expired, foreign]);
const { openPool } = usePools();

beforeAll(async () => {
  certificates = createCertificates();
  const { ca, server } = certificates;
  const password = PASSWORD;
  [plain, secure, strict, expired, foreign] = await Promise.all([
    startRedis({ password }),
    startRedis({ password, tls: { ca, ...server } }),
    startRedis({ password, tls: { ca, ...server, clientCertificates: true } }),
    startRedis({ password, tls: { ca, ...certificates.expired } }),
    startRedis({ password, tls: certificates.foreign }),
  ]);
});
afterAll(() => Promise.all([plain, secure, strict, expired, foreign].map((server) => server.stop())));
beforeEach(() => secure.adminCommand('FLUSHALL'));

/** Trusts the authority of the tests. */
const trusting = (more: object = {}) => ({ tls: { ca: certificates.ca, ...more } });

describe.each(LINKS)('TLS over the %s link', (link) => {
  useLink(link);

  test('does all that TCP does, and commands of one turn leave together', async () => {
    const pool = openPool({ url: secure.url, redis: trusting() });
    await exercise(pool);
    const [lane] = pool.stats().lanes;
    expect(lane).toMatchObject({ up: true, link });
    const before = { ...lane };
    await Promise.all(Array.from({ length: 256 }, (_, index) => pool.get(`app:${index}`)));
    const after = pool.stats().lanes[0];
    expect((after?.commands ?? 0) - (before.commands ?? 0)).toBe(256);
    expect((after?.flushes ?? 0) - (before.flushes ?? 0)).toBeLessThan(16);
  });

  test('shows its certificate where the server asks for one', async () => {
    const pool = openPool({ url: strict.url, redis: trusting(certificates.client) });
    await exercise(pool);
    await strict.adminCommand('FLUSHALL');
  });

  test('comes back when the server does, and finds a dedicated client with the same options', async () => {
    const pool = openPool({ url: secure.url, redis: trusting() });
    await pool.set('key', 'value');
    expect(await pool.dedicated('library').get('key')).toBe('value');
    await secure.restart();
    expect(await pool.set('key', 'again')).toBe('OK');
    await pool.close();
  });
});

describe('the name of the server', () => {
  /** In front of the server, with another certificate for each name, as managed services have it. */
  async function withFront(use: (front: { port: number; names: (string | false)[] }) => Promise<void>) {
    const names: (string | false)[] = [];
    const other = certificates.issue({ names: ['other.test'] });
    const front = createServer({
      ...other,
      SNICallback: (name, done) => {
        const pair = name === 'localhost' ? certificates.server : other;
        done(null, createSecureContext(pair));
      },
    });
    front.on('secureConnection', (client: TLSSocket) => {
      names.push(client.servername ?? false);
      const server = connect(plain.port, plain.host);
      client.pipe(server).pipe(client);
      for (const socket of [client, server]) socket.on('error', () => {});
      client.once('close', () => server.destroy());
      server.once('close', () => client.destroy());
    });
    front.on('tlsClientError', () => {});
    await once(front.listen(0, '127.0.0.1'), 'listening');
    await use({ port: (front.address() as AddressInfo).port, names });
    front.close();
    await once(front, 'close');
  }

  test('is told to it (SNI) as the host, or as redis.tls.servername; an address is no name', async () => {
    await withFront(async ({ port, names }) => {
      const password = PASSWORD;
      const byName = openPool({ redis: { host: 'localhost', port, password, family: 4, ...trusting() } });
      expect(await byName.ping()).toBe('PONG');
      expect(await byName.lease((lease) => lease.ping())).toBe('PONG');
      const named = { host: '127.0.0.1', port, password, ...trusting({ servername: 'localhost' }) };
      const byOption = openPool({ redis: named });
      expect(await byOption.ping()).toBe('PONG');
      expect(names).toEqual(['localhost', 'localhost', 'localhost']);
      const byAddress = openPool({ redis: { host: '127.0.0.1', port, password, ...trusting() } });
      expect(await errorOf(byAddress.ready())).toMatchObject({
        code: 'RP_ERR_CONNECT',
        cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
      });
      await Promise.all([byName.close(), byOption.close(), byAddress.close()]);
    });
  });
});

type Row = readonly [what: string, options: () => RedisPoolOptions, cause: RegExp, advice: string];

describe('a TLS connection that cannot come about', () => {
  const AT_ONCE: readonly Row[] = [
    [
      'an expired certificate',
      () => ({ url: expired.url, redis: trusting() }),
      /^CERT_HAS_EXPIRED$/,
      'renewed',
    ],
    [
      'a certificate of a foreign authority',
      () => ({ url: foreign.url, redis: trusting() }),
      /^SELF_SIGNED_CERT_IN_CHAIN$/,
      'set redis.tls.ca',
    ],
    ['an authority that nobody named', () => ({ url: secure.url }), /^SELF_SIGNED/, 'set redis.tls.ca'],
    [
      'another host name',
      () => ({ url: secure.url, redis: trusting({ servername: 'other.test' }) }),
      /^ERR_TLS_CERT_ALTNAME_INVALID$/,
      'set redis.tls.servername',
    ],
    [
      'a missing client certificate',
      () => ({ url: strict.url, redis: trusting() }),
      /CERTIFICATE_REQUIRED$/,
      'set redis.tls.cert and redis.tls.key',
    ],
    [
      'a client certificate of a foreign authority',
      () => {
        const { cert, key } = certificates.foreign;
        return { url: strict.url, redis: trusting({ cert, key }) };
      },
      /ALERT_UNKNOWN_CA$/,
      'check redis.tls.cert',
    ],
    [
      'an expired client certificate',
      () => ({ url: strict.url, redis: trusting(certificates.expired) }),
      /ALERT_CERTIFICATE_EXPIRED$/,
      'check redis.tls.cert',
    ],
    [
      'a key of another certificate',
      () => ({ url: strict.url, redis: trusting({ ...certificates.client, key: certificates.server.key }) }),
      /KEY_VALUES_MISMATCH$/,
      'redis.tls.key is not the key',
    ],
  ];

  test.each(AT_ONCE)(
    '%s is told at once, with what to do, and no secret',
    async (_, options, cause, advice) => {
      const pool = openPool(options());
      const startedAt = performance.now();
      const error = await errorOf(pool.ready({ timeoutMs: 10_000 }));
      expect(performance.now() - startedAt).toBeLessThan(1_000);
      expect(error).toMatchObject({ code: 'RP_ERR_CONNECT', cause: { code: expect.stringMatching(cause) } });
      expect(error.message).toContain(advice);
      expect(error.message).not.toMatch(/\n|openssl\//);
      expectNoSecret(error);
      expect(pool.stats().connectAttempts).toBe(1);
      await pool.close();
    },
  );

  const AT_THE_LIMIT: readonly Row[] = [
    [
      'plain text to a port with TLS',
      () => ({ url: secure.url.replace('rediss:', 'redis:') }),
      /^RP_ERR_CONNECT$/,
      'does it expect TLS (rediss:// or redis.tls)',
    ],
    [
      'TLS to a port without it',
      () => ({ url: plain.url.replace('redis:', 'rediss:'), redis: trusting() }),
      /^RP_ERR_CONNECT_TIMEOUT$/,
      'then use redis://',
    ],
  ];

  test.each(AT_THE_LIMIT)('%s is told by ready() at its limit', async (_, options, code, advice) => {
    const pool = openPool({ ...options(), connectTimeoutMs: 200 });
    const error = await errorOf(pool.ready());
    expect(error.code).toMatch(code);
    expect(error.message).toContain(advice);
    expectNoSecret(error);
    await pool.close();
  });

  test('a wrong password over TLS is an error of its own', async () => {
    const pool = openPool({ url: secure.url.replace(PASSWORD, 'wr0ng'), redis: trusting() });
    const error = await errorOf(pool.ready());
    expect(error).toMatchObject({ code: 'RP_ERR_AUTH' });
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('wr0ng');
  });

  test('rejectUnauthorized: false takes any certificate', async () => {
    const server = await startRedis({ tls: { ca: certificates.ca, ...certificates.expired } });
    const before = openPool({ url: server.url, redis: trusting() });
    expect(await errorOf(before.ready())).toMatchObject({ cause: { code: 'CERT_HAS_EXPIRED' } });
    await before.close();
    const lax = openPool({ url: server.url, redis: trusting({ rejectUnauthorized: false }) });
    expect(await lax.ping()).toBe('PONG');
    await lax.close();
    await waitUntil(async () => (await server.clients()).length === 0, { what: 'nobody is connected' });
    await server.stop();
  });

  function expectNoSecret(error: unknown): void {
    const everything = inspect(error, { depth: 10, showHidden: true }) + JSON.stringify(error);
    expect(everything).not.toContain(PASSWORD);
    expect(everything).not.toContain('PRIVATE KEY');
  }
});

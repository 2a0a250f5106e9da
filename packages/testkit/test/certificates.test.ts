import { type ConnectionOptions, connect } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  type Certificates,
  createCertificates,
  type RedisServer,
  type StartRedisOptions,
  startRedis,
} from '../src/index.js';
import { useLeakCheck } from '../src/vitest.js';

let certificates: Certificates;
const running: RedisServer[] = [];

useLeakCheck();
beforeAll(() => {
  certificates = createCertificates();
});
afterEach(() => Promise.all(running.splice(0).map((server) => server.stop())));
afterAll(() => expect(running).toEqual([]));

async function start(options: StartRedisOptions): Promise<RedisServer> {
  const server = await startRedis(options);
  running.push(server);
  return server;
}

/** The reply to PING over TLS, or the code of the error that came instead. */
function ping({ host, port }: RedisServer, options: ConnectionOptions): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, ...options });
    socket.once('data', (data) => socket.destroy().once('close', () => resolve(data.toString())));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.destroy().once('close', () => resolve(error.code ?? error.message));
    });
    socket.write('PING\r\n');
  });
}

describe('a server with TLS', () => {
  test('is reached by who trusts its authority, under each of its names, and by nobody else', async () => {
    const { ca, server, foreign } = certificates;
    const redis = await start({ tls: { ca, ...server } });
    expect(redis.url).toBe(`rediss://127.0.0.1:${redis.port}`);
    expect(await ping(redis, { ca })).toBe('+PONG\r\n');
    expect(await ping(redis, { ca, host: 'localhost' })).toBe('+PONG\r\n');
    expect(await ping(redis, { ca, servername: 'redis.test' })).toBe('+PONG\r\n');
    expect(await ping(redis, { ca, servername: 'other.test' })).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
    expect(await ping(redis, {})).toBe('SELF_SIGNED_CERT_IN_CHAIN');
    expect(await ping(redis, { ca: foreign.ca })).toBe('SELF_SIGNED_CERT_IN_CHAIN');
  });

  test('is under control also with a certificate that has expired or that nobody trusts', async () => {
    const { ca, expired, foreign } = certificates;
    const late = await start({ tls: { ca, ...expired } });
    expect(await ping(late, { ca })).toBe('CERT_HAS_EXPIRED');
    expect(await late.adminCommand('PING')).toBe('PONG');
    const stranger = await start({ tls: foreign });
    expect(await ping(stranger, { ca })).toBe('SELF_SIGNED_CERT_IN_CHAIN');
    expect(await stranger.adminCommand('PING')).toBe('PONG');
  });

  test('asks for a certificate of the client when told to, and keeps everything over a restart', async () => {
    const { ca, server, client, foreign } = certificates;
    const redis = await start({ tls: { ca, ...server, clientCertificates: true }, password: 'secret' });
    await redis.restart();
    expect(redis.url).toBe(`rediss://:secret@127.0.0.1:${redis.port}`);
    expect(await ping(redis, { ca, ...client })).toContain('-NOAUTH');
    expect(await ping(redis, { ca })).toMatch(/CERTIFICATE_REQUIRED|ECONNRESET/);
    expect(await ping(redis, { ca, cert: foreign.cert, key: foreign.key })).toMatch(/UNKNOWN_CA|ECONNRESET/);
    expect(await redis.clients()).toEqual([]);
  });
});

test('an authority issues certificates for any name and time', async () => {
  const day = (days: number) => new Date(Date.now() + days * 86_400_000);
  const early = certificates.issue({ names: ['127.0.0.1'], validFrom: day(1) });
  const redis = await start({ tls: { ca: certificates.ca, ...early } });
  expect(await ping(redis, { ca: certificates.ca })).toBe('CERT_NOT_YET_VALID');
});

test('users are there with their rules, also after a restart', async () => {
  const redis = await start({ users: { app: 'on >secret ~app:* +get' } });
  const rules = async () => String(await redis.adminCommand('ACL', 'LIST'));
  expect(await rules()).toMatch(/user app on #\w+ ~app:\* resetchannels -@all \+get/);
  await redis.restart();
  expect(await rules()).toContain('user app on');
});

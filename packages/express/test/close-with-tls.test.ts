import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import {
  type ClientHttp2Stream,
  createServer as createHttp2Server,
  createSecureServer,
  connect as openSession,
} from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, connect as connectTcp, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import type { Express } from 'express';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MAJORS, useApps } from './apps.js';

interface Certificate {
  readonly key: string;
  readonly cert: string;
}

let server: RedisServer;
let certificate: Certificate;

beforeAll(async () => {
  server = await startRedis();
  certificate = await createCertificate();
});
afterAll(() => server.stop());
useLeakCheck(() => [server]);
const apps = useApps();

const CLEAN = { drained: true, cutCommands: 0, cutLeases: 0, cutRequests: 0 };

/** Far from the end of the budget, which is 10 s. */
const SOON_MS = 3_000;

async function createCertificate(): Promise<Certificate> {
  const directory = await mkdtemp(join(tmpdir(), 'redis-pool-tls-'));
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  await promisify(execFile)('openssl', [
    'req',
    ...kind,
    '-subj',
    '/CN=127.0.0.1',
    '-keyout',
    key,
    '-out',
    cert,
  ]);
  const pair = { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') };
  await rm(directory, { recursive: true });
  return pair;
}

async function listen(http: Server): Promise<number> {
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return (http.address() as AddressInfo).port;
}

/** A client that keeps its connection, and what came over it. */
async function openTls(port: number): Promise<{ socket: TLSSocket; received: () => string }> {
  const socket = connect({
    port,
    host: '127.0.0.1',
    ca: certificate.cert,
    checkServerIdentity: () => undefined,
  });
  apps.later(async () => void socket.destroy());
  let received = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    received += chunk;
  });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  return { socket, received: () => received };
}

/** Answers /slow when it is told to. */
function gated(app: Express): { app: Express; entered: Promise<void>; open: () => void } {
  let open = (): void => {};
  const entered = new Promise<void>((resolve) => {
    app.get('/slow', (_req, res) => {
      open = () => void res.send('slow');
      resolve();
    });
  });
  return { app, entered, open: () => open() };
}

const SERVERS: readonly (readonly [string, (app: Express) => Server])[] = [
  ['https', (app) => createHttpsServer({ ...certificate }, app)],
  [
    'http2, for a client of HTTP/1.1',
    (app) => createSecureServer({ ...certificate, allowHTTP1: true }, app as never),
  ],
];

describe.each(MAJORS)('%s', (_name, express) => {
  test.each(SERVERS)('a server of %s ends as one of http does', async (_what, create) => {
    const redis = apps.pool({ url: server.url });
    const { app, entered, open } = gated(express().use(redis) as Express);
    const http = create(app);
    const closing = redis.closeWith(http);
    const port = await listen(http);
    const [idle, busy, silent] = [await openTls(port), await openTls(port), await openTls(port)];
    idle.socket.write('GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n');
    busy.socket.write('GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await waitUntil(() => idle.received().includes('404'), { what: 'one is idle' });
    await entered;
    const startedAt = performance.now();
    const closed = closing.close();
    await once(idle.socket, 'close');
    expect(busy.socket.destroyed).toBe(false);
    open();
    expect(await closed).toMatchObject(CLEAN);
    expect(performance.now() - startedAt).toBeLessThan(SOON_MS);
    await waitUntil(() => silent.socket.destroyed && busy.socket.destroyed, { what: 'all are closed' });
    expect(busy.received()).toMatch(/connection: close\r\n.*slow$/is);
  });
});

// Express itself answers no request of HTTP/2; what makes it do so, and what answers beside it, has its sessions.
test.each([
  ['over TLS', () => createSecureServer({ ...certificate }), 'https'],
  ['in the clear', () => createHttp2Server(), 'http'],
])('sessions of HTTP/2 %s let their requests finish, and then close', async (_how, create, protocol) => {
  const redis = apps.pool({ url: server.url });
  const http = create();
  let finish = (): void => {};
  http.on('request', (_request, response) => {
    response.write('begin');
    finish = () => void response.end('end');
  });
  const closing = redis.closeWith(http);
  const port = await listen(http);
  const session = openSession(`${protocol}://127.0.0.1:${port}`, { rejectUnauthorized: false });
  const stream: ClientHttp2Stream = session.request({ ':path': '/' });
  let body = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    body += chunk;
  });
  await waitUntil(() => body === 'begin', { what: 'the answer has begun' });
  // Closed as a silent one: the session must not be taken for one.
  const silent = connectTcp({ port, host: '127.0.0.1' });
  apps.later(async () => void silent.destroy());
  await once(silent, 'connect');
  const startedAt = performance.now();
  const closed = closing.close();
  silent.resume();
  await once(silent, 'close');
  expect(session.destroyed).toBe(false);
  finish();
  await once(session, 'close');
  expect(body).toBe('beginend');
  expect(await closed).toMatchObject(CLEAN);
  expect(performance.now() - startedAt).toBeLessThan(SOON_MS);
});

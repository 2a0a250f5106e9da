import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureRedisServer, freePort, type RedisServer, startRedis } from '@redis-pool/testkit';
import type { Transport } from '../cell/cell-spec.js';
import type { Target } from '../peers/peer.js';
import { type Certificate, createCertificate } from './certificate.js';

/** The one redis-server of a run, reached over TCP, a unix socket and TLS. */
export class BenchServer implements AsyncDisposable {
  readonly #server: RedisServer;
  readonly #directory: string;
  readonly #tls: { readonly certificate: Certificate; readonly port: number };

  private constructor(
    server: RedisServer,
    directory: string,
    tls: { readonly certificate: Certificate; readonly port: number },
  ) {
    this.#server = server;
    this.#directory = directory;
    this.#tls = tls;
  }

  static async start(): Promise<BenchServer> {
    await ensureRedisServer({ log: (line) => process.stderr.write(`${line}\n`) });
    const directory = await mkdtemp(join(tmpdir(), 'redis-pool-bench-'));
    const tls = { certificate: await createCertificate(directory), port: await freePort() };
    const { certPath, keyPath } = tls.certificate;
    const server = await startRedis({
      unixSocket: true,
      args: [
        ...['--tls-port', String(tls.port), '--tls-cert-file', certPath, '--tls-key-file', keyPath],
        ...['--tls-ca-cert-file', certPath, '--tls-auth-clients', 'no'],
      ],
    });
    return new BenchServer(server, directory, tls);
  }

  get pid(): number {
    return this.#server.pid;
  }

  target(transport: Transport): Target {
    const { host, port, socketPath = '' } = this.#server;
    switch (transport) {
      case 'tcp':
        return { transport, host, port };
      case 'unix':
        return { transport, path: socketPath };
      case 'tls':
        return { transport, host, port: this.#tls.port, ca: this.#tls.certificate.pem };
    }
  }

  /** Stops answering (SIGSTOP) until `thaw()`. */
  freeze(): void {
    this.#server.freeze();
  }

  thaw(): void {
    this.#server.thaw();
  }

  /** `redis_version` of INFO. */
  async version(): Promise<string> {
    const info = String(await this.#server.adminCommand('INFO', 'server'));
    return /redis_version:(\S+)/.exec(info)?.[1] ?? 'unknown';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

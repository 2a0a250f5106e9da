import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AdminAddress } from './admin-connection.js';
import type { KeyPair } from './certificates.js';
import { freePort } from './free-port.js';

const LOOPBACK = '127.0.0.1';

/** Certificates of a server that speaks TLS, and nothing else, on its port. */
export interface ServerTls extends KeyPair {
  /** Authority of its clients and, where it connects to other servers itself, of those. */
  readonly ca: string;
  /** Whether a client has to show a certificate of `ca`. @default false */
  readonly clientCertificates?: boolean;
}

/** Options of `startRedis()`. */
export interface StartRedisOptions {
  /** More arguments of redis-server, after the testkit's own, so that they win: `['--maxclients', '10']`. */
  readonly args?: readonly string[];
  /** Listens on a unix socket too. @default false */
  readonly unixSocket?: boolean;
  /** Password of the default user. @default none */
  readonly password?: string;
  /** ACL rules by user name: `{ app: 'on >secret ~app:* +@all' }`. They outlive a restart. @default none */
  readonly users?: Readonly<Record<string, string>>;
  /** Speaks TLS on its port; so does the connection to a master and the cluster bus. @default no */
  readonly tls?: ServerTls;
  /** TCP port. @default a free one */
  readonly port?: number;
}

/** Options of a process, which may be a Sentinel. */
export interface LaunchOptions extends StartRedisOptions {
  /** Lines of its configuration file, which makes it a Sentinel. */
  readonly sentinel?: readonly string[];
  /** Makes it a node of a cluster, whose bus listens on a free port too. @default false */
  readonly cluster?: boolean;
}

/** Everything that decides how one redis-server process is started. */
export interface RedisLaunch extends Omit<LaunchOptions, 'port' | 'unixSocket' | 'cluster'> {
  readonly binary: string;
  /** Working directory: data, output, socket, certificates. */
  readonly directory: string;
  readonly host: string;
  readonly port: number;
  readonly socketPath: string | undefined;
  /** Of a node of a cluster. */
  readonly busPort: number | undefined;
}

/** Chooses what the options leave open, and writes the files that the process reads. */
export async function planLaunch(
  binary: string,
  directory: string,
  options: LaunchOptions,
): Promise<RedisLaunch> {
  const { unixSocket = false, port = await freePort(), tls, sentinel, cluster } = options;
  const busPort = cluster ? await freePort() : undefined;
  const launch = { ...options, binary, directory, host: LOOPBACK, port, busPort };
  for (const name of ['ca', 'cert', 'key'] as const)
    if (tls) await writeFile(pemPath(launch, name), tls[name]);
  // Written once: a Sentinel keeps in it what it has learned, also over a restart.
  if (sentinel) await writeFile(sentinelPath(launch), sentinel.map((line) => `${line}\n`).join(''));
  return { ...launch, socketPath: unixSocket ? join(directory, 'redis.sock') : undefined };
}

/** The arguments of redis-server. */
export function redisArguments(launch: RedisLaunch): string[] {
  const { directory, host, socketPath, password, users = {}, args = [], sentinel, busPort } = launch;
  return [
    ...(sentinel === undefined ? [] : [sentinelPath(launch), '--sentinel']),
    ...['--bind', host, '--dir', directory, ...portArguments(launch)],
    ...['--daemonize', 'no', '--logfile', '', '--save', '', '--appendonly', 'no'],
    ...(socketPath === undefined ? [] : ['--unixsocket', socketPath]),
    // Else the bus is 10000 above the port, which may be anybody's.
    ...(busPort === undefined ? [] : ['--cluster-enabled', 'yes', '--cluster-port', `${busPort}`]),
    ...(password === undefined ? [] : ['--requirepass', password]),
    ...Object.entries(users).flatMap(([name, rules]) => ['--user', name, ...rules.split(' ')]),
    ...args,
  ];
}

/** How the testkit itself reaches the process. */
export function adminAddress({ host, port, password, tls }: RedisLaunch): AdminAddress {
  return {
    host,
    port,
    ...(password === undefined ? {} : { password }),
    // Whatever is wrong with its certificate is a test's business.
    ...(tls === undefined ? {} : { tls: { cert: tls.cert, key: tls.key, rejectUnauthorized: false } }),
  };
}

/** `redis://` or `rediss://` address, with the password. */
export function urlOf({ host, port, password, tls }: RedisLaunch): string {
  const user = password === undefined ? '' : `:${encodeURIComponent(password)}@`;
  return `${tls === undefined ? 'redis' : 'rediss'}://${user}${host}:${port}`;
}

function portArguments(launch: RedisLaunch): string[] {
  const { port, tls } = launch;
  if (tls === undefined) return ['--port', `${port}`];
  return [
    ...['--port', '0', '--tls-port', `${port}`, '--tls-auth-clients', tls.clientCertificates ? 'yes' : 'no'],
    ...['--tls-cert-file', pemPath(launch, 'cert'), '--tls-key-file', pemPath(launch, 'key')],
    ...['--tls-ca-cert-file', pemPath(launch, 'ca'), '--tls-replication', 'yes', '--tls-cluster', 'yes'],
  ];
}

function pemPath({ directory }: { readonly directory: string }, name: 'ca' | 'cert' | 'key'): string {
  return join(directory, `${name}.pem`);
}

function sentinelPath({ directory }: { readonly directory: string }): string {
  return join(directory, 'sentinel.conf');
}

import { isIPv6 } from 'node:net';
import type { RedisPoolError } from '../errors/errors.js';
import { nearestName } from './nearest-name.js';
import { invalidOption, MAX_INT32 } from './option-rules.js';

/** What a Redis URL says, decoded. What it does not say is left out, except `port`. */
export interface ParsedUrl {
  /** Without the brackets of an IPv6 address. Left out for a unix socket. */
  host?: string;
  /** 6379 unless the URL names one. Left out for a unix socket. */
  port?: number;
  /** Of a unix socket. */
  path?: string;
  username?: string;
  password?: string;
  db?: number;
  family?: 0 | 4 | 6;
  protocol?: 2 | 3;
  /** Only for rediss://. */
  tls?: true;
}

type Fail = (rule: string) => RedisPoolError;

/** The authority ends where every URL parser ends it: at the first of `/ ? #`. */
const NETWORK = /^(rediss?):\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?$/i;
const SOCKET = /^(?:unix:\/\/(?:([^/?#]*)@)?)?(\/[^?]*)(?:\?(.*))?$/is;
const HOST_AND_PORT = /^(?:\[([^\]]*)\]|([a-z0-9._-]+))(?::(\d{1,5}))?$/i;
/** What may be shown of a URL; what follows the last `@` must look like an address, or it may be a password too. */
const SHOWABLE =
  /^([a-z]+:\/\/)(.*@)?((?:[a-z0-9._-]*|\[[0-9a-f:.]*\])(?::\d{1,5})?(?:\/[\w./-]*)?)(\?.*)?$/is;

const PARAMETERS: Readonly<Record<string, { pattern: RegExp; rule: string }>> = {
  db: { pattern: /^\d{1,10}$/, rule: 'a database number' },
  family: { pattern: /^[046]$/, rule: '0, 4 or 6' },
  protocol: { pattern: /^[23]$/, rule: '2 or 3' },
};
const CREDENTIAL_PARAMETERS = ['auth', 'password', 'user', 'username'];

/**
 * Reads `redis://`, `rediss://`, `unix://` and absolute paths of sockets.
 *
 * Strict, since a wrong guess ends at a wrong server: no bare `host:port`, no unknown query parameter, no unencoded
 * `/ ? #` in a password. Messages show the URL with `***` for user, password and query, and less than that when it
 * cannot be told where the password ends.
 *
 * @param subject - How messages call the URL.
 * @throws RedisPoolError `RP_ERR_INVALID_OPTION`
 */
export function parseRedisUrl(url: string, subject = 'Option "url"'): ParsedUrl {
  const fail: Fail = (rule) => invalidOption(`${subject} must ${rule}, received ${shown(url)}`);
  const network = NETWORK.exec(url);
  if (network) return parseNetwork(network, fail);
  const socket = url.startsWith('//') ? null : SOCKET.exec(url);
  if (socket) return parseSocket(url, socket, fail);
  if (/^rediss?:\/\//i.test(url)) throw fail('have # written as %23');
  if (/^unix:/i.test(url)) throw fail('have an absolute path, as in unix:///run/redis.sock');
  throw fail('start with redis://, rediss:// or unix://, or be an absolute path of a socket');
}

function parseNetwork(parts: RegExpExecArray, fail: Fail): ParsedUrl {
  const [, scheme = '', authority = '', path = '', query] = parts;
  if (`${path}${query}`.includes('@')) throw fail('have / ? # in user and password percent-encoded');
  const at = authority.lastIndexOf('@');
  const address = HOST_AND_PORT.exec(authority.slice(at + 1));
  const [, ipv6, name, port = '6379'] = address ?? [];
  const host = name ?? ipv6;
  if (host === undefined || (ipv6 !== undefined && !isIPv6(ipv6))) {
    throw fail('name a host and at most a port, as in redis://127.0.0.1:6379');
  }
  if (Number(port) < 1 || Number(port) > 65_535) throw fail('have a port from 1 to 65535');
  return {
    host,
    port: Number(port),
    ...(scheme.toLowerCase() === 'rediss' ? { tls: true } : {}),
    ...parseCredentials(at < 0 ? undefined : authority.slice(0, at), fail),
    ...mergeDatabase(databaseOf(path, fail), parseQuery(query, fail), fail),
  };
}

/** A plain path is taken as it is; in a unix:// URL it is percent-encoded. */
function parseSocket(url: string, parts: RegExpExecArray, fail: Fail): ParsedUrl {
  const [, credentials, path = '', query] = parts;
  const parameters = parseQuery(query, fail);
  if (parameters.family !== undefined) throw fail('have no family: it is a unix socket');
  return {
    path: url.startsWith('/') ? path : decode(path, 'path', fail),
    ...parseCredentials(credentials, fail),
    ...parameters,
  };
}

function parseCredentials(text: string | undefined, fail: Fail): Pick<ParsedUrl, 'username' | 'password'> {
  if (text === undefined) return {};
  const colon = text.indexOf(':');
  const username = decode(colon < 0 ? text : text.slice(0, colon), 'user', fail);
  const password = colon < 0 ? '' : decode(text.slice(colon + 1), 'password', fail);
  return { ...(username === '' ? {} : { username }), ...(password === '' ? {} : { password }) };
}

function decode(text: string, what: string, fail: Fail): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw fail(`have a percent-encoded ${what} (% itself is %25)`);
  }
}

function databaseOf(path: string, fail: Fail): number | undefined {
  if (path === '' || path === '/') return undefined;
  const digits = /^\/(\d{1,10})$/.exec(path)?.[1];
  if (digits === undefined || Number(digits) > MAX_INT32) throw fail('have a database number as its path');
  return Number(digits);
}

function parseQuery(query: string | undefined, fail: Fail): ParsedUrl {
  const parsed: Record<string, number> = {};
  for (const [key, value] of new URLSearchParams(query)) {
    const parameter = Object.hasOwn(PARAMETERS, key) ? PARAMETERS[key] : undefined;
    if (parameter === undefined) throw fail(refusedParameter(key));
    if (key in parsed) throw fail(`have "${key}" once in its query`);
    if (!parameter.pattern.test(value) || Number(value) > MAX_INT32) {
      throw fail(`have ${parameter.rule} for "${key}" in its query`);
    }
    parsed[key] = Number(value);
  }
  return parsed;
}

/** An unknown key is repeated only when it is a word: a torn password can end up in the query. */
function refusedParameter(key: string): string {
  if (CREDENTIAL_PARAMETERS.includes(key.toLowerCase())) {
    return 'have user and password before the host (redis://user:password@host), not in its query';
  }
  const known = Object.keys(PARAMETERS);
  const nearest = nearestName(key, known);
  const hint = nearest === undefined ? '' : ` (did you mean "${nearest}"?)`;
  const found = /^[a-z]{1,24}$/i.test(key) ? `, not "${key}"${hint}` : '';
  return `have no query parameters but ${known.join(', ')}${found}`;
}

function mergeDatabase(db: number | undefined, query: ParsedUrl, fail: Fail): ParsedUrl {
  if (db === undefined) return query;
  if (query.db !== undefined && query.db !== db) throw fail('name one database, in its path or in its query');
  return { ...query, db };
}

function shown(url: string): string {
  if (url === '') return 'an empty string';
  if (url.startsWith('/')) return 'a path';
  const [, scheme, credentials, address, query] = SHOWABLE.exec(url) ?? [];
  if (scheme === undefined)
    return /^[a-z][a-z0-9+.-]*:\/\//i.exec(url)?.[0].concat('***') ?? 'a string without a scheme';
  return `${scheme}${credentials === undefined ? '' : '***@'}${address}${query === undefined ? '' : '?***'}`;
}

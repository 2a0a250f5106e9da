import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** What a TLS library's code says to somebody who can change something. The first that matches holds. */
const TLS_ADVICE: readonly (readonly [code: RegExp, advice: string])[] = [
  [/^CERT_HAS_EXPIRED/, 'the certificate of the server is out of date: it has to be renewed there'],
  [/^CERT_NOT_YET_VALID/, 'the certificate of the server is not valid yet: check the clocks of both sides'],
  [
    /^(SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|CERT_UNTRUSTED|INVALID_CA)/,
    'nobody who is trusted here signed the certificate of the server: set redis.tls.ca to that of its authority',
  ],
  [
    /^(ERR_TLS_CERT_ALTNAME|HOSTNAME_MISMATCH)/,
    'connect by a name that is in the certificate of the server, or set redis.tls.servername to one',
  ],
  [/CERTIFICATE_REQUIRED/, 'the server asks for a client certificate: set redis.tls.cert and redis.tls.key'],
  [
    /ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_)/,
    'the server does not accept the client certificate: check redis.tls.cert',
  ],
  [
    /ALERT_HANDSHAKE_FAILURE/,
    'the server may ask for a client certificate (redis.tls.cert and redis.tls.key) or for other ciphers',
  ],
  [/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/, 'no TLS version in common: see redis.tls.minVersion'],
  [/WRONG_VERSION_NUMBER/, 'the server does not speak TLS on this port: use its TLS port, or redis://'],
  [/KEY_VALUES_MISMATCH/, 'redis.tls.key is not the key of redis.tls.cert'],
];

const CLOSED = /^(EPIPE|ECONNRESET)$/;

/** What to look at after a failed attempt, in brackets; '' where the text of the failure says it all. */
export function adviceFor(text: string, code: string, socket: Socket | undefined): string {
  const advice = TLS_ADVICE.find(([pattern]) => pattern.test(code))?.[1] ?? adviceOnPlain(text, code, socket);
  return advice === undefined ? '' : ` (${advice})`;
}

function adviceOnPlain(text: string, code: string, socket: Socket | undefined): string | undefined {
  if (CLOSED.test(code) || text === 'Connection is closed.') {
    const limit = 'closed during the handshake: is the server at its maxclients limit, or does it expect';
    // The alert that names the reason is lost where the server closes before it has read everything.
    if (socket instanceof TLSSocket)
      return `${limit} a client certificate (redis.tls.cert and redis.tls.key)?`;
    return `${limit} TLS (rediss:// or redis.tls)?`;
  }
  if (text.startsWith('Unknown RESP type')) return 'what answers there is not Redis: check host and port';
  if (/HELLO|NOPROTO/i.test(text)) return 'for a server or proxy without RESP3 set redis.protocol to 2';
  return undefined;
}

/** What to look at when nobody answered, in brackets; to be asked before the socket is destroyed. */
export function adviceOnSilence(socket: Socket | undefined): string {
  if (socket?.connecting) return ' (nobody accepted the connection: check host, port and firewall)';
  if (socket instanceof TLSSocket && socket.getPeerFinished() === undefined) {
    return ' (the TLS handshake was not answered, and a server without TLS never answers one: then use redis://)';
  }
  return '';
}

/** The text of a failure, without what TLS libraries put around it. */
export function textOf(error: Error): string {
  const { reason } = error as { readonly reason?: unknown };
  const isTls = String((error as NodeJS.ErrnoException).code).startsWith('ERR_SSL_');
  return isTls && typeof reason === 'string' ? `TLS: ${reason}` : error.message;
}

import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import forge from 'node-forge';

const DAY_MS = 86_400_000;

/** A certificate and its private key, PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** What a certificate says. */
export interface CertificateOptions {
  /** DNS names and IP addresses of the owner; the first one is its common name too. */
  readonly names: readonly string[];
  /** @default a day ago */
  readonly validFrom?: Date;
  /** @default in two days */
  readonly validTo?: Date;
}

/** An authority that signs certificates for servers and clients alike. */
export interface CertificateAuthority {
  /** Its own certificate, PEM: who trusts it trusts all that it issued. */
  readonly ca: string;
  issue(options: CertificateOptions): KeyPair;
}

/** Certificates for the cases that a client has to tell apart; made by {@link createCertificates}. */
export interface Certificates extends CertificateAuthority {
  /** For `localhost`, `127.0.0.1`, `::1` and `redis.test`. */
  readonly server: KeyPair;
  readonly client: KeyPair;
  /** Names of `server`; ended yesterday. */
  readonly expired: KeyPair;
  /** Names of `server`, issued by an authority of its own. */
  readonly foreign: KeyPair & { readonly ca: string };
}

const SERVER_NAMES = ['localhost', '127.0.0.1', '::1', 'redis.test'];

/** Makes an authority and what it issued; nothing is written to disk. */
export function createCertificates(): Certificates {
  const authority = createAuthority('Test authority');
  const stranger = createAuthority('Another authority');
  const ended = { validFrom: new Date(Date.now() - 9 * DAY_MS), validTo: new Date(Date.now() - DAY_MS) };
  return {
    ...authority,
    server: authority.issue({ names: SERVER_NAMES }),
    client: authority.issue({ names: ['client.test'] }),
    expired: authority.issue({ names: SERVER_NAMES, ...ended }),
    foreign: { ca: stranger.ca, ...stranger.issue({ names: SERVER_NAMES }) },
  };
}

function createAuthority(commonName: string): CertificateAuthority {
  const issuer = { subject: nameOf(commonName), key: newKey() };
  const extensions = [
    { name: 'basicConstraints', cA: true, critical: true },
    { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
  ];
  const ca = sign({ subject: issuer.subject, key: issuer.key, issuer, extensions, ...validity({}) });
  return {
    ca,
    issue: (options) => {
      const key = newKey();
      const subject = nameOf(options.names[0] ?? 'nobody');
      const cert = sign({ subject, key, issuer, extensions: leafExtensions(options), ...validity(options) });
      return { cert, key: pemOf(key) };
    },
  };
}

type Name = forge.pki.CertificateField[];

interface Unsigned {
  readonly subject: Name;
  readonly key: KeyObject;
  readonly issuer: { readonly subject: Name; readonly key: KeyObject };
  readonly extensions: object[];
  readonly validFrom: Date;
  readonly validTo: Date;
}

function sign({ subject, key, issuer, extensions, validFrom, validTo }: Unsigned): string {
  const certificate = forge.pki.createCertificate();
  const publicPem = createPublicKey(key).export({ type: 'spki', format: 'pem' });
  certificate.publicKey = forge.pki.publicKeyFromPem(String(publicPem));
  // Positive, whatever the random bytes are.
  certificate.serialNumber = `01${randomBytes(15).toString('hex')}`;
  certificate.validity.notBefore = validFrom;
  certificate.validity.notAfter = validTo;
  certificate.setSubject(subject);
  certificate.setIssuer(issuer.subject);
  certificate.setExtensions(extensions);
  certificate.sign(forge.pki.privateKeyFromPem(pemOf(issuer.key)), forge.md.sha256.create());
  return forge.pki.certificateToPem(certificate);
}

function leafExtensions({ names }: CertificateOptions): object[] {
  const altNames = names.map((name) => (isIP(name) ? { type: 7, ip: name } : { type: 2, value: name }));
  return [
    { name: 'basicConstraints', cA: false },
    { name: 'keyUsage', digitalSignature: true, keyEncipherment: true },
    { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
    { name: 'subjectAltName', altNames },
  ];
}

function validity({
  validFrom,
  validTo,
}: Partial<CertificateOptions>): Pick<Unsigned, 'validFrom' | 'validTo'> {
  return {
    validFrom: validFrom ?? new Date(Date.now() - DAY_MS),
    validTo: validTo ?? new Date(Date.now() + 2 * DAY_MS),
  };
}

function nameOf(commonName: string): Name {
  return [{ name: 'commonName', value: commonName }];
}

// Made by Node: the library's own way takes seconds.
function newKey(): KeyObject {
  return generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey;
}

function pemOf(key: KeyObject): string {
  return String(key.export({ type: 'pkcs1', format: 'pem' }));
}

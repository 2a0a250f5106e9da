import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A self-signed certificate of 127.0.0.1; its own authority. */
export interface Certificate {
  readonly certPath: string;
  readonly keyPath: string;
  readonly pem: string;
}

/** Makes one with openssl, valid for two days. */
export async function createCertificate(directory: string): Promise<Certificate> {
  const certPath = join(directory, 'cert.pem');
  const keyPath = join(directory, 'key.pem');
  await run('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-days', '2', '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'],
    ...['-keyout', keyPath, '-out', certPath],
  ]);
  return { certPath, keyPath, pem: await readFile(certPath, 'utf8') };
}

import { request } from 'node:http';
import { describe, expect, test } from 'vitest';
import type { Bench } from './bench.js';

const POLICY = {
  'default-src': "'none'",
  'script-src': "'self'",
  'style-src': "'self'",
  'img-src': "'self'",
  'connect-src': "'self'",
  'base-uri': "'none'",
  'form-action': "'none'",
  'frame-ancestors': "'none'",
};

/** The files of the page; what they do in a browser is tested in one. */
export function pageTests(bench: Bench): void {
  describe('the page', () => {
    test.each([
      ['/', /^text\/html/],
      ['/page.css', /^text\/css/],
      ['/page.js', /^(text|application)\/javascript/],
      ['/icon.svg', /^image\/svg\+xml/],
    ])('has its file %s', async (path, type) => {
      const client = await bench.client();
      const { status, headers } = await client.get(path);
      expect(status).toBe(200);
      expect(headers['content-type']).toMatch(type);
    });

    test('runs nothing but what it brings along, on every answer', async () => {
      const client = await bench.client();
      for (const path of ['/', '/page.js', '/user/7', '/nothing']) {
        const { headers } = await client.get(path);
        const policy = headers['content-security-policy']?.split(';').map((entry) => entry.split(' '));
        expect(
          Object.fromEntries(policy?.map(([name, ...values]) => [name, values.join(' ')]) ?? []),
        ).toEqual(POLICY);
        expect(headers['x-content-type-options']).toBe('nosniff');
        expect(headers['x-powered-by']).toBeUndefined();
      }
    });

    test.each(['/../package.json', '/%2e%2e/package.json', '/..%2fpackage.json', '/package.json'])(
      'has no file %s',
      async (path) => {
        const { url } = await bench.start();
        // Not through a client that would tidy the path up first.
        const status = await new Promise((resolve, reject) => {
          const { hostname, port } = new URL(url);
          const asked = request({ hostname, port, path, agent: false }, (answer) => {
            answer.resume();
            resolve(answer.statusCode);
          });
          asked.once('error', reject).end();
        });
        expect([400, 403, 404]).toContain(status);
      },
    );
  });
}

import { readFile } from 'node:fs/promises';
import { ERROR_CODES } from '@redis-pool/core';
import { expect, it } from 'vitest';

const page = await readFile(new URL('../errors.md', import.meta.url), 'utf8');

it('says of each error code what the code says', () => {
  const rows = [...page.matchAll(/^\| `(RP_ERR_\w+)` *\| (yes|no) *\| (\d*) *\| (.+?) *\|/gm)].map(
    ([, code, retryable, status, description]) => ({
      code,
      retryable: retryable === 'yes',
      statusCode: status ? Number(status) : undefined,
      description,
    }),
  );
  const table = Object.entries(ERROR_CODES).map(([code, kind]) => ({
    code,
    retryable: kind.retryable,
    statusCode: 'statusCode' in kind ? kind.statusCode : undefined,
    description: kind.description,
  }));
  expect(rows).toEqual(table);
});

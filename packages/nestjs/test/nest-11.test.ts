import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';

const ON_12 = new URL('../dist/', import.meta.url);
const ON_11 = new URL('../../nestjs-11/dist/', import.meta.url);

async function programOf(folder: URL): Promise<Record<string, string>> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.js'));
  const texts = await Promise.all(names.map((name) => readFile(new URL(name, folder), 'utf8')));
  return Object.fromEntries(names.map((name, index) => [name, texts[index] ?? '']));
}

test('what runs on Nest 11 in these tests is what is published, byte for byte', async () => {
  const program = await programOf(ON_11);
  expect(program).toEqual(await programOf(ON_12));
  expect(Object.keys(program)).toContain('module.js');
});

test.each([
  [ON_12, '12'],
  [ON_11, '11'],
])('%s finds Nest %s', (folder, major) => {
  const { version } = createRequire(new URL('index.js', folder))('@nestjs/core/package.json') as {
    version: string;
  };
  expect(version.split('.')[0]).toBe(major);
});

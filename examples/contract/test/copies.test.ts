import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findRedisServer } from '@redis-pool/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TEMPLATES } from '../src/templates.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Templates are copied alone and share no code, so these parts of them are there three times. */
const SAME = [
  'public',
  'src/redis',
  'src/settings.ts',
  '.env.example',
  '.dockerignore',
  'Dockerfile',
  'compose.yaml',
];

test.each(SAME)('every template has the same %s', async (path) => {
  const [first, ...others] = await Promise.all(
    TEMPLATES.map((name) => contentOf(join(ROOT, 'examples', name, path))),
  );
  expect(first?.size).toBeGreaterThan(0);
  for (const other of others) expect(other).toEqual(first);
});

describe.each(TEMPLATES)('a copy of %s', (name) => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), `copy-of-${name}-`));
    run(process.execPath, ['scripts/copy-template.mjs', name, folder], ROOT);
    // What `npm install` would bring.
    await symlink(join(ROOT, 'examples', name, 'node_modules'), join(folder, 'node_modules'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('needs published packages only', async () => {
    const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
    const { version } = JSON.parse(await readFile(join(ROOT, 'packages/core/package.json'), 'utf8'));
    expect(manifest.dependencies).toMatchObject({
      '@redis-pool/core': `^${version}`,
      [`@redis-pool/${name}`]: `^${version}`,
    });
    const all = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(all.filter(([, range]) => !/^\^?\d+\.\d+\.\d+$/.test(String(range)))).toEqual([]);
    const names = all.map(([dependency]) => dependency);
    for (const [path, text] of await contentOf(folder)) {
      const imports = [...text.matchAll(/^import (?:[^;]*? from )?'([^'.][^']*)';$/gm)].map(
        ([, from]) => from as string,
      );
      const packages = imports.filter((from) => !from.startsWith('node:')).map(packageOf);
      // Of express only the types are imported there; they come with its platform.
      const known = [...names, ...(names.includes('@types/express') ? ['express'] : []), 'vitest'];
      expect([path, packages.filter((from) => !known.includes(from))]).toEqual([path, []]);
    }
  });

  test('has nothing that only this repository can use', async () => {
    const files = [...(await contentOf(folder)).keys()];
    expect(files).toEqual(
      expect.arrayContaining(['README.md', 'src/server.ts', 'public/page.js', '.env.example']),
    );
    expect(files).toEqual(expect.arrayContaining(['Dockerfile', 'compose.yaml', 'test/example.test.ts']));
    expect(files.filter((path) => /workspace|app\.test|node_modules|^dist/.test(path))).toEqual([]);
  });

  test('compiles, and passes its own tests', () => {
    run(join(ROOT, 'node_modules/.bin/tsc'), [], folder);
    run(join(ROOT, 'node_modules/.bin/vitest'), ['run'], folder);
  });

  test('is never put over something else', () => {
    const { status, stderr } = spawnSync(process.execPath, ['scripts/copy-template.mjs', name, folder], {
      cwd: ROOT,
    });
    expect([status, String(stderr)]).toEqual([1, expect.stringContaining('is not empty')]);
  });
});

function run(command: string, args: readonly string[], cwd: string): void {
  const env = { ...process.env, REDIS_SERVER_BIN: findRedisServer() };
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, env });
  if (status !== 0) throw new Error(`${command} ended with ${status}:\n${stdout}\n${stderr}`);
}

/** Every file below a path, or the file itself, with its text. */
async function contentOf(path: string): Promise<Map<string, string>> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => undefined);
  if (entries === undefined) return new Map([['', await readFile(path, 'utf8')]]);
  const files = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(path.length + 1))
    .filter((file) => !/^(node_modules|dist)\//.test(file));
  const texts = await Promise.all(files.map((file) => readFile(join(path, file), 'utf8')));
  return new Map(files.map((file, index) => [file, texts[index] as string]));
}

/** `@scope/name` or `name`. */
function packageOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

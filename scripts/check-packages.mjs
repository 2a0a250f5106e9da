// Packs every public package as it would be published, and checks the tarballs with publint and are-the-types-wrong.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, tool } from './run.mjs';

const root = new URL('..', import.meta.url).pathname;
const directory = await mkdtemp(join(tmpdir(), 'redis-pool-pack-'));
let failed = false;

try {
  for (const folder of await publicPackages()) await check(folder);
} finally {
  await rm(directory, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);

async function publicPackages() {
  const folders = (await readdir(join(root, 'packages'))).map((name) => join(root, 'packages', name));
  const manifests = await Promise.all(
    folders.map((folder) => readFile(join(folder, 'package.json'), 'utf8').then(JSON.parse)),
  );
  return folders.filter((_, index) => manifests[index].private !== true);
}

async function check(folder) {
  const destination = await mkdtemp(join(directory, 'tarball-'));
  // pnpm, not npm: it writes published version ranges for the workspace's own packages.
  await expectSuccess(['pnpm', '-C', folder, 'pack', '--pack-destination', destination]);
  const [tarball] = (await readdir(destination)).map((name) => join(destination, name));
  await expectSuccess([tool('publint'), 'run', tarball, '--strict']);
  // ESM only, also for require() in the supported versions of Node: the "CommonJS gets ESM" notice is the design.
  await expectSuccess([tool('attw'), tarball, '--profile', 'esm-only']);
}

async function expectSuccess(command) {
  const { code, output } = await run(command);
  if (code === 0) return;
  failed = true;
  console.log(`${command.join(' ')}\n${output}`);
}

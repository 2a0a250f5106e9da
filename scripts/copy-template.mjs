// node scripts/copy-template.mjs <template> <folder>: copies an application out of examples/, to stand on its own.
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { run } from './run.mjs';

const TEMPLATES = ['fastify', 'express', 'nestjs'];
/** What only this repository can use. */
const LEFT_OUT = new Set(['node_modules', 'dist', 'package.json', 'tsconfig.workspace.json', 'app.test.ts']);
const OWN_DEPENDENCY = '@redis-pool/example-contract';

const [template, folder] = process.argv.slice(2);
if (!TEMPLATES.includes(template) || folder === undefined) {
  console.error(`node scripts/copy-template.mjs <${TEMPLATES.join(' | ')}> <folder>`);
  process.exit(2);
}

try {
  await copyTemplate(template, resolve(folder));
  console.log(`${folder} is ready: cd ${folder} && npm install`);
} catch (error) {
  console.error(error.message);
  process.exit(1);
}

async function copyTemplate(name, target) {
  const source = new URL(`../examples/${name}`, import.meta.url).pathname;
  await makeEmpty(target);
  const manifest = await publishedManifest(source);
  const filter = (path) => !LEFT_OUT.has(basename(path)) && !path.endsWith('.tsbuildinfo');
  await cp(source, target, { recursive: true, filter });
  const { [OWN_DEPENDENCY]: _, ...devDependencies } = manifest.devDependencies;
  const own = { ...manifest, name: basename(target).toLowerCase(), devDependencies };
  await writeFile(join(target, 'package.json'), `${JSON.stringify(own, null, 2)}\n`);
  await writeFile(join(target, '.gitignore'), 'node_modules/\ndist/\n.env\n');
}

/** As `pnpm pack` writes it: with published ranges where this repository has its own packages. */
async function publishedManifest(source) {
  const directory = await mkdtemp(join(tmpdir(), 'redis-pool-template-'));
  try {
    await succeed(['npx', 'pnpm', '-C', source, 'pack', '--pack-destination', directory]);
    const [tarball] = await readdir(directory);
    await succeed(['tar', '-xzf', join(directory, tarball), '-C', directory, 'package/package.json']);
    return JSON.parse(await readFile(join(directory, 'package/package.json'), 'utf8'));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function makeEmpty(target) {
  await mkdir(target, { recursive: true });
  if ((await readdir(target)).length > 0) throw new Error(`${target} is not empty`);
}

async function succeed(command) {
  const { code, output } = await run(command, { env: { npm_config_yes: 'true' } });
  if (code !== 0) throw new Error(`${command.join(' ')} failed:\n${output}`);
}

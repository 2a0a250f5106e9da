// Installs the packed packages into an application of their own, compiles it as ESM and as CommonJS with strict types,
// and runs it on this Node and on the newest LTS: what users of a published version will do.
//
// usage: node scripts/check-consumers.mjs [--node <major> ...]      the server of REDIS_URL, or one that it starts
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startRedis } from '../packages/testkit/dist/index.js';
import { run, tool } from './run.mjs';

const NEWEST_LTS = '24';
/** What follows says nothing without it. */
const FATAL = { fatal: true };
const PEERS = [
  'ioredis',
  'fastify',
  'express',
  '@types/express',
  '@types/node',
  '@nestjs/common',
  '@nestjs/core',
];
const NEST = ['@nestjs/platform-express', 'reflect-metadata', 'rxjs'];

const { values } = parseArgs({
  options: { node: { type: 'string', multiple: true, default: [NEWEST_LTS] } },
});
const root = new URL('..', import.meta.url).pathname;
const folder = await mkdtemp(join(tmpdir(), 'redis-pool-consumers-'));
const server = await startRedis();
let failed = 0;

try {
  const tarballs = await packAll();
  await install(tarballs);
  await step('compile', [tool('tsc'), '-p', folder], FATAL);
  const programs = (await readdir(join(folder, 'dist'))).filter((name) => /\.[cm]js$/.test(name)).sort();
  for (const [label, node] of await nodes()) {
    for (const program of programs) await step(`${label}: ${program}`, [node, join(folder, 'dist', program)]);
  }
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}
process.exit(failed === 0 ? 0 : 1);

async function packAll() {
  const folders = (await readdir(join(root, 'packages'))).map((name) => join(root, 'packages', name));
  for (const each of folders) {
    const { private: isPrivate } = JSON.parse(await readFile(join(each, 'package.json'), 'utf8'));
    if (!isPrivate)
      await step(
        `pack ${each.slice(root.length)}`,
        ['pnpm', '-C', each, 'pack', '--pack-destination', folder],
        FATAL,
      );
  }
  return (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
}

async function install(tarballs) {
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2022',
    strict: true,
    exactOptionalPropertyTypes: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    esModuleInterop: true,
    skipLibCheck: true,
    types: ['node'],
    rootDir: 'src',
    outDir: 'dist',
  };
  await cp(join(root, 'scripts/consumers'), join(folder, 'src'), { recursive: true });
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['src'] }));
  const files = tarballs.map((name) => `file:${name}`);
  const manifest = { name: 'consumer', private: true, dependencies: await dependencies(files, tarballs) };
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest));
  const flags = ['--no-audit', '--no-fund', '--ignore-scripts', '--prefix', folder];
  await step('install', ['npm', 'install', ...flags], FATAL);
}

/** The tarballs, which need each other, and their peers in the versions that this repository tests with. */
async function dependencies(files, tarballs) {
  const found = Object.fromEntries(
    tarballs.map((name, index) => [name.replace(/^redis-pool-(.+)-\d.*$/, '@redis-pool/$1'), files[index]]),
  );
  const folders = (await readdir(join(root, 'packages'))).map((name) => join(root, 'packages', name));
  for (const each of [root, ...folders]) {
    const { devDependencies = {} } = JSON.parse(await readFile(join(each, 'package.json'), 'utf8'));
    for (const name of [...PEERS, ...NEST]) if (devDependencies[name]) found[name] = devDependencies[name];
  }
  return found;
}

/** This Node, and others from the package that brings one. */
async function nodes() {
  const list = [[`node ${process.versions.node}`, process.execPath]];
  for (const major of values.node) {
    const name = `node-${process.platform}-${process.arch}`;
    const place = join(folder, `node-${major}`);
    const flags = ['--no-audit', '--no-fund', '--ignore-scripts', '--no-save', '--prefix', place];
    await step(`node ${major}`, ['npm', 'install', ...flags, `${name}@${major}`]);
    list.push([`node ${major}`, join(place, 'node_modules', name, 'bin', 'node')]);
  }
  return list;
}

async function step(name, command, { fatal = false } = {}) {
  const { code, output } = await run(command, { env: { REDIS_URL: server.url } });
  console.log(`${code === 0 ? 'ok  ' : 'FAIL'}  ${name}`);
  if (code === 0) return;
  failed += 1;
  console.log(output);
  if (fatal) throw new Error(`${name} failed`);
}

// npx pnpm demo: builds, then shows the point of this project under real load. Everything else is in demo/.
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { run, tool } from './run.mjs';

const USAGE = `npx pnpm demo [--serve]

Shows the same endpoints with three ways to use Redis, under the same load.

  --serve    Starts the example application instead, on PORT or a free port, until Ctrl-C.

REDIS_URL    The Redis to use; without it the demo starts one of its own, and ends it again.`;

const PROJECTS = ['packages/testkit', 'packages/fastify', 'examples/fastify/tsconfig.workspace.json'];

try {
  process.exit(await main());
} catch (error) {
  console.error(`\nThe demo failed: ${error instanceof Error ? error.message : error}`);
  process.exit(1);
}

async function main() {
  const { values } = parseArgs({ options: { serve: { type: 'boolean' }, help: { type: 'boolean' } } });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  await checkNode();
  await build();
  // Needs the build.
  const { runDemo } = await import('./demo/run-demo.mjs');
  return runDemo({ serve: values.serve === true });
}

async function checkNode() {
  const { engines } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isSupported = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major >= 24;
  if (!isSupported) throw new Error(`It needs Node ${engines.node}; this is ${process.versions.node}`);
}

async function build() {
  const startedAt = performance.now();
  process.stdout.write('Building ...');
  const { code, output } = await run([tool('tsc'), '-b', ...PROJECTS]);
  console.log(code === 0 ? ` done in ${((performance.now() - startedAt) / 1000).toFixed(1)} s` : '');
  if (code !== 0) throw new Error(`The build failed:\n${output}`);
}

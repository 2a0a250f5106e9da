import { USER_IDS } from './data.mjs';
import { measure } from './measure.mjs';
import { formatCount, formatRatios, formatTable } from './report.mjs';

const CONNECTIONS = 64;
const WARM_UP_MS = 1_000;
const MEASURE_MS = 3_000;

const VARIANTS = [
  // Each of its connections keeps a port of this machine for a minute (TIME_WAIT); there are some 28,000 of them.
  { id: 'connectionPerRequest', name: 'new ioredis connection per request', maxRequests: 8_000 },
  { id: 'classicPool', name: 'generic-pool of 20 ioredis connections' },
  { id: 'redisPool', name: 'this project: one shared connection' },
];

const ENDPOINTS = [
  { path: '/user', title: 'GET /user/:id', commands: '1 command per request' },
  { path: '/dashboard', title: 'GET /dashboard/:id', commands: '10 commands per request' },
];

/** Puts every variant of the application under the same load, and prints what came of it. */
export async function compare(context, redis) {
  const { screen } = context;
  screen.line();
  screen.line(
    `Three ways to Redis under the same load: ${CONNECTIONS} HTTP connections, ${MEASURE_MS / 1_000} s each`,
  );
  const sections = [];
  for (const endpoint of ENDPOINTS) {
    const rows = [];
    for (const variant of VARIANTS)
      rows.push({ variant, ...(await measureOne(context, redis, endpoint, variant)) });
    sections.push({ endpoint, rows });
  }
  for (const { endpoint, rows } of sections) {
    screen.line();
    screen.line(`${endpoint.title}, ${endpoint.commands}`);
    for (const line of formatTable(rows)) screen.line(line);
    for (const line of formatRatios(rows)) screen.line(line);
  }
  screen.line();
  screen.line(
    '  opened, held: connections to Redis, in all and at once; failed: answers other than 2xx, and none at all',
  );
}

async function measureOne(context, redis, endpoint, variant) {
  const { screen } = context;
  const label = `  ${endpoint.title.padEnd(20)} ${variant.name.padEnd(40)}`;
  screen.live(`${label} starting`);
  const load = {
    paths: USER_IDS.map((id) => `${endpoint.path}/${id}`),
    connections: CONNECTIONS,
    warmUpMs: WARM_UP_MS,
    measureMs: MEASURE_MS,
  };
  const onProgress = (count) => screen.live(`${label} ${formatCount(count)} answers`);
  const result = await measure(context, redis, { variant, load, onProgress });
  const early = result.stoppedEarly ? `, stopped after ${formatCount(variant.maxRequests)} requests` : '';
  screen.line(`${label} ${formatCount(result.requestsPerSecond).padStart(7)} requests/s${early}`);
  return result;
}

import { roundNoise } from '../report/round-noise.js';
import { median } from '../results/median.js';
import type { Results, Stamp } from '../results/results-file.js';

/** How it was measured, on what, what the figures do not say, and how to measure again. */
export function methodText(results: Results): string {
  return [repeatText(results), machineText(results), howText(results), caveatText(results)].join('\n\n');
}

function repeatText({ cells, http, memory, idle }: Results): string {
  const stamps = [cells, http, memory, idle].flatMap((section): Stamp[] => Object.values(section));
  const minutes = Math.round(stamps.reduce((sum, { seconds }) => sum + seconds, 0) / 60);
  return `## Repeat it

\`\`\`sh
npx pnpm install
npx pnpm bench --quick      # a rough subset
npx pnpm bench              # everything (what is on this page took ${minutes} minutes); --only <regexp> for a part
npx pnpm bench --publish    # the same, into docs/bench/results.json and this page
\`\`\`

It needs redis-server (or valkey-server) and openssl on the PATH. \`--help\` names the other options. A part that is
measured again replaces its own figures and leaves the others.`;
}

function machineText({ machine, ...sections }: Results): string {
  const { cpu, cores, memoryGiB, system, node, redisServer, libraries } = machine;
  const stamps = Object.values(sections).flatMap((section): Stamp[] => Object.values(section));
  const days = [...new Set(stamps.map(({ measuredAt }) => measuredAt.slice(0, 10)))].sort();
  const commits = [...new Set(stamps.map(({ commit }) => commit))];
  const versions = Object.entries(libraries).map(([name, version]) => `${name} ${version}`);
  return `## Machine

${cpu}, ${cores} cores, ${memoryGiB} GiB, ${system}; Node ${node}, redis-server ${redisServer} on the same machine.
${versions.join(', ')}. Measured ${days.length > 1 ? `from ${days[0]} to ${days.at(-1)}` : `on ${days[0]}`}
at ${commits.length === 1 ? 'commit' : 'commits'} ${commits.join(', ')}.`;
}

function howText(results: Results): string {
  const { cells } = results;
  const timings = Object.values(cells).map(({ timing }) => timing);
  const windows = range(timings.map(({ windowMs }) => windowMs));
  const rounds = range(timings.map(({ rounds: count }) => count));
  return `## Method

- One redis-server, started for the run, without persistence, on the loopback interface;
  ${pinText(results)}.
- Each cell (command, size, number of callers) has a process of its own, in which all peers are connected and do
  the same work in turn: one round to warm up, then ${rounds} rounds of windows of ${windows} ms. The order of the peers changes
  with each round; the heap is collected before each window.
- Closed loop: each caller waits for its reply and calls again at once. Latency is what the caller sees.
- A window in which others used more than a fifth of a core may be measured again; the least disturbed one counts,
  whatever its result.
- A figure is the median over the rounds. A ratio is the median of the ratios of each round, so that a disturbance
  longer than a round counts for both sides.
- Before its first window each peer has to answer every command with what is stored. After each window the server
  is asked how many commands it executed, which may not be fewer than were counted.
- CPU time is that of the whole process, all threads (\`process.cpuUsage()\`); that of the server is not in it.
- Allocated bytes are counted, not sampled: in one more window, what V8's heap grew between two garbage collections,
  summed over all of them (\`v8.GCProfiler\`). Memory outside that heap is not in it: contents of Buffers, and what
  valkey-glide holds in its native part.
- The bare socket is the limit: one write per tick, a queue of promises, a minimal parser, the same callers. It
  cannot reconnect, time out or log in.
- Every library has its default options, but: valkey-glide's limits of 1,000 requests in flight and 250 ms are raised.
  The pool's include a time limit for each command, which ioredis and node-redis do not have by default.`;
}

function caveatText(results: Results): string {
  const { cells } = results;
  const foreign = Object.values(cells).map(({ foreignCores }) => foreignCores);
  const worst = Math.max(0, ...foreign);
  return `## What the figures do not say

- Client, server and load generator share the cores of one machine, and there is no network between them: round
  trips take microseconds here. Over a network the figures of few callers come together, as waiting is all they do.
- Without \`--pin\`, figures of up to some ten callers depend on where the scheduler puts client and server. On one
  core they take turns; on two each wakes the other, which takes several times as long on a virtual machine.
- Read ratios, not absolute figures. While the cells were measured, others used ${median(foreign).toFixed(2)} cores of the machine
  (median; ${worst.toFixed(2)} at most), and the ratios of single rounds typically lay within ${percent(roundNoise(results))} of their median: a
  smaller difference says nothing.
- Peers that share a process share the feedback of V8's compiler for the code of Node they all use. The last section
  shows what changes when each has a process of its own.
- The bare socket writes once per tick, the pool splits a long batch so that the server starts earlier: with many
  callers the pool may come close to this limit, or pass it.`;
}

function pinText({ cells }: Results): string {
  const all = Object.values(cells).length;
  const pinned = Object.values(cells).filter(({ timing }) => timing.pinned).length;
  if (pinned === all) return 'the server has a core of its own for the cells (`--pin`), not for HTTP';
  if (pinned === 0) return 'nothing is pinned to a core';
  return `for ${pinned} of ${all} cells the server has a core of its own (\`--pin\`), else nothing is pinned`;
}

function range(values: readonly number[]): string {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return low === high ? `${low}` : `${low} to ${high}`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

import { createDataset, fill } from '../cell/dataset.js';
import { turnOrder } from '../cell/turn-order.js';
import { ProcessGroup } from '../child/process-group.js';
import type { CommandCount } from '../http/app.js';
import { AppUnderLoad } from '../http/app-under-load.js';
import type { HttpResult } from '../http/http-result.js';
import type { Load, LoadOrder } from '../http/load.js';
import type { ServerOrder, ServerReply } from '../http/server-process.js';
import type { VariantId, VariantOptions } from '../http/variant.js';
import { requireTcp } from '../peers/require-tcp.js';
import { PatienceBudget } from './patience-budget.js';
import type { RunContext } from './run-context.js';

const SERVER = new URL('../http/server-process.js', import.meta.url);
const LOAD = new URL('../http/load-process.js', import.meta.url);
const CONNECTIONS = 64;
/** A window of HTTP has to be longer: its connections are opened in it. */
const WINDOW_FACTOR = 3;

/** Measures the apps of all variants, each in a process of its own, in alternating windows. */
export async function runHttp(
  { commands, variants }: { commands: CommandCount; variants: readonly VariantId[] },
  context: RunContext,
): Promise<HttpResult> {
  await using processes = new ProcessGroup();
  const options = await prepare(context);
  const apps: AppUnderLoad[] = [];
  const failures: Partial<Record<VariantId, string>> = {};
  for (const id of variants) {
    try {
      const process = processes.start<ServerOrder, ServerReply>(SERVER);
      apps.push(await AppUnderLoad.start(id, process, options));
    } catch (error) {
      failures[id] = String(error).split('\n')[0] ?? '';
    }
  }
  await loadInTurn({ apps, commands, load: processes.start<LoadOrder, Load>(LOAD) }, context);
  const measured = Object.fromEntries(apps.map(({ id, measurement }) => [id, measurement]));
  const { loadGenerator, timing } = context;
  return { commands, connections: CONNECTIONS, loadGenerator, timing, variants: measured, failures };
}

async function prepare({ server }: RunContext): Promise<VariantOptions> {
  const dataset = createDataset(100, 'get');
  const target = requireTcp(server.target('tcp'));
  await fill(target, dataset);
  return { target, keys: dataset.keys, value: dataset.value };
}

interface Course {
  readonly apps: readonly AppUnderLoad[];
  readonly commands: CommandCount;
  readonly load: Parameters<AppUnderLoad['measureWindow']>[0];
}

async function loadInTurn(
  { apps, commands, load }: Course,
  { server, timing, loadGenerator, progress }: RunContext,
) {
  const windowMs = timing.windowMs * WINDOW_FACTOR;
  const order = { generator: loadGenerator, path: `/${commands}`, connections: CONNECTIONS, windowMs };
  const patience = new PatienceBudget(timing, apps.length * (timing.rounds + 1) * windowMs);
  for (const app of apps) {
    progress(`http/${commands}: warm-up of ${app.id}`);
    await app.warmUp(load, order);
  }
  for (let round = 0; round < timing.rounds; round += 1) {
    for (const app of turnOrder(apps, round)) {
      progress(`http/${commands}: round ${round + 1} of ${timing.rounds}, ${app.id}`);
      await app.measureWindow(load, order, { pids: [server.pid], retries: patience.retries() });
    }
  }
}

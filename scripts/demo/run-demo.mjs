import { compare } from './compare.mjs';
import { openDemoRedis } from './demo-redis.mjs';
import { startExample } from './example.mjs';
import { Screen } from './screen.mjs';
import { watchSignals } from './signals.mjs';

/**
 * What every step of the demo gets.
 *
 * @typedef {object} DemoContext
 * @property {Screen} screen
 * @property {AbortSignal} signal aborted by Ctrl-C: nothing new may be started
 * @property {(cleanUp: () => unknown) => void} defer what to undo at the end, in reverse order
 */

/**
 * Runs the comparison, or serves the example application, and cleans everything up, whatever happens.
 *
 * @param {{ serve: boolean }} options
 * @returns {Promise<number>} the exit code; rejects when something fails
 */
export async function runDemo({ serve }) {
  const signals = watchSignals();
  const cleanUps = [];
  const screen = new Screen();
  const context = { screen, signal: signals.signal, defer: (cleanUp) => cleanUps.push(cleanUp) };
  const startedAt = performance.now();
  let interrupted;
  let isClean = true;
  try {
    interrupted = await Promise.race([demonstrate(context, serve), signals.received]);
  } finally {
    screen.clear();
    for (const cleanUp of cleanUps.reverse()) isClean = (await succeeds(cleanUp)) && isClean;
  }
  const seconds = Math.round((performance.now() - startedAt) / 1_000);
  if (isClean)
    screen.line(`\n${interrupted ? 'Stopped' : 'Done'} after ${seconds} s; nothing is left behind.`);
  if (!isClean) return 1;
  // Ctrl-C is how --serve ends, and the end of anything else before its time.
  return serve || interrupted === undefined ? 0 : interrupted.exitCode;
}

async function demonstrate(context, serve) {
  const redis = await openDemoRedis(context);
  const example = await startExample(context, redis, { port: serve ? Number(process.env.PORT ?? 0) : 0 });
  await example.seed();
  if (serve) {
    example.showUsage();
    // Until a signal comes.
    await new Promise(() => {});
  }
  await example.introduce();
  await example.stop();
  await compare(context, redis);
}

async function succeeds(cleanUp) {
  try {
    await cleanUp();
    return true;
  } catch (error) {
    console.error(`Cleaning up failed: ${error.message}`);
    return false;
  }
}

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { CellResult } from '../cell/cell-result.js';
import type { HttpResult } from '../http/http-result.js';
import type { MachineFacts } from '../machine/machine-facts.js';
import type { IdleResult } from '../run/run-idle.js';
import type { MemoryResult } from '../run/run-memory.js';

/** When and of what something was measured, and how quiet the machine was. */
export interface Stamp {
  readonly measuredAt: string;
  readonly commit: string;
  /** Cores that others used meanwhile. */
  readonly foreignCores: number;
  /** Seconds that it took. */
  readonly seconds: number;
}

type Stamped<T> = Stamp & T;

/** What each section holds, by id. */
interface Sections {
  cells: Record<string, Stamped<CellResult>>;
  http: Record<string, Stamped<HttpResult>>;
  memory: Record<string, Stamped<MemoryResult>>;
  idle: Record<string, Stamped<IdleResult>>;
}

/** Everything that was measured on one machine. A later run replaces what it measured anew and keeps the rest. */
export interface Results extends Sections {
  readonly machine: MachineFacts;
}

export function emptyResults(machine: MachineFacts): Results {
  return { machine, cells: {}, http: {}, memory: {}, idle: {} };
}

/** The results in the file; `undefined` when there is none. */
export function readResults(path: string): Results | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Results;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * The results in the file to go on with; empty ones when there is no file.
 *
 * @throws when they are of another machine or of other versions: their figures cannot be compared
 */
export function resumeResults(path: string, machine: MachineFacts): Results {
  const found = readResults(path);
  if (found === undefined) return emptyResults(machine);
  if (isDeepStrictEqual(found.machine, machine)) return found;
  const message = `${path} was measured on another machine or with other versions; start it anew with --fresh`;
  throw new Error(message, { cause: { file: found.machine, now: machine } });
}

/** Writes one line for each measurement, so that a diff of the file can be read. */
export function writeResults(path: string, results: Results): void {
  const { machine, cells, http, memory, idle } = results;
  const sections = Object.entries({ cells, http, memory, idle });
  const lines = [`  "machine": ${JSON.stringify(machine)}`];
  for (const [name, section] of sections) lines.push(`  ${JSON.stringify(name)}: ${sectionText(section)}`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `{\n${lines.join(',\n')}\n}\n`);
}

function sectionText(section: Readonly<Record<string, unknown>>): string {
  const entries = Object.entries(section).sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }));
  if (entries.length === 0) return '{}';
  const lines = entries.map(([id, value]) => `    ${JSON.stringify(id)}: ${JSON.stringify(value)}`);
  return `{\n${lines.join(',\n')}\n  }`;
}

import { type Cell, cellId } from '../cell/cell-spec.js';
import type { CommandCount } from '../http/app.js';
import type { VariantId } from '../http/variant.js';
import type { Job } from './job.js';
import { runCell } from './run-cell.js';
import { runHttp } from './run-http.js';
import { runIdle } from './run-idle.js';
import { runMemory } from './run-memory.js';

export function cellJob(cell: Cell): Job {
  const id = cellId(cell);
  return {
    id,
    async measure(context) {
      const result = await runCell(cell, context);
      return (results, stamp) => {
        results.cells[id] = { ...stamp, ...result };
      };
    },
  };
}

export function httpJob(commands: CommandCount, variants: readonly VariantId[]): Job {
  const id = `http/${commands}`;
  return {
    id,
    async measure(context) {
      const result = await runHttp({ commands, variants }, context);
      return (results, stamp) => {
        results.http[id] = { ...stamp, ...result };
      };
    },
  };
}

export const memoryJob: Job = {
  id: 'memory/in-flight',
  async measure(context) {
    const result = await runMemory(context);
    return (results, stamp) => {
      results.memory['memory/in-flight'] = { ...stamp, ...result };
    };
  },
};

export const idleJob: Job = {
  id: 'idle',
  async measure(context) {
    const result = await runIdle(context);
    return (results, stamp) => {
      results.idle.idle = { ...stamp, ...result };
    };
  },
};

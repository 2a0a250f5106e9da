import { tell } from './callbacks.js';
import type { Callback, PoolCommand, ReplyEncoding } from './command.js';
import { createCommand } from './create-command.js';
import { profileOf } from './routing.js';

const SCAN = profileOf('scan');

/** What a scan over several servers needs. */
export interface PlaceScanHost {
  /** One place of each server. */
  places(): Promise<readonly number[]>;
  execute(command: PoolCommand): Promise<unknown>;
}

/**
 * Several servers as one for a stream that scans: their cursors carry the number of the server, and the last one of a
 * server leads on to the next.
 */
export class PlaceScan {
  readonly #host: PlaceScanHost;
  #places: readonly number[] = [];

  constructor(host: PlaceScanHost) {
    this.#host = host;
  }

  scan(args: unknown[], callback: Callback): void {
    tell(this.#scan(args, 'utf8'), callback);
  }

  scanBuffer(args: unknown[], callback: Callback): void {
    tell(this.#scan(args, null), callback);
  }

  async #scan([given, ...args]: unknown[], encoding: ReplyEncoding): Promise<[string, unknown]> {
    const cursor = `${given}`;
    if (cursor === '0') this.#places = await this.#host.places();
    const [index, own] = cursor === '0' ? [0, '0'] : splitCursor(cursor);
    const command = createCommand('scan', SCAN, [own, ...args], encoding, undefined);
    command.slot = this.#places[index] as number;
    const [next, keys] = (await this.#host.execute(command)) as [string | Buffer, unknown];
    if (`${next}` !== '0') return [`${index}:${next}`, keys];
    return [index + 1 < this.#places.length ? `${index + 1}:0` : '0', keys];
  }
}

function splitCursor(cursor: string): [index: number, own: string] {
  const [index = '', own = ''] = cursor.split(':');
  return [Number(index), own];
}

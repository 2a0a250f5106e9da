import { tell } from './callbacks.js';
import type { Callback, PoolCommand, ReplyEncoding } from './command.js';
import { createCommand } from './create-command.js';
import { profileOf } from './routing.js';

const SCAN = profileOf('scan');

/** What a scan over several servers needs. */
export interface PlaceScanHost {
  /** One place of each server, as it is at this moment, by the name of the server. */
  places(): Promise<ReadonlyMap<string, number>>;
  execute(command: PoolCommand): Promise<unknown>;
}

/** How far a scan has come: which server, and where in it. */
interface Position {
  readonly index: number;
  readonly own: string;
}

interface Page extends Position {
  readonly keys: unknown;
}

/**
 * Several servers as one for a stream that scans: their cursors carry the number of the server, and the last one of a
 * server leads on to the next. A cursor means something to its own server only, wherever its places go meanwhile.
 */
export class PlaceScan {
  readonly #host: PlaceScanHost;
  readonly #servers: string[] = [];

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
    let position = positionOf(`${given}`);
    for (;;) {
      const places = await this.#places();
      const server = this.#servers[position.index];
      if (server === undefined) return ['0', []];
      const place = places.get(server);
      // It has left; who came in its place stands further down.
      if (place === undefined) position = { index: position.index + 1, own: '0' };
      else {
        const page = await this.#read(place, position, { args, encoding });
        // Otherwise another server may have answered.
        if ((await this.#places()).get(server) === place) return [this.#cursorOf(page), page.keys];
      }
    }
  }

  /** Servers that are new are scanned too. */
  async #places(): Promise<ReadonlyMap<string, number>> {
    const places = await this.#host.places();
    for (const name of places.keys()) if (!this.#servers.includes(name)) this.#servers.push(name);
    return places;
  }

  async #read(
    place: number,
    { index, own }: Position,
    { args, encoding }: { readonly args: unknown[]; readonly encoding: ReplyEncoding },
  ): Promise<Page> {
    const command = createCommand('scan', SCAN, [own, ...args], encoding, undefined);
    command.slot = place;
    const [next, keys] = (await this.#host.execute(command)) as [string | Buffer, unknown];
    return { index, own: `${next}`, keys };
  }

  #cursorOf({ index, own }: Position): string {
    if (own !== '0') return `${index}:${own}`;
    return index + 1 < this.#servers.length ? `${index + 1}:0` : '0';
  }
}

function positionOf(cursor: string): Position {
  if (cursor === '0') return { index: 0, own: '0' };
  const [index = '', own = ''] = cursor.split(':');
  return { index: Number(index), own };
}

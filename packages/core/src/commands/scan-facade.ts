import { ScanStream, type ScanStreamOptions } from 'ioredis';
import { CommandFacade } from './facade.js';

/** ioredis's scan streams, over whatever runs the commands. */
export abstract class ScanFacade extends CommandFacade {
  /** Of what the keys are scanned. */
  protected scanSource(): object {
    return this;
  }

  scanStream(options?: ScanStreamOptions): ScanStream {
    return this.#scan('scan', undefined, options);
  }

  scanBufferStream(options?: ScanStreamOptions): ScanStream {
    return this.#scan('scanBuffer', undefined, options);
  }

  sscanStream(key: string | Buffer, options?: ScanStreamOptions): ScanStream {
    return this.#scan('sscan', key, options);
  }

  sscanBufferStream(key: string | Buffer, options?: ScanStreamOptions): ScanStream {
    return this.#scan('sscanBuffer', key, options);
  }

  hscanStream(key: string | Buffer, options?: ScanStreamOptions): ScanStream {
    return this.#scan('hscan', key, options);
  }

  hscanBufferStream(key: string | Buffer, options?: ScanStreamOptions): ScanStream {
    return this.#scan('hscanBuffer', key, options);
  }

  zscanStream(key: string | Buffer, options?: ScanStreamOptions): ScanStream {
    return this.#scan('zscan', key, options);
  }

  zscanBufferStream(key: string | Buffer, options?: ScanStreamOptions): ScanStream {
    return this.#scan('zscanBuffer', key, options);
  }

  #scan(command: string, key: string | Buffer | undefined, options: ScanStreamOptions = {}): ScanStream {
    const redis = key === undefined ? this.scanSource() : this;
    return new ScanStream({ objectMode: true, redis, command, key, ...options } as never);
  }
}

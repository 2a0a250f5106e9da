import { EventEmitter } from 'node:events';

type EngineEvent = 'ready' | 'degraded' | 'restored' | 'close' | 'dialFailed' | 'silent';

/** Changes of an engine's state. */
export class EngineEvents extends EventEmitter<Record<EngineEvent, []>> {
  constructor() {
    super();
    this.setMaxListeners(0);
  }

  /** As `emit()`; what a listener throws is uncaught all the same, but keeps the engine from nothing. */
  announce(event: EngineEvent): void {
    for (const listener of this.rawListeners(event)) {
      try {
        listener();
      } catch (error) {
        process.nextTick(() => {
          throw error;
        });
      }
    }
  }
}

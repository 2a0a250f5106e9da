import { fileURLToPath } from 'node:url';

/** Frames show the files of this package as URLs, or, where a tool has loaded them, as paths. */
const OWN_FILES = ownFiles();
const SHOWN_FRAMES = 6;
const DEEP_FRAMES = 40;

/** A place in the application from which this package was called. It is formatted only when it is shown. */
export class Place {
  static readonly unknown: Place = Object.create(Place.prototype);
  declare readonly stack?: string;

  /** `above`: a function of this package on the stack, to start from its caller. */
  constructor(above?: (...args: never[]) => unknown) {
    Error.captureStackTrace(this, above);
  }

  /** Where the application is now, however deep inside this package that is. */
  static here(): Place {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = DEEP_FRAMES;
    const place = new Place();
    Error.stackTraceLimit = limit;
    return place;
  }

  /** The frames of the application, without those of this package. */
  toString(): string {
    const frames = this.stack?.split('\n').slice(1) ?? [];
    const foreign = frames.filter((frame) => !OWN_FILES.some((folder) => frame.includes(folder)));
    return foreign.slice(0, SHOWN_FRAMES).join('\n') || '    at an unknown place';
  }
}

function ownFiles(): readonly string[] {
  const { href, protocol } = new URL('..', import.meta.url);
  return protocol === 'file:' ? [href, fileURLToPath(href)] : [href];
}

import type { PoolCommand } from '../commands/command.js';
import { subcommandOf } from '../commands/routing.js';

/** What a command may leave behind on its connection, by the command that undoes it. */
type Trace = 'watch' | 'multi' | 'select' | 'setname' | 'tracking' | 'no-evict' | 'no-touch' | 'readonly';

/** Commands that leave a known trace, and those that take one away. */
const LEAVES: ReadonlyMap<string, Trace> = new Map([
  ['watch', 'watch'],
  ['multi', 'multi'],
  ['select', 'select'],
  ['client setname', 'setname'],
  ['client tracking', 'tracking'],
  ['client caching', 'tracking'],
  ['client no-evict', 'no-evict'],
  ['client no-touch', 'no-touch'],
  ['readonly', 'readonly'],
]);
const TAKES_AWAY: ReadonlyMap<string, readonly Trace[]> = new Map([
  ['unwatch', ['watch']],
  ['exec', ['watch', 'multi']],
  ['discard', ['watch', 'multi']],
  ['readwrite', ['readonly']],
]);

const ENDS_TRANSACTION: ReadonlySet<string> = new Set(['exec', 'discard']);

/** What a connection is like when nobody has used it. */
export interface HomeState {
  readonly db: number;
  readonly name: string;
}

/**
 * What the commands of a lease left behind on its connection (law 6). A clean one goes back as it is, a known trace
 * is undone, and whatever cannot be undone for certain makes the connection doubtful: it is not used again.
 */
export class SessionState {
  #doubtful = false;
  readonly #traces = new Set<Trace>();

  get isDoubtful(): boolean {
    return this.#doubtful;
  }

  get isClean(): boolean {
    return !this.#doubtful && this.#traces.size === 0;
  }

  doubt(): void {
    this.#doubtful = true;
  }

  /** To be told of each command that is sent, in order. What it does if it fails is undone all the same. */
  note(command: PoolCommand): void {
    const { name, class: commandClass } = command.profile;
    const subcommand = subcommandOf(command.profile, command.args);
    const key = subcommand === undefined ? name : `${name} ${subcommand}`;
    const trace = LEAVES.get(key);
    if (trace !== undefined) this.#traces.add(trace);
    // Without a transaction EXEC and DISCARD are errors and change nothing; within one all others are only queued.
    if (this.#traces.has('multi') === ENDS_TRANSACTION.has(key)) {
      for (const gone of TAKES_AWAY.get(key) ?? []) this.#traces.delete(gone);
    }
    // AUTH, HELLO, RESET, CLIENT REPLY, SCRIPT DEBUG, HIMPORT ...; and modules, of which nothing is known.
    const stateful = commandClass === 'session-state' || (subcommand !== undefined && !isHarmless(key));
    const known = trace !== undefined || TAKES_AWAY.has(key);
    if ((stateful && !known) || commandClass === 'unknown') this.#doubtful = true;
  }

  /** To be told of each error reply. */
  noteRefusal({ profile }: PoolCommand, error: Error): void {
    // The trace that it was to take away may still be there. An EXEC that refuses to run anything does take it away.
    if (TAKES_AWAY.has(profile.name) && !error.message.startsWith('EXECABORT')) this.#doubtful = true;
  }

  /** The commands that undo what is known, in the order in which they work. */
  cleanup(home: HomeState): string[][] {
    const traces = this.#traces;
    const commands: string[][] = [];
    // DISCARD forgets the watched keys too.
    if (traces.has('multi')) commands.push(['DISCARD']);
    else if (traces.has('watch')) commands.push(['UNWATCH']);
    if (traces.has('select')) commands.push(['SELECT', `${home.db}`]);
    if (traces.has('setname')) commands.push(['CLIENT', 'SETNAME', home.name]);
    if (traces.has('tracking')) commands.push(['CLIENT', 'TRACKING', 'OFF']);
    if (traces.has('no-evict')) commands.push(['CLIENT', 'NO-EVICT', 'OFF']);
    if (traces.has('no-touch')) commands.push(['CLIENT', 'NO-TOUCH', 'OFF']);
    if (traces.has('readonly')) commands.push(['READWRITE']);
    return commands;
  }

  /** After the cleanup was answered without an error. */
  forget(): void {
    this.#traces.clear();
  }
}

const HARMLESS = new Set([
  'client id',
  'client info',
  'client getname',
  'client getredir',
  'client trackinginfo',
]);

function isHarmless(key: string): boolean {
  return HARMLESS.has(key);
}

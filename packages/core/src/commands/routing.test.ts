import { createRequire } from 'node:module';
import { hasFlag, list } from '@ioredis/commands';
import { Command } from 'ioredis';
import { describe, expect, it } from 'vitest';
import {
  type CommandClass,
  classify,
  isReadOnly,
  profileOf,
  REFUSED_ON_LEASE,
  REFUSED_ON_POOL,
  refusalHint,
  subcommandOf,
} from './routing.js';

interface Metadata {
  readonly flags: readonly string[];
  readonly subcommands?: Readonly<Record<string, Metadata>>;
}

const metadata = createRequire(import.meta.url)('@ioredis/commands/built/commands.json') as Record<
  string,
  Metadata
>;

const route = (name: string, ...args: unknown[]) => classify(profileOf(name), args);
const safeToResend = (name: string, ...args: unknown[]) => isReadOnly(profileOf(name), args);
const namesOf = (wanted: string) => list.filter((name) => profileOf(name).class === wanted).sort();

describe('the class of every command', () => {
  it('is the expected one for each class that is not plain', () => {
    const classes = new Set(list.map((name) => profileOf(name).class));
    classes.delete('plain');
    expect(Object.fromEntries([...classes].map((each) => [each, namesOf(each)]))).toEqual({
      blocking: [
        'blmove',
        'blmovem',
        'blmpop',
        'blpop',
        'brpop',
        'brpoplpush',
        'bzmpop',
        'bzpopmax',
        'bzpopmin',
      ],
      'by-arguments': ['client', 'himport', 'script', 'xread', 'xreadgroup'],
      'connection-relative': ['wait', 'waitaof'],
      'transaction-state': ['discard', 'exec', 'multi', 'unwatch', 'watch'],
      'session-state': ['asking', 'auth', 'hello', 'readonly', 'readwrite', 'reset', 'select'],
      subscription: ['psubscribe', 'punsubscribe', 'ssubscribe', 'subscribe', 'sunsubscribe', 'unsubscribe'],
      refused: ['monitor', 'psync', 'quit', 'replconf', 'sync'],
    });
  });

  it('is plain for the rest, and a new release of the metadata is looked at before it is taken', () => {
    expect({ commands: list.length, plain: namesOf('plain').length }).toEqual({ commands: 302, plain: 263 });
  });

  it('is plain for what stalls or stops the server but leaves the connection as it was', () => {
    const names =
      'shutdown debug pfdebug pfselftest keys flushall migrate save acl config function object memory cluster command eval evalsha eval_ro evalsha_ro fcall fcall_ro publish spublish pubsub';
    for (const name of names.split(' ')) expect([name, route(name, 'x')]).toEqual([name, 'plain']);
  });

  it('lets no command with the flag `blocking` through by name', () => {
    const blocking = list.filter((name) => hasFlag(name, 'blocking'));
    expect(blocking).toHaveLength(13);
    for (const name of blocking)
      expect(['blocking', 'by-arguments', 'connection-relative']).toContain(profileOf(name).class);
  });

  it('gives every command with the flag `pubsub` to the subscriber, except publishing', () => {
    const pubsub = list.filter((name) => hasFlag(name, 'pubsub') && !/^s?publish$/.test(name));
    expect(pubsub.sort()).toEqual(namesOf('subscription'));
  });
});

describe('the name of a command', () => {
  it.each(['BLPOP', 'blpop', 'BlPop'])('is taken in any letter case: %s', (name) => {
    expect(profileOf(name)).toBe(profileOf('blpop'));
    expect(route(name, 'queue', 0)).toBe('blocking');
  });

  it.each(['FT.SEARCH', 'TS.READ', 'json.get', 'DELIFEQ', 'nonsense', ''])(
    'is unknown, in lower case, when the table lacks it: "%s"',
    (name) => {
      expect(profileOf(name)).toEqual({ name: name.toLowerCase(), class: 'unknown', readOnly: false });
      expect(route(name, 'BLOCK', 0)).toBe('unknown');
      expect(safeToResend(name, 'x')).toBe(false);
    },
  );

  it.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])(
    'is not looked up on a prototype: %s',
    (name) => {
      expect(profileOf(name).class).toBe('unknown');
      expect(route('client', name)).toBe('plain');
      expect(safeToResend('object', name)).toBe(false);
    },
  );

  it('leaves nothing behind when it is unknown', () => {
    expect(profileOf('ft.search')).not.toBe(profileOf('ft.search'));
  });

  it('has one profile that nobody can change', () => {
    expect(Object.isFrozen(profileOf('get'))).toBe(true);
  });
});

describe('a subcommand', () => {
  const expected: Record<string, Partial<Record<CommandClass, string>>> = {
    client: {
      'connection-relative': 'id info getname trackinginfo getredir',
      'session-state': 'reply tracking caching setname setinfo no-evict no-touch capa import-source',
      plain: 'list kill unblock pause unpause help',
    },
    script: { 'session-state': 'debug', plain: 'load exists flush kill help show' },
    himport: { 'session-state': 'prepare set discard discardall' },
  };
  const rows = Object.entries(expected).flatMap(([name, classes]) =>
    Object.entries(classes).flatMap(([commandClass, subcommands]) =>
      subcommands.split(' ').map((subcommand) => ({ name, subcommand, commandClass })),
    ),
  );

  it.each(rows)('$name $subcommand is $commandClass', ({ name, subcommand, commandClass }) => {
    const upper = subcommand.toUpperCase();
    expect(route(name, subcommand, 'x')).toBe(commandClass);
    expect(route(name.toUpperCase(), upper, 'x')).toBe(commandClass);
    expect(route(name, Buffer.from(upper), 'x')).toBe(commandClass);
    expect(route(name, [upper, 'x'])).toBe(commandClass);
    expect(route(name, [], [Buffer.from(subcommand)])).toBe(commandClass);
  });

  it('has a row here for everything that the metadata knows', () => {
    for (const name of Object.keys(expected)) {
      const here = rows.filter((row) => row.name === name).map((row) => row.subcommand);
      expect(here).toEqual(expect.arrayContaining(Object.keys(metadata[name]?.subcommands ?? {})));
    }
  });

  it.each<[unknown[], CommandClass]>([
    [['reply', 'off'], 'session-state'],
    [[['reply', 'off']], 'session-state'],
    [[[], ['reply'], 'off'], 'session-state'],
    [[[['reply'], 'off']], 'session-state'],
    [[[['reply', 'off']]], 'plain'],
    [[new String('reply'), 'off'], 'session-state'],
    [[Buffer.from('reply'), 'off'], 'session-state'],
    [['', 'reply'], 'plain'],
    [[null, 'reply'], 'plain'],
  ])('is the one that ioredis puts on the wire: %j is %s', (args, commandClass) => {
    const sent = new Command('client', args as string[]).args;
    expect(route('client', ...sent)).toBe(commandClass);
    expect(route('client', ...args)).toBe(commandClass);
  });

  it('is not read from the middle of a larger Buffer', () => {
    const frame = Buffer.from('xxREPLYxx');
    expect(route('client', frame.subarray(2, 7), 'OFF')).toBe('session-state');
    expect(route('client', frame, 'OFF')).toBe('plain');
  });

  it.each([[[]], [[undefined]], [[null]], [['no-such-thing']], [[7]], [['list', 'reply']]])(
    'that is missing, unknown or not the first argument is left to the server: %j',
    (args) => {
      expect(route('client', ...args)).toBe('plain');
    },
  );

  it('counts for its own command only', () => {
    expect(route('script', 'reply')).toBe('plain');
    expect(route('config', 'set', 'reply')).toBe('plain');
    expect(route('acl', 'setname')).toBe('plain');
  });

  it('is named for an error message only when the table knows it', () => {
    expect(subcommandOf(profileOf('CLIENT'), [Buffer.from('REPLY'), 'OFF'])).toBe('reply');
    expect(subcommandOf(profileOf('client'), [['SetName', 'x']])).toBe('setname');
    expect(subcommandOf(profileOf('client'), ['secret'])).toBeUndefined();
    expect(subcommandOf(profileOf('client'), [])).toBeUndefined();
    expect(subcommandOf(profileOf('get'), ['reply'])).toBeUndefined();
  });
});

describe('XREAD and XREADGROUP', () => {
  const blocking: [string, ...unknown[]][] = [
    ['xread', 'BLOCK', 0, 'STREAMS', 's', '$'],
    ['XREAD', 'block', '0', 'streams', 's', '$'],
    ['xread', 'COUNT', 10, 'BLOCK', 0, 'STREAMS', 's', '$'],
    ['xread', ['BLOCK', 0, 'STREAMS', 's', '$']],
    ['xread', 'COUNT', ['1', 'Block'], 5, ['STREAMS', 's'], '$'],
    ['xread', Buffer.from('BLOCK'), Buffer.from('0'), Buffer.from('STREAMS'), 's', '$'],
    ['xread', 'MAXCOUNT', 5, 'MAXSIZE', 1024, 'BLOCK', 0, 'STREAMS', 's', '$'],
    ['xread', 'BLOCK'],
    ['xreadgroup', 'GROUP', 'g', 'c', 'BLOCK', 0, 'STREAMS', 's', '>'],
    ['xreadgroup', 'GROUP', 'streams', 'streams', 'BLOCK', 0, 'STREAMS', 's', '>'],
    ['xreadgroup', 'GROUP', 'block', 'group', 'NOACK', 'COUNT', 1, 'BLOCK', 0, 'STREAMS', 's', '>'],
    ['xreadgroup', 'BLOCK', 0, 'GROUP', 'g', 'c', 'STREAMS', 's', '>'],
    ['xreadgroup', 'NOACK', 'BLOCK', 0, 'GROUP', 'g', 'c', 'STREAMS', 's', '>'],
    ['xreadgroup', 'GROUP', 'g', 'c', 'CLAIM', 60_000, 'BLOCK', 0, 'STREAMS', 's', '>'],
    ['xread', 'SOME-NEW-OPTION', 'BLOCK', 0, 'STREAMS', 's', '$'],
  ];
  it.each(blocking.map((call) => [call]))('take a lease: %j', ([name, ...args]) => {
    expect(route(name, ...args)).toBe('blocking');
    expect(safeToResend(name, ...args)).toBe(false);
  });

  const plain: [string, ...unknown[]][] = [
    ['xread', 'STREAMS', 's', '0'],
    ['xread', 'COUNT', 10, 'STREAMS', 's', '0'],
    ['xread', 'STREAMS', 'block', '0'],
    ['xread', 'STREAMS', 'a', 'BLOCK', '0', '0'],
    ['xread', 'STREAMS', Buffer.from('BLOCK'), '0'],
    ['xread', ['STREAMS', 'block', '0']],
    ['xread'],
    ['xreadgroup', 'GROUP', 'block', 'c', 'STREAMS', 's', '>'],
    ['xreadgroup', 'GROUP', 'g', 'BLOCK', 'STREAMS', 's', '>'],
    ['xreadgroup', ['GROUP', 'block', 'block'], 'NOACK', 'STREAMS', 'block', '>'],
    ['xreadgroup', 'GROUP', 'g', 'c', 'CLAIM', 60_000, 'NOACK', 'STREAMS', 'block', '>'],
  ];
  it.each(plain.map((call) => [call]))('stay on the lane: %j', ([name, ...args]) => {
    expect(route(name, ...args)).toBe('plain');
  });

  it('judge a long list of streams without reading it', () => {
    const unreadable = {
      toString: () => {
        throw new Error('a key was read');
      },
    };
    expect(route('xread', 'COUNT', 1, 'STREAMS', unreadable, '0')).toBe('plain');
  });
});

describe('what may be sent twice', () => {
  it('is what the metadata calls read-only, and never anything that is not plain', () => {
    const readOnly = list.filter((name) => profileOf(name).readOnly);
    const flagged = list.filter((name) => hasFlag(name, 'readonly') && name !== 'xread');
    expect(readOnly).toEqual(flagged);
    expect(readOnly).toHaveLength(109);
    for (const name of readOnly) expect(profileOf(name).class).toBe('plain');
  });

  it('never has the flag `write`', () => {
    for (const name of list.filter((each) => hasFlag(each, 'write')))
      expect([name, safeToResend(name, 'usage')]).toEqual([name, false]);
  });

  it.each([
    ...['set', 'incr', 'getdel', 'getex', 'spop', 'sort', 'georadius', 'bitfield', 'publish', 'eval'],
    ...['evalsha', 'fcall', 'blpop', 'wait', 'readonly', 'xreadgroup', 'xautoclaim', 'select'],
  ])('is not %s', (name) => {
    expect(safeToResend(name, 'x', 'y')).toBe(false);
  });

  it.each(['get', 'sort_ro', 'georadius_ro', 'bitfield_ro', 'eval_ro', 'evalsha_ro', 'fcall_ro', 'scan'])(
    'is %s',
    (name) => {
      expect(safeToResend(name, 'x', 'y')).toBe(true);
    },
  );

  it('is XREAD without BLOCK', () => {
    expect(safeToResend('XREAD', 'STREAMS', 'block', '0')).toBe(true);
    expect(safeToResend('XREAD', ['BLOCK', 1, 'STREAMS', 's', '0'])).toBe(false);
    expect(profileOf('xread').readOnly).toBe(false);
  });

  it('is exactly the subcommands that the metadata calls read-only', () => {
    for (const [name, { subcommands = {} }] of Object.entries(metadata))
      for (const [subcommand, { flags }] of Object.entries(subcommands)) {
        const label = `${name} ${subcommand}`;
        const expected = [label, flags.includes('readonly')];
        expect([label, safeToResend(name, subcommand, 'key')]).toEqual(expected);
        expect([label, safeToResend(name, [Buffer.from(subcommand.toUpperCase())])]).toEqual(expected);
      }
  });

  it('is not a container without its subcommand', () => {
    for (const name of ['object', 'memory', 'xinfo']) expect(safeToResend(name)).toBe(false);
  });
});

describe('the lists that types are made of', () => {
  it('name every command that is refused on the pool by name alone, once, and none besides', () => {
    const refused: (CommandClass | 'by-arguments')[] = [
      'connection-relative',
      'transaction-state',
      'session-state',
      'subscription',
      'refused',
    ];
    const expected = list.filter((name) => name !== 'multi' && refused.includes(profileOf(name).class));
    expect([...REFUSED_ON_POOL].sort()).toEqual(expected.sort());
  });

  it('name every command that a lease refuses', () => {
    expect([...REFUSED_ON_LEASE].sort()).toEqual([...namesOf('subscription'), ...namesOf('refused')].sort());
  });

  it('keep their literal types', () => {
    const name: (typeof REFUSED_ON_POOL)[number] = 'waitaof';
    // @ts-expect-error multi() is a builder on the pool
    const builder: (typeof REFUSED_ON_POOL)[number] = 'multi';
    expect(REFUSED_ON_POOL).toContain(name);
    expect(REFUSED_ON_POOL).not.toContain(builder);
  });
});

describe('the hint of a refusal', () => {
  const publicMethods = [
    'acquire',
    'close',
    'dedicated',
    'lease',
    'multi',
    'psubscribe',
    'ssubscribe',
    'subscribe',
    'transaction',
    'writeDurably',
  ];
  const methodsIn = (hint: string) => [...hint.matchAll(/pool\.(\w+)\(/g)].map((match) => match[1]);
  const hintOf = (name: string, ...args: unknown[]) => {
    const profile = profileOf(name);
    return refusalHint(name, classify(profile, args), subcommandOf(profile, args));
  };
  const replication = ['sync', 'psync', 'replconf'];

  it.each([...REFUSED_ON_POOL, 'multi'].filter((name) => !replication.includes(name)))(
    'names a public method for %s',
    (name) => {
      const methods = methodsIn(hintOf(name));
      expect(methods).not.toEqual([]);
      expect(publicMethods).toEqual(expect.arrayContaining(methods));
      expect(hintOf(name.toUpperCase())).toBe(hintOf(name));
    },
  );

  it.each(replication)('promises no method of the pool for %s, which ioredis cannot speak', (name) => {
    expect(methodsIn(hintOf(name))).toEqual([]);
    expect(hintOf(name)).toContain('replication client');
  });

  it.each([
    ['wait', 'use pool.writeDurably() or pool.lease()'],
    ['WATCH', 'use pool.transaction() or pool.lease()'],
    ['multi', 'use pool.multi() or pool.transaction()'],
    ['subscribe', 'use pool.subscribe()'],
    ['PSUBSCRIBE', 'use pool.psubscribe()'],
    ['monitor', 'use pool.dedicated()'],
    ['quit', 'use pool.close()'],
    ['reset', 'use pool.lease()'],
  ])('of %s is "%s"', (name, hint) => {
    expect(hintOf(name)).toBe(hint);
  });

  it('knows the subcommand', () => {
    expect(hintOf('CLIENT', 'SETNAME', 'x')).toBe('set the option name, or use pool.lease()');
    expect(hintOf('client', 'id')).toBe('use pool.lease()');
    expect(hintOf('himport', 'prepare')).toBe('use pool.lease()');
    expect(hintOf('script', 'debug')).toBe('use pool.lease()');
  });
});

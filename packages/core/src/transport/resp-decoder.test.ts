import { ReplyError } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ProtocolError, ReplyDecoder, type ReplyDecoderOptions, type ReplySink } from './resp-decoder.js';

const legacy: ReplyDecoderOptions = { mapping: 'legacy', stringNumbers: false };
const resp3: ReplyDecoderOptions = { mapping: 'resp3', stringNumbers: false };
const legacyText: ReplyDecoderOptions = { mapping: 'legacy', stringNumbers: true };
const resp3Text: ReplyDecoderOptions = { mapping: 'resp3', stringNumbers: true };

type Event = ['ask'] | ['reply', unknown] | ['error', Error] | ['push', unknown[]];

class Recorder implements ReplySink {
  readonly events: Event[] = [];
  readonly #strings: boolean;

  constructor(strings: boolean) {
    this.#strings = strings;
  }

  get replies(): unknown[] {
    return this.events.filter(([kind]) => kind !== 'ask').map(([, value]) => value);
  }

  wantsStrings(): boolean {
    this.events.push(['ask']);
    return this.#strings;
  }

  onReply(reply: unknown): void {
    this.events.push(['reply', reply]);
  }

  onErrorReply(error: Error): void {
    this.events.push(['error', error]);
  }

  onPush(push: unknown[]): void {
    this.events.push(['push', push]);
  }
}

function feed(decoder: ReplyDecoder, bytes: Buffer, size: number): void {
  for (let at = 0; at < bytes.length; at += size) decoder.write(Buffer.from(bytes.subarray(at, at + size)));
}

function decode(wire: string | Buffer, strings = true, options = legacy, size = 65_536): unknown[] {
  const sink = new Recorder(strings);
  feed(new ReplyDecoder(sink, options), Buffer.from(wire as string), size);
  return sink.replies;
}

const bytes = (text: string): Buffer => Buffer.from(text);
const replyError = (message: string): Error => new ReplyError(message);
const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;

interface Row {
  wire: string;
  options?: ReplyDecoderOptions;
  strings: unknown;
  buffers?: unknown;
}

const rows: Record<string, Row> = {
  'a simple string': { wire: '+PONG\r\n', strings: 'PONG', buffers: bytes('PONG') },
  OK: { wire: '+OK\r\n', strings: 'OK', buffers: bytes('OK') },
  'more than OK': { wire: '+OKAY\r\n', strings: 'OKAY', buffers: bytes('OKAY') },
  'two characters that are not OK': { wire: '+KO\r\n', strings: 'KO', buffers: bytes('KO') },
  'an empty simple string': { wire: '+\r\n', strings: '', buffers: bytes('') },
  'a non-ASCII simple string': { wire: '+grüße\r\n', strings: 'grüße', buffers: bytes('grüße') },
  'a bulk string': { wire: '$5\r\nhello\r\n', strings: 'hello', buffers: bytes('hello') },
  'an empty bulk string': { wire: '$0\r\n\r\n', strings: '', buffers: bytes('') },
  'a bulk string with CRLF': { wire: '$4\r\n\r\n\r\n\r\n', strings: '\r\n\r\n', buffers: bytes('\r\n\r\n') },
  'a short non-ASCII string': { wire: bulk('é€😀'), strings: 'é€😀', buffers: bytes('é€😀') },
  'a long non-ASCII string': {
    wire: bulk('é€😀'.repeat(50)),
    strings: 'é€😀'.repeat(50),
    buffers: bytes('é€😀'.repeat(50)),
  },
  'a null bulk string': { wire: '$-1\r\n', strings: null, buffers: null },
  'a verbatim string': { wire: '=8\r\ntxt:some\r\n', strings: 'some', buffers: bytes('some') },
  'an empty verbatim string': { wire: '=4\r\ntxt:\r\n', strings: '', buffers: bytes('') },
  null: { wire: '_\r\n', strings: null, buffers: null },
  'a null array': { wire: '*-1\r\n', strings: null, buffers: null },
  'an integer': { wire: ':42\r\n', strings: 42, buffers: 42 },
  'a signed integer': { wire: ':+42\r\n', strings: 42, buffers: 42 },
  'minus one as an integer': { wire: ':-1\r\n', strings: -1, buffers: -1 },
  'minus two as an integer': { wire: ':-2\r\n', strings: -2, buffers: -2 },
  'an integer as text': { wire: ':-42\r\n', options: legacyText, strings: '-42', buffers: '-42' },
  'a big number': {
    wire: '(3492890328409238509324850943850943825024385\r\n',
    strings: '3492890328409238509324850943850943825024385',
    buffers: '3492890328409238509324850943850943825024385',
  },
  'a double, legacy': { wire: ',1.50\r\n', strings: '1.50', buffers: bytes('1.50') },
  'infinity, legacy': { wire: ',-inf\r\n', strings: '-inf', buffers: bytes('-inf') },
  'a double as text, legacy': { wire: ',1.50\r\n', options: legacyText, strings: '1.50', buffers: '1.50' },
  'a double as text, resp3': { wire: ',1.50\r\n', options: resp3Text, strings: '1.50', buffers: '1.50' },
  'a double, resp3': { wire: ',1.50\r\n', options: resp3, strings: 1.5, buffers: 1.5 },
  'a boolean, legacy': { wire: '*2\r\n#t\r\n#f\r\n', strings: [1, 0], buffers: [1, 0] },
  'a boolean with numbers as text': { wire: '*2\r\n#t\r\n#f\r\n', options: legacyText, strings: [1, 0] },
  'a boolean, resp3': { wire: '*2\r\n#t\r\n#f\r\n', options: resp3, strings: [true, false] },
  'an array': { wire: '*2\r\n:1\r\n$1\r\na\r\n', strings: [1, 'a'], buffers: [1, bytes('a')] },
  'an empty array': { wire: '*0\r\n', strings: [], buffers: [] },
  'nested arrays': {
    wire: '*3\r\n*1\r\n*0\r\n*2\r\n:1\r\n$-1\r\n*1\r\n+a\r\n',
    strings: [[[]], [1, null], ['a']],
    buffers: [[[]], [1, null], [bytes('a')]],
  },
  'a set': {
    wire: '~2\r\n+a\r\n+b\r\n',
    options: resp3,
    strings: ['a', 'b'],
    buffers: [bytes('a'), bytes('b')],
  },
  'a map, legacy': {
    wire: '%2\r\n+a\r\n:1\r\n$1\r\nb\r\n%0\r\n',
    strings: ['a', 1, 'b', []],
    buffers: [bytes('a'), 1, bytes('b'), []],
  },
  'a map, resp3': {
    wire: '%3\r\n+a\r\n$1\r\nx\r\n$1\r\nb\r\n%0\r\n:7\r\n_\r\n',
    options: resp3,
    strings: { a: 'x', b: {}, 7: null },
    buffers: { a: bytes('x'), b: {}, 7: null },
  },
  'an error inside EXEC': {
    wire: '*2\r\n-WRONGTYPE no\r\n!6\r\nERR no\r\n',
    strings: [replyError('WRONGTYPE no'), replyError('ERR no')],
    buffers: [replyError('WRONGTYPE no'), replyError('ERR no')],
  },
  'an attribute before a reply': {
    wire: '|1\r\n+ttl\r\n:3600\r\n$1\r\na\r\n',
    strings: 'a',
    buffers: bytes('a'),
  },
  'an empty attribute': { wire: '|0\r\n:1\r\n', strings: 1 },
  'attributes inside aggregates': {
    wire: '*2\r\n|1\r\n+k\r\n*1\r\n|1\r\n+x\r\n-ERR y\r\n:9\r\n:1\r\n%1\r\n|1\r\n+k\r\n:9\r\n+a\r\n|0\r\n:2\r\n',
    options: resp3,
    strings: [1, { a: 2 }],
  },
};

describe('reply types', () => {
  for (const [name, { wire, options = legacy, strings, buffers = strings }] of Object.entries(rows)) {
    it(`decodes ${name}, whole and byte by byte`, () => {
      for (const size of [65_536, 1]) {
        expect(decode(wire, true, options, size)).toStrictEqual([strings]);
        expect(decode(wire, false, options, size)).toStrictEqual([buffers]);
      }
    });
  }

  it('gives an error reply the class, name and message of ioredis', () => {
    const sink = new Recorder(true);
    new ReplyDecoder(sink, legacy).write(bytes('-ERR unknown command\r\n!9\r\nBUSY wait\r\n'));
    const errors = sink.events.flatMap((event) => (event[0] === 'error' ? [event[1]] : []));
    expect(errors.map(({ name, message }) => `${name}: ${message}`)).toEqual([
      'ReplyError: ERR unknown command',
      'ReplyError: BUSY wait',
    ]);
    for (const error of errors) expect(error).toBeInstanceOf(ReplyError);
  });

  it('keeps __proto__ and constructor of a map as ordinary fields', () => {
    const [object] = decode('%2\r\n$9\r\n__proto__\r\n*0\r\n+constructor\r\n:1\r\n', true, resp3);
    expect(Object.entries(object as object)).toEqual([
      ['__proto__', []],
      ['constructor', 1],
    ]);
    expect(Object.getPrototypeOf(object)).toBe(Object.prototype);
  });

  it('delivers pushes between replies, with Buffers and without asking', () => {
    const sink = new Recorder(true);
    feed(
      new ReplyDecoder(sink, legacy),
      bytes(`+a\r\n>2\r\n+message\r\n${bulk('hi')}>0\r\n+b\r\n-ERR c\r\n`),
      1,
    );
    expect(sink.events).toStrictEqual([
      ['ask'],
      ['reply', 'a'],
      ['push', [bytes('message'), bytes('hi')]],
      ['push', []],
      ['ask'],
      ['reply', 'b'],
      ['ask'],
      ['error', replyError('ERR c')],
    ]);
  });

  it('asks after an attribute, once, however the reply is cut', () => {
    const sink = new Recorder(true);
    feed(
      new ReplyDecoder(sink, legacy),
      bytes('|1\r\n+a\r\n*1\r\n+b\r\n$2\r\nhi\r\n|1\r\n+a\r\n:1\r\n>0\r\n'),
      1,
    );
    expect(sink.events).toStrictEqual([['ask'], ['reply', 'hi'], ['push', []]]);
  });

  it('asks for each reply and decodes it accordingly', () => {
    const answers = [true, false, true];
    const replies: unknown[] = [];
    const sink = new Recorder(true);
    sink.wantsStrings = () => answers[replies.length] === true;
    sink.onReply = (reply) => replies.push(reply);
    new ReplyDecoder(sink, legacy).write(bytes('+a\r\n*1\r\n+b\r\n*1\r\n+c\r\n'));
    expect(replies).toStrictEqual(['a', [bytes('b')], ['c']]);
  });
});

describe('numbers', () => {
  it.each([
    ['9007199254740991', 9007199254740991],
    ['-9007199254740991', -9007199254740991],
    ['9007199254740989', 9007199254740989],
    ['9007199254740993', 9007199254740992],
    ['9223372036854775807', 2 ** 63],
    ['-9223372036854775808', -(2 ** 63)],
    ['123456789012345678', 123456789012345680],
  ])('reads the integer %s as the nearest number', (text, number) => {
    for (const size of [65_536, 1])
      expect(decode(`:${text}\r\n`, true, legacy, size)).toStrictEqual([number]);
  });

  it.each([
    ['992.1754006687746', 992.1754006687746],
    ['1e21', 1e21],
    ['-2.5E-3', -0.0025],
    ['5.', 5],
    ['.5', 0.5],
    ['0.1', 0.1],
    ['inf', Number.POSITIVE_INFINITY],
    ['+inf', Number.POSITIVE_INFINITY],
    ['-inf', Number.NEGATIVE_INFINITY],
    ['nan', Number.NaN],
    ['-nan', Number.NaN],
  ])('reads the double %s exactly with the resp3 mapping', (text, number) => {
    for (const size of [65_536, 1]) expect(decode(`,${text}\r\n`, true, resp3, size)).toStrictEqual([number]);
  });
});

describe('malformed input', () => {
  const nested = '*1\r\n'.repeat(1_024);

  it.each([
    ['an unknown type', '@3\r\n', 'Unknown reply type 0x40'],
    ['an unknown type inside an array', '*1\r\nx', 'Unknown reply type 0x78'],
    ['an inline text', 'secret\r\n', 'Unknown reply type 0x73'],
    ['a length that is no number', '$1x\r\n', 'Digit expected instead of 0x78'],
    ['a length below -1', '$-2\r\n', 'Negative length'],
    ['a null set', '~-1\r\n', 'Negative length'],
    ['a null blob error', '!-1\r\n', 'Negative length'],
    ['no length', '$\r\n', 'Digit expected instead of 0x0d'],
    ['a streamed string', '$?\r\n', 'Digit expected instead of 0x3f'],
    ['a streamed array', '*?\r\n', 'Digit expected instead of 0x3f'],
    ['an absurd length', '*2147483648\r\n', 'Length out of range'],
    ['an integer that is no number', ':1.5\r\n', 'Digit expected instead of 0x2e'],
    ['an integer with two signs', ':--1\r\n', 'Digit expected instead of 0x2d'],
    ['an empty integer', ':\r\n', 'Digit expected instead of 0x0d'],
    ['a line that ends in a bare CR', '+OK\rx', 'CRLF expected'],
    ['a number that ends in a bare CR', ':1\rx', 'CRLF expected'],
    ['a blob longer than declared', '$6\r\nsecrets\r\n', 'CRLF expected'],
    ['a blob that ends in a bare CR', '$6\r\nsecret\r\r', 'CRLF expected'],
    ['a boolean that is none', '#x\r\n', 'Malformed boolean'],
    ['a null with a value', '_secret\r\n', 'Malformed null'],
    ['a verbatim string without a format', '=3\r\ntxt\r\n', 'Verbatim string without a format'],
    ['a push inside a reply', '*1\r\n>0\r\n', 'Push inside a reply'],
    ['a double that is none', ',secret\r\n', 'Malformed double'],
    ['an empty double', ',\r\n', 'Malformed double'],
    ['a hexadecimal double', ',0x10\r\n', 'Malformed double'],
    ['a nesting too deep', `${nested}*1\r\n`, 'Reply nested deeper than 1024 levels'],
    ['a map key that cannot be a string', '%1\r\n%1\r\n+toString\r\n:1\r\n:1\r\n', 'Unusable reply'],
  ])('rejects %s for good, whole and byte by byte', (_, wire, message) => {
    for (const size of [65_536, 1]) {
      const sink = new Recorder(true);
      const decoder = new ReplyDecoder(sink, resp3);
      const attempt = () => feed(decoder, bytes(wire), size);
      expect(attempt).toThrow(expect.objectContaining({ name: 'ProtocolError', message }));
      expect(() => decoder.write(bytes('+OK\r\n'))).toThrow(ProtocolError);
      expect(sink.replies).toEqual([]);
    }
  });

  it('rejects a bad type or length before its line is complete', () => {
    for (const wire of ['x', '$x', '*1\r\n*-x']) expect(() => decode(wire)).toThrow(ProtocolError);
  });

  it('delivers the replies before the malformed one', () => {
    const sink = new Recorder(true);
    expect(() => new ReplyDecoder(sink, legacy).write(bytes('+a\r\n:1\r\n?'))).toThrow(ProtocolError);
    expect(sink.replies).toEqual(['a', 1]);
  });

  it('accepts the deepest nesting allowed', () => {
    let [reply] = decode(`${nested}:7\r\n`);
    for (let depth = 0; depth < 1_024; depth++) [reply] = reply as unknown[];
    expect(reply).toBe(7);
  });
});

describe('splits', () => {
  const wire = [
    ...Object.values(rows).map((row) => row.wire),
    bulk('aé€😀z'.repeat(30)),
    `+${'ü'.repeat(20)}\r\n`,
    `*3\r\n${bulk('x'.repeat(600))}${bulk('short')}${bulk('né')}`,
  ].join('');

  it('makes no difference to any reply at any chunk size', () => {
    for (const options of [legacy, resp3]) {
      const whole = decode(wire, true, options);
      for (let size = 1; size < 100; size++) expect(decode(wire, true, options, size)).toStrictEqual(whole);
    }
  });

  it('reads many short strings, ASCII and not, from one chunk', () => {
    for (const letter of ['a', 'é']) {
      const values = Array.from({ length: 2_000 }, (_, index) => letter.repeat(index % 14) + index);
      expect(decode(values.map(bulk).join(''))).toEqual(values);
    }
  });

  it('ignores empty chunks', () => {
    const sink = new Recorder(true);
    const decoder = new ReplyDecoder(sink, legacy);
    for (const part of ['', '$', '', '2\r', '', '\n', '', 'h', '', 'i\r', '', '\n', ''])
      decoder.write(bytes(part));
    expect(sink.replies).toEqual(['hi']);
  });

  it('reads a million elements from small chunks without starting again', { timeout: 10_000 }, () => {
    const [reply] = decode(`*1000000\r\n${':1234\r\n'.repeat(1_000_000)}`, true, legacy, 1_000);
    expect(reply).toHaveLength(1_000_000);
    expect(new Set(reply as number[])).toEqual(new Set([1234]));
  });

  it('reads a simple string of a megabyte byte by byte in linear time', { timeout: 10_000 }, () => {
    const text = 'x'.repeat(1_000_000);
    expect(decode(`+${text}\r\n`, true, legacy, 1)[0] === text).toBe(true);
  });

  it.each([20, 70])('reads a bulk string of %i MB from small chunks', { timeout: 10_000 }, (megabytes) => {
    const value = Buffer.alloc(megabytes * 1_000_000, 'the quick brown fox ');
    const wire = Buffer.concat([bytes(`$${value.length}\r\n`), value, bytes('\r\n')]);
    expect((decode(wire, false, legacy, 1_000)[0] as Buffer).equals(value)).toBe(true);
    expect(decode(wire, true, legacy, 1_000)[0] === value.toString()).toBe(true);
  });

  it('does not allocate what a header merely promises', () => {
    const before = process.memoryUsage();
    // V8 allocates an array of 30 million at once, a longer one not at all.
    decode('*30000000\r\n%2147483647\r\n$2147483647\r\nx');
    const after = process.memoryUsage();
    expect(after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers).toBeLessThan(64e6);
  });
});

describe('Buffer replies', () => {
  it('do not pin the socket chunk when they are small', () => {
    for (const length of [1, 10, 24, 25, 100, 4_095]) {
      const sink = new Recorder(false);
      const wire = bulk('v'.repeat(length));
      new ReplyDecoder(sink, legacy).write(Buffer.from(wire + '+\r\n'.repeat(20_000)));
      const reply = sink.replies[0] as Buffer;
      expect(reply).toStrictEqual(Buffer.alloc(length, 'v'));
      expect(reply.buffer.byteLength).toBeLessThanOrEqual(Buffer.poolSize);
    }
  });

  it('are views of the chunk when they are large', () => {
    const sink = new Recorder(false);
    const chunk = Buffer.from(bulk('x'.repeat(4_096)));
    new ReplyDecoder(sink, legacy).write(chunk);
    expect((sink.replies[0] as Buffer).buffer).toBe(chunk.buffer);
  });
});

describe('a sink that throws', () => {
  /** Takes the place of the handlers of vitest, which would fail the run. */
  function collectUncaught(): unknown[] {
    const collected: unknown[] = [];
    const handlers = process.listeners('uncaughtException');
    const collect = (error: unknown) => collected.push(error);
    process.removeAllListeners('uncaughtException').on('uncaughtException', collect);
    onTestFinished(() => {
      process.off('uncaughtException', collect);
      for (const handler of handlers) process.on('uncaughtException', handler);
    });
    return collected;
  }

  it('loses no later reply, and its exceptions surface on the next tick', async () => {
    const uncaught = collectUncaught();
    const sink = new Recorder(true);
    const seen: unknown[] = [];
    const fail = (value: unknown) => {
      seen.push(value);
      throw new Error(`bug ${seen.length}`);
    };
    Object.assign(sink, { onReply: fail, onErrorReply: fail, onPush: fail });
    new ReplyDecoder(sink, legacy).write(bytes('+a\r\n*1\r\n+b\r\n-ERR c\r\n>1\r\n+d\r\n:1\r\n$1\r\ne\r\n'));
    expect(seen).toStrictEqual(['a', ['b'], replyError('ERR c'), [bytes('d')], 1, 'e']);
    expect(uncaught).toEqual([]);
    await new Promise(setImmediate);
    expect(uncaught).toEqual([1, 2, 3, 4, 5, 6].map((count) => new Error(`bug ${count}`)));
  });

  it('gets Buffers for a reply it failed to answer for', async () => {
    const uncaught = collectUncaught();
    const sink = new Recorder(true);
    sink.wantsStrings = () => {
      throw new Error('bug');
    };
    feed(new ReplyDecoder(sink, legacy), bytes('+a\r\n*1\r\n$1\r\nb\r\n'), 1);
    expect(sink.replies).toStrictEqual([bytes('a'), [bytes('b')]]);
    await new Promise(setImmediate);
    expect(uncaught).toEqual([new Error('bug'), new Error('bug')]);
  });
});

import { type SampleGroup, samples } from '../sample-group.js';

export const STREAMS: SampleGroup = {
  title: 'streams',
  seed: [
    'xadd stream 1-1 name ann age 42',
    'xadd stream 2-1 name bob',
    ['xadd', 'stream', '3-1', 'bin', Buffer.from([0xff, 0x00])],
    'xadd other 1-1 f v',
    'xgroup CREATE stream group 0',
    'xgroup CREATE stream idle $',
    'xreadgroup GROUP group alice COUNT 2 STREAMS stream >',
    'set str x',
  ],
  exact: [
    ...samples(`
      xack stream group 1-1 | xack stream group 9-9 | xack missing group 1-1 | xack stream nope 1-1
      xack stream group x | xadd stream 4-1 f v | xadd stream 1-1 f v | xadd missing NOMKSTREAM 1-1 f v
      xadd stream MAXLEN 2 5-1 f v | xadd str 1-1 f v | xadd stream 5-1 f
      xautoclaim stream group bob 0 0 | xautoclaim stream group bob 0 0 JUSTID
      xautoclaim stream group bob 9999999 0 | xautoclaim stream nope bob 0 0
      xclaim stream group bob 0 1-1 | xclaim stream group bob 0 1-1 2-1 JUSTID
      xclaim stream group bob 9999999 1-1 | xclaim missing group bob 0 1-1
      xdel stream 1-1 | xdel stream 9-9 | xdel missing 1-1 | xdel stream x
      xgroup CREATE stream new 0 | xgroup CREATE stream group 0 | xgroup CREATE missing g 0
      xgroup CREATE missing g 0 MKSTREAM | xgroup CREATECONSUMER stream group carl
      xgroup DELCONSUMER stream group alice | xgroup DESTROY stream idle | xgroup SETID stream group 0
      xgroup NOPE | xgroup HELP | xinfo GROUPS stream | xinfo GROUPS other | xinfo CONSUMERS stream idle
      xinfo STREAM stream | xinfo STREAM missing | xinfo STREAM other FULL | xinfo GROUPS missing
      xinfo NOPE | xlen stream | xlen missing | xlen str | xpending stream group | xpending stream idle
      xpending stream group - + 10 nobody | xpending missing group
      xrange stream - + | xrange stream 2 3 COUNT 1 | xrange missing - + | xrange str - +
      xrange stream x + | xrevrange stream + - | xrevrange stream + - COUNT 1 | xrevrange missing + -
      xread STREAMS stream 0 | xread COUNT 1 STREAMS stream other 0 0 | xread STREAMS missing 0
      xread STREAMS str 0 | xread STREAMS stream | xread COUNT 2 STREAMS stream 2-1
      xreadgroup GROUP group alice STREAMS stream > | xreadgroup GROUP group alice STREAMS stream 0
      xreadgroup GROUP idle bob STREAMS stream > | xreadgroup GROUP nope bob STREAMS stream >
      xreadgroup GROUP group bob COUNT 1 NOACK STREAMS stream > | xsetid stream 9-9 | xsetid stream 0-1
      xsetid missing 1-1 | xtrim stream MAXLEN 1 | xtrim stream MINID 2 | xtrim stream MAXLEN x
    `),
    ['xadd', 'new', '7-0', 'a', 1, 'b', Buffer.from([0x80])],
    'xread STREAMS stream $',
    ['xread', 'STREAMS', ['stream', 'other'], '0', '0'],
  ],
  byShape: samples(`
    xadd stream * f v | xinfo CONSUMERS stream group | xinfo STREAM stream FULL
    xpending stream group - + 10 | xpending stream group IDLE 0 - + 10 alice
  `),
  blocking: [
    ...samples(`
      xread BLOCK 1 STREAMS stream 0 | xread block 1 COUNT 1 STREAMS missing 0
      xreadgroup GROUP group bob BLOCK 1 STREAMS stream >
      xreadgroup GROUP idle bob COUNT 1 BLOCK 1 STREAMS stream >
    `),
    'xread BLOCK 1 STREAMS stream $',
  ],
};

/** How many slots the keys of a cluster are spread over. */
export const SLOT_COUNT = 16_384;

const OPEN = 0x7b;
const CLOSE = 0x7d;

const CRC16 = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

/**
 * The slot of a key, as the server computes it: CRC16 of the part between the first `{` and the next `}`, unless that
 * part is empty or missing; then of the whole key.
 *
 * Not the package that ioredis has for this: cluster-key-slot 1.1.1 takes `foo{}{bar}` for tagged, which Redis does
 * not, and makes an array of each key.
 */
export function slotOfKey(key: string | Buffer): number {
  if (typeof key !== 'string') return slotOfBytes(key);
  const open = key.indexOf('{');
  const close = open < 0 ? -1 : key.indexOf('}', open + 1);
  const isTagged = close > open + 1;
  let crc = 0;
  for (let index = isTagged ? open + 1 : 0, end = isTagged ? close : key.length; index < end; index += 1) {
    const code = key.charCodeAt(index);
    if (code > 0x7f) return slotOfBytes(Buffer.from(key));
    crc = step(crc, code);
  }
  return crc % SLOT_COUNT;
}

function slotOfBytes(key: Uint8Array): number {
  const open = key.indexOf(OPEN);
  const close = open < 0 ? -1 : key.indexOf(CLOSE, open + 1);
  const hashed = close > open + 1 ? key.subarray(open + 1, close) : key;
  let crc = 0;
  for (let index = 0; index < hashed.length; index += 1) crc = step(crc, hashed[index] as number);
  return crc % SLOT_COUNT;
}

function step(crc: number, byte: number): number {
  return ((crc << 8) ^ (CRC16[((crc >> 8) ^ byte) & 0xff] as number)) & 0xffff;
}

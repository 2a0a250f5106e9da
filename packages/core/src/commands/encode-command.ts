import { list as knownCommands } from '@ioredis/commands';
import type { CommandArgument } from './command.js';

/** Beginnings of the commands with few arguments, which is nearly all of them. */
const HEADS = new Map(
  knownCommands.map((name) => [name, [0, 1, 2, 3, 4].map((count) => buildHead(name, count))]),
);

/** A command as it goes over the wire; a string where it can be one. */
export function encode(name: string, args: readonly CommandArgument[]): string | Buffer {
  let text = head(name, args.length);
  for (const argument of args) {
    if (typeof argument !== 'string') return encodeWithBuffers(name, args);
    text += `$${Buffer.byteLength(argument)}\r\n${argument}\r\n`;
  }
  return text;
}

function head(name: string, argumentCount: number): string {
  return HEADS.get(name)?.[argumentCount] ?? buildHead(name, argumentCount);
}

function buildHead(name: string, argumentCount: number): string {
  return `*${argumentCount + 1}\r\n$${Buffer.byteLength(name)}\r\n${name}\r\n`;
}

function encodeWithBuffers(name: string, args: readonly CommandArgument[]): Buffer {
  const parts: Buffer[] = [];
  let text = head(name, args.length);
  for (const argument of args) {
    if (typeof argument === 'string') {
      text += `$${Buffer.byteLength(argument)}\r\n${argument}\r\n`;
    } else {
      parts.push(Buffer.from(`${text}$${argument.length}\r\n`), argument);
      text = '\r\n';
    }
  }
  parts.push(Buffer.from(text));
  return Buffer.concat(parts);
}

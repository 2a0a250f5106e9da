import { PoolCommand } from '../commands/command.js';
import { profileOf } from '../commands/routing.js';
import type { Connection } from '../transport/connection.js';
import { canGoDirect, DirectLink, type LaneLink, PublicLink } from './lane-link.js';

/** Whether the lanes of an engine may still take the direct link; a failed probe ends that. */
export interface LinkPolicy {
  direct: boolean;
}

/**
 * Chooses the way of commands onto a fresh connection: the direct link where this ioredis allows it and a probe
 * comes back in order, else the public one. After a failed probe the connection must not be used.
 */
export async function openLaneLink(connection: Connection, policy: LinkPolicy): Promise<LaneLink> {
  if (!policy.direct || !canGoDirect(connection)) return new PublicLink(connection);
  const link = new DirectLink(connection);
  if (!(await answersInOrder(connection, link))) {
    policy.direct = false;
    connection.destroy();
    throw new Error('A probe of the direct link got the answer of another command');
  }
  return link;
}

/** One command each way, written together: each has to get its own answer. Rejects when the connection goes. */
async function answersInOrder(connection: Connection, link: LaneLink): Promise<boolean> {
  const nonces = [`${process.hrtime.bigint()}`, `${Math.random()}`] as const;
  const answers = [connection.redis.echo(nonces[0]), echo(link, nonces[1])].map(orRefusal);
  const [first, second] = [await answers[0], await answers[1]];
  return isOwn(first, nonces[0]) && isOwn(second, nonces[1]);
}

// A user who may not ECHO, and a server without it, still give one answer to each command.
const REFUSAL = Symbol('refusal');

function orRefusal(answer: Promise<unknown>): Promise<unknown> {
  return answer.catch((error: unknown) => {
    if (error instanceof Error && error.name === 'ReplyError') return REFUSAL;
    throw error;
  });
}

function isOwn(answer: unknown, nonce: string): boolean {
  return answer === nonce || answer === REFUSAL;
}

function echo(link: LaneLink, nonce: string): Promise<unknown> {
  const command = new PoolCommand('echo', profileOf('echo'), [nonce], 0, 'utf8');
  command.owner = {
    replied: (_command, reply) => command.fulfil(reply, true),
    refused: (_command, error) => command.fail(error),
    waiting: () => ({ last: 'connectionMs' }),
  };
  const promise = command.createPromise();
  link.send(command);
  return promise;
}

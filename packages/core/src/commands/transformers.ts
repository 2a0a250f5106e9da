import { Command } from 'ioredis';

type Transformer = (value: unknown, context?: unknown) => unknown;
type Transformers = Record<string, Transformer | undefined>;

// Private in ioredis's types, and the only place where transformers set by the user can be seen. Without it
// every command takes ioredis's own, slower code for arguments and replies.
const registered = (
  Command as unknown as { _transformer?: { argument?: Transformers; reply?: Transformers } }
)._transformer;
export const argumentTransformers = registered?.argument;
export const replyTransformers = registered?.reply;

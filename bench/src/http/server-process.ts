import type { AddressInfo } from 'node:net';
import { serveParent } from '../child/serve-parent.js';
import type { VariantId, VariantOptions } from './variant.js';
import { VARIANTS } from './variants.js';

export type ServerOrder =
  | { readonly kind: 'start'; readonly variant: VariantId; readonly options: VariantOptions }
  | { readonly kind: 'cpu' };

/** The port after `start`, CPU microseconds of the process so far after `cpu`. */
export type ServerReply = number;

// The process of one variant's server.
serveParent<ServerOrder, ServerReply>(async (order) => {
  if (order.kind === 'cpu') {
    const { user, system } = process.cpuUsage();
    return user + system;
  }
  const { app } = await VARIANTS[order.variant](order.options);
  await app.listen({ host: '127.0.0.1', port: 0 });
  return (app.server.address() as AddressInfo).port;
});

// The fault proxy in a thread of its own: a blocked event loop of the application must not hold up the network.
import { parentPort, workerData } from 'node:worker_threads';
import { type FaultProxy, startFaultProxy } from '@redis-pool/testkit';
import type { ProxyAnswer, ProxyCall } from './arena/remote-proxy.js';

const port = parentPort;
if (port === null) throw new Error('This is the thread of a fault proxy');
const proxy = await startFaultProxy({ target: workerData });
port.on('message', (call: ProxyCall) => void answer(call));
port.postMessage({ id: 0, value: proxy.port } satisfies ProxyAnswer);

async function answer({ id, method, args }: ProxyCall): Promise<void> {
  try {
    const action = proxy[method as keyof FaultProxy] as (...args: unknown[]) => unknown;
    const value = await action.apply(proxy, [...args]);
    port?.postMessage({ id, value } satisfies ProxyAnswer);
  } catch (error) {
    port?.postMessage({ id, error: String(error) } satisfies ProxyAnswer);
  }
  if (method === 'close') port?.close();
}

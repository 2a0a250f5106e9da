import { expect, test } from 'vitest';
import { waitUntil } from '../wait-until.js';
import type { Routes, Testbed } from './testbed.js';

const HIT: Routes = { '/hit': ({ redis }) => redis.incr('hits') };

/** Who uses which connection. */
export function sharing(bed: Testbed): void {
  const connectionsReceived = async (): Promise<number> => {
    const info = String(await bed.server.adminCommand('INFO', 'stats'));
    return Number(/total_connections_received:(\d+)/.exec(info)?.[1]);
  };

  test('200 requests at once go over one connection', async () => {
    const before = await connectionsReceived();
    const app = await bed.start(HIT);
    const answers = await Promise.all(Array.from({ length: 200 }, () => app.get('/hit')));
    expect(new Set(answers.map(({ json }) => json)).size).toBe(200);
    expect((await connectionsReceived()) - before).toBe(1);
  });

  test('the pool of the application and req.redis share the connection', async () => {
    const app = await bed.start(HIT);
    await app.pool.set('hits', 41);
    expect((await app.get('/hit')).json).toBe(42);
    expect(await bed.connectionNames()).toEqual([`default:lane:${process.pid}`]);
    expect(app.pool.stats().connectAttempts).toBe(1);
  });

  test('two applications share it too, and the end of one leaves the other working', async () => {
    const [first, second] = [await bed.start(HIT), await bed.start(HIT)];
    await Promise.all([first.get('/hit'), second.get('/hit')]);
    expect(await bed.connectionNames()).toHaveLength(1);
    await first.close();
    await expect(first.pool.ping()).rejects.toMatchObject({ code: 'RP_ERR_CLOSED' });
    expect((await second.get('/hit')).json).toBe(3);
    await second.close();
    await waitUntil(async () => (await bed.connectionNames()).length === 0, {
      what: 'the connection is gone',
    });
  });
}

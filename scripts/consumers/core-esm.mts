import { createRedisPool, isRedisPoolError, type RedisPool } from '@redis-pool/core';
import { MountedPools } from '@redis-pool/core/adapter';

const pool: RedisPool = createRedisPool();
await pool.set('consumer', 'esm');
const value: string | null = await pool.get('consumer');
if (value !== 'esm' || isRedisPoolError(value)) throw new Error(`Read ${value}`);
const doubled = await pool.lease((lease) => lease.incrby('consumer:count', 2));
if (typeof doubled !== 'number') throw new Error('No number');
if (new MountedPools().main !== undefined) throw new Error('No pool was mounted');
await pool.close();

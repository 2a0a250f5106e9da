import core = require('@redis-pool/core');

const pool: core.RedisPool = core.createRedisPool();

async function main(): Promise<void> {
  await pool.set('consumer', 'cjs');
  const value: string | null = await pool.get('consumer');
  if (value !== 'cjs') throw new Error(`Read ${value}`);
  await pool.close();
}

void main();

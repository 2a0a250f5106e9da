import { buildApp } from './app.js';

const { HOST: host = '127.0.0.1', PORT: port = '3000' } = process.env;

const app = await buildApp({ logger: true });
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  // Stops listening, lets requests finish, then closes Redis; after that nothing keeps the process alive.
  process.once(signal, () => void app.close());
}
await app.listen({ host, port: Number(port) });

import { defineConfig } from 'vitest/config';

export default defineConfig({
  // The types of constructors and handlers are what Nest goes by.
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
});

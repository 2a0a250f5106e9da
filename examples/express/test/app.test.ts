import { templateSuite } from '@redis-pool/example-contract';
import { readSettings } from '../src/settings.js';
import { start } from '../src/start.js';

templateSuite({ name: 'express', start: (env) => start(readSettings(env)) });

import { describe } from 'vitest';
import { useBench } from './bench.js';
import { feedTests } from './feed-tests.js';
import type { TemplateHarness } from './harness.js';
import { healthTests } from './health-tests.js';
import { jobTests } from './job-tests.js';
import { pageTests } from './page-tests.js';
import { rateLimitTests } from './rate-limit-tests.js';
import { recordTests } from './record-tests.js';
import { sessionTests } from './session-tests.js';
import { stockTests } from './stock-tests.js';

/** What every template does, whatever its framework. */
export function templateSuite(harness: TemplateHarness): void {
  describe(`the template ${harness.name}`, () => {
    const bench = useBench(harness);
    recordTests(bench);
    rateLimitTests(bench);
    sessionTests(bench);
    jobTests(bench);
    feedTests(bench);
    stockTests(bench);
    healthTests(bench);
    pageTests(bench);
  });
}

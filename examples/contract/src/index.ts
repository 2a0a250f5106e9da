export type { Environment, TemplateApp, TemplateHarness } from './harness.js';
export { templateSuite } from './template-suite.js';

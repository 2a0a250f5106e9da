import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type RedisServer, startRedis } from '@redis-pool/testkit';
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findBrowser, launchBrowser, PageWatch } from '../src/browser.js';
import { ServerProcess } from '../src/server-process.js';
import { TEMPLATES } from '../src/templates.js';

const SCREENSHOTS = fileURLToPath(new URL('../.cache/', import.meta.url));
const VIEWS = [
  { name: 'wide-light', width: 1_200, height: 900, scheme: 'light' },
  { name: 'wide-dark', width: 1_200, height: 900, scheme: 'dark' },
  { name: 'narrow-light', width: 375, height: 812, scheme: 'light' },
  { name: 'narrow-dark', width: 375, height: 812, scheme: 'dark' },
];

const executable = findBrowser();
const reason = executable === undefined ? ' (skipped: no chromium on the PATH, see CONTRIBUTING)' : '';

describe.skipIf(executable === undefined)(`the page in a browser${reason}`, () => {
  let redis: RedisServer;
  let browser: Browser;

  beforeAll(async () => {
    redis = await startRedis();
    browser = await launchBrowser(executable as string);
    await mkdir(SCREENSHOTS, { recursive: true });
  });
  afterAll(async () => {
    await browser?.close();
    await redis?.stop();
  });

  test.each(TEMPLATES)('of %s shows the feed and the pool live', async (name) => {
    await redis.adminCommand('FLUSHALL');
    const server = new ServerProcess(name, { REDIS_URL: redis.url });
    const url = await server.listening();
    const page = await browser.newPage();
    const watch = new PageWatch(page, url);
    try {
      await page.goto(url);
      await textBecomes(page, '#feed-status', 'Live');
      await textBecomes(page, '#pool-status', 'ready');
      await publishesAndSees(page);
      await queuesAndReserves(page);
      await showsWhatHappens(page, url);
      await takeScreenshots(page, name);
      expect(watch.foreignRequests).toEqual([]);
      expect(watch.errors).toEqual([]);
      await followsAnOutage(page, redis);
    } finally {
      await page.close();
      await server.kill();
    }
  });
});

async function publishesAndSees(page: Page): Promise<void> {
  await page.type('#text', 'Hello <b>everyone</b>');
  await page.click('#publish button');
  await textBecomes(page, '#messages li:first-child span:nth-child(2)', 'Hello <b>everyone</b>');
  await page.waitForFunction("document.getElementById('text').value === ''");
}

async function queuesAndReserves(page: Page): Promise<void> {
  await page.click('#queue-job');
  await textBecomes(page, '#messages li:first-child', 'is done: 4 words');
  await page.click('#restock');
  await textBecomes(page, '#notice', '20 lamps are there.');
  await page.click('#reserve');
  await textBecomes(page, '#notice', 'Reserved; 19 left.');
  await textBecomes(page, '#messages li:first-child', '1 of lamp reserved, 19 left');
}

/** The page polls by itself: what it shows follows what somebody else does. */
async function showsWhatHappens(page: Page, url: string): Promise<void> {
  const commands = 'Number(document.getElementById("commands").textContent.replaceAll(",", ""))';
  const before = Number(await page.evaluate(commands));
  await Promise.all(
    Array.from({ length: 50 }, () => fetch(`${url}/user/7`, { headers: { connection: 'close' } })),
  );
  await page.waitForFunction(`${commands} >= ${before + 50}`);
  await page.waitForFunction('document.querySelector("#rates .stroke").getAttribute("d")?.includes("L")');
  await page.waitForFunction(
    'document.querySelector("#rates .stroke").getAttribute("d")?.split("L").length > 4',
  );
  await textBecomes(page, '#connections', 'of at most 20');
}

async function takeScreenshots(page: Page, name: string): Promise<void> {
  for (const { name: view, width, height, scheme } of VIEWS) {
    await page.setViewport({ width, height });
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    const path = `${SCREENSHOTS}${name}-${view}.png` as const;
    await page.screenshot({ path, fullPage: true });
    const overflow = await page.evaluate('document.documentElement.scrollWidth - window.innerWidth');
    expect(overflow).toBeLessThanOrEqual(0);
  }
}

async function followsAnOutage(page: Page, redis: RedisServer): Promise<void> {
  await redis.kill();
  await textBecomes(page, '#pool-status', 'degraded');
  await redis.restart();
  await textBecomes(page, '#pool-status', 'ready');
  await textBecomes(page, '#messages li:first-child', 'The connection to Redis was lost');
}

async function textBecomes(page: Page, selector: string, text: string): Promise<void> {
  const wanted = JSON.stringify(text);
  await page.waitForFunction(
    `document.querySelector(${JSON.stringify(selector)})?.textContent.includes(${wanted})`,
    {
      timeout: 10_000,
    },
  );
}

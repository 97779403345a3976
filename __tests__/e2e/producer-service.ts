/** examples/producer-service in a browser, with the workers of docker-compose.yml: `npm run e2e`. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { BackendStats } from 'celery-redis-backend';
import type { Browser, Locator, Page, Route } from 'playwright-core';
import { Stack } from '../support/compose.ts';
import { freePort } from '../support/redis.ts';
import { startChromium } from './chromium.ts';

/** Milliseconds for whatever is awaited: the machine may have other things to do. */
const PATIENCE = 120_000;
const LANGUAGES = ['Python', 'TypeScript'] as const;

let stack: Stack;
let browser: Browser;
let origin: string;
/** What was begun, to be ended in the opposite order, however far it came. */
const begun: (() => Promise<void>)[] = [];

before(async () => {
  const port = String(await freePort());
  origin = `http://127.0.0.1:${port}`;
  browser = await startChromium();
  begun.push(() => browser.close());
  stack = await Stack.prepare({ PRODUCER_SERVICE_HOST: '127.0.0.1', PRODUCER_SERVICE_PORT: port });
  begun.push(() => stack[Symbol.asyncDispose]());
  await stack.start('producer-service');
  await stack.becomesHealthy('producer-service');
});

after(async () => {
  for (const end of begun.reverse()) await end();
});

/** The page, in a window of its own, which closes after the test. What it throws fails the test. */
async function inBrowser(use: (page: Page) => Promise<void>): Promise<void> {
  const context = await browser.newContext();
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  const errors: Error[] = [];
  page.on('pageerror', (error) => errors.push(error));
  try {
    await page.goto(origin);
    await use(page);
  } finally {
    await context.close();
  }
  assert.deepEqual(errors, []);
}

/** Sends the form of this title. */
async function submit(page: Page, title: RegExp, fields: Readonly<Record<string, string>> = {}): Promise<void> {
  const form = page.locator('form').filter({ has: page.getByRole('heading', { name: title }) });
  for (const [label, value] of Object.entries(fields)) await form.getByLabel(label).fill(value);
  await form.getByRole('button', { name: 'Send' }).click();
}

/** The same. @returns the newest run */
async function send(page: Page, title: RegExp, fields: Readonly<Record<string, string>> = {}): Promise<Locator> {
  const before = await page.getByRole('article').count();
  await submit(page, title, fields);
  await page.getByRole('article').nth(before).waitFor();
  return page.getByRole('article').first();
}

/** Resolves when a run has a task in this state. */
function inState(run: Locator, state: string): Promise<void> {
  return run.locator(`.task[data-state="${state}"]`).last().waitFor();
}

/** Resolves when an element has a text. @returns all of it */
async function shown(within: Locator | Page, selector: string, text: string | RegExp): Promise<string> {
  const found = within.locator(selector).filter({ hasText: text }).first();
  await found.waitFor();
  return found.innerText();
}

/** Asks the service until its waits are so. */
async function waits(expected: (stats: BackendStats) => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE;
  for (;;) {
    const response = await fetch(`${origin}/health`);
    const { stats } = (await response.json()) as { stats: BackendStats };
    if (expected(stats)) return;
    assert.ok(performance.now() < deadline, `waits: ${stats.waits}, channels: ${stats.channels}`);
  }
}

for (const language of LANGUAGES) {
  void test(`a task of ${language} shows its states, its progress and its value as they come`, () =>
    inBrowser(async (page) => {
      await page.getByRole('radio', { name: language }).check();
      const sum = await send(page, /^Add$/, { x: '2', y: '3.5' });
      assert.equal(await shown(sum, '.result', '='), '= 5.5');
      assert.equal(await sum.locator('.seen').innerText(), 'PENDING → STARTED → SUCCESS');

      const slow = await send(page, /^Take a while$/, { 'steps of 0.2 s': '20' });
      await inState(slow, 'PROGRESS');
      const bar = slow.getByRole('progressbar', { name: /^\d+ of 20$/ });
      assert.ok(Number(await bar.getAttribute('value')) < 20, 'it was shown before it was done');
      assert.equal(await shown(slow, '.result', '='), '= 20');
      const steps = Array.from({ length: 20 }, (_, index) => `PROGRESS ${index + 1}/20`);
      const seen = (await slow.locator('.seen').innerText()).split(' → ');
      assert.deepEqual(seen, ['PENDING', 'STARTED', ...steps, 'SUCCESS']);
    }));

  void test(`a task of ${language} that fails shows its exception`, () =>
    inBrowser(async (page) => {
      await page.getByRole('radio', { name: language }).check();
      const run = await send(page, /^Fail$/, { reason: 'no money' });
      await inState(run, 'FAILURE');
      assert.equal(await shown(run, '.error', /./), 'CardDeclined: no money');
    }));

  void test(`a chord over both workers shows all parts, and its body from ${language}`, () =>
    inBrowser(async (page) => {
      await page.getByRole('radio', { name: language }).check();
      const run = await send(page, /^Chord/, { tasks: '4' });
      const body = run.locator('.task').last();
      assert.equal(await shown(body, '.result', '='), '= 12');
      assert.deepEqual(await run.locator('.result').allInnerTexts(), ['= 0', '= 2', '= 4', '= 6', '= 12']);
      assert.equal(await body.locator('.name').innerText(), `${language.toLowerCase()}.total()`);
    }));
}

void test('a group over both workers shows the values of all, in their order', () =>
  inBrowser(async (page) => {
    const run = await send(page, /^Group/, { tasks: '4' });
    assert.equal(await shown(run, '.outcome', '='), '= [0,2,4,6]');
    assert.deepEqual(await run.locator('.result').allInnerTexts(), ['= 0', '= 2', '= 4', '= 6']);
  }));

void test('a page that follows 100 tasks sends no more, and says so, until some are ready', () =>
  inBrowser(async (page) => {
    // What no worker is given is not ready.
    const held: unknown[] = [];
    await page.route('**/groups', (route) => {
      held.push(route.request().postDataJSON());
      return route.fulfill({ status: 202, json: {} });
    });
    // That their streams are there only later takes nothing of what was said meanwhile.
    const streams: Route[] = [];
    await page.route('**/events?*', (route) => void streams.push(route));
    await send(page, /^Group/, { tasks: '50' });
    await send(page, /^Group/, { tasks: '50' });
    await submit(page, /^Add$/);
    const refused = /^Not sent\. The page follows 100 tasks at a time/;
    assert.match(await shown(page, '#notice', /./), refused);
    assert.equal(await page.getByRole('article').count(), 2);
    await page.unroute('**/events?*');
    for (const stream of streams) await stream.continue();
    await shown(page.getByRole('article').first(), '.outcome', 'NOT_FOUND');
    await shown(page.getByRole('article').last(), '.outcome', 'NOT_FOUND');
    assert.match(await page.locator('#notice').innerText(), refused);
    await page.request.post(`${origin}/groups`, { data: held[0] });
    await inState(page.getByRole('article').last(), 'SUCCESS');
    assert.equal(await shown(await send(page, /^Add$/), '.result', '='), '= 5');
    assert.equal(await page.locator('#notice').innerText(), '');
  }));

void test('Redis that does not answer is told of, and nothing hangs; when it is back, so is the page', () =>
  inBrowser(async (page) => {
    await shown(page, '#health', 'Redis answers');
    const redis = await stack.start('redis');
    redis.process.kill('SIGSTOP');
    try {
      const run = await send(page, /^Add$/);
      assert.match(await shown(page, '#notice', /./), /^Not sent\. CELERY_\w+: /);
      assert.match(await shown(run, '.error', /./), /^CELERY_\w+: /);
      assert.match(await shown(page, '#health', 'CELERY'), /^CELERY_BACKEND_UNAVAILABLE: /);
    } finally {
      redis.process.kill('SIGCONT');
    }
    await shown(page, '#health', 'Redis answers');
    assert.equal(await shown(await send(page, /^Add$/), '.result', '='), '= 5');
  }));

void test('a service that is stopped leaves at once, and a page that was open goes on with the next one', () =>
  inBrowser(async (page) => {
    const run = await send(page, /^Take a while$/, { 'steps of 0.2 s': '20' });
    await inState(run, 'PROGRESS');
    const service = await stack.start('producer-service');
    assert.equal(await service.stop(), 0, service.output);
    await shown(page, '#connection', 'is lost');
    await stack.start('producer-service');
    assert.equal(await shown(run, '.result', '='), '= 20');
    await inState(run, 'SUCCESS');
  }));

void test('a long poll says when its time is up; a page that is closed ends its waits', async () => {
  await waits((stats) => stats.waits === 0);
  await inBrowser(async (page) => {
    const run = await send(page, /^Take a while$/, { 'steps of 0.2 s': '1000' });
    await inState(run, 'PROGRESS');
    await run.getByRole('button', { name: 'Ask' }).click();
    await waits((stats) => stats.waits === 2 && stats.channels === 1);
    await shown(run, '.answer', 'CELERY_TIMEOUT');
    await run.getByRole('button', { name: 'Ask' }).click();
    await waits((stats) => stats.waits === 2);
  });
  await waits((stats) => stats.waits === 0 && stats.channels === 0);
});

import { existsSync } from 'node:fs';
import { type Browser, chromium, type Locator, type Page } from 'playwright-core';
import { TestServer } from '../support/server';

const CHROMIUM = '/usr/bin/chromium';
const QUIET = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking', '--no-first-run'];

const present = existsSync(CHROMIUM);
const suite = present ? describe : describe.skip;

suite(present ? 'the /docs page in a browser' : 'the /docs page in a browser (skipped: no chromium)', () => {
  let server: TestServer;
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];

  beforeAll(async () => {
    server = await TestServer.start();
    browser = await chromium.launch({ executablePath: CHROMIUM, args: QUIET });
    page = await browser.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error') {
        complaints.push(message.text());
      }
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(server.endpoint) && !request.url().startsWith('data:')) {
        complaints.push(`asked another host: ${request.url()}`);
      }
    });
  });
  afterAll(async () => {
    await browser.close();
    await server.stop();
  });

  it('takes credentials by Authorize and answers Try it out', async () => {
    await page.goto(`${server.endpoint}/docs`);
    await page.getByRole('button', { name: 'Authorize' }).first().click();
    const basic = page.locator('.auth-container', { hasText: 'Basic' }).first();
    await basic.locator('input[name="username"]').fill(server.accessKeyId);
    await basic.locator('input[name="password"]').fill(server.secretAccessKey);
    await basic.getByRole('button', { name: /^Apply|^Authorize/ }).click();
    await page.locator('.modal-ux .close-modal, .modal-ux button.btn-done').first().click();
    const operation = page.locator('.opblock', { hasText: '/api/v1/config/subsystems' }).first();
    await scrollTo(page, operation);
    await operation.locator('.opblock-summary').click();
    await operation.getByRole('button', { name: 'Execute' }).click();
    const answer = operation.locator('.live-responses-table');
    await answer.waitFor();
    expect(await answer.textContent()).toContain('kms_vault');
    expect(complaints).toEqual([]);
  });
});

/** Goes down the page until the element is there: of a long document only what is near the window is rendered. */
async function scrollTo(page: Page, element: Locator): Promise<void> {
  for (let step = 0; step < 200 && (await element.count()) === 0; step++) {
    await page.mouse.wheel(0, 300);
    await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
  }
}

// People who open a page in Chromium, each with the proxy and credentials of his own in the settings.
//
//   node browse.js PROXY_URL CERTIFICATE URL USER:TOKEN…        an empty one: no credentials
//
// Tells for each a line of JSON: the status of the page, its title when everything is loaded (or, of a page that begins
// with "waiting", what comes after that), and its text; or the error that Chromium shows instead.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const { chromium } = require('playwright-core');

const [proxy, certificate, url, ...people] = process.argv.slice(2);

/** Chromium takes no authorities from a file, but a certificate by its key. */
function trustedKey() {
  const { publicKey } = new crypto.X509Certificate(fs.readFileSync(certificate));
  return crypto.createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' })).digest('base64');
}

async function visit(browser, person) {
  const [username, password] = person.split(':');
  const context = await browser.newContext({ proxy: { server: proxy, ...(username && { username, password }) } });
  try {
    const page = await context.newPage();
    const response = await page.goto(url, { waitUntil: 'load' });
    await page.waitForFunction(() => !document.title.startsWith('waiting'));
    return { status: response.status(), title: await page.title(), text: await page.innerText('body') };
  } catch (error) {
    return { error: error.message.split('\n')[0] };
  } finally {
    await context.close();
  }
}

async function main() {
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    proxy: { server: 'per-context' },
    args: [`--ignore-certificate-errors-spki-list=${trustedKey()}`, '--disable-gpu', '--disable-dev-shm-usage'],
  });
  for (const person of people) console.log(JSON.stringify(await visit(browser, person)));
  await browser.close();
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);

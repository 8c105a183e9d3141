// What the web server has: files that are read (with ranges) and written, an echo, a download without an end,
// a page with fifty resources, and a git repository.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { git } = require('./git.js');

const RESOURCES = 50;
const PIECE = Buffer.alloc(16 * 1024, 'endless');

/** The bytes that were asked for of a file of `size`: all of it, or one range (RFC 9110, 14.1.2). */
function wanted(range, size) {
  const match = /^bytes=(\d+)-(\d*)$/.exec(range ?? '');
  if (!match) return { status: 200, first: 0, last: size - 1 };
  const first = Number(match[1]);
  const last = match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  return first < size ? { status: 206, first, last } : { status: 416 };
}

function sendFile(file, request, response) {
  const size = fs.existsSync(file) ? fs.statSync(file).size : -1;
  const part = size < 0 ? { status: 404 } : wanted(request.headers.range, size);
  if (part.status >= 400) {
    response.writeHead(part.status, { 'content-length': 0 }).end();
    return;
  }
  const fields = {
    'accept-ranges': 'bytes',
    'content-length': part.last - part.first + 1,
    'content-type': 'application/octet-stream',
  };
  if (part.status === 206) fields['content-range'] = `bytes ${part.first}-${part.last}/${size}`;
  response.writeHead(part.status, fields);
  if (request.method === 'HEAD') response.end();
  else fs.createReadStream(file, { start: part.first, end: part.last }).pipe(response);
}

function keepFile(file, request, response) {
  const draft = fs.createWriteStream(`${file}.part`);
  request.pipe(draft);
  request.on('aborted', () => draft.destroy());
  draft.on('finish', () => {
    if (draft.destroyed && !request.complete) return;
    fs.renameSync(`${file}.part`, file);
    response.writeHead(201, { 'content-length': 0 }).end();
  });
}

function sendForEver(response) {
  response.writeHead(200, { 'content-type': 'application/octet-stream' });
  const more = () => {
    while (!response.destroyed && response.write(PIECE)) {
      if (response.writableLength > 4 * PIECE.length) break;
    }
    if (!response.destroyed) setTimeout(more, 5);
  };
  more();
}

function page() {
  const scripts = Array.from({ length: RESOURCES }, (_, i) => `<script src="/resource/${i}"></script>`);
  return `<!doctype html><title>loading</title><script>window.loaded = [];</script>${scripts.join('\n')}
<script>document.title = 'loaded ' + window.loaded.length;</script><p>a page</p>`;
}

/** Begins a download that never ends, and tells in its title how it ended. */
function waitingPage() {
  return `<!doctype html><title>waiting</title><p>a page</p><script>
fetch('/endless')
  .then((response) => (response.ok ? response.arrayBuffer() : response.status))
  .catch((error) => error)
  .then((end) => { document.title = 'ended: ' + end; });
</script>`;
}

function sendText(response, type, text) {
  response.writeHead(200, { 'content-type': type, 'content-length': Buffer.byteLength(text) }).end(text);
}

/** Answers one request of HTTP/1.1 or HTTP/2. */
function answer(folder, request, response) {
  response.on('error', () => {});
  request.on('error', () => {});
  const { pathname } = new URL(request.url, 'http://origin.test');
  const [, first, second] = pathname.split('/');
  if (first === 'files' && request.method === 'PUT') keepFile(path.join(folder, second), request, response);
  else if (first === 'files') sendFile(path.join(folder, second), request, response);
  else if (first === 'echo') request.pipe(response);
  else if (first === 'endless') sendForEver(response);
  else if (first === 'page') sendText(response, 'text/html', page());
  else if (first === 'waiting') sendText(response, 'text/html', waitingPage());
  else if (first === 'resource') sendText(response, 'text/javascript', `window.loaded.push(${Number(second)});`);
  else if (first === 'git') git(folder, request, response);
  else sendText(response, 'text/plain', `HTTP/${request.httpVersion} ${request.method} ${pathname}\n`);
}

/** The same for a request that waits for 100 (Continue) with its content. */
function expect(folder, request, response) {
  response.writeContinue();
  answer(folder, request, response);
}

module.exports = { answer, expect };

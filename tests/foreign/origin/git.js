// git's smart HTTP protocol, by its own CGI program (git-http-backend(1)). The repositories are those under
// the folder "git" of the site.
'use strict';

const path = require('node:path');
const { spawn } = require('node:child_process');

const BACKEND = '/usr/lib/git-core/git-http-backend';

function variables(folder, request) {
  const url = new URL(request.url, 'http://origin.test');
  return {
    ...process.env,
    GIT_PROJECT_ROOT: path.join(folder, 'git'),
    GIT_HTTP_EXPORT_ALL: '1',
    GIT_PROTOCOL: request.headers['git-protocol'] ?? '',
    PATH_INFO: url.pathname.slice('/git'.length),
    QUERY_STRING: url.search.slice(1),
    REQUEST_METHOD: request.method,
    CONTENT_TYPE: request.headers['content-type'] ?? '',
    CONTENT_LENGTH: request.headers['content-length'] ?? '',
    HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
    REMOTE_USER: 'somebody',
    REMOTE_ADDR: '127.0.0.1',
  };
}

/** Takes the head of a CGI answer (RFC 3875, 6.3) off `text`. */
function parseHead(text) {
  let status = 200;
  const fields = {};
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === 'status') status = Number.parseInt(value, 10);
    else fields[name] = value;
  }
  return { status, fields };
}

function git(folder, request, response) {
  const backend = spawn(BACKEND, [], { env: variables(folder, request), stdio: ['pipe', 'pipe', 'inherit'] });
  backend.stdin.on('error', () => {});
  request.pipe(backend.stdin);
  let head = Buffer.alloc(0);
  const readHead = (piece) => {
    head = Buffer.concat([head, piece]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    backend.stdout.off('data', readHead);
    const { status, fields } = parseHead(head.subarray(0, end).toString('latin1'));
    response.writeHead(status, fields);
    response.write(head.subarray(end + 4));
    backend.stdout.pipe(response);
  };
  backend.stdout.on('data', readHead);
}

module.exports = { git };

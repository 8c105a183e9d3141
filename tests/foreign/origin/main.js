// The web server that the foreign clients of these tests are sent to.
//
//   node main.js FOLDER CERTIFICATE KEY
//
// Listens on free ports of both loopback addresses, with and without TLS (there HTTP/1.1 and HTTP/2), sends back what
// comes to a UDP port, writes
// one line "ready {…}" with the ports to standard error, and then to standard output one line of JSON for
// each request that reached it. Ends when it is killed.
'use strict';

const dgram = require('node:dgram');
const fs = require('node:fs');
const http = require('node:http');
const http2 = require('node:http2');
const { WebSocketServer } = require('ws');
const { answer, expect } = require('./site.js');

const [folder, certificate, key] = process.argv.slice(2);

function note(request, kind) {
  const { method, url, httpVersion, headers } = request;
  process.stdout.write(`${JSON.stringify({ kind, method, url, version: httpVersion, headers })}\n`);
}

const sockets = new WebSocketServer({ noServer: true });

function upgrade(request, socket, head) {
  note(request, 'upgrade');
  sockets.handleUpgrade(request, socket, head, (client) => {
    client.on('message', (data, isBinary) => client.send(data, { binary: isBinary }));
    client.on('error', () => {});
  });
}

function furnish(server) {
  server.httpAllowHalfOpen = true; // who has asked and closed his side (ncat) still gets his answer
  server.on('request', (request, response) => {
    note(request, 'request');
    answer(folder, request, response);
  });
  server.on('checkContinue', (request, response) => {
    note(request, 'expect');
    expect(folder, request, response);
  });
  server.on('upgrade', upgrade);
  server.on('clientError', (_, socket) => socket.destroy());
  return server;
}

const tls = { cert: fs.readFileSync(certificate), key: fs.readFileSync(key), allowHTTP1: true };
const servers = {
  http: [furnish(http.createServer()), '127.0.0.1'],
  https: [furnish(http2.createSecureServer(tls)), '127.0.0.1'],
  http6: [furnish(http.createServer()), '::1'],
  https6: [furnish(http2.createSecureServer(tls)), '::1'],
};

const ports = {};
let waitedFor = Object.keys(servers).length + 1;

function listens(name, port) {
  ports[name] = port;
  waitedFor -= 1;
  if (waitedFor === 0) process.stderr.write(`ready ${JSON.stringify(ports)}\n`);
}

for (const [name, [server, address]] of Object.entries(servers)) {
  server.listen(0, address, () => listens(name, server.address().port));
}

const datagrams = dgram.createSocket('udp4');
datagrams.on('message', (message, from) => datagrams.send(message, from.port, from.address));
datagrams.bind(0, '127.0.0.1', () => listens('udp', datagrams.address().port));

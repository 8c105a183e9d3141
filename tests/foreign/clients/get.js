// What people of Node.js put between their program and a proxy.
//
//   node get.js PACKAGE PROXY_URL CERTIFICATE URL FILE
'use strict';

const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const { pipeline } = require('node:stream/promises');
const { once } = require('node:events');

const [kind, proxy, certificate, url, file] = process.argv.slice(2);
const ca = fs.readFileSync(certificate);

async function byUndici() {
  const { ProxyAgent, request } = require('undici');
  const { username, password } = new URL(proxy);
  const token = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const dispatcher = new ProxyAgent({ uri: proxy, token, proxyTls: { ca }, requestTls: { ca } });
  const { statusCode, body } = await request(url, { dispatcher });
  return [statusCode, body];
}

const AGENTS = {
  'http-proxy-agent': () => new (require('http-proxy-agent').HttpProxyAgent)(proxy, { ca }),
  'https-proxy-agent': () => new (require('https-proxy-agent').HttpsProxyAgent)(proxy, { ca }),
  'socks-proxy-agent': () => new (require('socks-proxy-agent').SocksProxyAgent)(proxy),
};

async function byAgent(agent) {
  const module = url.startsWith('https:') ? https : http;
  const request = module.get(url, { agent, ca });
  request.on('error', () => {}); // of one that was answered, the answer's own end tells
  const [response] = await once(request, 'response');
  return [response.statusCode, response];
}

async function main() {
  const [status, body] = kind === 'undici' ? await byUndici() : await byAgent(AGENTS[kind]());
  console.log(`answer ${status}`);
  try {
    await pipeline(body, fs.createWriteStream(file));
  } catch (error) {
    throw new Error(`the content ends early: ${error.message}`);
  }
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(`${error.code ?? error.name}: ${error.message} ${error.cause ?? ''}`);
    process.exit(1);
  },
);

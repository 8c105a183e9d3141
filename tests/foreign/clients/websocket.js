// The ws package behind an agent: messages of many sizes go and come back. With "hold", the WebSocket stays open,
// and how it ends is told.
//
//   node websocket.js AGENT PROXY_URL CERTIFICATE URL [hold]
'use strict';

const fs = require('node:fs');
const { once } = require('node:events');
const WebSocket = require('ws');

const [kind, proxy, certificate, url, hold] = process.argv.slice(2);
const ca = fs.readFileSync(certificate);
const SIZES = [0, 1, 125, 126, 65535, 65536, 1_000_003];

const AGENTS = {
  'http-proxy-agent': () => new (require('http-proxy-agent').HttpProxyAgent)(proxy, { ca }),
  'https-proxy-agent': () => new (require('https-proxy-agent').HttpsProxyAgent)(proxy, { ca }),
  'socks-proxy-agent': () => new (require('socks-proxy-agent').SocksProxyAgent)(proxy),
};

async function main() {
  const socket = new WebSocket(url, { agent: AGENTS[kind](), ca });
  await once(socket, 'open');
  for (const size of SIZES) {
    const sent = Buffer.alloc(size, `message of ${size} `);
    socket.send(sent);
    const [received] = await once(socket, 'message');
    if (!sent.equals(received)) throw new Error(`a message of ${size} bytes came back otherwise`);
  }
  console.log(`${SIZES.length} messages`);
  if (!hold) socket.close(1000);
  socket.on('error', (error) => console.log(`error ${error.message}`));
  const [code] = await once(socket, 'close').catch((error) => [error.message]);
  console.log(`closed ${code}`);
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(`${error.message}`);
    process.exit(1);
  },
);

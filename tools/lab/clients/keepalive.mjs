// HTTP/1.1 by node's two usual clients: 400 requests, GET and POST in turn, 8 at once on connections
// that are kept alive.
//
// usage: node keepalive.mjs agent|fetch URL
import http from "node:http";
import https from "node:https";

const [by, url] = process.argv.slice(2);
const requests = 400;
const atOnce = 8;
const body = "x".repeat(1000);

const library = url.startsWith("https:") ? https : http;
const agent = new library.Agent({ keepAlive: true, maxSockets: atOnce });

function byAgent(method) {
  return new Promise((resolve, reject) => {
    const asked = library.request(url, { method, agent }, (answer) => {
      answer.on("end", () => resolve(answer.statusCode)).on("error", reject).resume();
    });
    asked.on("error", reject).end(method === "POST" ? body : undefined);
  });
}

async function byFetch(method) {
  const answer = await fetch(url, { method, body: method === "POST" ? body : undefined });
  await answer.arrayBuffer();
  return answer.status;
}

const ask = { agent: byAgent, fetch: byFetch }[by];
let next = 0;
async function worker() {
  while (next < requests) {
    const status = await ask(next++ % 2 ? "POST" : "GET");
    if (status !== 200) throw new Error(`status ${status}`);
  }
}
await Promise.all(Array.from({ length: atOnce }, worker));
agent.destroy();

// node http.request with an http.Agent that keeps connections. See tally.mjs.
import http from "node:http";
import { body, connections, method, runWorkers, url } from "./tally.mjs";

const agent = new http.Agent({ keepAlive: true, maxSockets: connections });

const ask = () =>
	new Promise((resolve, reject) => {
		const headers = body ? { "Content-Length": body.length } : {};
		const request = http.request(url, { agent, method, headers, timeout: 5000 }, (answer) => {
			const pieces = [];
			answer.on("data", (piece) => pieces.push(piece));
			answer.on("error", reject);
			answer.on("end", () =>
				resolve({ status: answer.statusCode, body: Buffer.concat(pieces).toString() }));
		});
		request.on("timeout", () => request.destroy(new Error("timed out")));
		request.on("error", reject);
		request.end(body);
	});

runWorkers(ask);

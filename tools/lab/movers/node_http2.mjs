// node http2 in the clear: four workers to a session; a worker that finds its session going away (as
// after a GOAWAY) opens another, and streams that are open go on. See tally.mjs.
import http2 from "node:http2";
import { body, method, runWorkers, url } from "./tally.mjs";

const sessions = [];

function sessionFor(number) {
	const place = number >> 2;
	let session = sessions[place];
	if (!session || session.closed || session.destroyed) {
		session = http2.connect(url);
		session.on("error", () => {}); // each of its streams has an error of its own
		sessions[place] = session;
	}
	return session;
}

const ask = (number) =>
	new Promise((resolve, reject) => {
		const path = new URL(url).pathname;
		const stream = sessionFor(number).request({ ":method": method, ":path": path });
		const pieces = [];
		let status;
		stream.setTimeout(5000, () => stream.destroy(new Error("timed out")));
		stream.on("response", (headers) => (status = headers[":status"]));
		stream.on("data", (piece) => pieces.push(piece));
		stream.on("error", reject);
		stream.on("close", () =>
			status === undefined
				? reject(new Error(`no answer, code ${stream.rstCode}`))
				: resolve({ status, body: Buffer.concat(pieces).toString() }));
		stream.end(body);
	});

runWorkers(ask);

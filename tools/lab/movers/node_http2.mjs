// node http2 in the clear: four workers to a session; a worker that finds its session going away (as
// after a GOAWAY) opens another, and streams that are open go on. A stream that was refused, which is how
// node says that its session had been told to go away before the stream was sent, was not processed
// (RFC 9113, section 8.7) and is asked again. See tally.mjs.
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

const askOnce = (number) =>
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

const refused = (error) => error.message.endsWith("NGHTTP2_REFUSED_STREAM");

async function ask(number) {
	for (;;) {
		try {
			return await askOnce(number);
		} catch (error) {
			if (!refused(error)) throw error;
		}
	}
}

runWorkers(ask);

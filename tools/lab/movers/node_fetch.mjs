// node's fetch (undici), with the pool it has. See tally.mjs.
import { body, method, runWorkers, url } from "./tally.mjs";

const ask = async () => {
	const answer = await fetch(url, { method, body, signal: AbortSignal.timeout(5000) });
	return { status: answer.status, body: await answer.text() };
};

runWorkers(ask);

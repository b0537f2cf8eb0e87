// What the clients for node share: their arguments, their workers, and the one line that they print.
// See tally.py, which says the same for Python.
export const [url, method, connections, seconds, thinkMs] = process.argv
	.slice(2)
	.map((text, place) => (place < 2 ? text : Number(text)));
export const body = method === "POST" ? Buffer.alloc(200, "x") : undefined;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Runs `ask`, which gives {status, body}, in a loop for each connection until the time is over.
export async function runWorkers(ask) {
	const tally = { requests: 0, errors: 0, first_error: "" };
	const end = performance.now() + seconds * 1000;
	let expected;
	const fail = (what) => {
		tally.errors += 1;
		tally.first_error ||= what;
	};
	const work = async (number) => {
		while (performance.now() < end) {
			try {
				const answer = await ask(number);
				expected ??= answer.body;
				if (answer.status !== 200) fail(`status ${answer.status}`);
				else if (answer.body !== expected) fail(`an answer of ${answer.body.length} other bytes`);
				else tally.requests += 1;
			} catch (error) {
				fail(`${error.code ?? error.cause?.code ?? error.name}: ${error.cause?.message ?? error.message}`);
			}
			await pause(thinkMs);
		}
	};
	await Promise.all(Array.from({ length: connections }, (_, number) => work(number)));
	console.log(JSON.stringify(tally));
	process.exit(0);
}

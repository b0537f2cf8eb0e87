"""What the Python clients share: their arguments, their workers, and the one line that they print.

usage of each client: PROGRAM URL METHOD CONNECTIONS SECONDS THINK_MS

It prints {"requests": N, "errors": N, "first_error": "..."}: requests are those that were answered,
errors all else that its library let it see. Nobody here asks a second time what a server may have seen.
"""

import json
import sys
import threading
import time

BODY = b"x" * 200  # of a POST


class Tally:
    """Counts answers and errors, from any thread."""

    def __init__(self):
        self.lock = threading.Lock()
        self.requests = 0
        self.errors = 0
        self.first_error = ""
        self.expected = None

    def answer(self, status, body):
        """An answer must be 200 and have the same body as the first, whichever tier gave it."""
        with self.lock:
            if self.expected is None:
                self.expected = body
            if status != 200:
                return self._count_error(f"status {status}")
            if body != self.expected:
                return self._count_error(f"an answer of {len(body)} other bytes")
            self.requests += 1

    def error(self, what):
        with self.lock:
            self._count_error(what)

    def _count_error(self, what):
        self.errors += 1
        self.first_error = self.first_error or what

    def print(self):
        print(json.dumps({"requests": self.requests, "errors": self.errors,
                          "first_error": self.first_error}))


class Arguments:
    def __init__(self):
        self.url, self.method = sys.argv[1], sys.argv[2]
        self.connections, self.seconds = int(sys.argv[3]), float(sys.argv[4])
        self.think_s = float(sys.argv[5]) / 1000
        self.body = BODY if self.method == "POST" else None


def run_workers(arguments, make_ask, workers=None):
    """Runs a thread a connection, each of which thinks and asks until the time is over.

    make_ask(number) gives a worker its function, which asks once and returns (status, body)."""
    tally = Tally()
    end = time.monotonic() + arguments.seconds

    def work(number):
        ask = make_ask(number)
        while time.monotonic() < end:
            try:
                tally.answer(*ask())
            except Exception as error:  # whatever the library raises is an error that a user sees
                tally.error(f"{type(error).__name__}: {error}")
            time.sleep(arguments.think_s)

    threads = [threading.Thread(target=work, args=(number,))
               for number in range(workers or arguments.connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tally.print()

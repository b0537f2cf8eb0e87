"""Runs wrk, ab, hey or h2load as one of the clients, and reads its report. See tally.py.

usage: tool.py TOOL URL METHOD CONNECTIONS SECONDS THINK_MS

ab and h2load cannot think. What a tool prints and this does not find is an error.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

tool, url, method, connections, seconds, think_ms = sys.argv[1:7]
post = method == "POST"
seconds = str(max(1, round(float(seconds))))
temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
body = folder / "body"
body.write_bytes(b"x" * 200)


def number(pattern, text):
    """The first group of a pattern that must be there."""
    return int(re.search(pattern, text, re.MULTILINE).group(1))


def several(pattern, text):
    """The sum of a pattern's groups, wherever it is."""
    return sum(int(found) for line in re.findall(pattern, text, re.MULTILINE)
               for found in (line if isinstance(line, tuple) else (line,)))


def wrk():
    script = folder / "wrk.lua"
    script.write_text(f"function delay() return {think_ms} end\n" +
                      ('wrk.method = "POST"\nwrk.body = string.rep("x", 200)\n' if post else ""))
    text = run("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), url)
    bad = several(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    bad += several(r"Non-2xx or 3xx responses: (\d+)", text)
    return number(r"(\d+) requests in", text), bad, text


def ab():
    more = ["-p", str(body), "-T", "text/plain"] if post else []
    text = run("ab", "-k", "-q", "-r", "-c", connections, "-t", seconds, "-n", "100000000", *more, url)
    bad = number(r"^Failed requests: +(\d+)", text) + several(r"^Non-2xx responses: +(\d+)", text)
    return number(r"^Complete requests: +(\d+)", text) - bad, bad, text


def hey():
    more = ["-d", "x" * 200] if post else []
    rate = str(max(1, 1000 // max(1, int(think_ms))))  # of each worker
    text = run("hey", "-c", connections, "-z", f"{seconds}s", "-q", rate, "-m", method, *more, url)
    good = several(r"^ +\[200\]\t(\d+) responses", text)
    everything = several(r"^ +\[\d+\]\t(\d+) responses", text)
    return good, everything - good + several(r"^ +\[(\d+)\]\t(?!\d+ responses)", text), text


def h2load():
    """It does not dial again, so it runs as often as there is time. Of what it sent all must succeed;
    what it could not send, as its connections had been told to go away, it calls failed too, and says
    so a line each."""
    more = ["-d", str(body)] if post else []
    end, requests, lost, worst = time.monotonic() + float(seconds), 0, 0, ""
    while time.monotonic() < end:
        text = run("h2load", "-c", connections, "-m", "4", "-n", "10000", *more, url)
        started = number(r"(\d+) started", text)
        good = number(r"status codes: (\d+) 2xx", text)
        unsent = len(re.findall("^Process Request Failure:", text, re.MULTILINE))
        bad = started - unsent - good if started else 1
        requests, lost, worst = requests + good, lost + bad, worst or (text if bad else "")
    return requests, lost, worst


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        give(0, 1, f"{tool} ended with status {done.returncode}: {done.stdout.strip()[-200:]}")
    return done.stdout


def give(requests, errors, first_error):
    print(json.dumps({"requests": requests, "errors": errors, "first_error": first_error}))
    sys.exit(0)


requests, errors, report = {"wrk": wrk, "ab": ab, "hey": hey, "h2load": h2load}[tool]()
lines = [line.strip() for line in report.splitlines() if re.search(r"errors?:|fail|Non-2xx|^\s*\[", line, re.I)]
give(requests, errors, "; ".join(lines)[:300] if errors else "")

"""How soon the requests of open connections follow a share that is pinned: from 0 to 0.5, and back.

usage: follow.py VM_LOG CLOUD_LOG SECONDS COMMAND...

The logs are those of the two tiers' servers, two bytes a request. COMMAND, with a share behind it, pins
it. Time runs from before the command starts. Prints {"to_40_ms", "to_10_ms", "share_out", "share_back",
"requests"}: when a sample first had 40 % of its requests at serverless, and 10 % again after the way
back (null: not within SECONDS); the share over the second half of each; and requests in all.
"""

import json
import os
import subprocess
import sys
import time

vm_log, cloud_log, seconds, command = sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4:]
SAMPLE_S = 0.05
ENOUGH = 5  # requests, for a sample to say something


def counts():
    return [os.stat(log).st_size // 2 for log in (vm_log, cloud_log)]


def follow(share):
    """Pins the share and gives samples (ms since before that, requests, of these at serverless)."""
    samples = []
    start = time.monotonic()
    last = counts()
    pinning = subprocess.Popen([*command, str(share)], stdout=subprocess.DEVNULL)
    while time.monotonic() - start < seconds:
        time.sleep(SAMPLE_S)
        now = counts()
        vm, cloud = now[0] - last[0], now[1] - last[1]
        samples.append(((time.monotonic() - start) * 1000, vm + cloud, cloud))
        last = now
    if pinning.wait() != 0:
        sys.exit(f"follow.py: the share {share} could not be pinned")
    return samples


def first(samples, holds):
    return next((round(ms) for ms, requests, cloud in samples
                 if requests >= ENOUGH and holds(cloud / requests)), None)


def share_of(samples):
    half = samples[len(samples) // 2:]
    requests = sum(sample[1] for sample in half)
    return round(sum(sample[2] for sample in half) / requests, 4) if requests else None


out = follow(0.5)
back = follow(0)
print(json.dumps({
    "to_40_ms": first(out, lambda share: share >= 0.4),
    "to_10_ms": first(back, lambda share: share <= 0.1) if first(out, lambda share: share >= 0.4) else None,
    "share_out": share_of(out),
    "share_back": share_of(back),
    "requests": sum(sample[1] for sample in out + back),
}))

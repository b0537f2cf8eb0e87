#!/usr/bin/env bash
# Measures how a balancer spreads new flows: their shares against the weights, `select: least` against
# `hash`, and what a change of the set moves. Prints tables and writes reports/balance.json in the
# build folder. Ends with status 1 where something is not as it must be. Needs root.
# Usage: scripts/balance.sh BUILD [option of flare_balance]...
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?usage: scripts/balance.sh BUILD [option of flare_balance]...}
shift

if [ "$(id -u)" != 0 ]; then
	echo "This builds a network namespace and loads BPF programs: run it as root." >&2
	exit 1
fi
commit=$(git describe --always --dirty 2>/dev/null || echo unknown)
"$build"/tests/bench/flare_balance --commit "$commit" --out "$build"/reports/balance.json "$@"

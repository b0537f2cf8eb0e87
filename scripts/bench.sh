#!/usr/bin/env bash
# Measures the datapath of a build: ns a packet as ratios to a program that only passes, and ns a
# system call that a connect() program directs as a ratio to one that none does. Prints a table of
# each and writes the first to reports/bench.json in the build folder. Needs root; no other load is
# best.
# Usage: scripts/bench.sh BUILD [option of flare_bench]...
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?usage: scripts/bench.sh BUILD [option of flare_bench]...}
shift

if [ "$(id -u)" != 0 ]; then
	echo "The benchmark builds a network namespace and loads BPF programs: run it as root." >&2
	exit 1
fi
commit=$(git describe --always --dirty 2>/dev/null || echo unknown)
"$build"/tests/bench/flare_bench --commit "$commit" --out "$build"/reports/bench.json "$@"
echo
"$build"/tests/bench/flare_bench_connect

#!/usr/bin/env bash
# Sends datagrams and holds connections through a balancer for an hour while a fault comes every 30
# seconds, and counts what is lost in the windows of each, and between them. Prints a table and writes
# reports/trust/flare-soak.json in the build folder. Ends with status 1 where a rule is broken: see
# docs/soak.md. Needs root.
# Usage: scripts/soak.sh BUILD [option of flare_soak]...
#
# Set in the environment:
#   FLARE_SOAK_SECONDS   that it takes (3600)
#   FLARE_SOAK_RATE      datagrams a second, at most (200000)
#   FLARE_SOAK_EVERY     seconds from fault to fault (30)
#   FLARE_SOAK_ATTACH    xdp or tc (xdp)
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?usage: scripts/soak.sh BUILD [option of flare_soak]...}
shift

if [ "$(id -u)" != 0 ]; then
	echo "This builds network namespaces and loads BPF programs: run it as root." >&2
	exit 1
fi
exec "$build"/tests/e2e/flare_soak --seconds "${FLARE_SOAK_SECONDS:-3600}" --rate "${FLARE_SOAK_RATE:-200000}" \
	--every "${FLARE_SOAK_EVERY:-30}" --attach "${FLARE_SOAK_ATTACH:-xdp}" \
	--out "$build"/reports/trust/flare-soak.json "$@"

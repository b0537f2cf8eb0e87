#!/usr/bin/env bash
# Measures what 2,000 open connections through a balancer notice of changes of its backends, its agent
# and its maps. Prints tables and writes reports/disruption.json in the build folder. Ends with status 1
# where a connection went astray. Needs root.
# Usage: scripts/disruption.sh BUILD [option of flare_disruption]...
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?usage: scripts/disruption.sh BUILD [option of flare_disruption]...}
shift

if [ "$(id -u)" != 0 ]; then
	echo "This builds network namespaces and loads BPF programs: run it as root." >&2
	exit 1
fi
commit=$(git describe --always --dirty 2>/dev/null || echo unknown)
"$build"/tests/e2e/flare_disruption --commit "$commit" --out "$build"/reports/disruption.json "$@"

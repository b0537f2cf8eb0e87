#!/usr/bin/env bash
# Whether the BPF objects are the same, byte by byte, wherever and whenever they are built: builds the
# sources twice, in folders of other names and lengths, in another language, time zone and file mode.
# Where BUILD was built of the same sources, its objects are compared too.
# Usage: scripts/reproducible.sh BUILD
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(realpath "${1:?usage: scripts/reproducible.sh BUILD}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
programs=(flare_xdp flare_tc flare_reset flare_home flare_sock)

# Copies the sources to a folder and builds the BPF objects and skeletons there.
build_in() {
	mkdir -p "$1"
	git ls-files -z --cached --others --exclude-standard | tar --null -T - -cf - | tar -xf - -C "$1"
	cmake -S "$1" -B "$1/build" -Wno-dev >"$work/log" 2>&1 || { cat "$work/log" >&2 && return 1; }
	cmake --build "$1/build" -j1 --target "${programs[@]/%/_skel}" >"$work/log" 2>&1 ||
		{ cat "$work/log" >&2 && return 1; }
}

hashes() {
	(cd "$1/bpf" && sha256sum "${programs[@]/%/.bpf.o}" "${programs[@]/%/.skel.h}")
}

build_in "$work/a"
(
	export LC_ALL=C.UTF-8 TZ=Asia/Kathmandu
	umask 077
	build_in "$work/another/folder/whose name is longer"
)
hashes "$work/a/build" >"$work/first"
hashes "$work/another/folder/whose name is longer/build" >"$work/second"
hashes "$build" >"$work/here"

status=passed
for other in second here; do
	if ! diff "$work/first" "$work/$other"; then
		status=failed
		echo "the BPF objects of build '$other' are others" >&2
	fi
done
cat "$work/first"
mkdir -p "$build/reports/trust"
cat >"$build/reports/trust/flare-reproducible.json" <<JSON
{"program": "flare-reproducible", "timestamp": "$(date -u +%FT%TZ)", "results": [
  {"name": "reproducible.bpf", "status": "$status",
   "figures": {"builds": 3, "files": $(wc -l <"$work/first"), "sha256_of_all": "$(sha256sum <"$work/first" | cut -c1-16)"}}
]}
JSON
echo "three builds of $(wc -l <"$work/first") files: $status"
[ $status = passed ]

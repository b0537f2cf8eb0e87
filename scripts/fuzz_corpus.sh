#!/usr/bin/env bash
# Writes the corpora of the fuzz targets anew: the fixtures' inputs (xdp, tc), what is kept and what runs
# have found, as few inputs as reach every edge. Usage: scripts/fuzz_corpus.sh BUILD FUZZ_BUILD [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?usage: scripts/fuzz_corpus.sh BUILD FUZZ_BUILD [TARGET...]}
fuzz=${2:?usage: scripts/fuzz_corpus.sh BUILD FUZZ_BUILD [TARGET...]}
shift 2
if [ $# = 0 ]; then
	for program in "$fuzz"/tests/fuzz/fuzz_*; do
		[ -x "$program" ] && set -- "$@" "${program##*/fuzz_}"
	done
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for target in "$@"; do
	merged=$work/$target
	mkdir -p "$merged" "tests/fuzz/corpus/$target" "$fuzz/corpus/$target"
	sources=("tests/fuzz/corpus/$target" "$fuzz/corpus/$target")
	if [ "$target" = xdp ] || [ "$target" = tc ]; then
		"$build/tests/fuzz/flare_fuzz_seeds" "$work/seeds" >/dev/null
	fi
	# inputs beyond 1 KB are the long runs' own: the repository keeps the small ones
	find "${sources[@]}" -type f -size -3 -print0 | while IFS= read -r -d '' input; do
		cp "$input" "$work/in-$target-$(sha1sum <"$input" | cut -c1-16)"
	done
	mkdir -p "$work/all-$target"
	find "$work" -maxdepth 1 -type f -name "in-$target-*" -exec mv {} "$work/all-$target/" \;
	for from in "$work/seeds" "$work/all-$target"; do
		[ -d "$from" ] || continue
		"$fuzz/tests/fuzz/fuzz_$target" -merge=1 -use_counters=0 "$merged" "$from" \
			>"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
	done
	rm -rf "tests/fuzz/corpus/$target"
	mkdir -p "tests/fuzz/corpus/$target"
	cp "$merged"/* "tests/fuzz/corpus/$target/"
	echo "$target: $(find "$merged" -type f | wc -l) inputs, $(du -bs "$merged" | cut -f1) bytes"
done

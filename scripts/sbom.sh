#!/usr/bin/env bash
# Writes what flared and flarectl are made of as CycloneDX 1.5: BUILD/reports/sbom.json. The parts are the
# Debian packages that own the headers that were compiled in (the compiler's own list of dependencies)
# and the libraries that the dynamic linker loads, and the tools that made it; with each package's version.
# A file that belongs to no package, and is not of this project, is an error.
# Usage: scripts/sbom.sh BUILD
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(realpath "${1:?usage: scripts/sbom.sh BUILD}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
binaries=("$build/bin/flared" "$build/bin/flarectl")
tools=(clang llvm-strip bpftool c++ cmake)

# Headers outside of the project that agent and flarectl were compiled with, and of the BPF programs.
headers() {
	find "$build/agent" "$build/tools/flarectl" -name '*.o.d' -exec cat {} + |
		grep -oE '(^| )/[^ \\:]+' | tr -d ' ' | sort -u | xargs realpath -e |
		grep -vE "^($PWD|$build)/" | sort -u
	clang -M -target bpf -Iinclude -Ivmlinux -I"$build/bpf" bpf/*.bpf.c |
		grep -oE '(^| )/[^ \\:]+' | tr -d ' ' | sort -u | xargs realpath -e
}

libraries() {
	ldd "${binaries[@]}" | sed -nE 's/.* => (\/[^ ]+) .*/\1/p; s/^\t(\/[^ ]+) .*/\1/p' | sort -u
}

tool_files() {
	local tool
	for tool in "${tools[@]}"; do
		realpath -e "$(PATH=$PATH:/usr/sbin command -v "$tool")"
	done
}

# Reads files and prints the packages that own them, once each:
# "ROLE<tab>name<tab>version<tab>architecture<tab>source".
packages_of() {
	local role=$1
	# before /usr was merged a package may have brought /usr/lib/x as /lib/x, and the other way round
	awk '{ print; if (sub("^/usr", "")) print; else print "/usr" $0 }' |
		xargs dpkg-query -S 2>/dev/null | grep -v '^diversion' |
		sed -E 's/^(.*): (\/.*)$/\1\t\2/' >"$work/owners" || true
	cut -f2 "$work/owners" | sed 's/^\/usr//' | sort -u >>"$work/owned"
	# shellcheck disable=SC2016 # dpkg-query expands it
	cut -f1 "$work/owners" | sed 's/, .*//' | sort -u |
		xargs dpkg-query -W -f="$role"'\t${Package}\t${Version}\t${Architecture}\t${source:Package}\n'
}

headers >"$work/headers"
libraries >"$work/libraries"
packages_of required <"$work/libraries" >"$work/parts"
packages_of required <"$work/headers" >>"$work/parts"
tool_files >"$work/tools"
packages_of excluded <"$work/tools" >>"$work/parts"
unowned=$(cat "$work/headers" "$work/libraries" "$work/tools" | sed 's/^\/usr//' | sort -u |
	comm -23 - <(sort -u "$work/owned"))
if [ -n "$unowned" ]; then
	echo "no package owns: $unowned" >&2
	exit 1
fi
[ "$(wc -l <"$work/headers")" -gt 100 ] || { echo "no list of headers: build first" >&2 && exit 1; }

# The first role counts: a package of libraries is no mere tool.
sort -u -k2,2 -s "$work/parts" | jq -Rn '[inputs | split("\t") | {
	type: "library", "bom-ref": ("deb:" + .[1]), name: .[1], version: .[2], scope: .[0],
	purl: ("pkg:deb/debian/" + .[1] + "@" + (.[2] | @uri) + "?arch=" + .[3] + "&distro=" + $distro),
	properties: [{name: "debian:source", value: .[4]}]
}]' --arg distro "$(sed -nE 's/^ID=//p' /etc/os-release)-$(sed -nE 's/^VERSION_ID="?([^"]*)"?/\1/p' /etc/os-release)" >"$work/components.json"

artifacts() {
	sha256sum "${binaries[@]}" "$build"/bpf/flare_*.bpf.o | while read -r hash path; do
		jq -n --arg hash "$hash" --arg name "$(basename "$path")" \
			'{type: "file", "bom-ref": ("file:" + $name), name: $name, hashes: [{alg: "SHA-256", content: $hash}]}'
	done | jq -s .
}

version=$(sed -nE 's/^project\(flare VERSION ([0-9.]+).*/\1/p' CMakeLists.txt)
commit=$(git rev-parse HEAD 2>/dev/null || echo unknown)
mkdir -p "$build/reports/trust"
jq -n --arg version "$version" --arg commit "$commit" --slurpfile parts "$work/components.json" \
	--slurpfile files <(artifacts) '{
	bomFormat: "CycloneDX", specVersion: "1.5", version: 1,
	metadata: {component: {type: "application", "bom-ref": "flare", name: "flare", version: $version,
		licenses: [{license: {id: "GPL-2.0-only"}}],
		properties: [{name: "git:commit", value: $commit}]}},
	components: ($parts[0] + $files[0]),
	dependencies: [{ref: "flare", dependsOn: [$parts[0][] | select(.scope == "required") | .["bom-ref"]]}]
}' >"$build/reports/sbom.json"

count() { jq "[.components[] | select($1)] | length" "$build/reports/sbom.json"; }
parts=$(count '.type == "library"')
files=$(count '.type == "file"')
unversioned=$(count '.type == "library" and (.version == "" or .version == null)')
# what must be in it, so that a list that misses most is no list
status=passed
for known in libbpf1 libc6 libcurl3-gnutls libyaml-cpp0.7 libspdlog-dev nlohmann-json3-dev libcli11-dev clang-14; do
	[ "$(count ".name == \"$known\"")" = 1 ] && continue
	echo "the list misses $known" >&2
	status=failed
done
[ "$unversioned" = 0 ] || status=failed
cat >"$build/reports/trust/flare-sbom.json" <<JSON
{"program": "flare-sbom", "timestamp": "$(date -u +%FT%TZ)", "results": [
  {"name": "sbom.complete", "status": "$status",
   "figures": {"packages": $parts, "files": $files, "headers": $(wc -l <"$work/headers"), "unowned": 0}}
]}
JSON
echo "$build/reports/sbom.json: $parts packages, $files files of ours with their hashes: $status"
[ $status = passed ]

#!/usr/bin/env bash
# Installs what building, testing and running the lab need, from Debian's own packages.
# Does nothing, and needs no network, where all of them are there. More packages may be named.
set -euo pipefail

packages=(
	build-essential cmake pkg-config git ca-certificates
	clang llvm bpftool libbpf-dev libelf-dev zlib1g-dev
	libsystemd-dev libcap-dev libcurl4-gnutls-dev libyaml-cpp-dev libspdlog-dev nlohmann-json3-dev libcli11-dev
	libzstd-dev zstd libxml2-utils
	libgtest-dev libgmock-dev libbenchmark-dev
	iproute2 ethtool procps util-linux
	clang-format clang-tidy shellcheck
	"$@"
)

missing=()
for package in "${packages[@]}"; do
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
		missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "These packages are missing: ${missing[*]}" >&2
	echo "Run this as root, or install them yourself." >&2
	exit 1
fi
echo "installing: ${missing[*]}"
# A server that comes with a package must not start by itself.
readonly no_start=/usr/sbin/policy-rc.d
if [ ! -e $no_start ]; then
	printf '#!/bin/sh\nexit 101\n' >$no_start
	chmod +x $no_start
	trap 'rm -f $no_start' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null

#!/usr/bin/env bash
# For scripts/vmtest.sh, to be sourced by it: Debian's kernels, fetched by package into a cache and
# unpacked there. Nothing is installed, and the system's apt is not touched: each suite has lists of
# its own. The caller has set `cache` and `work`.
# shellcheck disable=SC2154 # cache, work: the caller's

# What tests need that these kernels have as modules, in the order of loading.
readonly kernel_modules=(llc stp garp mrp 8021q veth dummy sch_ingress cls_bpf act_bpf sch_netem)
readonly kernel_package=linux-image-cloud-amd64
readonly mirror=${FLARE_VMTEST_MIRROR:-http://deb.debian.org}

# private_apt TOOL SUITE ARCHIVE ARGUMENT...: apt-get or apt-cache with that one suite.
private_apt() {
	local tool=$1 suite=$2 archive=$3 state=$cache/apt/$2
	shift 3
	mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror/$archive $suite main" \
		>"$state/sources.list"
	"$tool" -qq -o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::State::lists="$state/lists" -o Dir::Cache="$state/cache" \
		-o Acquire::Languages=none -o Acquire::Retries=2 -o Acquire::http::Timeout=20 \
		-o APT::Sandbox::User=root -o APT::Update::Error-Mode=any "$@"
}

# dependency SUITE ARCHIVE PACKAGE PREFIX: the first package that PACKAGE depends on whose name begins
# with PREFIX.
dependency() {
	private_apt apt-cache "$1" "$2" show --no-all-versions "$3" 2>/dev/null |
		sed -nE "s/^Depends:.*[ ,]($4[^ ,]*).*/\1/p" | head -1
}

# Puts the kernel and its modules out of unpacked packages into a folder of the cache.
keep_kernel() {
	local unpacked=$1 kept=$2 image name file number=10
	image=$(find "$unpacked" -name 'vmlinuz*' -type f | head -1)
	[ -n "$image" ] || return 1
	rm -rf "$kept.new"
	mkdir -p "$kept.new/modules"
	cp "$image" "$kept.new/vmlinuz"
	for name in "${kernel_modules[@]}"; do
		file=$(find "$unpacked" -path '*/modules/*' \( -name "$name.ko" -o -name "$name.ko.xz" \) | head -1)
		[ -n "$file" ] || continue # built in; a test that misses it fails
		number=$((number + 1))
		case $file in
		*.xz) busybox xz -dc "$file" >"$kept.new/modules/$number-$name.ko" ;;
		*) cp "$file" "$kept.new/modules/$number-$name.ko" ;;
		esac
	done
	rm -rf "$kept"
	mv "$kept.new" "$kept"
}

# fits FAMILY RELEASE: whether a release (6.1.0-56-cloud-amd64) is of the family (6.1, or 6.1+).
fits() {
	local family=${1%+} release
	release=$(sed -E 's/^([0-9]+\.[0-9]+).*/\1/' <<<"$2")
	[ "$release" = "$family" ] && return
	[[ $1 == *+ ]] && [ "$(printf '%s\n%s\n' "$family" "$release" | sort -V | tail -1)" = "$release" ]
}

# fetch_kernel FAMILY SUITE ARCHIVE: sets kernel_dir, a folder with `vmlinuz`, `modules/` and `release`.
# Returns 1 where it cannot be had (kernel_why says why, and nothing is cached), 2 where the suite was
# reached and has not got what the table says.
fetch_kernel() {
	local family=$1 suite=$2 archive=$3 image release wanted
	kernel_dir=$cache/kernels/${family%+}
	kernel_why=
	# asked within a day
	if [ -n "$(find "$kernel_dir/release" -mtime -1 2>/dev/null)" ]; then return 0; fi
	if ! private_apt apt-get "$suite" "$archive" update >"$work/apt.log" 2>&1; then
		kernel_why="suite $suite of $mirror/$archive cannot be reached: $(grep -m1 -E '^[EW]:' "$work/apt.log")"
		[ -e "$kernel_dir/release" ] || return 1
		echo "   $kernel_why; the cached kernel is used"
		return 0
	fi
	image=$(dependency "$suite" "$archive" $kernel_package 'linux-image-[0-9]')
	release=${image#linux-image-}
	if [ -z "$image" ]; then
		kernel_why="suite $suite has no $kernel_package"
		return 2
	elif ! fits "$family" "$release"; then
		kernel_why="suite $suite has $release, which is not Linux $family"
		return 2
	elif [ "$(cat "$kernel_dir/release" 2>/dev/null)" = "$release" ]; then
		touch "$kernel_dir/release"
		return 0
	fi
	# from 7.x on the image is an empty package that needs two others
	wanted=("$image")
	if [ -n "$(dependency "$suite" "$archive" "$image" linux-binary-)" ]; then
		wanted=("linux-binary-$release" "linux-modules-$release")
	fi
	rm -rf "$work/packages"
	mkdir "$work/packages"
	if ! (cd "$work/packages" && private_apt apt-get "$suite" "$archive" download "${wanted[@]}") >"$work/apt.log" 2>&1; then
		kernel_why="${wanted[*]} of $suite cannot be fetched: $(grep -m1 -E '^[EW]:' "$work/apt.log")"
		return 1
	fi
	for package in "$work"/packages/*.deb; do
		dpkg-deb -x "$package" "$work/packages/unpacked" || return 2
	done
	if ! keep_kernel "$work/packages/unpacked" "$kernel_dir"; then
		kernel_why="${wanted[*]} of $suite hold no vmlinuz"
		return 2
	fi
	echo "$release" >"$kernel_dir/release"
	rm -rf "$work/packages"
}

#!/usr/bin/env bash
# For continuity.sh, to be sourced by it: a flared whose maps have another layout than this tree's, built from a
# copy of the sources: the version after ours, where keys and records of flows have their fields in other places
# and a backend's record is larger.

# next_abi OUT: abi.h of that version.
next_abi() {
	perl -0pe '
		s/(#define FLARE_ABI_VERSION )(\d+)/$1 . ($2 + 1)/e;
		s/(\t__be16 sport;\n)(\t__be16 dport;\n)(\t__u8 proto;\n\t__u8 zero\[3\];\n\};\nFLARE_ASSERT_SIZE\(struct flare_flow_key)/$2$1$3/;
		s/(struct flare_flow \{\n)(\tstruct flare_flow_key peer;\n)(\t__u64 created_ns;\n)(\t__u64 seen_ns;[^\n]*\n)(\t__u32 service_id;\n)(\t__u32 backend_id;\n)/$1$4$3$2$6$5/;
		s/(struct flare_backend \{\n)/$1\t__u64 drill;\n/;
		s/(struct flare_backend, )(\d+)\)/$1 . ($2 + 8) . ")"/e;
	' include/flare/abi.h >"$1"
	[ "$(diff include/flare/abi.h "$1" | grep -c '^>')" = 7 ] && return
	echo "abi.h has changed: scripts/lib/next_layout.sh does not know its structs any more" >&2
	return 1
}

# build_next FOLDER: that one is FOLDER/build/bin/flared. What has not changed is not built again.
build_next() {
	local from=$1/source to=$1/build log=$1/log flags
	read -ra flags <<<"${CMAKE_FLAGS:-}"
	mkdir -p "$from/include/flare"
	git ls-files -z --cached --others --exclude-standard |
		tar --exclude=include/flare/abi.h --null -T - -cf - | tar -xf - -C "$from"
	next_abi "$1/abi.h"
	cmp -s "$1/abi.h" "$from/include/flare/abi.h" || cp "$1/abi.h" "$from/include/flare/abi.h"
	cmake -S "$from" -B "$to" "${flags[@]}" -Wno-dev >"$log" 2>&1 || { cat "$log" >&2 && return 1; }
	cmake --build "$to" -j"${JOBS:-$(nproc)}" --target flared >"$log" 2>&1 ||
		{ cat "$log" >&2 && return 1; }
}

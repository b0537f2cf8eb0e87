#!/usr/bin/env bash
# The kernel matrix: boots each kernel of tests/vm/kernels.txt under QEMU, has it verify every program
# with every setting and run the BPF test programs, and compares instructions with
# tests/bpf/verifier_budget.txt. Writes reports/trust/flare-vmtest.json in the build folder, and
# flare-vmguests.json of the tests of tests/vm. Ends with status 1 where a kernel failed. One whose package cannot be had is skipped, which is said.
# docs/kernels.md tells more.
#
# usage: scripts/vmtest.sh BUILD [FAMILY...]      (5.10, 6.1, ...; all without)
#
# Set in the environment:
#   FLARE_VMTEST_CACHE     where kernels are kept (~/.cache/flare/vmtest)
#   FLARE_VMTEST_ACCEL     kvm or tcg, instead of finding out
#   FLARE_VMTEST_SECONDS   that a guest may take (3600)
#   FLARE_VMTEST_BOOT_SECONDS   of them until its first line (180)
#   FLARE_VMTEST_PROGRAM   only that program, with the verifier's log; no fixtures
#   FLARE_VMTEST_REQUIRE   1: a kernel that cannot be had is a failure
#   FLARE_VMTEST_FILTER    only these tests (as --gtest_filter), instead of all but those whose outcome is
#                          chance or a million packets, not the kernel
#   FLARE_VMTEST_FIXTURES  0: verify the programs, run no tests
#   FLARE_VMTEST_MIRROR    http://deb.debian.org
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?usage: scripts/vmtest.sh BUILD [FAMILY...]}
shift
for tool in qemu-system-x86_64 busybox ip tc sysctl ethtool nsenter strip; do
	command -v "$tool" >/dev/null || {
		echo "$0 needs $tool: scripts/install_packages.sh qemu-system-x86 busybox-static" >&2
		exit 1
	}
done

cache=${FLARE_VMTEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/flare/vmtest}
mkdir -p "$cache/kernels"
work=$(mktemp -d)
readonly build cache work
# shellcheck source=scripts/lib/vm_kernels.sh
. scripts/lib/vm_kernels.sh
# shellcheck source=scripts/lib/vm_guest.sh
. scripts/lib/vm_guest.sh
# shellcheck source=scripts/lib/vm_judge.sh
. scripts/lib/vm_judge.sh

leave() {
	end_guest
	rm -rf "$work"
}
trap leave EXIT
trap 'exit 130' INT TERM

filter=${FLARE_VMTEST_FILTER:--*CrowdedRange.*:*Flood.*:Load.*:Split.*:*RandomPackets.*}
readonly filter
broken=() unavailable=() good=()
accelerator=${FLARE_VMTEST_ACCEL:-}
[ "$accelerator" != tcg ] || accelerator=tcg,thread=multi

# test_kernel FAMILY: one kernel that was fetched, in kernel_dir.
test_kernel() {
	local family=$1 log=$build/reports/vmtest/${1%+}.log fixtures=${FLARE_VMTEST_FIXTURES:-1} begun=$SECONDS
	# where the datapath itself does not load there is nothing to run
	if grep -q '^flare_xdp ' < <(refusals_of "$family"); then fixtures=0; fi
	mkdir -p "$(dirname "$log")"
	if [ -n "${FLARE_VMTEST_PROGRAM:-}" ]; then
		run_guest "$kernel_dir" "$log" "flare_fixtures=0 flare_program=$FLARE_VMTEST_PROGRAM"
		sed -n '/^KERNEL/,$p' "$log"
		return
	fi
	run_guest "$kernel_dir" "$log" "flare_fixtures=$fixtures flare_filter=$filter"
	judge "$family" "$log" "$fixtures"
	record_results "$family" "$log" "$fixtures"
	echo "fixtures ${family%+} $([ "$fixtures" = 1 ] && echo $passed || echo none)" >>"$work/figures"
	echo "seconds ${family%+} $((SECONDS - begun))" >>"$work/figures"
	if [ $findings -gt 0 ]; then
		broken+=("${family%+}")
		echo "   what the guest said: $log"
		grep -A12 -E ': Failure$' "$log" | head -40 | sed 's/^/      /' || true
	else
		good+=("${family%+}")
	fi
}

# The figures as a table, a column for each kernel that ran.
print_table() {
	awk '
		!($2 in columns) { columns[$2]; order[++n] = $2 }
		!($1 in rows) { rows[$1]; names[++m] = $1 }
		{ cell[$1, $2] = $3 }
		END {
			printf "%-22s", "verifier instructions"
			for (i = 1; i <= n; i++) printf "%10s", order[i]
			print ""
			for (pass = 1; pass <= 2; pass++)
				for (j = 1; j <= m; j++) {
					if ((names[j] == "fixtures" || names[j] == "seconds") == (pass == 1)) continue
					printf "%-22s", names[j] (names[j] == "fixtures" ? " passed" : "")
					for (i = 1; i <= n; i++) printf "%10s", cell[names[j], order[i]]
					print ""
				}
		}' "$work/figures"
}

make_image || {
	echo "cannot make the guests' image: is $build built?" >&2
	exit 1
}
: >"$work/figures"
: >"$work/matrix"
: >"$work/guests"
mapfile -t rows < <(awk '$1 == "kernel" { print $2, $3, $4 }' $kernels)
for row in "${rows[@]}"; do
	read -r family suite archive <<<"$row"
	[ $# = 0 ] || [[ " $* " == *" ${family%+} "* ]] || continue
	status=0
	fetch_kernel "$family" "$suite" "$archive" || status=$?
	if [ $status = 1 ]; then
		unavailable+=("${family%+}")
		echo "== Linux ${family%+}: SKIPPED, NOT TESTED: $kernel_why"
	elif [ $status != 0 ]; then
		broken+=("${family%+}")
		echo "== Linux ${family%+}"
		echo "   FAILED: $kernel_why: bring $kernels up to date"
		add_result matrix "guest.${family%+}" 1
	else
		[ -n "$accelerator" ] || choose_accelerator "$kernel_dir"
		echo "== Linux $(cat "$kernel_dir/release") ($suite, ${accelerator%%,*})"
		test_kernel "$family"
	fi
done

write_results matrix flare-vmtest
write_results guests flare-vmguests
echo
print_table
echo
# counted WORD [KERNEL]...
counted() {
	echo -n "$(($# - 1)) $1${2:+ (${*:2})}"
}
echo "vmtest: $(counted passed "${good[@]}"), $(counted failed "${broken[@]}"), $(counted skipped "${unavailable[@]}")"
[ ${#broken[@]} = 0 ] || exit 1
[ ${#unavailable[@]} = 0 ] || [ "${FLARE_VMTEST_REQUIRE:-0}" != 1 ] || exit 1
[ $((${#good[@]} + ${#unavailable[@]})) -gt 0 ] || {
	echo "vmtest: no kernel of that name in $kernels" >&2
	exit 2
}

#!/usr/bin/env bash
# For scripts/vmtest.sh, to be sourced by it: the image that a guest runs from, and one boot of it.
# The caller has set `build`, `cache` and `work`.
# shellcheck disable=SC2154 # build, cache, work: the caller's

# Seconds that a guest may take, and of them until its first line; under load of the machine they become
# several times as many.
readonly guest_seconds=${FLARE_VMTEST_SECONDS:-3600} boot_seconds=${FLARE_VMTEST_BOOT_SECONDS:-180}
guest_pid='' guest_end=''

# take_libraries ROOT PROGRAM...: copies the libraries that programs need into an image, where they are.
take_libraries() {
	local root=$1 file
	shift
	for file in $(ldd "$@" | grep -oE '/[^ :]+ \(' | tr -d ' (' | sort -u); do
		install -D "$file" "$root$file"
	done
}

pack() {
	(cd "$1" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$2"
	[ -s "$2" ]
}

# take_lab ROOT: what the lab needs: flared and flarectl where they were built, scripts/lab.sh where it is.
take_lab() {
	local root=$1 program bin
	bin=$(realpath "$build/bin")
	mkdir -p "$root$bin" "$root$(pwd)/scripts" "$root/usr/bin" "$root/run"
	for program in flared flarectl; do
		strip -o "$root$bin/$program" "$bin/$program" || return 1
	done
	cp scripts/lab.sh "$root$(pwd)/scripts/"
	ln -s /bin/busybox "$root/usr/bin/env"
	for program in ip sysctl tc ethtool nsenter bash; do
		cp "$(command -v "$program")" "$root/bin/" || return 1
	done
	take_libraries "$root" "$root$bin"/* "$root"/bin/{ip,sysctl,tc,ethtool,nsenter,bash}
}

# make_image: what all guests have, in $work/base.img: a shell, ip, the test programs, and the files of
# the sources that they read, under the same paths.
make_image() {
	local root=$work/image program source
	source=$(pwd)
	mkdir -p "$root"/{bin,dev,proc,sys,tmp,tests,etc,modules} "$root$source"/{docs,tests/bpf,tests/fuzz/corpus}
	chmod 755 "$root"
	cp "$(command -v busybox)" "$root/bin/busybox"
	cp tests/vm/init.sh "$root/init"
	cp docs/packets.md "$root$source/docs/"
	cp tests/bpf/verifier_budget.txt "$root$source/tests/bpf/"
	cp -r tests/fuzz/corpus/{xdp,tc} "$root$source/tests/fuzz/corpus/"
	for program in "$build"/tests/vm/flare_vm_{programs,tests} "$build"/tests/bpf/{,connect/}*_tests \
		"$build"/tests/bpf/differential/flare_differential_test; do
		strip -o "$root/tests/${program##*/}" "$program" || return 1
	done
	# busybox's shell would take its own ip and sysctl
	cp "$(command -v dash)" "$root/bin/sh"
	take_lab "$root" || return 1
	take_libraries "$root" "$root"/bin/sh "$root"/tests/*
	pack "$root" "$work/base.img"
}

# start_guest ACCELERATOR KERNEL_DIR IMAGE LOG SECONDS [ARGUMENT]...: boots, waits for its end, or ends
# it after that time, or where it has no first line after boot_seconds; guest_end says so then. What it
# said is in LOG, and is all that counts: qemu's status says nothing.
start_guest() {
	local accelerator=$1 kernel=$2 image=$3 log=$4 seconds=$5 cpu=max,cx16=off status=0
	shift 5
	# qemu 7.2 interprets cmpxchg16b wrongly, which Linux 6.12 uses; under KVM the CPU does it
	[[ $accelerator != kvm* ]] || cpu=host
	: >"$log" # which is looked at before qemu has made it
	timeout -k 5 "$seconds" qemu-system-x86_64 -machine q35 -accel "$accelerator" -cpu "$cpu" -smp 2 -m 1536 \
		-kernel "$kernel/vmlinuz" -initrd "$image" -nographic -nodefaults -serial stdio -net none -no-reboot \
		-append "console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off nokaslr tsc=reliable flare_guest $*" \
		</dev/null >"$log" 2>&1 &
	guest_pid=$!
	guest_end=
	await_first_line "$log"
	wait "$guest_pid" 2>/dev/null || status=$?
	# of timeout: its own, or that it had to kill
	if [ -z "$guest_end" ] && { [ $status = 124 ] || [ $status = 137 ]; }; then
		guest_end="ended after $seconds s"
	fi
	guest_pid=
}

# A kernel that hangs says nothing, and is not waited for as long as one that works.
await_first_line() {
	local log=$1 until=$((SECONDS + boot_seconds))
	while kill -0 "$guest_pid" 2>/dev/null; do
		grep -aq KERNEL "$log" && return
		if [ "$SECONDS" -ge $until ]; then
			guest_end="ended after $boot_seconds s without its first line: it hangs in its boot"
			kill -TERM "$guest_pid" 2>/dev/null || true # timeout passes it on
			return
		fi
		sleep 0.2
	done
}

# Ends the guest that runs, if one does.
end_guest() {
	[ -n "$guest_pid" ] || return 0
	kill -TERM "$guest_pid" 2>/dev/null || true # timeout passes it on
	wait "$guest_pid" 2>/dev/null || true
}

# Whether guests can run on this machine's CPU: /dev/kvm may be there and not work. Asked once a boot of
# the machine, by a guest that does nothing but say so.
choose_accelerator() {
	local kernel=$1 root=$work/probe known
	known=$cache/accelerator.$(cat /proc/sys/kernel/random/boot_id)
	accelerator=tcg,thread=multi
	[ -w /dev/kvm ] || return 0
	if [ ! -e "$known" ]; then
		mkdir -p "$root/bin" "$root/proc"
		cp "$(command -v busybox)" "$root/bin/"
		printf '#!/bin/busybox sh\n/bin/busybox echo KERNEL\n/bin/busybox poweroff -f\n' >"$root/init"
		chmod +x "$root/init"
		pack "$root" "$work/probe.img"
		start_guest kvm "$kernel" "$work/probe.img" "$work/probe.log" 20
		rm -f "$cache"/accelerator.*
		grep -c '^KERNEL\|\[2JKERNEL' "$work/probe.log" >"$known" || true
	fi
	[ "$(cat "$known")" = 0 ] || accelerator=kvm
}

# run_guest KERNEL_DIR LOG [ARGUMENT]...: the tests on that kernel. A guest that did not even begin
# is started once more: emulation sometimes does that. One that began is not.
run_guest() {
	local kernel=$1 log=$2 try
	shift 2
	mkdir -p "$work/modules/modules"
	rm -f "$work"/modules/modules/*
	cp "$kernel"/modules/*.ko "$work/modules/modules/"
	pack "$work/modules" "$work/modules.img" || return 1
	cat "$work/base.img" "$work/modules.img" >"$work/guest.img"
	for try in 1 2; do
		start_guest "$accelerator" "$kernel" "$work/guest.img" "$log.raw" "$guest_seconds" "$@"
		# the firmware clears the screen in front of the first line
		tr -d '\r' <"$log.raw" | sed -E 's/\x1b\[[0-9;?=]*[a-zA-Z]|\x1bc//g' >"$log"
		grep -q '^KERNEL ' "$log" && return
		[ $try = 2 ] || echo "   the guest did not begin${guest_end:+ ($guest_end)}; once more"
	done
}

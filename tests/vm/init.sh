#!/bin/busybox sh
# shellcheck shell=sh
# The first and only process of a guest of `make vmtest`: loads the modules, has every program
# verified, runs the test programs, and prints lines for scripts/vmtest.sh to judge:
#
#   KERNEL release                 it runs
#   PROGRAM, REFUSED               as tests/vm/programs_main.cpp says
#   VERIFIED status                that has come to its end
#   SUITE name status passed failed skipped seconds
#   CASE status name [figure=value]...   a test of tests/vm, as tests/vm/main.cpp says
#   DMESG line                     the kernel complained
#   END                            all was run
/bin/busybox --install -s /bin 2>/dev/null # ip and sysctl are there already
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs tmpfs /run # where `ip netns` binds its names
ln -s /proc/self/fd /dev/fd # which bash reads from
chmod 755 /
echo # the firmware has left its line open
echo "KERNEL $(uname -r)"

for module in /modules/*.ko; do
	insmod "$module" || echo "MODULE ${module##*/} does not load"
done
ip link set lo up

filter=$(sed -nE 's/.*flare_filter=([^ ]+).*/\1/p' /proc/cmdline)
wanted=$(sed -nE 's/.*flare_program=([a-z0-9_]+).*/\1/p' /proc/cmdline)
/tests/flare_vm_programs ${wanted:+"$wanted"}
echo "VERIFIED $?"

# The number in a test program's closing line of that word; 0 without one.
closing() {
	number=$(sed -nE "s/^\[  $1 +\] ([0-9]+) tests?.*/\1/p" /tmp/output | tail -1)
	echo "${number:-0}"
}

if ! grep -q flare_fixtures=0 /proc/cmdline; then
	for suite in /tests/*_test /tests/*_tests; do
		begun=$(date +%s)
		"$suite" --gtest_brief=1 --gtest_filter="${filter:-*}" >/tmp/output 2>&1
		status=$?
		head -c 20000 /tmp/output | grep -v '^\[=*\]'
		echo "SUITE ${suite##*/} $status $(closing PASSED) $(closing FAILED) $(closing SKIPPED)" \
			"$(($(date +%s) - begun))"
	done
fi

dmesg | grep -E 'BUG:|WARNING:|Oops|general protection|soft lockup|UBSAN|KASAN' | sed 's/^/DMESG /'
echo END
poweroff -f

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looks at all of `vm_flows`, or empties it, inside the kernel: tests do so before and after each
 * packet, and copying 65,536 entries out each time takes longer than all the rest.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "flare/abi.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FLARE_VM_FLOWS_MAX);
	__type(key, __u32);
	__type(value, struct flare_vm_flow);
} vm_flows SEC(".maps");

__u64 digest; /* of all entries and their places */

static long look(void *map __attribute__((unused)), const __u32 *slot, struct flare_vm_flow *flow,
		 void *context __attribute__((unused)))
{
	digest += (flow->tag ^ (flow->seen_ns * 31)) * (*slot * 2ULL + 1);
	return 0;
}

static long forget(void *map __attribute__((unused)), const __u32 *slot __attribute__((unused)),
		   struct flare_vm_flow *flow, void *context __attribute__((unused)))
{
	flow->tag = 0;
	flow->seen_ns = 0;
	return 0;
}

SEC("syscall")
int look_at_all(void *context __attribute__((unused)))
{
	digest = 0;
	bpf_for_each_map_elem(&vm_flows, look, 0, 0);
	return 0;
}

SEC("syscall")
int forget_all(void *context __attribute__((unused)))
{
	bpf_for_each_map_elem(&vm_flows, forget, 0, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";

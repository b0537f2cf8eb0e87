/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Keys of flows that global functions are given: to Linux 6.1 what such an argument points to is no
 * key of a map ("R2 type=mem expected=fp, pkt, ..."), so they look up a copy. The stack is too short for it.
 */
#pragma once

#include "maps.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct flare_flow_key);
} key_scratch SEC(".maps");

static __always_inline struct flare_flow_key *key_keep(const struct flare_flow_key *key, __u32 slot)
{
	struct flare_flow_key *copy = bpf_map_lookup_elem(&key_scratch, &slot);

	if (copy)
		*copy = *key;
	return copy;
}

/* A copy of a key. Good until the next copy is made, maybe by a function that is called. */
static __always_inline struct flare_flow_key *key_copy(const struct flare_flow_key *given)
{
	return key_keep(given, 0);
}

/* The same, of an entry's peer, beside a key's copy. */
static __always_inline struct flare_flow_key *peer_copy(const struct flare_flow *flow)
{
	return key_keep(&flow->peer, 1);
}

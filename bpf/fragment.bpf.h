/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How the later fragments of a datagram, which carry no ports, follow its first one. Only a first
 * fragment that was translated leaves a record; without one, they pass.
 */
#pragma once

#include "maps.bpf.h"
#include "rewrite.bpf.h"

/* As long as a host waits for the rest of a datagram (Linux: ipfrag_time). */
#define FRAGMENT_LIFE_NS (30 * NSEC_PER_SEC)

static __always_inline void fragment_key(struct flare_fragment_key *key, const struct packet *pkt)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->src = pkt->flow.src;
	key->dst = pkt->flow.dst;
	key->id = pkt->fragment_id;
	key->proto = pkt->fragment_proto;
}

/* What the first fragment of this datagram left, if it was not long ago. */
static __always_inline struct flare_fragment *fragment_find(const struct packet *pkt)
{
	struct flare_fragment_key key;
	struct flare_fragment *first;

	fragment_key(&key, pkt);
	first = bpf_map_lookup_elem(&fragments, &key);
	if (!first || bpf_ktime_get_coarse_ns() - first->seen_ns > FRAGMENT_LIFE_NS)
		return NULL;
	return first;
}

/* Lets the later fragments of this datagram follow its first one, a packet of `flow`. */
__noinline int fragment_remember(const struct packet *pkt, const struct translation *to,
				 const struct flare_flow *flow)
{
	struct flare_fragment_key key;
	struct flare_fragment first = {};

	if (!pkt || !to || !flow)
		return -1;
	fragment_key(&key, pkt);
	first.new_src = to->src;
	first.new_dst = to->dst;
	first.seen_ns = bpf_ktime_get_coarse_ns();
	first.service_id = flow->service_id;
	first.backend_id = flow->backend_id;
	first.dir = flow->dir;
	first.tier = flow->tier;
	first.to_stack = flow->to_stack;
	return (int)bpf_map_update_elem(&fragments, &key, &first, BPF_ANY);
}

/*
 * Identifications come round again: the later fragments of a datagram that was left alone must not
 * follow an earlier one that was not.
 */
__noinline int fragment_forget(const struct packet *pkt)
{
	struct flare_fragment_key key;

	if (!pkt)
		return -1;
	fragment_key(&key, pkt);
	return (int)bpf_map_delete_elem(&fragments, &key);
}

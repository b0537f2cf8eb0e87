/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which connections may be reset while they are idle: of either tier, by whatever program
 * (flare_reset.bpf.c, flare_home.bpf.c).
 */
#pragma once

#include "move_rule.bpf.h"

/* By service id, written by the agent: how long (ns) it must have been silent; 0: none is reset. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FLARE_SERVICES_MAX);
	__type(key, __u32);
	__type(value, __u64);
} idle_bounds SEC(".maps");

/* 0: none of the service's connections is reset. */
static __always_inline __u64 idle_bound_of(__u32 service_id)
{
	__u64 *bound_ns = bpf_map_lookup_elem(&idle_bounds, &service_id);

	return bound_ns ? *bound_ns : 0;
}

/* Whether there is no other means to move it. Streams of HTTP/2 in TLS cannot be seen to be idle. */
static __always_inline int reset_is_the_means(const struct flare_turn *turn)
{
	if (turn->flags & (FLARE_TURN_MUX | FLARE_TURN_HTTP2 | FLARE_TURN_WHOLE))
		return 0;
	return turn->flags & FLARE_TURN_TLS || turn->ended & FLARE_TURN_HEADLESS;
}

/* Whether no request is open, and none was for `bound_ns`. One that never had any carries no load. */
static __always_inline int turn_is_idle(const struct flare_turn *turn, __u64 bound_ns)
{
	__u64 now_ns = bpf_ktime_get_ns(), seen_ns = *(volatile __u64 *)&turn->seen_ns;

	return turn->requests && !*(volatile __u64 *)&turn->open_ns &&
	       !*(volatile __u32 *)&turn->streams && now_ns > seen_ns &&
	       now_ns - seen_ns > bound_ns;
}

/* The slot of a connection of this service and tier that may be reset now; NULL: it may not. */
static __always_inline struct flare_turn *turn_to_reset(const struct flare_flow_key *client,
							const struct flare_service *svc,
							enum flare_tier tier, __u64 bound_ns)
{
	__u64 tag = turn_tag(client);
	struct flare_turn_set *set = turn_set_find(tag);
	struct flare_turn *turn = set ? turn_find(set, tag) : NULL;

	if (!turn || turn->service_id != svc->id || turn->tier != tier ||
	    !reset_is_the_means(turn) || !turn_is_idle(turn, bound_ns))
		return NULL;
	return turn;
}

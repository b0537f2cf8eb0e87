/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Translated flows that are looked up, that are over, and that make room: the end of what
 * flow.bpf.h begins.
 */
#pragma once

#include "find.bpf.h"
#include "key.bpf.h"

/*
 * Where nothing was ever spilled, packets of the VM tier are spared the look-ups in large tables. The
 * third one is for a flow that another CPU moves from `embryos` to `flows` between the first two.
 */
static __always_inline struct flare_flow *flow_find(const struct flare_flow_key *key)
{
	struct flare_heartbeat *heart = heartbeat_get();
	struct flare_flow *flow;

	if (!heart || !*(volatile __u64 *)&heart->spilled_ns)
		return NULL;
	flow = bpf_map_lookup_elem(&flows, key);
	if (!flow)
		flow = bpf_map_lookup_elem(&embryos, key);
	return flow ? flow : bpf_map_lookup_elem(&flows, key);
}

/* As flow_find, for a key that a global function was given. */
static __always_inline struct flare_flow *flow_find_given(const struct flare_flow_key *given)
{
	struct flare_flow_key *key = key_copy(given);

	return key ? flow_find(key) : NULL;
}

/* Removes an entry from the map that has it. */
static __always_inline void entry_remove(const struct flare_flow_key *key)
{
	if (bpf_map_delete_elem(&flows, key))
		bpf_map_delete_elem(&embryos, key);
}

/* Settled flows of a backend, unless its id was given to another address since. */
static __always_inline void backend_active_add(const struct flare_flow *flow, __s64 change)
{
	__u32 id = flow->backend_id;
	struct flare_backend *backend = bpf_map_lookup_elem(&backends, &id);
	struct flare_backend_load *load = backend_load_find(id);

	if (backend && load && backend->generation == flow->backend_generation)
		__sync_fetch_and_add(&load->active, change);
}

/* Counts the end of a flow, once, whoever sees it first. `forward` is its forward entry. */
static __always_inline void flow_close(struct flare_flow *forward)
{
	struct flare_service_counters *row;
	struct flare_backend_counters *backend;
	struct flare_admission *adm;

	if (__sync_fetch_and_or(&forward->flags, FLARE_FLOW_CLOSED) & FLARE_FLOW_CLOSED)
		return;
	row = service_counters_find(forward->service_id);
	if (row)
		row->tier[forward->tier & 1].flows_closed++;
	backend = backend_counters_find(forward->backend_id);
	if (backend)
		backend->traffic.flows_closed++;
	if (!(forward->flags & FLARE_FLOW_COUNTED))
		return;
	backend_active_add(forward, -1);
	adm = admission_find(forward->service_id);
	if (adm && forward->tier == FLARE_TIER_SERVERLESS)
		__sync_fetch_and_sub(&adm->active, 1);
}

/* Removes both entries of a flow, given the forward one's key. */
__noinline int flow_remove(const struct flare_flow_key *given)
{
	struct flare_flow_key *key, *reverse;
	struct flare_flow *flow;

	key = given ? key_copy(given) : NULL;
	if (!key)
		return 0;
	flow = flow_find(key);
	if (!flow)
		return 0;
	flow_close(flow);
	reverse = peer_copy(flow);
	entry_remove(key);
	if (reverse)
		entry_remove(reverse);
	return 0;
}

/* As flow_evict, from `embryos`. */
__noinline int flow_evict_embryo(const struct flare_flow_key *given)
{
	struct flare_flow_key *reverse_key, *forward_key;
	struct flare_flow *flow;

	reverse_key = given ? key_copy(given) : NULL;
	if (!reverse_key)
		return 0;
	flow = bpf_map_lookup_elem(&embryos, reverse_key);
	if (!flow)
		return 0;
	forward_key = peer_copy(flow);
	if (!forward_key)
		return 0;
	flow = bpf_map_lookup_elem(&embryos, forward_key);
	if (flow)
		flow_close(flow);
	bpf_map_delete_elem(&embryos, forward_key);
	bpf_map_delete_elem(&embryos, reverse_key);
	return 0;
}

/* Removes a flow from `flows` alone, given the reverse entry's key: a port changes hands. */
__noinline int flow_evict(const struct flare_flow_key *given)
{
	struct flare_flow_key *reverse_key, *forward_key;
	struct flare_flow *flow;

	reverse_key = given ? key_copy(given) : NULL;
	if (!reverse_key)
		return 0;
	flow = bpf_map_lookup_elem(&flows, reverse_key);
	if (!flow)
		return 0;
	forward_key = peer_copy(flow);
	if (!forward_key)
		return 0;
	flow = bpf_map_lookup_elem(&flows, forward_key);
	if (flow)
		flow_close(flow);
	bpf_map_delete_elem(&flows, forward_key);
	bpf_map_delete_elem(&flows, reverse_key);
	return 0;
}

/* Whether nothing was heard of the flow for as long as its state allows. */
__noinline int flow_is_expired(const struct flare_flow_key *key, __u64 now_ns)
{
	struct flare_settings *set = settings_get();
	struct flare_flow *flow, *twin;
	__u32 forward, reverse;
	__u64 seen_ns;

	if (!key || !set)
		return 0;
	flow = flow_find_given(key);
	if (!flow)
		return 0;
	twin = flow_find(&flow->peer);
	if (!twin)
		return 1;
	forward = flow->dir == FLARE_DIR_FORWARD ? flow->flags : twin->flags;
	reverse = flow->dir == FLARE_DIR_FORWARD ? twin->flags : flow->flags;
	seen_ns = flow->seen_ns > twin->seen_ns ? flow->seen_ns : twin->seen_ns;
	return now_ns > seen_ns &&
	       now_ns - seen_ns > flow_life_ns(set, key->proto, forward, reverse);
}

/*
 * Whether the settled flow that holds a port, and is not expired, may lose it to a new one at this
 * probe. Leaves expiry to the caller: the stack has no room for a call from here.
 */
__noinline int flow_leaves_port(const struct flare_flow_key *given, __u64 now_ns, __u32 probe)
{
	struct flare_flow_key *key;
	struct flare_flow *flow, *twin;
	__u64 seen_ns;

	if (!given)
		return 0;
	key = key_copy(given);
	flow = key ? bpf_map_lookup_elem(&flows, key) : NULL;
	if (!flow)
		return 1;
	twin = bpf_map_lookup_elem(&flows, &flow->peer);
	if (!twin)
		return 1;
	seen_ns = flow->seen_ns > twin->seen_ns ? flow->seen_ns : twin->seen_ns;
	return port_yields(probe, flow->flags, twin->flags,
			   now_ns > seen_ns ? now_ns - seen_ns : 0);
}

/*
 * Whether a flow is at its end, so that a new SYN on its addresses is a new flow: RST, FIN from
 * both sides, or expired. Of an embryo, also a reservation that the LRU has lost.
 */
__noinline int flow_is_over(const struct flare_flow_key *key, __u64 now_ns)
{
	struct flare_flow *flow, *twin;

	if (!key)
		return 1;
	flow = flow_find_given(key);
	if (!flow)
		return 1;
	twin = flow_find(&flow->peer);
	if (!twin)
		return 1;
	if ((flow->flags | twin->flags) & FLARE_FLOW_RST)
		return 1;
	if (flow->flags & twin->flags & FLARE_FLOW_FIN)
		return 1;
	return flow_is_expired(key, now_ns);
}

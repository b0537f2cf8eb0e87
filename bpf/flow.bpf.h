/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table of translated flows. A flow is two entries, each other's `peer`; it is born in
 * `embryos`, an LRU map in which unfinished handshakes compete only with each other, and moves to
 * `flows`, which evicts nobody, when its handshake is done.
 *
 * The reverse entry is the reservation of the NAT port. It is inserted first and must not exist in
 * either map. Whoever moves it inserts before it deletes, so a reservation is always to be seen.
 *
 * The functions that are not static are global ones to the verifier: it checks each of them once,
 * for any argument (NULL included), and not again on every path that leads to a call.
 */
#pragma once

#include "flow_end.bpf.h"

/* How a new flow is recorded. */
struct flow_plan {
	__u64 hash;
	__u64 now_ns;
	__u32 backend_id;
	__u8 tier;
	__u8 cause; /* FLARE_SPILL_* */
	__u8 source_kept; /* the backend sees the client's own address and port */
	__u8 to_stack; /* bits 1 << FLARE_DIR_*: what is left to this host's stack */
};

/* Where new values are put together: they are too much for the stack. */
struct flow_scratch {
	struct flare_flow forward;
	struct flare_flow reverse;
	struct flow_plan plan;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow_scratch);
} flow_scratch SEC(".maps");

static __always_inline struct flow_scratch *flow_scratch_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&flow_scratch, &zero);
}

/* Notes that there are flows, before there is one. Rarely: every packet on every CPU reads it. */
static __always_inline void flows_note(__u64 now_ns)
{
	struct flare_heartbeat *heart = heartbeat_get();
	__u64 noted_ns;

	if (!heart)
		return;
	noted_ns = *(volatile __u64 *)&heart->spilled_ns;
	if (!noted_ns || now_ns > noted_ns + NSEC_PER_SEC)
		*(volatile __u64 *)&heart->spilled_ns = now_ns;
}

/* Counts a flow that `flows` has no room for, and none that another CPU has just put there. */
static __always_inline void settle_failed(struct flare_service_counters *row, long error)
{
	if (row && error != -EEXIST)
		row->refused[FLARE_REFUSAL_TABLE_FULL]++;
}

/*
 * Moves a flow whose handshake is done from `embryos` to `flows`. Where `flows` is full it stays
 * where it is and still works.
 */
__noinline int flow_settle(const struct flare_flow_key *forward_key)
{
	struct flow_scratch *scratch = flow_scratch_get();
	struct flare_flow *forward, *reverse;
	struct flare_service_counters *row;
	struct flare_admission *adm;
	long error;

	if (!scratch || !forward_key)
		return 0;
	scratch->reverse.peer = *forward_key;
	forward = bpf_map_lookup_elem(&embryos, &scratch->reverse.peer);
	if (!forward)
		return 0;
	scratch->forward = *forward;
	reverse = bpf_map_lookup_elem(&embryos, &scratch->forward.peer);
	if (!reverse)
		return 0;
	scratch->reverse = *reverse;
	scratch->forward.flags |= FLARE_FLOW_COUNTED;
	scratch->reverse.flags |= FLARE_FLOW_COUNTED;

	row = service_counters_find(scratch->forward.service_id);
	error = bpf_map_update_elem(&flows, &scratch->forward.peer, &scratch->reverse, BPF_NOEXIST);
	if (error) {
		settle_failed(row, error);
		return 0;
	}
	error = bpf_map_update_elem(&flows, &scratch->reverse.peer, &scratch->forward, BPF_NOEXIST);
	if (error) {
		bpf_map_delete_elem(&flows, &scratch->forward.peer);
		settle_failed(row, error);
		return 0;
	}
	/* a flow that was reset in its handshake has had its end counted, and no second one follows */
	if (!(scratch->forward.flags & FLARE_FLOW_CLOSED))
		backend_active_add(&scratch->forward, 1);
	if (scratch->forward.tier == FLARE_TIER_SERVERLESS) {
		if (row)
			row->handshakes++;
		adm = admission_find(scratch->forward.service_id);
		if (adm && !(scratch->forward.flags & FLARE_FLOW_CLOSED))
			__sync_fetch_and_add(&adm->active, 1);
	}
	bpf_map_delete_elem(&embryos, &scratch->reverse.peer);
	bpf_map_delete_elem(&embryos, &scratch->forward.peer);
	return 1;
}

/*
 * Puts back the reservation of an embryo whose reverse entry the LRU has evicted, so that replies
 * find their way. Where another flow has taken the port since, this one is lost: its client's next
 * SYN starts anew.
 */
__noinline int flow_restore(const struct flare_flow_key *forward_key)
{
	struct flow_scratch *scratch = flow_scratch_get();
	struct flare_flow *forward;

	if (!scratch || !forward_key)
		return 0;
	scratch->reverse.peer = *forward_key;
	forward = bpf_map_lookup_elem(&embryos, &scratch->reverse.peer);
	if (!forward || bpf_map_lookup_elem(&flows, &forward->peer))
		return 0;
	scratch->reverse = *forward;
	scratch->reverse.peer = *forward_key;
	scratch->reverse.dir = FLARE_DIR_REVERSE;
	/* a TCP client that acknowledges has had its answer */
	scratch->reverse.flags = forward_key->proto == PROTO_TCP ? FLARE_FLOW_REPLIED : 0;
	scratch->reverse.packets = 0;
	scratch->reverse.bytes = 0;
	return (int)bpf_map_update_elem(&embryos, &forward->peer, &scratch->reverse, BPF_NOEXIST);
}

/* Notes a FIN or RST in its direction's entry, and the end of the flow where this makes it one. */
__noinline int flow_note_end(const struct flare_flow_key *key, __u32 bits)
{
	struct flare_flow *flow, *twin;

	if (!key)
		return 0;
	flow = flow_find_given(key);
	if (!flow)
		return 0;
	__sync_fetch_and_or(&flow->flags, bits);
	twin = flow_find(&flow->peer);
	if (!twin)
		return 0;
	if (bits & FLARE_FLOW_RST || flow->flags & twin->flags & FLARE_FLOW_FIN)
		flow_close(flow->dir == FLARE_DIR_FORWARD ? flow : twin);
	return 0;
}

/* Notes the backend's first sign on a flow that is not settled: it takes the flow, or refuses it. */
static __always_inline void flow_note_answer(struct flare_flow *flow, const struct packet *pkt)
{
	struct flare_backend_counters *backend = backend_counters_find(flow->backend_id);
	int refused = pkt->flow.proto == PROTO_TCP && pkt->tcp_flags & TCP_RST;

	if (flow->flags & FLARE_FLOW_REPLIED)
		return;
	if (pkt->flow.proto == PROTO_TCP && !(pkt->tcp_flags & (TCP_ACK | TCP_RST)))
		return;
	if (!refused)
		__sync_fetch_and_or(&flow->flags, FLARE_FLOW_REPLIED);
	if (!backend)
		return;
	backend->accepted += !refused;
	backend->refused += refused;
}

/* One packet on a known flow: its last use, its counts, and what its flags say of its state. */
static __always_inline void flow_touch(struct flare_flow *flow, const struct packet *pkt,
				       __u32 segments)
{
	__u32 bits = 0;

	flow->seen_ns = bpf_ktime_get_coarse_ns();
	flow->packets += segments;
	flow->bytes += pkt->bytes;
	if (pkt->flow.proto == PROTO_TCP) {
		if (pkt->tcp_flags & TCP_FIN)
			bits |= FLARE_FLOW_FIN;
		if (pkt->tcp_flags & TCP_RST)
			bits |= FLARE_FLOW_RST;
	}
	if (bits & ~flow->flags)
		flow_note_end(&pkt->flow, bits);

	if (flow->flags & FLARE_FLOW_COUNTED)
		return;
	/*
	 * The handshake: SYN-ACK from the backend, then ACK from the client; UDP: any answer. Of a flow
	 * whose record was lost the backend's next segment stands for the SYN-ACK.
	 */
	if (flow->dir == FLARE_DIR_REVERSE) {
		flow_note_answer(flow, pkt);
		if (pkt->flow.proto == PROTO_UDP)
			flow_settle(&flow->peer);
	} else if (pkt->flow.proto == PROTO_UDP || pkt->tcp_flags & TCP_ACK) {
		struct flare_flow *twin = bpf_map_lookup_elem(&embryos, &flow->peer);

		if (!twin)
			flow_restore(&pkt->flow);
		else if (twin->flags & FLARE_FLOW_REPLIED)
			flow_settle(&pkt->flow);
	}
}

/*
 * Inserts the reverse entry that stands in the scratch area, so that its key is this flow's alone.
 * `probe` is the number of the try. Returns 0, or -1 where another flow has the key.
 */
static __always_inline int flow_reserve(struct flow_scratch *scratch, __u64 now_ns, __u32 probe)
{
	const struct flare_flow_key *key = &scratch->forward.peer;

	if (bpf_map_update_elem(&embryos, key, &scratch->reverse, BPF_NOEXIST)) {
		if (!flow_is_expired(key, now_ns))
			return -1;
		flow_evict_embryo(key);
		if (bpf_map_update_elem(&embryos, key, &scratch->reverse, BPF_NOEXIST))
			return -1;
	}
	if (!bpf_map_lookup_elem(&flows, key))
		return 0;
	if (flow_is_expired(key, now_ns) || flow_leaves_port(key, now_ns, probe)) {
		flow_evict(key);
		return 0;
	}
	bpf_map_delete_elem(&embryos, key);
	return -1;
}

/* As flow_reserve, trying ports of the range for a flow that comes from an address of ours. */
static __always_inline int flow_reserve_port(struct flow_scratch *scratch, __u64 hash, __u64 now_ns,
					     struct flare_service_counters *row)
{
	struct flare_settings *set = settings_get();
	__u32 i;

	if (!set)
		return -1;
	for (i = 0; i < FLARE_PORT_PROBES; i++) {
		scratch->forward.peer.dport =
			bpf_htons(nat_port(hash, i, set->nat_port_min, set->nat_port_max));
		if (row)
			row->port_probes++;
		if (!flow_reserve(scratch, now_ns, i))
			return 0;
	}
	return -1;
}

/*
 * Records a new flow (client key `key`) as the scratch area's plan says. Returns 0, or -1 where every
 * probe found its port taken, or the client's own port where that is kept.
 */
__noinline int flow_create(const struct flare_flow_key *key, const struct flare_service *svc)
{
	struct flow_scratch *scratch = flow_scratch_get();
	struct flow_plan *plan;
	struct flare_flow *forward, *reverse;
	struct flare_backend *backend;
	__u32 which, id;
	int taken;

	if (!scratch || !key || !svc)
		return -1;
	plan = &scratch->plan;
	id = plan->backend_id;
	backend = bpf_map_lookup_elem(&backends, &id);
	which = (__u32)plan->hash % (svc->snat_count ? svc->snat_count : 1);
	if (!backend || which >= FLARE_SNAT_ADDRS_MAX)
		return -1;
	flows_note(plan->now_ns);
	forward = &scratch->forward;
	reverse = &scratch->reverse;
	__builtin_memset(forward, 0, sizeof(*forward));
	__builtin_memset(reverse, 0, sizeof(*reverse));
	reverse->peer = *key;
	reverse->created_ns = forward->created_ns = plan->now_ns;
	reverse->seen_ns = forward->seen_ns = plan->now_ns;
	reverse->service_id = forward->service_id = svc->id;
	reverse->backend_id = forward->backend_id = id;
	reverse->backend_generation = forward->backend_generation = backend->generation;
	reverse->tier = forward->tier = plan->tier;
	reverse->dir = FLARE_DIR_REVERSE;
	forward->cause = plan->cause;
	forward->to_stack = plan->to_stack & 1;
	reverse->to_stack = plan->to_stack >> FLARE_DIR_REVERSE & 1;
	forward->peer.src = backend->addr;
	forward->peer.sport = backend->port;
	forward->peer.proto = key->proto;
	if (plan->source_kept) {
		forward->peer.dst = key->src;
		forward->peer.dport = key->sport;
		/* as the last try: a closed flow does not keep another service from the pair */
		taken = flow_reserve(scratch, plan->now_ns, FLARE_PORT_PROBES - 1);
	} else {
		forward->peer.dst = svc->snat[which];
		taken = flow_reserve_port(scratch, plan->hash, plan->now_ns,
					  service_counters_find(svc->id));
	}
	if (taken)
		return -1;
	/* "must not exist": another CPU may have decided a copy of this SYN just now */
	if (bpf_map_update_elem(&embryos, &reverse->peer, forward, BPF_NOEXIST))
		bpf_map_delete_elem(&embryos, &forward->peer);
	return 0;
}

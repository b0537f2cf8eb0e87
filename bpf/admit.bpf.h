/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The choice of the tier for a new flow, the permission to spend, and the choice of the backend. Each
 * decision stands alone: the rule for chains, then the share, then the cap on the VM tier's requests
 * in flight, then its token bucket; a decision for serverless then needs a usable backend and
 * permission. State is in `admission`, changed by compare-and-swap alone.
 */
#pragma once

#include "flow.bpf.h"

/* What a new flow's tier shall be. Without a cause: the VM tier. */
struct wish {
	__u8 spill;
	__u8 cause; /* FLARE_SPILL_* */
};

/* Whether a flow comes from an instance of serverless. */
static __always_inline int from_serverless(const struct flare_addr *src)
{
	struct flare_prefix key = { .bits = 128, .addr = *src };

	return !!bpf_map_lookup_elem(&chain_sources, &key);
}

/* `src`: where the flow comes from; NULL where that is not known yet. */
static __always_inline struct wish tier_choose(const struct flare_service *svc,
					       struct flare_admission *adm,
					       struct flare_service_counters *row,
					       const struct flare_addr *src, __u64 hash,
					       __u64 now_ns)
{
	struct flare_settings *set = settings_get();
	struct wish wish = {};
	__s64 in_flight = vm_in_flight(svc, adm);

	if (svc->chain != FLARE_CHAIN_RETURN && src && from_serverless(src)) {
		wish.spill = svc->chain == FLARE_CHAIN_STAY;
		wish.cause = FLARE_SPILL_CHAIN;
		return wish;
	}
	if (set && agent_is_alive(set, now_ns)) {
		if (share_takes(hash, svc->share)) {
			wish.spill = 1;
			wish.cause = FLARE_SPILL_SHARE;
			return wish;
		}
	} else {
		row->stale_decisions++;
		/* what the service reports comes through the agent */
		in_flight = vm_counted(svc, adm);
		if (svc->fallback == FLARE_FALLBACK_VM)
			return wish;
	}
	if (svc->cap && in_flight >= svc->cap) {
		wish.spill = 1;
		wish.cause = FLARE_SPILL_CAP;
	} else if (svc->bucket_interval_ns &&
		   !bucket_take(&adm->bucket_time_ns, now_ns, svc->bucket_interval_ns,
				svc->bucket_depth_ns)) {
		wish.spill = 1;
		wish.cause = FLARE_SPILL_BUCKET;
		if (in_flight * 10 < (__s64)svc->workers * 9)
			row->early_bucket++;
	}
	return wish;
}

/*
 * Whether concurrency may grow past the highest that the serverless tier has reached: it starts
 * instances at a limited rate and answers errors beyond it. What it had grown to is forgotten when
 * nothing was spilled for as long as it keeps instances.
 */
static __always_inline int ramp_allows(const struct flare_service *svc, struct flare_admission *adm,
				       __u64 now_ns)
{
	__u64 active = spilled_active(svc, adm);
	__u64 noted = *(volatile __u64 *)&adm->active_peak;
	__u64 peak = ramp_peak(active, noted, adm->last_spill_ns, now_ns);

	if (!svc->ramp_interval_ns)
		return 1;
	if (peak != noted)
		__sync_val_compare_and_swap(&adm->active_peak, noted, peak);
	if (active < peak)
		return 1;
	if (!bucket_take(&adm->ramp_time_ns, now_ns, svc->ramp_interval_ns, svc->ramp_depth_ns))
		return 0;
	__sync_val_compare_and_swap(&adm->active_peak, peak, active + 1);
	return 1;
}

#define MAY_SPEND (-1)

/* MAY_SPEND, or the FLARE_REFUSAL_* that forbids one more spilled flow. */
static __always_inline int spend_check(const struct flare_service *svc, struct flare_admission *adm,
				       __u64 now_ns)
{
	if (svc->active_max && spilled_active(svc, adm) >= svc->active_max)
		return FLARE_REFUSAL_SPEND_ACTIVE;
	if (svc->spend_interval_ns &&
	    !bucket_take(&adm->spend_time_ns, now_ns, svc->spend_interval_ns, svc->spend_depth_ns))
		return FLARE_REFUSAL_SPEND_RATE;
	if (!ramp_allows(svc, adm, now_ns))
		return FLARE_REFUSAL_SPEND_RAMP;
	if (!hour_take(&adm->hour, now_ns, svc->hour_budget))
		return FLARE_REFUSAL_SPEND_HOUR;
	return MAY_SPEND;
}

/* Where the flows of a client's prefix are limited; NULL where nothing limits them. */
static __always_inline struct flare_spill_prefix *prefix_find(const struct flare_service *svc,
							      const struct flare_flow_key *flow)
{
	struct flare_flow_key *client;
	__u32 slot;

	if (!svc->prefix_interval_ns)
		return NULL;
	client = key_copy(flow);
	if (!client)
		return NULL;
	slot = prefix_slot(svc, client, addr_is_v4(&flow->src));
	return bpf_map_lookup_elem(&spill_prefixes, &slot);
}

/*
 * As spend_check, for a client that is known. Its prefix is asked first, so that what is refused to one
 * does not use up what is there for all, and is charged last: what nobody gets fills no entry, so
 * that a few of them at a time are full, whatever is sent. Two CPUs at once may err by a flow.
 */
__noinline int spend_permit(const struct flare_service *svc, const struct flare_flow_key *flow,
			    __u64 now_ns)
{
	struct flare_spill_prefix *prefix;
	struct flare_admission *adm;
	int refusal;

	if (!svc || !flow)
		return FLARE_REFUSAL_NO_BACKEND;
	adm = admission_find(svc->id);
	if (!adm)
		return FLARE_REFUSAL_NO_BACKEND;
	prefix = prefix_find(svc, flow);
	if (prefix &&
	    !bucket_has(&prefix->time_ns, now_ns, svc->prefix_interval_ns, svc->prefix_depth_ns))
		return FLARE_REFUSAL_SPEND_PREFIX;
	refusal = spend_check(svc, adm, now_ns);
	if (prefix && refusal == MAY_SPEND)
		bucket_take(&prefix->time_ns, now_ns, svc->prefix_interval_ns,
			    svc->prefix_depth_ns);
	return refusal;
}

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flood_count);
} flood_counts SEC(".maps");

/* Counts a new flow of this CPU. Returns whether there are too many for any to be spilled. */
__noinline int flood_check(__u64 now_ns)
{
	struct flare_settings *set = settings_get();
	__u32 zero = 0;
	struct flood_count *count = bpf_map_lookup_elem(&flood_counts, &zero);

	if (!set || !set->flood_rate || !count)
		return 0;
	return flood_note(count, now_ns, set->flood_rate);
}

/* The backend that a tier's table holds for this hash; 0: none is usable. */
static __always_inline __u32 table_pick(__u32 service_id, __u8 tier, __u64 hash)
{
	__u32 which = service_id * FLARE_TIERS_COUNT + tier;
	void *table = bpf_map_lookup_elem(&tables, &which);
	__u32 slot = 0;
	__u32 *entry;

	if (!table)
		return 0;
	entry = bpf_map_lookup_elem(table, &slot);
	if (!entry || !*entry)
		return 0;
	slot = 1 + slot_of(hash, *entry);
	entry = bpf_map_lookup_elem(table, &slot);
	return entry ? *entry : 0;
}

/* Whether backend `a` has less to do for its weight than `b`; where requests are equal, by flows. */
static __always_inline int less_loaded(const struct flare_service *svc, __u32 a, __u32 b)
{
	struct backend_load load_a = backend_load(svc, a), load_b = backend_load(svc, b);
	struct flare_backend *one = bpf_map_lookup_elem(&backends, &a);
	struct flare_backend *other = bpf_map_lookup_elem(&backends, &b);

	if (!one || !other)
		return 0;
	if (load_is_less(load_a.in_flight, one->weight, load_b.in_flight, other->weight))
		return 1;
	if (load_is_less(load_b.in_flight, other->weight, load_a.in_flight, one->weight))
		return 0;
	return load_is_less(load_a.active, one->weight, load_b.active, other->weight);
}

/*
 * The backend by hash, or (FLARE_SELECT_LEAST) the less loaded of two by hash: the power of two
 * choices (Mitzenmacher, IEEE TPDS 12(10), 2001). 0: none is usable.
 */
static __always_inline __u32 backend_select(const struct flare_service *svc, __u8 tier, __u64 hash)
{
	__u32 one = table_pick(svc->id, tier, hash), other;

	if (!one || svc->select != FLARE_SELECT_LEAST)
		return one;
	other = table_pick(svc->id, tier, second_hash(hash));
	return other && other != one && less_loaded(svc, other, one) ? other : one;
}

/* The backend that takes new flows and that this client was given, if that was not long ago; or 0. */
static __always_inline __u32 affinity_find(const struct flare_affinity_key *key, __u64 affinity_ns,
					   __u64 now_ns)
{
	struct flare_affinity *known = bpf_map_lookup_elem(&affinities, key);
	struct flare_backend *backend;
	__u32 id;

	if (!known || (now_ns > known->seen_ns && now_ns - known->seen_ns > affinity_ns))
		return 0;
	id = known->backend_id;
	backend = bpf_map_lookup_elem(&backends, &id);
	if (!backend || backend->generation != known->generation ||
	    backend->state != FLARE_BACKEND_ACTIVE)
		return 0;
	known->seen_ns = now_ns;
	return id;
}

/* Remembers the backend of a client. */
static __always_inline void affinity_keep(const struct flare_affinity_key *key, __u32 id,
					  const struct flare_backend *backend, __u64 now_ns)
{
	struct flare_affinity fresh = {
		.backend_id = id,
		.generation = backend->generation,
		.seen_ns = now_ns,
	};

	bpf_map_update_elem(&affinities, key, &fresh, BPF_ANY);
}

/* The hash of a flow's client, whatever its port. */
static __always_inline __u64 client_hash(const struct flare_service *svc,
					 const struct flare_flow_key *flow)
{
	struct flare_flow_key *client = key_copy(flow);

	if (!client)
		return 0;
	__builtin_memset(&client->dst, 0, sizeof(*client) - sizeof(client->src));
	return flow_hash(client, svc->hash_key);
}

/*
 * The backend of a service whose clients keep theirs. One who is not known is placed by its address
 * alone, so that most keep their backend where all memory of them is lost.
 */
__noinline int affinity_choose(const struct flare_service *svc, const struct flare_flow_key *flow,
			       __u32 tier, __u64 now_ns)
{
	struct flare_affinity_key key = {};
	struct flare_backend *backend;
	__u32 id;

	if (!svc || !flow)
		return 0;
	key.client = flow->src;
	key.service_id = svc->id;
	key.tier = tier;
	id = affinity_find(&key, svc->affinity_ns, now_ns);
	if (id)
		return (int)id;
	id = backend_select(svc, (__u8)tier, client_hash(svc, flow));
	backend = bpf_map_lookup_elem(&backends, &id);
	if (!id || !backend)
		return 0;
	affinity_keep(&key, id, backend, now_ns);
	return (int)id;
}

/* Life of the memory that a flow was left to the VM tier: a TCP client gives up a SYN by then. */
#define VM_SYN_LIFE_NS (130 * NSEC_PER_SEC)

static __always_inline __u64 vm_flow_tag(const struct packet *pkt, __u64 hash)
{
	__u64 tag = pkt->flow.proto == PROTO_TCP
			    ? hash ^ ((__u64)pkt->tcp_seq * 0x9e3779b97f4a7c15ULL)
			    : hash;

	return tag ? tag : 1;
}

static __always_inline struct flare_vm_flow *vm_flow_slot(__u64 hash)
{
	__u32 slot = (__u32)(hash >> 24) & (FLARE_VM_FLOWS_MAX - 1);

	return bpf_map_lookup_elem(&vm_flows, &slot);
}

/* Whether this packet repeats one that was left to the VM tier. UDP: each one prolongs it. */
static __always_inline int vm_flow_known(const struct packet *pkt, __u64 hash, __u64 now_ns)
{
	struct flare_vm_flow *known = vm_flow_slot(hash);
	struct flare_settings *set = settings_get();
	__u64 life_ns;

	if (!known || !set || known->tag != vm_flow_tag(pkt, hash))
		return 0;
	life_ns = pkt->flow.proto == PROTO_TCP ? VM_SYN_LIFE_NS : set->udp_replied_ns;
	/* another CPU may have seen it just after `now` was read */
	if (now_ns > known->seen_ns && now_ns - known->seen_ns > life_ns)
		return 0;
	if (pkt->flow.proto == PROTO_UDP)
		known->seen_ns = now_ns;
	return 1;
}

static __always_inline void vm_flow_remember(const struct packet *pkt, __u64 hash, __u64 now_ns)
{
	struct flare_vm_flow *known = vm_flow_slot(hash);

	if (!known)
		return;
	known->tag = vm_flow_tag(pkt, hash);
	known->seen_ns = now_ns;
}

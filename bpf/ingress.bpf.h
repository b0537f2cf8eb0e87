/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The way of a packet that comes in, the same for XDP and tc: parse, decide, find the next hop,
 * rewrite, count, let go. Nothing is written into the packet before all of it is decided. Needs
 * one of the hook headers before it.
 *
 * Its stages are global functions to the verifier (not static): it checks each once, where the
 * product of all their paths would be beyond its limit.
 *
 * An XDP program hands over ("punts") what it cannot finish: the packet passes untouched and the tc
 * companion on the same interface, which decides nothing new, finds the flow and does the rest.
 */
#pragma once

#include "admit.bpf.h"
#include "answer.bpf.h"
#include "fragment.bpf.h"
#include "request.bpf.h"

/* What was chosen for a new flow. */
struct choice {
	__u64 hash;
	__u32 cause; /* of a spilled one: FLARE_SPILL_* */
	__u32 zero;
};

/* What shall be done with a packet that is translated. */
struct decision {
	struct translation to;
	struct flare_flow *flow; /* its entry, or NULL: fragments and ICMP have none to touch */
	__u32 service_id;
	__u32 backend_id;
	__u8 dir;
	__u8 is_new;
	struct choice choice; /* of a new one */
};

/* A packet that matches an entry leaves as its peer turned round; abi.h, struct flare_flow. */
static __always_inline void decision_follow(struct decision *d, struct flare_flow *flow)
{
	d->to.src = flow->peer.dst;
	d->to.dst = flow->peer.src;
	d->to.sport = flow->peer.dport;
	d->to.dport = flow->peer.sport;
	d->flow = flow;
	d->service_id = flow->service_id;
	d->backend_id = flow->backend_id;
	d->dir = flow->dir;
}

static __always_inline enum flare_reason follow_fragment(const struct packet *pkt,
							 struct decision *d)
{
	struct flare_fragment *first = fragment_find(pkt);

	if (!first)
		return FLARE_REASON_FRAGMENT_NO_FLOW;
	d->to.src = first->new_src;
	d->to.dst = first->new_dst;
	d->service_id = first->service_id;
	d->backend_id = first->backend_id;
	d->dir = first->dir;
	return FLARE_REASON_SPILL_FRAGMENT;
}

/*
 * An ICMP error about a packet that we sent on: it finds the entry of the opposite direction, and
 * leaves, inside and outside, as that entry's packets do. `to` is the peer as it stands: the packet
 * that the receiver of the error once sent.
 */
static __always_inline enum flare_reason follow_icmp(const struct packet *pkt, struct decision *d)
{
	struct flare_flow *flow = flow_find(&pkt->flow);

	if (!flow)
		return FLARE_REASON_ICMP_NO_FLOW;
	d->to.src = flow->peer.src;
	d->to.dst = flow->peer.dst;
	d->to.sport = flow->peer.sport;
	d->to.dport = flow->peer.dport;
	d->service_id = flow->service_id;
	d->backend_id = flow->backend_id;
	d->dir = flow->dir;
	return FLARE_REASON_SPILL_ICMP;
}

/* What becomes of a flow that should have spilled and may not. */
static __always_inline enum flare_reason overload(const struct flare_service *svc,
						  struct flare_service_counters *row,
						  const struct packet *pkt, __u64 hash,
						  __u64 now_ns, enum flare_spill_cause cause,
						  int refusal)
{
	if (refusal >= 0 && refusal < FLARE_REFUSALS_COUNT)
		row->refused[refusal]++;
	if (svc->overload == FLARE_OVERLOAD_REJECT)
		return FLARE_REASON_OVERLOAD_REJECT;
	if (svc->overload == FLARE_OVERLOAD_DROP)
		return FLARE_REASON_OVERLOAD_DROP;
	row->tier[FLARE_TIER_VM].flows_new++;
	row->over_cap += cause == FLARE_SPILL_CAP;
	vm_flow_remember(pkt, hash, now_ns);
	return FLARE_REASON_VM_OVERLOAD;
}

/* Records the new flow to the backend of its slot, if it may be spilled. */
static __always_inline enum flare_reason
spill(const struct flare_service *svc, struct flare_admission *adm,
      struct flare_service_counters *row, const struct packet *pkt, enum flare_spill_cause cause,
      __u64 hash, __u64 now_ns)
{
	__u32 backend_id = svc->snat_count ? backend_pick(svc->id, hash) : 0;
	struct flare_backend *backend = bpf_map_lookup_elem(&backends, &backend_id);
	int refusal;

	if (!backend_id || !backend || backend->state == FLARE_BACKEND_DOWN)
		return overload(svc, row, pkt, hash, now_ns, cause, FLARE_REFUSAL_NO_BACKEND);
	if (pkt->ttl <= 1)
		return overload(svc, row, pkt, hash, now_ns, cause, FLARE_REFUSAL_TTL);
	refusal = spend_check(svc, adm, now_ns);
	if (refusal != MAY_SPEND)
		return overload(svc, row, pkt, hash, now_ns, cause, refusal);
	if (!flow_create(&pkt->flow, svc, backend_id, backend, cause, hash, now_ns, row))
		return overload(svc, row, pkt, hash, now_ns, cause, FLARE_REFUSAL_NO_PORT);
	return FLARE_REASON_SPILL_NEW;
}

/* Counts a new flow of the serverless tier, once it is known to have a way out. */
static __always_inline void spill_count_new(const struct decision *d)
{
	struct flare_backend_counters *backend = backend_counters_find(d->backend_id);
	struct flare_service_counters *row = service_counters_find(d->service_id);
	struct flare_admission *adm = admission_find(d->service_id);

	if (row) {
		row->spilled[d->choice.cause & 3]++;
		row->tier[FLARE_TIER_SERVERLESS].flows_new++;
	}
	if (backend)
		backend->traffic.flows_new++;
	if (adm)
		*(volatile __u64 *)&adm->last_spill_ns = bpf_ktime_get_ns();
}

/* Whether a packet claims to come from an address that we send from ourselves. */
static __always_inline int source_is_ours(const struct flare_service *svc,
					  const struct flare_addr *src)
{
	int i;

	for (i = 0; i < FLARE_SNAT_ADDRS_MAX; i++) {
		if (i >= svc->snat_count)
			return 0;
		if (addr_equal(src, &svc->snat[i]))
			return 1;
	}
	return 0;
}

/*
 * The first packet of a flow: TCP SYN without ACK, or a datagram without an entry. A spilled one has
 * its entry then.
 */
__noinline int decide_new(const struct flare_service *svc, const struct packet *pkt,
			  struct choice *choice)
{
	__u64 now_ns = bpf_ktime_get_ns(), hash;
	struct flare_service_counters *row;
	struct flare_admission *adm;
	struct wish wish;

	if (!svc || !pkt || !choice)
		return FLARE_REASON_VM_NEW;
	row = service_counters_find(svc->id);
	adm = admission_find(svc->id);
	if (!row || !adm)
		return FLARE_REASON_VM_NEW;
	hash = flow_hash(&pkt->flow, svc->hash_key);
	if (vm_flow_known(pkt, hash, now_ns))
		return FLARE_REASON_VM_KNOWN;
	wish = tier_choose(svc, adm, row, hash, now_ns);
	choice->hash = hash;
	choice->cause = wish.cause;
	if (wish.spill && svc->policy != FLARE_POLICY_OBSERVE)
		return spill(svc, adm, row, pkt, wish.cause, hash, now_ns);

	row->tier[FLARE_TIER_VM].flows_new++;
	vm_flow_remember(pkt, hash, now_ns);
	if (!wish.spill)
		return FLARE_REASON_VM_NEW;
	row->observed[wish.cause & 3]++;
	return FLARE_REASON_VM_OBSERVED;
}

/* Whether the packet opens a flow. A segment of a UDP datagram that is a fragment does, too. */
static __always_inline int packet_opens(const struct packet *pkt)
{
	return pkt->flow.proto == PROTO_UDP || (pkt->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* An entry of a flow whose backend has gone down, or was given to another address. */
static __always_inline int flow_lost_backend(const struct flare_flow *flow)
{
	__u32 id = flow->backend_id;
	struct flare_backend *backend = bpf_map_lookup_elem(&backends, &id);

	return !backend || backend->generation != flow->backend_generation ||
	       backend->state == FLARE_BACKEND_DOWN;
}

/* A packet to a service of ours. */
static __always_inline enum flare_reason decide_service(const struct flare_service *svc,
							const struct packet *pkt,
							struct decision *d, enum flare_hook hook)
{
	enum flare_reason reason = packet_defect(pkt);
	struct flare_flow *flow;

	d->service_id = svc->id;
	if (reason != PARSED)
		return reason;
	flow = flow_find(&pkt->flow);
	if (flow) {
		int opens = packet_opens(pkt);
		int lost = flow_lost_backend(flow);

		if (!lost && (!opens || pkt->flow.proto == PROTO_UDP ||
			      !flow_is_over(&pkt->flow, bpf_ktime_get_ns()))) {
			decision_follow(d, flow);
			return FLARE_REASON_SPILL_KNOWN;
		}
		if (!opens)
			return FLARE_REASON_BACKEND_DOWN;
		if (hook != FLARE_HOOK_TC_COMPANION)
			flow_remove(&pkt->flow);
	}
	if (hook == FLARE_HOOK_TC_COMPANION)
		return FLARE_REASON_NOT_PUNTED;
	if (!packet_opens(pkt))
		return FLARE_REASON_VM_KNOWN;
	if (source_is_ours(svc, &pkt->flow.src))
		return FLARE_REASON_SPOOF;
	reason = decide_new(svc, pkt, &d->choice);
	if (reason != FLARE_REASON_SPILL_NEW)
		return reason;
	flow = flow_find(&pkt->flow);
	if (!flow)
		return FLARE_REASON_NO_ROUTE;
	decision_follow(d, flow);
	d->is_new = 1;
	return reason;
}

static __always_inline int is_nat_port(__be16 port)
{
	struct flare_settings *set = settings_get();
	__u16 number = bpf_ntohs(port);

	return set && number >= set->nat_port_min && number <= set->nat_port_max;
}

/* What the packet is to us. Reads maps, and records a new flow; the packet stays as it is. */
static __always_inline enum flare_reason decide(const struct packet *pkt, struct decision *d,
						enum flare_hook hook)
{
	struct flare_service_key key = {
		.addr = pkt->flow.dst,
		.port = pkt->flow.dport,
		.proto = pkt->flow.proto,
	};
	struct flare_service *svc;

	if (pkt->l2_multicast)
		return FLARE_REASON_NOT_UNICAST;
	if (pkt->kind == PACKET_LATER_FRAGMENT)
		return follow_fragment(pkt, d);
	if (pkt->kind == PACKET_ICMP_ERROR)
		return follow_icmp(pkt, d);
	if (is_nat_port(pkt->flow.dport)) {
		struct flare_flow *flow = flow_find(&pkt->flow);

		if (flow && flow->dir == FLARE_DIR_REVERSE) {
			decision_follow(d, flow);
			return FLARE_REASON_SPILL_REPLY;
		}
	}
	svc = bpf_map_lookup_elem(&services, &key);
	if (!svc)
		return FLARE_REASON_NOT_SERVICE;
	return decide_service(svc, pkt, d, hook);
}

static __always_inline int reason_forwards(enum flare_reason reason)
{
	return reason >= FLARE_REASON_SPILL_NEW && reason <= FLARE_REASON_SPILL_ICMP;
}

static __always_inline int reason_is_vm(enum flare_reason reason)
{
	return reason >= FLARE_REASON_VM_NEW && reason <= FLARE_REASON_VM_OVERLOAD;
}

/* Looks for the way out. Returns an enum next_hop. */
__noinline int packet_route(hook_ctx *ctx, const struct packet *pkt, const struct translation *to,
			    struct route *route)
{
	int inward = pkt && pkt->kind == PACKET_ICMP_ERROR;

	if (!pkt || !to || !route)
		return NEXT_HOP_NONE;
	return next_hop_find(ctx, hook_ifindex(ctx), pkt, hook_gso_bytes(ctx),
			     inward ? &to->dst : &to->src, inward ? &to->src : &to->dst, route);
}

/*
 * Finds the way out. Returns the reason that the packet has then: its own, or the one that keeps it
 * from leaving.
 */
static __always_inline enum flare_reason decide_route(hook_ctx *ctx, const struct packet *pkt,
						      const struct decision *d,
						      enum flare_reason reason, struct route *route,
						      enum next_hop *hop)
{
	if (pkt->ttl <= 1)
		return FLARE_REASON_TTL_EXCEEDED;
	*hop = packet_route(ctx, pkt, &d->to, route);
	switch (*hop) {
	case NEXT_HOP_KNOWN:
		if (HOOK_IS_XDP && route->ifindex != hook_ifindex(ctx))
			return pkt->l2_tags ? FLARE_REASON_PUNT_TAGGED : FLARE_REASON_PUNT_DEVICE;
		return reason;
	case NEXT_HOP_NEIGHBOUR:
		return HOOK_IS_XDP ? FLARE_REASON_PUNT_NEIGHBOUR : reason;
	case NEXT_HOP_FORWARDING:
		return HOOK_IS_XDP ? FLARE_REASON_PUNT_FORWARDING : reason;
	case NEXT_HOP_TOO_BIG:
		return FLARE_REASON_TOO_BIG;
	default:
		return FLARE_REASON_NO_ROUTE;
	}
}

/*
 * A new flow that has no way out goes to the VM tier after all. It was not counted as new yet, so
 * that its end is not to be counted either.
 */
static __always_inline enum flare_reason abandon(const struct packet *pkt, struct decision *d)
{
	struct flare_service_counters *row = service_counters_find(d->service_id);

	if (d->flow)
		__sync_fetch_and_or(&d->flow->flags, FLARE_FLOW_CLOSED);
	flow_remove(&pkt->flow);
	vm_flow_remember(pkt, d->choice.hash, bpf_ktime_get_ns());
	if (row) {
		row->refused[FLARE_REFUSAL_NO_ROUTE]++;
		row->tier[FLARE_TIER_VM].flows_new++;
	}
	return FLARE_REASON_VM_OVERLOAD;
}

/* Parses the frame. Returns PARSED or a reason. */
__noinline int packet_read(hook_ctx *ctx, struct packet *pkt)
{
	enum flare_reason reason;

	if (!pkt)
		return FLARE_REASON_TRUNCATED;
	hook_pull_headers(ctx);
	reason = packet_parse(pkt, hook_data(ctx), hook_data_end(ctx), hook_frame_bytes(ctx),
			      hook_gso_bytes(ctx));
	if (reason == FLARE_REASON_TRUNCATED && hook_has_more(ctx))
		return FLARE_REASON_PUNT_LAYOUT;
	return reason;
}

/* Translates an ICMP error and what it quotes. Returns 0, or -1. */
__noinline int packet_rewrite_icmp(hook_ctx *ctx, const struct packet *pkt,
				   const struct translation *to)
{
	if (!pkt || !to)
		return -1;
	return rewrite_icmp(hook_data(ctx), hook_data_end(ctx), pkt, to);
}

/* Translates a TCP or UDP packet, or a later fragment. Returns 0, or -1. */
__noinline int packet_rewrite(hook_ctx *ctx, const struct packet *pkt, const struct translation *to)
{
	struct csum_delta delta = {};

	if (!pkt || !to || rewrite_transport(hook_data(ctx), hook_data_end(ctx), pkt, to, &delta))
		return -1;
	return hook_fix_transport(ctx, pkt, &delta);
}

static __always_inline int rewrite(hook_ctx *ctx, const struct packet *pkt,
				   const struct decision *d, const struct route *route,
				   enum next_hop hop)
{
	int failed = pkt->kind == PACKET_ICMP_ERROR ? packet_rewrite_icmp(ctx, pkt, &d->to)
						    : packet_rewrite(ctx, pkt, &d->to);

	if (failed || hop != NEXT_HOP_KNOWN)
		return failed;
	return rewrite_link(hook_data(ctx), hook_data_end(ctx), route);
}

/*
 * Counts the requests that the packet begins or ends, and mends what a frame of ours has shifted.
 * Returns the packet's reason: its own, or the one that keeps it from leaving.
 */
static __always_inline enum flare_reason follow_requests(hook_ctx *ctx, enum flare_reason reason,
							 const struct packet *pkt,
							 const struct decision *d)
{
	int to_vm = reason_is_vm(reason);
	int failed = 0;

	if (!to_vm && (!reason_forwards(reason) || !d->flow))
		return reason;
	if (!to_vm && d->dir == FLARE_DIR_REVERSE) {
		turn_server(ctx, pkt, &d->flow->peer);
		if (shifts_exist(d->service_id))
			failed = shift_out(ctx, pkt, &d->flow->peer);
	} else {
		turn_client(ctx, pkt, d->service_id, to_vm ? 0 : d->backend_id);
		if (shifts_exist(d->service_id))
			failed = shift_in(ctx, pkt, &pkt->flow);
	}
	return failed ? FLARE_REASON_REWRITE_FAILED : reason;
}

/* Counts a packet by what became of it. A punted one is counted where it is finished. */
static __always_inline void count(hook_ctx *ctx, enum flare_hook hook, enum flare_reason reason,
				  const struct packet *pkt, const struct decision *d)
{
	reason_count(hook, reason);
	if (reason_forwards(reason)) {
		spill_count(d->service_id, d->backend_id, pkt, d->dir, hook_segments(ctx));
		if (d->flow)
			flow_touch(d->flow, pkt, hook_segments(ctx));
		if (pkt->first_fragment)
			fragment_remember(pkt, &d->to, d->service_id, d->backend_id, d->dir);
	} else if (reason_is_vm(reason)) {
		vm_count(d->service_id, pkt, FLARE_DIR_FORWARD, hook_segments(ctx));
	}
	if (pkt->first_fragment && !reason_forwards(reason))
		fragment_forget(pkt);
}

/* Turns the packet into the answer that `reason` asks for. Returns the hook's verdict. */
__noinline int packet_answer(hook_ctx *ctx, const struct packet *pkt, __u32 reason, __u32 mtu)
{
	struct icmp_answer what = {
		.v4_type = ICMP_DEST_UNREACH,
		.v4_code = ICMP_PORT_UNREACH,
		.v6_type = ICMPV6_DEST_UNREACH,
		.v6_code = ICMPV6_PORT_UNREACH,
	};

	if (!pkt)
		return HOOK_DROP;
	if (reason == FLARE_REASON_TTL_EXCEEDED) {
		what.v4_type = ICMP_TIME_EXCEEDED;
		what.v4_code = 0;
		what.v6_type = ICMPV6_TIME_EXCEEDED;
		what.v6_code = 0;
	} else if (reason == FLARE_REASON_TOO_BIG) {
		what.v4_code = ICMP_FRAG_NEEDED;
		what.v6_type = ICMPV6_PKT_TOO_BIG;
		what.v6_code = 0;
		what.mtu = mtu;
	} else if (pkt->flow.proto == PROTO_TCP) {
		return answer_reset(ctx, pkt);
	}
	return answer_icmp(ctx, pkt, &what);
}

/* The packet that this CPU is at: the stack has no room for it below all that reads it. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct packet);
} packet_scratch SEC(".maps");

/* Handles one packet. Returns the hook's verdict. */
static __always_inline int ingress(hook_ctx *ctx, enum flare_hook hook)
{
	enum next_hop hop = NEXT_HOP_NONE;
	struct decision d = {};
	struct route route = {};
	enum flare_reason reason;
	struct packet *pkt;
	__u32 zero = 0;

	pkt = bpf_map_lookup_elem(&packet_scratch, &zero);
	if (!pkt)
		return HOOK_PASS;
	__builtin_memset(pkt, 0, sizeof(*pkt));
	reason = packet_read(ctx, pkt);
	if (reason == PARSED)
		reason = decide(pkt, &d, hook);
	if (reason_forwards(reason)) {
		reason = decide_route(ctx, pkt, &d, reason, &route, &hop);
		if (reason == FLARE_REASON_NO_ROUTE && d.is_new)
			reason = abandon(pkt, &d);
		else if (d.is_new)
			spill_count_new(&d);
	}
	if (hook == FLARE_HOOK_TC_COMPANION && reason < FLARE_REASON_SPILL_NEW)
		reason = FLARE_REASON_NOT_PUNTED;
	if (reason_forwards(reason) && rewrite(ctx, pkt, &d, &route, hop))
		reason = FLARE_REASON_REWRITE_FAILED;
	reason = follow_requests(ctx, reason, pkt, &d);
	count(ctx, hook, reason, pkt, &d);

	if (reason_forwards(reason))
		return hook_send(ctx, pkt, &route, hop);
	switch (reason) {
	case FLARE_REASON_OVERLOAD_REJECT:
	case FLARE_REASON_BACKEND_DOWN:
	case FLARE_REASON_TOO_BIG:
	case FLARE_REASON_TTL_EXCEEDED:
		return packet_answer(ctx, pkt, reason, route.mtu);
	case FLARE_REASON_OVERLOAD_DROP:
	case FLARE_REASON_NO_ROUTE:
	case FLARE_REASON_REWRITE_FAILED:
		return HOOK_DROP;
	default:
		return HOOK_PASS;
	}
}

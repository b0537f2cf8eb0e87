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
	__u64 now_ns;
	__u32 cause; /* of a spilled one: FLARE_SPILL_* */
	__u8 tier;
	__u8 again; /* not new: its record was lost */
	__u8 flood; /* one of too many */
	__u8 zero;
};

/* What shall be done with a packet that is translated. */
struct decision {
	struct translation to;
	struct flare_flow *flow; /* its entry, or NULL: fragments and ICMP have none to touch */
	__u32 service_id;
	__u32 backend_id;
	__u8 dir;
	__u8 tier;
	__u8 to_stack; /* left to this host's stack */
	__u8 is_new;
};

/* What this CPU is at: the stack has no room for it below all that reads it. */
struct work {
	struct packet pkt;
	struct choice choice; /* of a new flow */
	struct route route;
	struct translation to; /* of is_between() */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct work);
} work_scratch SEC(".maps");

static __always_inline struct work *work_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&work_scratch, &zero);
}

/* The same, for another packet. */
static __always_inline struct work *work_begin(void)
{
	struct work *work = work_get();

	if (!work)
		return NULL;
	__builtin_memset(&work->pkt, 0, sizeof(work->pkt));
	__builtin_memset(&work->choice, 0, sizeof(work->choice));
	return work;
}

/* The words of the VM tier and of serverless for the same thing. */
static __always_inline enum flare_reason
reason_by_tier(const struct decision *d, enum flare_reason forward, enum flare_reason spill)
{
	return d->tier == FLARE_TIER_VM ? forward : spill;
}

static __always_inline void decision_own(struct decision *d, const struct flare_flow *flow)
{
	d->service_id = flow->service_id;
	d->backend_id = flow->backend_id;
	d->dir = flow->dir;
	d->tier = flow->tier;
	d->to_stack = flow->to_stack;
	d->to.hops = !flow->to_stack;
}

/* A packet that matches an entry leaves as its peer turned round; abi.h, struct flare_flow. */
static __always_inline void decision_follow(struct decision *d, struct flare_flow *flow)
{
	d->to.src = flow->peer.dst;
	d->to.dst = flow->peer.src;
	d->to.sport = flow->peer.dport;
	d->to.dport = flow->peer.sport;
	d->flow = flow;
	decision_own(d, flow);
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
	d->tier = first->tier;
	d->to_stack = first->to_stack;
	d->to.hops = !first->to_stack;
	return reason_by_tier(d, FLARE_REASON_FORWARD_FRAGMENT, FLARE_REASON_SPILL_FRAGMENT);
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
	decision_own(d, flow);
	return reason_by_tier(d, FLARE_REASON_FORWARD_ICMP, FLARE_REASON_SPILL_ICMP);
}

/* A packet to a client. */
static __always_inline enum flare_reason follow_reply(struct flare_flow *flow, struct decision *d)
{
	decision_follow(d, flow);
	return reason_by_tier(d, FLARE_REASON_FORWARD_REPLY, FLARE_REASON_SPILL_REPLY);
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
 * Whether the way from the client to the backend leads through this host: the backend is behind
 * another interface. Its replies come back through us then, whoever they are to.
 */
static __always_inline int is_between(hook_ctx *ctx, const struct packet *pkt,
				      const struct flare_backend *backend)
{
	struct work *work = work_get();
	enum next_hop hop;

	if (!work)
		return 0;
	work->to.src = pkt->flow.src;
	work->to.dst = backend->addr;
	hop = packet_route(ctx, pkt, &work->to, &work->route);
	return (hop == NEXT_HOP_KNOWN || hop == NEXT_HOP_NEIGHBOUR) &&
	       work->route.ifindex != hook_ifindex(ctx);
}

/* Whether the backend gets to see the client's own address. */
static __always_inline int source_is_kept(hook_ctx *ctx, const struct flare_service *svc,
					  const struct packet *pkt,
					  const struct flare_backend *backend, __u8 tier)
{
	if (addr_equal(&pkt->flow.src, &backend->addr))
		return 0; /* a backend that calls its own service */
	if (svc->placement == FLARE_PLACEMENT_SENDER)
		return 1;
	if (svc->placement != FLARE_PLACEMENT_BALANCER || tier != FLARE_TIER_VM)
		return 0;
	/* the stack refuses packets from its own address that come from outside */
	if (backend->flags & FLARE_BACKEND_LOCAL || svc->snat_mode == FLARE_SNAT_NEVER)
		return 1;
	return svc->snat_mode == FLARE_SNAT_AUTO && is_between(ctx, pkt, backend);
}

#define GIVEN (-1)

/*
 * Gives a new flow to a backend of the chosen tier, and records it. Returns GIVEN, or the
 * FLARE_REFUSAL_* that it met.
 */
__noinline int flow_give(hook_ctx *ctx, const struct flare_service *svc, const struct packet *pkt,
			 struct choice *choice)
{
	struct flow_scratch *scratch = flow_scratch_get();
	struct flare_backend *backend;
	struct flow_plan *plan;
	int kept;
	__u32 id;

	if (!svc || !pkt || !choice || !scratch)
		return FLARE_REFUSAL_NO_BACKEND;
	if (choice->again)
		id = table_pick(svc->id, choice->tier & 1, choice->hash);
	else if (svc->affinity_ns)
		id = affinity_choose(svc, &pkt->flow, choice->tier & 1, choice->now_ns);
	else
		id = backend_select(svc, choice->tier & 1, choice->hash);
	backend = bpf_map_lookup_elem(&backends, &id);
	if (!id || !backend || backend->state == FLARE_BACKEND_DOWN)
		return FLARE_REFUSAL_NO_BACKEND;
	kept = source_is_kept(ctx, svc, pkt, backend, choice->tier);
	if (!kept && !svc->snat_count)
		return FLARE_REFUSAL_NO_BACKEND;
	if (choice->tier == FLARE_TIER_SERVERLESS) {
		int refusal;

		if (pkt->ttl <= 1)
			return FLARE_REFUSAL_TTL;
		if (choice->flood)
			return FLARE_REFUSAL_FLOOD;
		refusal = spend_permit(svc, &pkt->flow, choice->now_ns);
		if (refusal != MAY_SPEND)
			return refusal;
	}
	plan = &scratch->plan;
	plan->hash = choice->hash;
	plan->now_ns = choice->now_ns;
	plan->backend_id = id;
	plan->tier = choice->tier;
	plan->cause = choice->cause;
	plan->source_kept = kept;
	plan->to_stack = 0;
	if (svc->placement == FLARE_PLACEMENT_SENDER)
		plan->to_stack = 1 << FLARE_DIR_FORWARD | 1 << FLARE_DIR_REVERSE;
	else if (backend->flags & FLARE_BACKEND_LOCAL)
		plan->to_stack = 1 << FLARE_DIR_FORWARD;
	return flow_create(&pkt->flow, svc) ? FLARE_REFUSAL_NO_PORT : GIVEN;
}

static __always_inline void refusal_count(struct flare_service_counters *row, int refusal)
{
	if (refusal >= 0 && refusal < FLARE_REFUSALS_COUNT)
		row->refused[refusal]++;
}

/* What is left for a flow that no backend may have. */
static __always_inline enum flare_reason turn_away(const struct flare_service *svc)
{
	return svc->overload == FLARE_OVERLOAD_DROP ? FLARE_REASON_OVERLOAD_DROP
						    : FLARE_REASON_OVERLOAD_REJECT;
}

/* A new flow for the VM tier: a receiver's own stack, or a backend. */
static __always_inline enum flare_reason keep(hook_ctx *ctx, const struct flare_service *svc,
					      struct flare_service_counters *row,
					      const struct packet *pkt, struct choice *choice,
					      int may_spill)
{
	int refusal;

	if (svc->placement == FLARE_PLACEMENT_RECEIVER) {
		row->tier[FLARE_TIER_VM].flows_new++;
		vm_flow_remember(pkt, choice->hash, choice->now_ns);
		return FLARE_REASON_VM_NEW;
	}
	if (svc->retired && !choice->again)
		return turn_away(
			svc); /* its id, and so its tables, may be another frontend's by now */
	choice->tier = FLARE_TIER_VM;
	refusal = flow_give(ctx, svc, pkt, choice);
	if (refusal == GIVEN)
		return FLARE_REASON_FORWARD_NEW;
	refusal_count(row, refusal);
	if (refusal != FLARE_REFUSAL_NO_BACKEND || !may_spill ||
	    svc->policy == FLARE_POLICY_OBSERVE)
		return turn_away(svc);
	choice->tier = FLARE_TIER_SERVERLESS;
	choice->cause = FLARE_SPILL_NO_VM;
	refusal = flow_give(ctx, svc, pkt, choice);
	if (refusal == GIVEN)
		return FLARE_REASON_SPILL_NEW;
	refusal_count(row, refusal);
	return turn_away(svc);
}

/* A new flow for serverless; where it may not be spilled, `overload` says what becomes of it. */
static __always_inline enum flare_reason spill(hook_ctx *ctx, const struct flare_service *svc,
					       struct flare_service_counters *row,
					       const struct packet *pkt, struct choice *choice)
{
	enum flare_reason reason;
	int refusal;

	choice->tier = FLARE_TIER_SERVERLESS;
	refusal = flow_give(ctx, svc, pkt, choice);
	if (refusal == GIVEN)
		return FLARE_REASON_SPILL_NEW;
	refusal_count(row, refusal);
	if (svc->overload != FLARE_OVERLOAD_VM)
		return turn_away(svc);
	row->over_cap += choice->cause == FLARE_SPILL_CAP;
	reason = keep(ctx, svc, row, pkt, choice, 0);
	return reason == FLARE_REASON_VM_NEW ? FLARE_REASON_VM_OVERLOAD : reason;
}

/* Counts a new flow that was given to a backend, once it is known to have a way out. */
static __always_inline void count_new(const struct decision *d, const struct choice *choice)
{
	struct flare_backend_counters *backend = backend_counters_find(d->backend_id);
	struct flare_service_counters *row = service_counters_find(d->service_id);
	struct flare_admission *adm = admission_find(d->service_id);

	if (row)
		row->tier[d->tier & 1].flows_new++;
	if (backend)
		backend->traffic.flows_new++;
	if (d->tier != FLARE_TIER_SERVERLESS)
		return;
	if (row)
		row->spilled[choice->cause & (FLARE_SPILL_SLOTS - 1)]++;
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
 * The first packet of a flow: TCP SYN without ACK, or a datagram without an entry; at a balancer also
 * any other segment without one, which goes where the table of the VM tier has it. A flow that is
 * translated has its entry then.
 */
__noinline int decide_new(hook_ctx *ctx, const struct flare_service *svc, const struct packet *pkt,
			  struct choice *choice)
{
	struct flare_service_counters *row;
	struct flare_admission *adm;
	enum flare_reason reason;
	struct wish wish;

	if (!svc || !pkt || !choice)
		return FLARE_REASON_VM_NEW;
	row = service_counters_find(svc->id);
	adm = admission_find(svc->id);
	if (!row || !adm)
		return FLARE_REASON_VM_NEW;
	choice->now_ns = bpf_ktime_get_ns();
	choice->hash = flow_hash(&pkt->flow, svc->hash_key);
	if (choice->again)
		return keep(ctx, svc, row, pkt, choice, 0);
	if (svc->placement == FLARE_PLACEMENT_RECEIVER &&
	    vm_flow_known(pkt, choice->hash, choice->now_ns))
		return FLARE_REASON_VM_KNOWN;
	choice->flood = !!flood_check(choice->now_ns);
	wish = tier_choose(svc, adm, row, &pkt->flow.src, choice->hash, choice->now_ns);
	choice->cause = wish.cause;
	if (wish.spill && svc->policy != FLARE_POLICY_OBSERVE)
		return spill(ctx, svc, row, pkt, choice);
	reason = keep(ctx, svc, row, pkt, choice, 1);
	if (!wish.spill)
		return reason;
	row->observed[wish.cause & (FLARE_SPILL_SLOTS - 1)]++;
	return reason == FLARE_REASON_VM_NEW ? FLARE_REASON_VM_OBSERVED : reason;
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
static __always_inline enum flare_reason
decide_service(hook_ctx *ctx, const struct flare_service *svc, const struct packet *pkt,
	       struct choice *choice, struct decision *d, enum flare_hook hook)
{
	enum flare_reason reason = packet_defect(pkt);
	struct flare_flow *flow;

	d->service_id = svc->id;
	if (reason != PARSED)
		return svc->placement == FLARE_PLACEMENT_BALANCER ? FLARE_REASON_MALFORMED : reason;
	flow = flow_find(&pkt->flow);
	if (flow) {
		int opens = packet_opens(pkt);
		int lost = flow_lost_backend(flow);

		if (!lost && (!opens || pkt->flow.proto == PROTO_UDP ||
			      !flow_is_over(&pkt->flow, bpf_ktime_get_ns()))) {
			decision_follow(d, flow);
			return reason_by_tier(d, FLARE_REASON_FORWARD_KNOWN,
					      FLARE_REASON_SPILL_KNOWN);
		}
		if (!opens)
			return FLARE_REASON_BACKEND_DOWN;
		if (hook != FLARE_HOOK_TC_COMPANION)
			flow_remove(&pkt->flow);
	}
	if (hook == FLARE_HOOK_TC_COMPANION)
		return FLARE_REASON_NOT_PUNTED;
	if (!packet_opens(pkt)) {
		if (svc->placement == FLARE_PLACEMENT_RECEIVER)
			return FLARE_REASON_VM_KNOWN;
		choice->again = 1;
	}
	if (source_is_ours(svc, &pkt->flow.src))
		return svc->placement == FLARE_PLACEMENT_BALANCER ? FLARE_REASON_MALFORMED
								  : FLARE_REASON_SPOOF;
	reason = decide_new(ctx, svc, pkt, choice);
	if (reason != FLARE_REASON_SPILL_NEW && reason != FLARE_REASON_FORWARD_NEW)
		return reason;
	flow = flow_find(&pkt->flow);
	if (!flow)
		return FLARE_REASON_NO_ROUTE;
	decision_follow(d, flow);
	d->is_new = 1;
	return choice->again ? FLARE_REASON_FORWARD_AGAIN : reason;
}

static __always_inline int is_nat_port(const struct flare_settings *set, __be16 port)
{
	__u16 number = bpf_ntohs(port);

	return number >= set->nat_port_min && number <= set->nat_port_max;
}

/* What the packet is to us. Reads maps, and records a new flow; the packet stays as it is. */
static __always_inline enum flare_reason decide(hook_ctx *ctx, const struct packet *pkt,
						struct choice *choice, struct decision *d,
						enum flare_hook hook)
{
	struct flare_service_key key = {
		.addr = pkt->flow.dst,
		.port = pkt->flow.dport,
		.proto = pkt->flow.proto,
	};
	struct flare_settings *set = settings_get();
	struct flare_service *svc;
	struct flare_flow *flow;

	if (!set)
		return FLARE_REASON_NOT_SERVICE;
	if (pkt->l2_multicast)
		return FLARE_REASON_NOT_UNICAST;
	if (pkt->kind == PACKET_LATER_FRAGMENT)
		return follow_fragment(pkt, d);
	if (pkt->kind == PACKET_ICMP_ERROR)
		return follow_icmp(pkt, d);
	if (is_nat_port(set, pkt->flow.dport)) {
		flow = flow_find(&pkt->flow);
		if (flow && flow->dir == FLARE_DIR_REVERSE)
			return follow_reply(flow, d);
	}
	svc = bpf_map_lookup_elem(&services, &key);
	if (svc)
		return decide_service(ctx, svc, pkt, choice, d, hook);
	if (set->plain_replies) {
		flow = flow_find(&pkt->flow);
		if (flow && flow->dir == FLARE_DIR_REVERSE)
			return follow_reply(flow, d);
	}
	return FLARE_REASON_NOT_SERVICE;
}

static __always_inline int reason_forwards(enum flare_reason reason)
{
	return reason >= FLARE_REASON_FORWARD_NEW && reason <= FLARE_REASON_SPILL_ICMP;
}

static __always_inline int reason_is_vm(enum flare_reason reason)
{
	return reason >= FLARE_REASON_VM_NEW && reason <= FLARE_REASON_VM_OVERLOAD;
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
	if (d->to_stack)
		return reason; /* it is the stack's to route */
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
 * A new flow that has no way out: at a receiver it goes to the VM tier after all. It was not counted
 * as new yet, so that its end is not to be counted either.
 */
static __always_inline enum flare_reason abandon(const struct packet *pkt, struct decision *d,
						 const struct choice *choice)
{
	struct flare_service_counters *row = service_counters_find(d->service_id);
	struct flare_service *svc = service_of(&pkt->flow);

	if (d->flow)
		__sync_fetch_and_or(&d->flow->flags, FLARE_FLOW_CLOSED);
	flow_remove(&pkt->flow);
	if (row)
		row->refused[FLARE_REFUSAL_NO_ROUTE]++;
	if (!svc || svc->placement != FLARE_PLACEMENT_RECEIVER)
		return FLARE_REASON_NO_ROUTE;
	vm_flow_remember(pkt, choice->hash, bpf_ktime_get_ns());
	if (row)
		row->tier[FLARE_TIER_VM].flows_new++;
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
		turn_client(ctx, pkt, d->service_id, to_vm ? 0 : d->backend_id,
			    to_vm ? FLARE_TIER_VM : d->tier);
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
		flow_count(d->service_id, d->backend_id, d->tier, pkt, d->dir, hook_segments(ctx));
		if (d->flow && pkt->first_fragment)
			fragment_remember(pkt, &d->to, d->flow);
		if (d->flow)
			flow_touch(d->flow, pkt, hook_segments(ctx));
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

/* Handles one packet. Returns the hook's verdict. */
static __always_inline int ingress(hook_ctx *ctx, enum flare_hook hook)
{
	enum next_hop hop = NEXT_HOP_NONE;
	struct work *work = work_begin();
	struct decision d = {};
	enum flare_reason reason;
	struct packet *pkt;

	if (!work)
		return HOOK_PASS;
	pkt = &work->pkt;
	reason = packet_read(ctx, pkt);
	if (reason == PARSED)
		reason = decide(ctx, pkt, &work->choice, &d, hook);
	if (reason_forwards(reason)) {
		reason = decide_route(ctx, pkt, &d, reason, &work->route, &hop);
		if (reason == FLARE_REASON_NO_ROUTE && d.is_new)
			reason = abandon(pkt, &d, &work->choice);
		else if (d.is_new)
			count_new(&d, &work->choice);
	}
	if (hook == FLARE_HOOK_TC_COMPANION && reason < FLARE_REASON_FORWARD_NEW)
		reason = FLARE_REASON_NOT_PUNTED;
	if (reason_forwards(reason) && rewrite(ctx, pkt, &d, &work->route, hop))
		reason = FLARE_REASON_REWRITE_FAILED;
	reason = follow_requests(ctx, reason, pkt, &d);
	count(ctx, hook, reason, pkt, &d);

	if (reason_forwards(reason))
		return d.to_stack ? HOOK_PASS : hook_send(ctx, pkt, &work->route, hop);
	switch (reason) {
	case FLARE_REASON_OVERLOAD_REJECT:
	case FLARE_REASON_BACKEND_DOWN:
	case FLARE_REASON_TOO_BIG:
	case FLARE_REASON_TTL_EXCEEDED:
		return packet_answer(ctx, pkt, reason, work->route.mtu);
	case FLARE_REASON_OVERLOAD_DROP:
	case FLARE_REASON_MALFORMED:
	case FLARE_REASON_NO_ROUTE:
	case FLARE_REASON_REWRITE_FAILED:
		return HOOK_DROP;
	default:
		return HOOK_PASS;
	}
}

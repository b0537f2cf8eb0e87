/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table of connections whose requests are counted, and what the begin and the end of a request
 * add to. When a request begins and ends is decided by payload.bpf.h and http2.bpf.h.
 *
 * Needs one of the hook headers before it.
 */
#pragma once

#include "flow.bpf.h"

/* Bytes of a TCP segment behind its header. */
static __always_inline __u32 payload_bytes(const struct packet *pkt)
{
	__u32 headers = pkt->l4 + pkt->tcp_header_bytes - pkt->l3;

	return pkt->bytes > headers ? pkt->bytes - headers : 0;
}

/* Whether the packet can change anything here: an acknowledgement alone cannot. */
static __always_inline int turn_matters(const struct packet *pkt)
{
	return pkt->flow.proto == PROTO_TCP && pkt->kind == PACKET_TRANSPORT &&
	       !pkt->first_fragment &&
	       (pkt->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST) || payload_bytes(pkt));
}

/* Whether `a` comes after `b` in sequence space (RFC 9293, section 3.4). */
static __always_inline int seq_after(__u32 a, __u32 b)
{
	return (__s32)(a - b) > 0;
}

static __always_inline void in_flight_add(const struct flare_turn *turn, __s64 change)
{
	struct flare_admission *adm = admission_find(turn->service_id);
	struct flare_backend_load *load =
		turn->backend_id ? backend_load_find(turn->backend_id) : NULL;

	if (adm)
		__sync_fetch_and_add(&adm->in_flight[turn->tier & 1], change);
	if (load)
		__sync_fetch_and_add(&load->in_flight, change);
}

static __always_inline void traffic_tally(struct flare_traffic *traffic, __u32 begun,
					  __u32 answered, __u32 abandoned)
{
	traffic->requests += begun;
	traffic->answers += answered;
	traffic->abandoned += abandoned;
}

/* Adds requests that began and ended to the counts of the service's tier and of the backend. */
static __always_inline void turn_tally(const struct flare_turn *turn, __u32 begun, __u32 answered,
				       __u32 abandoned)
{
	struct flare_service_counters *row = service_counters_find(turn->service_id);
	struct flare_backend_counters *backend;

	if (row)
		traffic_tally(&row->tier[turn->tier & 1], begun, answered, abandoned);
	if (!turn->backend_id)
		return;
	backend = backend_counters_find(turn->backend_id);
	if (backend)
		traffic_tally(&backend->traffic, begun, answered, abandoned);
}

/* Ends the open requests, if there are any, without an answer. */
static __always_inline void turn_abandon(struct flare_turn *turn)
{
	__u32 open = 0;

	if (*(volatile __u64 *)&turn->open_ns)
		open += !!__sync_lock_test_and_set(&turn->open_ns, 0);
	if (*(volatile __u32 *)&turn->streams)
		open += __sync_lock_test_and_set(&turn->streams, 0);
	if (!open)
		return;
	in_flight_add(turn, -(__s64)open);
	turn_tally(turn, 0, 0, open);
}

/*
 * The slot of a connection that has none yet: a free one, an ended one, or the longest silent. What
 * is in it is still the other connection's, for turn_reset().
 */
static __always_inline struct flare_turn *turn_take(struct flare_turn_set *set, __u64 tag)
{
	struct flare_turn *taken = &set->way[0];
	int i;

	for (i = 0; i < FLARE_TURN_WAYS; i++) {
		struct flare_turn *way = &set->way[i];

		if (!way->tag || way->ended & FLARE_TURN_CLOSED) {
			taken = way;
			break;
		}
		if (way->seen_ns < taken->seen_ns)
			taken = way;
	}
	taken->tag = tag;
	return taken;
}

/* Gives the slot to the connection of `client`, which begins now or is seen for the first time. */
__noinline int turn_reset(struct flare_turn *turn, const struct flare_flow_key *client,
			  __u32 service_id, __u32 backend_id, __u32 tier)
{
	struct flare_service *svc;
	__u64 tag;

	if (!turn || !client)
		return 0;
	svc = service_of(client);
	turn_abandon(turn);
	tag = turn->tag; /* what `turn` points to is no key: key.bpf.h */
	bpf_map_delete_elem(&http2, &tag);
	turn->syn_ns = 0;
	turn->client_end = 0;
	turn->snap = 0;
	turn->server_end = 0;
	turn->requests = 0;
	turn->service_id = service_id;
	turn->backend_id = backend_id;
	turn->tier = tier & 1;
	turn->flags = svc && svc->counting == FLARE_COUNTING_CONNECTIONS ? FLARE_TURN_WHOLE : 0;
	turn->steering = svc ? svc->steering : 0;
	turn->ended = 0;
	return 0;
}

static __always_inline void latency_add(const struct flare_turn *turn, enum flare_latency kind,
					__u64 ns)
{
	__u32 index =
		(turn->service_id * FLARE_TIERS_COUNT + (turn->tier & 1)) * FLARE_LATENCIES_COUNT +
		kind;
	struct flare_histogram *histogram = bpf_map_lookup_elem(&latencies, &index);
	__u32 slot = latency_slot(ns);

	if (!histogram)
		return;
	/* Linux 6.1 forgets a bound that another copy of the register was compared with */
	asm volatile("" : "+r"(slot));
	if (slot >= FLARE_LATENCY_SLOTS)
		return;
	__sync_fetch_and_add(&histogram->count[slot], 1);
	__sync_fetch_and_add(&histogram->sum_ns, ns);
}

/*
 * Requests on the account of their service. Those of the VM tier are charged to its bucket, but for
 * a connection's first, whose SYN was.
 */
static __always_inline void requests_charge(const struct flare_turn *turn,
					    const struct flare_flow_key *client, __u32 requests,
					    __u64 now_ns)
{
	struct flare_service_counters *row = service_counters_find(turn->service_id);
	struct flare_admission *adm = admission_find(turn->service_id);
	struct flare_service *svc = service_of(client);
	__u32 charged = turn->requests ? requests : requests - 1;

	if (!svc || !row || !adm)
		return;
	if (turn->steering != svc->steering)
		row->pinned[turn->tier & 1] += requests;
	if (turn->tier != FLARE_TIER_VM)
		return;
	if (svc->workers && vm_in_flight(svc, adm) >= svc->workers)
		row->busy += requests;
	if (charged && svc->bucket_interval_ns)
		bucket_charge(&adm->bucket_time_ns, now_ns, svc->bucket_interval_ns * charged,
			      svc->bucket_depth_ns);
}

static __always_inline void turn_requests_add(struct flare_turn *turn, __u32 requests)
{
	__u32 sum = turn->requests + requests;

	turn->requests = sum < 0xffff ? sum : 0xffff;
}

__noinline int turn_begin(struct flare_turn *turn, const struct flare_flow_key *client)
{
	__u64 now_ns = bpf_ktime_get_ns();
	__u64 unanswered;

	if (!turn || !client)
		return 0;
	requests_charge(turn, client, 1, now_ns);
	turn->flags |= FLARE_TURN_COUNTED;
	turn->snap = *(volatile __u32 *)&turn->server_end;
	turn_requests_add(turn, 1);
	unanswered = __sync_lock_test_and_set(&turn->open_ns, now_ns);
	if (!unanswered)
		in_flight_add(turn, 1);
	turn_tally(turn, 1, 0, !!unanswered);
	return 0;
}

/* The first byte of an answer. Returns whether a request was open. */
static __always_inline int turn_answer(struct flare_turn *turn)
{
	__u64 begun_ns, now_ns;

	if (!*(volatile __u64 *)&turn->open_ns)
		return 0;
	begun_ns = __sync_lock_test_and_set(&turn->open_ns, 0);
	if (!begun_ns)
		return 0;
	in_flight_add(turn, -1);
	turn_tally(turn, 0, 1, 0);
	if (turn->flags & FLARE_TURN_WHOLE)
		return 1; /* how long a connection lives is no latency */
	now_ns = bpf_ktime_get_ns();
	latency_add(turn, FLARE_LATENCY_REQUEST, now_ns > begun_ns ? now_ns - begun_ns : 0);
	return 1;
}

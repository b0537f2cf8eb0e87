/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The flows of a socket that a connect() hook has directed: their records in the socket's storage,
 * and their begin and end in the counts. No packet is seen, so latencies, packets and bytes are not
 * counted here.
 *
 * These programs run in processes, and a packet's program may come between two instructions. So all
 * additions are atomic here; a program that runs in softirq is not interrupted by one of these.
 */
#pragma once

#include "find.bpf.h"

static __always_inline void tally(__u64 *count, __u64 change)
{
	__sync_fetch_and_add(count, change);
}

/* The counts that one flow stands in; each may be NULL, but for `load`. */
struct sock_rows {
	struct flare_service_counters *service;
	struct flare_backend_counters *backend;
	struct flare_backend_load *backend_load;
	struct flare_sock_load *load;
};

/* Returns 0, or -1 where the agent has begun all counts of the service anew since. */
static __always_inline int sock_rows_find(const struct flare_sock_flow *flow,
					  struct sock_rows *rows)
{
	__u32 backend_id = flow->backend_id;
	struct flare_backend *backend = bpf_map_lookup_elem(&backends, &backend_id);

	rows->load = sock_load_find(flow->service_id);
	if (!rows->load ||
	    (__u32) * (volatile __u64 *)&rows->load->generation != flow->service_generation)
		return -1;
	rows->service = service_counters_find(flow->service_id);
	if (backend && backend->generation == flow->backend_generation) {
		rows->backend = backend_counters_find(backend_id);
		rows->backend_load = sock_backend_load_find(backend_id);
	}
	return 0;
}

/* Adds `change`, 1 or -1, to what the service and the backend have open. */
static __always_inline void sock_load_add(const struct flare_sock_flow *flow,
					  const struct sock_rows *rows, __u64 change)
{
	int is_request = flow->proto == PROTO_TCP;

	if (is_request)
		tally(&rows->load->in_flight[flow->tier & 1], change);
	if (flow->tier == FLARE_TIER_SERVERLESS)
		tally(&rows->load->active, change);
	if (!rows->backend_load)
		return;
	if (is_request)
		tally(&rows->backend_load->in_flight, change);
	tally(&rows->backend_load->active, change);
}

static __always_inline void sock_traffic_begin(struct flare_traffic *traffic, int is_request)
{
	tally(&traffic->flows_new, 1);
	if (is_request)
		tally(&traffic->requests, 1);
}

static __always_inline void sock_traffic_end(struct flare_traffic *traffic, int is_request,
					     int answered)
{
	tally(&traffic->flows_closed, 1);
	if (is_request)
		tally(answered ? &traffic->answers : &traffic->abandoned, 1);
}

/*
 * Counts the begin of a flow that was decided: TCP as its SYN leaves, UDP with the decision. `svc`
 * may be NULL, where the service is gone since.
 */
static __always_inline void sock_flow_begin(struct flare_sock_flow *flow,
					    const struct flare_service *svc)
{
	struct flare_admission *adm = admission_find(flow->service_id);
	int is_request = flow->proto == PROTO_TCP;
	struct sock_rows rows = {};

	if (!flow->frontend_port || flow->open || sock_rows_find(flow, &rows))
		return;
	if (rows.service) {
		if (is_request && flow->tier == FLARE_TIER_VM && svc && adm && svc->workers &&
		    vm_in_flight(svc, adm) >= svc->workers)
			tally(&rows.service->busy, 1);
		sock_traffic_begin(&rows.service->tier[flow->tier & 1], is_request);
		if (flow->tier == FLARE_TIER_SERVERLESS)
			tally(&rows.service->spilled[flow->cause & (FLARE_SPILL_SLOTS - 1)], 1);
	}
	if (rows.backend)
		sock_traffic_begin(&rows.backend->traffic, is_request);
	if (adm && flow->tier == FLARE_TIER_SERVERLESS)
		*(volatile __u64 *)&adm->last_spill_ns = bpf_ktime_get_ns();
	sock_load_add(flow, &rows, 1);
	flow->flags = FLARE_SOCK_BEGUN;
	__sync_lock_test_and_set(&flow->open, 1);
}

/* The backend has answered: the handshake is done, or a first datagram of it was read. */
static __always_inline void sock_flow_answer(struct flare_sock_flow *flow)
{
	struct sock_rows rows = {};

	if (!flow->open || flow->flags & FLARE_SOCK_ANSWERED || sock_rows_find(flow, &rows))
		return;
	flow->flags |= FLARE_SOCK_ANSWERED;
	if (rows.service && flow->proto == PROTO_TCP && flow->tier == FLARE_TIER_SERVERLESS)
		tally(&rows.service->handshakes, 1);
	if (rows.backend)
		tally(&rows.backend->accepted, 1);
}

/* How a flow ended, where a socket tells. */
enum sock_end {
	SOCK_CLOSED, /* by either side, in order */
	SOCK_FAILED,
	SOCK_REFUSED, /* its SYN was answered with a RST */
};

/* Counts the end of a flow, once, whoever sees it first. The record stays, for getpeername(). */
static __always_inline void sock_flow_end(struct flare_sock_flow *flow, enum sock_end end)
{
	int answered = end == SOCK_CLOSED && flow->flags & FLARE_SOCK_ANSWERED;
	int is_request = flow->proto == PROTO_TCP;
	struct sock_rows rows = {};

	if (!flow->open || !__sync_lock_test_and_set(&flow->open, 0) || sock_rows_find(flow, &rows))
		return;
	sock_load_add(flow, &rows, -1ULL);
	if (rows.service)
		sock_traffic_end(&rows.service->tier[flow->tier & 1], is_request, answered);
	if (!rows.backend)
		return;
	sock_traffic_end(&rows.backend->traffic, is_request, answered);
	if (end == SOCK_REFUSED)
		tally(&rows.backend->refused, 1);
}

/* Whether the flow's backend is gone, down, or another one by now. */
static __always_inline int sock_flow_lost(const struct flare_sock_flow *flow)
{
	__u32 id = flow->backend_id;
	struct flare_backend *backend = bpf_map_lookup_elem(&backends, &id);

	return !backend || backend->generation != flow->backend_generation ||
	       backend->state == FLARE_BACKEND_DOWN;
}

/* The record of the backend that a datagram came from, or that a socket is connected to. */
static __always_inline struct flare_sock_flow *
sock_flow_of_backend(struct flare_sock_flows *flows, const struct flare_addr *addr, __be16 port)
{
	int i;

	for (i = 0; i < FLARE_SOCK_WAYS; i++) {
		struct flare_sock_flow *flow = &flows->way[i];

		if (flow->frontend_port && flow->backend_port == port &&
		    addr_equal(&flow->backend, addr))
			return flow;
	}
	return NULL;
}

static __always_inline struct flare_sock_flow *
sock_flow_of_frontend(struct flare_sock_flows *flows, const struct flare_service_key *key)
{
	int i;

	for (i = 0; i < FLARE_SOCK_WAYS; i++) {
		struct flare_sock_flow *flow = &flows->way[i];

		if (flow->frontend_port == key->port && addr_equal(&flow->frontend, &key->addr))
			return flow;
	}
	return NULL;
}

/* The place for a flow of UDP to a service that has none yet: a free one, else the longest silent. */
static __always_inline struct flare_sock_flow *sock_flow_take(struct flare_sock_flows *flows)
{
	struct flare_sock_flow *taken = &flows->way[0];
	int i;

	for (i = 0; i < FLARE_SOCK_WAYS; i++) {
		struct flare_sock_flow *flow = &flows->way[i];

		if (!flow->frontend_port)
			return flow;
		if (flow->seen_ns < taken->seen_ns)
			taken = flow;
	}
	return taken;
}

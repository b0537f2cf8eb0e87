/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counting. Every slot belongs to one CPU, so plain additions do: programs run with bottom halves
 * off and do not interrupt each other on one CPU.
 */
#pragma once

#include "config.bpf.h"
#include "maps.bpf.h"
#include "parse.bpf.h"

static __always_inline void reason_count(enum flare_hook hook, enum flare_reason reason)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct flare_reason_counters *row = bpf_map_lookup_elem(&reason_counters, &cpu);

	if (row && (__u32)reason < FLARE_REASON_SLOTS)
		row->packets[hook][reason]++;
}

static __always_inline struct flare_service_counters *service_counters_find(__u32 service_id)
{
	__u32 index = bpf_get_smp_processor_id() * services_max + service_id;

	return bpf_map_lookup_elem(&service_counters, &index);
}

static __always_inline struct flare_backend_counters *backend_counters_find(__u32 backend_id)
{
	__u32 index = bpf_get_smp_processor_id() * backends_max + backend_id;

	return bpf_map_lookup_elem(&backend_counters, &index);
}

static __always_inline struct flare_backend_load *backend_load_find(__u32 backend_id)
{
	return bpf_map_lookup_elem(&backend_loads, &backend_id);
}

static __always_inline void traffic_add(struct flare_traffic *traffic, const struct packet *pkt,
					__u8 dir, __u32 segments)
{
	int reset = pkt->flow.proto == PROTO_TCP && pkt->tcp_flags & TCP_RST;

	if (dir == FLARE_DIR_FORWARD) {
		traffic->packets_in += segments;
		traffic->bytes_in += pkt->bytes;
		traffic->resets_in += reset;
	} else {
		traffic->packets_out += segments;
		traffic->bytes_out += pkt->bytes;
		traffic->resets_out += reset;
	}
}

/* One packet of a receiver's VM tier, which has no backend of its own. */
static __always_inline void vm_count(__u32 service_id, const struct packet *pkt, __u8 dir,
				     __u32 segments)
{
	struct flare_service_counters *row = service_counters_find(service_id);

	if (!row)
		return;
	traffic_add(&row->tier[FLARE_TIER_VM], pkt, dir, segments);
	if (pkt->flow.proto == PROTO_TCP &&
	    (pkt->tcp_flags & TCP_RST || (dir == FLARE_DIR_REVERSE && pkt->tcp_flags & TCP_FIN)))
		row->tier[FLARE_TIER_VM].flows_closed++;
}

/* One translated packet, for its service's tier and for its backend. */
static __always_inline void flow_count(__u32 service_id, __u32 backend_id, __u8 tier,
				       const struct packet *pkt, __u8 dir, __u32 segments)
{
	struct flare_service_counters *row = service_counters_find(service_id);
	struct flare_backend_counters *backend = backend_counters_find(backend_id);

	if (row)
		traffic_add(&row->tier[tier & 1], pkt, dir, segments);
	if (backend)
		traffic_add(&backend->traffic, pkt, dir, segments);
}

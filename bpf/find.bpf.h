/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the maps hold for a service or a connection: look-ups, without a packet and without a hook.
 */
#pragma once

#include "count.bpf.h"
#include "select.bpf.h"

static __always_inline struct flare_settings *settings_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&settings, &zero);
}

static __always_inline struct flare_heartbeat *heartbeat_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&heartbeat, &zero);
}

/* Whether the agent has tended the weights lately enough for the share to hold. */
static __always_inline int agent_is_alive(const struct flare_settings *set, __u64 now_ns)
{
	struct flare_heartbeat *heart = heartbeat_get();

	/* a beat just after `now` was read is not an old one */
	return heart && heart->beat_ns &&
	       (heart->beat_ns >= now_ns || now_ns - heart->beat_ns <= set->heartbeat_bound_ns);
}

static __always_inline struct flare_admission *admission_find(__u32 service_id)
{
	return bpf_map_lookup_elem(&admission, &service_id);
}

static __always_inline struct flare_sock_load *sock_load_find(__u32 service_id)
{
	return bpf_map_lookup_elem(&sock_loads, &service_id);
}

/* Requests in flight in the VM tier that were counted here: by packets, and by connect(). */
static __always_inline __s64 vm_counted(const struct flare_service *svc,
					const struct flare_admission *adm)
{
	__s64 in_flight = *(volatile __s64 *)&adm->in_flight[FLARE_TIER_VM];
	struct flare_sock_load *load;

	if (svc->placement != FLARE_PLACEMENT_SENDER)
		return in_flight;
	load = sock_load_find(svc->id);
	return load ? in_flight + *(volatile __s64 *)&load->in_flight[FLARE_TIER_VM] : in_flight;
}

/* What the VM tier works on or has waiting, by what stands for the service's load. */
static __always_inline __s64 vm_in_flight(const struct flare_service *svc,
					  const struct flare_admission *adm)
{
	if (svc->counting == FLARE_COUNTING_REPORTED)
		return *(volatile __s64 *)&adm->reported;
	return vm_counted(svc, adm);
}

/* Spilled flows that are open: of packets, and of connect(). */
static __always_inline __u64 spilled_active(const struct flare_service *svc,
					    const struct flare_admission *adm)
{
	__u64 active = *(volatile __u64 *)&adm->active;
	struct flare_sock_load *load;

	if (svc->placement != FLARE_PLACEMENT_SENDER)
		return active;
	load = sock_load_find(svc->id);
	return load ? active + *(volatile __u64 *)&load->active : active;
}

static __always_inline struct flare_backend_load *sock_backend_load_find(__u32 backend_id)
{
	return bpf_map_lookup_elem(&sock_backend_loads, &backend_id);
}

/* What is going on at a backend: as packets show it, and with what connect() has directed there. */
struct backend_load {
	__s64 in_flight;
	__s64 active;
};

static __always_inline struct backend_load backend_load(const struct flare_service *svc,
							__u32 backend_id)
{
	struct flare_backend_load *counted = backend_load_find(backend_id);
	struct backend_load load = {};

	if (counted) {
		load.in_flight = *(volatile __s64 *)&counted->in_flight;
		load.active = *(volatile __s64 *)&counted->active;
	}
	if (svc->placement != FLARE_PLACEMENT_SENDER)
		return load;
	counted = sock_backend_load_find(backend_id);
	if (counted) {
		load.in_flight += *(volatile __s64 *)&counted->in_flight;
		load.active += *(volatile __s64 *)&counted->active;
	}
	return load;
}

static __always_inline struct flare_service *service_of(const struct flare_flow_key *client)
{
	struct flare_service_key key = {
		.addr = client->dst,
		.port = client->dport,
		.proto = client->proto,
	};

	return bpf_map_lookup_elem(&services, &key);
}

static __always_inline __u64 turn_tag(const struct flare_flow_key *client)
{
	struct flare_settings *set = settings_get();
	__u64 tag = set ? flow_hash(client, set->hash_key) : 0;

	return tag ? tag : 1;
}

static __always_inline struct flare_turn_set *turn_set_find(__u64 tag)
{
	__u32 index = (__u32)(tag >> 32) & (FLARE_TURN_SETS - 1);

	return bpf_map_lookup_elem(&turns, &index);
}

static __always_inline struct flare_turn *turn_find(struct flare_turn_set *set, __u64 tag)
{
	int i;

	for (i = 0; i < FLARE_TURN_WAYS; i++)
		if (set->way[i].tag == tag)
			return &set->way[i];
	return NULL;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The decision for a flow that a process is about to make: tier, permission to spend, backend, as in
 * the datapath. The source port is not known yet, so the hash is one of the socket's cookie; the
 * source address neither, so that neither chain nor affinity apply.
 */
#pragma once

#include "admit.bpf.h"
#include "sock_flow.bpf.h"

/* What connect() and sendto() return where a flow is not to be (asm-generic/errno.h). */
#define EPERM 1
#define ENOMEM 12
#define ETIMEDOUT 110
#define ECONNREFUSED 111

/* A decision, while it is made. */
struct sock_choice {
	struct flare_service_key key; /* of the service */
	__u32 backend_id;
	struct flare_backend *backend;
	__u64 hash;
	__u64 now_ns;
	__u8 tier;
	__u8 cause;
};

static __always_inline __u64 sock_hash(__u64 cookie, const struct flare_service *svc)
{
	struct flare_flow_key key = {};

	key.src.word[0] = (__u32)cookie;
	key.src.word[1] = (__u32)(cookie >> 32);
	key.dst.word[0] = svc->id;
	return flow_hash(&key, svc->hash_key);
}

/* The backend of a tier for this hash, into `choice`. Returns whether there is a usable one. */
static __always_inline int sock_backend_pick(const struct flare_service *svc,
					     struct sock_choice *choice, enum flare_tier tier)
{
	__u32 id = backend_select(svc, tier, choice->hash);
	struct flare_backend *backend = bpf_map_lookup_elem(&backends, &id);

	if (!id || !backend || backend->state == FLARE_BACKEND_DOWN ||
	    addr_is_v4(&backend->addr) != addr_is_v4(&choice->key.addr))
		return 0;
	choice->backend_id = id;
	choice->backend = backend;
	choice->tier = tier;
	return 1;
}

/* Nothing is sent: an error stands for the answer, or the silence, that a packet would meet. */
static __always_inline int overload_error(const struct flare_service *svc, __u8 proto)
{
	if (svc->overload != FLARE_OVERLOAD_DROP)
		return -ECONNREFUSED;
	return proto == PROTO_TCP ? -ETIMEDOUT : -EPERM;
}

/* To the VM tier after all, or an error. Returns 0, or the error. */
static __always_inline int sock_overload(const struct flare_service *svc,
					 struct flare_service_counters *row,
					 struct sock_choice *choice, int refusal)
{
	if (refusal >= 0 && refusal < FLARE_REFUSALS_COUNT)
		tally(&row->refused[refusal], 1);
	if (svc->overload != FLARE_OVERLOAD_VM || !sock_backend_pick(svc, choice, FLARE_TIER_VM))
		return overload_error(svc, choice->key.proto);
	if (choice->cause == FLARE_SPILL_CAP)
		tally(&row->over_cap, 1);
	return 0;
}

/* Chooses tier and backend. Returns 0, or the error that the process meets. */
static __always_inline int sock_choose(const struct flare_service *svc, struct flare_admission *adm,
				       struct flare_service_counters *row,
				       struct sock_choice *choice)
{
	struct wish wish;
	int refusal;

	if (svc->retired)
		return overload_error(svc, choice->key.proto);
	wish = tier_choose(svc, adm, row, NULL, choice->hash, choice->now_ns);
	choice->cause = wish.cause;
	if (wish.spill && svc->policy == FLARE_POLICY_OBSERVE) {
		tally(&row->observed[wish.cause & (FLARE_SPILL_SLOTS - 1)], 1);
		wish.spill = 0;
	}
	if (!wish.spill) {
		if (sock_backend_pick(svc, choice, FLARE_TIER_VM))
			return 0;
		choice->cause = FLARE_SPILL_NO_VM;
	}
	if (!sock_backend_pick(svc, choice, FLARE_TIER_SERVERLESS))
		return sock_overload(svc, row, choice, FLARE_REFUSAL_NO_BACKEND);
	refusal = spend_check(svc, adm, choice->now_ns);
	return refusal == MAY_SPEND ? 0 : sock_overload(svc, row, choice, refusal);
}

/* Writes down what was chosen. It counts from sock_flow_begin() on. */
static __always_inline void sock_flow_record(struct flare_sock_flow *flow,
					     const struct flare_service *svc,
					     const struct sock_choice *choice)
{
	struct flare_sock_load *load = sock_load_find(svc->id);

	flow->frontend = choice->key.addr;
	flow->backend = choice->backend->addr;
	flow->backend_port = choice->backend->port;
	flow->service_id = svc->id;
	flow->backend_id = choice->backend_id;
	flow->backend_generation = choice->backend->generation;
	flow->service_generation = load ? (__u32)load->generation : 0;
	flow->tier = choice->tier;
	flow->cause = choice->cause;
	flow->flags = 0;
	flow->proto = choice->key.proto;
	flow->seen_ns = bpf_ktime_get_coarse_ns();
	flow->frontend_port = choice->key.port; /* from here on it is there */
}

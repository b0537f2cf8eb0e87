// SPDX-License-Identifier: GPL-2.0-only
/*
 * The XDP program: ingress of a NIC. What it cannot finish passes on to the tc companion
 * (flare_tc.bpf.c), which must be attached to the same interface before it.
 */
#include "hook_xdp.bpf.h"

#include "next_hop.bpf.h"

/* Translated packets leave where they came in; any other device is the companion's work. */
static __always_inline int hook_send(hook_ctx *ctx __attribute__((unused)),
				     const struct packet *pkt __attribute__((unused)),
				     const struct route *route __attribute__((unused)),
				     enum next_hop hop __attribute__((unused)))
{
	return XDP_TX;
}

#include "ingress.bpf.h"

SEC("xdp.frags")
int flare_xdp(struct xdp_md *ctx)
{
	return ingress(ctx, FLARE_HOOK_XDP);
}

char LICENSE[] SEC("license") = "GPL";

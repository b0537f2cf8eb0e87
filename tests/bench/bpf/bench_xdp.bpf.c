// SPDX-License-Identifier: GPL-2.0-only
/*
 * The XDP datapath as it ships, run on a packet that is made new each time; the same without the
 * datapath, whose cost is to be taken off; and the floor that everything is held against.
 */
#include "flare_xdp.bpf.c"

#include "restore.bpf.h"

SEC("xdp.frags")
int bench_floor(struct xdp_md *ctx __attribute__((unused)))
{
	return XDP_PASS;
}

SEC("xdp.frags")
int bench_restore(struct xdp_md *ctx)
{
	return packet_restore(ctx) ? XDP_ABORTED : verdict_count(XDP_PASS, XDP_TX);
}

SEC("xdp.frags")
int bench_core(struct xdp_md *ctx)
{
	if (packet_restore(ctx))
		return XDP_ABORTED;
	return verdict_count(ingress(ctx, FLARE_HOOK_XDP), XDP_TX);
}

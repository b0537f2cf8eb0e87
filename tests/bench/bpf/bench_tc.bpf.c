// SPDX-License-Identifier: GPL-2.0-only
/* As bench_xdp.bpf.c, for tc ingress. */
#include "flare_tc.bpf.c"

#include "restore.bpf.h"

#define TC_ACT_REDIRECT 7

SEC("tc")
int bench_floor(struct __sk_buff *ctx __attribute__((unused)))
{
	return TC_ACT_UNSPEC;
}

SEC("tc")
int bench_restore(struct __sk_buff *ctx)
{
	return packet_restore(ctx) ? TC_ACT_SHOT : verdict_count(TC_ACT_UNSPEC, TC_ACT_REDIRECT);
}

SEC("tc")
int bench_core(struct __sk_buff *ctx)
{
	if (packet_restore(ctx))
		return TC_ACT_SHOT;
	return verdict_count(ingress(ctx, FLARE_HOOK_TC_INGRESS), TC_ACT_REDIRECT);
}

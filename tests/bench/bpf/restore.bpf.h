/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Around the core: makes the packet new before each run, and counts what became of it. The datapath
 * rewrites its packet, so a plain repeated test-run would measure the "not ours" path from the
 * second packet on. Needs one of the datapath's hook headers before it.
 */
#pragma once

#include "plan.h"

struct bench_plan plan;
struct bench_tally tally;

/*
 * The numbers of the flows in scattered order: the low bits of a linear congruential generator,
 * which go through all of their values before one comes again (Hull and Dobell, 1962).
 */
static __always_inline __u32 next_flow(void)
{
	__u32 step = tally.step;

	tally.step = step * 1664525U + 1013904223U;
	return step & plan.flow_mask;
}

/* Copies the template over the packet and puts the next flow into it. Returns 0, or -1. */
static __always_inline int packet_restore(hook_ctx *ctx)
{
	__u64 *to = hook_data(ctx);
	void *bytes = to;
	__u32 flow, addr;
	__u16 port;
	int i;

	if (bytes + BENCH_FRAME_BYTES > hook_data_end(ctx))
		return -1;
	for (i = 0; i < BENCH_FRAME_WORDS; i++)
		to[i] = plan.frame[i];
	if (plan.shape == BENCH_FIXED)
		return 0;
	flow = next_flow();
	addr = bpf_htonl(plan.addr_base + (flow >> BENCH_PORT_BITS));
	port = bpf_htons(BENCH_PORT_BASE + (flow & ((1U << BENCH_PORT_BITS) - 1)));
	if (plan.shape <= BENCH_V4_DPORT) {
		*(__u32 *)(bytes + 26) = addr;
		*(__u16 *)(bytes + (plan.shape == BENCH_V4_SPORT ? 34 : 36)) = port;
	} else {
		*(__u32 *)(bytes + 34) = addr;
		*(__u16 *)(bytes + (plan.shape == BENCH_V6_SPORT ? 54 : 56)) = port;
	}
	return 0;
}

static __always_inline int verdict_count(int verdict, int forward)
{
	if (verdict == HOOK_PASS)
		tally.verdicts[BENCH_PASS]++;
	else if (verdict == forward)
		tally.verdicts[BENCH_FORWARD]++;
	else if (verdict == HOOK_DROP)
		tally.verdicts[BENCH_DROP]++;
	else
		tally.verdicts[BENCH_OTHER]++;
	return verdict;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What flare_bench tells the benchmark's own BPF programs, and what they tell it: plain data, read
 * by both sides. It is no part of the product.
 */
#ifndef FLARE_BENCH_PLAN_H
#define FLARE_BENCH_PLAN_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define BENCH_FRAME_BYTES 96 /* length of every frame; all headers lie within it */
#define BENCH_FRAME_WORDS (BENCH_FRAME_BYTES / 8)
#define BENCH_PORT_BITS 14 /* of a flow's number; the rest of it is added to the address */
#define BENCH_PORT_BASE 20000

/* Which bytes of the frame a flow's number goes into. */
enum bench_shape {
	BENCH_FIXED, /* none: every packet is the template */
	BENCH_V4_SPORT,
	BENCH_V4_DPORT,
	BENCH_V6_SPORT,
	BENCH_V6_DPORT,
};

enum bench_verdict { BENCH_PASS, BENCH_DROP, BENCH_FORWARD, BENCH_OTHER, BENCH_VERDICTS };

/* Written by flare_bench before a run. */
struct bench_plan {
	__u64 frame[BENCH_FRAME_WORDS]; /* what each packet starts as */
	__u32 flow_mask; /* number of flows, a power of two, less one */
	__u32 addr_base; /* host order; last 32 bits of the source address of flow 0 */
	__u32 shape; /* enum bench_shape */
	__u32 zero;
};

/* Written by the programs. */
struct bench_tally {
	__u64 verdicts[BENCH_VERDICTS];
	__u32 step; /* where the walk over the flows stands; never set back */
	__u32 zero;
};

#endif

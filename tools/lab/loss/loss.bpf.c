/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loss for the lab, as not every kernel has netem: drops packets at random, each by itself. Attached
 * with `tc filter ... bpf direct-action`; the qdisc counts what was dropped. A program a share.
 */
#include "uapi.bpf.h"

#define PERCENT 42949673u /* a hundredth of 2^32 */

static __always_inline int drop(__u32 percent)
{
	return bpf_get_prandom_u32() < percent * PERCENT ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

SEC("tc/loss_1")
int loss_1(struct __sk_buff *skb __attribute__((unused)))
{
	return drop(1);
}

SEC("tc/loss_2")
int loss_2(struct __sk_buff *skb __attribute__((unused)))
{
	return drop(2);
}

char LICENSE[] SEC("license") = "GPL";

/* SPDX-License-Identifier: GPL-2.0-only */
/* The way out of a translated packet, by the kernel's own routing and neighbour tables. */
#pragma once

#include "rewrite.bpf.h"

enum next_hop {
	NEXT_HOP_KNOWN,
	NEXT_HOP_NEIGHBOUR, /* the route is known, the neighbour's address is not */
	NEXT_HOP_FORWARDING, /* the kernel answers only where forwarding is on */
	NEXT_HOP_TOO_BIG, /* for the route: `mtu` says what would fit */
	NEXT_HOP_NONE,
};

struct route {
	__u32 ifindex;
	__u16 mtu;
	__u8 smac[ETH_ALEN];
	__u8 dmac[ETH_ALEN];
};

/* Bytes of the largest IP packet that the frame stands for: of one segment of a GSO frame. */
static __always_inline __u32 wire_bytes(const struct packet *pkt, __u32 gso_bytes)
{
	if (!gso_bytes)
		return pkt->bytes;
	return pkt->l4 - pkt->l3 + gso_bytes +
	       (pkt->flow.proto == PROTO_TCP ? pkt->tcp_header_bytes : sizeof(struct udphdr));
}

static __always_inline enum next_hop
next_hop_find(void *ctx, __u32 ifindex, const struct packet *pkt, __u32 gso_bytes,
	      const struct flare_addr *src, const struct flare_addr *dst, struct route *route)
{
	struct bpf_fib_lookup fib = { .ifindex = ifindex };

	fib.tot_len = wire_bytes(pkt, gso_bytes);
	fib.l4_protocol = pkt->flow.proto;
	if (pkt->is_v6) {
		fib.family = AF_INET6;
		__builtin_memcpy(fib.ipv6_src, src->word, sizeof(fib.ipv6_src));
		__builtin_memcpy(fib.ipv6_dst, dst->word, sizeof(fib.ipv6_dst));
	} else {
		fib.family = AF_INET;
		fib.ipv4_src = src->word[3];
		fib.ipv4_dst = dst->word[3];
	}
	switch (bpf_fib_lookup(ctx, &fib, sizeof(fib), 0)) {
	case BPF_FIB_LKUP_RET_SUCCESS:
		route->ifindex = fib.ifindex;
		__builtin_memcpy(route->smac, fib.smac, ETH_ALEN);
		__builtin_memcpy(route->dmac, fib.dmac, ETH_ALEN);
		return NEXT_HOP_KNOWN;
	case BPF_FIB_LKUP_RET_NO_NEIGH:
		route->ifindex = fib.ifindex;
		return NEXT_HOP_NEIGHBOUR;
	case BPF_FIB_LKUP_RET_FWD_DISABLED:
	case BPF_FIB_LKUP_RET_UNSUPP_LWT:
		route->ifindex = ifindex;
		return NEXT_HOP_FORWARDING;
	case BPF_FIB_LKUP_RET_FRAG_NEEDED:
		route->mtu = fib.mtu_result;
		return NEXT_HOP_TOO_BIG;
	default:
		return NEXT_HOP_NONE;
	}
}

/* Writes the next hop's addresses into the Ethernet header. Returns 0, or -1. */
static __always_inline int rewrite_link(void *data, void *end, const struct route *route)
{
	struct ethhdr *eth = data;

	if ((void *)(eth + 1) > end)
		return -1;
	__builtin_memcpy(eth->h_dest, route->dmac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, route->smac, ETH_ALEN);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changing addresses and ports in a packet, and the sums that cover them. Incremental arithmetic
 * after RFC 1624; no map, no helper. The transport checksum of TCP and UDP is left to the hook
 * (hook_fix_transport), which knows whether the packet carries all of it.
 */
#pragma once

#include "parse.bpf.h"

/* What a packet becomes. */
struct translation {
	struct flare_addr src;
	struct flare_addr dst;
	__be16 sport;
	__be16 dport;
	__u8 hops; /* that it takes here: 1, or 0 where the stack counts them, or none is taken */
	__u8 zero[3];
};

/* Sums of changes, kept apart: helpers must know which of them lie in the pseudo-header. */
struct csum_delta {
	__u64 pseudo;
	__u64 payload;
};

static __always_inline __u64 csum_change(__u64 sum, __be32 from, __be32 to)
{
	return sum + (__u32)~from + to;
}

static __always_inline __u64 csum_change_addr(__u64 sum, const struct flare_addr *from,
					      const struct flare_addr *to)
{
	sum = csum_change(sum, from->word[0], to->word[0]);
	sum = csum_change(sum, from->word[1], to->word[1]);
	sum = csum_change(sum, from->word[2], to->word[2]);
	return csum_change(sum, from->word[3], to->word[3]);
}

static __always_inline __u32 csum_fold32(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (__u32)((sum & 0xffffffff) + (sum >> 32));
}

static __always_inline __u16 csum_fold16(__u64 sum)
{
	__u32 folded = csum_fold32(sum);

	folded = (folded & 0xffff) + (folded >> 16);
	return (__u16)((folded & 0xffff) + (folded >> 16));
}

/* HC' = ~(~HC + ~m + m'), RFC 1624, with the changes ~m + m' already summed. */
static __always_inline void csum_fix(__be16 *check, __u64 change)
{
	*check = ~csum_fold16((__u64)(__u16) ~*check + change);
}

/* Where the transport checksum is, from the start of the frame; 0: there is none to mend. */
static __always_inline __u32 transport_check_offset(const struct packet *pkt)
{
	if (pkt->kind != PACKET_TRANSPORT)
		return 0;
	if (pkt->flow.proto == PROTO_TCP)
		return pkt->l4 + offsetof(struct tcphdr, check);
	return pkt->udp_no_checksum ? 0 : pkt->l4 + offsetof(struct udphdr, check);
}

static __always_inline void addr_to_v6(struct in6_addr *v6, const struct flare_addr *addr)
{
	v6->in6_u.u6_addr32[0] = addr->word[0];
	v6->in6_u.u6_addr32[1] = addr->word[1];
	v6->in6_u.u6_addr32[2] = addr->word[2];
	v6->in6_u.u6_addr32[3] = addr->word[3];
}

/* Writes addresses and `hops` less to live into the IP header at `l3`. Returns 0, or -1. */
static __always_inline int rewrite_ip(void *data, void *end, __u32 l3, __u8 is_v6, __u8 hops,
				      const struct flare_addr *src, const struct flare_addr *dst)
{
	if (is_v6) {
		struct ipv6hdr *ip = packet_at(data, end, l3, sizeof(*ip));

		if (!ip)
			return -1;
		addr_to_v6(&ip->saddr, src);
		addr_to_v6(&ip->daddr, dst);
		ip->hop_limit -= hops;
	} else {
		struct iphdr *ip = packet_at(data, end, l3, sizeof(*ip));
		__u64 change = 0;

		if (!ip)
			return -1;
		change = csum_change(change, ip->saddr, src->word[3]);
		change = csum_change(change, ip->daddr, dst->word[3]);
		change = csum_change(change, bpf_htons(ip->ttl << 8),
				     bpf_htons((__u16)(ip->ttl - hops) << 8));
		ip->saddr = src->word[3];
		ip->daddr = dst->word[3];
		ip->ttl -= hops;
		csum_fix(&ip->check, change);
	}
	return 0;
}

/*
 * Gives a TCP or UDP packet, or a later fragment of one, its new addresses and ports. `delta`
 * receives what the transport checksum has still to be told.
 */
static __always_inline int rewrite_transport(void *data, void *end, const struct packet *pkt,
					     const struct translation *to, struct csum_delta *delta)
{
	__be16 *ports;

	delta->pseudo = csum_change_addr(0, &pkt->flow.src, &to->src);
	delta->pseudo = csum_change_addr(delta->pseudo, &pkt->flow.dst, &to->dst);
	delta->payload = 0;
	if (rewrite_ip(data, end, pkt->l3, pkt->is_v6, to->hops, &to->src, &to->dst))
		return -1;
	if (pkt->kind == PACKET_LATER_FRAGMENT)
		return 0;
	ports = packet_at(data, end, pkt->l4, 2 * sizeof(*ports));
	if (!ports)
		return -1;
	delta->payload = csum_change(delta->payload, ports[0], to->sport);
	delta->payload = csum_change(delta->payload, ports[1], to->dport);
	ports[0] = to->sport;
	ports[1] = to->dport;
	return 0;
}

/*
 * Mends the checksum of the quoted transport header, where the quote reaches as far: UDP's lies in
 * the first 8 bytes, TCP's does not. Adds to `sum` how the quote's own bytes changed by that.
 */
static __always_inline __u64 rewrite_quoted_check(void *data, void *end, const struct packet *pkt,
						  __u64 change, __u64 sum)
{
	__u32 offset =
		pkt->inner_l4 + (pkt->flow.proto == PROTO_TCP ? offsetof(struct tcphdr, check)
							      : offsetof(struct udphdr, check));
	__be16 *check;
	__be16 old;

	check = packet_at(data, end, offset, sizeof(*check));
	if (!check || offset + sizeof(*check) > pkt->l3 + pkt->bytes)
		return sum;
	old = *check;
	if (pkt->flow.proto == PROTO_UDP && !old)
		return sum;
	csum_fix(check, change);
	if (pkt->flow.proto == PROTO_UDP && !*check)
		*check = 0xffff;
	return csum_change(sum, old, *check);
}

/*
 * Translates an ICMP error: outside as a packet from to->dst to to->src, and the quoted packet into
 * the one that the receiver of the error sent, from to->src:sport to to->dst:dport.
 */
static __always_inline int rewrite_icmp(void *data, void *end, const struct packet *pkt,
					const struct translation *to)
{
	const struct flare_addr *new_src = &to->dst, *new_dst = &to->src;
	struct icmphdr *icmp;
	__u64 address_change, port_change, sum = 0;
	__be16 *ports;

	if (pkt->is_v6) {
		struct ipv6hdr *ip = packet_at(data, end, pkt->l3, sizeof(*ip));
		struct flare_addr sender;

		if (!ip)
			return -1;
		addr_from_v6(&sender, &ip->saddr);
		sum = csum_change_addr(sum, &sender, new_src);
		sum = csum_change_addr(sum, &pkt->flow.dst, new_dst);
	}
	if (rewrite_ip(data, end, pkt->l3, pkt->is_v6, to->hops, new_src, new_dst))
		return -1;
	/* the quote ran from flow.dst to flow.src: pkt->flow is the quote turned round */
	address_change = csum_change_addr(0, &pkt->flow.dst, &to->src);
	address_change = csum_change_addr(address_change, &pkt->flow.src, &to->dst);
	port_change = csum_change(0, pkt->flow.dport, to->sport);
	port_change = csum_change(port_change, pkt->flow.sport, to->dport);

	if (pkt->is_v6) {
		struct ipv6hdr *ip = packet_at(data, end, pkt->inner_l3, sizeof(*ip));

		if (!ip)
			return -1;
		addr_to_v6(&ip->saddr, &to->src);
		addr_to_v6(&ip->daddr, &to->dst);
		sum += address_change;
	} else {
		struct iphdr *ip = packet_at(data, end, pkt->inner_l3, sizeof(*ip));

		if (!ip)
			return -1;
		ip->saddr = to->src.word[3];
		ip->daddr = to->dst.word[3];
		/* a header whose checksum follows its addresses sums to what it did before */
		csum_fix(&ip->check, address_change);
	}
	ports = packet_at(data, end, pkt->inner_l4, 2 * sizeof(*ports));
	if (!ports)
		return -1;
	ports[0] = to->sport;
	ports[1] = to->dport;
	sum += port_change;
	sum = rewrite_quoted_check(data, end, pkt, address_change + port_change, sum);

	icmp = packet_at(data, end, pkt->l4, sizeof(*icmp));
	if (!icmp)
		return -1;
	csum_fix(&icmp->checksum, sum);
	return 0;
}

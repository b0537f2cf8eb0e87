/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From bytes to a struct packet: Ethernet, up to two VLAN tags, IPv4 with options or IPv6 with
 * extension headers, TCP, UDP, and ICMP errors with the packet they quote. Reads the packet and
 * nothing else; what a packet means for Flare is decided elsewhere.
 *
 * Positions are kept as offsets, not pointers: comparing or subtracting packet pointers would cost
 * CAP_PERFMON, and an offset outlives a helper that moves the packet.
 */
#pragma once

#include "uapi.bpf.h"

#define VLAN_TAGS_MAX 2
#define EXT_HEADERS_MAX 6
#define IPV4_OPTIONS_MAX 8
#define HEADERS_BYTES_MAX 512 /* bound of every offset below, for the verifier */

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_URG 0x20

enum packet_kind {
	PACKET_TRANSPORT, /* TCP or UDP with its ports */
	PACKET_ICMP_ERROR,
	PACKET_LATER_FRAGMENT,
};

/* What the parser found. Offsets are from the start of the frame, lengths in bytes. */
struct packet {
	/*
	 * Addresses and ports as the packet has them. Of an ICMP error: of the packet it quotes,
	 * turned round, so that it finds the entry that would carry it back; `dst` is the error's
	 * own, too. Of a later fragment: no ports.
	 */
	struct flare_flow_key flow;
	__u32 l3;
	__u32 l4;
	__u32 inner_l3; /* of the quoted packet */
	__u32 inner_l4;
	__u32 bytes; /* of the IP packet, header included */
	__be32 tcp_seq;
	__be32 fragment_id;
	__u8 kind;
	__u8 is_v6;
	__u8 l2_tags; /* VLAN tags in the frame; a tag in metadata does not count */
	__u8 l2_multicast;
	__u8 first_fragment;
	__u8 fragment_proto; /* what follows the fragment header, in every fragment alike */
	__u8 ttl;
	__u8 plain; /* no IP options, no extension headers */
	__u8 tcp_flags;
	__u8 tcp_header_bytes;
	__u8 udp_no_checksum;
};

/* All of the packet was understood: the decision is still to come. */
#define PARSED ((enum flare_reason)FLARE_REASONS_COUNT)

struct cursor {
	void *data;
	void *end;
	__u32 offset;
};

/*
 * The `size` bytes at `offset` of the frame, or NULL where it is shorter. "math between pkt pointer
 * and register with unbounded min value": the bound must stand next to the addition, and the
 * compiler, which knows it from earlier, must not see through the register to leave it out.
 */
static __always_inline void *packet_at(void *data, void *end, __u32 offset, __u32 size)
{
	void *at;

	asm volatile("" : "+r"(offset));
	if (offset > HEADERS_BYTES_MAX)
		return NULL;
	at = data + offset;
	return at + size > end ? NULL : at;
}

/* Takes the next `size` bytes, or returns NULL where the packet is shorter. */
static __always_inline void *cursor_take(struct cursor *cur, __u32 size)
{
	void *taken = packet_at(cur->data, cur->end, cur->offset, size);

	if (taken)
		cur->offset += size;
	return taken;
}

static __always_inline void addr_from_v4(struct flare_addr *addr, __be32 v4)
{
	addr->word[0] = 0;
	addr->word[1] = 0;
	addr->word[2] = bpf_htonl(0xffff);
	addr->word[3] = v4;
}

static __always_inline void addr_from_v6(struct flare_addr *addr, const struct in6_addr *v6)
{
	addr->word[0] = v6->in6_u.u6_addr32[0];
	addr->word[1] = v6->in6_u.u6_addr32[1];
	addr->word[2] = v6->in6_u.u6_addr32[2];
	addr->word[3] = v6->in6_u.u6_addr32[3];
}

static __always_inline int addr_equal(const struct flare_addr *a, const struct flare_addr *b)
{
	return a->word[3] == b->word[3] && a->word[2] == b->word[2] && a->word[1] == b->word[1] &&
	       a->word[0] == b->word[0];
}

/* Whether this is the form that IPv4 addresses have here, which no IPv6 packet may carry. */
static __always_inline int addr_is_v4(const struct flare_addr *addr)
{
	return !addr->word[0] && !addr->word[1] && addr->word[2] == bpf_htonl(0xffff);
}

/* Whether nobody may send from this address: "this host", loopback, multicast, reserved. */
static __always_inline int addr_is_martian(const struct flare_addr *addr)
{
	if (!addr->word[0] && !addr->word[1]) {
		__u8 first = bpf_ntohl(addr->word[3]) >> 24;

		if (!addr->word[2]) /* ::, ::1 and what is left of IPv4-compatible addresses */
			return 1;
		return addr->word[2] == bpf_htonl(0xffff) &&
		       (first == 0 || first == 127 || first >= 224);
	}
	return bpf_ntohl(addr->word[0]) >> 24 == 0xff;
}

/*
 * Judges the options in [offset, end_offset): PARSED, or that there is a source route among them,
 * one of an impossible length, or more of them than any sender has a use for.
 */
static __always_inline enum flare_reason parse_ipv4_options(void *data, void *end, __u32 offset,
							    __u32 end_offset)
{
	int i;

	for (i = 0; i < IPV4_OPTIONS_MAX; i++) {
		/* the second byte may be that of the next header */
		__u8 *option = packet_at(data, end, offset, 2);

		if (offset >= end_offset)
			return offset == end_offset ? PARSED : FLARE_REASON_BAD_IP_HEADER;
		if (!option)
			return FLARE_REASON_TRUNCATED;
		if (*option == IPOPT_EOL)
			return PARSED;
		if (*option == IPOPT_LSRR || *option == IPOPT_SSRR)
			return FLARE_REASON_SOURCE_ROUTE;
		if (*option != IPOPT_NOP && (offset + 1 == end_offset || option[1] < 2))
			return FLARE_REASON_BAD_IP_HEADER;
		offset += *option == IPOPT_NOP ? 1 : option[1];
	}
	return offset == end_offset ? PARSED : FLARE_REASON_BAD_IP_HEADER;
}

/* Reads the IPv4 header. `frame_bytes`: bytes of the whole frame, over all its buffers. */
static __always_inline enum flare_reason parse_ipv4(struct cursor *cur, struct packet *pkt,
						    __u8 *proto, __u32 frame_bytes, __u32 gso)
{
	struct iphdr *ip = cursor_take(cur, sizeof(*ip));
	__u32 options;
	__u16 frag;

	if (!ip)
		return FLARE_REASON_TRUNCATED;
	if (ip->version != 4 || ip->ihl < 5)
		return FLARE_REASON_BAD_IP_HEADER;
	pkt->ttl = ip->ttl;
	pkt->bytes = bpf_ntohs(ip->tot_len);
	if (!pkt->bytes && gso) /* BIG TCP */
		pkt->bytes = frame_bytes - pkt->l3;
	if (pkt->bytes < ip->ihl * 4)
		return FLARE_REASON_BAD_IP_HEADER;
	if (pkt->bytes > frame_bytes - pkt->l3)
		return FLARE_REASON_TRUNCATED;
	addr_from_v4(&pkt->flow.src, ip->saddr);
	addr_from_v4(&pkt->flow.dst, ip->daddr);
	*proto = ip->protocol;

	frag = bpf_ntohs(ip->frag_off);
	pkt->fragment_id = bpf_htonl(bpf_ntohs(ip->id));
	pkt->fragment_proto = ip->protocol;
	pkt->first_fragment = (frag & (IP_MF | IP_OFFSET_MASK)) == IP_MF;
	if (frag & IP_OFFSET_MASK)
		pkt->kind = PACKET_LATER_FRAGMENT;

	options = ip->ihl * 4 - sizeof(*ip);
	pkt->plain = !options;
	if (options) {
		enum flare_reason reason =
			parse_ipv4_options(cur->data, cur->end, cur->offset, cur->offset + options);

		if (reason != PARSED)
			return reason;
		if (!cursor_take(cur, options))
			return FLARE_REASON_TRUNCATED;
	}
	return PARSED;
}

/* Walks the extension headers up to the transport header, or to what ends the walk. */
static __always_inline enum flare_reason parse_extensions(struct cursor *cur, struct packet *pkt,
							  __u8 *proto)
{
	int i;

	for (i = 0; i <= EXT_HEADERS_MAX; i++) {
		struct frag_hdr *frag;
		__u8 *ext; /* next header, length in 8 bytes less one, type, segments left */
		__u32 rest;

		switch (*proto) {
		case NEXTHDR_HOP_BY_HOP:
		case NEXTHDR_ROUTING:
		case NEXTHDR_DESTINATION:
			ext = cursor_take(cur, 8);
			if (!ext)
				return FLARE_REASON_TRUNCATED;
			if (*proto == NEXTHDR_ROUTING && ext[3])
				return FLARE_REASON_SOURCE_ROUTE;
			*proto = ext[0];
			rest = ext[1] * 8;
			if (rest && !cursor_take(cur, rest))
				return FLARE_REASON_BAD_EXT_HEADER;
			break;
		case NEXTHDR_FRAGMENT:
			frag = cursor_take(cur, sizeof(struct frag_hdr));
			if (!frag)
				return FLARE_REASON_TRUNCATED;
			*proto = frag->nexthdr;
			pkt->fragment_id = frag->identification;
			pkt->fragment_proto = frag->nexthdr;
			if (frag->frag_off & bpf_htons(0xfff8)) {
				pkt->kind = PACKET_LATER_FRAGMENT;
				pkt->plain = 0;
				return PARSED;
			}
			pkt->first_fragment = !!(frag->frag_off & bpf_htons(1));
			break;
		default:
			return PARSED;
		}
		pkt->plain = 0;
	}
	return FLARE_REASON_BAD_EXT_HEADER;
}

static __always_inline enum flare_reason parse_ipv6(struct cursor *cur, struct packet *pkt,
						    __u8 *proto, __u32 frame_bytes, __u32 gso)
{
	struct ipv6hdr *ip = cursor_take(cur, sizeof(*ip));

	if (!ip)
		return FLARE_REASON_TRUNCATED;
	if (ip->version != 6)
		return FLARE_REASON_BAD_IP_HEADER;
	pkt->is_v6 = 1;
	pkt->plain = 1;
	pkt->ttl = ip->hop_limit;
	pkt->bytes = bpf_ntohs(ip->payload_len) + sizeof(*ip);
	if (!ip->payload_len && gso) /* BIG TCP */
		pkt->bytes = frame_bytes - pkt->l3;
	if (pkt->bytes > frame_bytes - pkt->l3)
		return FLARE_REASON_TRUNCATED;
	addr_from_v6(&pkt->flow.src, &ip->saddr);
	addr_from_v6(&pkt->flow.dst, &ip->daddr);
	/* it would be taken for a packet of the IPv4 service */
	if (addr_is_v4(&pkt->flow.src) || addr_is_v4(&pkt->flow.dst))
		return FLARE_REASON_MARTIAN;
	*proto = ip->nexthdr;
	return parse_extensions(cur, pkt, proto);
}

static __always_inline enum flare_reason parse_tcp(struct cursor *cur, struct packet *pkt)
{
	struct tcphdr *tcp = cursor_take(cur, sizeof(*tcp));

	if (!tcp || pkt->l4 + sizeof(*tcp) > pkt->l3 + pkt->bytes)
		return pkt->first_fragment ? FLARE_REASON_TINY_FRAGMENT : FLARE_REASON_TRUNCATED;
	pkt->flow.sport = tcp->source;
	pkt->flow.dport = tcp->dest;
	pkt->tcp_seq = tcp->seq;
	pkt->tcp_flags = ((__u8 *)tcp)[13] & 0x3f;
	pkt->tcp_header_bytes = tcp->doff * 4;
	return PARSED;
}

static __always_inline enum flare_reason parse_udp(struct cursor *cur, struct packet *pkt)
{
	struct udphdr *udp = cursor_take(cur, sizeof(*udp));

	if (!udp || pkt->l4 + sizeof(*udp) > pkt->l3 + pkt->bytes)
		return pkt->first_fragment ? FLARE_REASON_TINY_FRAGMENT : FLARE_REASON_TRUNCATED;
	pkt->flow.sport = udp->source;
	pkt->flow.dport = udp->dest;
	pkt->udp_no_checksum = !udp->check;
	/* the length field is left to the receiver: fragments and GSO make it differ here */
	if (bpf_ntohs(udp->len) && bpf_ntohs(udp->len) < sizeof(*udp))
		return FLARE_REASON_BAD_TRANSPORT_HEADER;
	return PARSED;
}

static __always_inline int icmp_is_error(__u8 is_v6, __u8 type)
{
	if (is_v6)
		return type >= ICMPV6_DEST_UNREACH && type <= ICMPV6_PARAMETER_PROBLEM;
	return type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED ||
	       type == ICMP_PARAMETER_PROBLEM || type == ICMP_SOURCE_QUENCH;
}

/* Reads the packet that an ICMP error quotes; 8 bytes of its transport header are enough. */
static __always_inline enum flare_reason parse_quote(struct cursor *cur, struct packet *pkt)
{
	struct flare_addr sent_to = pkt->flow.dst;
	__be16 *ports;

	pkt->inner_l3 = cur->offset;
	if (pkt->is_v6) {
		struct ipv6hdr *ip = cursor_take(cur, sizeof(*ip));

		if (!ip || ip->version != 6)
			return FLARE_REASON_ICMP_NO_FLOW;
		addr_from_v6(&pkt->flow.dst, &ip->saddr);
		addr_from_v6(&pkt->flow.src, &ip->daddr);
		if (addr_is_v4(&pkt->flow.src) || addr_is_v4(&pkt->flow.dst))
			return FLARE_REASON_ICMP_NO_FLOW;
		pkt->flow.proto = ip->nexthdr;
	} else {
		struct iphdr *ip = cursor_take(cur, sizeof(*ip));
		__u32 options;

		if (!ip || ip->version != 4 || ip->ihl < 5 ||
		    ip->frag_off & bpf_htons(IP_OFFSET_MASK))
			return FLARE_REASON_ICMP_NO_FLOW;
		addr_from_v4(&pkt->flow.dst, ip->saddr);
		addr_from_v4(&pkt->flow.src, ip->daddr);
		pkt->flow.proto = ip->protocol;
		options = ip->ihl * 4 - sizeof(*ip);
		if (options && !cursor_take(cur, options))
			return FLARE_REASON_ICMP_NO_FLOW;
	}
	/* an error goes to the source of what it quotes */
	if (!addr_equal(&sent_to, &pkt->flow.dst))
		return FLARE_REASON_ICMP_NO_FLOW;
	if (pkt->flow.proto != PROTO_TCP && pkt->flow.proto != PROTO_UDP)
		return FLARE_REASON_ICMP_NO_FLOW;
	pkt->inner_l4 = cur->offset;
	ports = cursor_take(cur, 8);
	if (!ports || cur->offset > pkt->l3 + pkt->bytes)
		return FLARE_REASON_ICMP_NO_FLOW;
	pkt->flow.dport = ports[0];
	pkt->flow.sport = ports[1];
	return PARSED;
}

static __always_inline enum flare_reason parse_icmp(struct cursor *cur, struct packet *pkt)
{
	struct icmphdr *icmp = cursor_take(cur, sizeof(*icmp));

	if (!icmp)
		return FLARE_REASON_TRUNCATED;
	if (!icmp_is_error(pkt->is_v6, icmp->type))
		return FLARE_REASON_ICMP_NOT_ERROR;
	/* no router sends an error in fragments, and the later ones could not be followed */
	if (pkt->first_fragment)
		return FLARE_REASON_ICMP_NO_FLOW;
	pkt->kind = PACKET_ICMP_ERROR;
	return parse_quote(cur, pkt);
}

/*
 * Parses the frame in [data, end). `frame_bytes` is its length over all buffers; `gso` is nonzero
 * where it stands for several. Returns PARSED, or why the packet is not for us to judge.
 */
static __always_inline enum flare_reason packet_parse(struct packet *pkt, void *data, void *end,
						      __u32 frame_bytes, __u32 gso)
{
	struct cursor cur = { .data = data, .end = end };
	struct ethhdr *eth = cursor_take(&cur, sizeof(*eth));
	enum flare_reason reason;
	__u8 proto = 0;
	__be16 type;
	int i;

	if (!eth)
		return FLARE_REASON_TRUNCATED;
	pkt->l2_multicast = eth->h_dest[0] & 1;
	type = eth->h_proto;
	for (i = 0; i < VLAN_TAGS_MAX + 1; i++) {
		__be16 *tag;

		if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD))
			break;
		if (i == VLAN_TAGS_MAX)
			return FLARE_REASON_VLAN_DEPTH;
		tag = cursor_take(&cur, 4);
		if (!tag)
			return FLARE_REASON_TRUNCATED;
		type = tag[1];
		pkt->l2_tags = i + 1;
	}

	pkt->l3 = cur.offset;
	if (type == bpf_htons(ETH_P_IP))
		reason = parse_ipv4(&cur, pkt, &proto, frame_bytes, gso);
	else if (type == bpf_htons(ETH_P_IPV6))
		reason = parse_ipv6(&cur, pkt, &proto, frame_bytes, gso);
	else
		return FLARE_REASON_NOT_IP;
	if (reason != PARSED)
		return reason;

	pkt->l4 = cur.offset;
	pkt->flow.proto = proto;
	if (pkt->kind == PACKET_LATER_FRAGMENT)
		return PARSED;
	if (proto == PROTO_TCP)
		return parse_tcp(&cur, pkt);
	if (proto == PROTO_UDP)
		return parse_udp(&cur, pkt);
	if (proto == (pkt->is_v6 ? PROTO_ICMPV6 : PROTO_ICMP))
		return parse_icmp(&cur, pkt);
	return FLARE_REASON_NOT_TRANSPORT;
}

/* What is wrong with a packet whose ports are ours, or PARSED: nothing. */
static __always_inline enum flare_reason packet_defect(const struct packet *pkt)
{
	if (addr_equal(&pkt->flow.src, &pkt->flow.dst))
		return pkt->flow.sport == pkt->flow.dport ? FLARE_REASON_LAND : FLARE_REASON_SPOOF;
	if (addr_is_martian(&pkt->flow.src))
		return FLARE_REASON_MARTIAN;
	if (pkt->flow.proto == PROTO_UDP)
		return pkt->is_v6 && pkt->udp_no_checksum ? FLARE_REASON_BAD_CHECKSUM_FIELD
							  : PARSED;
	if (pkt->tcp_header_bytes < sizeof(struct tcphdr) ||
	    (!pkt->first_fragment && pkt->l4 + pkt->tcp_header_bytes > pkt->l3 + pkt->bytes))
		return FLARE_REASON_BAD_TRANSPORT_HEADER;
	if ((pkt->tcp_flags & TCP_SYN && pkt->tcp_flags & (TCP_FIN | TCP_RST)) ||
	    !(pkt->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)))
		return FLARE_REASON_BAD_TCP_FLAGS;
	return PARSED;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Turning a packet into an answer to its sender: a TCP reset, or an ICMP error that quotes it. Only
 * plain packets are answered (no IP options, no extension headers, no tag in the frame); another
 * one is dropped, as if the answer had been lost on the way. Needs one of the hook headers.
 */
#pragma once

#include "next_hop.bpf.h"

#define ANSWER_TTL 64

/* Sends the frame back where it came from: the link's addresses change places. */
static __always_inline int answer_swap_link(void *data, void *end)
{
	struct ethhdr *eth = data;
	__u8 mac[ETH_ALEN];

	if ((void *)(eth + 1) > end)
		return -1;
	__builtin_memcpy(mac, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, mac, ETH_ALEN);
	return 0;
}

static __always_inline int answer_possible(const struct packet *pkt)
{
	return pkt->plain && !pkt->l2_tags && !pkt->first_fragment && pkt->kind == PACKET_TRANSPORT;
}

/* IPv4: writes length and TTL, and swaps the addresses, which leaves the sum as it was. */
static __always_inline int answer_ipv4(void *data, void *end, __u32 bytes)
{
	struct iphdr *ip = data + sizeof(struct ethhdr);
	__u64 change = 0;
	__be32 addr;

	if ((void *)(ip + 1) > end)
		return -1;
	addr = ip->saddr;
	ip->saddr = ip->daddr;
	ip->daddr = addr;
	change = csum_change(change, ip->tot_len, bpf_htons(bytes));
	change = csum_change(change, bpf_htons(ip->ttl << 8), bpf_htons(ANSWER_TTL << 8));
	ip->tot_len = bpf_htons(bytes);
	ip->ttl = ANSWER_TTL;
	csum_fix(&ip->check, change);
	return 0;
}

static __always_inline int answer_ipv6(void *data, void *end, __u32 payload_bytes)
{
	struct ipv6hdr *ip = data + sizeof(struct ethhdr);
	struct in6_addr addr;

	if ((void *)(ip + 1) > end)
		return -1;
	addr = ip->saddr;
	ip->saddr = ip->daddr;
	ip->daddr = addr;
	ip->payload_len = bpf_htons(payload_bytes);
	ip->hop_limit = ANSWER_TTL;
	return 0;
}

/* The sum of the TCP pseudo-header; the direction does not matter to it. */
static __always_inline __u64 tcp_pseudo_sum(const struct packet *pkt, __u32 tcp_bytes)
{
	__u64 sum = (__u64)bpf_htonl(tcp_bytes) + bpf_htonl(PROTO_TCP);

	if (!pkt->is_v6)
		return sum + pkt->flow.src.word[3] + pkt->flow.dst.word[3];
	sum += (__u64)pkt->flow.src.word[0] + pkt->flow.src.word[1] + pkt->flow.src.word[2] +
	       pkt->flow.src.word[3];
	return sum + pkt->flow.dst.word[0] + pkt->flow.dst.word[1] + pkt->flow.dst.word[2] +
	       pkt->flow.dst.word[3];
}

/*
 * Answers a TCP segment with a reset (RFC 9293, 3.10.7.1): without ACK its acknowledgment covers
 * the segment, else its sequence number is what the segment acknowledged. A segment whose checksum
 * is still partial (the pseudo-header's sum alone, from a sender on this host) gives a partial one.
 */
static __always_inline int answer_reset(hook_ctx *ctx, const struct packet *pkt)
{
	__u32 tcp_bytes = pkt->l3 + pkt->bytes - pkt->l4;
	struct tcphdr *tcp;
	__be32 *words;
	__u64 pseudo;
	__be16 port;
	int partial;

	if (!answer_possible(pkt) || pkt->tcp_flags & TCP_RST)
		return HOOK_DROP;
	if (hook_trim(ctx, pkt->l4 + sizeof(*tcp)) ||
	    answer_swap_link(hook_data(ctx), hook_data_end(ctx)))
		return HOOK_DROP;
	if (pkt->is_v6 ? answer_ipv6(hook_data(ctx), hook_data_end(ctx), sizeof(*tcp))
		       : answer_ipv4(hook_data(ctx), hook_data_end(ctx),
				     pkt->l4 - pkt->l3 + sizeof(*tcp)))
		return HOOK_DROP;

	tcp = packet_at(hook_data(ctx), hook_data_end(ctx), pkt->l4, sizeof(*tcp));
	if (!tcp)
		return HOOK_DROP;
	partial = tcp->check == csum_fold16(tcp_pseudo_sum(pkt, tcp_bytes));
	port = tcp->source;
	tcp->source = tcp->dest;
	tcp->dest = port;
	words = (__be32 *)tcp;
	if (pkt->tcp_flags & TCP_ACK) {
		tcp->seq = tcp->ack_seq;
		tcp->ack_seq = 0;
		words[3] = bpf_htonl(5U << 28 | TCP_RST << 16);
	} else {
		tcp->ack_seq =
			bpf_htonl(bpf_ntohl(tcp->seq) + tcp_bytes - pkt->tcp_header_bytes +
				  !!(pkt->tcp_flags & TCP_SYN) + !!(pkt->tcp_flags & TCP_FIN));
		tcp->seq = 0;
		words[3] = bpf_htonl(5U << 28 | (TCP_RST | TCP_ACK) << 16);
	}
	words[4] = 0; /* checksum, urgent pointer */
	pseudo = tcp_pseudo_sum(pkt, sizeof(*tcp));
	tcp->check = partial ? csum_fold16(pseudo)
			     : ~csum_fold16(pseudo + words[0] + words[1] + words[2] + words[3]);
	return hook_send_back(ctx);
}

/* What an ICMP error says, in each family's words. */
struct icmp_answer {
	__u8 v4_type;
	__u8 v4_code;
	__u8 v6_type;
	__u8 v6_code;
	__u16 mtu; /* of frag-needed and packet-too-big, else 0 */
};

/* The IPv4 header and ICMP header in front of the quote of `quoted` bytes. */
static __always_inline int answer_icmp_v4(void *data, void *end, const struct packet *pkt,
					  const struct icmp_answer *what, __u32 quoted)
{
	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct icmphdr *icmp = (void *)(ip + 1);
	__s64 sum;

	if ((void *)(icmp + 1) + quoted > end)
		return -1;
	__builtin_memset(ip, 0, sizeof(*ip) + sizeof(*icmp));
	ip->version = 4;
	ip->ihl = 5;
	ip->tot_len = bpf_htons(sizeof(*ip) + sizeof(*icmp) + quoted);
	ip->ttl = ANSWER_TTL;
	ip->protocol = PROTO_ICMP;
	ip->saddr = pkt->flow.dst.word[3];
	ip->daddr = pkt->flow.src.word[3];
	sum = bpf_csum_diff(NULL, 0, (void *)ip, sizeof(*ip), 0);
	ip->check = ~csum_fold16(sum);

	icmp->type = what->v4_type;
	icmp->code = what->v4_code;
	icmp->un.frag.mtu = bpf_htons(what->mtu);
	sum = bpf_csum_diff(NULL, 0, (void *)icmp, sizeof(*icmp) + quoted, 0);
	icmp->checksum = ~csum_fold16(sum);
	return 0;
}

static __always_inline int answer_icmp_v6(void *data, void *end, const struct packet *pkt,
					  const struct icmp_answer *what, __u32 quoted)
{
	struct ipv6hdr *ip = data + sizeof(struct ethhdr);
	struct icmp6hdr *icmp = (void *)(ip + 1);
	__u32 bytes = sizeof(*icmp) + quoted;
	__s64 sum;

	if ((void *)(icmp + 1) + quoted > end)
		return -1;
	__builtin_memset(ip, 0, sizeof(*ip) + sizeof(*icmp));
	ip->version = 6;
	ip->payload_len = bpf_htons(bytes);
	ip->nexthdr = PROTO_ICMPV6;
	ip->hop_limit = ANSWER_TTL;
	addr_to_v6(&ip->saddr, &pkt->flow.dst);
	addr_to_v6(&ip->daddr, &pkt->flow.src);

	icmp->icmp6_type = what->v6_type;
	icmp->icmp6_code = what->v6_code;
	icmp->icmp6_dataun.un_data32[0] = bpf_htonl(what->mtu);
	/* the pseudo-header: both addresses, the length, the next header */
	sum = bpf_csum_diff(NULL, 0, (void *)&ip->saddr, 2 * sizeof(ip->saddr), 0);
	sum = bpf_csum_diff(NULL, 0, (void *)icmp, bytes, (__u32)sum);
	icmp->icmp6_cksum =
		~csum_fold16((__u64)(__u32)sum + bpf_htonl(bytes) + bpf_htonl(PROTO_ICMPV6));
	return 0;
}

/*
 * Answers with an ICMP error that quotes the packet, from the address that it was sent to. The
 * quote holds a whole TCP header: where its checksum is still partial, less cannot be cut off.
 */
static __always_inline int answer_icmp(hook_ctx *ctx, const struct packet *pkt,
				       const struct icmp_answer *what)
{
	__u32 ip_bytes = pkt->is_v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	__u32 quoted = ip_bytes + (pkt->flow.proto == PROTO_TCP ? sizeof(struct tcphdr)
								: sizeof(struct udphdr));
	int failed;

	/* below, sizes are written out: the checksum helper wants lengths that are constant */
	if (!answer_possible(pkt) || pkt->l3 != sizeof(struct ethhdr))
		return HOOK_DROP;
	if (hook_trim(ctx, pkt->l3 + quoted) ||
	    hook_make_room(ctx, ip_bytes + sizeof(struct icmphdr)) ||
	    answer_swap_link(hook_data(ctx), hook_data_end(ctx)))
		return HOOK_DROP;
	if (pkt->is_v6 && pkt->flow.proto == PROTO_TCP)
		failed = answer_icmp_v6(hook_data(ctx), hook_data_end(ctx), pkt, what,
					sizeof(struct ipv6hdr) + sizeof(struct tcphdr));
	else if (pkt->is_v6)
		failed = answer_icmp_v6(hook_data(ctx), hook_data_end(ctx), pkt, what,
					sizeof(struct ipv6hdr) + sizeof(struct udphdr));
	else if (pkt->flow.proto == PROTO_TCP)
		failed = answer_icmp_v4(hook_data(ctx), hook_data_end(ctx), pkt, what,
					sizeof(struct iphdr) + sizeof(struct tcphdr));
	else
		failed = answer_icmp_v4(hook_data(ctx), hook_data_end(ctx), pkt, what,
					sizeof(struct iphdr) + sizeof(struct udphdr));
	return failed ? HOOK_DROP : hook_send_back(ctx);
}

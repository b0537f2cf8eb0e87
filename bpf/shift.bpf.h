/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A GOAWAY frame put into a connection of HTTP/2, behind a frame of the server: the client finishes
 * its streams, begins no more and dials again (RFC 9113, section 6.8). From there on the client
 * counts 17 bytes more than the server, so sequence numbers to the client, and acknowledgements
 * from it, are translated to the connection's end. SACK blocks are blanked, which is always allowed.
 *
 * A segment that ends where the frame stands gets it each time it is sent: that is the frame's
 * retransmission. One that reaches over that place is cut there, and the server sends the rest
 * again.
 */
#pragma once

#include "key.bpf.h"
#include "turn.bpf.h"

#define TCP_OPTIONS_BYTES_MAX 40
#define TCP_OPTION_END 0
#define TCP_OPTION_NOP 1
#define TCP_OPTION_SACK 5

/* Whether any connection of the service has a frame of ours in it. */
static __always_inline int shifts_exist(__u32 service_id)
{
	struct flare_admission *adm = admission_find(service_id);

	return adm && *(volatile __u32 *)&adm->shifts;
}

/* Replaces 32 bits of the TCP header at `offset`. Returns 0, or -1. */
static __always_inline int tcp_word_set(hook_ctx *ctx, const struct packet *pkt, __u32 offset,
					__be32 from, __be32 to)
{
	struct csum_delta delta = { .payload = csum_change(0, from, to) };

	if (hook_store(ctx, pkt->l4 + offset, &to, sizeof(to)))
		return -1;
	return hook_fix_transport(ctx, pkt, &delta);
}

/* TCP options, and the search for SACK among them. In a map, as struct move_scratch is. */
struct option_scratch {
	__u8 was[TCP_OPTIONS_BYTES_MAX], is[TCP_OPTIONS_BYTES_MAX];
	__u32 bytes;
	__u32 at;
	__u32 from, to; /* of the SACK option; to 0: none */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct option_scratch);
} option_scratch SEC(".maps");

struct option_walk {
	struct option_scratch *scratch;
};

static __always_inline __u8 option_at(const struct option_scratch *scratch, __u32 at)
{
	asm volatile("" : "+r"(at));
	return at < TCP_OPTIONS_BYTES_MAX ? scratch->was[at] : 0;
}

static long sack_step(__u64 index __attribute__((unused)), struct option_walk *walk)
{
	struct option_scratch *scratch = walk->scratch;
	__u8 kind = option_at(scratch, scratch->at), bytes = option_at(scratch, scratch->at + 1);

	if (scratch->at >= scratch->bytes || kind == TCP_OPTION_END)
		return 1;
	if (kind == TCP_OPTION_NOP) {
		scratch->at++;
		return 0;
	}
	if (bytes < 2)
		return 1;
	if (kind == TCP_OPTION_SACK) {
		scratch->from = scratch->at;
		scratch->to = scratch->at + bytes;
		return 1;
	}
	scratch->at += bytes;
	return 0;
}

static long blank_step(__u64 index, struct option_walk *walk)
{
	struct option_scratch *scratch = walk->scratch;
	__u32 at = (__u32)index;

	asm volatile("" : "+r"(at));
	if (at >= TCP_OPTIONS_BYTES_MAX)
		return 1;
	scratch->is[at] =
		at >= scratch->from && at < scratch->to ? TCP_OPTION_NOP : scratch->was[at];
	return 0;
}

/* Overwrites SACK blocks with NOPs: they are in the client's count. Returns 0, or -1. */
static __always_inline int sack_blank(hook_ctx *ctx, const struct packet *pkt)
{
	__u32 zero = 0, bytes = pkt->tcp_header_bytes - sizeof(struct tcphdr);
	struct option_scratch *scratch = bpf_map_lookup_elem(&option_scratch, &zero);
	struct option_walk walk = { .scratch = scratch };
	struct csum_delta delta = {};
	__s64 change;

	if (pkt->tcp_header_bytes <= sizeof(struct tcphdr))
		return 0;
	if (!scratch || !LENGTH_WITHIN(bytes, TCP_OPTIONS_BYTES_MAX))
		return -1;
	__builtin_memset(scratch, 0, sizeof(*scratch));
	if (hook_load(ctx, pkt->l4 + sizeof(struct tcphdr), scratch->was, bytes))
		return -1;
	scratch->bytes = bytes;
	bpf_loop(TCP_OPTIONS_BYTES_MAX, sack_step, &walk, 0);
	if (!scratch->to)
		return 0;
	bpf_loop(TCP_OPTIONS_BYTES_MAX, blank_step, &walk, 0);
	change = bpf_csum_diff((__be32 *)scratch->was, TCP_OPTIONS_BYTES_MAX, (__be32 *)scratch->is,
			       TCP_OPTIONS_BYTES_MAX, 0);
	if (change < 0 || hook_store(ctx, pkt->l4 + sizeof(struct tcphdr), scratch->is, bytes))
		return -1;
	delta.payload = (__u64)change;
	return hook_fix_transport(ctx, pkt, &delta);
}

static __always_inline void shift_touch(struct flare_shift *shift, const struct packet *pkt,
					__u8 dir)
{
	shift->seen_ns = bpf_ktime_get_coarse_ns();
	if (pkt->tcp_flags & TCP_RST)
		__sync_fetch_and_or(&shift->ended, 1 << FLARE_DIR_FORWARD | 1 << FLARE_DIR_REVERSE);
	else if (pkt->tcp_flags & TCP_FIN)
		__sync_fetch_and_or(&shift->ended, 1 << (dir & 1));
}

/*
 * A packet of the client on its way to the server: its acknowledgement, in the server's count.
 * Returns 0, or -1 where the packet must be lost.
 */
__noinline int shift_in(hook_ctx *ctx, const struct packet *pkt,
			const struct flare_flow_key *client)
{
	struct flare_flow_key *key;
	struct flare_shift *shift;
	__u32 offset = offsetof(struct tcphdr, ack_seq);
	__be32 ack = 0;
	__u32 number, to;

	if (!pkt || !client || pkt->kind != PACKET_TRANSPORT || pkt->flow.proto != PROTO_TCP)
		return 0;
	key = key_copy(client);
	shift = key ? bpf_map_lookup_elem(&shifts, key) : NULL;
	if (!shift)
		return 0;
	if (pkt->tcp_flags & TCP_SYN) { /* a new connection on the addresses of one that ended */
		struct flare_admission *adm = admission_find(shift->service_id);

		if (!bpf_map_delete_elem(&shifts, key) && adm)
			__sync_fetch_and_sub(&adm->shifts, 1);
		return 0;
	}
	shift_touch(shift, pkt, FLARE_DIR_FORWARD);
	if (!(pkt->tcp_flags & TCP_ACK))
		return 0;
	if (hook_load(ctx, pkt->l4 + offset, &ack, sizeof(ack)))
		return -1;
	number = bpf_ntohl(ack);
	if (!seq_after(number, shift->at))
		return 0;
	to = seq_after(number, shift->at + FLARE_GOAWAY_BYTES) ? number - FLARE_GOAWAY_BYTES
							       : shift->at;
	if (tcp_word_set(ctx, pkt, offset, ack, bpf_htonl(to)))
		return -1;
	return sack_blank(ctx, pkt);
}

/*
 * Changes the length in the IP header by `change`, which may be negative. BIG TCP leaves it 0: then it
 * is made that of the packet. Returns 0, or -1.
 */
static __always_inline int ip_length_change(hook_ctx *ctx, const struct packet *pkt, __s32 change)
{
	__u32 offset = pkt->l3 + (pkt->is_v6 ? offsetof(struct ipv6hdr, payload_len)
					     : offsetof(struct iphdr, tot_len));
	__u32 bytes = pkt->bytes - (pkt->is_v6 ? sizeof(struct ipv6hdr) : 0);
	__be16 was, is, check;

	if (hook_load(ctx, offset, &was, sizeof(was)))
		return -1;
	is = bpf_htons((was ? bpf_ntohs(was) : bytes) + change);
	if (hook_store(ctx, offset, &is, sizeof(is)))
		return -1;
	if (pkt->is_v6)
		return 0;
	offset = pkt->l3 + offsetof(struct iphdr, check);
	if (hook_load(ctx, offset, &check, sizeof(check)))
		return -1;
	csum_fix(&check, csum_change(0, was, is));
	return hook_store(ctx, offset, &check, sizeof(check));
}

/*
 * Appends the frame to a segment of `bytes` of payload. The sum of the frame counts from an odd or an
 * even place. Returns 0, or -1.
 */
static __always_inline int goaway_append(hook_ctx *ctx, const struct packet *pkt, __u32 bytes)
{
	/* a frame of 8 bytes, type 7, stream 0; last stream 2^31 - 1; NO_ERROR; and zeros to sum */
	__u8 frame[20] = { 0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff };
	struct csum_delta delta = {};
	__u32 end = pkt->l4 + pkt->tcp_header_bytes + bytes;
	__u32 tcp_bytes = pkt->tcp_header_bytes + bytes;
	__s64 sum;

	sum = bpf_csum_diff(NULL, 0, (__be32 *)frame, sizeof(frame), 0);
	if (sum < 0 || hook_extend(ctx, FLARE_GOAWAY_BYTES))
		return -1;
	sum = csum_fold16((__u64)sum);
	if (bytes & 1)
		sum = (sum >> 8 | sum << 8) & 0xffff;
	delta.payload = (__u64)sum;
	delta.pseudo =
		csum_change(0, bpf_htons(tcp_bytes), bpf_htons(tcp_bytes + FLARE_GOAWAY_BYTES));
	if (hook_store(ctx, end, frame, FLARE_GOAWAY_BYTES) ||
	    ip_length_change(ctx, pkt, FLARE_GOAWAY_BYTES))
		return -1;
	return hook_fix_transport(ctx, pkt, &delta);
}

/*
 * Segments that carry the frame, headers included: what any path of IPv6 carries, and in practice
 * any of IPv4.
 */
#define GOAWAY_PACKET_BYTES_MAX 1280

/* The sum of `bytes` of the frame of Ethernet from `offset` on, for one packet of a usual size. */
#define SUM_CHUNK_BYTES 512

struct sum_scratch {
	__u8 chunk[SUM_CHUNK_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sum_scratch);
} sum_scratch SEC(".maps");

static __always_inline __s64 bytes_sum(hook_ctx *ctx, __u32 offset, __u32 bytes)
{
	__u32 zero = 0, done, chunk;
	struct sum_scratch *scratch = bpf_map_lookup_elem(&sum_scratch, &zero);
	__u64 sum = 0;
	__s64 part;

	if (!scratch)
		return -1;
	for (done = 0; done < 4 * SUM_CHUNK_BYTES; done += SUM_CHUNK_BYTES) {
		if (done >= bytes)
			return (__s64)sum;
		chunk = bytes - done < SUM_CHUNK_BYTES ? bytes - done : SUM_CHUNK_BYTES;
		__builtin_memset(scratch->chunk, 0, SUM_CHUNK_BYTES);
		if (!LENGTH_WITHIN(chunk, SUM_CHUNK_BYTES) ||
		    hook_load(ctx, offset + done, scratch->chunk, chunk))
			return -1;
		part = bpf_csum_diff(NULL, 0, (__be32 *)scratch->chunk, SUM_CHUNK_BYTES, 0);
		if (part < 0)
			return -1;
		sum += csum_fold16((__u64)part);
	}
	return done >= bytes ? (__s64)sum : -1;
}

/* Cuts a segment of `bytes` of payload to `keep`, without its FIN. Returns 0, or -1. */
static __always_inline int segment_cut(hook_ctx *ctx, const struct packet *pkt, __u32 bytes,
				       __u32 keep)
{
	__u32 headers = pkt->l4 + pkt->tcp_header_bytes, flags_at = 12;
	__u32 tcp_bytes = pkt->tcp_header_bytes + bytes, cut = bytes - keep;
	struct csum_delta delta = {};
	__be32 was, is;

	/* a super-packet's sum is not finished: it covers no payload yet */
	if (!hook_gso_bytes(ctx)) {
		__s64 sum = bytes_sum(ctx, headers + keep, cut);

		if (sum < 0)
			return -1;
		sum = csum_fold16((__u64)sum);
		if (keep & 1)
			sum = (sum >> 8 | sum << 8) & 0xffff;
		delta.payload = (__u16)~sum;
	}
	delta.pseudo = csum_change(0, bpf_htons(tcp_bytes), bpf_htons(tcp_bytes - cut));
	if (hook_load(ctx, pkt->l4 + flags_at, &was, sizeof(was)))
		return -1;
	is = was & ~bpf_htonl(TCP_FIN << 16);
	if (hook_fix_transport(ctx, pkt, &delta) || tcp_word_set(ctx, pkt, flags_at, was, is) ||
	    hook_trim(ctx, headers + keep))
		return -1;
	return ip_length_change(ctx, pkt, -(__s32)cut);
}

/*
 * A packet of the server on its way to the client: its sequence number, in the client's count, and
 * the frame, where it belongs. Returns 0, or -1 where the packet must be lost.
 */
__noinline int shift_out(hook_ctx *ctx, const struct packet *pkt,
			 const struct flare_flow_key *client)
{
	struct flare_flow_key *key;
	struct flare_shift *shift;
	__u32 seq, bytes, keep, room;

	if (!pkt || !client || pkt->kind != PACKET_TRANSPORT || pkt->flow.proto != PROTO_TCP)
		return 0;
	key = key_copy(client);
	shift = key ? bpf_map_lookup_elem(&shifts, key) : NULL;
	if (!shift)
		return 0;
	shift_touch(shift, pkt, FLARE_DIR_REVERSE);
	seq = bpf_ntohl(pkt->tcp_seq);
	bytes = payload_bytes(pkt);
	if (!seq_after(shift->at, seq)) {
		if (!*(volatile __u32 *)&shift->ready)
			return -1;
		return tcp_word_set(ctx, pkt, offsetof(struct tcphdr, seq), pkt->tcp_seq,
				    bpf_htonl(seq + FLARE_GOAWAY_BYTES));
	}
	if (seq_after(shift->at, seq + bytes))
		return 0;
	keep = shift->at - seq;
	room = GOAWAY_PACKET_BYTES_MAX - FLARE_GOAWAY_BYTES - (pkt->bytes - bytes);
	if (hook_gso_bytes(ctx) && hook_gso_bytes(ctx) < room)
		room = hook_gso_bytes(ctx);
	if (keep > room)
		return segment_cut(ctx, pkt, bytes, room);
	if (keep < bytes && segment_cut(ctx, pkt, bytes, keep))
		return -1;
	return goaway_append(ctx, pkt, keep);
}

/*
 * Makes the entry that puts the frame behind this segment, the newest of the server: shift_out()
 * does the rest. Returns 0, or -1 where it cannot be.
 */
static __always_inline int shift_begin(hook_ctx *ctx, const struct packet *pkt,
				       struct flare_turn *turn, const struct flare_flow_key *client)
{
	__u32 end = bpf_ntohl(pkt->tcp_seq) + payload_bytes(pkt);
	struct flare_admission *adm = admission_find(turn->service_id);
	struct flare_flow_key *key = key_copy(client);
	struct flare_shift fresh = {
		.seen_ns = bpf_ktime_get_coarse_ns(),
		.at = end,
		.service_id = turn->service_id,
	};
	struct flare_shift *shift;

	if (!adm || !key || pkt->tcp_flags & (TCP_FIN | TCP_RST | TCP_SYN) || hook_gso_bytes(ctx) ||
	    pkt->bytes + FLARE_GOAWAY_BYTES > GOAWAY_PACKET_BYTES_MAX ||
	    hook_frame_bytes(ctx) != pkt->l3 + pkt->bytes || hook_extend(ctx, FLARE_GOAWAY_BYTES) ||
	    hook_trim(ctx, pkt->l3 + pkt->bytes))
		return -1;
	/* counted first: whoever sees the entry must know to look for it */
	__sync_fetch_and_add(&adm->shifts, 1);
	if (!bpf_map_update_elem(&shifts, key, &fresh, BPF_NOEXIST)) {
		shift = bpf_map_lookup_elem(&shifts, key);
		/* a later segment on another CPU came between: it may not have seen the entry */
		if (shift && __sync_fetch_and_add(&turn->server_end, 0) == end) {
			*(volatile __u32 *)&shift->ready = 1;
			return 0;
		}
		bpf_map_delete_elem(&shifts, key);
	}
	__sync_fetch_and_sub(&adm->shifts, 1);
	return -1;
}

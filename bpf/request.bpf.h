/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests, counted as turns: one begins with the first new payload of the client after payload of
 * the server, and is answered by the first new payload of the server after that. Sequence numbers
 * tell new payload from retransmissions and keep-alive probes. Connections of cleartext HTTP/2 are
 * counted by their streams instead (http2.bpf.h), and those of a service that asks for it as one
 * request each, from SYN to FIN.
 *
 * Needs one of the hook headers before it.
 */
#pragma once

#include "http2.bpf.h"
#include "move.bpf.h"
#include "shift.bpf.h"

/* New payload of the client of a connection; `last` is where its newest payload ended before. */
static __always_inline void client_payload(hook_ctx *ctx, const struct packet *pkt,
					   struct flare_turn *turn, __u32 seq, __u32 bytes,
					   __u32 last)
{
	int first = !(turn->flags & FLARE_TURN_PAYLOAD);
	int behind = first && seq_after(seq, last);

	if (first)
		payload_learn(ctx, pkt, turn, behind);
	if (behind && turn->flags & FLARE_TURN_TLS)
		return; /* amid a ClientHello */
	if (first && !(turn->flags & (FLARE_TURN_HTTP2 | FLARE_TURN_TLS)))
		move_spare_http10(ctx, pkt, turn);
	if (turn->flags & FLARE_TURN_HTTP2) {
		if (first || !http2_find(turn->tag))
			http2_start(turn, first ? last : seq, first);
		http2_segment(ctx, pkt, turn, seq, FLARE_DIR_FORWARD);
		return;
	}
	if ((!(turn->flags & FLARE_TURN_COUNTED) ||
	     *(volatile __u32 *)&turn->server_end != turn->snap) &&
	    turn_is_due(ctx, pkt, turn, bytes))
		turn_begin(turn, &pkt->flow);
}

/* A packet from the client of a connection; `backend_id` 0: of a receiver's VM tier. */
__noinline int turn_client(hook_ctx *ctx, const struct packet *pkt, __u32 service_id,
			   __u32 backend_id, __u32 tier)
{
	struct flare_turn_set *set;
	struct flare_turn *turn;
	__u32 seq, bytes;
	__u64 tag;

	if (!pkt || !turn_matters(pkt))
		return 0;
	tag = turn_tag(&pkt->flow);
	set = turn_set_find(tag);
	if (!set)
		return 0;
	turn = turn_find(set, tag);
	bytes = payload_bytes(pkt);
	seq = bpf_ntohl(pkt->tcp_seq);
	if (pkt->tcp_flags & TCP_SYN) {
		seq++;
		if (!turn || turn->ended & FLARE_TURN_CLOSED || turn->client_end != seq ||
		    (turn->requests && !(turn->flags & FLARE_TURN_WHOLE))) {
			if (!turn)
				turn = turn_take(set, tag);
			turn_reset(turn, &pkt->flow, service_id, backend_id, tier);
			turn->client_end = seq;
			turn->syn_ns = bpf_ktime_get_ns();
			if (turn->flags & FLARE_TURN_WHOLE)
				turn_begin(turn, &pkt->flow);
		}
	} else if (!turn) {
		__be32 ack = 0;

		/* a connection from before us, or one whose slot was lost */
		if (!bytes || pkt->tcp_flags & TCP_RST ||
		    hook_load(ctx, pkt->l4 + offsetof(struct tcphdr, ack_seq), &ack, sizeof(ack)))
			return 0;
		turn = turn_take(set, tag);
		turn_reset(turn, &pkt->flow, service_id, backend_id, tier);
		turn->client_end = seq;
		turn->server_end = bpf_ntohl(ack);
		payload_guess(turn);
		if (turn->flags & FLARE_TURN_WHOLE)
			turn_begin(turn, &pkt->flow);
	}
	turn->seen_ns = bpf_ktime_get_coarse_ns();
	if (bytes && turn->flags & FLARE_TURN_HTTP2 && seq_after(turn->client_end, seq))
		http2_late(ctx, pkt, turn, seq, FLARE_DIR_FORWARD);
	if (bytes && seq_after(seq + bytes, turn->client_end)) {
		__u32 last = turn->client_end;

		turn->client_end = seq + bytes;
		if (!(turn->flags & FLARE_TURN_WHOLE))
			client_payload(ctx, pkt, turn, seq, bytes, last);
	}
	if (pkt->tcp_flags & TCP_RST) {
		turn_abandon(turn);
		turn->ended |= FLARE_TURN_CLOSED;
	}
	return 0;
}

/* Tells the client to dial again, after an answer on a connection that shall move. */
__noinline int move_after_answer(hook_ctx *ctx, const struct packet *pkt, struct flare_turn *turn,
				 const struct flare_flow_key *client)
{
	struct flare_admission *adm;
	struct flare_service *svc;
	int told;

	if (!pkt || !turn || !client)
		return 0;
	adm = admission_find(turn->service_id);
	svc = service_of(client);
	if (!svc || !adm || turn->flags & FLARE_TURN_TLS || turn->ended & FLARE_TURN_HEADLESS ||
	    !move_wanted(svc, adm, turn))
		return 0;
	if (turn->flags & FLARE_TURN_HTTP2) {
		if (!shift_begin(ctx, pkt, turn, client))
			move_count(turn, FLARE_MEANS_GOAWAY);
		return 0;
	}
	told = move_by_header(ctx, pkt);
	if (!told)
		move_count(turn, FLARE_MEANS_HEADER);
	else if (told == NOT_HTTP)
		turn->ended |= FLARE_TURN_HEADLESS;
	return 0;
}

/* New payload of the server of a connection; `end` is the sequence number behind it. */
static __always_inline void server_payload(hook_ctx *ctx, const struct packet *pkt,
					   struct flare_turn *turn,
					   const struct flare_flow_key *client, __u32 end,
					   __u32 bytes)
{
	int answered = 0;

	if (turn->flags & FLARE_TURN_WHOLE) {
		turn->server_end = end;
		return;
	}
	if (turn->flags & FLARE_TURN_HTTP2) {
		turn->server_end = end;
		answered = http2_segment(ctx, pkt, turn, end - bytes, FLARE_DIR_REVERSE);
	} else {
		if (*(volatile __u64 *)&turn->open_ns && answer_is_interim(ctx, pkt, bytes))
			return;
		turn->server_end = end;
		answered = turn_answer(turn);
	}
	if (answered)
		move_after_answer(ctx, pkt, turn, client);
}

/* A packet to the client of a connection: `client` is the key of what the client sends. */
__noinline int turn_server(hook_ctx *ctx, const struct packet *pkt,
			   const struct flare_flow_key *client)
{
	struct flare_turn_set *set;
	struct flare_turn *turn;
	__u32 end, bytes;
	__u64 tag;

	if (!pkt || !client || !turn_matters(pkt))
		return 0;
	tag = turn_tag(client);
	set = turn_set_find(tag);
	if (!set)
		return 0;
	turn = turn_find(set, tag);
	if (!turn)
		return 0;
	turn->seen_ns = bpf_ktime_get_coarse_ns();
	bytes = payload_bytes(pkt);
	end = bpf_ntohl(pkt->tcp_seq) + bytes;
	if (pkt->tcp_flags & TCP_SYN) {
		__u64 syn_ns = turn->syn_ns, now_ns = bpf_ktime_get_ns();

		if (!syn_ns)
			return 0; /* once more */
		turn->syn_ns = 0;
		turn->server_end = end + 1;
		latency_add(turn, FLARE_LATENCY_HANDSHAKE, now_ns > syn_ns ? now_ns - syn_ns : 0);
		return 0;
	}
	if (bytes && turn->flags & FLARE_TURN_HTTP2 && seq_after(turn->server_end, end - bytes))
		http2_late(ctx, pkt, turn, end - bytes, FLARE_DIR_REVERSE);
	if (bytes && seq_after(end, turn->server_end))
		server_payload(ctx, pkt, turn, client, end, bytes);
	if (pkt->tcp_flags & TCP_FIN && turn->flags & FLARE_TURN_WHOLE)
		turn_answer(turn);
	if (pkt->tcp_flags & (TCP_FIN | TCP_RST)) {
		turn_abandon(turn);
		turn->ended |= FLARE_TURN_CLOSED;
	}
	return 0;
}

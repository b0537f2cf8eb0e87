/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests, counted as turns: one begins with the first new payload of the client after payload of
 * the server, and is answered by the first new payload of the server after that. Sequence numbers
 * tell new payload from retransmissions and keep-alive probes. No content is read, but for three
 * small rules: TLS handshakes and alerts are no requests, an interim answer (1xx) is no answer, and
 * a connection of cleartext HTTP/2 counts as one request.
 *
 * Needs one of the hook headers before it.
 */
#pragma once

#include "count.bpf.h"
#include "select.bpf.h"

/* Length of the longest look into a payload. */
#define PAYLOAD_LOOK_BYTES 12

/* Bytes of a TCP segment behind its header. */
static __always_inline __u32 payload_bytes(const struct packet *pkt)
{
	__u32 headers = pkt->l4 + pkt->tcp_header_bytes - pkt->l3;

	return pkt->bytes > headers ? pkt->bytes - headers : 0;
}

/* Whether the packet can change anything here: an acknowledgement alone cannot. */
static __always_inline int turn_matters(const struct packet *pkt)
{
	return pkt->flow.proto == PROTO_TCP && pkt->kind == PACKET_TRANSPORT &&
	       !pkt->first_fragment &&
	       (pkt->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST) || payload_bytes(pkt));
}

/* Whether `a` comes after `b` in sequence space (RFC 9293, section 3.4). */
static __always_inline int seq_after(__u32 a, __u32 b)
{
	return (__s32)(a - b) > 0;
}

static __always_inline __u64 turn_tag(const struct flare_flow_key *client)
{
	struct flare_settings *set = settings_get();
	__u64 tag = set ? flow_hash(client, set->hash_key) : 0;

	return tag ? tag : 1;
}

static __always_inline struct flare_turn_set *turn_set_find(__u64 tag)
{
	__u32 index = (__u32)(tag >> 32) & (FLARE_TURN_SETS - 1);

	return bpf_map_lookup_elem(&turns, &index);
}

static __always_inline struct flare_turn *turn_find(struct flare_turn_set *set, __u64 tag)
{
	int i;

	for (i = 0; i < FLARE_TURN_WAYS; i++)
		if (set->way[i].tag == tag)
			return &set->way[i];
	return NULL;
}

static __always_inline void in_flight_add(const struct flare_turn *turn, __s64 change)
{
	struct flare_admission *adm = admission_find(turn->service_id);

	if (adm)
		__sync_fetch_and_add(&adm->in_flight[turn->tier & 1], change);
}

/* What a request's begin or end adds to, of a service and of its backend. */
struct turn_rows {
	struct flare_traffic *tier, *backend;
};

static __always_inline struct turn_rows turn_rows_find(const struct flare_turn *turn)
{
	struct flare_service_counters *row = service_counters_find(turn->service_id);
	struct flare_backend_counters *backend = NULL;
	struct turn_rows rows = {};

	if (turn->backend_id)
		backend = backend_counters_find(turn->backend_id);
	if (row)
		rows.tier = &row->tier[turn->tier & 1];
	if (backend)
		rows.backend = &backend->traffic;
	return rows;
}

/* Ends the open request, if there is one, without an answer. */
static __always_inline void turn_abandon(struct flare_turn *turn)
{
	struct turn_rows rows;

	if (!*(volatile __u64 *)&turn->open_ns || !__sync_lock_test_and_set(&turn->open_ns, 0))
		return;
	in_flight_add(turn, -1);
	rows = turn_rows_find(turn);
	if (rows.tier)
		rows.tier->abandoned++;
	if (rows.backend)
		rows.backend->abandoned++;
}

/*
 * The slot of a connection that has none yet: a free one, an ended one, or the longest silent. What
 * is in it is still the other connection's, for turn_reset().
 */
static __always_inline struct flare_turn *turn_take(struct flare_turn_set *set, __u64 tag)
{
	struct flare_turn *taken = &set->way[0];
	int i;

	for (i = 0; i < FLARE_TURN_WAYS; i++) {
		struct flare_turn *way = &set->way[i];

		if (!way->tag || way->ended) {
			taken = way;
			break;
		}
		if (way->seen_ns < taken->seen_ns)
			taken = way;
	}
	taken->tag = tag;
	return taken;
}

static __always_inline void turn_reset(struct flare_turn *turn, __u32 service_id, __u32 backend_id)
{
	turn_abandon(turn);
	turn->syn_ns = 0;
	turn->client_end = 0;
	turn->snap = 0;
	turn->server_end = 0;
	turn->requests = 0;
	turn->service_id = service_id;
	turn->backend_id = backend_id;
	turn->tier = backend_id ? FLARE_TIER_SERVERLESS : FLARE_TIER_VM;
	turn->flags = 0;
	turn->ended = 0;
}

static __always_inline void latency_add(const struct flare_turn *turn, enum flare_latency kind,
					__u64 ns)
{
	__u32 index =
		(turn->service_id * FLARE_TIERS_COUNT + (turn->tier & 1)) * FLARE_LATENCIES_COUNT +
		kind;
	struct flare_histogram *histogram = bpf_map_lookup_elem(&latencies, &index);
	__u32 slot = latency_slot(ns);

	if (!histogram || slot >= FLARE_LATENCY_SLOTS)
		return;
	__sync_fetch_and_add(&histogram->count[slot], 1);
	__sync_fetch_and_add(&histogram->sum_ns, ns);
}

/* A request in the VM tier, on its service's account: its own connection was charged by the SYN. */
static __always_inline void turn_charge(const struct flare_turn *turn,
					const struct flare_flow_key *client, __u64 now_ns)
{
	struct flare_service_key key = {
		.addr = client->dst,
		.port = client->dport,
		.proto = client->proto,
	};
	struct flare_service *svc = bpf_map_lookup_elem(&services, &key);
	struct flare_service_counters *row = service_counters_find(turn->service_id);
	struct flare_admission *adm = admission_find(turn->service_id);

	if (!svc || !row || !adm)
		return;
	if (svc->workers && *(volatile __s64 *)&adm->in_flight[FLARE_TIER_VM] >= svc->workers)
		row->busy++;
	if (turn->requests && svc->bucket_interval_ns)
		bucket_charge(&adm->bucket_time_ns, now_ns, svc->bucket_interval_ns,
			      svc->bucket_depth_ns);
}

static __always_inline void turn_begin(struct flare_turn *turn, const struct flare_flow_key *client)
{
	__u64 now_ns = bpf_ktime_get_ns();
	struct turn_rows rows = turn_rows_find(turn);
	__u64 unanswered;

	if (turn->tier == FLARE_TIER_VM)
		turn_charge(turn, client, now_ns);
	turn->flags |= FLARE_TURN_COUNTED;
	turn->snap = *(volatile __u32 *)&turn->server_end;
	turn->requests += turn->requests != 0xffff;
	unanswered = __sync_lock_test_and_set(&turn->open_ns, now_ns);
	if (!unanswered)
		in_flight_add(turn, 1);
	if (rows.tier) {
		rows.tier->requests++;
		rows.tier->abandoned += !!unanswered;
	}
	if (rows.backend) {
		rows.backend->requests++;
		rows.backend->abandoned += !!unanswered;
	}
}

static __always_inline void turn_answer(struct flare_turn *turn)
{
	struct turn_rows rows;
	__u64 begun_ns, now_ns;

	if (!*(volatile __u64 *)&turn->open_ns)
		return;
	begun_ns = __sync_lock_test_and_set(&turn->open_ns, 0);
	if (!begun_ns)
		return;
	in_flight_add(turn, -1);
	rows = turn_rows_find(turn);
	if (rows.tier)
		rows.tier->answers++;
	if (rows.backend)
		rows.backend->answers++;
	now_ns = bpf_ktime_get_ns();
	latency_add(turn, FLARE_LATENCY_REQUEST, now_ns > begun_ns ? now_ns - begun_ns : 0);
}

/* What the first payload of a client says of the protocol: FLARE_TURN_TLS, FLARE_TURN_H2 or 0. */
static __always_inline __u8 payload_class(const __u8 *first)
{
	if (first[0] == TLS_HANDSHAKE && first[1] == 3)
		return FLARE_TURN_TLS;
	if (first[0] == TLS_DATA && first[1] == 3 && first[2] == 3) /* picked up in its middle */
		return FLARE_TURN_TLS;
	if (first[0] == 'P' && first[1] == 'R' && first[2] == 'I' && first[3] == ' ' &&
	    first[4] == '*' && first[5] == ' ' && first[6] == 'H' && first[7] == 'T')
		return FLARE_TURN_H2;
	return 0;
}

#define TLS_HEADER_BYTES 5 /* of a record: type, version, length */
#define TLS_CHANGE_CIPHER_BYTES 6 /* the record, whole */
#define TLS_SEALED_ALERT_BYTES 19 /* payload of the record that an encrypted alert is */

/*
 * Whether a segment in TLS may begin a request. Handshake and alert records do not. After a
 * ChangeCipherSpec comes the Finished message, as data in TLS 1.3, in this segment or in the next;
 * what follows that does. A lone data record as long as an encrypted alert is the client's goodbye.
 */
static __always_inline int tls_begins(struct flare_turn *turn, const __u8 *first, __u32 bytes)
{
	__u32 record = (__u32)first[3] << 8 | first[4];

	switch (first[0]) {
	case TLS_HANDSHAKE:
	case TLS_ALERT:
		return 0;
	case TLS_CHANGE_CIPHER:
		if (bytes < PAYLOAD_LOOK_BYTES) {
			turn->flags |= FLARE_TURN_FINISHED;
			return 0;
		}
		record = (__u32)first[9] << 8 | first[10];
		return bytes > TLS_CHANGE_CIPHER_BYTES + TLS_HEADER_BYTES + record;
	case TLS_DATA:
		if (turn->flags & FLARE_TURN_FINISHED) {
			turn->flags &= (__u8)~FLARE_TURN_FINISHED;
			return bytes > TLS_HEADER_BYTES + record;
		}
		return record != TLS_SEALED_ALERT_BYTES || bytes != TLS_HEADER_BYTES + record;
	default:
		return 1;
	}
}

/* Whether new payload, where a turn may begin, is one. Learns the protocol from the first. */
static __always_inline int turn_is_due(hook_ctx *ctx, const struct packet *pkt,
				       struct flare_turn *turn, __u32 bytes)
{
	__u8 first[PAYLOAD_LOOK_BYTES] = {};
	__u32 offset = pkt->l4 + pkt->tcp_header_bytes;
	int failed = 0;

	if (turn->flags & FLARE_TURN_PAYLOAD && !(turn->flags & (FLARE_TURN_TLS | FLARE_TURN_H2)))
		return 1;
	if (turn->flags & FLARE_TURN_H2 && turn->flags & FLARE_TURN_COUNTED)
		return 0;
	if (bytes >= PAYLOAD_LOOK_BYTES)
		failed = hook_load(ctx, offset, first, PAYLOAD_LOOK_BYTES);
	else if (bytes >= TLS_CHANGE_CIPHER_BYTES)
		failed = hook_load(ctx, offset, first, TLS_CHANGE_CIPHER_BYTES);
	if (failed)
		return 1;
	if (!(turn->flags & FLARE_TURN_PAYLOAD)) {
		__u8 class = payload_class(first);
		struct flare_service_counters *row = service_counters_find(turn->service_id);

		turn->flags |= FLARE_TURN_PAYLOAD | class;
		if (class == FLARE_TURN_H2 && row)
			row->connections[FLARE_CLASS_HTTP2]++;
	}
	return turn->flags & FLARE_TURN_TLS ? tls_begins(turn, first, bytes) : 1;
}

/* A packet from the client of a connection; `backend_id` 0: of the VM tier. */
__noinline int turn_client(hook_ctx *ctx, const struct packet *pkt, __u32 service_id,
			   __u32 backend_id)
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
		if (!turn || turn->ended || turn->requests || turn->client_end != seq) {
			if (!turn)
				turn = turn_take(set, tag);
			turn_reset(turn, service_id, backend_id);
			turn->client_end = seq;
			turn->syn_ns = bpf_ktime_get_ns();
		}
	} else if (!turn) {
		__be32 ack = 0;

		/* a connection from before us, or one whose slot was lost */
		if (!bytes || pkt->tcp_flags & TCP_RST ||
		    hook_load(ctx, pkt->l4 + offsetof(struct tcphdr, ack_seq), &ack, sizeof(ack)))
			return 0;
		turn = turn_take(set, tag);
		turn_reset(turn, service_id, backend_id);
		turn->client_end = seq;
		turn->server_end = bpf_ntohl(ack);
	}
	turn->seen_ns = bpf_ktime_get_coarse_ns();
	if (bytes && seq_after(seq + bytes, turn->client_end)) {
		turn->client_end = seq + bytes;
		if ((!(turn->flags & FLARE_TURN_COUNTED) ||
		     *(volatile __u32 *)&turn->server_end != turn->snap) &&
		    turn_is_due(ctx, pkt, turn, bytes))
			turn_begin(turn, &pkt->flow);
	}
	if (pkt->tcp_flags & TCP_RST) {
		turn_abandon(turn);
		turn->ended = FLARE_TURN_CLOSED;
	}
	return 0;
}

/*
 * Whether the payload is nothing but an interim answer: HTTP/1.1 1xx, not 101, which is final, and
 * an empty line at its very end.
 */
static __always_inline int answer_is_interim(hook_ctx *ctx, const struct packet *pkt, __u32 bytes)
{
	__u8 first[PAYLOAD_LOOK_BYTES] = {}, last[4] = {};
	__u32 offset = pkt->l4 + pkt->tcp_header_bytes;

	if (bytes < PAYLOAD_LOOK_BYTES || hook_load(ctx, offset, first, PAYLOAD_LOOK_BYTES))
		return 0;
	if (first[0] != 'H' || first[1] != 'T' || first[2] != 'T' || first[3] != 'P' ||
	    first[8] != ' ' || first[9] != '1' || (first[10] == '0' && first[11] == '1'))
		return 0;
	if (hook_load(ctx, offset + bytes - sizeof(last), last, sizeof(last)))
		return 0;
	return last[0] == '\r' && last[1] == '\n' && last[2] == '\r' && last[3] == '\n';
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
	if (bytes && seq_after(end, turn->server_end)) {
		int open = *(volatile __u64 *)&turn->open_ns != 0;

		if (!open || !answer_is_interim(ctx, pkt, bytes)) {
			turn->server_end = end;
			turn_answer(turn);
		}
	}
	if (pkt->tcp_flags & (TCP_FIN | TCP_RST)) {
		turn_abandon(turn);
		turn->ended = FLARE_TURN_CLOSED;
	}
	return 0;
}

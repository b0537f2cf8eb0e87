/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the first bytes of a payload say: the protocol of a connection, and whether what looks like a
 * request or an answer is one. TLS handshakes and alerts are no requests, an interim answer (1xx) is
 * no answer. Nothing is decrypted.
 */
#pragma once

#include "http2.bpf.h"

/* Length of the longest look into a payload. */
#define PAYLOAD_LOOK_BYTES 12

static __always_inline __u32 payload_offset(const struct packet *pkt)
{
	return pkt->l4 + pkt->tcp_header_bytes;
}

/* What the first payload of a client says of the protocol: FLARE_TURN_TLS, FLARE_TURN_HTTP2 or 0. */
static __always_inline __u8 payload_class(const __u8 *first)
{
	if (first[0] == TLS_HANDSHAKE && first[1] == 3)
		return FLARE_TURN_TLS;
	if (first[0] == TLS_DATA && first[1] == 3 && first[2] == 3) /* picked up in its middle */
		return FLARE_TURN_TLS;
	if (first[0] == 'P' && first[1] == 'R' && first[2] == 'I' && first[3] == ' ' &&
	    first[4] == '*' && first[5] == ' ' && first[6] == 'H' && first[7] == 'T')
		return FLARE_TURN_HTTP2;
	return 0;
}

/* The search for the ALPN extension (RFC 7301) among those of a ClientHello. */
struct alpn_search {
	hook_ctx *ctx;
	__u32 at; /* offset in the frame */
	__u32 end;
	__u8 found; /* the extension, with "h2" in it or not */
	__u8 has_h2;
};

#define TLS_EXTENSIONS_MAX 32
#define TLS_EXTENSION_ALPN 16
#define ALPN_NAMES_MAX 4 /* looked at; "h2" is among the first */

static __always_inline int alpn_names_h2(hook_ctx *ctx, __u32 at, __u32 end)
{
	__u8 name[3];
	int i;

	for (i = 0; i < ALPN_NAMES_MAX; i++) {
		if (at + sizeof(name) > end || hook_load(ctx, at, name, sizeof(name)))
			return 0;
		if (name[0] == 2 && name[1] == 'h' && name[2] == '2')
			return 1;
		at += 1 + name[0];
	}
	return 0;
}

static long alpn_step(__u64 index __attribute__((unused)), struct alpn_search *search)
{
	__u8 head[4]; /* type, length */
	__u32 bytes;

	if (search->at + sizeof(head) > search->end ||
	    hook_load(search->ctx, search->at, head, sizeof(head)))
		return 1;
	bytes = (__u32)head[2] << 8 | head[3];
	if (head[0] == 0 && head[1] == TLS_EXTENSION_ALPN) {
		search->found = 1;
		search->has_h2 = alpn_names_h2(search->ctx, search->at + sizeof(head) + 2,
					       search->at + sizeof(head) + bytes);
		return 1;
	}
	search->at += sizeof(head) + bytes;
	return 0;
}

/* Offsets in a ClientHello (RFC 8446, section 4.1.2) with its record and handshake headers. */
#define HELLO_SESSION_OFFSET 43

/*
 * Whether a ClientHello offers HTTP/2. One that goes on in the next segment, and has not said so
 * far, may.
 */
static __always_inline int hello_offers_h2(hook_ctx *ctx, const struct packet *pkt, __u32 bytes)
{
	struct alpn_search search = { .ctx = ctx };
	__u32 end = payload_offset(pkt) + bytes;
	__u8 size[2];

	search.at = payload_offset(pkt) + HELLO_SESSION_OFFSET;
	if (hook_load(ctx, search.at, size, 1))
		return 0;
	search.at += 1 + size[0];
	if (hook_load(ctx, search.at, size, 2)) /* cipher suites */
		return 0;
	search.at += 2 + ((__u32)size[0] << 8 | size[1]);
	if (hook_load(ctx, search.at, size, 1)) /* compression methods */
		return 0;
	search.at += 1 + size[0];
	if (hook_load(ctx, search.at, size, 2)) /* all extensions */
		return 0;
	search.at += 2;
	search.end = search.at + ((__u32)size[0] << 8 | size[1]);
	bpf_loop(TLS_EXTENSIONS_MAX, alpn_step, &search, 0);
	return search.found ? search.has_h2 : search.end > end;
}

#define TLS_HEADER_BYTES 5 /* of a record: type, version, length */
#define TLS_CHANGE_CIPHER_BYTES 6 /* the record, whole */
#define TLS_SEALED_ALERT_BYTES 19 /* payload of the record that an encrypted alert is */

/*
 * The record of a lone SETTINGS frame without settings, which each side of HTTP/2 must send as an
 * acknowledgement: 9 bytes, sealed by TLS 1.3, and by TLS 1.2 with AES-GCM and ChaCha20-Poly1305 (the
 * other ciphers are not allowed with HTTP/2). No request of HTTP/1.x is as short.
 */
static __always_inline int tls_settings_ack(__u32 record)
{
	return record == 26 || record == 33 || record == 25;
}

/* Notes that a connection is HTTP/2 inside TLS. */
static __always_inline void tls_mux_learn(struct flare_turn *turn)
{
	struct flare_service_counters *row = service_counters_find(turn->service_id);

	if (turn->flags & FLARE_TURN_MUX)
		return;
	turn->flags |= FLARE_TURN_MUX;
	if (row)
		row->connections[FLARE_CLASS_TLS_MUX]++;
}

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
		if (turn->flags & FLARE_TURN_ALPN_H2 && tls_settings_ack(record)) {
			tls_mux_learn(turn);
			return bytes > TLS_HEADER_BYTES + record;
		}
		return record != TLS_SEALED_ALERT_BYTES || bytes != TLS_HEADER_BYTES + record;
	default:
		return 1;
	}
}

/* Loads the beginning of a payload, zeros behind its end. Returns 0, or an error. */
static __always_inline int payload_look(hook_ctx *ctx, const struct packet *pkt, __u32 bytes,
					__u8 *first)
{
	if (bytes >= PAYLOAD_LOOK_BYTES)
		return hook_load(ctx, payload_offset(pkt), first, PAYLOAD_LOOK_BYTES);
	if (bytes >= TLS_CHANGE_CIPHER_BYTES)
		return hook_load(ctx, payload_offset(pkt), first, TLS_CHANGE_CIPHER_BYTES);
	return 0;
}

static __always_inline enum flare_class class_of(__u8 turn_flags)
{
	if (turn_flags & FLARE_TURN_HTTP2)
		return FLARE_CLASS_HTTP2;
	return turn_flags & FLARE_TURN_TLS ? FLARE_CLASS_TLS_TURNS : FLARE_CLASS_TURNS;
}

/* What connections of a service speak, as far as is known. */
static __always_inline __u8 spoken_flags(const struct flare_admission *adm)
{
	if (adm->speaks == FLARE_CLASS_HTTP2)
		return FLARE_TURN_HTTP2;
	return adm->speaks == FLARE_CLASS_TLS_TURNS ? FLARE_TURN_TLS : 0;
}

/*
 * Learns what a connection speaks from the first payload of its client; `behind` 1: from payload behind
 * a lost segment, which may begin with a frame of HTTP/2, or is what the service's connections speak.
 */
__noinline int payload_learn(hook_ctx *ctx, const struct packet *pkt, struct flare_turn *turn,
			     int behind)
{
	struct flare_service_counters *row;
	struct flare_admission *adm;
	__u8 first[PAYLOAD_LOOK_BYTES] = {};
	__u8 flags = FLARE_TURN_PAYLOAD;
	__u32 bytes;

	if (!pkt || !turn)
		return 0;
	bytes = payload_bytes(pkt);
	row = service_counters_find(turn->service_id);
	adm = admission_find(turn->service_id);
	if (behind && http2_begins(ctx, payload_offset(pkt), bytes))
		flags |= FLARE_TURN_HTTP2;
	else if (!payload_look(ctx, pkt, bytes, first))
		flags |= payload_class(first);
	if (behind && flags == FLARE_TURN_PAYLOAD && adm)
		flags |= spoken_flags(adm);
	if (flags & FLARE_TURN_TLS && first[0] == TLS_HANDSHAKE && hello_offers_h2(ctx, pkt, bytes))
		flags |= FLARE_TURN_ALPN_H2;
	turn->flags |= flags;
	if (row)
		row->connections[class_of(flags) & 7]++;
	if (adm && !adm->speaks)
		adm->speaks = class_of(flags);
	return 0;
}

/* What a connection speaks whose beginning was not seen: what the service's first one spoke. */
static __always_inline void payload_guess(struct flare_turn *turn)
{
	struct flare_admission *adm = admission_find(turn->service_id);

	if (!adm)
		return;
	if (spoken_flags(adm))
		turn->flags |= FLARE_TURN_PAYLOAD | spoken_flags(adm);
}

/* Whether new payload, where a turn may begin, is one. */
static __always_inline int turn_is_due(hook_ctx *ctx, const struct packet *pkt,
				       struct flare_turn *turn, __u32 bytes)
{
	__u8 first[PAYLOAD_LOOK_BYTES] = {};

	if (!(turn->flags & FLARE_TURN_TLS))
		return 1;
	return payload_look(ctx, pkt, bytes, first) || tls_begins(turn, first, bytes);
}

/*
 * Whether the payload is nothing but an interim answer: HTTP/1.1 1xx, not 101, which is final, and
 * an empty line at its very end.
 */
static __always_inline int answer_is_interim(hook_ctx *ctx, const struct packet *pkt, __u32 bytes)
{
	__u8 first[PAYLOAD_LOOK_BYTES] = {}, last[4] = {};
	__u32 offset = payload_offset(pkt);

	if (bytes < PAYLOAD_LOOK_BYTES || hook_load(ctx, offset, first, PAYLOAD_LOOK_BYTES))
		return 0;
	if (first[0] != 'H' || first[1] != 'T' || first[2] != 'T' || first[3] != 'P' ||
	    first[8] != ' ' || first[9] != '1' || (first[10] == '0' && first[11] == '1'))
		return 0;
	if (hook_load(ctx, offset + bytes - sizeof(last), last, sizeof(last)))
		return 0;
	return last[0] == '\r' && last[1] == '\n' && last[2] == '\r' && last[3] == '\n';
}

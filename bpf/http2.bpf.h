/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests of cleartext HTTP/2 (RFC 9113; gRPC is HTTP/2), counted by walking frame headers in both
 * directions: a stream of the client is a request, which begins with HEADERS and ends with the
 * server's END_STREAM or anybody's RST_STREAM. No header block is decoded.
 *
 * Ids of streams grow by two, so what a lost or skipped segment began is made up by the next one's
 * id. A header that is split over two segments is kept in part. Where bytes are missing that a
 * header may lie in, or a header makes no sense, the walk starts anew at the beginning of the next
 * segment that looks like a frame. The hole is kept, and walked by itself as the missing bytes come.
 * To walk a frame twice counts nothing twice: a stream's id is new once, and its bit is set once.
 */
#pragma once

#include "turn.bpf.h"

#define HTTP2_PREFACE_BYTES 24
#define HTTP2_HEADER_BYTES 9
/* The largest frame while in step, and (the protocol's default) where a place is looked for. */
#define HTTP2_FRAME_BYTES_MAX (1 << 20)
#define HTTP2_FRAME_BYTES_DEFAULT 16384
/* Frames of one packet: a super-packet of 64 KiB is full of frames of 16 bytes. */
#define HTTP2_FRAMES_MAX 4096

#define HTTP2_DATA 0
#define HTTP2_HEADERS 1
#define HTTP2_PRIORITY 2
#define HTTP2_RST_STREAM 3
#define HTTP2_SETTINGS 4
#define HTTP2_PING 6
#define HTTP2_GOAWAY 7
#define HTTP2_WINDOW_UPDATE 8
#define HTTP2_CONTINUATION 9
#define HTTP2_TYPE_MAX 16 /* PRIORITY_UPDATE; others of the registry lie between */
#define HTTP2_END_STREAM 0x1
#define HTTP2_END_HEADERS 0x4

struct http2_frame {
	__u32 bytes; /* behind the header */
	__u32 stream;
	__u8 type;
	__u8 flags;
};

/*
 * One segment on its way through the walk. Its numbers lie in a map and not on the stack: the
 * verifier would follow each value that they can take from frame to frame.
 */
struct http2_steps {
	__u32 payload; /* offset in the frame of Ethernet */
	__u32 bytes; /* of payload */
	__u32 at; /* next header, from the start of the payload */
	__u32 begun; /* requests, those made up for included */
	__u32 opened; /* of these: streams that are followed */
	__u32 answered;
	__u32 cancelled;
	__u8 dir;
	__u8 lost;
	__u8 in_headers; /* the last frame's header block goes on in a CONTINUATION */
	__u8 zero;
};

struct http2_walk {
	hook_ctx *ctx;
	struct flare_turn *turn;
	struct flare_http2 *conn;
	struct http2_steps *steps;
};

/* Where new values are put together, and the numbers of a walk. */
struct http2_scratch {
	struct flare_http2 fresh;
	struct http2_steps steps;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct http2_scratch);
} http2_scratch SEC(".maps");

static __always_inline struct http2_scratch *http2_scratch_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&http2_scratch, &zero);
}

static __always_inline void http2_read(const __u8 *head, struct http2_frame *frame)
{
	frame->bytes = (__u32)head[0] << 16 | (__u32)head[1] << 8 | head[2];
	frame->type = head[3];
	frame->flags = head[4];
	frame->stream = (__u32)head[5] << 24 | (__u32)head[6] << 16 | (__u32)head[7] << 8 | head[8];
}

/* Whether a header can be one (RFC 9113, section 6). */
static __always_inline int http2_plausible(const struct http2_frame *frame, __u32 bytes_max)
{
	if (frame->bytes > bytes_max || frame->type > HTTP2_TYPE_MAX || frame->stream >> 31)
		return 0;
	switch (frame->type) {
	case HTTP2_DATA:
	case HTTP2_HEADERS:
	case HTTP2_CONTINUATION:
		return frame->stream & 1;
	case HTTP2_PRIORITY:
		return frame->bytes == 5 && frame->stream;
	case HTTP2_RST_STREAM:
		return frame->bytes == 4 && frame->stream;
	case HTTP2_SETTINGS:
		return frame->bytes % 6 == 0 && !frame->stream;
	case HTTP2_PING:
		return frame->bytes == 8 && !frame->stream;
	case HTTP2_GOAWAY:
		return frame->bytes >= 8 && !frame->stream;
	case HTTP2_WINDOW_UPDATE:
		return frame->bytes == 4;
	default:
		return 1;
	}
}

static __always_inline __u64 http2_bit(__u32 stream)
{
	return 1ULL << (stream / 2 % 64);
}

static __always_inline __u64 *http2_word(struct flare_http2 *conn, __u32 stream)
{
	return &conn->open[stream / 2 % FLARE_HTTP2_STREAMS / 64];
}

/* HEADERS out of a hole, older than the first ones seen: no later id has made up for them. */
static __always_inline void http2_open_early(struct http2_walk *walk, __u32 stream)
{
	__u64 bit = http2_bit(stream);

	if (__sync_fetch_and_or(http2_word(walk->conn, stream), bit) & bit)
		return;
	walk->steps->begun++;
	walk->steps->opened++;
}

/* HEADERS of the client: trailers and what was counted before have an id that is not new. */
static __always_inline void http2_open(struct http2_walk *walk, __u32 stream)
{
	struct flare_http2 *conn = walk->conn;
	__u32 last = conn->last_stream;

	if (stream <= last) {
		if (stream < conn->first_stream)
			http2_open_early(walk, stream);
		return;
	}
	if (!last && conn->first_stream)
		conn->first_stream = stream;
	if (last && (stream - last) / 2 > FLARE_HTTP2_STREAMS) {
		walk->steps->lost = 1;
		return;
	}
	conn->last_stream = stream;
	walk->steps->begun += last ? (stream - last) / 2 : 1;
	/* where the bit is still set, a stream of a thousand requests ago gives way */
	if (!(__sync_fetch_and_or(http2_word(conn, stream), http2_bit(stream)) & http2_bit(stream)))
		walk->steps->opened++;
	if (!conn->timed_ns) {
		conn->timed_stream = stream;
		conn->timed_ns = bpf_ktime_get_ns();
	}
}

/* Returns whether the stream was in flight until now. */
static __always_inline int http2_end(struct flare_http2 *conn, __u32 stream)
{
	__u64 bit = http2_bit(stream);

	if (conn->timed_stream == stream)
		conn->timed_ns = 0;
	return !!(__sync_fetch_and_and(http2_word(conn, stream), ~bit) & bit);
}

static __always_inline void http2_frame_seen(struct http2_walk *walk,
					     const struct http2_frame *frame)
{
	struct flare_http2 *conn = walk->conn;
	int ends = frame->flags & HTTP2_END_STREAM &&
		   (frame->type == HTTP2_HEADERS || frame->type == HTTP2_DATA);

	if (!(frame->stream & 1))
		return;
	if (frame->type == HTTP2_RST_STREAM) {
		walk->steps->cancelled += http2_end(conn, frame->stream);
		return;
	}
	if (walk->steps->dir == FLARE_DIR_FORWARD) {
		if (frame->type == HTTP2_HEADERS)
			http2_open(walk, frame->stream);
		return;
	}
	if (frame->type == HTTP2_HEADERS && conn->timed_stream == frame->stream && conn->timed_ns) {
		__u64 now_ns = bpf_ktime_get_ns(), begun_ns = conn->timed_ns;

		conn->timed_ns = 0;
		latency_add(walk->turn, FLARE_LATENCY_REQUEST,
			    now_ns > begun_ns ? now_ns - begun_ns : 0);
	}
	if (ends)
		walk->steps->answered += http2_end(conn, frame->stream);
}

/* One frame header of the segment. Returns 1 where the walk is over. */
static long http2_step(__u64 index __attribute__((unused)), struct http2_walk *walk)
{
	__u8 head[HTTP2_HEADER_BYTES];
	struct http2_frame frame;
	__u32 at = walk->steps->at;

	if (at >= walk->steps->bytes || walk->steps->bytes - at < HTTP2_HEADER_BYTES)
		return 1;
	if (hook_load(walk->ctx, walk->steps->payload + at, head, sizeof(head))) {
		walk->steps->lost = 1;
		return 1;
	}
	http2_read(head, &frame);
	if (!http2_plausible(&frame, HTTP2_FRAME_BYTES_MAX)) {
		walk->steps->lost = 1;
		return 1;
	}
	http2_frame_seen(walk, &frame);
	walk->steps->in_headers =
		(frame.type == HTTP2_HEADERS || frame.type == HTTP2_CONTINUATION) &&
		!(frame.flags & HTTP2_END_HEADERS);
	walk->steps->at = at + HTTP2_HEADER_BYTES + frame.bytes;
	return 0;
}

/* Keeps what there is of a header that goes on in the next segment. */
static __always_inline int http2_hold(struct http2_walk *walk, struct flare_http2_place *place)
{
	__u32 left = walk->steps->bytes - walk->steps->at;

	if (walk->steps->at >= walk->steps->bytes || left > sizeof(place->head))
		return 0;
	place->held = left;
	if (!LENGTH_WITHIN(left, sizeof(place->head)))
		return 0;
	return hook_load(walk->ctx, walk->steps->payload + walk->steps->at, place->head, left);
}

/* The header whose first part was kept: the rest is at the start of the segment. */
static __always_inline int http2_join(struct http2_walk *walk, struct flare_http2_place *place)
{
	__u8 head[16] = {};
	__u32 held = place->held, rest = HTTP2_HEADER_BYTES - held;
	struct http2_frame frame;

	place->held = 0;
	if (walk->steps->bytes < rest)
		return -1;
	__builtin_memcpy(head, place->head, sizeof(place->head));
	if (!LENGTH_WITHIN(held, 8) || !LENGTH_WITHIN(rest, 8) ||
	    hook_load(walk->ctx, walk->steps->payload, head + held, rest))
		return -1;
	http2_read(head, &frame);
	if (!http2_plausible(&frame, HTTP2_FRAME_BYTES_MAX))
		return -1;
	http2_frame_seen(walk, &frame);
	walk->steps->at = rest + frame.bytes;
	return 0;
}

/* Whether `bytes` of payload at `offset` of the packet begin with a frame header, by their looks. */
static __always_inline int http2_begins(hook_ctx *ctx, __u32 offset, __u32 bytes)
{
	__u8 head[HTTP2_HEADER_BYTES];
	struct http2_frame frame;

	if (bytes < HTTP2_HEADER_BYTES || hook_load(ctx, offset, head, sizeof(head)))
		return 0;
	http2_read(head, &frame);
	return frame.type <= HTTP2_CONTINUATION &&
	       http2_plausible(&frame, HTTP2_FRAME_BYTES_DEFAULT);
}

/* Whether the segment has the bytes that come next at that place, or lies in front of it. */
static __always_inline int http2_reaches(const struct flare_http2_place *place, __u32 seq)
{
	__s32 ahead = (__s32)(place->next - seq);

	return place->synced && (ahead >= 0 || (place->held && -ahead == place->held));
}

/* Keeps the place of a walk that goes on behind missing bytes; the oldest hole is given up. */
static __always_inline void http2_leave_hole(struct flare_http2_place *places, __u32 seq)
{
	int i;

	for (i = FLARE_HTTP2_PLACES - 1; i > 0; i--)
		places[i] = places[i - 1];
	places[1].end = seq;
}

/*
 * Finds the first header of the segment. Returns 0 with `at` set (it may lie behind the segment), or
 * -1 where there is none to be found. Not inlined, for its stack is free again for http2_step().
 */
static __noinline int http2_locate(struct http2_walk *walk, struct flare_http2_place *place,
				   __u32 seq)
{
	if (http2_reaches(place, seq)) {
		if (place->held && seq - place->next == place->held)
			return http2_join(walk, place);
		place->held = 0;
		walk->steps->at = place->next - seq;
		return 0;
	}
	place->held = 0;
	walk->steps->at = 0;
	return http2_begins(walk->ctx, walk->steps->payload, walk->steps->bytes) ? 0 : -1;
}

static __always_inline void http2_account(struct http2_walk *walk, const struct packet *pkt)
{
	struct flare_turn *turn = walk->turn;
	__u32 answered = walk->steps->answered, cancelled = walk->steps->cancelled;
	__u32 open = *(volatile __u32 *)&turn->streams + walk->steps->opened;

	/* bits outlive what the connection's end, or the agent, has ended */
	if (answered > open)
		answered = open;
	if (cancelled > open - answered)
		cancelled = open - answered;
	if (walk->steps->begun) {
		/* only a client begins requests */
		requests_charge(turn, &pkt->flow, walk->steps->begun, bpf_ktime_get_ns());
		turn->flags |= FLARE_TURN_COUNTED;
		turn_requests_add(turn, walk->steps->begun);
	}
	if (!walk->steps->begun && !answered && !cancelled)
		return;
	__sync_fetch_and_add(&turn->streams, walk->steps->opened - answered - cancelled);
	in_flight_add(turn, (__s64)walk->steps->opened - (__s64)answered - (__s64)cancelled);
	turn_tally(turn, walk->steps->begun, answered,
		   walk->steps->begun - walk->steps->opened + cancelled);
}

static __always_inline struct flare_http2 *http2_find(__u64 tag)
{
	return bpf_map_lookup_elem(&http2, &tag);
}

/*
 * Starts the walk of a connection: behind the preface at `seq`, which may be lost, or (`from_start` 0)
 * from wherever a segment begins with a frame. Frames of the server follow what it has sent so far.
 */
static __always_inline void http2_start(const struct flare_turn *turn, __u32 seq, int from_start)
{
	__u64 tag = turn->tag;
	struct http2_scratch *scratch = http2_scratch_get();
	struct flare_http2 *fresh;

	if (!scratch)
		return;
	fresh = &scratch->fresh;
	__builtin_memset(fresh, 0, sizeof(*fresh));
	fresh->place[FLARE_DIR_FORWARD][0].next = seq + HTTP2_PREFACE_BYTES;
	fresh->place[FLARE_DIR_FORWARD][0].synced = from_start;
	fresh->place[FLARE_DIR_REVERSE][0].next = turn->server_end;
	fresh->place[FLARE_DIR_REVERSE][0].synced = from_start;
	fresh->first_stream = from_start ? ~0U : 0;
	bpf_map_update_elem(&http2, &tag, fresh, BPF_ANY);
}

/*
 * A hole that is walked to its end is none any more. Where the walk behind it has found no place since
 * and nothing newer was seen, it goes on from here.
 */
static __always_inline void http2_close_hole(const struct flare_turn *turn,
					     struct flare_http2 *conn, __u32 dir, __u32 number)
{
	struct flare_http2_place *walk = &conn->place[dir][0], *hole = &conn->place[dir][number];
	__u32 newest = dir == FLARE_DIR_FORWARD ? turn->client_end : turn->server_end;
	__u32 reached = hole->next + hole->held;

	if (!hole->synced || seq_after(hole->end, reached))
		return;
	if (!walk->synced && !seq_after(newest, reached))
		*walk = *hole;
	hole->synced = 0;
}

/* Counts that the walk has found a place anew. */
static __always_inline void http2_resynced(const struct flare_turn *turn)
{
	struct flare_service_counters *row = service_counters_find(turn->service_id);

	if (row)
		row->resyncs++;
}

/*
 * Walks the frames of a segment of direction `place & 1` from place number `place / 2` on. `seq` is of
 * its first byte. Returns 1 where a request was answered and the segment ends with a frame: another
 * one may follow here.
 */
__noinline int http2_segment(hook_ctx *ctx, const struct packet *pkt, struct flare_turn *turn,
			     __u32 seq, __u32 place)
{
	struct http2_scratch *scratch = http2_scratch_get();
	__u32 dir = place & 1, number = place / 2 % FLARE_HTTP2_PLACES;
	struct flare_http2_place *from;
	struct http2_walk walk = {};
	struct flare_http2 *conn;
	int was_synced;

	if (!pkt || !turn || !scratch)
		return 0;
	conn = http2_find(turn->tag);
	if (!conn)
		return 0;
	walk.steps = &scratch->steps;
	__builtin_memset(walk.steps, 0, sizeof(*walk.steps));
	walk.ctx = ctx;
	walk.turn = turn;
	walk.conn = conn;
	walk.steps->payload = pkt->l4 + pkt->tcp_header_bytes;
	walk.steps->bytes = payload_bytes(pkt);
	walk.steps->dir = dir;
	from = &conn->place[dir][number];
	was_synced = from->synced;
	if (!number && was_synced && !http2_reaches(from, seq))
		http2_leave_hole(conn->place[dir], seq);
	from->synced = !http2_locate(&walk, from, seq);
	if (!from->synced)
		return 0;
	if (!was_synced)
		http2_resynced(turn);
	bpf_loop(HTTP2_FRAMES_MAX, http2_step, &walk, 0);
	from->next = seq + walk.steps->at;
	if (walk.steps->lost || http2_hold(&walk, from))
		from->synced = 0;
	if (number)
		http2_close_hole(turn, conn, dir, number);
	http2_account(&walk, pkt);
	return walk.steps->answered && from->synced && walk.steps->at == walk.steps->bytes &&
	       !walk.steps->in_headers;
}

/* The oldest hole whose next header lies in the segment; 0: there is none. */
__noinline int http2_hole(const struct flare_turn *turn, __u32 seq, __u32 bytes, __u32 dir)
{
	struct flare_http2_place *places;
	struct flare_http2 *conn;
	int i;

	if (!turn)
		return 0;
	conn = http2_find(turn->tag);
	if (!conn)
		return 0;
	places = conn->place[dir & 1];
	for (i = FLARE_HTTP2_PLACES - 1; i > 0; i--) {
		if (http2_reaches(&places[i], seq) && seq_after(seq + bytes, places[i].next))
			return i;
	}
	return 0;
}

/*
 * A segment of direction `dir` that begins in front of the newest byte seen of it: it comes again, or
 * late into a hole.
 */
static __always_inline void http2_late(hook_ctx *ctx, const struct packet *pkt,
				       struct flare_turn *turn, __u32 seq, __u32 dir)
{
	int hole = http2_hole(turn, seq, payload_bytes(pkt), dir);

	if (hole)
		http2_segment(ctx, pkt, turn, seq, dir | (__u32)hole << 1);
}

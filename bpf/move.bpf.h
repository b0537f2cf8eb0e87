/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Moving connections that are open: one is told, by the protocol's own means, to end after this
 * answer, so that its client dials again and the new connection is decided like any other.
 *
 * HTTP/1.x: a header line of the answer is overwritten in place with `Connection: close`, as long as
 * it was: nothing moves, no state is kept. A retransmission goes out as the server wrote it, which
 * is the loss of one hint. HTTP/2: shift.bpf.h.
 */
#pragma once

#include "admit.bpf.h"
#include "move_rule.bpf.h"
#include "payload.bpf.h"

#define HEAD_BYTES 512 /* of an answer that are searched */
#define LINE_WINDOW_BYTES 64 /* around the line, written as one piece */

/*
 * The beginning of a message, the search for a header line that may be overwritten, and the piece
 * that is written. In a map and not on the stack: the verifier would follow each value from byte to
 * byte. Positions are in `head`.
 */
struct move_scratch {
	__u8 head[HEAD_BYTES + LINE_WINDOW_BYTES];
	__u8 was[LINE_WINDOW_BYTES], is[LINE_WINDOW_BYTES];
	__u32 bytes; /* in `head` */
	__u32 connection, connection_end; /* of the line; 0: not met */
	__u32 date, date_end;
	__u32 from, to, window; /* the line that is overwritten, and the piece */
	__u8 inside; /* of the line that the search is in: 'c', 'd' or 0 */
	__u8 over; /* the empty line was met */
	__u8 zero[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct move_scratch);
} move_scratch SEC(".maps");

/* What the loops below get: it must lie on the stack. */
struct line_walk {
	struct move_scratch *scratch;
};

static __always_inline __u8 head_at(const struct move_scratch *scratch, __u32 at)
{
	asm volatile("" : "+r"(at));
	return at < HEAD_BYTES ? scratch->head[at] : 0;
}

static __always_inline int is_letter(__u8 byte, char lower)
{
	return (byte | 0x20) == lower;
}

/* Whether a line begins at `at` with this name, in letters of any size. */
static __always_inline int line_is_connection(const struct move_scratch *scratch, __u32 at)
{
	return is_letter(head_at(scratch, at), 'c') && is_letter(head_at(scratch, at + 1), 'o') &&
	       is_letter(head_at(scratch, at + 2), 'n') &&
	       is_letter(head_at(scratch, at + 3), 'n') &&
	       is_letter(head_at(scratch, at + 4), 'e') && head_at(scratch, at + 10) == ':';
}

static __always_inline int line_is_date(const struct move_scratch *scratch, __u32 at)
{
	return is_letter(head_at(scratch, at), 'd') && is_letter(head_at(scratch, at + 1), 'a') &&
	       is_letter(head_at(scratch, at + 2), 't') &&
	       is_letter(head_at(scratch, at + 3), 'e') && head_at(scratch, at + 4) == ':';
}

/* Looks at one byte: the end of a line, where the next one begins, or nothing of note. */
static long line_step(__u64 index, struct line_walk *walk)
{
	struct move_scratch *scratch = walk->scratch;
	__u32 at = (__u32)index;

	if (at + 2 >= scratch->bytes)
		return 1;
	if (head_at(scratch, at) != '\r' || head_at(scratch, at + 1) != '\n')
		return 0;
	if (scratch->inside == 'c')
		scratch->connection_end = at;
	else if (scratch->inside == 'd')
		scratch->date_end = at;
	scratch->inside = 0;
	at += 2;
	if (head_at(scratch, at) == '\r') {
		scratch->over = 1;
		return 1;
	}
	if (line_is_connection(scratch, at)) {
		scratch->connection = at;
		scratch->inside = 'c';
	} else if (line_is_date(scratch, at)) {
		scratch->date = at;
		scratch->inside = 'd';
	}
	return 0;
}

#define CLOSE_NAME_BYTES 11 /* "Connection:" */
#define CLOSE_WORD_BYTES 5 /* "close" */

/* Eight letters as one number, the first in the lowest byte: constants without a data section. */
#define LETTERS(a, b, c, d, e, f, g, h)                                                          \
	((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24 | (__u64)(e) << 32 | \
	 (__u64)(f) << 40 | (__u64)(g) << 48 | (__u64)(h) << 56)

/* The i-th byte of `Connection: close` blown up to `bytes` by blanks before the word. */
static __always_inline __u8 close_byte(__u32 i, __u32 bytes)
{
	const __u64 name = LETTERS('C', 'o', 'n', 'n', 'e', 'c', 't', 'i');
	const __u64 name_end = LETTERS('o', 'n', ':', 0, 0, 0, 0, 0);
	const __u64 word = LETTERS('c', 'l', 'o', 's', 'e', 0, 0, 0);

	if (i < CLOSE_NAME_BYTES)
		return i < 8 ? name >> (8 * i) : name_end >> (8 * (i - 8));
	if (i + CLOSE_WORD_BYTES >= bytes)
		return word >> (8 * ((i + CLOSE_WORD_BYTES - bytes) & 7));
	return ' ';
}

/* Whether a Connection line keeps the connection; one that upgrades or closes it is left alone. */
static __always_inline int line_keeps_alive(const struct move_scratch *scratch)
{
	__u32 at = scratch->connection + CLOSE_NAME_BYTES;

	if (head_at(scratch, at) == ' ')
		at++;
	return is_letter(head_at(scratch, at), 'k') && is_letter(head_at(scratch, at + 1), 'e') &&
	       is_letter(head_at(scratch, at + 2), 'e') && is_letter(head_at(scratch, at + 3), 'p');
}

/* Loads the head of a message. Returns 0, or an error where nothing can be read. */
static __always_inline int head_load(hook_ctx *ctx, const struct packet *pkt,
				     struct move_scratch *scratch)
{
	__u32 bytes = payload_bytes(pkt);

	if (bytes > HEAD_BYTES)
		bytes = HEAD_BYTES;
	scratch->bytes = bytes;
	scratch->connection = scratch->connection_end = 0;
	scratch->date = scratch->date_end = 0;
	scratch->inside = scratch->over = 0;
	if (!LENGTH_WITHIN(bytes, HEAD_BYTES))
		return -1;
	return hook_load(ctx, payload_offset(pkt), scratch->head, bytes);
}

/* One byte of the piece: as it was, and as it will be. */
static long line_write_step(__u64 index, struct line_walk *walk)
{
	struct move_scratch *scratch = walk->scratch;
	__u32 i = (__u32)index & (LINE_WINDOW_BYTES - 1), at = scratch->window + i;
	__u8 was = head_at(scratch, at);

	scratch->was[i] = was;
	scratch->is[i] = at >= scratch->from && at < scratch->to
				 ? close_byte(at - scratch->from, scratch->to - scratch->from)
				 : was;
	return 0;
}

/* Overwrites the line [from, to) of the answer. Returns 0, or -1 with nothing changed. */
static __always_inline int line_overwrite(hook_ctx *ctx, const struct packet *pkt,
					  struct line_walk *walk)
{
	struct move_scratch *scratch = walk->scratch;
	struct csum_delta delta = {};
	/* a piece that lies wholly in the answer, at a multiple of 4: sums are of whole words */
	__u32 last = (scratch->bytes - LINE_WINDOW_BYTES) & ~3U, first = scratch->from & ~3U;
	__s64 change;

	scratch->window = first < last ? first : last;
	if (scratch->to < scratch->from + CLOSE_NAME_BYTES + CLOSE_WORD_BYTES ||
	    scratch->to > scratch->window + LINE_WINDOW_BYTES)
		return -1;
	bpf_loop(LINE_WINDOW_BYTES, line_write_step, walk, 0);
	change = bpf_csum_diff((__be32 *)scratch->was, LINE_WINDOW_BYTES, (__be32 *)scratch->is,
			       LINE_WINDOW_BYTES, 0);
	if (change < 0 ||
	    hook_store(ctx, payload_offset(pkt) + scratch->window, scratch->is, LINE_WINDOW_BYTES))
		return -1;
	delta.payload = (__u64)change;
	if (!hook_fix_transport(ctx, pkt, &delta))
		return 0;
	hook_store(ctx, payload_offset(pkt) + scratch->window, scratch->was, LINE_WINDOW_BYTES);
	return -1;
}

/* Stops at the end of the first line; `to` is where it is. */
static long first_line_step(__u64 index, struct line_walk *walk)
{
	walk->scratch->to = (__u32)index;
	return index >= walk->scratch->bytes || head_at(walk->scratch, (__u32)index) == '\r';
}

#define REQUEST_BYTES_MIN 16 /* "GET / HTTP/1.0", and its line's end */

/*
 * Spares a connection whose first request is of HTTP/1.0: its client may read an answer to the
 * connection's end, whatever its length says, and would wait for a server that was not told (ab does).
 */
__noinline int move_spare_http10(hook_ctx *ctx, const struct packet *pkt, struct flare_turn *turn)
{
	struct move_scratch *scratch;
	struct line_walk walk = {};
	struct flare_service *svc;
	__u32 zero = 0, end;

	if (!pkt || !turn)
		return 0;
	svc = service_of(&pkt->flow);
	scratch = bpf_map_lookup_elem(&move_scratch, &zero);
	if (!svc || svc->move == FLARE_MOVE_NONE || !scratch || head_load(ctx, pkt, scratch) ||
	    scratch->bytes < REQUEST_BYTES_MIN)
		return 0;
	walk.scratch = scratch;
	bpf_loop(HEAD_BYTES, first_line_step, &walk, 0);
	end = scratch->to;
	if (end > 8 && head_at(scratch, end - 8) == 'H' && head_at(scratch, end - 5) == 'P' &&
	    head_at(scratch, end - 4) == '/' && head_at(scratch, end - 3) == '1' &&
	    head_at(scratch, end - 1) == '0')
		turn->ended |= FLARE_TURN_MOVED;
	return 0;
}

#define NOT_HTTP 1

/*
 * Tells the client of a connection to close it, in the header of this answer. Returns 0, -1 where
 * this answer has no place for it, or NOT_HTTP where no answer will have one.
 */
__noinline int move_by_header(hook_ctx *ctx, const struct packet *pkt)
{
	__u32 zero = 0;
	struct move_scratch *scratch = bpf_map_lookup_elem(&move_scratch, &zero);
	struct line_walk walk = { .scratch = scratch };

	if (!pkt || !scratch || head_load(ctx, pkt, scratch))
		return -1;
	if (scratch->bytes < 5 || scratch->head[0] != 'H' || scratch->head[1] != 'T' ||
	    scratch->head[2] != 'T' || scratch->head[3] != 'P' || scratch->head[4] != '/')
		return NOT_HTTP;
	/* 1xx: an interim answer, or another protocol's first words */
	if (scratch->bytes < LINE_WINDOW_BYTES || scratch->head[5] != '1' ||
	    scratch->head[9] == '1')
		return -1;
	bpf_loop(HEAD_BYTES, line_step, &walk, 0);
	if (scratch->connection) {
		if (!scratch->connection_end || !line_keeps_alive(scratch))
			return -1;
		scratch->from = scratch->connection;
		scratch->to = scratch->connection_end;
	} else {
		/* without the whole header in sight, a Connection line may follow the Date */
		if (!scratch->over || !scratch->date_end)
			return -1;
		scratch->from = scratch->date;
		scratch->to = scratch->date_end;
	}
	return line_overwrite(ctx, pkt, &walk);
}

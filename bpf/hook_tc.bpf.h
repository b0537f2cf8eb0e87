/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What tc does its own way: reach the packet, mend checksums, make room, let go. The same
 * functions stand in hook_xdp.bpf.h; the core between them knows neither.
 *
 * A packet here may carry a partial checksum (the pseudo-header's sum alone) or a complete one (the
 * device's sum over all bytes, in the skb). Direct writes that leave each checksum right change
 * neither; the transport checksum itself is changed by the helper that knows which it is.
 */
#pragma once

#include "rewrite.bpf.h"

typedef struct __sk_buff hook_ctx;

/* Lets the next program, or the stack, have it: TCX_NEXT on tcx, "go on" on clsact. */
#define HOOK_PASS TC_ACT_UNSPEC
#define HOOK_DROP TC_ACT_SHOT
#define HOOK_IS_XDP 0

#define HOOK_HEADERS_BYTES 192 /* pulled into the linear part, where the frame is longer */
#define BPF_F_IPV6 (1ULL << 7) /* bpf_l4_csum_replace: since Linux 6.16 and its stable trees */

static __always_inline void *hook_data(const hook_ctx *ctx)
{
	return (void *)(long)ctx->data;
}

static __always_inline void *hook_data_end(const hook_ctx *ctx)
{
	return (void *)(long)ctx->data_end;
}

static __always_inline __u32 hook_ifindex(const hook_ctx *ctx)
{
	return ctx->ifindex;
}

static __always_inline __u32 hook_frame_bytes(hook_ctx *ctx)
{
	return ctx->len;
}

static __always_inline void hook_pull_headers(hook_ctx *ctx)
{
	__u32 bytes = ctx->len < HOOK_HEADERS_BYTES ? ctx->len : HOOK_HEADERS_BYTES;

	if (hook_data(ctx) + bytes > hook_data_end(ctx))
		bpf_skb_pull_data(ctx, bytes);
}

/* Copies bytes of the frame, wherever they lie. Returns 0, or an error. */
static __always_inline int hook_load(hook_ctx *ctx, __u32 offset, void *to, __u32 bytes)
{
	return (int)bpf_skb_load_bytes(ctx, offset, to, bytes);
}

static __always_inline __u32 hook_gso_bytes(const hook_ctx *ctx)
{
	return ctx->gso_size;
}

static __always_inline __u32 hook_segments(const hook_ctx *ctx)
{
	return ctx->gso_segs ? ctx->gso_segs : 1;
}

static __always_inline int hook_has_more(hook_ctx *ctx __attribute__((unused)))
{
	return 0;
}

static __always_inline int hook_fix_transport(hook_ctx *ctx, const struct packet *pkt,
					      const struct csum_delta *delta)
{
	__u32 offset = transport_check_offset(pkt);
	__u64 flags = pkt->flow.proto == PROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
	__u64 pseudo = flags | BPF_F_PSEUDO_HDR;
	long failed;

	if (!offset)
		return 0;
	failed = bpf_l4_csum_replace(ctx, offset, 0, csum_fold32(delta->pseudo),
				     pkt->is_v6 ? pseudo | BPF_F_IPV6 : pseudo);
	if (failed && pkt->is_v6)
		failed = bpf_l4_csum_replace(ctx, offset, 0, csum_fold32(delta->pseudo), pseudo);
	if (failed)
		return -1;
	return (int)bpf_l4_csum_replace(ctx, offset, 0, csum_fold32(delta->payload), flags);
}

/* Writes bytes of the frame; the transport checksum is the caller's to mend. Returns 0, or an error. */
static __always_inline int hook_store(hook_ctx *ctx, __u32 offset, const void *from, __u32 bytes)
{
	return (int)bpf_skb_store_bytes(ctx, offset, from, bytes, 0);
}

/* Makes the frame longer. Returns 0, or an error. */
static __always_inline int hook_extend(hook_ctx *ctx, __u32 bytes)
{
	return (int)bpf_skb_change_tail(ctx, ctx->len + bytes, 0);
}

static __always_inline int hook_trim(hook_ctx *ctx, __u32 bytes)
{
	return bytes >= ctx->len ? 0 : (int)bpf_skb_change_tail(ctx, bytes, 0);
}

static __always_inline int hook_make_room(hook_ctx *ctx, __u32 bytes)
{
	return (int)bpf_skb_adjust_room(ctx, (int)bytes, BPF_ADJ_ROOM_MAC, 0);
}

static __always_inline int hook_send_back(hook_ctx *ctx)
{
	return (int)bpf_redirect(ctx->ifindex, 0);
}

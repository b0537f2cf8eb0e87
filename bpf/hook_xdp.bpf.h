/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What XDP does its own way: reach the packet, mend checksums, make room, let go. The same
 * functions stand in hook_tc.bpf.h; the core between them knows neither.
 */
#pragma once

#include "rewrite.bpf.h"

typedef struct xdp_md hook_ctx;

#define HOOK_PASS XDP_PASS
#define HOOK_DROP XDP_DROP
#define HOOK_IS_XDP 1

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
	return ctx->ingress_ifindex;
}

/* Bytes of the frame, over all its buffers. */
static __always_inline __u32 hook_frame_bytes(hook_ctx *ctx)
{
	return (__u32)bpf_xdp_get_buff_len(ctx);
}

/* Sees to it that the headers can be reached directly. */
static __always_inline void hook_pull_headers(hook_ctx *ctx __attribute__((unused)))
{
}

static __always_inline int hook_load(hook_ctx *ctx, __u32 offset, void *to, __u32 bytes)
{
	return (int)bpf_xdp_load_bytes(ctx, offset, to, bytes);
}

static __always_inline __u32 hook_gso_bytes(const hook_ctx *ctx __attribute__((unused)))
{
	return 0;
}

static __always_inline __u32 hook_segments(const hook_ctx *ctx __attribute__((unused)))
{
	return 1;
}

/* Whether bytes of the frame lie beyond what can be reached directly. */
static __always_inline int hook_has_more(hook_ctx *ctx)
{
	__u64 bytes = bpf_xdp_get_buff_len(ctx);

	return bytes > 0xffff || hook_data(ctx) + bytes > hook_data_end(ctx);
}

/* Brings the transport checksum up to date with changes already made; see struct csum_delta. */
static __always_inline int hook_fix_transport(hook_ctx *ctx, const struct packet *pkt,
					      const struct csum_delta *delta)
{
	__u32 offset = transport_check_offset(pkt);
	__be16 *check;

	if (!offset)
		return 0;
	check = packet_at(hook_data(ctx), hook_data_end(ctx), offset, sizeof(*check));
	if (!check)
		return -1;
	csum_fix(check, delta->pseudo + delta->payload);
	if (pkt->flow.proto == PROTO_UDP && !*check)
		*check = 0xffff;
	return 0;
}

/* Writes bytes of the frame; the transport checksum is the caller's to mend. Returns 0, or an error. */
static __always_inline int hook_store(hook_ctx *ctx, __u32 offset, void *from, __u32 bytes)
{
	return (int)bpf_xdp_store_bytes(ctx, offset, from, bytes);
}

/* Makes the frame longer. Returns 0, or an error. */
static __always_inline int hook_extend(hook_ctx *ctx, __u32 bytes)
{
	return (int)bpf_xdp_adjust_tail(ctx, (int)bytes);
}

/* Cuts the frame to `bytes`. Every packet pointer is void after it. */
static __always_inline int hook_trim(hook_ctx *ctx, __u32 bytes)
{
	__u32 frame = (__u32)bpf_xdp_get_buff_len(ctx);

	return bytes >= frame ? 0 : (int)bpf_xdp_adjust_tail(ctx, (int)(bytes - frame));
}

/* Makes `bytes` of room between the Ethernet header and what follows it. */
static __always_inline int hook_make_room(hook_ctx *ctx, __u32 bytes)
{
	struct ethhdr *from, *to;

	if (bpf_xdp_adjust_head(ctx, -(int)bytes))
		return -1;
	to = hook_data(ctx);
	from = hook_data(ctx) + bytes;
	if ((void *)(from + 1) > hook_data_end(ctx) || (void *)(to + 1) > hook_data_end(ctx))
		return -1;
	__builtin_memmove(to, from, sizeof(*to));
	return 0;
}

/* Sends the frame out of the interface that it came in on. */
static __always_inline int hook_send_back(hook_ctx *ctx __attribute__((unused)))
{
	return XDP_TX;
}

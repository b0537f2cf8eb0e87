// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tc programs: ingress of devices without XDP of their own (veth, bridges, tunnels), the
 * companion of the XDP program, and egress, which sees the replies that leave this host.
 */
#include "hook_tc.bpf.h"

#include "next_hop.bpf.h"

/*
 * Sends a translated packet. Where the neighbour is not resolved yet, or forwarding is off, the
 * kernel's own output path finds it, and queues the packet meanwhile. Tags in the frame are kept on
 * the interface they came in on and taken off for another one, which puts on its own.
 */
static __always_inline int hook_send(hook_ctx *ctx, const struct packet *pkt,
				     const struct route *route, enum next_hop hop)
{
	if (route->ifindex != ctx->ifindex || hop != NEXT_HOP_KNOWN) {
		if (pkt->l2_tags && bpf_skb_vlan_pop(ctx))
			return TC_ACT_SHOT;
		if (pkt->l2_tags > 1 && bpf_skb_vlan_pop(ctx))
			return TC_ACT_SHOT;
		if (ctx->vlan_present && bpf_skb_vlan_pop(ctx))
			return TC_ACT_SHOT;
	}
	if (hop == NEXT_HOP_KNOWN)
		return (int)bpf_redirect(route->ifindex, 0);
	return (int)bpf_redirect_neigh(route->ifindex, NULL, 0, 0);
}

#include "ingress.bpf.h"

SEC("tc")
int flare_tc_ingress(struct __sk_buff *ctx)
{
	return ingress(ctx, FLARE_HOOK_TC_INGRESS);
}

SEC("tc")
int flare_tc_companion(struct __sk_buff *ctx)
{
	return ingress(ctx, FLARE_HOOK_TC_COMPANION);
}

/* A packet that leaves a service: of the VM tier, or a translated reply, which was counted. */
static __always_inline enum flare_reason egress_reply(struct __sk_buff *ctx,
						      const struct packet *pkt, __u32 service_id)
{
	struct flare_flow_key client = {
		.src = pkt->flow.dst,
		.dst = pkt->flow.src,
		.sport = pkt->flow.dport,
		.dport = pkt->flow.sport,
		.proto = pkt->flow.proto,
	};

	/* what a local socket sent has no interface that it came in on */
	if (ctx->ingress_ifindex && flow_find(&client))
		return FLARE_REASON_NOT_LOCAL;
	vm_count(service_id, pkt, FLARE_DIR_REVERSE, hook_segments(ctx));
	turn_server(ctx, pkt, &client);
	if (shifts_exist(service_id) && shift_out(ctx, pkt, &client))
		return FLARE_REASON_REWRITE_FAILED;
	return FLARE_REASON_VM_REPLY;
}

/* Counts the VM tier's replies; changes those of connections that move (request.bpf.h). */
SEC("tc")
int flare_tc_egress(struct __sk_buff *ctx)
{
	struct packet pkt = {};
	enum flare_reason reason;

	reason = packet_read(ctx, &pkt);
	if (reason == PARSED && pkt.kind != PACKET_TRANSPORT)
		reason = FLARE_REASON_NOT_TRANSPORT;
	if (reason == PARSED) {
		struct flare_service_key key = {
			.addr = pkt.flow.src,
			.port = pkt.flow.sport,
			.proto = pkt.flow.proto,
		};
		struct flare_service *svc = bpf_map_lookup_elem(&services, &key);

		reason = svc ? egress_reply(ctx, &pkt, svc->id) : FLARE_REASON_NOT_SERVICE;
	}
	reason_count(FLARE_HOOK_TC_EGRESS, reason);
	return reason == FLARE_REASON_REWRITE_FAILED ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "GPL";

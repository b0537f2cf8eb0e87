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

/* A packet that leaves a receiver's service: of the VM tier, or a translated reply, which was counted. */
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

/*
 * A reply on its way to a client whose address the backend saw: of a local backend, or (sender) of any
 * that the kernel has routed here. The kernel has counted the hop.
 */
static __always_inline enum flare_reason decide_plain(const struct packet *pkt, struct decision *d)
{
	enum flare_reason reason = FLARE_REASON_NOT_SERVICE;
	struct flare_flow *flow;

	if (pkt->kind == PACKET_LATER_FRAGMENT) {
		reason = follow_fragment(pkt, d);
	} else if (pkt->kind == PACKET_ICMP_ERROR) {
		reason = follow_icmp(pkt, d);
	} else {
		flow = flow_find(&pkt->flow);
		if (flow)
			reason = follow_reply(flow, d);
	}
	d->to.hops = 0;
	return reason_forwards(reason) && d->dir != FLARE_DIR_REVERSE ? FLARE_REASON_NOT_SERVICE
								      : reason;
}

/* Counts a receiver's replies, and changes those of connections that move; translates plain ones. */
SEC("tc")
int flare_tc_egress(struct __sk_buff *ctx)
{
	struct flare_settings *set = settings_get();
	struct work *work = work_begin();
	struct decision d = {};
	enum flare_reason reason;
	struct packet *pkt;
	int parsed;

	if (!work || !set)
		return TC_ACT_UNSPEC;
	pkt = &work->pkt;
	reason = packet_read(ctx, pkt);
	parsed = reason == PARSED;
	if (parsed && pkt->kind == PACKET_TRANSPORT) {
		struct flare_service_key key = {
			.addr = pkt->flow.src,
			.port = pkt->flow.sport,
			.proto = pkt->flow.proto,
		};
		struct flare_service *svc = bpf_map_lookup_elem(&services, &key);

		reason = svc ? egress_reply(ctx, pkt, svc->id) : FLARE_REASON_NOT_SERVICE;
	} else if (parsed) {
		reason = FLARE_REASON_NOT_TRANSPORT;
	}
	if (parsed && set->plain_replies && reason <= FLARE_REASON_NOT_SERVICE) {
		enum flare_reason plain = decide_plain(pkt, &d);

		if (reason_forwards(plain)) {
			reason = rewrite(ctx, pkt, &d, NULL, NEXT_HOP_NONE)
					 ? FLARE_REASON_REWRITE_FAILED
					 : plain;
			reason = follow_requests(ctx, reason, pkt, &d);
		}
	}
	count(ctx, FLARE_HOOK_TC_EGRESS, reason, pkt, &d);
	return reason == FLARE_REASON_REWRITE_FAILED ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "GPL";

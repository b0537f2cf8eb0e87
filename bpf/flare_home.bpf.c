// SPDX-License-Identifier: GPL-2.0-only
/*
 * Brings open connections home that were spilled and cannot be told to close: those of TLS, and of
 * protocols whose answers have no header. One that is idle between two requests is reset, so that
 * its client dials again. No socket here belongs to it, so both its ends are told, by a RST each
 * that seems to come from the other one: it enters where their packets do (tc ingress) and the
 * datapath translates it like any of them.
 *
 * The agent builds the frames and runs this program (BPF_PROG_TEST_RUN), on no packet of the wire.
 * A frame says by its numbers what was known of the connection when it was made; where that does not
 * hold any more, it is not sent. First the backend's, from where on the backend answers no request:
 * its number is exactly where the client's stream ends, and a receiver takes no other (RFC 5961).
 * Only then the client's, and only where no request came before that. One that comes later meets a
 * backend that has closed, and is answered with a RST by it: it is never served and reset.
 */
#include "flow.bpf.h"
#include "home.bpf.h"
#include "idle.bpf.h"

#define BPF_F_INGRESS (1U << 0)

/* What a frame says of its connection. */
struct account {
	struct packet pkt;
	__u32 seq;
	__u32 ack;
};

static __always_inline int account_read(struct __sk_buff *ctx, struct account *told)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__be32 ack;

	if (packet_parse(&told->pkt, data, end, ctx->len, 0) != PARSED ||
	    told->pkt.kind != PACKET_TRANSPORT || told->pkt.flow.proto != PROTO_TCP ||
	    !(told->pkt.tcp_flags & TCP_RST) ||
	    bpf_skb_load_bytes(ctx, told->pkt.l4 + offsetof(struct tcphdr, ack_seq), &ack,
			       sizeof(ack)))
		return -1;
	told->seq = bpf_ntohl(told->pkt.tcp_seq);
	told->ack = bpf_ntohl(ack);
	return 0;
}

/* Lets the frame in as if it came from the wire, on the device that the run is for. */
static __always_inline int let_in(struct __sk_buff *ctx)
{
	return !bpf_clone_redirect(ctx, ctx->ifindex, BPF_F_INGRESS);
}

/* The frame is the client's to its backend: whether the connection shall end is decided here. */
static __always_inline enum home_verdict
end_backend(struct __sk_buff *ctx, const struct account *told, const struct flare_flow *forward)
{
	const struct flare_flow_key *client = &told->pkt.flow;
	struct flare_flow *reverse = bpf_map_lookup_elem(&flows, &forward->peer);
	struct flare_service *svc = service_of(client);
	struct flare_admission *adm;
	struct flare_turn *turn;
	__u64 bound_ns;

	if (!svc || !reverse ||
	    (forward->flags | reverse->flags) & (FLARE_FLOW_FIN | FLARE_FLOW_RST))
		return HOME_LEFT;
	bound_ns = idle_bound_of(svc->id);
	adm = admission_find(svc->id);
	if (!bound_ns || !adm)
		return HOME_LEFT;
	turn = turn_to_reset(client, svc, FLARE_TIER_SERVERLESS, bound_ns);
	if (!turn || turn->client_end != told->seq || turn->server_end != told->ack ||
	    turn->ended & (FLARE_TURN_CLOSED | FLARE_TURN_MOVED))
		return HOME_LEFT;
	if (!move_wanted(svc, adm, turn))
		return HOME_NOT_NOW;
	turn->ended |= FLARE_TURN_MOVED;
	if (let_in(ctx))
		return HOME_SENT;
	turn->ended &= ~FLARE_TURN_MOVED;
	return HOME_LEFT;
}

/*
 * A request of the client's has overtaken its backend's RST, which the backend has not taken then: the
 * connection goes on, and may be reset when it is idle again. Where the backend has taken it, its own
 * RST says so in the other direction.
 */
static __always_inline void take_back(struct flare_flow *forward, struct flare_turn *turn)
{
	__sync_fetch_and_and(&forward->flags, ~FLARE_FLOW_RST);
	turn->ended &= ~(FLARE_TURN_CLOSED | FLARE_TURN_MOVED);
}

/* The frame is the backend's to its client, after the other one. */
static __always_inline enum home_verdict
tell_client(struct __sk_buff *ctx, const struct account *told, const struct flare_flow *reverse)
{
	struct flare_flow *forward = bpf_map_lookup_elem(&flows, &reverse->peer);
	__u64 tag = turn_tag(&reverse->peer);
	struct flare_turn_set *set = turn_set_find(tag);
	struct flare_turn *turn = set ? turn_find(set, tag) : NULL;
	struct flare_service_counters *row = service_counters_find(reverse->service_id);

	if (!forward || !turn || !row || !(turn->ended & FLARE_TURN_MOVED) ||
	    reverse->flags & FLARE_FLOW_RST)
		return HOME_LEFT;
	if (!(forward->flags & FLARE_FLOW_RST))
		return HOME_NOT_YET;
	if (*(volatile __u32 *)&turn->client_end != told->ack) {
		take_back(forward, turn);
		return HOME_LEFT;
	}
	if (*(volatile __u32 *)&turn->server_end != told->seq || !let_in(ctx))
		return HOME_LEFT;
	/* atomic: before Linux 6.10 a packet may come between, on this CPU */
	__sync_fetch_and_add(&row->moved[FLARE_TIER_SERVERLESS][FLARE_MEANS_RESET], 1);
	return HOME_SENT;
}

SEC("tc")
int flare_home(struct __sk_buff *ctx)
{
	struct account told = {};
	struct flare_flow *flow;

	if (account_read(ctx, &told))
		return HOME_LEFT;
	flow = bpf_map_lookup_elem(&flows, &told.pkt.flow);
	if (!flow)
		return HOME_LEFT;
	return flow->dir == FLARE_DIR_FORWARD ? end_backend(ctx, &told, flow)
					      : tell_client(ctx, &told, flow);
}

char LICENSE[] SEC("license") = "GPL";

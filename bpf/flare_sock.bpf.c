// SPDX-License-Identifier: GPL-2.0-only
/*
 * Services of placement `sender` for the processes of a cgroup: connect() and sendto() to a service
 * go to a backend's address, chosen once for each connection, so that no packet is looked at or
 * changed. What a process asks about its peer shows the service's address.
 *
 * A flow of TCP counts from its SYN (sockops: the decision alone may still meet no route) to the end
 * that comes first: the server's FIN, a RST or a failure (sockops), or the last close of the socket,
 * by whatever means its processes end (sock_release). Of UDP: from the decision to the close.
 */
#include "sock_choose.bpf.h"
#include "socket.bpf.h"

#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define PASS 1
#define STORAGE_CREATE 1 /* BPF_SK_STORAGE_GET_F_CREATE */

/* Linux's states of TCP that are named here (include/net/tcp_states.h, uapi bpf.h) */
#define STATE_SYN_SENT 2
#define STATE_CLOSE 7
#define STATE_CLOSE_WAIT 8
#define STATE_CLOSING 11

#define OP_TCP_CONNECT 3
#define OP_ACTIVE_ESTABLISHED 4
#define OP_STATE 10
#define STATE_CALLBACK (1U << 2)

/* The family that the hook's addresses are written in: programs named 4 and 6. */
enum sock_family { SOCK_V4, SOCK_V6 };

static __always_inline void address_read(const struct bpf_sock_addr *ctx, enum sock_family family,
					 struct flare_addr *addr)
{
	__builtin_memset(addr, 0, sizeof(*addr));
	if (family == SOCK_V4) {
		addr->word[2] = bpf_htonl(0xffff);
		addr->word[3] = ctx->user_ip4;
		return;
	}
	addr->word[0] = ctx->user_ip6[0];
	addr->word[1] = ctx->user_ip6[1];
	addr->word[2] = ctx->user_ip6[2];
	addr->word[3] = ctx->user_ip6[3];
}

static __always_inline void address_write(struct bpf_sock_addr *ctx, enum sock_family family,
					  const struct flare_addr *addr, __be16 port)
{
	ctx->user_port = port;
	if (family == SOCK_V4) {
		ctx->user_ip4 = addr->word[3];
		return;
	}
	ctx->user_ip6[0] = addr->word[0];
	ctx->user_ip6[1] = addr->word[1];
	ctx->user_ip6[2] = addr->word[2];
	ctx->user_ip6[3] = addr->word[3];
}

/* The protocol of a socket that can have services; 0: of another kind. */
static __always_inline __u8 sock_protocol(const struct bpf_sock_addr *ctx)
{
	if (ctx->type == SOCK_STREAM && ctx->protocol == PROTO_TCP)
		return PROTO_TCP;
	return ctx->type == SOCK_DGRAM && ctx->protocol == PROTO_UDP ? PROTO_UDP : 0;
}

/* Whether a flow that was decided before still holds, so that nothing is decided anew. */
static __always_inline int sock_flow_holds(const struct flare_sock_flow *flow, __u8 proto)
{
	struct flare_settings *set = settings_get();
	__u64 now_ns = bpf_ktime_get_coarse_ns();

	if (!set || sock_flow_lost(flow))
		return 0;
	/* TCP: one whose connect() failed before its SYN left, and is made again */
	if (proto == PROTO_TCP)
		return !flow->open && !flow->flags && now_ns - flow->seen_ns < NSEC_PER_SEC;
	return flow->open && now_ns - flow->seen_ns < set->udp_replied_ns;
}

/* The record for a flow to `key` of this socket: of an earlier one, else one to be filled. */
static __always_inline struct flare_sock_flow *sock_flow_for(struct flare_sock_flows *flows,
							     const struct flare_service_key *key)
{
	struct flare_sock_flow *flow;

	if (key->proto == PROTO_TCP)
		return &flows->way[0];
	flow = sock_flow_of_frontend(flows, key);
	return flow ? flow : sock_flow_take(flows);
}

static __always_inline int sock_flow_is_of(const struct flare_sock_flow *flow,
					   const struct flare_service_key *key)
{
	return flow->frontend_port == key->port && addr_equal(&flow->frontend, &key->addr);
}

/* A socket that has flows of ours connects elsewhere: what is left of its last connection ends. */
static __always_inline int pass_elsewhere(struct bpf_sock_addr *ctx, __u8 proto)
{
	struct bpf_sock *sk = ctx->sk;
	struct flare_sock_flows *flows;

	if (proto != PROTO_TCP || !sk)
		return PASS;
	flows = bpf_sk_storage_get(&sock_flows, sk, NULL, 0);
	if (flows) {
		sock_flow_end(&flows->way[0], SOCK_CLOSED);
		flows->way[0].frontend_port = 0;
	}
	return PASS;
}

/* Decides a new flow and records it in `flow`, whose own flow ends. Returns 0, or an error. */
static __always_inline int sock_flow_decide(struct bpf_sock_addr *ctx,
					    const struct flare_service *svc,
					    struct flare_sock_flow *flow,
					    struct sock_choice *choice)
{
	struct flare_service_counters *row = service_counters_find(svc->id);
	struct flare_admission *adm = admission_find(svc->id);
	int error;

	if (!row || !adm)
		return -ECONNREFUSED;
	sock_flow_end(flow, SOCK_CLOSED);
	flow->frontend_port = 0;
	choice->now_ns = bpf_ktime_get_ns();
	choice->hash = sock_hash(bpf_get_socket_cookie(ctx), svc);
	error = sock_choose(svc, adm, row, choice);
	if (error)
		return error;
	sock_flow_record(flow, svc, choice);
	if (choice->key.proto == PROTO_UDP)
		sock_flow_begin(flow, svc);
	return 0;
}

static __always_inline int refuse(int error)
{
	bpf_set_retval(error);
	return 0;
}

/* connect(), and sendto() of UDP: to a service, the backend of this socket's flow takes its place. */
static __always_inline int direct(struct bpf_sock_addr *ctx, enum sock_family family)
{
	struct sock_choice choice = {};
	__u8 proto = sock_protocol(ctx);
	struct bpf_sock *sk = ctx->sk;
	struct flare_sock_flows *flows;
	struct flare_sock_flow *flow;
	struct flare_service *svc;
	int error;

	if (!proto || !sk)
		return PASS;
	address_read(ctx, family, &choice.key.addr);
	choice.key.port = (__be16)ctx->user_port;
	choice.key.proto = proto;
	svc = bpf_map_lookup_elem(&services, &choice.key);
	if (!svc || svc->placement != FLARE_PLACEMENT_SENDER)
		return pass_elsewhere(ctx, proto);
	flows = bpf_sk_storage_get(&sock_flows, sk, NULL, STORAGE_CREATE);
	if (!flows)
		return refuse(-ENOMEM);
	flow = sock_flow_for(flows, &choice.key);
	if (!sock_flow_is_of(flow, &choice.key) || !sock_flow_holds(flow, proto)) {
		error = sock_flow_decide(ctx, svc, flow, &choice);
		if (error)
			return refuse(error);
	} else if (proto == PROTO_UDP) {
		flow->seen_ns = bpf_ktime_get_coarse_ns();
	}
	address_write(ctx, family, &flow->backend, flow->backend_port);
	return PASS;
}

/* recvfrom() and getpeername(): the backend of a flow is shown as the service. */
static __always_inline int disguise(struct bpf_sock_addr *ctx, enum sock_family family,
				    int is_datagram)
{
	struct bpf_sock *sk = ctx->sk;
	struct flare_sock_flows *flows;
	struct flare_sock_flow *flow;
	struct flare_addr addr;

	flows = sk ? bpf_sk_storage_get(&sock_flows, sk, NULL, 0) : NULL;
	if (!flows)
		return PASS;
	address_read(ctx, family, &addr);
	flow = sock_flow_of_backend(flows, &addr, (__be16)ctx->user_port);
	if (!flow)
		return PASS;
	if (is_datagram)
		sock_flow_answer(flow);
	address_write(ctx, family, &flow->frontend, flow->frontend_port);
	return PASS;
}

SEC("cgroup/connect4")
int flare_connect4(struct bpf_sock_addr *ctx)
{
	return direct(ctx, SOCK_V4);
}

SEC("cgroup/connect6")
int flare_connect6(struct bpf_sock_addr *ctx)
{
	return direct(ctx, SOCK_V6);
}

SEC("cgroup/sendmsg4")
int flare_sendmsg4(struct bpf_sock_addr *ctx)
{
	return direct(ctx, SOCK_V4);
}

SEC("cgroup/sendmsg6")
int flare_sendmsg6(struct bpf_sock_addr *ctx)
{
	return direct(ctx, SOCK_V6);
}

SEC("cgroup/recvmsg4")
int flare_recvmsg4(struct bpf_sock_addr *ctx)
{
	return disguise(ctx, SOCK_V4, 1);
}

SEC("cgroup/recvmsg6")
int flare_recvmsg6(struct bpf_sock_addr *ctx)
{
	return disguise(ctx, SOCK_V6, 1);
}

SEC("cgroup/getpeername4")
int flare_getpeername4(struct bpf_sock_addr *ctx)
{
	return disguise(ctx, SOCK_V4, 0);
}

SEC("cgroup/getpeername6")
int flare_getpeername6(struct bpf_sock_addr *ctx)
{
	return disguise(ctx, SOCK_V6, 0);
}

/* The last close of a socket: by its process, or by the kernel when that ends. */
SEC("cgroup/sock_release")
int flare_sock_release(struct bpf_sock *sk)
{
	struct flare_sock_flows *flows = bpf_sk_storage_get(&sock_flows, sk, NULL, 0);
	int i;

	for (i = 0; flows && i < FLARE_SOCK_WAYS; i++)
		sock_flow_end(&flows->way[i], SOCK_CLOSED);
	return PASS;
}

/* How the connection of a socket ended that has just gone from `before` to `now`. */
static __always_inline enum sock_end connection_end(struct bpf_sock *sk, __u32 before, __u32 now)
{
	struct tcp_sock *tcp;
	int error;

	if (now != STATE_CLOSE)
		return SOCK_CLOSED;
	tcp = bpf_skc_to_tcp_sock(sk);
	error = tcp ? tcp->inet_conn.icsk_inet.sk.sk_err : 0;
	if (before == STATE_SYN_SENT)
		return error == ECONNREFUSED ? SOCK_REFUSED : SOCK_FAILED;
	return error ? SOCK_FAILED : SOCK_CLOSED;
}

/* The states of a connection of TCP. Asks to be told of their changes for those of ours alone. */
SEC("sockops")
int flare_sock_states(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct flare_sock_flows *flows;
	struct flare_service_key key;
	struct flare_sock_flow *flow;
	__u32 op = ctx->op, now;

	if ((op != OP_TCP_CONNECT && op != OP_ACTIVE_ESTABLISHED && op != OP_STATE) || !sk)
		return PASS;
	flows = bpf_sk_storage_get(&sock_flows, sk, NULL, 0);
	if (!flows || !flows->way[0].frontend_port)
		return PASS;
	flow = &flows->way[0];
	if (op == OP_TCP_CONNECT) {
		__builtin_memset(&key, 0, sizeof(key));
		key.addr = flow->frontend;
		key.port = flow->frontend_port;
		key.proto = PROTO_TCP;
		sock_flow_begin(flow, bpf_map_lookup_elem(&services, &key));
		bpf_sock_ops_cb_flags_set(ctx, (int)(ctx->bpf_sock_ops_cb_flags | STATE_CALLBACK));
	} else if (op == OP_ACTIVE_ESTABLISHED) {
		sock_flow_answer(flow);
	} else {
		now = ctx->args[1];
		if (now == STATE_CLOSE || now == STATE_CLOSE_WAIT || now == STATE_CLOSING)
			sock_flow_end(flow, connection_end(sk, ctx->args[0], now));
	}
	return PASS;
}

char LICENSE[] SEC("license") = "GPL";

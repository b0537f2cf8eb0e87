// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moves open connections of the VM tier that cannot be told to close: those of TLS, and of protocols
 * whose answers have no header. One that is idle between two requests is reset, so that its client
 * dials again. A walk over this host's sockets, started by the agent: the check and the reset are
 * one run under the socket's lock. A request that is on its way meanwhile finds no socket and is
 * answered with a RST: it is never served twice.
 */
#include "move_rule.bpf.h"
#include "socket.bpf.h"

/* By service id, written by the agent: how long (ns) it must have been silent; 0: none is reset. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FLARE_SERVICES_MAX);
	__type(key, __u32);
	__type(value, __u64);
} idle_bounds SEC(".maps");

/* Of one walk. The agent makes one at a time. */
__u64 connections_seen = 0; /* to frontends whose idle connections may be reset */
__u64 connections_reset = 0;

/* Whether there is no other means to move it. Streams of HTTP/2 in TLS cannot be seen to be idle. */
static __always_inline int reset_is_the_means(const struct flare_turn *turn)
{
	if (turn->flags & (FLARE_TURN_MUX | FLARE_TURN_HTTP2 | FLARE_TURN_WHOLE))
		return 0;
	return turn->flags & FLARE_TURN_TLS || turn->ended & FLARE_TURN_HEADLESS;
}

/* Whether no request is open, and none was for `bound_ns`. One that never had any carries no load. */
static __always_inline int turn_is_idle(const struct flare_turn *turn, __u64 bound_ns)
{
	__u64 now_ns = bpf_ktime_get_ns(), seen_ns = *(volatile __u64 *)&turn->seen_ns;

	return turn->requests && !*(volatile __u64 *)&turn->open_ns &&
	       !*(volatile __u32 *)&turn->streams && now_ns > seen_ns &&
	       now_ns - seen_ns > bound_ns;
}

/* The slot of a connection of the VM tier that may be reset now; NULL: it may not. */
static __always_inline struct flare_turn *
turn_to_reset(const struct flare_flow_key *client, const struct flare_service *svc, __u64 bound_ns)
{
	__u64 tag = turn_tag(client);
	struct flare_turn_set *set = turn_set_find(tag);
	struct flare_turn *turn = set ? turn_find(set, tag) : NULL;

	if (!turn || turn->service_id != svc->id || turn->tier != FLARE_TIER_VM ||
	    !reset_is_the_means(turn) || !turn_is_idle(turn, bound_ns))
		return NULL;
	return turn;
}

SEC("iter/tcp")
int flare_reset(struct bpf_iter__tcp *ctx)
{
	struct sock_common *sk = ctx->sk_common;
	struct flare_service_counters *row;
	struct flare_flow_key client;
	struct flare_admission *adm;
	struct flare_service *svc;
	struct flare_turn *turn;
	struct tcp_sock *tcp;
	__u64 *bound_ns;
	__u32 id;

	if (!sk || sk->skc_state != TCP_ESTABLISHED)
		return 0;
	socket_client_key(sk, &client);
	svc = service_of(&client);
	if (!svc)
		return 0;
	id = svc->id;
	bound_ns = bpf_map_lookup_elem(&idle_bounds, &id);
	adm = admission_find(id);
	row = service_counters_find(id);
	if (!bound_ns || !*bound_ns || !adm || !row)
		return 0;
	connections_seen++;
	tcp = bpf_skc_to_tcp_sock(sk);
	turn = turn_to_reset(&client, svc, *bound_ns);
	if (!tcp || !turn || !socket_is_quiet(tcp) || !move_wanted(svc, adm, turn))
		return 0;
	/* before: the RST goes through tc egress, which ends the connection and frees the slot */
	turn->ended |= FLARE_TURN_MOVED;
	if (bpf_sock_destroy(sk))
		return 0;
	row->moved[FLARE_TIER_VM][FLARE_MEANS_RESET]++;
	connections_reset++;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";

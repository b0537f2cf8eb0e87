// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moves open connections of the VM tier that cannot be told to close: those of TLS, and of protocols
 * whose answers have no header. One that is idle between two requests is reset, so that its client
 * dials again. A walk over this host's sockets, started by the agent: the check and the reset are
 * one run under the socket's lock. A request that is on its way meanwhile finds no socket and is
 * answered with a RST: it is never served twice.
 */
#include "idle.bpf.h"
#include "socket.bpf.h"

/* Of one walk. The agent makes one at a time. */
__u64 connections_seen = 0; /* to frontends whose idle connections may be reset */
__u64 connections_reset = 0;

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
	__u64 bound_ns;

	if (!sk || sk->skc_state != TCP_ESTABLISHED)
		return 0;
	socket_client_key(sk, &client);
	svc = service_of(&client);
	if (!svc)
		return 0;
	bound_ns = idle_bound_of(svc->id);
	adm = admission_find(svc->id);
	row = service_counters_find(svc->id);
	if (!bound_ns || !adm || !row)
		return 0;
	connections_seen++;
	tcp = bpf_skc_to_tcp_sock(sk);
	turn = turn_to_reset(&client, svc, FLARE_TIER_VM, bound_ns);
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

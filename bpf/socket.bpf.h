/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's TCP sockets: the few fields that are read, each found by its name when the program
 * is loaded (CO-RE), wherever this kernel has it. So the structures are not taken from vmlinux.h
 * (tcp_sock alone needs 700 lines of others there) and their order and size here say nothing.
 */
#pragma once

#include "uapi.bpf.h"

#define TCP_ESTABLISHED 1

#define BY_NAME __attribute__((preserve_access_index))

struct sock_common {
	__be32 skc_daddr, skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num; /* local port, host order */
	unsigned short skc_family;
	volatile unsigned char skc_state;
	struct in6_addr skc_v6_daddr,
		skc_v6_rcv_saddr; /* ::ffff:a.b.c.d of IPv4 on an IPv6 socket */
} BY_NAME;

struct sock {
	int sk_err; /* why it was closed; 0: in order */
} BY_NAME;

struct inet_sock {
	struct sock sk;
} BY_NAME;

struct inet_connection_sock {
	struct inet_sock icsk_inet;
} BY_NAME;

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 rcv_nxt, copied_seq; /* received; read by the application */
	__u32 write_seq, snd_una; /* written by the application; acknowledged by the peer */
} BY_NAME;

struct bpf_iter__tcp {
	struct sock_common *sk_common; /* NULL when the walk is over */
} BY_NAME;

/*
 * Sends a RST and closes the socket, whoever holds it; its owner reads ECONNABORTED. Linux 6.5. The
 * walk holds the socket's lock, so nothing comes between a check and this.
 */
extern int bpf_sock_destroy(struct sock_common *sk) __ksym;

static __always_inline struct flare_addr addr_of_v6(const struct in6_addr *from)
{
	struct flare_addr addr;

	addr.word[0] = from->in6_u.u6_addr32[0];
	addr.word[1] = from->in6_u.u6_addr32[1];
	addr.word[2] = from->in6_u.u6_addr32[2];
	addr.word[3] = from->in6_u.u6_addr32[3];
	return addr;
}

/* The connection's key, as its client's packets have it. */
static __always_inline void socket_client_key(const struct sock_common *sk,
					      struct flare_flow_key *client)
{
	__builtin_memset(client, 0, sizeof(*client));
	if (sk->skc_family == AF_INET6) {
		client->src = addr_of_v6(&sk->skc_v6_daddr);
		client->dst = addr_of_v6(&sk->skc_v6_rcv_saddr);
	} else {
		client->src.word[2] = client->dst.word[2] = bpf_htonl(0xffff);
		client->src.word[3] = sk->skc_daddr;
		client->dst.word[3] = sk->skc_rcv_saddr;
	}
	client->sport = sk->skc_dport;
	client->dport = bpf_htons(sk->skc_num);
	client->proto = PROTO_TCP;
}

/* Whether nothing waits to be read by the application, or to be acknowledged by the client. */
static __always_inline int socket_is_quiet(const struct tcp_sock *tcp)
{
	return tcp->rcv_nxt == tcp->copied_seq && tcp->write_seq == tcp->snd_una;
}

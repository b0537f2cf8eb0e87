/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ground that every other header here stands on: kernel types, helpers, and the constants
 * that BTF does not carry. Compiled for the host (flarectl, tests) it gives the types alone.
 */
#pragma once

#ifdef __bpf__
/* Wire formats and UAPI never move: no CO-RE relocation is wanted. Sockets: socket.bpf.h. */
#define BPF_NO_PRESERVE_ACCESS_INDEX
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/*
 * Whether `length` is 1 to `max`, in two comparisons. The compiler would make one of them, of the length
 * less one, of which Linux 6.12 learns nothing for the length itself ("invalid zero-sized read"). Signed,
 * as it would ask for "not 0" else, of which Linux 6.1 does not learn "at least 1".
 */
#define LENGTH_WITHIN(length, max)                \
	(({                                       \
		 asm volatile("" : "+r"(length)); \
		 (__s32)(length) > 0;             \
	 }) &&                                    \
	 ({                                       \
		 asm volatile("" : "+r"(length)); \
		 (length) <= (max);               \
	 }))
#else
#include <linux/types.h>
#define __always_inline inline __attribute__((always_inline))
#endif

#include "flare/abi.h"

#ifndef offsetof
#define offsetof(type, member) __builtin_offsetof(type, member)
#endif

#ifndef EEXIST
#define EEXIST 17
#endif
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86DD
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88A8
#define ETH_ALEN 6

#define IP_DF 0x4000
#define IP_MF 0x2000
#define IP_OFFSET_MASK 0x1FFF

#define IPOPT_EOL 0
#define IPOPT_NOP 1
#define IPOPT_LSRR 131
#define IPOPT_SSRR 137

/* IANA protocol numbers that are IPv6 extension headers; the rest is in the kernel's enum. */
#define NEXTHDR_HOP_BY_HOP 0
#define NEXTHDR_TCP 6
#define NEXTHDR_UDP 17
#define NEXTHDR_ROUTING 43
#define NEXTHDR_FRAGMENT 44
#define NEXTHDR_ICMPV6 58
#define NEXTHDR_DESTINATION 60
/* Content types of TLS records (RFC 8446, section 5.1). */
#define TLS_CHANGE_CIPHER 20
#define TLS_ALERT 21
#define TLS_HANDSHAKE 22
#define TLS_DATA 23

#define PROTO_ICMP 1
#define PROTO_TCP NEXTHDR_TCP
#define PROTO_UDP NEXTHDR_UDP
#define PROTO_ICMPV6 NEXTHDR_ICMPV6

#define ICMP_DEST_UNREACH 3
#define ICMP_SOURCE_QUENCH 4
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETER_PROBLEM 12
#define ICMP_PORT_UNREACH 3
#define ICMP_FRAG_NEEDED 4
#define ICMPV6_DEST_UNREACH 1
#define ICMPV6_PKT_TOO_BIG 2
#define ICMPV6_TIME_EXCEEDED 3
#define ICMPV6_PARAMETER_PROBLEM 4
#define ICMPV6_PORT_UNREACH 4

#define TC_ACT_UNSPEC (-1)
#define TC_ACT_SHOT 2

#define BPF_ANY 0
#define BPF_NOEXIST 1
#define BPF_F_MMAPABLE (1U << 10)
#define BPF_F_NO_PREALLOC (1U << 0)
#define BPF_F_INNER_MAP (1U << 12)
#define BPF_F_PSEUDO_HDR (1ULL << 4)
#define BPF_F_MARK_MANGLED_0 (1ULL << 5)
#define BPF_ADJ_ROOM_MAC 1

/* bpf_fib_lookup */
#define BPF_FIB_LKUP_RET_SUCCESS 0
#define BPF_FIB_LKUP_RET_FWD_DISABLED 5
#define BPF_FIB_LKUP_RET_UNSUPP_LWT 6
#define BPF_FIB_LKUP_RET_NO_NEIGH 7
#define BPF_FIB_LKUP_RET_FRAG_NEEDED 8

#define AF_INET 2
#define AF_INET6 10

#define NSEC_PER_SEC 1000000000ULL
#define NSEC_PER_HOUR (3600 * NSEC_PER_SEC)

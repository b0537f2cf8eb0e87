/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The layout of everything that the datapath, the agent and flarectl share through BPF maps.
 * It holds types, limits and words; it declares no map and no function.
 *
 * Rules: fixed-width fields; byte order in the type (__be16, __be32), host order otherwise; the
 * unit in the name (_ns, _bytes); padding is named `zero*` and is 0; no bool, enum, pointer or
 * bit-field in a map value. Times are CLOCK_MONOTONIC, as bpf_ktime_get_ns() reads it.
 *
 * Any change of a struct below changes FLARE_ABI_VERSION, and with it the pin directory.
 */
#ifndef FLARE_ABI_H
#define FLARE_ABI_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#ifndef __cplusplus
#define FLARE_ASSERT_SIZE(type, size) _Static_assert(sizeof(type) == (size), "layout of " #type)
#else
#define FLARE_ASSERT_SIZE(type, size) static_assert(sizeof(type) == (size), "layout of " #type)
#endif

#define FLARE_ABI_VERSION 4

/* Limits. The agent may create a map smaller than its limit, never larger. */
#define FLARE_SERVICES_MAX	4096
#define FLARE_BACKENDS_MAX	65536
#define FLARE_CPUS_MAX		1024
#define FLARE_FLOWS_MAX		2097152 /* entries: two for each translated flow */
#define FLARE_EMBRYOS_MAX	131072	/* entries: two for each unfinished handshake */
#define FLARE_FRAGMENTS_MAX	8192
#define FLARE_VM_FLOWS_MAX	65536	/* power of two */
#define FLARE_TURN_SETS		65536	/* power of two; of FLARE_TURN_WAYS connections each */
#define FLARE_TURN_WAYS		4
#define FLARE_HTTP2_MAX		16384	/* connections of cleartext HTTP/2 whose frames are walked */
#define FLARE_SHIFTS_MAX	16384	/* connections into which a GOAWAY was put */
#define FLARE_AFFINITIES_MAX	65536	/* clients whose backend is remembered */
#define FLARE_CHAIN_SOURCES_MAX	1024	/* prefixes of serverless_sources */
#define FLARE_SPILL_PREFIXES	65536	/* power of two; cells for prefixes of clients */
#define FLARE_SNAT_ADDRS_MAX	8
#define FLARE_PORT_PROBES	32
#define FLARE_NAME_BYTES	64 /* with the closing 0 */
#define FLARE_TEXT_BYTES	160
/* Sizes of a selection table: primes, so that any step of Maglev visits every slot. */
#define FLARE_TABLE_SLOTS_MAX	65537
/* Value of a service's share that sends every new flow to serverless. */
#define FLARE_SHARE_ONE		(1ULL << 32)

/* Words: each list gives the enum, the metric label and the word flarectl prints. */

#define FLARE_TIERS(T)                \
	T(VM, "vm")                   \
	T(SERVERLESS, "serverless")

#define FLARE_HOOKS(H)                        \
	H(XDP, "xdp")                         \
	H(TC_INGRESS, "tc-ingress")           \
	H(TC_COMPANION, "tc-companion")       \
	H(TC_EGRESS, "tc-egress")

#define FLARE_BACKEND_STATES(S)       \
	S(ACTIVE, "active")           \
	S(DRAINING, "draining")       \
	S(DOWN, "down")

/* Where Flare sits on a service's path, and so what becomes of its packets. */
#define FLARE_PLACEMENTS(P)                                                                 \
	P(RECEIVER, "receiver") /* the service runs here: the VM tier's packets are left alone */ \
	P(BALANCER, "balancer") /* the frontend is a VIP: every flow is translated and sent on */ \
	P(SENDER, "sender")     /* its clients run here: translated, then left to this host's routing */

/* Whose address a translated flow of a balancer's VM tier comes from. Serverless: always ours. */
#define FLARE_SNATS(S)                                                              \
	S(ALWAYS, "always") /* ours, so that replies come back through us */        \
	S(NEVER, "never")   /* the client's: we are on the way back */              \
	S(AUTO, "auto")     /* the client's where it is behind another interface than the backend */

/* Which backend of a tier a new flow goes to. */
#define FLARE_SELECTS(S)                                                            \
	S(HASH, "hash")                                                             \
	S(LEAST, "least")   /* of two by hash the one with less in flight for its weight */

/* The tier of a flow that comes from serverless: a request that calls other services. */
#define FLARE_CHAINS(C)                                                             \
	C(RETURN, "return") /* any other's: to a VM where there is room */          \
	C(STAY, "stay")     /* serverless */                                        \
	C(VM, "vm")

#define FLARE_POLICIES(P)             \
	P(OBSERVE, "observe")         \
	P(FORMULA, "formula")         \
	P(CAP, "cap")

/* What becomes of a flow that should spill and may not. */
#define FLARE_OVERLOADS(O)            \
	O(VM, "vm")                   \
	O(REJECT, "reject")           \
	O(DROP, "drop")

/* What stands for the load of a service: its requests where packets show them, or something else. */
#define FLARE_COUNTINGS(C)                    \
	C(AUTO, "auto")               /* turns, or streams of cleartext HTTP/2 */ \
	C(CONNECTIONS, "connections") /* a connection is a request, from SYN to FIN */ \
	C(REPORTED, "reported")       /* the service itself tells, over the control socket */

/* What a connection turned out to speak, by the first payload of its client. */
#define FLARE_CLASSES(C)                                                                     \
	C(UNKNOWN, "unknown")                                                                \
	C(TURNS, "turns")          /* HTTP/1.x and alike: turns are requests */              \
	C(TLS_TURNS, "tls-turns")  /* as that, inside TLS */                                 \
	C(HTTP2, "http2")          /* cleartext HTTP/2 and gRPC: streams are requests */     \
	C(TLS_MUX, "tls-mux")      /* HTTP/2 inside TLS: turns are fewer than requests */

/* How connections that are open follow a change. */
#define FLARE_MOVES(M)                \
	M(NONE, "none")               \
	M(CLOSE, "close")

/* By what means a connection was told, or made, to end so that its client dials again. */
#define FLARE_MEANS(M)                                                                       \
	M(HEADER, "header")  /* HTTP/1.x: Connection: close, written over a response header */ \
	M(GOAWAY, "goaway")  /* cleartext HTTP/2: a GOAWAY frame behind a frame of the server */ \
	M(RESET, "reset")    /* TLS and the rest, idle between turns: RST */

/* What holds for a service whose agent no longer beats: only cap and bucket, or nothing, spill. */
#define FLARE_FALLBACKS(F)            \
	F(BUCKET, "bucket")           \
	F(VM, "vm")

/* Why a new flow was sent to serverless. */
#define FLARE_SPILL_CAUSES(C)         \
	C(SHARE, "share")             \
	C(BUCKET, "bucket")           \
	C(CAP, "cap")                 \
	C(CHAIN, "chain")             \
	C(NO_VM, "no-vm") /* no backend of the VM tier is usable */
#define FLARE_SPILL_SLOTS 8

/* Why a new flow that should have gone to serverless did not. */
#define FLARE_REFUSALS(R)                     \
	R(SPEND_RATE, "spend-rate")           \
	R(SPEND_RAMP, "spend-ramp")           \
	R(SPEND_ACTIVE, "spend-active")       \
	R(SPEND_HOUR, "spend-hour")           \
	R(NO_BACKEND, "no-backend")           \
	R(NO_PORT, "no-port")                 \
	R(TABLE_FULL, "table-full")           \
	R(NO_ROUTE, "no-route")               \
	R(TTL, "ttl")                         \
	R(SPEND_PREFIX, "spend-prefix") /* the prefix that it comes from has had its share */ \
	R(FLOOD, "flood") /* more new flows on this CPU than flood_rate */

/*
 * Why a packet got its verdict. Each hook counts exactly one reason for each packet it sees.
 * The third word says what the reason means for the packet: pass (untouched, to the stack), punt
 * (untouched, to the tc companion of an XDP program), drop, answer (turned into a reply to its
 * sender), forward (translated and sent).
 */
#define FLARE_REASONS(R)                                                                     \
	/* not ours */                                                                       \
	R(NOT_IP, "not-ip", PASS)                                                            \
	R(NOT_TRANSPORT, "not-transport", PASS)                                              \
	R(NOT_SERVICE, "not-service", PASS)                                                  \
	R(VLAN_DEPTH, "vlan-depth", PASS)                                                    \
	R(NOT_UNICAST, "not-unicast", PASS)                                                  \
	R(ICMP_NOT_ERROR, "icmp-not-error", PASS)                                            \
	R(ICMP_NO_FLOW, "icmp-no-flow", PASS)                                                \
	R(FRAGMENT_NO_FLOW, "fragment-no-flow", PASS)                                        \
	/* ours by address, but nothing that a flow could be made of */                      \
	R(TRUNCATED, "truncated", PASS)                                                      \
	R(BAD_IP_HEADER, "bad-ip-header", PASS)                                              \
	R(BAD_EXT_HEADER, "bad-ext-header", PASS)                                            \
	R(BAD_TRANSPORT_HEADER, "bad-transport-header", PASS)                                \
	R(BAD_TCP_FLAGS, "bad-tcp-flags", PASS)                                              \
	R(BAD_CHECKSUM_FIELD, "bad-checksum-field", PASS)                                    \
	R(SOURCE_ROUTE, "source-route", PASS)                                                \
	R(TINY_FRAGMENT, "tiny-fragment", PASS)                                              \
	R(MARTIAN, "martian", PASS)                                                          \
	R(LAND, "land", PASS)                                                                \
	R(SPOOF, "spoof", PASS)                                                              \
	/* the VM tier */                                                                    \
	R(VM_NEW, "vm-new", PASS)                                                            \
	R(VM_KNOWN, "vm-known", PASS)                                                        \
	R(VM_OBSERVED, "vm-observed", PASS)                                                  \
	R(VM_OVERLOAD, "vm-overload", PASS)                                                  \
	R(VM_REPLY, "vm-reply", PASS)                                                        \
	/* the VM tier where it is translated: balancer and sender */                        \
	R(FORWARD_NEW, "forward-new", FORWARD)                                               \
	R(FORWARD_KNOWN, "forward-known", FORWARD)                                           \
	R(FORWARD_AGAIN, "forward-again", FORWARD) /* its record was lost, and is made anew */  \
	R(FORWARD_REPLY, "forward-reply", FORWARD)                                           \
	R(FORWARD_FRAGMENT, "forward-fragment", FORWARD)                                     \
	R(FORWARD_ICMP, "forward-icmp", FORWARD)                                             \
	/* serverless */                                                                     \
	R(SPILL_NEW, "spill-new", FORWARD)                                                   \
	R(SPILL_KNOWN, "spill-known", FORWARD)                                               \
	R(SPILL_REPLY, "spill-reply", FORWARD)                                               \
	R(SPILL_FRAGMENT, "spill-fragment", FORWARD)                                         \
	R(SPILL_ICMP, "spill-icmp", FORWARD)                                                 \
	R(OVERLOAD_REJECT, "overload-reject", ANSWER)                                        \
	R(OVERLOAD_DROP, "overload-drop", DROP)                                              \
	R(BACKEND_DOWN, "backend-down", ANSWER)                                              \
	R(MALFORMED, "malformed", DROP) /* to a VIP: nobody else would judge it */              \
	/* what only the tc companion can finish */                                          \
	R(PUNT_NEIGHBOUR, "punt-neighbour", PUNT)                                            \
	R(PUNT_FORWARDING, "punt-forwarding", PUNT)                                          \
	R(PUNT_TAGGED, "punt-tagged", PUNT)                                                  \
	R(PUNT_LAYOUT, "punt-layout", PUNT)                                                  \
	R(PUNT_DEVICE, "punt-device", PUNT)                                                  \
	R(NOT_PUNTED, "not-punted", PASS)                                                    \
	/* a translated packet that cannot leave */                                          \
	R(TOO_BIG, "too-big", ANSWER)                                                        \
	R(TTL_EXCEEDED, "ttl-exceeded", ANSWER)                                              \
	R(NO_ROUTE, "no-route", DROP)                                                        \
	R(REWRITE_FAILED, "rewrite-failed", DROP)                                            \
	/* tc egress */                                                                      \
	R(NOT_LOCAL, "not-local", PASS)

#define FLARE_ENUM_TIER(name, word) FLARE_TIER_##name,
#define FLARE_ENUM_HOOK(name, word) FLARE_HOOK_##name,
#define FLARE_ENUM_BACKEND(name, word) FLARE_BACKEND_##name,
#define FLARE_ENUM_PLACEMENT(name, word) FLARE_PLACEMENT_##name,
#define FLARE_ENUM_SNAT(name, word) FLARE_SNAT_##name,
#define FLARE_ENUM_SELECT(name, word) FLARE_SELECT_##name,
#define FLARE_ENUM_CHAIN(name, word) FLARE_CHAIN_##name,
#define FLARE_ENUM_POLICY(name, word) FLARE_POLICY_##name,
#define FLARE_ENUM_OVERLOAD(name, word) FLARE_OVERLOAD_##name,
#define FLARE_ENUM_FALLBACK(name, word) FLARE_FALLBACK_##name,
#define FLARE_ENUM_COUNTING(name, word) FLARE_COUNTING_##name,
#define FLARE_ENUM_CLASS(name, word) FLARE_CLASS_##name,
#define FLARE_ENUM_MOVE(name, word) FLARE_MOVE_##name,
#define FLARE_ENUM_MEANS(name, word) FLARE_MEANS_##name,
#define FLARE_ENUM_SPILL(name, word) FLARE_SPILL_##name,
#define FLARE_ENUM_REFUSAL(name, word) FLARE_REFUSAL_##name,
#define FLARE_ENUM_REASON(name, word, fate) FLARE_REASON_##name,

enum flare_tier { FLARE_TIERS(FLARE_ENUM_TIER) FLARE_TIERS_COUNT };
enum flare_hook { FLARE_HOOKS(FLARE_ENUM_HOOK) FLARE_HOOKS_COUNT };
enum flare_backend_state { FLARE_BACKEND_STATES(FLARE_ENUM_BACKEND) FLARE_BACKEND_STATES_COUNT };
enum flare_placement { FLARE_PLACEMENTS(FLARE_ENUM_PLACEMENT) FLARE_PLACEMENTS_COUNT };
enum flare_snat { FLARE_SNATS(FLARE_ENUM_SNAT) FLARE_SNATS_COUNT };
enum flare_select { FLARE_SELECTS(FLARE_ENUM_SELECT) FLARE_SELECTS_COUNT };
enum flare_chain { FLARE_CHAINS(FLARE_ENUM_CHAIN) FLARE_CHAINS_COUNT };
enum flare_policy { FLARE_POLICIES(FLARE_ENUM_POLICY) FLARE_POLICIES_COUNT };
enum flare_overload { FLARE_OVERLOADS(FLARE_ENUM_OVERLOAD) FLARE_OVERLOADS_COUNT };
enum flare_fallback { FLARE_FALLBACKS(FLARE_ENUM_FALLBACK) FLARE_FALLBACKS_COUNT };
enum flare_counting { FLARE_COUNTINGS(FLARE_ENUM_COUNTING) FLARE_COUNTINGS_COUNT };
enum flare_class { FLARE_CLASSES(FLARE_ENUM_CLASS) FLARE_CLASSES_COUNT };
enum flare_move { FLARE_MOVES(FLARE_ENUM_MOVE) FLARE_MOVES_COUNT };
enum flare_means { FLARE_MEANS(FLARE_ENUM_MEANS) FLARE_MEANS_COUNT };
enum flare_spill_cause { FLARE_SPILL_CAUSES(FLARE_ENUM_SPILL) FLARE_SPILL_CAUSES_COUNT };
enum flare_refusal { FLARE_REFUSALS(FLARE_ENUM_REFUSAL) FLARE_REFUSALS_COUNT };
enum flare_reason { FLARE_REASONS(FLARE_ENUM_REASON) FLARE_REASONS_COUNT };
enum flare_fate {
	FLARE_FATE_PASS,
	FLARE_FATE_PUNT,
	FLARE_FATE_DROP,
	FLARE_FATE_ANSWER,
	FLARE_FATE_FORWARD,
};

/* Keys and addresses */

/* An address of either family; IPv4 is written as ::ffff:a.b.c.d. */
struct flare_addr {
	__be32 word[4];
};
FLARE_ASSERT_SIZE(struct flare_addr, 16);

/* Key of `services`: the frontend. Keys are compared byte by byte, so the padding is 0. */
struct flare_service_key {
	struct flare_addr addr;
	__be16 port;
	__u8 proto; /* IPPROTO_TCP or IPPROTO_UDP */
	__u8 zero;
};
FLARE_ASSERT_SIZE(struct flare_service_key, 20);

/* Key of `flows` and `embryos`: a packet's addresses and ports as it arrives. */
struct flare_flow_key {
	struct flare_addr src;
	struct flare_addr dst;
	__be16 sport;
	__be16 dport;
	__u8 proto;
	__u8 zero[3];
};
FLARE_ASSERT_SIZE(struct flare_flow_key, 40);

/* Key of `fragments`: what the fragments of one datagram have in common. */
struct flare_fragment_key {
	struct flare_addr src;
	struct flare_addr dst;
	__be32 id; /* IPv4: the 16-bit identification in the low-order (last) bytes */
	__u8 proto; /* IPv4: protocol; IPv6: next header after the fragment header */
	__u8 zero[3];
};
FLARE_ASSERT_SIZE(struct flare_fragment_key, 40);

/*
 * Key of `affinities`: a client of a service, whatever its port. For a tier each, as a spilled client
 * comes home.
 */
struct flare_affinity_key {
	struct flare_addr client;
	__u32 service_id;
	__u32 tier;
};
FLARE_ASSERT_SIZE(struct flare_affinity_key, 24);

/* Key of `chain_sources`, a trie of prefixes; IPv4 prefixes are 96 bits longer, as its addresses. */
struct flare_prefix {
	__u32 bits;
	struct flare_addr addr;
};
FLARE_ASSERT_SIZE(struct flare_prefix, 20);

/* Written by the agent, read by the datapath */

/* The one entry of `settings`. */
struct flare_settings {
	__u64 heartbeat_bound_ns; /* older than this: the service's fallback holds */
	__u64 tcp_handshake_ns; /* life of an entry without traffic, by state */
	__u64 tcp_established_ns;
	__u64 tcp_closing_ns; /* after a FIN from both sides */
	__u64 tcp_reset_ns; /* after a RST */
	__u64 udp_unreplied_ns;
	__u64 udp_replied_ns;
	__u16 nat_port_min; /* host order; the range is disjoint from the host's own */
	__u16 nat_port_max; /* inclusive */
	__u8 plain_replies; /* 1: flows may keep their client's address, so that any packet may be a reply */
	__u8 zero[3];
	__u64 hash_key[2]; /* secret of the keyed hash of `turns`, kept across restarts */
	__u32 flood_rate; /* new flows a second on one CPU above which none is spilled; 0: no limit */
	__u32 zero2;
};
FLARE_ASSERT_SIZE(struct flare_settings, 88);

/* The one entry of `heartbeat`: a sign of life from either side. */
struct flare_heartbeat {
	__u64 beat_ns; /* agent: when it last tended the weights; 0: never */
	__u64 spilled_ns; /* datapath: a second at most before it last recorded a flow; 0: never did */
};
FLARE_ASSERT_SIZE(struct flare_heartbeat, 16);

/*
 * Value of `services`. Replaced whole by one map update, so a reader never sees half of a change.
 * A rate limit is an interval (time of one token; 0: no limit) and a depth (interval x tokens).
 */
struct flare_service {
	__u32 id; /* index into every per-service array */
	__u32 epoch; /* grows by one with each change */
	__u64 share; /* of new flows, FLARE_SHARE_ONE is all */
	__u64 bucket_interval_ns; /* VM tier: new flows it takes without spilling */
	__u64 bucket_depth_ns;
	__u64 spend_interval_ns; /* spilled flows per second */
	__u64 spend_depth_ns;
	__u64 prefix_interval_ns; /* of these, for one prefix of clients */
	__u64 prefix_depth_ns;
	__u64 ramp_interval_ns; /* growth of concurrent spilled flows */
	__u64 ramp_depth_ns;
	__u64 hour_budget; /* spilled flows per hour; 0: none may be spilled */
	__u32 active_max; /* concurrent spilled flows; 0: no limit */
	__u32 cap; /* requests in flight in the VM tier at which new flows spill; 0: none */
	__u32 workers; /* requests that the VM tier works on at once; 0: unknown */
	__u8 placement;
	__u8 policy;
	__u8 overload;
	__u8 fallback;
	__u64 hash_key[2]; /* secret of the keyed hash, kept across restarts */
	/* connections of a tier (by tier) that are told to end, so that they are decided anew */
	__u64 move_interval_ns[2]; /* 0: none is */
	__u64 move_depth_ns[2];
	__u8 snat_count; /* of `snat` in use; 0: nothing can be spilled */
	__u8 counting;
	__u8 move;
	__u8 move_gated; /* 1: only out while the VM tier is at its cap, only home while it is not */
	__u16 steering; /* grows with each change that open connections cannot follow by themselves */
	__u8 snat_mode; /* FLARE_SNAT_*; balancer */
	__u8 select; /* FLARE_SELECT_* */
	__u64 affinity_ns; /* a client keeps its backend until it was away for longer; 0: it does not */
	__u8 chain; /* FLARE_CHAIN_* */
	__u8 retired; /* 1: removed; its entry stays for the flows that are open */
	__u8 zero[6];
	struct flare_addr snat[FLARE_SNAT_ADDRS_MAX];
};
FLARE_ASSERT_SIZE(struct flare_service, 304);

#define FLARE_BACKEND_LOCAL 0x01 /* its address is this host's own: the stack delivers to it */

/* Entry of `backends`, by backend id. Id 0 is never used: it is the VM tier of a receiver. */
struct flare_backend {
	struct flare_addr addr;
	__be16 port;
	__u8 tier;
	__u8 state;
	__u32 generation; /* grows when the id is given to another address */
	__u32 service_id;
	__u16 weight; /* relative, as in the tables; selection `least` divides by it */
	__u8 flags; /* FLARE_BACKEND_LOCAL */
	__u8 zero;
};
FLARE_ASSERT_SIZE(struct flare_backend, 32);

/*
 * Entry of `service_info`, by service id: what flarectl shows and the datapath never reads.
 * An entry whose name is empty is not in use.
 */
struct flare_service_info {
	char name[FLARE_NAME_BYTES];
	struct flare_service_key frontend;
	__u32 epoch;
	__u64 sampled_ns; /* when the figures below were computed */
	__u64 capacity_mrps; /* new flows per 1,000 s that the VM tier is believed to serve */
	__u64 arrivals_mrps; /* of both tiers, last interval; this is the autoscaler's figure */
	__u64 vm_mrps;
	__u64 serverless_mrps;
	__u64 wanted_share; /* what the policy asks for, whether it is applied or not */
	__u64 applied_share;
	__u64 spilling_since_ns; /* 0: not spilling */
	__u64 price_nanousd; /* of one spilled flow, for the bill */
	__u64 base_ns; /* time of a request that waits for nobody, as learned; 0: unknown */
	__u64 pinned; /* part of the last interval's requests, of FLARE_SHARE_ONE, see flare_turn.steering */
	__u64 reported_ns; /* when the service last told its own load; 0: never */
	__u64 move_rate_mcps[2]; /* by tier: connections told to end per 1,000 s, at most */
	__u32 table_slots[2]; /* by tier: size of its table, which stays where it can; 0: none yet */
	__u8 share_pinned; /* 1: set by hand, the policy does not touch it */
	__u8 workers_learned; /* 1: flare_service.workers and cap were learned, not told */
	__u8 zero[6];
};
FLARE_ASSERT_SIZE(struct flare_service_info, 216);

#define FLARE_SPILL_EVENTS 256
#define FLARE_SPILL_EVENT_KINDS(K) \
	K(START, "start")          \
	K(END, "end")
#define FLARE_ENUM_SPILL_EVENT(name, word) FLARE_SPILL_EVENT_##name,
enum flare_spill_event_kind {
	FLARE_SPILL_EVENT_KINDS(FLARE_ENUM_SPILL_EVENT) FLARE_SPILL_EVENT_KINDS_COUNT
};

/*
 * Entry of `spill_events`, a ring at [(number - 1) % FLARE_SPILL_EVENTS]: a service's spill that
 * started or ended, with the numbers of the interval that showed it. flarectl reads it.
 */
struct flare_spill_event {
	__u64 number; /* 1, 2, ...; 0: never written */
	__u64 at_ns;
	__u64 arrivals_mrps;
	__u64 capacity_mrps;
	__u64 share; /* applied */
	__u64 in_flight; /* VM tier */
	__u64 flows[FLARE_SPILL_SLOTS]; /* start: spilled in the interval, by FLARE_SPILL_*; end: [0] all */
	__u64 observed; /* start: flows that would have been spilled; end: 1 if only observed */
	__u64 lasted_ns; /* end: from the start to the last spilled flow */
	__u64 price_nanousd; /* end: of all of the spill */
	__u32 service_id;
	__u8 kind; /* FLARE_SPILL_EVENT_* */
	__u8 zero[3];
	char name[FLARE_NAME_BYTES]; /* of the service */
};
FLARE_ASSERT_SIZE(struct flare_spill_event, 208);

/* Entry of `interfaces`, by ifindex: what is attached, and why so. */
struct flare_interface {
	char name[16];
	char why[FLARE_TEXT_BYTES]; /* the reason for the mode, a sentence */
	__u64 attached_ns;
	__u8 requested; /* FLARE_ATTACH_* */
	__u8 mode; /* FLARE_ATTACH_XDP or FLARE_ATTACH_TC */
	__u8 tcx; /* 1: tcx links, 0: clsact filters */
	__u8 zero[5];
};
FLARE_ASSERT_SIZE(struct flare_interface, 192);

#define FLARE_ATTACH_MODES(M) \
	M(AUTO, "auto")       \
	M(XDP, "xdp")         \
	M(TC, "tc")
#define FLARE_ENUM_ATTACH(name, word) FLARE_ATTACH_##name,
enum flare_attach_mode { FLARE_ATTACH_MODES(FLARE_ENUM_ATTACH) FLARE_ATTACH_MODES_COUNT };

/* Written by the datapath */

/* Bits of flare_flow.flags, each set by the packets of the entry's own direction. */
#define FLARE_FLOW_FIN		0x01 /* a FIN was seen in this direction */
#define FLARE_FLOW_RST		0x02
#define FLARE_FLOW_REPLIED	0x04 /* reverse entry: SYN-ACK (TCP) or any datagram (UDP) seen */
#define FLARE_FLOW_COUNTED	0x08 /* the entry is in `flows`; its flow counts in admission.active */
#define FLARE_FLOW_CLOSED	0x10 /* forward entry: its end was counted, active lowered */

#define FLARE_DIR_FORWARD	0 /* from the client to the backend */
#define FLARE_DIR_REVERSE	1

/*
 * Value of `flows` and `embryos`. A flow has two entries, each other's `peer`: the forward one is
 * keyed (client, frontend), the reverse one (backend, SNAT address and port, or the client's own). A
 * packet that matches an entry leaves with source peer.dst and destination peer.src. The reverse
 * entry is the reservation of its port.
 */
struct flare_flow {
	struct flare_flow_key peer;
	__u64 created_ns;
	__u64 seen_ns; /* last packet of this direction, coarse clock */
	__u32 service_id;
	__u32 backend_id;
	__u32 backend_generation;
	__u32 flags; /* set by atomic or */
	__u8 dir;
	__u8 cause; /* FLARE_SPILL_*, forward entry of the serverless tier */
	__u8 tier;
	__u8 to_stack; /* 1: once translated, this direction's packets are left to this host's stack */
	__u8 zero[4];
	__u64 packets; /* of this direction */
	__u64 bytes; /* of this direction, from the IP header on */
};
FLARE_ASSERT_SIZE(struct flare_flow, 96);

/* Value of `fragments`: how later fragments follow the first. */
struct flare_fragment {
	struct flare_addr new_src;
	struct flare_addr new_dst;
	__u64 seen_ns;
	__u32 service_id;
	__u32 backend_id;
	__u8 dir;
	__u8 tier;
	__u8 to_stack; /* as flare_flow */
	__u8 zero[5];
};
FLARE_ASSERT_SIZE(struct flare_fragment, 56);

/* Value of `affinities`. */
struct flare_affinity {
	__u32 backend_id;
	__u32 generation; /* flare_backend.generation */
	__u64 seen_ns; /* its last new flow */
};
FLARE_ASSERT_SIZE(struct flare_affinity, 16);

/*
 * Entry of `vm_flows`, direct-mapped and lossy: flows that were left to the VM tier, so that a
 * retransmitted SYN, or the next datagram, is not a second decision. Losing one costs one token.
 */
struct flare_vm_flow {
	__u64 tag; /* keyed hash of the flow; TCP: with the SYN's sequence number mixed in */
	__u64 seen_ns;
};
FLARE_ASSERT_SIZE(struct flare_vm_flow, 16);

/* Bits of flare_turn.flags, set by the client's packets. */
#define FLARE_TURN_COUNTED	0x01 /* a request was counted: only server payload makes a next one */
#define FLARE_TURN_TLS		0x02 /* began with a TLS record */
#define FLARE_TURN_HTTP2	0x04 /* began with the preface of HTTP/2: streams are counted */
#define FLARE_TURN_PAYLOAD	0x08 /* payload was seen, and what protocol it is */
#define FLARE_TURN_FINISHED	0x10 /* TLS: after a lone ChangeCipherSpec, Finished is to come */
#define FLARE_TURN_ALPN_H2	0x20 /* TLS: the client offers HTTP/2 */
#define FLARE_TURN_MUX		0x40 /* TLS: it is HTTP/2, whose requests cannot be told apart */
#define FLARE_TURN_WHOLE	0x80 /* the connection is the request; FLARE_COUNTING_CONNECTIONS */
/* Bits of flare_turn.ended, set by either direction. */
#define FLARE_TURN_CLOSED	0x01 /* FIN of the server, or RST: the slot is the first to be reused */
#define FLARE_TURN_MOVED	0x02 /* it was told, or made, to end, once (FLARE_MEANS_*); or must not be */
#define FLARE_TURN_HEADLESS	0x04 /* should have been told: its answers are not HTTP */

/*
 * A connection whose requests are counted: a slot of `turns`, which is direct-mapped and lossy. It
 * is one cache line, without locks: each direction writes its own fields, and both change `open_ns`
 * by atomic exchange alone, so that each request that began ends once. Sequence numbers are of the
 * client's connection.
 */
struct flare_turn {
	__u64 tag; /* keyed hash of (client, frontend); 0: never used */
	__u64 open_ns; /* when the request that is in flight began; 0: none is */
	__u64 seen_ns; /* last packet that mattered, coarse clock; either direction */
	__u64 syn_ns; /* client: the SYN; server: 0 once it answered */
	__u32 client_end; /* client: end of its newest payload */
	__u32 snap; /* client: server_end when its last request began */
	__u32 server_end; /* server: end of its newest payload */
	__u16 requests; /* client: turns counted on this connection; stays at the most */
	__u16 steering; /* flare_service.steering when it was opened */
	__u32 service_id;
	__u32 backend_id; /* 0: the VM tier of a receiver */
	__u8 tier;
	__u8 flags; /* client: FLARE_TURN_* */
	__u8 ended; /* FLARE_TURN_CLOSED, FLARE_TURN_MOVED, FLARE_TURN_HEADLESS */
	__u8 zero;
	__u32 streams; /* HTTP/2: requests in flight, changed by atomic adds alone; open_ns is 0 */
};
FLARE_ASSERT_SIZE(struct flare_turn, 64);

/* Entry of `turns`: the slots that one hash may fall into. */
struct flare_turn_set {
	struct flare_turn way[FLARE_TURN_WAYS];
};
FLARE_ASSERT_SIZE(struct flare_turn_set, 256);

/* Streams of one connection that are told apart at once; an older one counts as abandoned. */
#define FLARE_HTTP2_STREAMS	1024

/* Where the walk over the frames of one direction stands, and the holes behind it. */
#define FLARE_HTTP2_PLACES	4

/*
 * A place between two frames of one direction: where the walk goes on, or where a hole begins that a
 * lost segment has left behind it. Written by that direction alone.
 */
struct flare_http2_place {
	__u32 next; /* sequence number of the next frame's header */
	__u32 end; /* hole: sequence number of the first byte seen behind it */
	__u8 head[8]; /* the part of that header that the last segment ended with */
	__u8 held; /* bytes of `head` */
	__u8 synced; /* 0: a frame header is looked for at the start of each segment; hole: it is none */
	__u8 zero[2];
};
FLARE_ASSERT_SIZE(struct flare_http2_place, 20);

/*
 * Value of `http2`, by flare_turn.tag: a connection of cleartext HTTP/2. Lossy: one that was lost is
 * walked anew from the next segment that begins with a frame.
 */
struct flare_http2 {
	/* by FLARE_DIR_*: where the walk stands, then holes, the newest first */
	struct flare_http2_place place[2][FLARE_HTTP2_PLACES];
	__u64 timed_ns; /* when the stream whose latency is measured began; 0: none is */
	__u32 timed_stream; /* one at a time */
	__u32 last_stream; /* client: the highest id; 0: none yet */
	__u32 first_stream; /* client: the id seen first, of a walk from the connection's start; or 0 */
	__u32 zero;
	__u64 open[FLARE_HTTP2_STREAMS / 64]; /* bit (id / 2): in flight; atomic operations alone */
};
FLARE_ASSERT_SIZE(struct flare_http2, 312);

/*
 * Value of `shifts`, keyed as flare_turn (what the client sends): a connection of HTTP/2 into which a
 * GOAWAY frame was put behind the server's byte `at`. From there on the client counts 17 bytes more
 * than the server, so the datapath translates sequence numbers until the connection ends.
 */
struct flare_shift {
	__u64 seen_ns; /* last packet of either direction, coarse clock */
	__u32 at; /* sequence number behind which the frame stands, in the server's count */
	__u32 service_id;
	__u32 ready; /* 0: it is being made; 1: in force */
	__u32 ended; /* FIN, or RST for both: bits 1 << FLARE_DIR_*, set by atomic or */
};
FLARE_ASSERT_SIZE(struct flare_shift, 24);
#define FLARE_GOAWAY_BYTES 17 /* frame header, last stream id, error code */

/*
 * Latencies: log-linear, FLARE_LATENCY_SUB slots an octave (a width of 12.5 % of the lower end, at
 * most). Slot 0 is all below 2^14 ns (16 us); slot 1 + 8 x o + s begins at 2^(14 + o) x (1 + s / 8);
 * the last one is all from 2^36 ns (69 s) on.
 */
#define FLARE_LATENCY_MIN_BITS	14
#define FLARE_LATENCY_OCTAVES	22
#define FLARE_LATENCY_SUB	8
#define FLARE_LATENCY_SLOTS	(2 + FLARE_LATENCY_OCTAVES * FLARE_LATENCY_SUB)

/* What is measured: begin of a request to the first byte of its answer; SYN to SYN-ACK. */
#define FLARE_LATENCIES(L)                    \
	L(REQUEST, "request")                 \
	L(HANDSHAKE, "handshake")
#define FLARE_ENUM_LATENCY(name, word) FLARE_LATENCY_##name,
enum flare_latency { FLARE_LATENCIES(FLARE_ENUM_LATENCY) FLARE_LATENCIES_COUNT };

/*
 * Entry of `latencies` at [(service id * 2 + tier) * 2 + FLARE_LATENCY_*]. Shared by all CPUs,
 * which add atomically: a row for each CPU would be most of Flare's memory.
 */
struct flare_histogram {
	__u64 count[FLARE_LATENCY_SLOTS];
	__u64 sum_ns;
	__u64 zero[5];
};
FLARE_ASSERT_SIZE(struct flare_histogram, 1472);

/*
 * Entry of `admission`, by service id. Limits are kept as the virtual time of the generic cell
 * rate algorithm (ITU-T I.371): one 64-bit word each, changed by compare-and-swap.
 */
struct flare_admission {
	__u64 bucket_time_ns;
	__u64 spend_time_ns;
	__u64 ramp_time_ns;
	__u64 hour; /* upper 24 bits: hour of the monotonic clock; lower 40: spilled in it */
	__u64 active; /* spilled flows in `flows`, not closed; the agent's recount corrects it */
	__u64 active_peak; /* concurrency that the serverless tier has already grown to */
	__u64 last_spill_ns; /* 0: no flow of this service was ever spilled */
	__u64 zero;
	/* a cache line of its own: written with every request */
	__u64 in_flight[2]; /* by tier: slots of `turns` whose request is open */
	__u64 vanished; /* agent: open requests of flows that were gone without a word */
	__u64 reported; /* agent: requests in flight as the service tells; counting `reported` */
	__u64 move_time_ns[2]; /* by tier: virtual time of the limit on connections told to end */
	__u32 speaks; /* FLARE_CLASS_*, learned from the first connection and kept */
	__u32 shifts; /* entries of `shifts` */
	__u64 zero2;
};
FLARE_ASSERT_SIZE(struct flare_admission, 128);

/*
 * Entry of `spill_prefixes`, by keyed hash of a service and a prefix of clients: a limit as those of
 * `admission`. Prefixes whose hashes are the same share one.
 */
struct flare_spill_prefix {
	__u64 time_ns;
};
FLARE_ASSERT_SIZE(struct flare_spill_prefix, 8);

/* Counts of one tier or backend: "in" is from the client, "out" is to the client. */
struct flare_traffic {
	__u64 packets_in;
	__u64 bytes_in; /* from the IP header on */
	__u64 packets_out;
	__u64 bytes_out;
	__u64 flows_new;
	__u64 flows_closed; /* FIN from both sides, or RST; VM tier: the server's FIN, or any RST */
	__u64 resets_in;
	__u64 resets_out;
	__u64 requests; /* begun; TCP alone */
	__u64 answers; /* first bytes of an answer */
	__u64 abandoned; /* ended without an answer: FIN of the server, RST, a lost slot */
	__u64 zero;
};
FLARE_ASSERT_SIZE(struct flare_traffic, 96);

/* Entry of `service_counters` at [cpu * services + service id]: one writer, no atomics. */
struct flare_service_counters {
	struct flare_traffic tier[2];
	__u64 spilled[FLARE_SPILL_SLOTS]; /* by FLARE_SPILL_* */
	__u64 observed[FLARE_SPILL_SLOTS]; /* would have been spilled, by cause; policy observe */
	__u64 refused[12]; /* by FLARE_REFUSAL_* */
	__u64 handshakes; /* spilled TCP flows whose handshake completed */
	__u64 port_probes; /* tries made to reserve a port */
	__u64 stale_decisions; /* new flows decided by the fallback, the heartbeat being too old */
	__u64 busy; /* requests begun in the VM tier while `workers` or more were in flight */
	__u64 early_bucket; /* flows the bucket refused while fewer than 0.9 x workers were */
	__u64 connections[8]; /* by FLARE_CLASS_*, as each was recognised */
	__u64 pinned[2]; /* by tier: requests on connections from before the last change */
	__u64 moved[2][4]; /* by tier that they leave, FLARE_MEANS_*: connections told to end */
	__u64 resyncs; /* HTTP/2: times the walk lost its place between frames and found one anew */
	__u64 over_cap; /* new flows left to the VM tier with the cap reached, for want of leave to spend */
	__u64 zero[3];
};
FLARE_ASSERT_SIZE(struct flare_service_counters, 640);

/* Entry of `backend_counters` at [cpu * backends + backend id]. */
struct flare_backend_counters {
	struct flare_traffic traffic;
	__u64 accepted; /* flows whose backend answered: SYN-ACK (TCP), any datagram (UDP) */
	__u64 refused; /* TCP flows whose SYN was answered with a RST */
	__u64 zero[2];
};
FLARE_ASSERT_SIZE(struct flare_backend_counters, 128);

/* Entry of `backend_loads`, by backend id: what is going on there now. Atomic adds alone. */
struct flare_backend_load {
	__u64 in_flight; /* requests, as flare_admission.in_flight */
	__u64 active; /* settled flows not closed */
};
FLARE_ASSERT_SIZE(struct flare_backend_load, 16);

/*
 * connect() hooks: processes of this host whose connections are directed as they are made, so that
 * no packet is touched. What they have in flight is counted apart: no packet shows it, and whoever
 * recounts what packets show must not take it away.
 */

/* Flows that one socket can have: of TCP one, of unconnected UDP one for each service. */
#define FLARE_SOCK_WAYS		4

/* Bits of flare_sock_flow.flags. */
#define FLARE_SOCK_BEGUN	0x01 /* it was counted as begun */
#define FLARE_SOCK_ANSWERED	0x02 /* TCP: established; UDP: a datagram of the backend was read */

/* A flow of a socket, from the decision on. The one that runs and the last one that ran. */
struct flare_sock_flow {
	struct flare_addr frontend;
	struct flare_addr backend;
	__be16 frontend_port; /* 0: the place is free */
	__be16 backend_port;
	__u32 service_id;
	__u32 backend_id;
	__u32 backend_generation;
	__u64 seen_ns; /* the decision; UDP: last datagram sent, coarse clock */
	__u32 service_generation; /* flare_sock_load.generation */
	__u32 open; /* 1: counted as open; taken back by atomic exchange, so that it ends once */
	__u8 tier;
	__u8 cause; /* FLARE_SPILL_*, serverless tier */
	__u8 flags; /* FLARE_SOCK_* */
	__u8 proto;
	__u32 zero;
};
FLARE_ASSERT_SIZE(struct flare_sock_flow, 72);

/* Value of `sock_flows`, the storage of a socket. */
struct flare_sock_flows {
	struct flare_sock_flow way[FLARE_SOCK_WAYS];
};
FLARE_ASSERT_SIZE(struct flare_sock_flows, 288);

/* Entry of `sock_loads`, by service id. Atomic adds alone; it adds to flare_admission. */
struct flare_sock_load {
	__u64 in_flight[2]; /* by tier: connections of TCP, each of which is a request */
	__u64 active; /* spilled flows not closed */
	__u64 generation; /* agent: grows when all that was counted is forgotten */
};
FLARE_ASSERT_SIZE(struct flare_sock_load, 32);

/* Entry of `reason_counters`, by CPU. */
#define FLARE_REASON_SLOTS 64
struct flare_reason_counters {
	__u64 packets[4][FLARE_REASON_SLOTS]; /* by FLARE_HOOK_*, FLARE_REASON_* */
};
FLARE_ASSERT_SIZE(struct flare_reason_counters, 2048);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The arithmetic of choosing: the keyed hash, the share, the rate limits, the slot. No map, no
 * helper; time and secrets are arguments. flarectl's `simulate` and the unit tests run this code.
 */
#pragma once

#include "uapi.bpf.h"

static __always_inline __u64 rotate_left(__u64 value, unsigned int bits)
{
	return value << bits | value >> (64 - bits);
}

struct siphash_state {
	__u64 v0, v1, v2, v3;
};

static __always_inline void siphash_round(struct siphash_state *s)
{
	s->v0 += s->v1;
	s->v1 = rotate_left(s->v1, 13) ^ s->v0;
	s->v0 = rotate_left(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate_left(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate_left(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate_left(s->v1, 17) ^ s->v2;
	s->v2 = rotate_left(s->v2, 32);
}

static __always_inline void siphash_word(struct siphash_state *s, __u64 word)
{
	s->v3 ^= word;
	siphash_round(s);
	s->v0 ^= word;
}

static __always_inline __u64 two_words(__be32 first, __be32 second)
{
	return (__u64)first | (__u64)second << 32;
}

/*
 * SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012) of the 40 bytes of
 * a flow key, in memory order on little-endian machines. Nobody without `hash_key` can aim flows.
 */
static __always_inline __u64 flow_hash(const struct flare_flow_key *flow, const __u64 hash_key[2])
{
	struct siphash_state s = {
		.v0 = hash_key[0] ^ 0x736f6d6570736575ULL,
		.v1 = hash_key[1] ^ 0x646f72616e646f6dULL,
		.v2 = hash_key[0] ^ 0x6c7967656e657261ULL,
		.v3 = hash_key[1] ^ 0x7465646279746573ULL,
	};

	siphash_word(&s, two_words(flow->src.word[0], flow->src.word[1]));
	siphash_word(&s, two_words(flow->src.word[2], flow->src.word[3]));
	siphash_word(&s, two_words(flow->dst.word[0], flow->dst.word[1]));
	siphash_word(&s, two_words(flow->dst.word[2], flow->dst.word[3]));
	siphash_word(&s, (__u64)flow->sport | (__u64)flow->dport << 16 | (__u64)flow->proto << 32);
	siphash_word(&s, (__u64)sizeof(*flow) << 56);
	s.v2 ^= 0xff;
	siphash_round(&s);
	siphash_round(&s);
	siphash_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/*
 * The entry of `spill_prefixes` that a client's flows count in: by its service and its prefix, a /24 of
 * IPv4 or a /64 of IPv6, which are what one customer can come from all of. Overwrites `flow`.
 */
static __always_inline __u32 prefix_slot(const struct flare_service *svc,
					 struct flare_flow_key *flow, int is_v4)
{
	if (is_v4)
		((__u8 *)flow->src.word)[15] = 0;
	else
		flow->src.word[2] = flow->src.word[3] = 0;
	__builtin_memset(&flow->dst, 0, sizeof(*flow) - sizeof(flow->src));
	flow->dst.word[0] = svc->id;
	return (__u32)(flow_hash(flow, svc->hash_key) >> 32) & (FLARE_SPILL_PREFIXES - 1);
}

/* Whether the share sends a flow of this hash away: share 0 never does, FLARE_SHARE_ONE always. */
static __always_inline int share_takes(__u64 hash, __u64 share)
{
	return (hash & 0xffffffffULL) < share;
}

/* The slot of a table of `slots`, from bits of the hash that the share does not look at. */
static __always_inline __u32 slot_of(__u64 hash, __u32 slots)
{
	return (__u32)(((hash >> 32) * slots) >> 32);
}

/* A second hash of a flow, for the other of two choices. */
static __always_inline __u64 second_hash(__u64 hash)
{
	__u64 mixed = (hash ^ hash >> 32) * 0x9e3779b97f4a7c15ULL; /* golden ratio */

	return mixed ^ mixed << 32;
}

/*
 * Whether load `a` on weight `wa` is less than load `b` on weight `wb`. A load below 0 is one whose
 * end was counted before its begin.
 */
static __always_inline int load_is_less(__s64 a, __u32 wa, __s64 b, __u32 wb)
{
	a = a > 0 ? a : 0;
	b = b > 0 ? b : 0;
	return (__u64)a * wb < (__u64)b * wa;
}

/*
 * The generic cell rate algorithm (ITU-T I.371), a token bucket in one word: the virtual time at
 * which the bucket is full again. Returns the new virtual time, or 0 where no token is left.
 */
static __always_inline __u64 bucket_next(__u64 virtual_ns, __u64 now_ns, __u64 interval_ns,
					 __u64 depth_ns)
{
	__u64 next = (virtual_ns > now_ns ? virtual_ns : now_ns) + interval_ns;

	return next - now_ns > depth_ns ? 0 : next;
}

/*
 * Takes a token from the bucket at *word. Tries again where another CPU came between, a bounded
 * number of times; then the token counts as taken, which errs by one token in a burst.
 */
static __always_inline int bucket_take(__u64 *word, __u64 now_ns, __u64 interval_ns, __u64 depth_ns)
{
	int tries;

	for (tries = 0; tries < 4; tries++) {
		__u64 seen = *(volatile __u64 *)word;
		__u64 next = bucket_next(seen, now_ns, interval_ns, depth_ns);

		if (!next)
			return 0;
		if (__sync_val_compare_and_swap(word, seen, next) == seen)
			return 1;
	}
	return 1;
}

/* Whether bucket_take() finds a token. */
static __always_inline int bucket_has(const __u64 *word, __u64 now_ns, __u64 interval_ns,
				      __u64 depth_ns)
{
	return bucket_next(*(const volatile __u64 *)word, now_ns, interval_ns, depth_ns) != 0;
}

/* New flows on one CPU: in the second that began then, and in the one before it. */
struct flood_count {
	__u64 begun_ns;
	__u32 flows;
	__u32 before;
};

/*
 * Counts a new flow. Returns whether there are more than `most` of them: in this second so far, or in
 * the last one, as a flood that lasts would else be given the first of each second.
 */
static __always_inline int flood_note(struct flood_count *count, __u64 now_ns, __u32 most)
{
	__u64 age_ns = now_ns - count->begun_ns;

	if (age_ns >= NSEC_PER_SEC) {
		count->before = age_ns < 2 * NSEC_PER_SEC ? count->flows : 0;
		count->flows = 0;
		count->begun_ns = now_ns;
	}
	count->flows++;
	return count->flows > most || count->before > most;
}

/*
 * A closed flow keeps its port for as long as the backend may hold the connection in TIME_WAIT, where
 * a new SYN on it is answered late. After this silence it yields to one that finds no other port.
 */
#define PORT_QUIET_NS (10 * NSEC_PER_SEC)

/* Whether a port that is held by a closed flow may be taken at this probe. */
static __always_inline int port_yields(__u32 probe, __u32 forward, __u32 reverse, __u64 silence_ns)
{
	return probe >= FLARE_PORT_PROBES / 2 && forward & reverse & FLARE_FLOW_FIN &&
	       silence_ns > PORT_QUIET_NS;
}

/* How long a serverless platform keeps an instance that nobody calls; AWS Lambda: some minutes. */
#define INSTANCE_IDLE_NS (300 * NSEC_PER_SEC)

/* The concurrency that the serverless tier has grown to, once what it dropped since is taken off. */
static __always_inline __u64 ramp_peak(__u64 active, __u64 peak, __u64 last_spill_ns, __u64 now_ns)
{
	int idle = now_ns > last_spill_ns && now_ns - last_spill_ns > INSTANCE_IDLE_NS;

	return idle && active < peak ? active : peak;
}

/*
 * Takes a token whether there is one or not. What is owed is bounded by a second depth, which new
 * flows wait for.
 */
static __always_inline void bucket_charge(__u64 *word, __u64 now_ns, __u64 interval_ns,
					  __u64 depth_ns)
{
	int tries;

	for (tries = 0; tries < 4; tries++) {
		__u64 seen = *(volatile __u64 *)word;
		__u64 next = (seen > now_ns ? seen : now_ns) + interval_ns;

		if (next - now_ns > 2 * depth_ns)
			next = now_ns + 2 * depth_ns;
		if (__sync_val_compare_and_swap(word, seen, next) == seen)
			return;
	}
}

/* The slot of a duration in struct flare_histogram. */
static __always_inline __u32 latency_slot(__u64 ns)
{
	__u32 octave = 0, shift;

	if (ns < 1ULL << FLARE_LATENCY_MIN_BITS)
		return 0;
	if (ns >> (FLARE_LATENCY_MIN_BITS + FLARE_LATENCY_OCTAVES))
		return FLARE_LATENCY_SLOTS - 1;
	for (shift = 16; shift; shift >>= 1)
		if (ns >> (FLARE_LATENCY_MIN_BITS + octave + shift))
			octave += shift;
	return 1 + octave * FLARE_LATENCY_SUB +
	       ((ns >> (FLARE_LATENCY_MIN_BITS + octave - 3)) & (FLARE_LATENCY_SUB - 1));
}

#define HOUR_COUNT_BITS 40
#define HOUR_COUNT_MASK ((1ULL << HOUR_COUNT_BITS) - 1)

/* The word of an hourly budget after one more in `hour`, or 0 where the budget is used up. */
static __always_inline __u64 hour_next(__u64 word, __u64 hour, __u64 budget)
{
	__u64 used = word >> HOUR_COUNT_BITS == hour ? word & HOUR_COUNT_MASK : 0;

	return used >= budget ? 0 : hour << HOUR_COUNT_BITS | (used + 1);
}

/* As bucket_take, for the hourly budget: at most `budget` in each hour of the monotonic clock. */
static __always_inline int hour_take(__u64 *word, __u64 now_ns, __u64 budget)
{
	__u64 hour = now_ns / NSEC_PER_HOUR;
	int tries;

	for (tries = 0; tries < 4; tries++) {
		__u64 seen = *(volatile __u64 *)word;
		__u64 next = hour_next(seen, hour, budget);

		if (!next)
			return 0;
		if (__sync_val_compare_and_swap(word, seen, next) == seen)
			return 1;
	}
	return 0;
}

/* The i-th candidate for a NAT port of this flow, host order, within [min, max]. */
static __always_inline __u16 nat_port(__u64 hash, __u32 i, __u16 min, __u16 max)
{
	__u32 mixed = (__u32)(hash >> 16) + i * 0x9e3779b1U; /* golden ratio: spreads the probes */

	mixed ^= mixed >> 15;
	mixed *= 0x85ebca6bU;
	mixed ^= mixed >> 13;
	return (__u16)(min + (((__u64)mixed * (__u32)(max - min + 1)) >> 32));
}

/*
 * How long a flow lives without a packet in either direction, by what its two entries have seen
 * (`forward` and `reverse` are their flags).
 */
static __always_inline __u64 flow_life_ns(const struct flare_settings *set, __u8 proto,
					  __u32 forward, __u32 reverse)
{
	if (proto == PROTO_UDP)
		return reverse & FLARE_FLOW_REPLIED ? set->udp_replied_ns : set->udp_unreplied_ns;
	if ((forward | reverse) & FLARE_FLOW_RST)
		return set->tcp_reset_ns;
	if (forward & reverse & FLARE_FLOW_FIN)
		return set->tcp_closing_ns;
	return forward & FLARE_FLOW_COUNTED ? set->tcp_established_ns : set->tcp_handshake_ns;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which open connections move, by whatever means: when one is answered (move.bpf.h), or while it is
 * idle (flare_reset.bpf.c).
 */
#pragma once

#include "find.bpf.h"

/*
 * Whether a connection between two requests shall move. Which tier's, and how many a second, the
 * agent says; that the VM tier is at its cap is known here. A connection is told once.
 */
static __always_inline int move_wanted(const struct flare_service *svc, struct flare_admission *adm,
				       const struct flare_turn *turn)
{
	struct flare_settings *set = settings_get();
	__u8 tier = turn->tier & 1;
	__u64 now_ns;

	if (svc->move == FLARE_MOVE_NONE || !svc->move_interval_ns[tier] ||
	    turn->ended & (FLARE_TURN_CLOSED | FLARE_TURN_MOVED))
		return 0;
	if (svc->move_gated && svc->cap &&
	    (vm_in_flight(svc, adm) >= svc->cap) != (tier == FLARE_TIER_VM))
		return 0;
	now_ns = bpf_ktime_get_ns();
	if (!set || !agent_is_alive(set, now_ns))
		return 0;
	return bucket_take(&adm->move_time_ns[tier], now_ns, svc->move_interval_ns[tier],
			   svc->move_depth_ns[tier]);
}

static __always_inline void move_count(struct flare_turn *turn, enum flare_means means)
{
	struct flare_service_counters *row = service_counters_find(turn->service_id);

	turn->ended |= FLARE_TURN_MOVED;
	if (row)
		row->moved[turn->tier & 1][means & 3]++;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Tells the shim what the map definitions of the program above it say. A map that is missing here
 * ends the first run that uses it. */
#pragma once

#include "programs.h"

#define DECLARE(map)                                                              \
  shim_declare_map(&map, #map, sizeof(*map.type) / sizeof(int), sizeof(*map.key), \
                   sizeof(*map.value), sizeof(*map.max_entries) / sizeof(int))

/* clang-format off */
#define FLARE_MAPS(M)                                                                        \
	M(settings) M(heartbeat) M(services) M(backends) M(service_info) M(spill_events)     \
	M(interfaces) M(chain_sources) M(flows) M(embryos) M(fragments) M(affinities)        \
	M(backend_loads) M(sock_loads) M(sock_backend_loads) M(vm_flows) M(admission)        \
	M(turns) M(http2) M(shifts) M(latencies) M(service_counters) M(backend_counters)     \
	M(reason_counters) M(spill_prefixes) M(flood_counts) M(work_scratch) M(flow_scratch) \
	M(move_scratch) M(option_scratch) M(sum_scratch) M(http2_scratch) M(key_scratch)
/* clang-format on */

#define DECLARE_EACH(map) DECLARE(map);

static void declare_maps(void) {
  FLARE_MAPS(DECLARE_EACH)
  shim_declare_map(&tables, "tables", sizeof(*tables.type) / sizeof(int), sizeof(*tables.key),
                   sizeof(__u32), sizeof(*tables.max_entries) / sizeof(int));
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Settings fixed when a program is loaded, set by the agent between open and load. What may change
 * while it runs is in the map `settings`.
 */
#pragma once

#include "uapi.bpf.h"

/* Rows of the counter maps: entries of service_counters and backend_counters for one CPU. */
const volatile __u32 services_max = 1;
const volatile __u32 backends_max = 1;

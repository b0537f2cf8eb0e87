/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every map of the datapath, each with its typed accessor. Both programs declare all of them and
 * pin them by name, so that they share one set; the agent sizes some of them before loading.
 */
#pragma once

#include "uapi.bpf.h"

/* Inner map of `tables`: [0] is the number of slots that follow, then a backend id a slot. */
struct flare_table {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_INNER_MAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
};

/* Written by the agent */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flare_settings);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} settings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flare_heartbeat);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} heartbeat SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FLARE_SERVICES_MAX);
	__type(key, struct flare_service_key);
	__type(value, struct flare_service);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FLARE_BACKENDS_MAX);
	__type(key, __u32);
	__type(value, struct flare_backend);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} backends SEC(".maps");

/* Selection table of each service's tier, at [service id * 2 + tier]. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, FLARE_SERVICES_MAX * 2);
	__type(key, __u32);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__array(values, struct flare_table);
} tables SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FLARE_SERVICES_MAX);
	__type(key, __u32);
	__type(value, struct flare_service_info);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} service_info SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FLARE_SPILL_EVENTS);
	__type(key, __u32);
	__type(value, struct flare_spill_event);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} spill_events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct flare_interface);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} interfaces SEC(".maps");

/* Prefixes whose flows come from serverless (FLARE_CHAIN_*); the value says nothing. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, FLARE_CHAIN_SOURCES_MAX);
	__type(key, struct flare_prefix);
	__type(value, __u32);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} chain_sources SEC(".maps");

/* Written by the datapath */

/* Allocated as it fills: a table for a million flows costs nothing while nothing spills. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, FLARE_FLOWS_MAX);
	__type(key, struct flare_flow_key);
	__type(value, struct flare_flow);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} flows SEC(".maps");

/* Flows whose handshake is not finished: what a SYN flood can push out is only its own kind. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, FLARE_EMBRYOS_MAX);
	__type(key, struct flare_flow_key);
	__type(value, struct flare_flow);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} embryos SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, FLARE_FRAGMENTS_MAX);
	__type(key, struct flare_fragment_key);
	__type(value, struct flare_fragment);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} fragments SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, FLARE_AFFINITIES_MAX);
	__type(key, struct flare_affinity_key);
	__type(value, struct flare_affinity);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} affinities SEC(".maps");

/* The agent sets max_entries: as many as `backends`. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flare_backend_load);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} backend_loads SEC(".maps");

/* Kept with each socket that a connect() hook has directed, and gone with it. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct flare_sock_flows);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} sock_flows SEC(".maps");

/* The agent sets max_entries of both: as many as `services`, as many as `backends`. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flare_sock_load);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} sock_loads SEC(".maps");

/* As `backend_loads`, which it adds to. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flare_backend_load);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} sock_backend_loads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FLARE_VM_FLOWS_MAX);
	__type(key, __u32);
	__type(value, struct flare_vm_flow);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} vm_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FLARE_SERVICES_MAX);
	__type(key, __u32);
	__type(value, struct flare_admission);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} admission SEC(".maps");

/* An array and no table of prefixes: what an attacker makes up fills nothing. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FLARE_SPILL_PREFIXES);
	__type(key, __u32);
	__type(value, struct flare_spill_prefix);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} spill_prefixes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FLARE_TURN_SETS);
	__type(key, __u32);
	__type(value, struct flare_turn_set);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} turns SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, FLARE_HTTP2_MAX);
	__type(key, __u64);
	__type(value, struct flare_http2);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} http2 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, FLARE_SHIFTS_MAX);
	__type(key, struct flare_flow_key);
	__type(value, struct flare_shift);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} shifts SEC(".maps");

/* The agent sets max_entries: services x tiers x FLARE_LATENCIES_COUNT. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flare_histogram);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} latencies SEC(".maps");

/* The agent sets max_entries of the three below: CPUs x services, CPUs x backends, CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flare_service_counters);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} service_counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flare_backend_counters);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} backend_counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flare_reason_counters);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} reason_counters SEC(".maps");

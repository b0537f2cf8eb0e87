/* SPDX-License-Identifier: GPL-2.0-only */
/* What a counted stream's packets carry, and what its far end keeps of each flow. */
#pragma once

#include "uapi.bpf.h"

#define STREAM_FLOWS_MAX 1024
#define STREAM_MAGIC 0x66732d66 /* behind a UDP header nobody else has it */

struct stream_mark {
  __u32 magic;
  __u32 flow;
  __u32 reply; /* 1: from the backend to the client */
};

struct stream_flow {
  __u64 packets;
  __u32 way; /* source port (of ours), then destination port (the backend's) */
  __u32 zero;
};

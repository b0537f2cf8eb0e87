// SPDX-License-Identifier: GPL-2.0-only
/*
 * The far end of a counted stream: an XDP program that takes the stream's packets off the wire,
 * counts them by flow, and remembers by which backend and from which port of ours each flow came.
 */
#include "uapi.bpf.h"

#include "stream_flow.h"

struct stream_flow stream_flows[STREAM_FLOWS_MAX];
__u64 stream_seen;    /* packets of all flows */
__u64 stream_replies; /* answers that came back to the client */
__u64
    stream_moved; /* packets that came by another backend, or port of ours, than the flow's first */

static __always_inline void stream_count(const struct udphdr* udp, const struct stream_mark* mark) {
  __u32 way = ((__u32)bpf_ntohs(udp->source) << 16) | bpf_ntohs(udp->dest);
  struct stream_flow* flow;

  if (mark->reply) {
    __sync_fetch_and_add(&stream_replies, 1);
    return;
  }
  if (mark->flow >= STREAM_FLOWS_MAX) return;
  flow = &stream_flows[mark->flow];
  if (!flow->way)
    flow->way = way;
  else if (flow->way != way)
    __sync_fetch_and_add(&stream_moved, 1);
  __sync_fetch_and_add(&flow->packets, 1);
  __sync_fetch_and_add(&stream_seen, 1);
}

SEC("xdp.frags")
int stream_sink(struct xdp_md* ctx) {
  void* end = (void*)(long)ctx->data_end;
  struct ethhdr* eth = (void*)(long)ctx->data;
  struct stream_mark* mark;
  struct udphdr* udp;

  if ((void*)(eth + 1) > end) return XDP_PASS;
  if (eth->h_proto == bpf_htons(ETH_P_IP))
    udp = (void*)(eth + 1) + sizeof(struct iphdr);
  else if (eth->h_proto == bpf_htons(ETH_P_IPV6))
    udp = (void*)(eth + 1) + sizeof(struct ipv6hdr);
  else
    return XDP_PASS;
  mark = (void*)(udp + 1);
  if ((void*)(mark + 1) > end || mark->magic != STREAM_MAGIC) return XDP_PASS;
  stream_count(udp, mark);
  return XDP_DROP;
}

char _license[] SEC("license") = "GPL";

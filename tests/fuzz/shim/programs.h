/* SPDX-License-Identifier: GPL-2.0-only */
/* The shipped programs, compiled for user space; each file also says which maps it has. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

struct xdp_md;
struct __sk_buff;

int flare_xdp(struct xdp_md* ctx);
int flare_tc_ingress(struct __sk_buff* ctx);
int flare_tc_companion(struct __sk_buff* ctx);
int flare_tc_egress(struct __sk_buff* ctx);

/* Declare the maps of a program to the shim; those of equal name are one map, as pinned ones are.
 */
void flare_xdp_maps(void);
void flare_tc_maps(void);

/* The shim's side; `map` is the program's own object, whose first word the shim takes for itself.
 */
void shim_declare_map(void* map, const char* name, unsigned type, unsigned key_bytes,
                      unsigned value_bytes, unsigned max_entries);

#ifdef __cplusplus
}
#endif

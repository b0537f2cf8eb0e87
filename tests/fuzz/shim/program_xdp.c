/* SPDX-License-Identifier: GPL-2.0-only */
/* The XDP program as it is shipped, for user space. */
#include "flare_xdp.bpf.c"

#include "declare_maps.h"

void flare_xdp_maps(void)
{
	declare_maps();
}

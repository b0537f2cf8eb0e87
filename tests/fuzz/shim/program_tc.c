/* SPDX-License-Identifier: GPL-2.0-only */
/* The tc programs as they are shipped, for user space. */
#include "flare_tc.bpf.c"

#include "declare_maps.h"

void flare_tc_maps(void)
{
	declare_maps();
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* What flare_home.bpf.c makes of a frame: its return value, which the agent reads. */
#pragma once

enum home_verdict {
	HOME_LEFT, /* the connection is in use, or gone, or not to be reset */
	HOME_NOT_NOW, /* nor is any other of its service: the rate, the cap, the agent */
	HOME_NOT_YET, /* the client's: the datapath has not seen the backend's RST */
	HOME_SENT, /* it is on its way */
};

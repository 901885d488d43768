/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's command line (/chosen/xen,xen-bootargs): Xen's option names and value syntax.
 *
 * One table in core/cmdline.c lists every option with its parser and its default; the parsed values
 * stand in `options`, read-only after boot. An unknown option, or a value that cannot be read,
 * keeps the default and is reported with the option quoted: cmdline_report() logs them once the
 * console is up.
 */
#ifndef HOSPES_CMDLINE_H
#define HOSPES_CMDLINE_H

#include <hospes/log.h>
#include <hospes/types.h>

enum sched_policy { SCHED_FAIR, SCHED_NULL };

struct options {
    char console[64];        /* console=: "dtuart" and/or "none"; as given */
    char dtuart[128];        /* dtuart=: path or alias of the UART, instead of stdout-path */
    uint64_t dom0_mem;       /* bytes */
    uint32_t dom0_max_vcpus; /* 0: as many as pCPUs */
    uint32_t maxcpus;        /* pCPUs to use, 0: all */
    enum log_level loglvl, guest_loglvl;
    uint64_t conring_size; /* bytes, power of two */
    bool bootscrub;        /* clear free memory in the background */
    bool iommu;            /* confine devices, where there is an IOMMU */
    enum sched_policy sched;
    uint32_t gnttab_max_frames;          /* the most that any domain may have */
    uint32_t gnttab_max_maptrack_frames; /* in 4 KiB of 16-byte records, as Xen has them */
    uint32_t xen_minor; /* 4.this is the release of Xen that guests are told, 17 to 20 */
    bool noreboot;      /* stay stopped after an error: a panic, a crash of the hardware domain */
};

extern struct options options;

/* Parses `text`; may be called once, before memory is managed. Never fails: what is wrong is kept
 * for the report. */
void cmdline_parse(const char *text);

/* The line itself: blanks for control characters, cut off where it was too long. */
const char *cmdline_text(void);

/* Logs each option that was unknown or malformed, quoted, with what was expected; and the line
 * itself. */
void cmdline_report(void);

#endif

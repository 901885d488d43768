/* SPDX-License-Identifier: MIT */
/*
 * What a test gets where it does not name the real source: options, a log in memory, panic(), and a
 * heap over calloc() in which the address sanitizer sees every overrun and every leak. All of it
 * weak.
 */
#include <asm/host.h>
#include <hospes/cmdline.h>
#include <hospes/console.h>
#include <hospes/console_io.h>
#include <hospes/errno.h>
#include <hospes/evtchn.h>
#include <hospes/heap.h>
#include <hospes/iomem.h>
#include <hospes/log.h>
#include <hospes/option.h>
#include <hospes/p2m.h>
#include <hospes/runstate.h>
#include <hospes/vcpu_info.h>
#include <hospes/vcpu_timer.h>
#include <hospes/wallclock.h>
#include <hospes/watchdog.h>
#include <lib/format.h>

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define WEAK __attribute__((weak))

WEAK struct options options = {
    .dom0_mem = MIB(512),
    .loglvl = LOG_DEBUG,
    .guest_loglvl = LOG_DEBUG,
    .conring_size = KIB(64),
    .bootscrub = true,
    .gnttab_max_frames = 64,
    .gnttab_max_maptrack_frames = 1024,
};

/* As arm64 has them. */
WEAK const struct option arch_options[] = { { 0 } };
WEAK const char *const arch_without_effect[] = { "serrors", "vwfi", NULL };
WEAK const char *const arch_consoles[] = { "dtuart", NULL };
WEAK const char arch_console_default[] = "dtuart";
WEAK const char arch_console_expected[] = "dtuart, none";

/* --- the log ----------------------------------------------------------------------------- */

char host_log[16384];

static size_t log_used;

void host_log_clear(void)
{
    log_used = 0;
    host_log[0] = '\0';
}

static void append(const char *fmt, ...) __printf(1, 2);
static void append_v(const char *fmt, va_list args) __printf(1, 0);

static void append_v(const char *fmt, va_list args)
{
    log_used += format_v(host_log + log_used, sizeof(host_log) - log_used, fmt, args);
    if (log_used >= sizeof(host_log))
        log_used = sizeof(host_log) - 1;
}

static void append(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    append_v(fmt, args);
    va_end(args);
}

WEAK void log_line(enum log_level level, const char *fmt, ...)
{
    va_list args;

    (void)level;
    va_start(args, fmt);
    append_v(fmt, args);
    va_end(args);
    append("\n");
}

WEAK void log_limited(enum log_level level, const char *fmt, ...)
{
    va_list args;

    (void)level;
    va_start(args, fmt);
    append_v(fmt, args);
    va_end(args);
    append("\n");
}

WEAK void log_guest(uint16_t domid, enum log_level level, const char *fmt, ...)
{
    va_list args;

    (void)level;
    append("(d%u) ", domid);
    va_start(args, fmt);
    append_v(fmt, args);
    va_end(args);
    append("\n");
}

WEAK void log_unlimited(bool on)
{
    (void)on;
}

WEAK void console_flush(void)
{
}

WEAK void panic_print(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    append_v(fmt, args);
    va_end(args);
    append("\n");
}

WEAK void panic(const char *fmt, ...)
{
    char text[400];
    va_list args;

    va_start(args, fmt);
    format_v(text, sizeof(text), fmt, args);
    va_end(args);
    host_stop(text);
}

/* --- what is shared with guests ---------------------------------------------------------- */

WEAK int vcpu_info_domain_init(struct domain *d)
{
    (void)d;
    return 0;
}

WEAK void vcpu_info_domain_destroy(struct domain *d)
{
    (void)d;
}

WEAK bool console_io_receive(struct domain *d, uint8_t byte)
{
    (void)d;
    (void)byte;
    return false;
}

WEAK void console_io_room(struct domain *d)
{
    (void)d;
}

WEAK void console_io_passed_over(struct domain *d)
{
    (void)d;
}

WEAK void console_io_destroy(struct domain *d)
{
    (void)d;
}

WEAK void watchdog_destroy(struct domain *d)
{
    (void)d;
}

WEAK void wallclock_tell(struct domain *d)
{
    (void)d;
}

WEAK void runstate_vcpu_init(struct vcpu *v)
{
    (void)v;
}

WEAK void runstate_vcpu_destroy(struct vcpu *v)
{
    (void)v;
}

WEAK void runstate_show(struct vcpu *v)
{
    (void)v;
}

WEAK int vcpu_info_vcpu_init(struct vcpu *v)
{
    (void)v;
    return 0;
}

WEAK void vcpu_timer_destroy(struct vcpu *v)
{
    (void)v;
}

WEAK int64_t vcpu_timer_op(struct vcpu *v, struct vcpu *target, uint32_t cmd, uint64_t at)
{
    (void)v, (void)target, (void)cmd, (void)at;
    return -ENOSYS;
}

WEAK void vcpu_info_vcpu_destroy(struct vcpu *v)
{
    (void)v;
}

/* --- devices' registers ----------------------------------------------------------------- */

WEAK int iomem_permit(struct domain *d, mfn_t mfn, uint64_t frames)
{
    (void)d, (void)mfn, (void)frames;
    return 0;
}

WEAK int iomem_map(struct domain *d, gfn_t gfn, mfn_t mfn, uint64_t frames)
{
    return p2m_map(d, gfn, mfn, frames, P2M_DEVICE);
}

/* --- event channels ---------------------------------------------------------------------- */

WEAK int evtchn_domain_init(struct domain *d)
{
    (void)d;
    return 0;
}

WEAK void evtchn_domain_destroy(struct domain *d)
{
    (void)d;
}

WEAK void evtchn_vcpu_init(struct vcpu *v)
{
    (void)v;
}

WEAK int evtchn_send(struct domain *d, uint32_t port)
{
    (void)d, (void)port;
    return -EINVAL;
}

WEAK void evtchn_send_global_virq(uint32_t virq)
{
    (void)virq;
}

WEAK int evtchn_set_virq_handler(struct domain *d, uint32_t virq)
{
    (void)d, (void)virq;
    return -EINVAL;
}

WEAK bool evtchn_release_step(struct domain *d)
{
    (void)d;
    return false;
}

/* --- the heap ---------------------------------------------------------------------------- */

WEAK void heap_init(void)
{
}

WEAK void *heap_alloc(uint64_t size)
{
    return calloc(1, size);
}

WEAK void *heap_alloc_dirty(uint64_t size)
{
    return malloc(size);
}

WEAK void *heap_calloc(uint64_t n, uint64_t size)
{
    return calloc(n, size);
}

WEAK void heap_free(void *p)
{
    free(p);
}

WEAK void *heap_alloc_pages(unsigned int order)
{
    void *p = aligned_alloc(FRAME_SIZE << order, FRAME_SIZE << order);

    if (p != NULL)
        memset(p, 0, FRAME_SIZE << order);
    return p;
}

WEAK void heap_free_pages(void *p, unsigned int order)
{
    (void)order;
    free(p);
}

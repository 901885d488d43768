/* SPDX-License-Identifier: MIT */
/*
 * A domain: a set of vCPUs, the memory they share, and what they may touch.
 *
 *   CREATED --start--> RUNNING --shutdown/crash--> STOPPED --+--destroy--> DYING --> gone
 *                         ^                                  |
 *                         +----------- rebuilt <---restart---+   (a domain from the device tree)
 *
 * Who may call what: creation and destruction run at boot or as deferred work. A domain is found by
 * number with domain_get() (takes a reference) and let go with domain_put(); the last reference
 * frees the structure. Locks: domain_list under LOCK_DOMAIN_LIST; fields marked (L) under
 * domain->lock.
 */
#ifndef HOSPES_DOMAIN_H
#define HOSPES_DOMAIN_H

#include <asm/domain.h>
#include <hospes/console.h>
#include <hospes/evtchn.h>
#include <hospes/gnttab.h>
#include <hospes/mmio.h>
#include <hospes/p2m.h>
#include <hospes/spinlock.h>
#include <hospes/types.h>
#include <hospes/vcpu.h>
#include <hospes/work.h>
#include <lib/list.h>

#define DOMAIN_MAX_VCPUS 128
#define DOMAIN_NAME_MAX  32
#define DOMAIN_HARDWARE  0 /* the hardware domain's number */
#define HARDWARE_DOMAIN  0 /* its number, where there is one */

enum domain_state { DOMAIN_CREATED, DOMAIN_RUNNING, DOMAIN_STOPPED, DOMAIN_DYING };

/* Why a domain stopped: <xen/sched.h>'s SHUTDOWN_* numbers. */
enum domain_stop {
    DOMAIN_POWEROFF = 0,
    DOMAIN_REBOOT = 1,
    DOMAIN_SUSPEND = 2,
    DOMAIN_CRASH = 3,
    DOMAIN_WATCHDOG = 4,
};

/* HVM_NR_PARAMS of <xen/hvm/params.h>, which not everybody who includes this wants. */
#define DOMAIN_HVM_PARAMS 39

struct console_io;
struct domain_config;
struct sched_cap;
struct vnuma;
struct shared_info;
struct watchdog;

struct domain {
    uint16_t id;
    uint32_t refs;         /* atomic */
    struct list_node node; /* in the list of domains, by id */
    struct spinlock lock;
    uint8_t state;         /* (L) enum domain_state */
    uint8_t stop_reason;   /* (L) enum domain_stop, once STOPPED */
    uint16_t stop_latch;   /* (L) 0x100 | the reason that it will have stopped for; 0: not known */
    uint32_t suspend_port; /* (L) its port by which a toolstack hears of DOMAIN_SUSPEND; 0: none */
    bool shut_down;        /* (L) STOPPED, and no vCPU runs any more */
    bool control;          /* may use the toolstack's calls, on any domain */
    bool hardware;         /* has the machine's devices; its end is the machine's */
    bool direct_map;       /* guest frame = machine frame */
    bool static_memory;    /* it has the memory that the device tree named, and gets no other */
    char name[DOMAIN_NAME_MAX];
    uint32_t max_vcpus;
    struct vcpu **vcpus; /* [max_vcpus], constant while it runs */
    uint64_t tot_pages;  /* atomic: frames of RAM it owns, */
    uint64_t max_pages;  /* of which it gets no more than these; atomic */
    uint64_t claim;      /* frames that are kept free for it: <hospes/claim.h>; atomic */
    uint32_t
        control_pauses; /* (L) XEN_DOMCTL_pausedomain's that were not undone; each vCPU has one */
    uint8_t handle[16]; /* (L) its UUID, a toolstack's */
    uint32_t sched_weight;       /* (L) of each of its vCPUs */
    struct vnuma *vnuma;         /* what it is told of nodes, or NULL; once there, stays */
    struct sched_cap *sched_cap; /* (L) of all of them, or NULL; once there, stays */
    bool debugged;               /* a toolstack said so */
    bool xenstore;               /* made to serve xenstore: may ask about all domains */
    struct p2m p2m;
    struct gnttab gnttab;
    struct evtchn_domain evtchn;
    struct mmio_space mmio;
    struct console_domain console;
    struct console_io *console_io;   /* its input by hypercall, or NULL; atomic, stays */
    bool console_by_call;            /* it wrote last by hypercall; atomic, as is: */
    bool console_waits;              /* console_io_room() is owed */
    struct watchdog *watchdogs;      /* (L) [WATCHDOGS] or NULL */
    struct shared_info *shared_info; /* <hospes/vcpu_info.h> */
    mfn_t shared_info_mfn;
    uint32_t vm_assist;  /* 1 << VMASST_TYPE_*; atomic */
    int64_t time_offset; /* (L) seconds that its time of day is ahead: wallclock_tell() */
    uint64_t began_ns; /* where the clock that it counts from was 0: system time, 0 if it is that */
    uint64_t hvm_params[DOMAIN_HVM_PARAMS]; /* HVM_PARAM_*, each read and written at once */
    const struct domain_config *config; /* what it was built from; NULL if made by a toolstack */
    struct work work;                   /* its end: domain_end.c, as are: */
    bool teardown_busy;                 /* somebody does a step; atomic */
    bool irqs_taken, gone, restart;     /* theirs who does */
    struct arch_domain arch;
};

#define domain_for_each_vcpu(d, v, i)          \
    for ((i) = 0; (i) < (d)->max_vcpus; (i)++) \
        if (((v) = (d)->vcpus[i]) != NULL)

/* An empty domain with `max_vcpus` vCPUs, all off. 0, -ENOMEM, -EEXIST (number taken), -EINVAL. */
int domain_create(uint16_t id, uint32_t max_vcpus, struct domain **out);

struct domain *domain_get(uint16_t id);
void domain_hold(struct domain *d); /* another reference, for who has one */
void domain_put(struct domain *d);  /* locks ranked before LOCK_P2M may be held */

/* The domain with the lowest number from `id` on that is not being built; NULL: there is none. */
struct domain *domain_get_from(uint16_t id);
/* The same of up to `most` domains, in order of number. How many there are. */
uint32_t domain_get_some(uint32_t id, struct domain **out, uint32_t most);

/* Calls fn for each domain, in order of number, with LOCK_DOMAIN_LIST held. */
void domain_for_all(void (*fn)(struct domain *d, void *arg), void *arg);

/* Creates its vCPUs, once its interrupt controller is there. 0 or -ENOMEM. */
int domain_create_vcpus(struct domain *d);

/*
 * Takes a domain whose vCPUs do not run, and whose memory is gone (p2m_teardown_step()), out of the
 * list, and the list's reference with it.
 */
void domain_destroy(struct domain *d);

/* CREATED -> RUNNING: switches vCPU 0 on. */
void domain_start(struct domain *d);

/*
 * The domain asks to stop, or is made to. Returns at once; vCPUs leave the guest soon and do not
 * enter again. Then, by deferred work: the hardware domain's stop is the machine's (reset, or off);
 * one from the device tree is taken down, and rebuilt from its modules after DOMAIN_REBOOT; one
 * made by a toolstack is left to that, which VIRQ_DOM_EXC tells.
 */
void domain_stop(struct domain *d, enum domain_stop reason);

/* From now on, for whatever reason it stops, it says that it was this one; the first counts. */
void domain_latch_stop(struct domain *d, uint8_t reason);

/*
 * A toolstack's: STOPPED -> RUNNING for a domain that it made. 0 (also when it runs), -EINVAL, or
 * -ERESTART: its vCPUs have not all stopped yet.
 */
int domain_resume(struct domain *d);

/*
 * A toolstack's: RUNNING or STOPPED -> DYING; false when it is neither. Then domain_teardown_step()
 * takes it down, at most about a millisecond's work each time; true while there is more, or others
 * are at it. The last one has taken it out of the list. The caller has a reference, and no lock.
 */
bool domain_kill(struct domain *d);
bool domain_teardown_step(struct domain *d);

/*
 * Gives back some of what a domain has: at most about a millisecond's work; true while there is
 * more. Its vCPUs do not run. For who takes back a domain that he made; domain_destroy() comes
 * next.
 */
bool domain_release_step(struct domain *d);

/* Crashes the domain and says so once: vCPU, reason and registers. Never returns to the guest. */
void domain_crash(struct vcpu *v, const char *fmt, ...) __printf(2, 3);

/* Keeps all its vCPUs from running; counted. domain_is_quiet(): none of them runs any more. */
void domain_pause(struct domain *d);
void domain_unpause(struct domain *d);
bool domain_is_quiet(const struct domain *d);

/* Takes `frames` more, or fewer, to the domain's account. charge() refuses beyond max_pages. */
static inline bool domain_charge(struct domain *d, uint64_t frames)
{
    uint64_t had = read_once(d->tot_pages), most = read_once(d->max_pages);

    do {
        if (frames > most || had > most - frames)
            return false;
    } while (!__atomic_compare_exchange_n(&d->tot_pages, &had, had + frames, true, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    return true;
}

static inline void domain_uncharge(struct domain *d, uint64_t frames)
{
    __atomic_fetch_sub(&d->tot_pages, frames, __ATOMIC_RELAXED);
}

/* For the console's debug keys. */
void domain_dump_all(void);

/* --- contract of each architecture
 * ------------------------------------------------------------------- */

int arch_domain_init(struct domain *d);     /* 0 or -errno */
void arch_domain_destroy(struct domain *d); /* vCPUs are gone or quiet */

#endif

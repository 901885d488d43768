/* SPDX-License-Identifier: MIT */
/*
 * arm64's part of the runtime: device tree, exceptions, stage 1, PSCI, the GIC, timers. The first
 * GiB (devices, in Xen's guest layout and on QEMU's virt board) is Device memory, all above up to
 * 511 GiB Normal memory.
 */
#ifndef GUEST_ARCH_H
#define GUEST_ARCH_H

/* ---- what the device tree says ---- */
struct machine {
    struct range mem[4];
    unsigned int mems;
    unsigned int gic; /* 2, 3 or 0 */
    struct range gicd;
    struct range gicr; /* GICv2: the CPU interface */
    struct range uart; /* PL011 or SBSA UART */
    unsigned int uart_irq;
    bool uart_sbsa;
    unsigned int cpus;
    uint64_t mpidr[MAX_CPUS];
    unsigned int ppi_phys, ppi_virt;
    bool smc; /* PSCI by SMC, else by HVC */
    bool xen; /* the hypervisor offers Xen's hypercalls */
    const char *bootargs;
    struct range dtb, image;
    uint64_t start, start_cntpct; /* counters at the first instruction */
};
void machine_read(const void *fdt);

#define IO_ACCESS(bits, insn, w)                                                        \
    static inline uint##bits##_t read##bits(uint64_t addr)                              \
    {                                                                                   \
        uint64_t v;                                                                     \
        __asm__ volatile("ldr" insn " %" w "0, [%1]" : "=r"(v) : "r"(addr) : "memory"); \
        return (uint##bits##_t)v;                                                       \
    }                                                                                   \
    static inline void write##bits(uint64_t addr, uint64_t v)                           \
    {                                                                                   \
        __asm__ volatile("str" insn " %" w "0, [%1]" ::"r"(v), "r"(addr) : "memory");   \
    }
IO_ACCESS(8, "b", "w")
IO_ACCESS(16, "h", "w")
IO_ACCESS(32, "", "w")
IO_ACCESS(64, "", "x")

#define sysreg_read(reg)                                                  \
    ({                                                                    \
        uint64_t sysreg_value;                                            \
        __asm__ volatile("mrs %0, " #reg : "=r"(sysreg_value)::"memory"); \
        sysreg_value;                                                     \
    })
#define sysreg_write(reg, value) \
    __asm__ volatile("msr " #reg ", %x0\n\tisb" ::"rZ"((uint64_t)(value)) : "memory")

static inline void barrier(void)
{
    __asm__ volatile("dsb sy\n\tisb" ::: "memory");
}
static inline void wfi(void)
{
    __asm__ volatile("dsb sy\n\twfi" ::: "memory");
}
static inline void wfe(void)
{
    __asm__ volatile("wfe" ::: "memory");
}
static inline void sev(void)
{
    __asm__ volatile("dsb ish\n\tsev" ::: "memory");
}
static inline void irq_on(void)
{
    __asm__ volatile("msr daifclr, #3\n\tisb" ::: "memory");
}
static inline void irq_off(void)
{
    __asm__ volatile("msr daifset, #3\n\tisb" ::: "memory");
}
static inline void relax(void)
{
    __asm__ volatile("yield" ::: "memory");
}

/* ---- exceptions (fault.c) ---- */
struct frame {
    uint64_t x[31], elr, spsr, esr, far, pad;
};
_Static_assert(sizeof(struct frame) == FRAME_BYTES, "start.S");
extern volatile uint64_t last_far, last_elr; /* of the last exception that a probe took */

#define ESR_EC(esr)  ((unsigned int)((esr) >> 26) & 0x3f)
#define ESR_FSC(esr) ((unsigned int)(esr) & 0x3f)
#define EC_UNKNOWN   0x00u
#define EC_IABT      0x21u /* from the same exception level */
#define EC_DABT      0x25u
#define EC_SERROR    0x2fu
#define FSC_EXTERNAL 0x10u
/* External abort on a stage-1 table walk: level 0 to 3, and -1. */
#define FSC_IS_WALK(f) (((f) & 0x3c) == 0x14 || (f) == 0x13)
/* An SError taken while something was probed. */
#define PROBE_SERROR ((uint64_t)EC_SERROR << 26)

uint64_t probe_run(const void *code, uint64_t x[18], uint64_t spsr);
extern const char probe_resume[];

/* Each gives 0, or the ESR of the exception, as probe_read() and the rest do. */
uint64_t probe_insn(uint32_t insn, uint64_t x[18]); /* x may be NULL */
uint64_t probe_code(const uint32_t *insn, unsigned int n,
                    uint64_t x[18]); /* n <= 8; RET is appended */
/* MRS Xt=x0 and MSR of an encoding. */
#define SYSREG(op0, op1, crn, crm, op2)                                      \
    ((uint32_t)(op0) << 19 | (uint32_t)(op1) << 16 | (uint32_t)(crn) << 12 | \
     (uint32_t)(crm) << 8 | (uint32_t)(op2) << 5)
#define MRS_X0 0xd5200000u
#define MSR_X0 0xd5000000u
void sync_code(const void *code, size_t bytes); /* it has been written, it will be executed */

/* ---- stage 1 (mmu.c) ---- */
#define PTE_BLOCK  UINT64_C(0x1)
#define PTE_TABLE  UINT64_C(0x3)
#define PTE_PAGE   UINT64_C(0x3)
#define PTE_DEVICE UINT64_C(0x0)
#define PTE_NORMAL UINT64_C(0x4) /* AttrIndx 1 */
#define PTE_USER   UINT64_C(0x40)
#define PTE_AF     UINT64_C(0x400)
#define PTE_ISH    UINT64_C(0x300)
#define PTE_XN     (UINT64_C(3) << 53)
#define MAP_NORMAL (PTE_BLOCK | PTE_NORMAL | PTE_AF | PTE_ISH)
#define MAP_DEVICE (PTE_BLOCK | PTE_DEVICE | PTE_AF | PTE_XN)
#define MAP_USER   (MAP_NORMAL | PTE_USER)
void mmu_init(void);
void mmu_on(void);  /* this CPU */
void mmu_off(void); /* this CPU; cleans nothing but the image */
/* One GiB of `pa` at the top of the address space; gives the address at which pa is seen. */
uint64_t mmu_window(uint64_t pa, uint64_t map);
/* The same from 3 GiB on, where AArch32 reaches it: in guests with less memory than that. */
uint64_t mmu_window32(uint64_t pa, uint64_t map);
void mmu_set(unsigned int gib, uint64_t descriptor);
void mmu_set_window(uint64_t descriptor); /* its raw level 1 descriptor */
#define WINDOW     (UINT64_C(511) << 30)
#define WINDOW32   (UINT64_C(3) << 30)
#define DEVICE     machine.gicd.base            /* a device of every guest */
#define UNMAPPED   WINDOW                       /* an address that translates to nothing, */
#define NO_ADDRESS UINT64_C(0x00f0000000000000) /* and one that cannot */
void clean_dcache(const void *p, size_t bytes);

/* ---- CPUs and firmware (psci.c) ---- */
struct cpu {
    uint64_t stack;    /* offsets.h */
    uint64_t probe_sp; /* != 0: probe_run() is under way */
    unsigned int id;
    void (*run)(unsigned int id);
    volatile bool arrived;
};
extern struct cpu cpus[];
static inline unsigned int cpu_id(void)
{
    return ((const struct cpu *)sysreg_read(tpidr_el1))->id;
}
#define MPIDR_AFFINITY UINT64_C(0xff00ffffff)

uint64_t smccc(uint64_t fn, uint64_t a1, uint64_t a2, uint64_t a3); /* by the tree's conduit */
#define PSCI_VERSION        0x84000000u
#define PSCI_CPU_SUSPEND    0xc4000001u
#define PSCI_CPU_OFF        0x84000002u
#define PSCI_CPU_ON         0xc4000003u
#define PSCI_AFFINITY_INFO  0xc4000004u
#define PSCI_MIGRATE_INFO   0x84000006u
#define PSCI_SYSTEM_OFF     0x84000008u
#define PSCI_SYSTEM_RESET   0x84000009u
#define PSCI_FEATURES       0x8400000au
#define PSCI_SYSTEM_RESET2  0xc4000012u
#define SMCCC_VERSION       0x80000000u
#define SMCCC_ARCH_FEATURES 0x80000001u

void secondary_entry(void);
_Noreturn void secondary_start(struct cpu *cpu);

static inline uint64_t now(void)
{
    __asm__ volatile("isb" ::: "memory");
    return sysreg_read(cntvct_el0);
}

/* ---- interrupt controller, either version (gic.c) ---- */
#define GIC_SPURIOUS 1023u
void gic_init(void); /* distributor: all disabled, level, priority 0xa0, enabled; then this CPU */
void gic_init_cpu(void);
uint64_t gic_base(unsigned int intid); /* frame with its ISENABLER..ICFGR registers, for this CPU */
void gic_enable(unsigned int intid);
void gic_disable(unsigned int intid);
void gic_pend(unsigned int intid);
void gic_unpend(unsigned int intid);
void gic_activate(unsigned int intid);
void gic_deactivate_write(unsigned int intid); /* ICACTIVER */
bool gic_is_enabled(unsigned int intid);
bool gic_is_pending(unsigned int intid);
bool gic_is_active(unsigned int intid);
void gic_set_priority(unsigned int intid, uint8_t priority);
uint8_t gic_get_priority(unsigned int intid);
void gic_set_edge(unsigned int intid, bool edge);
void gic_route(unsigned int intid, unsigned int cpu);
void gic_sgi(unsigned int intid, unsigned int cpu);
void gic_sgi_others(unsigned int intid);
uint32_t gic_ack(void); /* IAR as it is: the INTID is in bits 9:0 */
void gic_eoi(uint32_t iar);
void gic_dir(uint32_t iar);
void gic_split(bool on); /* EOImode */
void gic_pmr(uint8_t mask);
uint8_t gic_rpr(void);
uint32_t gic_hppir(void);
unsigned int gic_lines(void); /* INTIDs that the distributor has */
uint32_t gic_expect(void); /* waits a little for something to acknowledge: its IAR, or spurious */

/* ---- timers ---- */
static inline void timer_virt(uint64_t cval)
{
    sysreg_write(cntv_cval_el0, cval);
    sysreg_write(cntv_ctl_el0, 1);
}
static inline void timer_virt_off(void)
{
    sysreg_write(cntv_ctl_el0, 0);
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Started at EL1 or EL3, where a hypervisor cannot run: says so on the serial line and comes back
 * to stop.
 *
 * Runs with the MMU off, before relocation, with nothing but a stack. All of memory is then like a
 * device's: unaligned accesses fault, and so do the usual functions of C, which is why this reads
 * the device tree by itself (Devicetree Specification 0.4, chapter 5), bytes and aligned words
 * only. The file is compiled without a stack protector, and with nothing turned into calls of
 * library functions (mk/hypervisor.mk).
 */
#include <asm/early.h>
#include <asm/sysreg.h>
#include <hospes/compiler.h>
#include <hospes/io.h>

#define MAGIC      0xd00dfeedu
#define TREE_MAX   MIB(2)
#define BEGIN_NODE 1u
#define END_NODE   2u
#define PROP       3u
#define NOP        4u

#define LEVELS 16

enum kind { PL011, CADENCE, NS16550, NS16550_WIDE };

/* No pointers in here: they would want relocation. */
static const struct {
    char compatible[24];
    enum kind kind;
} uarts[] = {
    { "arm,pl011", PL011 },
    { "arm,sbsa-uart", PL011 },
    { "cdns,uart-r1p8", CADENCE },
    { "cdns,uart-r1p12", CADENCE },
    { "xlnx,xuartps", CADENCE },
    { "ns16550a", NS16550 },
    { "ns16550", NS16550 },
    { "snps,dw-apb-uart", NS16550 },
    { "brcm,bcm2835-aux-uart", NS16550_WIDE },
};

/* Numbers are offsets from `base`. */
struct tree {
    uint64_t base;
    uint32_t bytes, strings;
    uint32_t depth;         /* of the node where we are: 0 is the root */
    uint32_t name[LEVELS];  /* of it and those above */
    uint32_t props[LEVELS]; /* where their properties begin */
};

struct prop {
    uint32_t at, len;
};

static uint8_t byte(const struct tree *t, uint32_t at)
{
    return at < t->bytes ? *(const volatile uint8_t *)(t->base + at) : 0;
}

static uint32_t word(const struct tree *t, uint32_t at)
{
    if (at % 4 || at >= t->bytes || t->bytes - at < 4)
        return 0;
    return __builtin_bswap32(*(const volatile uint32_t *)(t->base + at));
}

/* True if the text at `at`, up to its NUL, is `s`. */
static bool is_text(const struct tree *t, uint32_t at, const char *s)
{
    while (*s && byte(t, at) == (uint8_t)*s)
        s++, at++;
    return !*s && !byte(t, at);
}

static uint32_t skip_text(const struct tree *t, uint32_t at)
{
    while (byte(t, at))
        at++;
    return (at + 4) & ~3u;
}

/* Behind a property (its token is at `at`); 0 if it does not lie in the tree. */
static uint32_t skip_prop(const struct tree *t, uint32_t at)
{
    uint32_t len = word(t, at + 4);

    return len > t->bytes ? 0 : (at + 12 + len + 3) & ~3u;
}

static bool get(const struct tree *t, uint32_t level, const char *name, struct prop *p)
{
    uint32_t at = t->props[level], token;

    for (; at && ((token = word(t, at)) == PROP || token == NOP);
         at = token == NOP ? at + 4 : skip_prop(t, at)) {
        if (token == PROP && is_text(t, t->strings + word(t, at + 8), name)) {
            p->at = at + 12;
            p->len = word(t, at + 4);
            return p->len <= t->bytes;
        }
    }
    return false;
}

static uint32_t get_number(const struct tree *t, uint32_t level, const char *name,
                           uint32_t otherwise)
{
    struct prop p;

    return get(t, level, name, &p) && p.len == 4 ? word(t, p.at) : otherwise;
}

/* To the first node of the tree: false if there is no tree. */
static bool start(struct tree *t, uint64_t fdt)
{
    t->base = fdt;
    t->bytes = 40;
    if (!fdt || fdt % 8 || word(t, 0) != MAGIC || word(t, 4) > TREE_MAX)
        return false;
    t->bytes = word(t, 4);
    t->strings = word(t, 12);
    t->depth = 0;
    t->name[0] = word(t, 8) + 4;
    if (t->strings > t->bytes || t->name[0] > t->bytes || word(t, t->name[0] - 4) != BEGIN_NODE)
        return false;
    t->props[0] = skip_text(t, t->name[0]);
    return true;
}

/* To the next node. False at the end, or where the tree is broken. */
static bool next(struct tree *t)
{
    uint32_t at = t->props[t->depth];

    while (at && at < t->bytes) {
        switch (word(t, at)) {
        case PROP:
            at = skip_prop(t, at);
            break;
        case NOP:
            at += 4;
            break;
        case BEGIN_NODE:
            if (t->depth == LEVELS - 1)
                return false;
            t->depth++;
            t->name[t->depth] = at + 4;
            t->props[t->depth] = skip_text(t, at + 4);
            return true;
        case END_NODE:
            if (!t->depth)
                return false;
            t->depth--;
            at += 4;
            break;
        default:
            return false;
        }
    }
    return false;
}

/* The nearest such number upwards from `level`, as Linux reads #address-cells and #size-cells. */
static uint32_t cells(const struct tree *t, uint32_t level, const char *name, uint32_t otherwise)
{
    for (uint32_t l = level + 1; l-- > 0;) {
        uint32_t n = get_number(t, l, name, UINT32_MAX);

        if (n != UINT32_MAX)
            return n;
    }
    return otherwise;
}

static uint64_t number(const struct tree *t, uint32_t at, uint32_t n)
{
    return n == 1 ? word(t, at) : (uint64_t)word(t, at) << 32 | word(t, at + 4);
}

/* An address of the bus at `level` as one of the bus above; false if it has none there. */
static bool translate(const struct tree *t, uint32_t level, uint64_t *addr)
{
    uint32_t child = cells(t, level, "#address-cells", 2), size = cells(t, level, "#size-cells", 1);
    uint32_t parent = cells(t, level - 1, "#address-cells", 2), entry = 4 * (child + parent + size);
    struct prop p;

    if (!get(t, level, "ranges", &p))
        return false;
    if (!p.len)
        return true;
    if (child < 1 || child > 2 || parent < 1 || parent > 2 || size < 1 || size > 2)
        return false;
    for (uint32_t at = p.at; at + entry <= p.at + p.len; at += entry) {
        uint64_t from = number(t, at, child);

        if (*addr >= from && *addr - from < number(t, at + 4 * (child + parent), size)) {
            *addr = *addr - from + number(t, at + 4 * child, parent);
            return true;
        }
    }
    return false;
}

static bool find_regs(const struct tree *t, uint64_t *addr)
{
    uint32_t n = t->depth ? cells(t, t->depth - 1, "#address-cells", 2) : 0;
    struct prop p;

    if (n < 1 || n > 2 || !get(t, t->depth, "reg", &p) || p.len < 4 * n)
        return false;
    *addr = number(t, p.at, n);
    for (uint32_t level = t->depth - 1; level > 0; level--)
        if (!translate(t, level, addr))
            return false;
    *addr += get_number(t, t->depth, "reg-offset", 0);
    return true;
}

static bool find_kind(const struct tree *t, enum kind *kind)
{
    struct prop p;

    if (!get(t, t->depth, "compatible", &p))
        return false;
    for (uint32_t at = p.at; at < p.at + p.len; at++) {
        if (at > p.at && byte(t, at - 1))
            continue;
        for (uint32_t i = 0; i < array_size(uarts); i++) {
            if (is_text(t, at, uarts[i].compatible)) {
                *kind = uarts[i].kind;
                return true;
            }
        }
    }
    return false;
}

static bool is_enabled(const struct tree *t)
{
    struct prop p;

    return !get(t, t->depth, "status", &p) || is_text(t, p.at, "okay") || is_text(t, p.at, "ok");
}

/* --- the UARTs
 * -------------------------------------------------------------------------------------- */

struct port {
    enum kind kind;
    uint32_t shift, width;
    uint64_t regs;
};

static volatile void *reg(const struct port *u, uint64_t offset)
{
    return (volatile void *)(u->regs + offset);
}

/* Firmware may not have switched it on. The line's settings are left to whoever knows the clock. */
static void enable(const struct port *u)
{
    uint32_t control;

    if (u->kind == PL011) {
        control = mmio_read32(reg(u, 0x30)); /* UARTCR: UARTEN, TXE */
        if ((control & 0x101) != 0x101)
            mmio_write32(reg(u, 0x30), control | 0x101);
    } else if (u->kind == CADENCE) {
        control = mmio_read32(reg(u, 0)); /* Control: TXDIS, TXEN */
        mmio_write32(reg(u, 0), (control & ~0x20u) | 0x10);
    }
}

static bool is_ready(const struct port *u)
{
    if (u->kind == PL011)
        return !(mmio_read32(reg(u, 0x18)) & 0x20); /* UARTFR: TXFF */
    if (u->kind == CADENCE)
        return !(mmio_read32(reg(u, 0x2c)) & 0x10); /* Channel_sts: TFUL */
    /* LSR: THRE */
    return (u->width == 4 ? mmio_read32(reg(u, 5ull << u->shift))
                          : mmio_read8(reg(u, 5ull << u->shift))) &
           0x20;
}

static void put(const struct port *u, char c)
{
    for (uint32_t looks = 1000000; looks && !is_ready(u);)
        looks--;
    if (u->kind == CADENCE)
        mmio_write32(reg(u, 0x30), (uint8_t)c);
    else if (u->kind == PL011 || u->width == 4)
        mmio_write32(reg(u, 0), (uint8_t)c);
    else
        mmio_write8(reg(u, 0), (uint8_t)c);
}

static void say(const struct port *u, const char *text)
{
    for (; *text; text++) {
        if (*text == '\n')
            put(u, '\r');
        put(u, *text);
    }
}

/* Tells it on the UART whose node we are at. False if that is none. */
static bool tell(const struct tree *t)
{
    struct port u;

    if (!find_kind(t, &u.kind) || !find_regs(t, &u.regs) || u.regs % 4)
        return false;
    u.shift = get_number(t, t->depth, "reg-shift", 0) & 3;
    u.width = get_number(t, t->depth, "reg-io-width", 1);
    if (u.kind == NS16550_WIDE) {
        u.shift = 2;
        u.width = 4;
    }
    enable(&u);
    if ((read_sysreg(CurrentEL) >> 2 & 3) == 3)
        say(&u,
            "\nHospes: started at EL3: it needs EL2 (have firmware start it, TF-A or U-Boot)\n");
    else
        say(&u, "\nHospes: started at EL1: it needs EL2 (QEMU: -machine virtualization=on)\n");
    return true;
}

/* --- which of them
 * ---------------------------------------------------------------------------------- */

static bool is_path_end(uint8_t c)
{
    return c == '\0' || c == ':';
}

/* True if the text at `path` is that of the node where we are; a part of it may lack the unit's
 * address. */
static bool is_path(const struct tree *t, uint32_t path)
{
    for (uint32_t level = 1; level <= t->depth; level++) {
        uint32_t name = t->name[level];

        if (byte(t, path++) != '/')
            return false;
        while (byte(t, name) && byte(t, path) == byte(t, name))
            path++, name++;
        if (byte(t, name) && byte(t, name) != '@')
            return false;
        if (byte(t, path) != '/' && !is_path_end(byte(t, path)))
            return false;
    }
    return t->depth && is_path_end(byte(t, path));
}

/* The path that an alias stands for, 0 if it is none. Property names lie in the strings, `alias`
 * ends like a path. */
static uint32_t alias_path(struct tree *t, uint64_t fdt, uint32_t alias)
{
    char name[32];
    uint32_t n = 0;
    struct prop p;

    for (; n < sizeof(name) - 1 && !is_path_end(byte(t, alias + n)); n++)
        name[n] = (char)byte(t, alias + n);
    name[n] = '\0';
    for (bool more = start(t, fdt); more; more = next(t)) {
        if (t->depth == 1 && is_text(t, t->name[1], "aliases"))
            return get(t, 1, name, &p) ? p.at : 0;
    }
    return 0;
}

static uint32_t stdout_path(struct tree *t, uint64_t fdt)
{
    struct prop p;

    for (bool more = start(t, fdt); more; more = next(t)) {
        if (t->depth != 1 || !is_text(t, t->name[1], "chosen"))
            continue;
        if (!get(t, 1, "stdout-path", &p) && !get(t, 1, "linux,stdout-path", &p))
            return 0;
        return byte(t, p.at) == '/' ? p.at : alias_path(t, fdt, p.at);
    }
    return 0;
}

void early_wrong_level(uint64_t fdt)
{
    struct tree t;
    uint32_t path = stdout_path(&t, fdt);
    bool more;

    for (more = path && start(&t, fdt); more; more = next(&t))
        if (is_path(&t, path) && tell(&t))
            return;
    /* The tree does not say which: all that are in use. */
    for (more = start(&t, fdt); more; more = next(&t))
        if (is_enabled(&t))
            tell(&t);
}

/* SPDX-License-Identifier: MIT */
/*
 * What is measured by a program in dom0, or in a guest: how long commands, reads and pings take
 * there, by the counter that any program may read. It prints `bench NAME MEDIAN LEAST MOST SAMPLES
 * SLOT`; tests/bench/toolstack.py reads that.
 *
 *     measure run NAME SAMPLES COMMAND...
 *         a command, to its end
 *     measure create NAME PROMPT LINE LAST COMMAND...
 *         one that makes a guest and shows its console: to its first byte, to its shell's prompt.
 *         Then LINE is typed there, and what figures the console shows until the words LAST are
 *         printed. Before and after: `bench free KIB`, the hypervisor's memory
 *     measure read NAME SAMPLES DEVICE
 *         4 KiB, past the page cache
 *     measure ping NAME SAMPLES ADDRESS
 *         there and back
 *     measure domains COUNT
 *         nothing: makes domains that wait to be built
 *
 * What goes wrong, or does not come in PATIENCE seconds of the machine's own time, is told by
 * `bench FAIL: WHAT`.
 *
 * Marks around each sample tell tests/bench/share.c where it begins and ends; a slot is which end
 * it was. There is no C library: it has to run in any Linux.
 */
#include "linux.h"

#include <stdbool.h>
#include <stddef.h>

#include <xen/domctl.h>
#include <xen/sysctl.h>
#include <xen/xen.h>

#define MOST     64
#define PATIENCE 300
#define TRIES    60 /* of a ping, a second each */

#define AT_FDCWD  (-100)
#define O_CLOEXEC 0x80000
#define O_NOCTTY  0x100
#define SIGCHLD   17
#define SIGKILL   9
#define POLLIN    1

#define TIOCGPTN   0x80045430
#define TIOCSPTLCK 0x40045431

#define PRIVCMD_HYPERCALL 0x305000

void *memset(void *to, int c, size_t n);
void *memcpy(void *restrict to, const void *restrict from, size_t n);
_Noreturn void start(long *stack);

static char **environment;

static long pointer(const void *p)
{
    return (long)p;
}

static void begins(void)
{
    MARK(0);
}

static void ends(unsigned int slot)
{
    if (slot == 0)
        MARK(1);
    else
        MARK(2);
}

/* --- the little that a C library would bring --- */

void *memset(void *to, int c, size_t n)
{
    volatile char *p = to;

    while (n--)
        *p++ = (char)c;
    return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    volatile char *p = to;
    const char *q = from;

    while (n--)
        *p++ = *q++;
    return to;
}

static bool differs(const char *a, const char *b, size_t n)
{
    while (n && *a == *b)
        a++, b++, n--;
    return n != 0;
}

static size_t length(const char *s)
{
    size_t n = 0;

    while (s[n])
        n++;
    return n;
}

static bool same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

static void put(const char *s)
{
    (void)call(WRITE, 1, pointer(s), (long)length(s), 0, 0, 0);
}

static void put_number(uint64_t v)
{
    char text[24], *p = text + sizeof(text);

    *--p = '\0';
    do
        *--p = (char)('0' + v % 10);
    while (v /= 10);
    put(" ");
    put(p);
}

static uint64_t number(const char *s)
{
    uint64_t v = 0;

    for (; *s >= '0' && *s <= '9'; s++)
        v = v * 10 + (uint64_t)(*s - '0');
    return v;
}

static _Noreturn void fail(const char *what)
{
    put("bench FAIL: ");
    put(what);
    put("\n");
    (void)call(EXIT, 1, 0, 0, 0, 0, 0);
    __builtin_unreachable();
}

static long must(long result, const char *what)
{
    if (result < 0)
        fail(what);
    return result;
}

/* True if there is something to read within so many seconds. */
static bool comes(long from, uint64_t seconds)
{
    struct {
        int fd;
        short wanted, got;
    } poll = { .fd = (int)from, .wanted = POLLIN };
    const uint64_t t[2] = { seconds, 0 };

    return must(call(PPOLL, pointer(&poll), 1, pointer(t), 0, 8, 0), "poll") > 0;
}

static void pause_ms(uint64_t ms)
{
    const uint64_t t[2] = { ms / 1000, ms % 1000 * 1000000 };

    (void)call(NANOSLEEP, pointer(t), 0, 0, 0, 0, 0);
}

static void report(const char *name, const char *suffix, uint64_t *t, unsigned int n,
                   unsigned int slot)
{
    for (unsigned int i = 1; i < n; i++) {
        uint64_t v = t[i];
        unsigned int j = i;

        for (; j > 0 && t[j - 1] > v; j--)
            t[j] = t[j - 1];
        t[j] = v;
    }
    put("bench ");
    put(name);
    put(suffix);
    put_number(t[n / 2]);
    put_number(t[0]);
    put_number(t[n - 1]);
    put_number(n);
    put_number(slot);
    put("\n");
}

/* --- the hypervisor --- */

/* A hypercall that reads and writes a structure. */
static long hypercall(uint64_t number_of, const void *op)
{
    static long driver = -1;
    const uint64_t arguments[6] = { number_of, (uint64_t)(uintptr_t)op };

    if (driver < 0)
        driver = must(call(OPENAT, AT_FDCWD, pointer("/dev/xen/privcmd"), 2 | O_CLOEXEC, 0, 0, 0),
                      "privcmd");
    return call(IOCTL, driver, PRIVCMD_HYPERCALL, pointer(arguments), 0, 0, 0);
}

/* Written to in full before: the hypervisor finds only what is in the program's tables. */
static void tell_free(void)
{
    static struct xen_sysctl op;

    memset(&op, 0, sizeof(op));
    op.cmd = XEN_SYSCTL_physinfo;
    op.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    must(hypercall(__HYPERVISOR_sysctl, &op), "physinfo");
    put("bench free");
    put_number(op.u.physinfo.free_pages * 4);
    put("\n");
}

/* A domain that has a vCPU and no more. */
static void make_domain(void)
{
    static struct xen_domctl op;

    memset(&op, 0, sizeof(op));
    op.cmd = XEN_DOMCTL_createdomain;
    op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op.u.createdomain.flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap;
    op.u.createdomain.max_vcpus = 1;
    op.u.createdomain.max_evtchn_port = 1023;
    op.u.createdomain.max_grant_frames = 64;
    op.u.createdomain.max_maptrack_frames = 1024;
    op.u.createdomain.grant_opts = 1;
    EMULATION_FLAGS(&op.u.createdomain);
    must(hypercall(__HYPERVISOR_domctl, &op), "createdomain");
    op.cmd = XEN_DOMCTL_max_vcpus;
    op.u.max_vcpus.max = 1;
    must(hypercall(__HYPERVISOR_domctl, &op), "max_vcpus");
}

/* --- commands --- */

/* Starts a program with these as its input and output; its number. */
static long spawn(char **command, long in, long out)
{
    long pid = must(call(CLONE, SIGCHLD, 0, 0, 0, 0, 0), "clone");

    if (pid)
        return pid;
    (void)call(DUP3, in, 0, 0, 0, 0, 0);
    (void)call(DUP3, out, 1, 0, 0, 0, 0);
    (void)call(EXECVE, pointer(command[0]), pointer(command), pointer(environment), 0, 0, 0);
    fail(command[0]);
}

static void await(long pid)
{
    int status = 0;

    (void)call(WAIT4, pid, pointer(&status), 0, 0, 0, 0);
    if (status & 0xff00)
        fail("a command failed");
}

static int null(void)
{
    return (int)must(call(OPENAT, AT_FDCWD, pointer("/dev/null"), 2 | O_CLOEXEC, 0, 0, 0),
                     "/dev/null");
}

static void run(const char *name, unsigned int n, char **command)
{
    uint64_t t[MOST];
    int nowhere = null();

    for (unsigned int i = 0; i < n; i++) {
        uint64_t from = now();

        begins();
        await(spawn(command, nowhere, nowhere));
        ends(0);
        t[i] = now() - from;
        pause_ms(100); /* what goes on behind it has its end */
    }
    report(name, "", t, n, 0);
}

/* What was read of a guest's console. */
static char text[1 << 20];
static size_t have;

static _Noreturn void fail_with_console(const char *what)
{
    size_t shown = have < 2000 ? have : 2000;

    put("bench: the console's last words:\n");
    (void)call(WRITE, 1, pointer(text + have - shown), (long)shown, 0, 0, 0);
    put("\n");
    fail(what);
}

/* Reads on until `words` were there. If *first is 0, the first byte is an end: when it came. */
static void read_until(long from, const char *words, uint64_t *first)
{
    size_t len = length(words), seen = have;

    for (;;) {
        long n;

        if (!comes(from, PATIENCE))
            fail_with_console(words);
        n = must(call(READ, from, pointer(text + have), (long)(sizeof(text) - have), 0, 0, 0),
                 "read");
        if (n == 0)
            fail_with_console("no console, or too much of it");
        if (!*first) {
            ends(0);
            *first = now();
        }
        for (have += (size_t)n; seen + len <= have; seen++)
            if (!differs(text + seen, words, len))
                return;
    }
}

/* Prints the lines from `at` on that are figures. */
static void show_figures(size_t at)
{
    for (size_t next; at < have; at = next) {
        for (next = at; next < have && text[next] != '\n';)
            next++;
        next += next < have;
        if (next - at > 6 && !differs(text + at, "bench ", 6))
            (void)call(WRITE, 1, pointer(text + at), (long)(next - at), 0, 0, 0);
    }
}

/* A terminal, as a user has one: xenconsole takes no input from anything else. Opens both its ends.
 */
static void open_terminal(long *ours, long *theirs)
{
    static char name[] = "/dev/pts/00";
    unsigned int n = 0;
    int unlocked = 0;

    *ours = must(call(OPENAT, AT_FDCWD, pointer("/dev/ptmx"), 2 | O_NOCTTY | O_CLOEXEC, 0, 0, 0),
                 "/dev/ptmx");
    must(call(IOCTL, *ours, TIOCGPTN, pointer(&n), 0, 0, 0), "a terminal's number");
    must(call(IOCTL, *ours, TIOCSPTLCK, pointer(&unlocked), 0, 0, 0), "a terminal's lock");
    if (n < 10)
        name[10] = '\0';
    else
        name[10] = (char)('0' + n % 10);
    name[9] = (char)('0' + (n < 10 ? n : n / 10));
    *theirs = must(call(OPENAT, AT_FDCWD, pointer(name), 2 | O_NOCTTY | O_CLOEXEC, 0, 0, 0), name);
}

static void create(const char *name, const char *prompt, const char *line, const char *last,
                   char **command)
{
    uint64_t from, first = 0, shell;
    long terminal, xls, pid;
    size_t inside;

    open_terminal(&terminal, &xls);
    tell_free();
    from = now();
    begins();
    pid = spawn(command, xls, xls);
    (void)call(CLOSE, xls, 0, 0, 0, 0, 0);
    read_until(terminal, prompt, &first);
    ends(1);
    shell = now() - from;
    first -= from;
    report(name, "-first", &first, 1, 0);
    report(name, "-shell", &shell, 1, 1);
    inside = have;
    must(call(WRITE, terminal, pointer(line), (long)length(line), 0, 0, 0), "write");
    must(call(WRITE, terminal, pointer("\r"), 1, 0, 0, 0), "write");
    read_until(terminal, last, &first);
    show_figures(inside);
    tell_free();
    (void)call(KILL, pid, SIGKILL, 0, 0, 0, 0);
    await(pid);
}

/* --- disk and network --- */

static void read_disk(const char *name, unsigned int n, const char *device)
{
    static char block[8192];
    char *aligned = (char *)(((uintptr_t)block + 4095) & ~(uintptr_t)4095);
    long disk = must(call(OPENAT, AT_FDCWD, pointer(device), O_DIRECT, 0, 0, 0), device);
    uint64_t t[MOST];

    for (unsigned int i = 0; i < n; i++) {
        uint64_t from;

        pause_ms(20);
        from = now();
        begins();
        if (call(PREAD, disk, pointer(aligned), 4096, (long)i * 65536, 0, 0) != 4096)
            fail("pread");
        ends(0);
        t[i] = now() - from;
    }
    report(name, "", t, n, 0);
}

static uint16_t checksum(const uint8_t *p, size_t n)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < n; i += 2)
        sum += (uint32_t)p[i] << 8 | p[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~(sum + (sum >> 16));
}

/* RFC 792: sends an echo request of 56 bytes, and receives its answer; false: none came in a
 * second. */
static bool echo(long s, const void *to, uint8_t number_of)
{
    uint8_t request[64] = { 8, 0, 0, 0, 0x42, 0x42, 0, number_of }, answer[256];
    uint16_t sum = checksum(request, sizeof(request));

    request[2] = (uint8_t)(sum >> 8);
    request[3] = (uint8_t)sum;
    if (call(SENDTO, s, pointer(request), sizeof(request), 0, pointer(to), 16) < 0)
        return false;
    do {
        if (!comes(s, 1))
            return false;
        must(call(RECVFROM, s, pointer(answer), sizeof(answer), 0, 0, 0), "recvfrom");
    } while (answer[20] != 0 || answer[24] != 0x42 || answer[27] != number_of);
    return true;
}

static void ping(const char *name, unsigned int n, const char *address)
{
    struct {
        uint16_t family, port;
        uint8_t ip[4], zero[8];
    } to = { .family = 2 };
    long s = must(call(SOCKET, 2, 3, 1, 0, 0, 0), "socket");
    uint64_t t[MOST], from;
    unsigned int tries = TRIES;

    for (unsigned int i = 0; i < 4; i++) {
        to.ip[i] = (uint8_t)number(address);
        while (*address && *address++ != '.')
            ;
    }
    while (!echo(s, &to, 0)) { /* the first one asks for the other's address first */
        if (--tries == 0)
            fail("nobody answers pings");
        pause_ms(1000);
    }
    for (unsigned int i = 0; i < n; i++) {
        pause_ms(20);
        from = now();
        begins();
        if (!echo(s, &to, (uint8_t)(i + 1)))
            fail("a ping was not answered");
        ends(0);
        t[i] = now() - from;
    }
    report(name, "", t, n, 0);
}

/* ---------------------------------------------------------------------------------------------- */

_Noreturn void start(long *stack)
{
    long argc = stack[0];
    char **argv = (char **)(stack + 1);
    unsigned int n;

    environment = argv + argc + 1;
    if (argc == 3 && same(argv[1], "domains")) {
        for (uint64_t left = number(argv[2]); left; left--)
            make_domain();
        (void)call(EXIT, 0, 0, 0, 0, 0, 0);
    }
    if (argc > 6 && same(argv[1], "create")) {
        create(argv[2], argv[3], argv[4], argv[5], argv + 6);
        (void)call(EXIT, 0, 0, 0, 0, 0, 0);
    }
    if (argc < 5)
        fail("measure: what?");
    n = (unsigned int)number(argv[3]);
    if (n == 0 || n > MOST)
        fail("measure: how often?");
    if (same(argv[1], "run"))
        run(argv[2], n, argv + 4);
    else if (same(argv[1], "read"))
        read_disk(argv[2], n, argv[4]);
    else if (same(argv[1], "ping"))
        ping(argv[2], n, argv[4]);
    else
        fail("measure: what?");
    (void)call(EXIT, 0, 0, 0, 0, 0, 0);
    __builtin_unreachable();
}

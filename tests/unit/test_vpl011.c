/* SPDX-License-Identifier: MIT */
/* The UART that guests see, with the real console, or a real ring, behind it. */
// sources: arch/arm64/vpl011.c core/mmio.c core/console.c core/console_budget.c
// sources: core/console_input.c core/console_queue.c core/console_ring.c core/console_screen.c core/console_tx.c
// sources: core/console_wire.c core/log.c core/timer.c core/spinlock.c
// sources: core/xencons.c
#include "console_fake.h"

#include <asm/vgic.h>
#include <asm/vpl011.h>
#include <hospes/domain.h>
#include <hospes/evtchn.h>
#include <hospes/vcpu.h>
#include <xen/io/console.h>

#define BASE 0x22000000u
#define VIRQ 32u

#define DR    0x00u
#define RSR   0x04u
#define FR    0x18u
#define ILPR  0x20u
#define IBRD  0x24u
#define FBRD  0x28u
#define LCRH  0x2cu
#define CR    0x30u
#define IFLS  0x34u
#define IMSC  0x38u
#define RIS   0x3cu
#define MIS   0x40u
#define ICR   0x44u
#define DMACR 0x48u

#define FR_MODEM 0x07u
#define FR_BUSY  0x08u
#define FR_RXFE  0x10u
#define FR_TXFF  0x20u
#define FR_RXFF  0x40u
#define FR_TXFE  0x80u

#define RX 0x010u
#define TX 0x020u
#define RT 0x040u
#define OE 0x400u

static struct domain dom, other;
static struct vcpu vcpu;
static bool line;
static uint32_t edges;

void vgic_set_line(struct domain *d, struct vcpu *v, uint32_t intid, bool level)
{
    if (d != &dom)
        return;
    assert_int_equal(intid, VIRQ);
    assert_true(level != line); /* changes only */
    line = level;
    edges++;
}

static enum exit_action access(uint32_t offset, uint8_t size, bool write, uint64_t *value)
{
    vcpu.access = (struct mmio_access){ .addr = GADDR(BASE + offset),
                                        .size = size,
                                        .write = write,
                                        .value = write ? *value : 0xdeadbeefdeadbeef };
    enum exit_action action = mmio_dispatch(&vcpu);
    *value = vcpu.access.value;
    return action;
}

static uint32_t get(uint32_t offset)
{
    uint64_t value;

    assert_int_equal(access(offset, 4, false, &value), EXIT_HANDLED);
    assert_int_equal(value >> 32, 0);
    return (uint32_t)value;
}

static void set(uint32_t offset, uint32_t value)
{
    uint64_t v = value;

    assert_int_equal(access(offset, 4, true, &v), EXIT_HANDLED);
}

/* --- another domain's console daemon --- */

static struct xencons_interface rings;
static evtchn_serve_fn *daemon_sends;
static uint32_t daemon_told, areas;
static int no_port;

int guest_area_map(struct domain *d, gaddr_t at, uint64_t bytes, struct guest_area *out)
{
    if (at.v != 0x39003000)
        return -EINVAL;
    *out = (struct guest_area){ &rings, MFN(1) };
    areas++;
    return 0;
}

void guest_area_unmap(struct guest_area *a)
{
    areas -= a->p != NULL;
    a->p = NULL;
}

int evtchn_serve(struct domain *d, uint16_t remote_domid, evtchn_serve_fn *serve, uint32_t *port)
{
    assert_int_equal(remote_domid, 7);
    if (no_port)
        return no_port;
    daemon_sends = serve;
    *port = 3;
    return 0;
}

void evtchn_serve_send(struct domain *d)
{
    assert_int_equal(this_pcpu()->nr_locks_held, 0);
    daemon_told++;
}

void evtchn_serve_end(struct domain *d)
{
    daemon_sends = NULL;
}

/* A new UART in dom, which has the focus. */
static void start(void)
{
    fake_pass(500);
    fake.rate = FAKE_AT_ONCE;
    fake.fifo = 0;
    fake_clear();
    line = false;
    memset(&dom, 0, sizeof(dom));
    dom.id = 1;
    vcpu = (struct vcpu){ .domain = &dom };
    assert_int_equal(vpl011_create(&dom, GADDR(BASE), VIRQ), 0);
    do {
        fake_clear();
        fake_type("\x01\x01\x01");
    } while (strstr(fake.out, "input to DOM1") == NULL);
    fake_clear();
    edges = 0;
}

static void stop(void)
{
    if (line)
        set(IMSC, 0);
    vpl011_destroy(&dom);
    mmio_destroy(&dom);
}

/* Guests' drivers look for these to know which UART it is, and that nobody has used it. */
static void registers_at_reset(void **state)
{
    static const uint8_t ids[8] = { 0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };

    start();
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(get(0xfe0 + 4 * i), ids[i]);
    for (uint32_t offset = 0; offset < 0xfe0; offset += 4) {
        uint32_t want = offset == FR     ? FR_TXFE | FR_RXFE | FR_MODEM
                        : offset == CR   ? 0x300
                        : offset == IFLS ? 0x12
                                         : 0;
        assert_int_equal(get(offset), want);
    }
    assert_false(line);
    stop();
}

/* A driver that reads back what it wrote, or accesses a byte of it, must find what the manual
 * promises. */
static void registers_hold_their_bits(void **state)
{
    static const struct {
        uint32_t offset, bits;
    } regs[] = { { ILPR, 0xff }, { IBRD, 0xffff }, { FBRD, 0x3f },  { LCRH, 0xff },
                 { CR, 0xff87 }, { IFLS, 0x3f },   { IMSC, 0x7ff }, { DMACR, 0x7 } };
    uint64_t value;

    start();
    for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
        uint32_t at = regs[i].offset, bits = regs[i].bits;
        set(at, 0xffffffff);
        assert_int_equal(get(at), bits);
        set(at, 0);
        assert_int_equal(get(at), 0);
        for (uint8_t size = 1; size <= 4; size *= 2) {
            for (uint32_t byte = 0; byte < 4; byte += size) {
                uint32_t part = (size == 4 ? 0xffffffff : (1u << 8 * size) - 1) << 8 * byte;
                set(at, 0);
                value = 0xffffffff;
                assert_int_equal(access(at + byte, size, true, &value), EXIT_HANDLED);
                assert_int_equal(get(at), bits & part);
                assert_int_equal(access(at + byte, size, false, &value), EXIT_HANDLED);
                assert_int_equal(value, (bits & part) >> 8 * byte);
                set(at, 0xffffffff);
                value = 0;
                assert_int_equal(access(at + byte, size, true, &value), EXIT_HANDLED);
                assert_int_equal(get(at), bits & ~part);
            }
        }
        set(at, 0);
    }
    stop();
}

/* A guest, however it accesses the device, gets an answer or a fault: never a crash of the machine.
 */
static void every_offset_and_width(void **state)
{
    uint64_t value;

    start();
    for (uint32_t offset = 0; offset < 0x1000; offset++) {
        for (uint8_t size = 1; size <= 8; size *= 2) {
            for (int write = 0; write < 2; write++) {
                value = unit_random64() >> (64 - 8 * size);
                enum exit_action action = access(offset, size, write, &value);
                assert_true(action == EXIT_HANDLED || action == EXIT_FAULT);
                if (action == EXIT_HANDLED && !write && size < 8)
                    assert_int_equal(value >> (8 * size), 0);
            }
        }
    }
    set(IMSC, 0);
    for (uint32_t i = 0; i < 200000; i++) {
        uint8_t size = (uint8_t)(1u << unit_random(4));
        value = unit_random64() >> (64 - 8 * size);
        access(unit_random(4) ? unit_random(0x50) : unit_random(0x1000), size, unit_random(2),
               &value);
        if (unit_random(100) == 0)
            console_interrupt(NULL);
        if (unit_random(100) == 0) {
            fake.typed = "some text";
            fake_pass(1);
        }
        if (fake.out_len > 1 << 20)
            fake_clear();
        assert_int_equal(line, (get(RIS) & get(IMSC)) != 0);
        assert_int_equal(get(MIS), get(RIS) & get(IMSC));
    }
    fake.typed = NULL;
    stop();
}

/* Other names of what is there: a read-only register written, a write-only one read. */
static void read_only_and_write_only(void **state)
{
    start();
    set(FR, 0xffffffff);
    set(RIS, 0xffffffff);
    set(MIS, 0xffffffff);
    set(0xfe0, 0xffffffff);
    assert_int_equal(get(FR), FR_TXFE | FR_RXFE | FR_MODEM);
    assert_int_equal(get(RIS), 0);
    assert_int_equal(get(ICR), 0);
    assert_int_equal(get(0xfe0), 0x11);
    stop();
}

/* The guest's output. */
static void transmits(void **state)
{
    start();
    for (const char *p = "Hello\r\n"; *p; p++) {
        assert_int_equal(get(FR) & (FR_TXFF | FR_BUSY), 0);
        set(DR, (uint32_t)(uint8_t)*p | 0xffffff00);
    }
    fake_sent("Hello\r\n");
    uint64_t value = 'x';
    access(DR, 1, true, &value);
    value = 'y';
    access(DR, 2, true, &value);
    value = '?';
    access(DR + 1, 1, true, &value);
    fake_sent("xy");
    stop();
}

/* Writes as Linux's console and earlycon do: looks until there is room. Returns the looks. */
static uint32_t poll_out(char c)
{
    uint32_t looks = 0;

    while ((get(FR) & FR_TXFF) != 0) {
        assert_true(++looks < 100000);
        if (looks % 10 == 0)
            fake_pass(1);
    }
    set(DR, (uint8_t)c);
    return looks;
}

/* A kernel that prints more than the console takes would lose text, or wait for ever. */
static void busy_until_there_is_room(void **state)
{
    static char text[60000];
    uint32_t looks = 0;

    start();
    for (size_t i = 0; i < sizeof(text) - 1; i++)
        text[i] = (char)('a' + unit_random(26));
    for (size_t i = 0; i < sizeof(text) - 1; i++)
        looks += poll_out(text[i]);
    assert_true(looks > 1000);
    while ((get(FR) & FR_BUSY) != 0)
        fake_pass(1);
    assert_int_equal(get(FR), FR_TXFE | FR_RXFE | FR_MODEM);
    fake_sent(text);
    stop();
}

/* A full FIFO shows all its flags; a driver that writes on loses its own bytes only. */
static void full_fifo(void **state)
{
    start();
    fake.rate = 0;
    fake.fifo = FAKE_FIFO;
    uint32_t n = 0;
    for (; (get(FR) & FR_TXFF) == 0; n++) {
        assert_true(n < 5000);
        set(DR, 'a' + n % 26);
    }
    assert_int_equal(get(FR), FR_BUSY | FR_TXFF | FR_RXFE | FR_MODEM);
    set(DR, '!');
    set(DR, '!');
    fake.rate = FAKE_AT_ONCE;
    fake_interrupts(100);
    fake_pass(100);
    assert_int_equal(fake.out_len, n);
    assert_null(strchr(fake.out, '!'));
    assert_int_equal(get(FR), FR_TXFE | FR_RXFE | FR_MODEM);
    stop();
}

/* Linux's driver writes half a FIFO at each transmit interrupt without looking: not one byte may be
 * lost. */
static void transmit_interrupts(void **state)
{
    static char text[50000];
    size_t n = 0;
    uint32_t waits = 0;

    start();
    for (size_t i = 0; i < sizeof(text) - 1; i++)
        text[i] = (char)('a' + unit_random(26));
    set(LCRH, 0x70);
    set(IFLS, 0x12);
    set(ICR, 0x7ff);
    set(CR, 0x301);
    set(IMSC, TX);
    assert_false(line);
    while (n < sizeof(text) - 1 && (get(FR) & FR_TXFF) == 0)
        set(DR, (uint8_t)text[n++]); /* the start: looking, until it is full */
    while (n < sizeof(text) - 1) {
        if (!line) {
            waits++;
            assert_true(waits < 10000);
            fake_pass(1);
            continue;
        }
        assert_int_equal(get(MIS), TX);
        for (int k = 0; k < 16 && n < sizeof(text) - 1; k++)
            set(DR, (uint8_t)text[n++]);
    }
    assert_true(waits > 10); /* it did wait */
    set(IMSC, 0);
    assert_false(line);
    fake_pass(1000);
    fake_sent(text);
    assert_int_equal(get(RIS), TX);
    set(ICR, TX);
    assert_int_equal(get(RIS), 0);
    stop();
}

/* At each trigger level the interrupt promises that much room. */
static void transmit_levels(void **state)
{
    static const uint32_t levels[] = { 4, 8, 16, 24, 28 };

    for (uint32_t i = 0; i < 6; i++) {
        uint32_t level = i < 5 ? levels[i] : 0; /* the last: without FIFOs, which means empty */
        start();
        set(LCRH, i < 5 ? 0x70 : 0x60);
        set(IFLS, i < 5 ? i : 2);
        set(IMSC, TX);
        fake.rate = 0;
        fake.fifo = FAKE_FIFO;
        uint32_t n = 0;
        for (; (get(FR) & FR_TXFF) == 0; n++)
            set(DR, 'x');
        assert_false(line);
        /* The console takes byte after byte; the FIFO's are those that it does not have. */
        fake.rate = 1;
        while (!line)
            fake_pass(1);
        uint32_t room = 0;
        fake.rate = 0;
        fake.fifo = FAKE_FIFO;
        for (; (get(FR) & FR_TXFF) == 0; room++)
            set(DR, 'x');
        assert_true(room >= 32 - level);
        assert_false(line);
        fake.rate = FAKE_AT_ONCE;
        fake_interrupts(1000);
        fake_pass(100);
        stop();
    }
}

/* What the user types, also single characters. */
static void receives(void **state)
{
    start();
    set(LCRH, 0x70);
    set(IMSC, RX | RT);
    fake_type("a");
    assert_true(line);
    assert_int_equal(get(FR) & (FR_RXFE | FR_RXFF), 0);
    assert_int_equal(get(MIS), RT);
    assert_int_equal(get(DR), 'a');
    assert_false(line);
    assert_int_equal(get(FR) & FR_RXFE, FR_RXFE);
    assert_int_equal(get(DR), 0);
    assert_int_equal(edges, 2);
    fake_type("0123456789abcdef");
    assert_int_equal(get(MIS), RX | RT); /* half full: the default level */
    assert_int_equal(get(DR), '0');
    assert_int_equal(get(MIS), RT);
    uint64_t value;
    for (int i = 1; i < 16; i++) {
        assert_int_equal(access(DR, 1, false, &value), EXIT_HANDLED);
        assert_int_equal(value, "0123456789abcdef"[i]);
    }
    assert_int_equal(get(RIS), 0);
    /* cleared by the guest, it comes back with the next byte */
    fake_type("x");
    set(ICR, RX | RT);
    assert_false(line);
    fake_type("y");
    assert_true(line);
    assert_int_equal(get(DR), 'x');
    assert_int_equal(get(DR), 'y');
    /* without FIFOs each byte is an interrupt of its own kind */
    set(LCRH, 0x60);
    fake_type("z");
    assert_int_equal(get(MIS) & RX, RX);
    assert_int_equal(get(DR), 'z');
    assert_int_equal(get(MIS), 0);
    stop();
}

/* Each level of the receive FIFO. */
static void receive_levels(void **state)
{
    static const uint32_t levels[] = { 4, 8, 16, 24, 28 };

    for (uint32_t i = 0; i < 5; i++) {
        start();
        set(LCRH, 0x70);
        set(IFLS, i << 3);
        set(IMSC, RX);
        for (uint32_t n = 1; n <= 40; n++) {
            fake_type("x");
            assert_int_equal(line, n >= levels[i]);
            assert_int_equal((get(FR) & FR_RXFF) != 0, n >= 32);
        }
        for (uint32_t n = 40; n-- > 0;) {
            assert_int_equal(get(DR), 'x');
            assert_int_equal(line, n >= levels[i]);
            assert_int_equal((get(FR) & FR_RXFF) != 0, n >= 32);
        }
        stop();
    }
}

/* Text that the user pastes would be lost where the guest is slow; beyond a limit it is, and the
 * guest knows. */
static void pasted_text(void **state)
{
    static char text[1101];

    start();
    for (size_t i = 0; i < 1100; i++)
        text[i] = (char)('a' + unit_random(26));
    set(LCRH, 0x70);
    set(IMSC, RX | RT | OE);
    fake_type(text);
    fake_pass(500);
    assert_int_equal(get(MIS), RX | RT | OE);
    set(ICR, 0x7ff); /* with bytes left that never came to the FIFO's end */
    assert_false(line);
    for (uint32_t i = 0; i < 1024; i++) {
        assert_int_equal(get(DR), text[i]);
        assert_int_equal(line, i < 1023); /* those behind move up and raise it again */
    }
    assert_int_equal(get(FR) & FR_RXFE, FR_RXFE);
    assert_int_equal(get(RSR), 0);
    fake_type("!");
    assert_int_equal(get(DR), 0x800 | '!'); /* overrun before this one */
    assert_int_equal(get(RSR), 8);
    set(RSR, 0);
    assert_int_equal(get(RSR), 0);
    fake_type("!");
    assert_int_equal(get(DR), '!');
    stop();
}

/* Two domains' UARTs are two. */
static void of_several_domains(void **state)
{
    start();
    other.id = 2;
    assert_int_equal(vpl011_create(&other, GADDR(BASE), VIRQ), 0);
    fake_type("x");
    assert_int_equal(get(DR), 'x');
    vcpu = (struct vcpu){ .domain = &other };
    assert_int_equal(get(FR) & FR_RXFE, FR_RXFE);
    set(DR, 'o');
    set(DR, '\n');
    fake_sent("(d2) o\r\n");
    vcpu = (struct vcpu){ .domain = &dom };
    vpl011_destroy(&other);
    mmio_destroy(&other);
    vpl011_destroy(&other); /* twice, or none at all, is nothing */
    stop();
}

/* A place that is taken already must be an error that leaves nothing behind. */
static void creation_fails(void **state)
{
    start();
    memset(&other, 0, sizeof(other));
    other.id = 1;
    other.mmio = dom.mmio;
    assert_int_equal(vpl011_create(&other, GADDR(BASE + 0xff0), VIRQ), -EEXIST);
    assert_null(other.console.device);
    vpl011_destroy(&other);
    stop();
}

static void start_served(void)
{
    uint32_t port = 0;

    memset(&dom, 0, sizeof(dom));
    memset(&rings, 0, sizeof(rings));
    line = false;
    no_port = 0;
    dom.id = 1;
    vcpu = (struct vcpu){ .domain = &dom };
    assert_int_equal(vpl011_create_served(&dom, GADDR(BASE), VIRQ, GFN(0x39003), 7, &port), 0);
    assert_int_equal(port, 3);
    assert_int_equal(get(FR), FR_TXFE | FR_RXFE | FR_MODEM);
    daemon_told = 0;
}

static void stop_served(void)
{
    if (line)
        set(IMSC, 0);
    vpl011_destroy(&dom);
    vpl011_destroy(&dom);
    mmio_destroy(&dom);
    assert_int_equal(areas, 0);
}

/* Each byte is in the ring at once and told; without room the driver sees it, and goes on later. */
static void transmits_to_a_ring(void **state)
{
    start_served();
    set(LCRH, 0x70);
    set(IMSC, TX);
    set(DR, 'h');
    set(DR, 'i');
    assert_int_equal(daemon_told, 2);
    assert_int_equal(rings.out_prod, 2);
    assert_memory_equal(rings.out, "hi", 2);
    for (uint32_t n = 2; (get(FR) & FR_TXFF) == 0; n++) {
        assert_true(n < 2048 + 32);
        set(DR, 'a' + n % 26);
    }
    assert_int_equal(rings.out_prod, 2048);
    assert_int_equal(get(FR), FR_BUSY | FR_TXFF | FR_RXFE | FR_MODEM);
    assert_false(line);
    daemon_told = 0;
    rings.out_cons = 2048;
    daemon_sends(&dom);
    assert_int_equal(daemon_told, 1);
    assert_int_equal(rings.out_prod, 2048 + 32);
    assert_int_equal((uint8_t)rings.out[0], 'a' + 2048 % 26);
    assert_int_equal(get(FR), FR_TXFE | FR_RXFE | FR_MODEM);
    assert_true(line);
    stop_served();
}

/* What a user pastes stays in the ring until the guest has read what was before it. */
static void receives_from_a_ring(void **state)
{
    uint32_t n = 0;

    start_served();
    set(LCRH, 0x70);
    set(IMSC, RX | RT);
    for (uint32_t i = 0; i < 1024; i++)
        rings.in[rings.in_prod++ % 1024] = (char)('a' + i % 26);
    daemon_sends(&dom);
    assert_int_equal(daemon_told, 1);
    assert_int_equal(rings.in_cons, 32);
    assert_int_equal(get(FR) & FR_RXFF, FR_RXFF);
    assert_true(line);
    for (; (get(FR) & FR_RXFE) == 0; n++)
        assert_int_equal(get(DR), 'a' + n % 26);
    assert_int_equal(n, 1024);
    assert_int_equal(rings.in_cons, 1024);
    assert_int_equal(daemon_told, 1 + 1024 - 32);
    assert_false(line);
    assert_int_equal(get(RSR), 0); /* none was lost */
    stop_served();
}

/* A toolstack that asks for what cannot be gets an error, and nothing stays of the UART. */
static void serving_fails(void **state)
{
    uint32_t port;

    start_served();
    memset(&other, 0, sizeof(other));
    other.id = 2;
    assert_int_equal(vpl011_create_served(&other, GADDR(BASE), VIRQ, GFN(5), 7, &port), -EINVAL);
    no_port = -ENOSPC;
    assert_int_equal(vpl011_create_served(&other, GADDR(BASE), VIRQ, GFN(0x39003), 7, &port),
                     -ENOSPC);
    no_port = 0;
    other.mmio = dom.mmio;
    assert_int_equal(vpl011_create_served(&other, GADDR(BASE + 8), VIRQ, GFN(0x39003), 7, &port),
                     -EEXIST);
    assert_null(daemon_sends);
    assert_null(other.arch.vuart);
    assert_int_equal(areas, 1); /* dom's */
    stop_served();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registers_at_reset),
        cmocka_unit_test(registers_hold_their_bits),
        cmocka_unit_test(every_offset_and_width),
        cmocka_unit_test(read_only_and_write_only),
        cmocka_unit_test(transmits),
        cmocka_unit_test(busy_until_there_is_room),
        cmocka_unit_test(full_fifo),
        cmocka_unit_test(transmit_interrupts),
        cmocka_unit_test(transmit_levels),
        cmocka_unit_test(receives),
        cmocka_unit_test(receive_levels),
        cmocka_unit_test(pasted_text),
        cmocka_unit_test(of_several_domains),
        cmocka_unit_test(creation_fails),
        cmocka_unit_test(transmits_to_a_ring),
        cmocka_unit_test(receives_from_a_ring),
        cmocka_unit_test(serving_fails),
    };

    fake_machine(1);
    console_bind(&fake_uart);
    console_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

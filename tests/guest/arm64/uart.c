/* SPDX-License-Identifier: MIT */
/*
 * The emulated PL011 (Arm DDI 0183) as Linux's full driver uses it. Arguments: mode=echo gives back
 * what is typed until a q; mode=flood prints lines= lines as fast as it can; neither counts as a
 * test of registers.
 */
#include "guest.h"

const char guest_name[] = "uart";

#define DR      0x00
#define FR      0x18
#define IBRD    0x24
#define FBRD    0x28
#define LCR_H   0x2c
#define CR      0x30
#define IFLS    0x34
#define IMSC    0x38
#define RIS     0x3c
#define MIS     0x40
#define ICR     0x44
#define PERIPH  0xfe0
#define FR_RXFE 0x10u
#define FR_TXFE 0x80u
#define FR_BUSY 0x08u
#define RX      0x10u
#define TX      0x20u
#define RT      0x40u

static uint64_t reg(uint64_t offset)
{
    return machine.uart.base + offset;
}

static void quiet(void)
{
    while ((read32(reg(FR)) & (FR_TXFE | FR_BUSY)) != FR_TXFE)
        __asm__ volatile("yield");
}

static void holds(uint64_t offset, uint32_t bits, const char *name)
{
    uint32_t was = read32(reg(offset)), a, b;

    write32(reg(offset), bits & 0x55555555);
    a = read32(reg(offset));
    write32(reg(offset), bits & 0xaaaaaaaa);
    b = read32(reg(offset));
    write32(reg(offset), was);
    check_eq(a & bits, bits & 0x55555555, "%s holds even bits", name);
    check_eq(b & bits, bits & 0xaaaaaaaa, "%s holds odd bits", name);
}

static void registers(void)
{
    static const uint8_t id[] = { 0x11, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };
    uint32_t v;

    for (unsigned int i = 0; i < 8; i++)
        check_eq(read32(reg(PERIPH + i * 4)) & (i == 2 ? 0x0f : 0xff), id[i],
                 "identification byte %u", i);
    quiet();
    check_eq(read32(reg(FR)) & 0xf8, FR_TXFE | FR_RXFE, "FR when nothing goes on");
    quiet(); /* what was printed may be on its way yet */
    check_eq(read16(reg(FR)), read32(reg(FR)), "FR by halfword");
    quiet();
    check_eq(read8(reg(FR)), read32(reg(FR)) & 0xff, "FR by byte");
    holds(IBRD, 0xffff, "IBRD");
    holds(FBRD, 0x3f, "FBRD");
    holds(LCR_H, 0xfe, "LCR_H");
    holds(IFLS, 0x3f, "IFLS");
    holds(IMSC, 0x7ff, "IMSC");
    v = read32(reg(CR));
    write32(reg(CR), 0x301);
    check_eq(read32(reg(CR)) & 0x301, 0x301, "CR: on, receiving and transmitting");
    write32(reg(CR), v | 0x301);
    write32(reg(IMSC), 0);
    check_eq(read32(reg(MIS)), 0, "MIS with everything masked");
    write32(reg(ICR), 0x7ff);
    check_eq(read32(reg(RIS)) & (RX | RT), 0, "RIS: nothing received");
}

/* The transmit interrupt is a level: it lasts until it is cleared or masked. */
static void transmit_interrupt(void)
{
    unsigned int irq = machine.uart_irq;
    uint32_t iar, mis;

    gic_init();
    gic_enable(irq);
    write32(reg(ICR), 0x7ff);
    write32(reg(IMSC), TX);
    put("\n");
    quiet();
    check(wait_until(read32(reg(RIS)) & TX), "RIS: room to transmit");
    check_eq(read32(reg(MIS)), TX, "MIS: room to transmit");
    iar = gic_expect();
    check_eq(iar & 0x3ff, irq, "its interrupt is taken");
    gic_eoi(iar);
    iar = gic_expect();
    check_eq(iar & 0x3ff, irq, "and again, for it is a level");
    write32(reg(IMSC), 0);
    check_eq(read32(reg(MIS)), 0, "MIS once masked");
    if ((iar & 0x3ff) == irq)
        gic_eoi(iar);
    check_eq(gic_ack() & 0x3ff, GIC_SPURIOUS, "no interrupt once masked");
    quiet(); /* what leaves the FIFO raises it again */
    write32(reg(IMSC), TX);
    write32(reg(ICR), TX);
    mis = read32(reg(MIS)); /* before anything is printed, which raises it again */
    iar = gic_ack();
    check_eq(mis, 0, "MIS once cleared");
    check_eq(iar & 0x3ff, GIC_SPURIOUS, "no interrupt once cleared");
    if ((iar & 0x3ff) == irq)
        gic_eoi(iar);
    write32(reg(IMSC), 0);
    gic_disable(irq);
}

static void every_access(void)
{
    static const uint64_t values[] = { ~UINT64_C(0), UINT64_C(0xa5a5a5a5a5a5a5a5), 0 };
    unsigned int dead = 0, works = 0, aborts = 0;

    for (uint64_t o = 0; o < 0x1000; o++) {
        for (unsigned int width = 1; width <= 8; width *= 2) {
            if (o % width != 0)
                continue;
            for (unsigned int i = 0; i < 1 + ARRAY_SIZE(values); i++) {
                uint64_t esr;
                if (o < 4 && i > 0)
                    continue; /* would print */
                esr = i == 0 ? probe_read(reg(o), width, NULL)
                             : probe_write(reg(o), width, values[i - 1]);
                if (esr == 0)
                    works++;
                else if (ESR_EC(esr) == EC_DABT)
                    aborts++;
                else
                    dead++;
            }
        }
    }
    /* As it was for whoever prints next. */
    write32(reg(IMSC), 0);
    write32(reg(ICR), 0x7ff);
    write32(reg(LCR_H), 0x70);
    write32(reg(CR), 0x301);
    check_eq(dead, 0, "every offset and width: %u accesses work, %u abort", works, aborts);
}

static volatile bool over;

static void on_input(struct frame *f)
{
    uint32_t iar = gic_ack();

    (void)f;
    if ((iar & 0x3ff) == GIC_SPURIOUS)
        return;
    write32(reg(ICR), RX | RT);
    while (!(read32(reg(FR)) & FR_RXFE)) {
        uint32_t c = read32(reg(DR));
        if ((c & 0xf00) != 0)
            put("[error 0x%x]", c);
        put_char((char)c);
        if ((c & 0xff) == 'q')
            over = true;
    }
    gic_eoi(iar);
}

static void echo(void)
{
    gic_init();
    gic_enable(machine.uart_irq);
    irq_hook = on_input;
    write32(reg(IMSC), RX | RT);
    put("echo is ready\n");
    while (!over) {
        irq_off();
        if (!over)
            wfi();
        irq_on();
    }
    irq_off();
    put("\necho is over\n");
}

static void flood(uint64_t lines)
{
    for (uint64_t n = 1; n <= lines; n++)
        put("flood %lu abcdefghijklmnopqrstuvwxyz abcdefghijklmnopqrstuvwxyz\n", n);
    /* And without asking whether there is room; what is lost then is the guest's own. */
    for (uint64_t n = 0; n < lines * 10; n++)
        write32(reg(DR), n % 64 == 63 ? '\n' : '.');
    put("\nflood is over\n");
}

void guest_main(void)
{
    char mode[8] = "";

    bootarg("mode", mode, sizeof(mode));
    if (mode[0] == 'e') {
        echo();
    } else if (mode[0] == 'f') {
        flood(bootarg_number("lines", 1000));
    } else {
        registers();
        transmit_interrupt();
        every_access();
    }
    check(true, "the end is reached");
}

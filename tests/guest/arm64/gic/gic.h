/* SPDX-License-Identifier: MIT */
/* What the parts of the interrupt controller's test share. All run with PSTATE.I set and poll,
 * unless they say else. */
#ifndef GIC_TEST_H
#define GIC_TEST_H

#include "guest.h"

#define INTID(iar) ((iar) & 0x3ff)

#define GICD_CTLR       0x000
#define GICD_TYPER      0x004
#define GICD_IIDR       0x008
#define GICD_IGROUPR    0x080
#define GICD_ISENABLER  0x100
#define GICD_ICENABLER  0x180
#define GICD_ISPENDR    0x200
#define GICD_ICPENDR    0x280
#define GICD_ISACTIVER  0x300
#define GICD_ICACTIVER  0x380
#define GICD_IPRIORITYR 0x400
#define GICD_ITARGETSR  0x800
#define GICD_ICFGR      0xc00
#define GICD_SGIR       0xf00
#define GICD_CPENDSGIR  0xf10
#define GICD_SPENDSGIR  0xf20
#define GICD_IROUTER    0x6000
#define GICR_CTLR       0x0000
#define GICR_TYPER      0x0008
#define GICR_WAKER      0x0014
#define GICR_STRIDE     0x20000
#define PIDR2_V2        0x0fe8
#define PIDR2_V3        0xffe8

/* 32 SPIs that nothing drives, ending the last whole word that the distributor has. */
extern unsigned int spi_first;
#define SPIS 32u

/* Priorities that differ to the controller, most urgent first: level(0) .. level(levels - 1). */
extern unsigned int levels;
uint8_t level(unsigned int n);

void fresh(const char *what); /* resets the controller's state and says what comes */
void expect_taken(unsigned int intid, const char *name); /* acknowledged next, and ended */
void expect_none(const char *name);                      /* nothing to acknowledge */
void enable_spi(unsigned int intid, uint8_t priority, bool edge);

void register_tests(void);
void access_tests(void);
void flow_tests(void);
void many_tests(void);
void irq_tests(void);
void cpu_tests(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Registers of the GIC: offsets and fields, of the machine's and of the guests' (Arm IHI 0048B:
 * GICv2, IHI 0069H: GICv3). Offsets of GICD_* hold for both versions but where it says v2 or v3.
 */
#ifndef ASM_GIC_REGS_H
#define ASM_GIC_REGS_H

#include <lib/bits.h>

/* Interrupt numbers */
#define GIC_NR_SGIS       16u
#define GIC_FIRST_SPI     32u
#define GIC_FIRST_SPECIAL 1020u /* 1020 to 1023 are no interrupts */
#define GIC_INTID         0x3ffu

/* Distributor */
#define GICD_CTLR  0x0000u
#define GICD_TYPER 0x0004u
#define GICD_IIDR  0x0008u
#define GICD_IGROUPR                                                             \
    0x0080u /* from here to ICACTIVER: 0x80 bytes each, a bit for each interrupt \
             */
#define GICD_ISENABLER  0x0100u
#define GICD_ICENABLER  0x0180u
#define GICD_ISPENDR    0x0200u
#define GICD_ICPENDR    0x0280u
#define GICD_ISACTIVER  0x0300u
#define GICD_ICACTIVER  0x0380u
#define GICD_IPRIORITYR 0x0400u /* a byte for each */
#define GICD_ITARGETSR  0x0800u /* a byte for each */
#define GICD_ICFGR      0x0c00u /* two bits for each, the upper one counts */
#define GICD_IGRPMODR   0x0d00u /* v3 */
#define GICD_SGIR       0x0f00u /* v2 */
#define GICD_CPENDSGIR  0x0f10u /* v2 */
#define GICD_SPENDSGIR  0x0f20u /* v2 */
#define GICD_IROUTER    0x6000u /* v3: eight bytes for each */
#define GICD_V2_ID      0x0fd0u /* peripheral ID registers begin */
#define GICD_V3_ID      0xffd0u
#define GICD_V3_PIDR2   0xffe8u

#define GICD_CTLR_GRP0 BIT(0)
#define GICD_CTLR_GRP1 BIT(1)
#define GICD_CTLR_ARE  BIT(4) /* v3, as seen from one security state */
#define GICD_CTLR_DS   BIT(6)
#define GICD_CTLR_RWP  BIT(31)

#define GICD_TYPER_LINES  MASK(4, 0) /* 32 * (n + 1) interrupts */
#define GICD_TYPER_CPUS   MASK(7, 5)
#define GICD_TYPER_IDBITS MASK(23, 19)
#define GICD_TYPER_NO1N   BIT(25)

#define GICD_IROUTER_AFF3 MASK(39, 32)
#define GICD_IROUTER_IRM  BIT(31)
#define GICD_IROUTER_AFF  MASK(23, 0)

#define GICD_SGIR_FILTER  MASK(25, 24) /* 0: the list, 1: all others, 2: the sender */
#define GICD_SGIR_TARGETS MASK(23, 16)
#define GICD_SGIR_INTID   MASK(3, 0)

#define GIC_PIDR2_ARCH MASK(7, 4)

/* Redistributor (v3): two frames of 64 KiB, or four with GICv4 */
#define GICR_FRAME 0x10000u
#define GICR_CTLR  0x0000u
#define GICR_IIDR  0x0004u
#define GICR_TYPER 0x0008u
#define GICR_WAKER 0x0014u
#define GICR_ID    0xffd0u
#define GICR_SGI(offset) \
    (GICR_FRAME + (offset)) /* the second frame, laid out like GICD's first words */

#define GICR_CTLR_RWP     BIT(3)
#define GICR_TYPER_VLPIS  BIT(1)
#define GICR_TYPER_LAST   BIT(4)
#define GICR_TYPER_NUMBER MASK(23, 8)
#define GICR_TYPER_AFF    MASK(63, 32)
#define GICR_WAKER_SLEEP  BIT(1) /* ProcessorSleep */
#define GICR_WAKER_ASLEEP BIT(2) /* ChildrenAsleep */

/* CPU interface (v2), also a guest's */
#define GICC_CTLR 0x0000u
#define GICC_PMR  0x0004u
#define GICC_BPR  0x0008u
#define GICC_IAR  0x000cu
#define GICC_EOIR 0x0010u
#define GICC_IIDR 0x00fcu
#define GICC_DIR  0x1000u
/* Where every page's first alias ends so that the second page follows: 64 KiB-spaced GIC-400s */
#define GICC_ALIAS_BYTES  0x20000u
#define GICC_ALIAS_OFFSET 0xf000u

#define GICC_CTLR_ENABLE  BIT(0)
#define GICC_CTLR_EOIMODE BIT(9)
#define GICC_IAR_SOURCE   MASK(12, 10) /* of an SGI */

/* Virtual interface control (v2); names and fields shared by ICH_*_EL2 (v3) where no other is given
 */
#define GICH_HCR   0x0000u
#define GICH_VTR   0x0004u
#define GICH_VMCR  0x0008u
#define GICH_ELRSR 0x0030u
#define GICH_APR   0x00f0u
#define GICH_LR    0x0100u

#define GICH_HCR_EN       BIT(0)
#define GICH_HCR_UIE      BIT(1)
#define GICH_HCR_LRENPIE  BIT(2)
#define GICH_HCR_NPIE     BIT(3)
#define GICH_HCR_GRP0EIE  BIT(4)
#define GICH_HCR_GRP0DIE  BIT(5)
#define GICH_HCR_GRP1EIE  BIT(6)
#define GICH_HCR_GRP1DIE  BIT(7)
#define GICH_HCR_EOICOUNT MASK(31, 27)
#define ICH_HCR_TDIR      BIT(14) /* v3 */

#define GICH_VTR_LISTREGS MASK(4, 0) /* number - 1 */
#define ICH_VTR_TDS       BIT(19)
#define ICH_VTR_PREBITS   MASK(28, 26)

#define VMCR_ENG0 BIT(0)
#define VMCR_ENG1 BIT(1)
#define VMCR_EOIM BIT(9)
#define VMCR_PMR  MASK(31, 24) /* v2: its upper five bits */

#define GICH_LR_VINTID   MASK(9, 0)
#define GICH_LR_PINTID   MASK(19, 10) /* with HW; else bits 12-10 an SGI's sender, bit 19 EOI */
#define GICH_LR_SOURCE   MASK(12, 10)
#define GICH_LR_EOI      BIT(19)
#define GICH_LR_PRIORITY MASK(27, 23)
#define GICH_LR_PENDING  BIT(28)
#define GICH_LR_ACTIVE   BIT(29)
#define GICH_LR_GROUP1   BIT(30)
#define GICH_LR_HW       BIT(31)

/* ICC_*: CPU interface (v3) */
#define ICC_CTLR_EOIMODE BIT(1)
#define ICC_SRE_SRE      BIT(0)
#define ICC_SRE_DFB      BIT(1)
#define ICC_SRE_DIB      BIT(2)
#define ICC_SRE_ENABLE   BIT(3)

/* ICC_SGI1R_EL1 and its like */
#define ICC_SGIR_TARGETS MASK(15, 0)
#define ICC_SGIR_AFF1    MASK(23, 16)
#define ICC_SGIR_INTID   MASK(27, 24)
#define ICC_SGIR_AFF2    MASK(39, 32)
#define ICC_SGIR_IRM     BIT(40) /* all but the sender */
#define ICC_SGIR_RS      MASK(47, 44)
#define ICC_SGIR_AFF3    MASK(55, 48)

#endif

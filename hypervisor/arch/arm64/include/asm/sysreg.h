/* SPDX-License-Identifier: MIT */
/*
 * System registers (Arm ARM DDI 0487, chapter D): access, and the fields that we use, under the
 * manual's names.
 *
 * read_sysreg(NAME) and write_sysreg(value, NAME) take a name the assembler knows, or S3_... for
 * one that it may not. Fields are masks for field_get() and field_prep().
 */
#ifndef ASM_SYSREG_H
#define ASM_SYSREG_H

#define SYSREG_STR_(x) #x
#define SYSREG_STR(x)  SYSREG_STR_(x)

#ifndef __ASSEMBLER__
#include <lib/bits.h>
#include <stdint.h>

#define read_sysreg(reg)                                                     \
    ({                                                                       \
        uint64_t read_sysreg_v_;                                             \
        __asm__ volatile("mrs %0, " SYSREG_STR(reg) : "=r"(read_sysreg_v_)); \
        read_sysreg_v_;                                                      \
    })
#define write_sysreg(value, reg) \
    __asm__ volatile("msr " SYSREG_STR(reg) ", %x0" : : "rZ"((uint64_t)(value)) : "memory")

#define isb()     __asm__ volatile("isb" ::: "memory")
#define dsb(what) __asm__ volatile("dsb " #what ::: "memory")
/* Error synchronization barrier, FEAT_RAS: a hint, which other CPUs ignore. */
#define esb() __asm__ volatile("hint #16" ::: "memory")
#endif

/* Names that binutils and LLVM know only with an extension enabled. */
#define ICC_AP0R0_EL1     S3_0_C12_C8_4
#define ICC_AP1R0_EL1     S3_0_C12_C9_0
#define ICC_BPR1_EL1      S3_0_C12_C12_3
#define ICC_CTLR_EL1      S3_0_C12_C12_4
#define ICC_DIR_EL1       S3_0_C12_C11_1
#define ICC_EOIR1_EL1     S3_0_C12_C12_1
#define ICC_IAR1_EL1      S3_0_C12_C12_0
#define ICC_IGRPEN1_EL1   S3_0_C12_C12_7
#define ICC_PMR_EL1       S3_0_C4_C6_0
#define ICC_SGI1R_EL1     S3_0_C12_C11_5
#define ICC_SRE_EL1       S3_0_C12_C12_5
#define ICC_SRE_EL2       S3_4_C12_C9_5
#define ICH_AP0R0_EL2     S3_4_C12_C8_0
#define ICH_AP0R1_EL2     S3_4_C12_C8_1
#define ICH_AP0R2_EL2     S3_4_C12_C8_2
#define ICH_AP0R3_EL2     S3_4_C12_C8_3
#define ICH_AP1R0_EL2     S3_4_C12_C9_0
#define ICH_AP1R1_EL2     S3_4_C12_C9_1
#define ICH_AP1R2_EL2     S3_4_C12_C9_2
#define ICH_AP1R3_EL2     S3_4_C12_C9_3
#define ICH_HCR_EL2       S3_4_C12_C11_0
#define ICH_VTR_EL2       S3_4_C12_C11_1
#define ICH_MISR_EL2      S3_4_C12_C11_2
#define ICH_EISR_EL2      S3_4_C12_C11_3
#define ICH_ELRSR_EL2     S3_4_C12_C11_5
#define ICH_VMCR_EL2      S3_4_C12_C11_7
#define ICH_LR0_EL2       S3_4_C12_C12_0
#define ICH_LR1_EL2       S3_4_C12_C12_1
#define ICH_LR2_EL2       S3_4_C12_C12_2
#define ICH_LR3_EL2       S3_4_C12_C12_3
#define ICH_LR4_EL2       S3_4_C12_C12_4
#define ICH_LR5_EL2       S3_4_C12_C12_5
#define ICH_LR6_EL2       S3_4_C12_C12_6
#define ICH_LR7_EL2       S3_4_C12_C12_7
#define ICH_LR8_EL2       S3_4_C12_C13_0
#define ICH_LR9_EL2       S3_4_C12_C13_1
#define ICH_LR10_EL2      S3_4_C12_C13_2
#define ICH_LR11_EL2      S3_4_C12_C13_3
#define ICH_LR12_EL2      S3_4_C12_C13_4
#define ICH_LR13_EL2      S3_4_C12_C13_5
#define ICH_LR14_EL2      S3_4_C12_C13_6
#define ICH_LR15_EL2      S3_4_C12_C13_7
#define APIAKEYLO_EL1     S3_0_C2_C1_0
#define APIAKEYHI_EL1     S3_0_C2_C1_1
#define APIBKEYLO_EL1     S3_0_C2_C1_2
#define APIBKEYHI_EL1     S3_0_C2_C1_3
#define APDAKEYLO_EL1     S3_0_C2_C2_0
#define APDAKEYHI_EL1     S3_0_C2_C2_1
#define APDBKEYLO_EL1     S3_0_C2_C2_2
#define APDBKEYHI_EL1     S3_0_C2_C2_3
#define APGAKEYLO_EL1     S3_0_C2_C3_0
#define APGAKEYHI_EL1     S3_0_C2_C3_1
#define DISR_EL1          S3_0_C12_C1_1
#define ID_AA64MMFR2_EL1_ S3_0_C0_C7_2
#define ID_AA64ISAR2_EL1_ S3_0_C0_C6_2
#define ID_AA64ZFR0_EL1_  S3_0_C0_C4_4
#define ID_AA64SMFR0_EL1_ S3_0_C0_C4_5

/* HCR_EL2 */
#define HCR_VM        (1ull << 0)
#define HCR_SWIO      (1ull << 1)
#define HCR_FMO       (1ull << 3)
#define HCR_IMO       (1ull << 4)
#define HCR_AMO       (1ull << 5)
#define HCR_VF        (1ull << 6)
#define HCR_VI        (1ull << 7)
#define HCR_VSE       (1ull << 8)
#define HCR_BSU_INNER (1ull << 10)
#define HCR_FB        (1ull << 9)
#define HCR_TWI       (1ull << 13)
#define HCR_TWE       (1ull << 14)
#define HCR_TID1      (1ull << 16)
#define HCR_TID2      (1ull << 17)
#define HCR_TID3      (1ull << 18)
#define HCR_TSC       (1ull << 19)
#define HCR_TIDCP     (1ull << 20)
#define HCR_TACR      (1ull << 21)
#define HCR_TSW       (1ull << 22)
#define HCR_TVM       (1ull << 26)
#define HCR_RW        (1ull << 31)
#define HCR_TLOR      (1ull << 35)
#define HCR_TERR      (1ull << 36)
#define HCR_TEA       (1ull << 37)
#define HCR_APK       (1ull << 40)
#define HCR_API       (1ull << 41)

/* SCTLR_EL1 */
#define SCTLR_EL1_M   (1ull << 0)
#define SCTLR_EL1_C   (1ull << 2)
#define SCTLR_EL1_E0E (1ull << 24)
#define SCTLR_EL1_EE  (1ull << 25)

/* SCTLR_EL2 */
#define SCTLR_EL2_M    (1ull << 0)
#define SCTLR_EL2_A    (1ull << 1)
#define SCTLR_EL2_C    (1ull << 2)
#define SCTLR_EL2_SA   (1ull << 3)
#define SCTLR_EL2_I    (1ull << 12)
#define SCTLR_EL2_WXN  (1ull << 19)
#define SCTLR_EL2_RES1 0x30c50830ull

/* CPTR_EL2 (HCR_EL2.E2H = 0) */
#define CPTR_EL2_RES1 0x33ffull
#define CPTR_EL2_TZ   (1ull << 8)
#define CPTR_EL2_TFP  (1ull << 10)
#define CPTR_EL2_TSM  (1ull << 12)
#define CPTR_EL2_TTA  (1ull << 20)
#define CPTR_EL2_TAM  (1ull << 30)

/* MDCR_EL2 */
#define MDCR_EL2_HPMN  0x1full
#define MDCR_EL2_TPMCR (1ull << 5)
#define MDCR_EL2_TPM   (1ull << 6)
#define MDCR_EL2_TDE   (1ull << 8)
#define MDCR_EL2_TDA   (1ull << 9)
#define MDCR_EL2_TDOSA (1ull << 10)
#define MDCR_EL2_TDRA  (1ull << 11)
#define MDCR_EL2_TPMS  (1ull << 14)
#define MDCR_EL2_TTRF  (1ull << 19)

/* ESR_EL2 */
#define ESR_EC      0xfc000000ull
#define ESR_IL      (1ull << 25)
#define ESR_ISS     0x01ffffffull
#define EC_UNKNOWN  0x00u
#define EC_WFX      0x01u
#define EC_CP15_32  0x03u
#define EC_CP15_64  0x04u
#define EC_CP14_32  0x05u
#define EC_CP14_LS  0x06u
#define EC_FP       0x07u
#define EC_CP10_ID  0x08u
#define EC_PAUTH    0x09u
#define EC_CP14_64  0x0cu
#define EC_ILLEGAL  0x0eu
#define EC_SVC32    0x11u
#define EC_HVC32    0x12u
#define EC_SMC32    0x13u
#define EC_SVC64    0x15u
#define EC_HVC64    0x16u
#define EC_SMC64    0x17u
#define EC_SYSREG   0x18u
#define EC_SVE      0x19u
#define EC_ERET     0x1au
#define EC_SME      0x1du
#define EC_IABT_LOW 0x20u
#define EC_IABT_CUR 0x21u
#define EC_PC_ALIGN 0x22u
#define EC_DABT_LOW 0x24u
#define EC_DABT_CUR 0x25u
#define EC_SP_ALIGN 0x26u
#define EC_SERROR   0x2fu
#define EC_BRK64    0x3cu

/* ISS of a data abort */
#define ISS_DABT_ISV    (1u << 24)
#define ISS_DABT_SAS    0x00c00000u
#define ISS_DABT_SSE    (1u << 21)
#define ISS_DABT_SRT    0x001f0000u
#define ISS_DABT_SF     (1u << 15)
#define ISS_DABT_FNV    (1u << 10)
#define ISS_DABT_CM     (1u << 8)
#define ISS_DABT_S1PTW  (1u << 7)
#define ISS_DABT_WNR    (1u << 6)
#define ISS_ABT_FSC     0x3fu
#define FSC_TYPE        0x3cu
#define FSC_TRANSLATION 0x04u
#define FSC_ACCESS      0x08u
#define FSC_PERMISSION  0x0cu
#define FSC_EXTERNAL    0x10u

/* ISS of a trapped MSR, MRS or system instruction */
#define ISS_SYSREG_READ 1u
#define ISS_SYSREG_RT   0x3e0u
#define ISS_SYSREG_MASK 0x3ffc1eu /* Op0 Op2 Op1 CRn CRm */
#define ISS_SYSREG(op0, op1, crn, crm, op2) \
    ((op0) << 20 | (op2) << 17 | (op1) << 14 | (crn) << 10 | (crm) << 1)

/* PSTATE, as in SPSR_EL2 */
#define PSTATE_EL1H  0x5ull
#define PSTATE_EL2H  0x9ull
#define PSTATE_MODE  0x1full
#define PSTATE_F     (1ull << 6)
#define PSTATE_I     (1ull << 7)
#define PSTATE_A     (1ull << 8)
#define PSTATE_E_A32 (1ull << 9) /* of an AArch32 process: big-endian */
#define PSTATE_D     (1ull << 9)
#define PSTATE_IL    (1ull << 20)
#define PSTATE_SS    (1ull << 21)
#define PSTATE_PAN   (1ull << 22)
#define PSTATE_NRW   (1ull << 4)

/* ISR_EL1, DISR_EL1, ID_AA64PFR0_EL1 */
#define ISR_A    (1ull << 8)
#define DISR_A   (1ull << 31)
#define PFR0_RAS (15ull << 28)

/* MPIDR_EL1 */
#define MPIDR_AFFINITY 0xff00ffffffull

/* VTCR_EL2 */
#define VTCR_RES1     (1ull << 31)
#define VTCR_T0SZ     0x3full
#define VTCR_SL0      0xc0ull
#define VTCR_IRGN0_WB (1ull << 8)
#define VTCR_ORGN0_WB (1ull << 10)
#define VTCR_SH0_IS   (3ull << 12)
#define VTCR_PS       0x70000ull
#define VTCR_VS16     (1ull << 19)

/* TCR_EL2 (HCR_EL2.E2H = 0) */
#define TCR_EL2_RES1 (1ull << 31 | 1ull << 23)
#define TCR_T0SZ     0x3full
#define TCR_IRGN0_WB (1ull << 8)
#define TCR_ORGN0_WB (1ull << 10)
#define TCR_SH0_IS   (3ull << 12)
#define TCR_EL2_PS   0x70000ull

/* MAIR_EL2: index 0 normal write-back, 1 device-nGnRE, 2 normal uncached */
#define MAIR_VALUE  0x4404ffull
#define MAIR_NORMAL 0u
#define MAIR_DEVICE 1u

/* CNTHCTL_EL2 (HCR_EL2.E2H = 0) */
#define CNTHCTL_EL1PCTEN (1ull << 0)
#define CNTHCTL_EL1PCEN  (1ull << 1)

/* PAR_EL1 */
#define PAR_F  1ull
#define PAR_PA 0x0000fffffffff000ull

#endif

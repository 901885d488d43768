/* SPDX-License-Identifier: MIT */
/*
 * The handlers of hypercalls that are small enough to have no header of their own, and what they
 * ask of the architecture. doc/hypercalls.md says what each answers.
 */
#ifndef HOSPES_ABI_H
#define HOSPES_ABI_H

#include <hospes/hypercall.h>

/* The releases of Xen whose interfaces these are: options.xen_minor says which one is told. */
#define ABI_MAJOR        4u
#define ABI_MINOR        20u
#define ABI_MINOR_OLDEST 17u
#define ABI_EXTRAVERSION ".0-hospes"

hypercall_fn xen_version_op;
hypercall_fn vcpu_op;
hypercall_fn hvm_op;
hypercall_fn vm_assist_op;
hypercall_fn multicall_op;
hypercall_fn platform_op;
hypercall_fn console_io_op;
hypercall_fn sched_op;

/* --- contract of each architecture ----------------------------------------------------------- */

/* Kinds of guests that can run: XENVER_capabilities. */
extern const char arch_abi_capabilities[];

/* XENFEAT_* bits of this architecture for `d`, besides those that are the same everywhere. */
uint32_t arch_abi_features(const struct domain *d);

/* What the linker wrote into the image to tell it from others; its length, 0: nothing. */
uint32_t arch_build_id(const void **id);

/* Calls about the machine that only some architectures have: 0 with the results in *op, what
 * <xen/platform.h> says, -ENOSYS. */
struct xen_platform_op;
int64_t arch_platform_op(struct vcpu *v, struct xen_platform_op *op);

/* True for VCPUOP_* that the architecture has. */
bool arch_vcpu_op_exists(uint32_t cmd);
/* Those that core does not serve: by the vCPU that runs here, about `target`. 0 or -errno. */
int64_t arch_vcpu_op(struct vcpu *v, struct vcpu *target, uint32_t cmd, uint64_t at);

/* Who may use HVM_PARAM_* number `index`, any number; each has the rights of those before it. */
enum hvm_param_right {
    HVM_PARAM_NOBODY,
    HVM_PARAM_TOOLSTACK, /* reads and sets it */
    HVM_PARAM_GUEST_READS,
    HVM_PARAM_GUEST_SETS,
};
enum hvm_param_right arch_hvm_param_right(uint32_t index);

/* Sets one that there is. 0, or -errno for a value that asks for what there is not. */
int arch_hvm_param_set(struct domain *d, uint32_t index, uint64_t value);

/* What else of hvm_op the architecture has: HVMOP_* and the address of its argument. -ENOSYS. */
int64_t arch_hvm_op(struct vcpu *v, uint64_t op, uint64_t at);

/* physdev_op. */
hypercall_fn arch_physdev_op;

#endif

/* SPDX-License-Identifier: MIT */
/*
 * xen_version: what the hypervisor is and can do. <xen/version.h>. What is the administrator's (the
 * command line, the build) only a control domain is told.
 */
#include <hospes/abi.h>
#include <hospes/cmdline.h>
#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/guest_access.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>
#include <string.h>
#include <xen/version.h>

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

/* Nothing of when and where: the same sources make the same image. */
static const struct xen_compile_info compile_info = { .compiler = COMPILER };

static const char extraversion[] = ABI_EXTRAVERSION;
static const char changeset[] = "Hospes";
static const char denied[] = "<denied>";

/* `text` into an array of `bytes`, zeroes behind it; what does not fit is cut off. */
static int64_t write_array(struct vcpu *v, uint64_t to, const char *text, uint64_t bytes)
{
    static const char zeroes[64];
    uint64_t done = min((uint64_t)strlen(text), bytes - 1);
    int err = guest_write(v, to, text, done);

    while (!err && done < bytes) {
        uint64_t n = min(bytes - done, (uint64_t)sizeof(zeroes));

        err = guest_write(v, to + done, zeroes, n);
        done += n;
    }
    return err;
}

static int64_t get_features(struct vcpu *v, uint64_t at)
{
    const struct domain *d = v->domain;
    struct xen_feature_info info;
    int err = guest_read(v, &info, at, sizeof(info));

    if (err)
        return err;
    if (info.submap_idx >= XENFEAT_NR_SUBMAPS)
        return -EINVAL;
    info.submap = (uint32_t)BIT(XENFEAT_memory_op_vnode_supported) |
                  (uint32_t)BIT(XENFEAT_writable_page_tables) |
                  (uint32_t)BIT(XENFEAT_auto_translated_physmap) |
                  (uint32_t)BIT(XENFEAT_runstate_phys_area) | arch_abi_features(d);
    info.submap |= (uint32_t)BIT(d->direct_map ? XENFEAT_direct_mapped : XENFEAT_not_direct_mapped);
    if (d->hardware)
        info.submap |= (uint32_t)BIT(XENFEAT_dom0);
    return guest_write(v, at, &info, sizeof(info));
}

static int64_t get_handle(struct vcpu *v, uint64_t at)
{
    uint8_t handle[sizeof(v->domain->handle)];

    spin_lock(&v->domain->lock);
    memcpy(handle, v->domain->handle, sizeof(handle));
    spin_unlock(&v->domain->lock);
    return guest_write(v, at, handle, sizeof(handle));
}

/* Strings of any length: the buffer says how long it is, the result how much was written; without a
 * buffer, how long it has to be. */
static int64_t write_varbuf(struct vcpu *v, uint64_t at, const void *text, uint32_t bytes)
{
    struct xen_varbuf head;

    if (!at)
        return bytes;
    if (guest_read(v, &head, at, sizeof(head)))
        return -EFAULT;
    if (bytes > head.len)
        return -ENOBUFS;
    if (guest_write(v, at + offsetof(struct xen_varbuf, buf), text, bytes))
        return -EFAULT;
    return bytes;
}

static int64_t write_text(struct vcpu *v, uint64_t at, const char *text)
{
    return write_varbuf(v, at, text, (uint32_t)strlen(text));
}

static int64_t write_build_id(struct vcpu *v, uint64_t at)
{
    const void *id;
    uint32_t bytes = arch_build_id(&id);

    return bytes ? write_varbuf(v, at, id, bytes) : -ENODATA;
}

/* What was asked for since Xen 4.18, without limits of length. */
static int64_t new_version(struct vcpu *v, uint32_t cmd, uint64_t at)
{
    bool may = v->domain->control;

    switch (cmd) {
    case XENVER_build_id:
        return may ? write_build_id(v, at) : -EPERM;
    case XENVER_extraversion2:
        return write_text(v, at, extraversion);
    case XENVER_capabilities2:
        return write_text(v, at, arch_abi_capabilities);
    case XENVER_changeset2:
        return write_text(v, at, changeset);
    case XENVER_commandline2:
        return may ? write_text(v, at, cmdline_text()) : -EPERM;
    default:
        return -ENOSYS;
    }
}

static int64_t __noinline other_version(struct vcpu *v, uint32_t cmd, uint64_t at)
{
    static const struct xen_platform_parameters none; /* a guest's addresses are all its own */

    switch (cmd) {
    case XENVER_extraversion:
        return write_array(v, at, extraversion, sizeof(xen_extraversion_t));
    case XENVER_compile_info:
        return guest_write(v, at, &compile_info, sizeof(compile_info));
    case XENVER_capabilities:
        return write_array(v, at, arch_abi_capabilities, sizeof(xen_capabilities_info_t));
    case XENVER_changeset:
        return write_array(v, at, changeset, sizeof(xen_changeset_info_t));
    case XENVER_platform_parameters:
        return guest_write(v, at, &none, sizeof(none));
    case XENVER_get_features:
        return get_features(v, at);
    case XENVER_pagesize:
        return at ? -EINVAL : (int64_t)FRAME_SIZE;
    case XENVER_guest_handle:
        return get_handle(v, at);
    case XENVER_commandline:
        if (!v->domain->control)
            return guest_write(v, at, denied, sizeof(denied));
        return write_array(v, at, cmdline_text(), sizeof(xen_commandline_t));
    default:
        return new_version(v, cmd, at);
    }
}

int64_t xen_version_op(struct vcpu *v, uint64_t *arg)
{
    uint32_t cmd = (uint32_t)arg[0];

    if (likely(cmd == XENVER_version))
        return ABI_MAJOR << 16 | options.xen_minor;
    return other_version(v, cmd, arg[1]);
}

/* SPDX-License-Identifier: MIT */
/*
 * Microcode: where it is, and who loads it. Linux puts its file at the head of a ramdisk, in an
 * archive that is not packed (Documentation/arch/x86/microcode). AMD's way only: Intel's comes with
 * Intel's virtualization. AMD APM volume 2, appendix A (PATCH_LEVEL, PATCH_LOADER).
 *
 * The processor checks a patch's signature itself.
 */
#include <asm/boot_info.h>
#include <asm/cpu.h>
#include <asm/microcode.h>
#include <asm/msr.h>
#include <asm/options.h>
#include <hospes/domain_config.h>
#include <hospes/dt.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/log.h>
#include <hospes/map.h>
#include <hospes/pcpu.h>
#include <lib/bits.h>
#include <lib/cpio.h>

#include <string.h>

#define FILE_NAME  "kernel/x86/microcode/AuthenticAMD.bin"
#define HEAD_BYTES MIB(16) /* of a module that are looked at */

/* What each CPU is given: in the heap, since modules are given back. NULL: nothing. */
static void *patch;
static uint32_t patch_revision;

static uint32_t revisions[MAX_PCPUS]; /* what each has now */

/* --- loading --------------------------------------------------------------------------------- */

static uint32_t revision(void)
{
    uint64_t value = 0;

    (void)rdmsr_safe(MSR_UCODE_REV, &value);
    return (uint32_t)value;
}

/* True if this CPU's revision is that of the patch now. */
static bool load(void)
{
    (void)wrmsr_safe(MSR_UCODE_PATCH, (uint64_t)(uintptr_t)patch);
    return revision() == patch_revision;
}

/* The first CPU: a patch that it does not take is not offered to the others. */
static void load_first(const struct microcode *m)
{
    uint32_t before = revision(), order = 0;

    if (m->revision <= before) {
        log_info("microcode: revision %#x is not older than the file's %#x", before, m->revision);
        return;
    }
    while (FRAME_SIZE << order < m->bytes)
        order++;
    patch = heap_alloc_pages(order);
    if (!patch) {
        log_err("microcode: no memory for %u bytes", m->bytes);
        return;
    }
    memcpy(patch, m->patch, m->bytes);
    patch_revision = m->revision;
    if (load()) {
        log_info("microcode: revision %#x, was %#x", patch_revision, before);
        cpu_reread_features();
        return;
    }
    log_warn("microcode: the CPU does not take revision %#x, and stays at %#x", patch_revision,
             revision());
    heap_free_pages(patch, order);
    patch = NULL;
}

void microcode_pcpu_load(void)
{
    uint32_t before = revision();

    /* It may have it already, since its sibling has taken it. */
    if (patch && before < patch_revision && !load())
        log_warn("microcode: CPU %u does not take revision %#x, and stays at %#x", this_pcpu()->id,
                 patch_revision, revision());
    revisions[this_pcpu()->id] = revision();
}

/* --- finding --------------------------------------------------------------------------------- */

static void use_file(const void *file, uint64_t bytes)
{
    uint32_t signature = cpuid(1, 0).a;
    struct microcode m;
    int err = microcode_amd_find(file, bytes, signature, &m);

    if (!err)
        load_first(&m);
    else if (err == -ENOENT)
        log_info("microcode: the file has none for this CPU (signature %#x), which stays at "
                 "revision %#x",
                 signature, revision());
    else
        log_warn("microcode: the file is not one of AMD's, or is damaged: not used");
}

/* True if there was a file at the head of [start, start + bytes). */
static bool scan_module(maddr_t start, uint64_t bytes)
{
    uint64_t head = min(bytes, HEAD_BYTES), size;
    const void *p = ram_map_readonly(start, head), *file;

    if (!p)
        return false;
    file = cpio_find(p, head, FILE_NAME, &size);
    if (file)
        use_file(file, size);
    ram_unmap(p, head);
    return file != NULL;
}

static void scan_one(const struct boot_module *m, void *arg)
{
    bool *found = arg;

    if (!*found)
        *found = scan_module(m->start, m->bytes);
}

static void use_number(int32_t number)
{
    int64_t i = number < 0 ? (int64_t)boot_info.nr_files + number : number;
    const struct boot_file *f = &boot_info.files[i < 0 ? 0 : i];
    const void *p;

    if (i < 0 || i >= boot_info.nr_files) {
        log_warn("microcode: there is no module %d", number);
        return;
    }
    p = ram_map_readonly(MADDR(f->start), min(f->bytes, HEAD_BYTES));
    if (!p)
        return;
    use_file(p, min(f->bytes, HEAD_BYTES));
    ram_unmap(p, min(f->bytes, HEAD_BYTES));
}

static void load_what_was_given(void)
{
    const struct ucode_options *o = &x86_options.ucode;
    bool found = false;

    if (o->ignored)
        log_warn("ucode: nmi and digest-check mean nothing here");
    if (!o->scan && !o->by_number)
        return;
    if (cpu_info.vendor != VENDOR_AMD) {
        log_warn("microcode: only AMD's can be loaded");
        return;
    }
    if (o->by_number) {
        use_number(o->number);
        return;
    }
    domain_config_modules(host_fdt, scan_one, &found);
    if (!found)
        log_warn("microcode: there is no " FILE_NAME " at the head of any module");
}

void microcode_init(void)
{
    load_what_was_given();
    revisions[this_pcpu()->id] = revision();
}

uint32_t microcode_revision(uint32_t pcpu)
{
    return revisions[pcpu];
}

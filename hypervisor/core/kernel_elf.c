/* SPDX-License-Identifier: MIT */
/*
 * ELF files: System V gABI, chapters 4 and 5. They are entered at e_entry (arm64), or where the Xen
 * note PHYS32_ENTRY says (x86, PVH: <xen/elfnote.h>), with the limits of PHYS32_RELOC if they can
 * be moved.
 */
#include "kernel_internal.h"

#include <hospes/errno.h>
#include <lib/bits.h>
#include <xen/elfnote.h>

#define ELF32_BYTES 52u
#define ELF64_BYTES 64u
#define PHDR32      32u
#define PHDR64      56u
#define PHDRS_MAX   64u

#define ET_DYN  3
#define PT_LOAD 1u
#define PT_NOTE 4u

#define NOTE_BYTES KIB(64) /* of a segment with notes that is looked at */
#define NOTE_HEAD  12u
#define XEN_NAME   "Xen"

#define ALIGN_DEFAULT MIB(2)
#define END_OF_32_BIT 0xffffffffu

/* A program header of either class. */
struct phdr {
    uint32_t type;
    uint64_t offset, vaddr, paddr, file_bytes, bytes, align;
};

/* Where they stand. */
struct phdrs {
    bool wide; /* ELF64 */
    uint64_t at;
    uint32_t stride, nr;
};

static void read_phdr(const struct kernel_image *k, const struct phdrs *t, uint32_t i,
                      struct phdr *p)
{
    uint8_t b[PHDR64];

    kernel_read(k, b, t->at + (uint64_t)t->stride * i, t->wide ? PHDR64 : PHDR32);
    if (t->wide)
        *p = (struct phdr){ le32(b),      le64(b + 8),  le64(b + 16), le64(b + 24),
                            le64(b + 32), le64(b + 40), le64(b + 48) };
    else
        *p = (struct phdr){ le32(b),      le32(b + 4),  le32(b + 8), le32(b + 12),
                            le32(b + 16), le32(b + 20), le32(b + 28) };
}

/* 1: it is no ELF file. */
static int read_header(const struct kernel_head *h, struct kernel_image *k, struct phdrs *t)
{
    const uint8_t *b = h->b;

    if (!kernel_starts_with(h, 0, "\177ELF", 4))
        return 1;
    if (h->bytes < ELF64_BYTES)
        return kernel_cut_short(h->m, h->bytes, ELF64_BYTES);
    t->wide = b[4] == 2;
    uint16_t machine = t->wide ? arch_kernel.elf64_machine : arch_kernel.elf32_machine;
    if (b[4] > 2 || b[5] != 1 || !machine || le16(b + 18) != machine)
        return kernel_wrong(h->m, "is an ELF file for another machine");
    k->kind = KERNEL_ELF;
    k->relocatable = le16(b + 16) == ET_DYN;
    k->elf_entry = t->wide ? le64(b + 24) : le32(b + 24);
    t->at = t->wide ? le64(b + 32) : le32(b + 28);
    t->stride = le16(b + (t->wide ? 54 : 42));
    t->nr = le16(b + (t->wide ? 56 : 44));
    if (t->stride < (t->wide ? PHDR64 : PHDR32) || t->nr > PHDRS_MAX || t->at > KERNEL_MAX)
        return kernel_wrong(h->m, "has a damaged ELF header");
    if (t->at + (uint64_t)t->stride * t->nr > k->file_bytes)
        return kernel_cut_short(h->m, k->file_bytes, t->at + (uint64_t)t->stride * t->nr);
    return 0;
}

static int add_segment(const struct kernel_head *h, struct kernel_image *k, const struct phdr *p)
{
    if (k->nr_segments == KERNEL_SEGMENTS)
        return kernel_wrong(h->m, "has too many ELF segments: at most 8");
    k->segment[k->nr_segments++] = (struct kernel_segment){
        .offset = p->offset,
        .file_bytes = p->file_bytes,
        .bytes = p->bytes,
        .vaddr = p->vaddr,
        .place = p->paddr,
    };
    if (p->file_bytes > p->bytes || p->bytes > KERNEL_MAX || p->paddr > BIT(52) ||
        p->offset > BIT(52))
        return kernel_wrong(h->m, "has a damaged ELF program header");
    if (p->offset + p->file_bytes > k->file_bytes)
        return kernel_cut_short(h->m, k->file_bytes, p->offset + p->file_bytes);
    if (p->align >= FRAME_SIZE && p->align <= GIB(1) && !(p->align & (p->align - 1)))
        k->align = max(k->align, p->align);
    return 0;
}

static int read_segments(const struct kernel_head *h, struct kernel_image *k, struct phdrs *t)
{
    struct phdr p;
    int rc = read_header(h, k, t);

    for (uint32_t i = 0; !rc && i < t->nr; i++) {
        read_phdr(k, t, i, &p);
        if (p.type == PT_LOAD && p.bytes)
            rc = add_segment(h, k, &p);
    }
    return rc;
}

int kernel_probe_elf(const struct kernel_head *h, struct kernel_image *k)
{
    struct phdrs t = { 0 };
    int rc = read_segments(h, k, &t);

    if (rc)
        return rc;
    k->align = ALIGN_DEFAULT;
    k->highest = UINT64_MAX;
    for (uint32_t i = 0; i < k->nr_segments; i++) {
        if (k->elf_entry - k->segment[i].vaddr < k->segment[i].bytes)
            return 0;
    }
    return kernel_wrong(h->m, "is an ELF file whose entry is in none of its segments");
}

/* --- PVH ------------------------------------------------------------------------------------- */

struct notes {
    bool entry, reloc;
    uint32_t where;           /* PHYS32_ENTRY */
    uint32_t align, min, max; /* PHYS32_RELOC; 0: not given */
};

static void read_note(const struct kernel_image *k, uint32_t type, uint64_t at, uint32_t bytes,
                      struct notes *n)
{
    uint8_t b[12] = { 0 };

    kernel_read(k, b, at, min(bytes, (uint32_t)sizeof(b)));
    if (type == XEN_ELFNOTE_PHYS32_ENTRY && bytes >= 4) {
        n->entry = true;
        n->where = le32(b);
    } else if (type == XEN_ELFNOTE_PHYS32_RELOC) {
        n->reloc = true;
        n->align = le32(b);
        n->min = le32(b + 4);
        n->max = bytes >= 12 ? le32(b + 8) : END_OF_32_BIT;
    }
}

/* All notes of a segment; one that does not fit it ends them. */
static void read_notes(const struct kernel_image *k, const struct phdr *p, struct notes *n)
{
    uint64_t bytes = min(p->file_bytes, NOTE_BYTES), at = 0;

    if (p->offset > k->file_bytes || bytes > k->file_bytes - p->offset)
        return;
    while (bytes - at >= NOTE_HEAD) {
        uint8_t head[NOTE_HEAD + sizeof(XEN_NAME)] = { 0 };
        uint64_t name, desc, left;

        kernel_read(k, head, p->offset + at, min(bytes - at, sizeof(head)));
        name = align_up((uint64_t)le32(head), 4);
        desc = align_up((uint64_t)le32(head + 4), 4);
        left = bytes - at - NOTE_HEAD;
        if (name > left || le32(head + 4) > left - name)
            return;
        if (le32(head) == sizeof(XEN_NAME) &&
            le32(head + NOTE_HEAD) == le32((const uint8_t *)XEN_NAME))
            read_note(k, le32(head + 8), p->offset + at + NOTE_HEAD + name, le32(head + 4), n);
        at += NOTE_HEAD + name + min(desc, left - name);
    }
}

static bool is_in_segment(const struct kernel_image *k, uint64_t at)
{
    for (uint32_t i = 0; i < k->nr_segments; i++)
        if (at - k->segment[i].place < k->segment[i].bytes)
            return true;
    return false;
}

int kernel_probe_pvh(const struct kernel_head *h, struct kernel_image *k)
{
    struct notes n = { .entry = false };
    struct phdrs t = { 0 };
    struct phdr p;
    int rc = read_segments(h, k, &t);

    if (rc)
        return rc;
    for (uint32_t i = 0; i < t.nr; i++) {
        read_phdr(k, &t, i, &p);
        if (p.type == PT_NOTE)
            read_notes(k, &p, &n);
    }
    if (!n.entry)
        return kernel_wrong(h->m, "has no PVH entry: a Xen note PHYS32_ENTRY is missing "
                                  "(Linux: CONFIG_PVH)");
    if (!is_in_segment(k, n.where))
        return kernel_wrong(h->m, "is an ELF file whose entry is in none of its segments");
    if (n.align & (n.align - 1) || (n.align && n.align < FRAME_SIZE))
        return kernel_wrong(h->m, "has a damaged note PHYS32_RELOC");
    k->elf_entry = n.where;
    k->entry_is_physical = true;
    k->relocatable = n.reloc;
    k->align = n.align ? n.align : k->align ? k->align : ALIGN_DEFAULT;
    k->lowest = n.min;
    k->highest = n.reloc ? n.max : END_OF_32_BIT;
    return 0;
}

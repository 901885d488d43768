/* SPDX-License-Identifier: MIT */
/* Writing device trees; <hospes/dt_write.h> has the contract. */
#include <hospes/dt_write.h>
#include <hospes/errno.h>
#include <lib/bits.h>
#include <lib/format.h>
#include <libfdt.h>
#include <string.h>

#define MAX_CELLS 32

static void note(struct dt_writer *w, int rc)
{
    if (rc && !w->err)
        w->err = rc == -FDT_ERR_NOSPACE ? -ENOSPC : -EINVAL;
}

void dt_write_begin(struct dt_writer *w, void *fdt, uint32_t bytes)
{
    w->fdt = fdt;
    w->err = 0;
    /* Looking for a name among all that were used costs more than its bytes. */
    note(w, bytes > INT32_MAX
                ? -FDT_ERR_NOSPACE
                : fdt_create_with_flags(fdt, (int)bytes, FDT_CREATE_FLAG_NO_NAME_DEDUP));
    if (!w->err)
        note(w, fdt_finish_reservemap(fdt));
    dt_write_node(w, "");
}

void dt_write_node(struct dt_writer *w, const char *name)
{
    if (!w->err)
        note(w, fdt_begin_node(w->fdt, name));
}

void dt_write_node_at(struct dt_writer *w, const char *name, uint64_t address)
{
    char text[48];

    format(text, sizeof(text), "%s@%lx", name, (unsigned long)address);
    dt_write_node(w, text);
}

void dt_write_end(struct dt_writer *w)
{
    if (!w->err)
        note(w, fdt_end_node(w->fdt));
}

void dt_write_bytes(struct dt_writer *w, const char *name, const void *value, uint32_t bytes)
{
    if (!w->err)
        note(w,
             bytes > INT32_MAX ? -FDT_ERR_NOSPACE : fdt_property(w->fdt, name, value, (int)bytes));
}

void dt_write_string(struct dt_writer *w, const char *name, const char *text)
{
    dt_write_bytes(w, name, text, (uint32_t)strlen(text) + 1);
}

void dt_write_empty(struct dt_writer *w, const char *name)
{
    dt_write_bytes(w, name, "", 0);
}

uint8_t *dt_store_cells(uint8_t *p, uint64_t value, uint32_t cells)
{
    for (uint32_t shift = 32 * cells; shift > 0; p++) {
        shift -= 8;
        *p = (uint8_t)(value >> shift);
    }
    return p;
}

void dt_write_u32(struct dt_writer *w, const char *name, uint32_t value)
{
    uint8_t cell[4];

    dt_store_cells(cell, value, 1);
    dt_write_bytes(w, name, cell, sizeof(cell));
}

void dt_write_u64(struct dt_writer *w, const char *name, uint64_t value)
{
    uint8_t cells[8];

    dt_store_cells(cells, value, 2);
    dt_write_bytes(w, name, cells, sizeof(cells));
}

void dt_write_cells(struct dt_writer *w, const char *name, const uint32_t *cells, uint32_t count)
{
    uint8_t bytes[4 * MAX_CELLS], *p = bytes;

    if (count > MAX_CELLS) {
        note(w, -FDT_ERR_BADVALUE);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        p = dt_store_cells(p, cells[i], 1);
    dt_write_bytes(w, name, bytes, 4 * count);
}

int dt_write_finish(struct dt_writer *w, uint32_t *bytes)
{
    dt_write_end(w);
    if (!w->err)
        note(w, fdt_finish(w->fdt));
    *bytes = w->err ? 0 : fdt_totalsize(w->fdt);
    return w->err;
}

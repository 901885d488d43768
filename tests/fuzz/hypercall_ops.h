/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls as the fuzzer makes them: for each operation the struct that it takes, and which
 * fields of that mean what, so that most of what an input says is near to something that there is.
 */
#ifndef HYPERCALL_OPS_H
#define HYPERCALL_OPS_H

#include <stdint.h>

/* What a field means. */
enum field_kind {
    FIELD_END,
    FIELD_RAW,        /* as in the input */
    FIELD_SMALL,      /* 0 .. 11 mostly, */
    FIELD_VERY_SMALL, /* 0 .. 2 */
    FIELD_DOMID,      /* a domain that there may be, DOMID_SELF, rarely others */
    FIELD_PORT,       /* of an event channel */
    FIELD_REF,        /* a grant */
    FIELD_HANDLE,     /* of a mapped grant */
    FIELD_GFN,
    FIELD_MACHINE, /* 0, mostly */
    FIELD_ADDRESS, /* a guest's, physical */
    FIELD_PAGE,    /* such an address of a page */
    FIELD_GFNS,    /* address of a list of gfns that is put there */
    FIELD_DATA,    /* address of something in the caller's memory */
    FIELD_ORDER,   /* of a block of frames */
    FIELD_MAPPING, /* GNTMAP_* that make a mapping */
    FIELD_MAPPED,  /* address where the grant of the handle before it is mapped */
    FIELD_VCPUS,   /* as many as the domain before it has */
    FIELD_BUS,     /* machine address of a page of the caller's */
    FIELD_LENGTH,  /* up to a page, */
    FIELD_COUNT,   /* and up to some more pages than a domain has */
    FIELD_FIXED,   /* the same each time: the kind's bits from 8 on */
};

struct op_field {
    uint16_t at, bytes;
    uint32_t kind;
};

/* How the call is made. */
enum op_style {
    OP_PLAIN,  /* command, address */
    OP_ARRAY,  /* command, address, count */
    OP_VCPU,   /* command, vCPU, address */
    OP_STRUCT, /* address of a struct with the command in it */
    OP_NUMBER, /* command, number, address */
};

#define OP_FIELDS 8

struct op {
    uint8_t call; /* __HYPERVISOR_* */
    uint8_t style;
    uint16_t bytes; /* of its struct */
    uint32_t command;
    struct op_field fields[OP_FIELDS];
};

extern const struct op ops[];
extern const uint32_t nr_ops;

#endif

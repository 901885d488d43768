/* SPDX-License-Identifier: MIT */
/* What a handler of a guest's exit tells its caller to do. Only that caller acts on it. */
#ifndef HOSPES_EXIT_H
#define HOSPES_EXIT_H

enum exit_action {
    EXIT_HANDLED,  /* done, the program counter is where the guest goes on */
    EXIT_STEP,     /* x86: the instruction was carried out, and is to be stepped over */
    EXIT_RETRY,    /* execute the instruction again */
    EXIT_INJECTED, /* an exception was put into the guest, its registers are set */
    EXIT_FAULT,    /* the guest gets the architecture's fault for a bad access */
    EXIT_UNDEF,    /* the guest gets the architecture's undefined-instruction fault */
    EXIT_CRASH,    /* the domain cannot go on: crash it, tell why */
};

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Included before every source of the hypervisor: all that it declares is in the one image, so that
 * the compiler addresses it directly and not through a global offset table.
 */
#pragma GCC visibility push(hidden)

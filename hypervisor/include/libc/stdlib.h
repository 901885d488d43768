/* SPDX-License-Identifier: MIT */
/* libfdt includes C's <stdlib.h>, and uses nothing of it where it reads and writes trees. */

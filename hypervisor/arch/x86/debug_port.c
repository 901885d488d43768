/* SPDX-License-Identifier: MIT */
/* A domain's console, and port 0xe9; <asm/debug_port.h> has the contract. */
#include <asm/debug_port.h>
#include <asm/pio.h>
#include <hospes/console.h>
#include <hospes/console_io.h>
#include <hospes/domain.h>

/* Reading tells that somebody listens, as Bochs, QEMU and Xen answer. */
static enum exit_action access_port(struct vcpu *v, struct pio_access *a, void *unused)
{
    (void)unused;
    if (!a->write) {
        a->value = DEBUG_PORT;
        return EXIT_HANDLED;
    }
    return console_io_write_byte(v, (uint8_t)a->value) ? EXIT_HANDLED : EXIT_RETRY;
}

static bool receive(struct console_domain *c, uint8_t byte)
{
    return console_io_receive(c->device, byte);
}

static void room(struct console_domain *c)
{
    console_io_room(c->device);
}

int debug_port_init(struct domain *d)
{
    int rc = pio_add(d, DEBUG_PORT, DEBUG_PORT, access_port, NULL);

    if (rc)
        return rc;
    d->console = (struct console_domain){
        .domid = d->id,
        .device = d,
        .unlimited = d->hardware,
        .receive = receive,
        .room = room,
    };
    console_domain_add(&d->console);
    return 0;
}

void debug_port_destroy(struct domain *d)
{
    if (!d->console.device)
        return;
    console_domain_remove(&d->console);
    d->console.device = NULL;
}

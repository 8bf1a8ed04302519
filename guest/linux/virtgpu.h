// The transport over Linux's virtio_gpu: a program in a Linux guest, through the render node, as
// Mesa's driver goes. There are no screens: those are the display server's.
#ifndef GUEST_VIRTGPU_H
#define GUEST_VIRTGPU_H

#include "guest/system.h"
#include "guest/transport.h"

#ifdef __cplusplus
extern "C" {
#endif

// Opens the first render node of a virtio-gpu that speaks Venus.
// Owns: the transport's `close` frees it.
// Errors: 0 or a negative enum guest_error; GUEST_ERROR_UNSUPPORTED: there is no such device.
int guest_virtgpu_connect(const struct guest_system *system, struct guest_transport **transport);

#ifdef __cplusplus
}
#endif

#endif

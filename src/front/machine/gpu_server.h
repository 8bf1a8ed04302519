// Sockets at which QEMU finds the GPU: one for itself, one for the placer. They serve one VM at
// a time, and the next when that has ended.
//
// Thread: the loop's.
#ifndef MACHINE_GPU_SERVER_H
#define MACHINE_GPU_SERVER_H

#include "front/machine/entrance.h"
#include "front/machine/gpu_front.h"

struct machine_gpu_server;

struct machine_gpu_server_ops {
    // A VM has connected; `gpu` lives until `ended` has returned. Either may be NULL.
    void (*connected)(void *data, struct machine_gpu *gpu);
    void (*ended)(void *data);
    // Where the options name no transport.
    machine_entrance_choose choose;
};

// Listens at `path` and `placer_path` (NULL: no placer). `options` and `ops` are copied.
// Errors: -errno, and *refused_path is the one that could not be taken (NULL: none, no memory).
int machine_gpu_server_create(struct os_loop *loop, const char *path, const char *placer_path,
                              const struct machine_gpu_options *options,
                              const struct machine_gpu_server_ops *ops, void *data,
                              const char **refused_path, struct machine_gpu_server **created);
// Removes the socket files too.
void machine_gpu_server_destroy(struct machine_gpu_server *server);

#endif

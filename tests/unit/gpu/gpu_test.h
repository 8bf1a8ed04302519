// What every test of the device starts with: a machine per test, in both flavours of the platform.
#ifndef TESTS_GPU_TEST_H
#define TESTS_GPU_TEST_H

#include "../flavour.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gpu/output.h"
#include "machine.h"
#include "os/shm.h"
#include "snapshot.h"

#define OK GPU_RESP_OK_NODATA
#define UNSPEC GPU_RESP_ERR_UNSPEC
#define NO_MEMORY GPU_RESP_ERR_OUT_OF_MEMORY
#define BAD_SCANOUT GPU_RESP_ERR_INVALID_SCANOUT_ID
#define BAD_RESOURCE GPU_RESP_ERR_INVALID_RESOURCE_ID
#define BAD_CONTEXT GPU_RESP_ERR_INVALID_CONTEXT_ID
#define BAD_PARAMETER GPU_RESP_ERR_INVALID_PARAMETER

static inline int set_up(void **state)
{
    *state = machine_create(NULL);
    return 0;
}

static inline int tear_down(void **state)
{
    machine_destroy(*state);
    return 0;
}

#define DEVICE_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

// The picture of an output without the cursor; 0 or -errno.
static inline int snapshot(struct machine *machine, uint32_t output, uint8_t *rgba, size_t size)
{
    return snapshot_output(machine->device, output, rgba, size, false);
}

#endif

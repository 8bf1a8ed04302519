// Requests of the control socket that ask for contexts: which there are, what they hold, and to
// have one traced.
#ifndef CLI_DEVICE_CONTEXTS_H
#define CLI_DEVICE_CONTEXTS_H

#include <stdint.h>

#include "cli/device/control.h"

struct renderers;

// `renderers` is NULL where there are none.
void cli_contexts_list(const struct renderers *renderers, struct cli_control_answer *answer);
// What each holds and does, for hesper top: an object of `name` and `frames`, the budget, and the
// contexts.
void cli_contexts_usage(struct renderers *renderers, const char *name, uint64_t frames,
                        struct cli_control_answer *answer);
// `argument` is the number of a context or of its worker's process. The request brings the worker's
// end of a connection to the tracer.
void cli_contexts_trace(struct renderers *renderers, const char *argument,
                        struct cli_control_answer *answer);

#endif

// Values of options that more than one command has (base/options.h).
// Errors: false after a log line.
#ifndef CLI_OPTION_VALUES_H
#define CLI_OPTION_VALUES_H

#include <stdbool.h>
#include <stdint.h>

// --memory: the size of a guest's memory in whole mebibytes, uint64_t.
bool cli_take_memory(const char *label, const char *text, void *to);
// --max-wait: seconds, as uint64_t nanoseconds.
bool cli_take_wait(const char *label, const char *text, void *to);
// --gpu-memory: bytes of the host's memory and of a card's; 0: no limit.
bool cli_parse_gpu_memory(const char *label, const char *text, uint64_t *host, uint64_t *card);

// Bytes of memory that this machine has.
uint64_t cli_machine_memory(void);

#endif

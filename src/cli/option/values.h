// Values of options, and complaints about them.
#ifndef CLI_OPTION_VALUES_H
#define CLI_OPTION_VALUES_H

#include <stdbool.h>
#include <stdint.h>

// "123", "64k", "512M", "8G". False: not a number, or more than `maximum`.
bool cli_parse_size(const char *text, uint64_t maximum, uint64_t *value);

// The value of --memory: the size of a guest's memory in whole mebibytes.
// Errors: false after a log line.
bool cli_parse_memory(const char *command, const char *text, uint64_t *value);

// Logs a line about the option for which getopt_long returned `result`, '?' or ':'. Returns
// CLI_USAGE.
int cli_bad_option(const char *command, int result, char **argv);

// --gpu-memory: bytes of the host's memory and of a card's; 0: no limit. Errors: false after a log
// line.
bool cli_parse_gpu_memory(const char *command, const char *text, uint64_t *host, uint64_t *card);
// Bytes of memory that this machine has.
uint64_t cli_machine_memory(void);

#endif

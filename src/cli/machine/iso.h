// An installer's image: a file, or an address that it is fetched from once and kept.
//
// Thread: one; waits for the network.
#ifndef CLI_MACHINE_ISO_H
#define CLI_MACHINE_ISO_H

#include <stdbool.h>

// `text`: a file, or an http, https or file URL. The file of a URL lies in the user's cache; if it
// does not yet, curl fetches it, or goes on where an earlier try has ended, and it is compared with
// the SHA256SUMS that lie beside it there, if any do.
// Owns: the caller frees *file.
// Errors: false after a log line.
bool cli_iso_get(const char *text, char **file);

#endif

// Which Vulkan drivers this machine may have, found by looking at files: nothing is loaded. Any
// process.
//
// A driver is named by a text: "loader": what the Vulkan loader finds, as its environment says;
// "manifest:PATH[:PATH...]": those and no others, through the loader, or directly if there is none
// (then the first); "library:PATH": a driver's own library. A path with a colon cannot be named.
#ifndef VENUS_DISCOVERY_H
#define VENUS_DISCOVERY_H

#include <stdbool.h>
#include <stddef.h>

enum { VENUS_MAX_CANDIDATES = 64, VENUS_PATH = 1024 };

struct venus_candidate {
    char name[VENUS_PATH];    // as above
    char library[VENUS_PATH]; // of a manifest; for "loader" empty
    char broken[160];         // why a manifest is none; empty: it is one
    bool chosen;              // by VK_DRIVER_FILES or VK_ICD_FILENAMES
    bool software;            // lavapipe: tried last
};

struct venus_candidates {
    struct venus_candidate items[VENUS_MAX_CANDIDATES];
    unsigned count;
};

// In the order to try them: the manifests that VK_DRIVER_FILES or VK_ICD_FILENAMES name, those in
// the loader's folders, those and the libraries at further places (Homebrew, the SDK, an
// application bundle), lavapipe. Each file once. The loader itself is not among them. NULL: no
// memory; the caller frees it.
struct venus_candidates *venus_candidates_find(void);

// Are all drivers that `driver` means (empty: "loader") of Mesa, by the names of their libraries?
bool venus_drivers_are_mesas(const char *driver);

// The manifests and libraries of the drivers that `driver` means, as far as their paths are known.
// Owns: the caller forgets them.
enum { VENUS_MAX_DRIVER_FILES = 2 * VENUS_MAX_CANDIDATES };
struct venus_driver_files {
    char *items[VENUS_MAX_DRIVER_FILES + 1]; // NULL at the end
    unsigned count;
};
void venus_driver_files_find(const char *driver, struct venus_driver_files *files);
void venus_driver_files_forget(struct venus_driver_files *files);

// Reads a manifest: the library's path into `library` (VENUS_PATH bytes), relative ones made
// absolute; a name without a slash stays. False: `broken` says why.
bool venus_manifest_read(const char *path, char *library, char *broken, size_t broken_size);

#endif

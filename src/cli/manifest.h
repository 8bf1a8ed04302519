// Finds the manifest of Mesa's Venus driver as the Vulkan loader would.
#ifndef CLI_MANIFEST_H
#define CLI_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>

// Puts the path of the best virtio_icd*.json for programs of `machine` ("x86_64", as uname says it)
// into `path`. Looks at XDG_* and HOME. `root` is put before the folders of the system; it is ""
// except in tests. Errors: false, there is none.
bool cli_manifest_find(const char *root, const char *machine, char *path, size_t size);

#endif

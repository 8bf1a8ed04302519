// The hooks of guest/pci for a program of Redox that runs as root. Never run: README.md.
#ifndef REDOX_HOOKS_H
#define REDOX_HOOKS_H

#include "guest/pci/hooks.h"

// Opens what the hooks need. NULL: it is not there, or the program is not root; errno says which.
// Thread: any; the hooks are for one thread at a time.
const struct pci_hooks *redox_hooks(void);

#endif

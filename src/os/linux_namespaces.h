// Private to src/os: a sandboxed process of Linux has a network and System V objects of its own:
// none. It reads nothing of the host's in /proc/self/net, and abstract sockets are out of reach.
#ifndef OS_LINUX_NAMESPACES_H
#define OS_LINUX_NAMESPACES_H

enum os_namespaces {
    OS_NAMESPACES_NONE,    // the system allows none
    OS_NAMESPACES_OF_ROOT, // made by root's rights
    OS_NAMESPACES_OF_USER, // in a user namespace, where this process has all capabilities: drop
                           // them
};

// Sockets that are open already stay where they are. Device nodes and files may be used as before,
// by supplementary groups too.
// Thread: the only one.
enum os_namespaces os_namespaces_enter(void);

#endif

// What the command line says, for the server and for its viewers' processes alike.
#ifndef VNC_OPTIONS_H
#define VNC_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

// Exit status of a command line that can't be carried out.
#define VNC_USAGE 2

struct vnc_options {
    int fd;                    // the link; of a viewer: its messages
    const char *listen;        // ADDRESS[:PORT], a path, "none"
    const char *web;           // [ADDRESS:]PORT; NULL: no web server
    const char *web_root;      // noVNC's files
    const char *password_file; // NULL: no password
    const char *tls_certificate, *tls_key;
    uint32_t output, fps;
    bool portable;
    int verbose;

    // A viewer's.
    int client;       // its connection
    bool web_client;  // it came to the web port
    bool local;       // that listens on loopback only
    const char *name; // of the VM
};

// Reads and checks the file. NULL after a log line. The caller frees.
char *vnc_read_password(const char *path);

// The process of one viewer, to its end.
int vnc_viewer_main(const struct vnc_options *options);

#endif

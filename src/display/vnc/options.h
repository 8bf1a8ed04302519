// The command line of the server, and of its viewers' processes.
#ifndef VNC_OPTIONS_H
#define VNC_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

// Exit status for a command line that cannot be carried out.
#define VNC_USAGE 2

struct vnc_options {
    int fd;                    // the link; in a viewer's process: the server
    const char *listen;        // ADDRESS[:PORT], a path, "none"
    const char *web;           // [ADDRESS:]PORT; NULL: no web server
    const char *web_root;      // noVNC's files
    const char *password_file; // NULL: no password
    const char *tls_certificate, *tls_key;
    uint32_t output, fps;
    bool portable;
    unsigned verbose;

    // In a viewer's process only.
    int client;       // the connection
    bool web_client;  // it came to the web port
    bool local;       // its port listens on loopback only
    const char *name; // the VM's
};

// Reads and checks the password file.
// Owns: the caller frees it.
// Errors: NULL after a log line.
char *vnc_read_password(const char *path);
// Makes the challenges that viewers answer with it unforeseeable.
void vnc_password_sow(void);

// Is the process of one viewer, to its end. Returns the exit status.
int vnc_session_main(const struct vnc_options *options);

#endif

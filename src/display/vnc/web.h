// What a browser needs: the files of noVNC, and a WebSocket on the same port.
#ifndef VNC_WEB_H
#define VNC_WEB_H

#include <stdbool.h>
#include <stddef.h>

#include "display/vnc/options.h"

// Answers requests for files. True: a page of ours asks for a WebSocket next; that request was not
// read. False: the connection has ended.
bool vnc_web_serve(const struct vnc_options *options, int client);

// ---- its parts, for tests -------------------------------------------------

struct vnc_request {
    char path[1024]; // without the query, "%20" and the like resolved; begins with a slash
    bool head;       // HEAD, not GET
    bool keep;       // the connection stays
    bool websocket;
    char host[256], origin[300]; // "" if there is none
};

// `text` is a whole header, with the empty line. Returns 0, or a status of HTTP that says what is
// wrong.
int vnc_request_parse(const char *text, size_t size, struct vnc_request *request);
// Whether the page named by the request's origin may use the WebSocket: only a page from this port
// may. Where only programs of this machine can connect, the origin must also be a name of this
// machine, for any other name can be made to lead here.
bool vnc_request_may_join(const struct vnc_request *request, bool local);

#endif

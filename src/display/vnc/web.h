// What a browser needs: the files of noVNC, and a WebSocket on the same port.
#ifndef VNC_WEB_H
#define VNC_WEB_H

#include <stdbool.h>
#include <stddef.h>

#include "display/vnc/options.h"

// Answers requests for files, one connection after the other's end. True: a WebSocket is asked for
// next, by a page of ours; the request was not read. False: the connection has ended.
bool vnc_web_serve(const struct vnc_options *options, int client);

// ---- its parts, for tests -------------------------------------------------

struct vnc_request {
    char path[1024]; // without the query, "%20" and the like resolved; begins with a slash
    bool head;       // HEAD, not GET
    bool keep;       // the connection stays
    bool websocket;
    char host[256], origin[300]; // "" if there is none
};

// `text`: a whole header, with the empty line. 0, or a status of HTTP that says what is wrong.
int vnc_request_parse(const char *text, size_t size, struct vnc_request *request);
// May the page that the request's origin names use the WebSocket? One from here may; where only
// programs of this machine can come, "here" must have a name of this machine, for a name that is
// anybody's may be made to lead here.
bool vnc_request_may_join(const struct vnc_request *request, bool local);

#endif

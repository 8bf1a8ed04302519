// hesper-vnc shows a guest's screen to VNC viewers and browsers. hesper starts it.
//
// It is a program of its own because LibVNCServer, and so this program, is under the GPL (2 or
// later). hesper and its library stay under MIT.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/options.h"
#include "display/vnc/options.h"
#include "display/vnc/secure.h"
#include "display/vnc/server.h"
#include "os/os.h"
#include "os/process.h"
#include "os/starter.h"

#define WEB_ROOT "/usr/share/novnc"

static const char usage[] =
    "usage: hesper-vnc --fd N [--listen ADDRESS[:PORT]] [--web PORT] [OPTIONS]\n"
    "\n"
    "Shows a guest's screen to VNC viewers and browsers. hesper starts it: see --display vnc and\n"
    "--display web=PORT of 'hesper run'. Beyond loopback it listens only with a password or TLS.\n"
    "\n";

static const struct option_row rows[] = {
    {"fd", "N", "the socket to the device process",
     OPTION_NUMBER(struct vnc_options, fd, 3, 1 << 20)},
    {"listen", "ADDRESS[:PORT]",
     "where viewers connect; or the path of a socket [127.0.0.1, the first free port from 5900; "
     "with --web only: nowhere]",
     OPTION_TEXT(struct vnc_options, listen)},
    {"web", "[ADDRESS:]PORT", "noVNC for browsers [address: that of --listen, 127.0.0.1]",
     OPTION_TEXT(struct vnc_options, web)},
    {"web-root", "FOLDER", "noVNC's files [" WEB_ROOT "]",
     OPTION_TEXT(struct vnc_options, web_root)},
    {"password-file", "FILE", "viewers must know its first line, the first 8 bytes of it",
     OPTION_TEXT(struct vnc_options, password_file)},
    {"tls-cert", "FILE", "TLS and nothing else, with this certificate (PEM)",
     OPTION_TEXT(struct vnc_options, tls_certificate)},
    {"tls-key", "FILE", "the key of the certificate", OPTION_TEXT(struct vnc_options, tls_key)},
    {"output", "N", "which of the guest's screens, from 0 [0]",
     OPTION_NUMBER(struct vnc_options, output, 0, 15)},
    {"fps", "N", "frames per second, at most [60]",
     OPTION_NUMBER(struct vnc_options, fps, 1, 1000)},
    {"portable", NULL, "use only what every host has", OPTION_FLAG(struct vnc_options, portable)},
    {"verbose", NULL, "twice: more", OPTION_COUNT(struct vnc_options, verbose), .letter = 'v'},
    // For a viewer's process.
    {"name", "NAME", NULL, OPTION_TEXT(struct vnc_options, name)},
    {"client", "N", NULL, OPTION_NUMBER(struct vnc_options, client, 3, 1 << 20)},
    {"web-client", NULL, NULL, OPTION_FLAG(struct vnc_options, web_client)},
    {"local", NULL, NULL, OPTION_FLAG(struct vnc_options, local)},
    {0},
};

static const char *mistake(const struct vnc_options *options, int extra)
{
    if (!options->fd || extra)
        return "hesper starts this program itself; see 'hesper-vnc --help'";
    if (!options->tls_certificate != !options->tls_key)
        return "TLS takes both --tls-cert and --tls-key";
    return NULL;
}

// Decides where to listen. `web` gets the web address with its port. False after a log line.
static bool choose_places(struct vnc_options *options, char *web, size_t web_size)
{
    if (!options->listen && !options->web)
        options->listen = "127.0.0.1";
    if (options->web && !strchr(options->web, ':')) {
        char address[256] = "127.0.0.1";
        if (options->listen)
            vnc_listen_address(options->listen, address, sizeof(address));
        snprintf(web, web_size, strchr(address, ':') ? "[%s]:%s" : "%s:%s", address, options->web);
        options->web = web;
    }
    if (options->web && access(options->web_root, R_OK) < 0) {
        log_error("--web shows noVNC, whose files are not in %s: install novnc, or give "
                  "--web-root",
                  options->web_root);
        return false;
    }
    const char *places[] = {options->listen, options->web};
    for (int i = 0; i < 2; i++) {
        bool local = true;
        if (places[i] && !vnc_listen_is_local(places[i], &local))
            return false;
        if (local || options->password_file || options->tls_certificate)
            continue;
        log_error("%s can be reached from other machines: give password-file=FILE or "
                  "tls-cert=FILE and tls-key=FILE",
                  places[i]);
        return false;
    }
    return true;
}

static int serve(struct vnc_options *options)
{
    char web_place[300];
    struct vnc_listener vnc = {.fd = -1}, web = {.fd = -1};
    if (!choose_places(options, web_place, sizeof(web_place)))
        return VNC_USAGE;
    if (options->password_file) {
        char *password = vnc_read_password(options->password_file);
        if (!password)
            return VNC_USAGE;
        if (strlen(password) > 8)
            log_warning("VNC looks at the first 8 bytes of a password only");
        memset(password, 0, strlen(password));
        free(password);
    }
    if (options->tls_certificate) {
        struct vnc_secure *secure = vnc_secure_create(options);
        if (!secure)
            return VNC_USAGE;
        vnc_secure_destroy(secure);
    }
    if ((options->listen && !vnc_listen(options->listen, &vnc)) ||
        (options->web && !vnc_listen(options->web, &web)))
        return 1;
    if (vnc.fd >= 0)
        fprintf(stderr, "hesper-vnc: listening on %s\n", vnc.text);
    if (web.fd >= 0)
        fprintf(stderr, "hesper-vnc: in a browser: %s://%s/\n",
                options->tls_certificate ? "https" : "http", web.text);
    return vnc_server_run(options, &vnc, &web);
}

int main(int argc, char **argv)
{
    struct vnc_options options = {.web_root = WEB_ROOT, .fps = 60, .client = -1, .name = "hesper"};
    if (argc == 2 && !strcmp(argv[1], "starter"))
        return os_starter_main();
    bool viewer = argc > 1 && !strcmp(argv[1], "viewer");
    const struct options command = {
        .program = "hesper-vnc", .usage = usage, .tables = {{rows, &options}}};
    log_set_tag(viewer ? "vnc viewer" : "vnc");
    argc -= viewer;
    int first = options_read(&command, argc, argv + viewer);
    if (first <= 0)
        return first ? VNC_USAGE : 0;
    const char *wrong = mistake(&options, argc - first);
    if (wrong) {
        log_error("%s", wrong);
        return VNC_USAGE;
    }
    if (options.verbose)
        log_set_level(options.verbose > 1 ? LOG_DEBUG : LOG_INFO);
    os_init(&(struct os_options){.portable = options.portable});
    os_die_with_parent();
    if (viewer)
        return options.client < 0 ? VNC_USAGE : vnc_session_main(&options);
    int error = os_starter_begin(), status;
    if (error && error != -ENOSYS)
        log_warning("no starter, so this process is not confined: %s", strerror(-error));
    status = serve(&options);
    os_starter_end();
    return status;
}

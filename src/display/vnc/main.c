// hesper-vnc shows a guest's screen to VNC viewers and browsers. hesper starts it.
//
// It is a program of its own because LibVNCServer, and so this program, is under the GPL (2 or
// later). hesper and its library stay under MIT.
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
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
    "--display web=PORT of 'hesper run'.\n"
    "\n"
    "  --fd N                   the socket to the device process\n"
    "  --listen ADDRESS[:PORT]  where viewers connect; or the path of a socket [127.0.0.1, the "
    "first\n"
    "                           free port from 5900; with --web only: nowhere]\n"
    "  --web [ADDRESS:]PORT     noVNC for browsers [address: that of --listen, 127.0.0.1]\n"
    "  --web-root FOLDER        noVNC's files [" WEB_ROOT "]\n"
    "  --password-file FILE     viewers must know its first line, the first 8 bytes of it\n"
    "  --tls-cert FILE          TLS and nothing else, with this certificate (PEM)\n"
    "  --tls-key FILE           the key of the certificate\n"
    "  --output N               which of the guest's screens, from 0 [0]\n"
    "  --fps N                  frames per second, at most [60]\n"
    "  --portable               use only what every host has\n"
    "  -v, --verbose            twice: more\n"
    "\n"
    "Beyond loopback it listens only with a password or TLS.\n";

static bool parse_number(const char *text, uint32_t least, uint32_t most, uint32_t *value)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || number < least || number > most)
        return false;
    *value = (uint32_t)number;
    return true;
}

static bool bad(const char *option, const char *value)
{
    log_error("%s cannot be '%s'; see 'hesper-vnc --help'", option, value);
    return false;
}

// False: VNC_USAGE, after a message.
static bool parse(int argc, char **argv, struct vnc_options *result, bool *help)
{
    enum { NAME = 256, CLIENT, WEB_CLIENT, LOCAL };
    static const struct option options[] = {
        {"fd", required_argument, NULL, 'f'},
        {"listen", required_argument, NULL, 'l'},
        {"web", required_argument, NULL, 'w'},
        {"web-root", required_argument, NULL, 'r'},
        {"password-file", required_argument, NULL, 'P'},
        {"tls-cert", required_argument, NULL, 'c'},
        {"tls-key", required_argument, NULL, 'k'},
        {"output", required_argument, NULL, 'o'},
        {"fps", required_argument, NULL, 's'},
        {"portable", no_argument, NULL, 'p'},
        {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        // For a viewer's process.
        {"name", required_argument, NULL, NAME},
        {"client", required_argument, NULL, CLIENT},
        {"web-client", no_argument, NULL, WEB_CLIENT},
        {"local", no_argument, NULL, LOCAL},
        {0},
    };
    uint32_t number;
    int option;
    while ((option = getopt_long(argc, argv, "vh", options, NULL)) != -1) {
        switch (option) {
        case 'f':
            if (!parse_number(optarg, 3, 1 << 20, &number))
                return bad("--fd", optarg);
            result->fd = (int)number;
            break;
        case 'l':
            result->listen = optarg;
            break;
        case 'w':
            result->web = optarg;
            break;
        case 'r':
            result->web_root = optarg;
            break;
        case 'P':
            result->password_file = optarg;
            break;
        case 'c':
            result->tls_certificate = optarg;
            break;
        case 'k':
            result->tls_key = optarg;
            break;
        case 'o':
            if (!parse_number(optarg, 0, 15, &result->output))
                return bad("--output", optarg);
            break;
        case 's':
            if (!parse_number(optarg, 1, 1000, &result->fps))
                return bad("--fps", optarg);
            break;
        case 'p':
            result->portable = true;
            break;
        case 'v':
            result->verbose++;
            break;
        case 'h':
            *help = true;
            return true;
        case NAME:
            result->name = optarg;
            break;
        case CLIENT:
            if (!parse_number(optarg, 3, 1 << 20, &number))
                return bad("--client", optarg);
            result->client = (int)number;
            break;
        case WEB_CLIENT:
            result->web_client = true;
            break;
        case LOCAL:
            result->local = true;
            break;
        default:
            return false; // getopt has said why
        }
    }
    if (optind < argc)
        return bad("an argument", argv[optind]);
    if (!result->fd) {
        log_error("hesper starts this program itself; see 'hesper-vnc --help'");
        return false;
    }
    if (!result->tls_certificate != !result->tls_key) {
        log_error("TLS takes both --tls-cert and --tls-key");
        return false;
    }
    return true;
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
    bool viewer = argc > 1 && !strcmp(argv[1], "viewer"), help = false;
    log_set_tag(viewer ? "vnc viewer" : "vnc");
    if (!parse(argc - viewer, argv + viewer, &options, &help))
        return VNC_USAGE;
    if (help) {
        fputs(usage, stdout);
        return 0;
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

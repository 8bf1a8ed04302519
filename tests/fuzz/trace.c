// A worker that tells a tracer anything. What is printed goes to a terminal: it must be plain text.
//
// Input: options, then messages. A byte says which; commands are sizes and bytes of a request and
// its reply.
#include "played.h"

#define os_socket_accept fuzz_accept
#define take take_message
// Compiled here: a connection comes without a path.
#include "trace/tracer.c"
#undef os_socket_accept
#undef take

#include "os/os.h"

static int accepted;

int fuzz_accept(int listener)
{
    (void)listener;
    return accepted;
}

static void on_pause(void *data)
{
    os_loop_stop(data, 0);
}

static void look(struct os_loop *loop)
{
    struct os_source *pause = os_loop_add_timer(loop, 1, on_pause, loop);
    os_loop_run(loop);
    os_source_remove(pause);
}

static void tell(struct link *link)
{
    uint8_t what = (uint8_t)take(1);
    struct link_trace_hello hello = {.context_id = what, .pid = 1};
    struct link_trace_command command = {.stream = what >> 4,
                                         .begin_ns = 1000,
                                         .end_ns = 2000,
                                         .flags = what >> 7,
                                         .request_cut = what == 8,
                                         .reply_cut = what == 9};
    size_t left;
    switch (what & 15) {
    case 0: // hello
        for (unsigned i = 0; i < sizeof(hello.name) - 1; i++)
            hello.name[i] = (char)take(1);
        link_send(link, LINK_TRACE_HELLO, &hello, sizeof(hello), NULL, 0, NULL, 0);
        break;
    case 1: // the end
        left = take(1);
        left = left < (size_t)(script.end - script.at) ? left : (size_t)(script.end - script.at);
        link_send(link, LINK_TRACE_LOST, script.at, left, NULL, 0, NULL, 0);
        script.at += left;
        break;
    case 2: { // anything
        uint16_t type = (uint16_t)take(2);
        left = take(1);
        left = left < (size_t)(script.end - script.at) ? left : (size_t)(script.end - script.at);
        link_send(link, type, script.at, left, NULL, 0, NULL, 0);
        script.at += left;
        break;
    }
    case 3:
        command.end_ns = take(8);
        command.missed = (uint32_t)number();
        // fallthrough
    default:
        command.request_size = (uint32_t)take(2) * 4;
        command.reply_size = (uint32_t)take(2) * 4;
        left = (size_t)(script.end - script.at);
        if (command.request_size > left)
            command.request_size = (uint32_t)left & ~3u;
        if (command.reply_size > left - command.request_size)
            command.reply_size = (uint32_t)(left - command.request_size) & ~3u;
        left = (size_t)command.request_size + command.reply_size;
        link_send(link, LINK_TRACE_COMMAND, &command, sizeof(command), script.at, left, NULL, 0);
        script.at += left;
        break;
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    os_init(&(struct os_options){.portable = false});
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const only[] = {"vkC*", "vk[GQ]*"};
    char *text = NULL;
    size_t length = 0;
    int pair[2];
    struct link *link;
    struct os_loop *loop;
    script.at = data;
    script.end = data + size;
    uint8_t kind = (uint8_t)take(1);
    struct tracer_options options = {.out = open_memstream(&text, &length),
                                     .stats = kind & 1,
                                     .full = kind & 2,
                                     .only = only,
                                     .only_count = kind & 4 ? 2 : 0};
    expect(!os_loop_create(&loop) && !os_socket_pair(pair) && !link_create(pair[0], false, &link));
    accepted = pair[1];
    struct tracer *tracer = tracer_create(loop, &options);
    on_connection(tracer, -1, 0);
    if (!(kind & 8)) {
        struct link_trace_hello hello = {.name = "fuzz"};
        link_send(link, LINK_TRACE_HELLO, &hello, sizeof(hello), NULL, 0, NULL, 0);
    }
    for (unsigned i = 0; script.at < script.end && i < 64; i++) {
        tell(link);
        look(loop);
        link_flush(link);
    }
    look(loop);
    tracer_destroy(tracer);
    link_destroy(link);
    os_loop_destroy(loop);
    fclose(options.out);
    for (size_t i = 0; i < length; i++)
        expect((text[i] >= 0x20 && text[i] < 0x7f) || text[i] == '\n');
    free(text);
    return 0;
}

// What a tracer prints of what workers tell, and that one which breaks the rules is not believed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> // needs the four above

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../short.h"
#include "link/context_messages.h"
#include "link/trace_messages.h"
#include "os/socket.h"
#include "trace/tracer.h"
#include "wire/guest.h"

struct fixture {
    struct os_loop *loop;
    struct tracer *tracer;
    struct link *worker;
    FILE *out;
    char *text;
    size_t size;
    char folder[32], path[48];
};

static void on_idle(void *data)
{
    struct fixture *f = data;
    os_loop_stop(f->loop, 0);
}

static struct link *come(struct fixture *f)
{
    int fd = os_socket_connect(f->path);
    assert_true(fd >= 0);
    return new_link(fd, true);
}

static void start(struct fixture *f, const struct tracer_options *wanted)
{
    struct tracer_options options = *wanted;
    options.out = f->out;
    options.idle = on_idle;
    options.data = f;
    f->tracer = tracer_create(f->loop, &options);
    assert_non_null(f->tracer);
    assert_int_equal(tracer_listen(f->tracer, f->path), 0);
    f->worker = come(f);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->loop = new_loop();
    f->out = open_memstream(&f->text, &f->size);
    strcpy(f->folder, "/tmp/hesper-test-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof(f->path), "%s/trace", f->folder);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    os_loop_destroy(f->loop);
    fclose(f->out);
    free(f->text);
    assert_int_equal(rmdir(f->folder), 0);
    free(f);
    return 0;
}

// The worker goes, and all that it told is read.
static const char *finish(struct fixture *f)
{
    link_destroy(f->worker);
    os_loop_run(f->loop);
    tracer_destroy(f->tracer);
    return f->text;
}

static void hello(struct fixture *f, uint32_t context, const char *name)
{
    struct link_trace_hello hello = {.context_id = context, .pid = 99};
    snprintf(hello.name, sizeof(hello.name), "%s", name);
    assert_int_equal(
        link_send(f->worker, LINK_TRACE_HELLO, &hello, sizeof(hello), NULL, 0, NULL, 0), 0);
}

struct told {
    uint64_t begin_ns, ns, stream;
    uint32_t flags, missed, request_cut, reply_cut;
};

static void tell_bytes(struct fixture *f, const struct told *told, const void *request,
                       uint32_t request_size, const void *reply, uint32_t reply_size)
{
    uint8_t bytes[4096];
    struct link_trace_command command = {.begin_ns = told->begin_ns,
                                         .end_ns = told->begin_ns + told->ns,
                                         .stream = told->stream,
                                         .flags = told->flags,
                                         .missed = told->missed,
                                         .request_size = request_size,
                                         .reply_size = reply_size,
                                         .request_cut = told->request_cut,
                                         .reply_cut = told->reply_cut};
    memcpy(bytes, request, request_size);
    if (reply_size)
        memcpy(bytes + request_size, reply, reply_size);
    assert_int_equal(link_send(f->worker, LINK_TRACE_COMMAND, &command, sizeof(command), bytes,
                               request_size + reply_size, NULL, 0),
                     0);
}

static void tell(struct fixture *f, const struct told *told, uint32_t number, void *args)
{
    uint8_t request[2048], reply[2048];
    struct wire_call call = {
        .info = wire_command_info(number), .number = number, .flags = 0, .args = args};
    struct wire_encoder out = {request, request + sizeof(request)};
    struct wire_encoder answer = {reply, reply + sizeof(reply)};
    assert_true(wire_encode_request(&out, &call));
    assert_true(wire_encode_reply(&answer, &call));
    tell_bytes(f, told, request, (uint32_t)(out.cursor - request), reply,
               told->reply_cut ? 0 : (uint32_t)(answer.cursor - reply));
}

static void tell_draw(struct fixture *f, const struct told *told)
{
    struct wire_args_vkCmdDraw args = {
        .commandBuffer = (VkCommandBuffer)(uintptr_t)7, .vertexCount = 3, .instanceCount = 1};
    tell(f, told, WIRE_vkCmdDraw, &args);
}

static void tell_submit(struct fixture *f, const struct told *told)
{
    VkCommandBuffer buffers[] = {(VkCommandBuffer)(uintptr_t)7};
    VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                         .commandBufferCount = 1,
                         .pCommandBuffers = buffers};
    struct wire_args_vkQueueSubmit args = {.queue = (VkQueue)(uintptr_t)5,
                                           .submitCount = 1,
                                           .pSubmits = &info,
                                           .fence = (VkFence)(uintptr_t)8,
                                           .ret = VK_ERROR_DEVICE_LOST};
    tell(f, told, WIRE_vkQueueSubmit, &args);
}

// ---- lines ----------------------------------------------------------------

static void test_a_command_is_a_line(void **state)
{
    struct fixture *f = *state;
    start(f, &(struct tracer_options){0});
    hello(f, 3, "cube\033[2J");
    tell_draw(f, &(struct told){.begin_ns = 1000000000, .ns = 2000});
    tell_submit(f, &(struct told){.begin_ns = 1500000000, .ns = 1000000, .stream = 0xfeed});
    tell_draw(f,
              &(struct told){.begin_ns = 1600000000, .stream = 0xfeed, .flags = LINK_TRACE_NESTED});
    tell_draw(f, &(struct told){.begin_ns = 1700000000, .stream = 0xbeef, .missed = 12});
    assert_string_equal(
        finish(f),
        "# context 3, worker 99: cube?[2J\n"
        "   0.000000 context vkCmdDraw(commandBuffer = CommandBuffer#7, vertexCount = 3, "
        "instanceCount = 1, firstVertex = 0, firstInstance = 0) <0.000002>\n"
        "   0.500000 ring1 vkQueueSubmit(queue = Queue#5, submitCount = 1, pSubmits = "
        "[{waitSemaphoreCount = 0, pWaitSemaphores = NULL, pWaitDstStageMask = NULL, "
        "commandBufferCount = 1, pCommandBuffers = [CommandBuffer#7], signalSemaphoreCount = 0, "
        "pSignalSemaphores = NULL}], fence = Fence#8) = VK_ERROR_DEVICE_LOST <0.001000>\n"
        "   0.600000 ring1+ vkCmdDraw(commandBuffer = CommandBuffer#7, vertexCount = 3, "
        "instanceCount = 1, firstVertex = 0, firstInstance = 0) <0.000000>\n"
        "# 12 commands not shown: this tracer is too slow\n"
        "   0.700000 ring2 vkCmdDraw(commandBuffer = CommandBuffer#7, vertexCount = 3, "
        "instanceCount = 1, firstVertex = 0, firstInstance = 0) <0.000000>\n"
        "# 12 commands not shown in all\n");
}

static const char *print_instance(struct fixture *f, bool full)
{
    static char name[200];
    const char *extensions[6];
    memset(name, 'x', sizeof(name) - 1);
    name[0] = '"';
    name[1] = '\033';
    for (int i = 0; i < 6; i++)
        extensions[i] = "VK_KHR_surface";
    VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                     .pApplicationName = name,
                                     .apiVersion = VK_API_VERSION_1_3};
    VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                 .pApplicationInfo = &application,
                                 .enabledExtensionCount = 6,
                                 .ppEnabledExtensionNames = extensions};
    VkInstance instance = (VkInstance)(uintptr_t)1;
    struct wire_args_vkCreateInstance args = {.pCreateInfo = &info, .pInstance = &instance};
    start(f, &(struct tracer_options){.full = full});
    hello(f, 1, "x");
    tell(f, &(struct told){.begin_ns = 1}, WIRE_vkCreateInstance, &args);
    return finish(f);
}

static void test_what_is_long_is_cut_short(void **state)
{
    const char *text = print_instance(*state, false);
    assert_non_null(strstr(text, "pApplicationName = \"\\\"\\x1bxxx"));
    assert_non_null(strstr(text, "xxx\"..., applicationVersion = 0"));
    assert_non_null(strstr(text, "apiVersion = 1.3.0"));
    assert_non_null(strstr(text, "\"VK_KHR_surface\", ... 2 more]}, pAllocator = NULL"));
    assert_non_null(strstr(text, "pInstance = Instance#1) = VK_SUCCESS <"));
}

static void test_nothing_is_cut_short_if_all_is_wanted(void **state)
{
    const char *text = print_instance(*state, true);
    assert_null(strstr(text, "..."));
    assert_non_null(strstr(text, "xxx\", applicationVersion = 0"));
}

static void test_what_was_written_follows_the_result(void **state)
{
    struct fixture *f = *state;
    VkMemoryRequirements requirements = {.size = 4096, .alignment = 64, .memoryTypeBits = 3};
    struct wire_args_vkGetBufferMemoryRequirements args = {.device = (VkDevice)(uintptr_t)3,
                                                           .buffer = (VkBuffer)(uintptr_t)4,
                                                           .pMemoryRequirements = &requirements};
    start(f, &(struct tracer_options){0});
    hello(f, 1, "x");
    tell(f, &(struct told){.begin_ns = 1}, WIRE_vkGetBufferMemoryRequirements, &args);
    tell(f, &(struct told){.begin_ns = 1, .reply_cut = 5000000}, WIRE_vkGetBufferMemoryRequirements,
         &args);
    const char *text = finish(f);
    assert_non_null(strstr(text, "vkGetBufferMemoryRequirements(device = Device#3, buffer = "
                                 "Buffer#4) {pMemoryRequirements = {size = 4096, alignment = 64, "
                                 "memoryTypeBits = 3}} <"));
    assert_non_null(strstr(text, "buffer = Buffer#4) {... 5000000 bytes} <"));
}

static void test_contexts_are_told_apart(void **state)
{
    struct fixture *f = *state;
    start(f, &(struct tracer_options){0});
    hello(f, 1, "first");
    struct link *first = f->worker;
    f->worker = come(f);
    hello(f, 2, "second");
    tell_draw(f, &(struct told){.begin_ns = 1});
    assert_int_equal(link_send(f->worker, LINK_TRACE_LOST, "because", 7, NULL, 0, NULL, 0), 0);
    assert_int_equal(link_send(first, LINK_TRACE_LOST, NULL, 0, NULL, 0, NULL, 0), 0);
    link_destroy(first);
    const char *text = finish(f);
    assert_non_null(strstr(text, "[2]    0.000000 context vkCmdDraw("));
    assert_non_null(strstr(text, "# context 2 is lost: because\n"));
    assert_non_null(strstr(text, "# context 1 ends: its program has gone\n"));
}

// ---- tables and choices ---------------------------------------------------

static void tell_some(struct fixture *f)
{
    hello(f, 1, "x");
    tell_draw(f, &(struct told){.begin_ns = 1, .ns = 1000});
    tell_draw(f, &(struct told){.begin_ns = 1, .ns = 3000});
    tell_submit(f, &(struct told){.begin_ns = 1, .ns = 2000000});
}

static void test_stats_are_sums(void **state)
{
    struct fixture *f = *state;
    start(f, &(struct tracer_options){.stats = true});
    tell_some(f);
    assert_string_equal(
        finish(f), "     count        bytes     total ms    mean us     max us  command\n"
                   "         1          100        2.000   2000.000   2000.000  vkQueueSubmit\n"
                   "         2           64        0.004      2.000      3.000  vkCmdDraw\n"
                   "         3          164        2.004    668.000   2000.000  all\n");
}

static void test_only_what_is_wanted(void **state)
{
    static const char *const only[] = {"vkCreate*", "vkQueue*"};
    struct fixture *f = *state;
    start(f, &(struct tracer_options){.only = only, .only_count = 2});
    tell_some(f);
    const char *text = finish(f);
    assert_non_null(strstr(text, "vkQueueSubmit("));
    assert_null(strstr(text, "vkCmdDraw("));
}

// ---- hostile workers ------------------------------------------------------

static void expect_refusal(struct fixture *f)
{
    assert_non_null(strstr(finish(f), "its worker tells what cannot be\n"));
}

static void test_a_command_before_the_hello_is_refused(void **state)
{
    start(*state, &(struct tracer_options){0});
    tell_draw(*state, &(struct told){.begin_ns = 1});
    expect_refusal(*state);
}

static void test_a_second_hello_is_refused(void **state)
{
    start(*state, &(struct tracer_options){0});
    hello(*state, 1, "x");
    hello(*state, 2, "y");
    expect_refusal(*state);
}

static void test_an_unknown_command_is_refused(void **state)
{
    static const uint32_t words[] = {0xffffff, 0};
    start(*state, &(struct tracer_options){0});
    hello(*state, 1, "x");
    tell_bytes(*state, &(struct told){.begin_ns = 1}, words, sizeof(words), NULL, 0);
    expect_refusal(*state);
}

static void test_an_end_before_the_beginning_is_refused(void **state)
{
    start(*state, &(struct tracer_options){0});
    hello(*state, 1, "x");
    tell_draw(*state, &(struct told){.begin_ns = 10, .ns = (uint64_t)-5});
    expect_refusal(*state);
}

static void test_what_cannot_be_decoded_is_said(void **state)
{
    static const uint32_t draw[] = {WIRE_vkCmdDraw, 0, 7, 0, 1};
    static const uint32_t shader[] = {WIRE_vkCreateShaderModule, 0, 3, 0};
    static const uint32_t version[] = {WIRE_vkEnumerateInstanceVersion, 0, 1, 0};
    static const uint32_t other[] = {WIRE_vkCmdDraw};
    struct fixture *f = *state;
    start(f, &(struct tracer_options){0});
    hello(f, 1, "x");
    tell_bytes(f, &(struct told){.begin_ns = 1}, draw, sizeof(draw), NULL, 0);
    tell_bytes(f, &(struct told){.begin_ns = 1, .request_cut = 9000000}, shader, sizeof(shader),
               NULL, 0);
    tell_bytes(f, &(struct told){.begin_ns = 1}, version, sizeof(version), other, sizeof(other));
    const char *text = finish(f);
    assert_non_null(strstr(text, "vkCmdDraw(... cannot be read: the stream ends inside a command"));
    assert_non_null(strstr(text, "vkCreateShaderModule(... 9000016 bytes)"));
    assert_non_null(strstr(text, "vkEnumerateInstanceVersion() {its results cannot be read}"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_command_is_a_line),
        TEST(test_what_is_long_is_cut_short),
        TEST(test_nothing_is_cut_short_if_all_is_wanted),
        TEST(test_what_was_written_follows_the_result),
        TEST(test_contexts_are_told_apart),
        TEST(test_stats_are_sums),
        TEST(test_only_what_is_wanted),
        TEST(test_a_command_before_the_hello_is_refused),
        TEST(test_a_second_hello_is_refused),
        TEST(test_an_unknown_command_is_refused),
        TEST(test_an_end_before_the_beginning_is_refused),
        TEST(test_what_cannot_be_decoded_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

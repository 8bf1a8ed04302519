// What a visitor sees of decoded arguments, by names; the hook of the encoder; measuring.
#include "decoding.h"
#include "wire/names.h"

// ---- a visitor that writes down what it sees ------------------------------

static char seen[16384];
static uint64_t wanted = UINT64_MAX; // elements of an array

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t used = strlen(seen);
    vsnprintf(seen + used, sizeof(seen) - used, format, arguments);
    va_end(arguments);
}

static uint64_t value_of(const struct wire_item *item)
{
    uint64_t value = 0;
    if (item->data)
        memcpy(&value, item->data, item->size > 8 ? 8 : item->size);
    return value;
}

static void on_item(void *data, const struct wire_item *item)
{
    say("%s", item->name ? item->name : "");
    if (item->storage)
        say("=room");
    else if (!item->data)
        say("=NULL");
    else if (item->kind == WIRE_KIND_CHAR)
        say("='%.*s'", (int)item->count, (const char *)item->data);
    else if (item->kind == WIRE_KIND_ENUM || item->kind == WIRE_KIND_FLAGS)
        say("=%s", wire_enumerant(item->type, (int64_t)value_of(item))
                       ? wire_enumerant(item->type, (int64_t)value_of(item))
                       : "?");
    else if (item->kind == WIRE_KIND_HANDLE)
        say("=%s#%llu", wire_handle_name(item->type), (unsigned long long)value_of(item));
    else
        say("=%llu", (unsigned long long)value_of(item));
    if (item->array && item->kind != WIRE_KIND_CHAR)
        say("x%llu", (unsigned long long)item->count);
    say(" ");
}

static uint64_t on_enter(void *data, const struct wire_group *group)
{
    say("%s%s%s%c", group->name ? group->name : "", group->type ? ":" : "",
        group->type ? group->type : "", group->array ? '[' : '{');
    if (group->array)
        return wanted;
    bool refused = group->name && !strcmp(group->name, "extent");
    if (refused)
        say("..} ");
    return !refused;
}

static void on_leave(void *data, const struct wire_group *group)
{
    say("%c ", group->array ? ']' : '}');
}

static const struct wire_visitor visitor = {NULL, on_item, on_enter, on_leave};

static const char *request(struct stream *s)
{
    ACCEPT(s);
    seen[0] = 0;
    wire_visit_request(&call, &visitor);
    return seen;
}

// ---- tests ----------------------------------------------------------------

static void test_merged_members_have_names(void **state)
{
    struct stream s = {.size = 0};
    put_command(&s, WIRE_vkCmdDraw, 0);
    put64(&s, 7);
    for (uint32_t i = 1; i <= 4; i++)
        put32(&s, i);
    assert_string_equal(request(&s), "commandBuffer=VkCommandBuffer#7 vertexCount=1 "
                                     "instanceCount=2 firstVertex=3 firstInstance=4 ");
}

static void put_application(struct stream *s)
{
    put_command(s, WIRE_vkCreateInstance, WIRE_FLAG_REPLY);
    PRESENT(s);
    put32(s, VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO);
    NONE(s);
    put32(s, 0);
    PRESENT(s);
    put32(s, VK_STRUCTURE_TYPE_APPLICATION_INFO);
    NONE(s);
    put_string(s, "cube");
    put32(s, 1);
    NONE(s);
    put32(s, 2);
    put32(s, VK_API_VERSION_1_3);
    put32(s, 0);
    put64(s, 0);
    put32(s, 1);
    put64(s, 1);
    put_string(s, "VK_KHR_surface");
    NONE(s);
    PRESENT(s);
    put64(s, 5);
}

static void test_strings_pointers_and_arrays(void **state)
{
    struct stream s = {.size = 0};
    put_application(&s);
    assert_string_equal(
        request(&s),
        "pCreateInfo:VkInstanceCreateInfo{flags=? pApplicationInfo:VkApplicationInfo{"
        "pApplicationName='cube' applicationVersion=1 pEngineName=NULL engineVersion=2 "
        "apiVersion=4206592 } enabledLayerCount=0 ppEnabledLayerNames=NULL "
        "enabledExtensionCount=1 ppEnabledExtensionNames[='VK_KHR_surface' ] } pAllocator=NULL "
        "pInstance=VkInstance#5 ");
    wanted = 0;
    assert_non_null(strstr(request(&s), "ppEnabledExtensionNames[} pAllocator"));
    wanted = UINT64_MAX;
}

static void test_enums_flags_and_chains(void **state)
{
    struct stream s = {.size = 0};
    put_command(&s, WIRE_vkCreateImage, 0);
    put64(&s, 3);
    PRESENT(&s);
    put32(&s, VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO);
    PRESENT(&s);
    put32(&s, VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO);
    NONE(&s);
    put32(&s, VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT);
    put32(&s, 0);
    put32(&s, VK_IMAGE_TYPE_2D);
    put32(&s, VK_FORMAT_R8G8B8A8_UNORM);
    for (int i = 0; i < 5; i++)
        put32(&s, 1);
    put32(&s, VK_SAMPLE_COUNT_1_BIT);
    put32(&s, VK_IMAGE_TILING_LINEAR);
    put32(&s, VK_IMAGE_USAGE_STORAGE_BIT);
    put32(&s, VK_SHARING_MODE_EXCLUSIVE);
    put32(&s, 0);
    NONE(&s);
    put32(&s, VK_IMAGE_LAYOUT_PREINITIALIZED);
    NONE(&s);
    PRESENT(&s);
    put64(&s, 9);
    assert_string_equal(
        request(&s),
        "device=VkDevice#3 pCreateInfo:VkImageCreateInfo{"
        "pNext:VkExternalMemoryImageCreateInfo{"
        "handleTypes=VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT } flags=? "
        "imageType=VK_IMAGE_TYPE_2D format=VK_FORMAT_R8G8B8A8_UNORM extent:VkExtent3D{..} "
        "mipLevels=1 arrayLayers=1 samples=VK_SAMPLE_COUNT_1_BIT tiling=VK_IMAGE_TILING_LINEAR "
        "usage=VK_IMAGE_USAGE_STORAGE_BIT sharingMode=VK_SHARING_MODE_EXCLUSIVE "
        "queueFamilyIndexCount=0 pQueueFamilyIndices=NULLx0 "
        "initialLayout=VK_IMAGE_LAYOUT_PREINITIALIZED } pAllocator=NULL pImage=VkImage#9 ");
}

static void test_structures_that_are_copied_have_names(void **state)
{
    struct stream s = {.size = 0};
    put_command(&s, WIRE_vkCmdSetScissor, 0);
    put64(&s, 7);
    put32(&s, 0);
    put32(&s, 1);
    put64(&s, 1);
    for (uint32_t i = 1; i <= 4; i++)
        put32(&s, i);
    assert_string_equal(request(&s),
                        "commandBuffer=VkCommandBuffer#7 firstScissor=0 scissorCount=1 "
                        "pScissors[:VkRect2D{offset:VkOffset2D{x=1 y=2 } extent:VkExtent2D{..} } "
                        "] ");
}

static void test_results_are_of_the_reply(void **state)
{
    struct stream s = {.size = 0};
    put_command(&s, WIRE_vkGetEventStatus, WIRE_FLAG_REPLY);
    put64(&s, 3);
    put64(&s, 4);
    assert_string_equal(request(&s), "device=VkDevice#3 event=VkEvent#4 ");
    ((struct wire_args_vkGetEventStatus *)call.args)->ret = VK_EVENT_SET;
    seen[0] = 0;
    wire_visit_reply(&call, &visitor);
    assert_string_equal(seen, "ret=VK_EVENT_SET ");

    s.size = 0;
    put_command(&s, WIRE_vkGetBufferMemoryRequirements, WIRE_FLAG_REPLY);
    put64(&s, 3);
    put64(&s, 4);
    PRESENT(&s);
    assert_string_equal(request(&s), "device=VkDevice#3 buffer=VkBuffer#4 ");
    seen[0] = 0;
    wire_visit_reply(&call, &visitor);
    assert_string_equal(seen, "pMemoryRequirements:VkMemoryRequirements{size=0 alignment=0 "
                              "memoryTypeBits=0 } ");
}

// A reply that says more than the array of the request holds, and brings none of its own.
static void test_a_reply_does_not_lengthen_arrays_of_the_request(void **state)
{
    struct stream s = {.size = 0};
    put_command(&s, WIRE_vkEnumeratePhysicalDevices, WIRE_FLAG_REPLY);
    put64(&s, 1);
    PRESENT(&s);
    put32(&s, 2);
    put64(&s, 2);
    put64(&s, 11);
    put64(&s, 12);
    ACCEPT(&s);
    struct stream reply = {.size = 0};
    put32(&reply, WIRE_vkEnumeratePhysicalDevices);
    put32(&reply, VK_SUCCESS);
    PRESENT(&reply);
    put32(&reply, 100000);
    put64(&reply, 0);
    decoder.cursor = reply.data;
    decoder.end = reply.data + reply.size;
    assert_true(wire_decode_reply(&decoder, &call));
    assert_null(((struct wire_args_vkEnumeratePhysicalDevices *)call.args)->pPhysicalDevices);
    seen[0] = 0;
    wire_visit_reply(&call, &visitor);
    assert_string_equal(seen, "ret=VK_SUCCESS pPhysicalDeviceCount=100000 ");
}

// Its arrays would be measured by what another command's arguments hold at that place.
static void test_a_reply_of_another_command_is_refused(void **state)
{
    struct stream s = {.size = 0};
    put_command(&s, WIRE_vkEnumerateInstanceVersion, WIRE_FLAG_REPLY);
    PRESENT(&s);
    ACCEPT(&s);
    struct stream reply = {.size = 0};
    put32(&reply, WIRE_vkGetPipelineCacheData);
    put32(&reply, VK_SUCCESS);
    PRESENT(&reply);
    put64(&reply, 8);
    put64(&reply, 8);
    put64(&reply, 0);
    decoder.cursor = reply.data;
    decoder.end = reply.data + reply.size;
    assert_false(wire_decode_reply(&decoder, &call));
    assert_string_equal(decoder.reason, "the reply of another command");
}

static void test_names_of_values(void **state)
{
    assert_string_equal(wire_handle_name(WIRE_HANDLE_NONE), "");
    assert_string_equal(wire_handle_name(WIRE_HANDLE_DEVICE_MEMORY), "VkDeviceMemory");
    assert_string_equal(wire_handle_name(WIRE_HANDLE_COUNT), "");
    assert_null(wire_enumerant(0, 0));
}

// ---- hook and measure -----------------------------------------------------

static uint64_t identify(void *context, enum wire_handle type, uint64_t handle)
{
    assert_int_equal(type, ((enum wire_handle *)context)[resolved]);
    resolved++;
    return handle - 1000;
}

static void test_encoder_turns_handles_back_into_ids(void **state)
{
    struct stream s = {.size = 0};
    put_command(&s, WIRE_vkCmdBindDescriptorSets, 0);
    put64(&s, 1);
    put32(&s, VK_PIPELINE_BIND_POINT_COMPUTE);
    put64(&s, 2);
    put32(&s, 0);
    put32(&s, 3);
    put64(&s, 3);
    put64(&s, 4);
    put64(&s, 0);
    put64(&s, 5);
    put32(&s, 0);
    NONE(&s);
    use_resolve();
    ACCEPT(&s);
    assert_int_equal(resolved, 4);
    uint8_t out[4096];
    struct wire_encoder encoder = {.cursor = out,
                                   .end = out + sizeof(out),
                                   .identify = identify,
                                   .identify_context = resolved_types};
    resolved = 0;
    assert_true(wire_encode_request(&encoder, &call));
    assert_int_equal(resolved, 4);
    assert_int_equal(encoder.cursor - out, s.size);
    assert_same("vkCmdBindDescriptorSets", out, s.data, s.size);
}

static void test_measure_is_what_encoding_writes(void **state)
{
    struct stream s = {.size = 0};
    put_application(&s);
    ACCEPT(&s);
    assert_int_equal(wire_measure_request(&call), s.size);
    assert_int_equal(wire_measure_reply(&call), 4 + 4 + 8 + 8);
    call.number = WIRE_COMMAND_COUNT;
    assert_true(wire_measure_request(&call) == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_merged_members_have_names),
        TEST(test_strings_pointers_and_arrays),
        TEST(test_enums_flags_and_chains),
        TEST(test_structures_that_are_copied_have_names),
        TEST(test_results_are_of_the_reply),
        TEST(test_a_reply_does_not_lengthen_arrays_of_the_request),
        TEST(test_a_reply_of_another_command_is_refused),
        TEST(test_names_of_values),
        TEST(test_encoder_turns_handles_back_into_ids),
        TEST(test_measure_is_what_encoding_writes),
    };
    return cmocka_run_group_tests(tests, NULL, finish_all);
}

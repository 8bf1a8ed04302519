// What holds for every command: sizes, features, queues; configuration space; capsets, EDID, UUIDs.
#include "gpu_test.h"

#include "../short.h"
#include "wire/capset.h"
#include "wire/wire.h"

static const struct known {
    uint32_t type, size; // of the whole request
    uint64_t features;   // needed
} known[] = {
    {GPU_CMD_GET_DISPLAY_INFO, 24, 0},
    {GPU_CMD_RESOURCE_CREATE_2D, 40, 0},
    {GPU_CMD_RESOURCE_UNREF, 32, 0},
    {GPU_CMD_SET_SCANOUT, 48, 0},
    {GPU_CMD_RESOURCE_FLUSH, 48, 0},
    {GPU_CMD_TRANSFER_TO_HOST_2D, 56, 0},
    {GPU_CMD_RESOURCE_ATTACH_BACKING, 32, 0},
    {GPU_CMD_RESOURCE_DETACH_BACKING, 32, 0},
    {GPU_CMD_GET_CAPSET_INFO, 32, 1 << GPU_F_VIRGL},
    {GPU_CMD_GET_CAPSET, 32, 1 << GPU_F_VIRGL},
    {GPU_CMD_GET_EDID, 32, 1 << GPU_F_EDID},
    {GPU_CMD_RESOURCE_ASSIGN_UUID, 32, 1 << GPU_F_RESOURCE_UUID},
    {GPU_CMD_RESOURCE_CREATE_BLOB, 56, 1 << GPU_F_RESOURCE_BLOB},
    {GPU_CMD_SET_SCANOUT_BLOB, 96, 1 << GPU_F_RESOURCE_BLOB},
    {GPU_CMD_CTX_CREATE, 96, 1 << GPU_F_VIRGL},
    {GPU_CMD_CTX_DESTROY, 24, 1 << GPU_F_VIRGL},
    {GPU_CMD_CTX_ATTACH_RESOURCE, 32, 1 << GPU_F_VIRGL},
    {GPU_CMD_CTX_DETACH_RESOURCE, 32, 1 << GPU_F_VIRGL},
    {GPU_CMD_SUBMIT_3D, 32, 1 << GPU_F_VIRGL},
    {GPU_CMD_RESOURCE_MAP_BLOB, 40, 1 << GPU_F_RESOURCE_BLOB},
    {GPU_CMD_RESOURCE_UNMAP_BLOB, 32, 1 << GPU_F_RESOURCE_BLOB},
};
enum { KNOWN = sizeof(known) / sizeof(known[0]) };

static void short_requests_are_refused(void **state)
{
    struct machine *machine = *state;
    uint8_t bytes[128] = {0};
    for (unsigned i = 0; i < KNOWN; i++) {
        for (uint32_t size = 0; size < known[i].size; size++) {
            memcpy(bytes, &known[i].type, 4);
            uint32_t type = answer_type(machine_send(machine, GPU_CONTROL_QUEUE, bytes, size));
            assert_int_equal(type, size < 24 ? UNSPEC : BAD_PARAMETER);
        }
        // Zeroes throughout name no object: answered, whatever the answer is, also in many parts.
        machine->split = 13;
        assert_true(machine_send(machine, GPU_CONTROL_QUEUE, bytes, known[i].size)->done);
        machine->split = 0;
    }
}

static void unknown_commands_are_refused(void **state)
{
    struct machine *machine = *state;
    static const uint32_t types[] = {0,     1,      0xff,       0x10e,
                                     0x204, 0x205,  0x206,      0x20a,
                                     0x302, 0x1100, UINT32_MAX, GPU_CMD_UPDATE_CURSOR};
    uint8_t body[96] = {0};
    for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        assert_int_equal(machine_now(machine, types[i], body, sizeof(body)), UNSPEC);
    assert_int_equal(
        answer_type(machine_ask(machine, GPU_CURSOR_QUEUE, GPU_CMD_GET_DISPLAY_INFO, NULL, 0)),
        UNSPEC);
}

static void commands_need_their_feature(void **state)
{
    struct machine *machine = *state;
    uint8_t body[96] = {0};
    for (unsigned i = 0; i < KNOWN; i++) {
        gpu_device_set_features(machine->device, ~known[i].features);
        uint32_t type = machine_now(machine, known[i].type, body, known[i].size - 24);
        if (known[i].features)
            assert_int_equal(type, UNSPEC);
    }
}

static void a_response_needs_room(void **state)
{
    struct machine *machine = *state;
    // Without room for a header nothing can be said, and nothing is done.
    machine->room = 23;
    struct gpu_create_2d body = {1, PICTURE_FORMAT_B8G8R8A8, 4, 4};
    struct answer *answer =
        machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_RESOURCE_CREATE_2D, &body, sizeof(body));
    assert_true(answer->done);
    assert_int_equal(answer->written, 0);
    machine->room = ROOM;
    assert_int_equal(create_2d(machine, 1, PICTURE_FORMAT_B8G8R8A8, 4, 4), OK);
    // Without room for what belongs to it, an error.
    machine->room = sizeof(struct gpu_header) + sizeof(struct gpu_display_info) - 1;
    answer = machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_GET_DISPLAY_INFO, NULL, 0);
    assert_int_equal(answer_type(answer), BAD_PARAMETER);
    assert_int_equal(answer->written, sizeof(struct gpu_header));
    for (uint32_t i = answer->written; i < ROOM; i++)
        assert_int_equal(answer->bytes[i], 0);
}

static void features_follow_the_options(void **state)
{
    (void)state;
    struct gpu_options options = machine_options();
    struct machine *machine = machine_create(&options);
    assert_int_equal(gpu_device_features(machine->device), 0x1f);
    machine_destroy(machine);
    options.page_size = 16384;
    machine = machine_create(&options);
    assert_int_equal(gpu_device_features(machine->device), 0x3f);
    struct gpu_config config;
    gpu_device_read_config(machine->device, 0, &config, sizeof(config));
    assert_int_equal(config.blob_alignment, 16384);
    machine_destroy(machine);
    options.venus = false;
    options.page_size = 4096;
    options.aperture_size = 0;
    machine = machine_create(&options);
    assert_int_equal(gpu_device_features(machine->device), 0x0e);
    gpu_device_read_config(machine->device, 0, &config, sizeof(config));
    assert_int_equal(config.num_capsets, 0);
    machine_destroy(machine);
}

static void impossible_options_are_refused(void **state)
{
    (void)state;
    struct os_loop *loop = new_loop();
    struct gpu_front front = {0};
    struct link_pool pool = {0};
    struct gpu_options good = machine_options();
    good.pool = &pool;
    struct gpu_options bad[10];
    for (unsigned i = 0; i < 10; i++)
        bad[i] = good;
    bad[0].outputs = 0;
    bad[1].outputs = 17;
    bad[2].width = 0;
    bad[3].height = 20000;
    bad[4].aperture_size = 3 << 20;
    bad[5].page_size = 5000;
    bad[6].page_size = 1024;
    bad[7].aperture_size = 0; // Venus without an aperture
    bad[8].pool = NULL;       // without workers
    bad[9].aperture_size = 2048;
    for (unsigned i = 0; i < 10; i++) {
        errno = 0;
        assert_null(gpu_device_create(loop, &bad[i], &front));
        assert_int_equal(errno, EINVAL);
    }
    struct gpu_device *device = gpu_device_create(loop, &good, &front);
    assert_non_null(device);
    gpu_device_destroy(device);
    gpu_device_destroy(NULL);
    os_loop_destroy(loop);
}

static void configuration_is_read_in_any_pieces(void **state)
{
    struct machine *machine = *state;
    uint8_t whole[24], bytes[24];
    gpu_device_read_config(machine->device, 0, whole, sizeof(whole));
    struct gpu_config config;
    memcpy(&config, whole, sizeof(config));
    assert_int_equal(config.events_read, 0);
    assert_int_equal(config.num_scanouts, 2);
    assert_int_equal(config.num_capsets, 1);
    assert_int_equal(config.blob_alignment, 0);
    for (uint32_t offset = 0; offset < 30; offset++) {
        memset(bytes, 0xaa, sizeof(bytes));
        gpu_device_read_config(machine->device, offset, bytes, 3);
        for (uint32_t i = 0; i < 3; i++)
            assert_int_equal(bytes[i], offset + i < 24 ? whole[offset + i] : 0);
    }
}

static void a_new_mode_is_an_event_until_it_is_cleared(void **state)
{
    struct machine *machine = *state;
    struct gpu_config config;
    assert_true(gpu_device_set_mode(machine->device, 1, 1920, 1080));
    assert_int_equal(machine->config_changes, 1);
    assert_true(gpu_device_set_mode(machine->device, 1, 1920, 1080)); // nothing new
    assert_int_equal(machine->config_changes, 1);
    gpu_device_read_config(machine->device, 0, &config, sizeof(config));
    assert_int_equal(config.events_read, GPU_EVENT_DISPLAY);
    uint32_t none = 0, all = ~0u;
    gpu_device_write_config(machine->device, 4, &none, 4);
    gpu_device_write_config(machine->device, 0, &all, 4); // not writable
    gpu_device_write_config(machine->device, 8, &all, 4);
    gpu_device_write_config(machine->device, 4, &all, 3);
    gpu_device_read_config(machine->device, 0, &config, sizeof(config));
    assert_int_equal(config.events_read, GPU_EVENT_DISPLAY);
    gpu_device_write_config(machine->device, 4, &all, 4);
    gpu_device_read_config(machine->device, 0, &config, sizeof(config));
    assert_int_equal(config.events_read, 0);

    struct gpu_display_info both;
    memcpy(&both,
           machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_GET_DISPLAY_INFO, NULL, 0)->bytes + 24,
           sizeof(both));
    assert_int_equal(both.modes[0].rect.x, 0);
    assert_int_equal(both.modes[1].rect.x, 1280); // side by side
    assert_true(gpu_device_set_mode(machine->device, 0, 0, 0));
    struct answer *answer =
        machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_GET_DISPLAY_INFO, NULL, 0);
    struct gpu_display_info info;
    memcpy(&info, answer->bytes + 24, sizeof(info));
    assert_int_equal(info.modes[0].enabled, 0);
    assert_int_equal(info.modes[1].enabled, 1);
    assert_int_equal(info.modes[1].rect.width, 1920);
    assert_int_equal(info.modes[2].enabled, 0);
    config.events_clear = ~0u; // QEMU writes all of it
    gpu_device_write_config(machine->device, 0, &config, sizeof(config));
    gpu_device_read_config(machine->device, 0, &config, sizeof(config));
    assert_int_equal(config.events_read, 0);
    assert_false(gpu_device_set_mode(machine->device, 2, 100, 100));
    assert_false(gpu_device_set_mode(machine->device, 0, 15, 100));
    assert_false(gpu_device_set_mode(machine->device, 0, 100, 16385));
}

static void read_edid(struct machine *machine, uint32_t output, struct gpu_edid *edid)
{
    struct gpu_get_edid body = {.scanout_id = output};
    struct answer *answer =
        machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_GET_EDID, &body, sizeof(body));
    assert_int_equal(answer_type(answer), GPU_RESP_OK_EDID);
    memcpy(edid, answer->bytes + 24, sizeof(*edid));
}

static void edid_has_the_screen_that_its_output_is_seen_on(void **state)
{
    struct machine *machine = *state;
    struct gpu_edid before, edid;
    unsigned changes = machine->config_changes;
    read_edid(machine, 0, &before);
    gpu_device_set_screen(machine->device, 0, 60, 96); // nothing new
    gpu_device_set_screen(machine->device, 0, 0, 0);
    gpu_device_set_screen(machine->device, 0, GPU_MAX_REFRESH + 1, GPU_MIN_DPI - 1);
    gpu_device_set_screen(machine->device, 2, 144, 192); // no such output
    assert_int_equal(machine->config_changes, changes);
    gpu_device_set_screen(machine->device, 0, 0, 192);
    assert_int_equal(machine->config_changes, changes + 1);
    read_edid(machine, 0, &edid);
    assert_int_equal(edid.edid[54], before.edid[54]);               // the clock
    assert_int_equal(edid.edid[66], (before.edid[66] | 0x100) / 2); // 338 mm
    gpu_device_set_screen(machine->device, 0, 120, 0);
    read_edid(machine, 0, &edid);
    unsigned clock = edid.edid[54] | edid.edid[55] << 8;
    assert_true(clock > 2 * (before.edid[54] | before.edid[55] << 8));
}

static void edid_says_what_a_person_wants(void **state)
{
    struct gpu_options options = machine_options();
    struct gpu_edid before, edid;
    (void)state;
    options.edid_refresh = 75;
    options.edid_dpi = 110;
    struct machine *machine = machine_create(&options);
    unsigned changes = machine->config_changes;
    read_edid(machine, 0, &before);
    gpu_device_set_screen(machine->device, 0, 144, 192);
    read_edid(machine, 0, &edid);
    assert_memory_equal(&before, &edid, sizeof(edid));
    assert_int_equal(machine->config_changes, changes);
    machine_destroy(machine);
}

static void edid_has_the_mode_of_its_output(void **state)
{
    struct machine *machine = *state;
    gpu_device_set_mode(machine->device, 1, 1366, 768);
    struct gpu_get_edid body = {.scanout_id = 1};
    struct answer *answer =
        machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_GET_EDID, &body, sizeof(body));
    assert_int_equal(answer_type(answer), GPU_RESP_OK_EDID);
    assert_int_equal(answer->written, 24 + sizeof(struct gpu_edid));
    struct gpu_edid edid;
    memcpy(&edid, answer->bytes + 24, sizeof(edid));
    assert_int_equal(edid.size, 128);
    assert_int_equal(edid.edid[54 + 2] | (edid.edid[54 + 4] >> 4) << 8, 1366);
    assert_int_equal(edid.edid[54 + 5] | (edid.edid[54 + 7] >> 4) << 8, 768);
    body.scanout_id = 2;
    assert_int_equal(machine_now(machine, GPU_CMD_GET_EDID, &body, sizeof(body)), BAD_SCANOUT);
}

static void the_capset_is_the_codecs(void **state)
{
    struct machine *machine = *state;
    struct gpu_get_capset_info which = {0};
    struct answer *answer =
        machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_GET_CAPSET_INFO, &which, sizeof(which));
    assert_int_equal(answer_type(answer), GPU_RESP_OK_CAPSET_INFO);
    struct gpu_capset_info info;
    memcpy(&info, answer->bytes + 24, sizeof(info));
    assert_int_equal(info.id, 4);
    assert_int_equal(info.max_version, 0);
    assert_int_equal(info.max_size, 160);
    which.index = 1;
    assert_int_equal(machine_now(machine, GPU_CMD_GET_CAPSET_INFO, &which, sizeof(which)),
                     BAD_PARAMETER);

    struct gpu_get_capset body = {.id = 4};
    answer = machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_GET_CAPSET, &body, sizeof(body));
    assert_int_equal(answer_type(answer), GPU_RESP_OK_CAPSET);
    assert_int_equal(answer->written, 24 + WIRE_CAPSET_SIZE);
    uint8_t capset[WIRE_CAPSET_SIZE];
    wire_capset(capset);
    assert_memory_equal(answer->bytes + 24, capset, sizeof(capset));
    uint32_t guest_vram;
    memcpy(&guest_vram, capset + 39 * 4, 4);
    assert_int_equal(guest_vram, 0);
    body.version = 1;
    assert_int_equal(machine_now(machine, GPU_CMD_GET_CAPSET, &body, sizeof(body)), BAD_PARAMETER);
    body = (struct gpu_get_capset){.id = 2};
    assert_int_equal(machine_now(machine, GPU_CMD_GET_CAPSET, &body, sizeof(body)), BAD_PARAMETER);
}

static struct gpu_uuid uuid_of(struct machine *machine, uint32_t id)
{
    struct gpu_resource_only body = {.resource_id = id};
    struct answer *answer =
        machine_ask(machine, GPU_CONTROL_QUEUE, GPU_CMD_RESOURCE_ASSIGN_UUID, &body, sizeof(body));
    assert_int_equal(answer_type(answer), GPU_RESP_OK_RESOURCE_UUID);
    struct gpu_uuid uuid;
    memcpy(&uuid, answer->bytes + 24, sizeof(uuid));
    return uuid;
}

static void uuids_are_unique_and_stay(void **state)
{
    struct machine *machine = *state;
    create_2d(machine, 1, PICTURE_FORMAT_B8G8R8A8, 1, 1);
    create_2d(machine, 2, PICTURE_FORMAT_B8G8R8A8, 1, 1);
    struct gpu_uuid first = uuid_of(machine, 1), second = uuid_of(machine, 2),
                    again = uuid_of(machine, 1);
    assert_memory_not_equal(&first, &second, sizeof(first));
    assert_memory_equal(&first, &again, sizeof(first));
    struct gpu_resource_only body = {.resource_id = 3};
    assert_int_equal(machine_now(machine, GPU_CMD_RESOURCE_ASSIGN_UUID, &body, sizeof(body)),
                     BAD_RESOURCE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DEVICE_TEST(short_requests_are_refused),
        DEVICE_TEST(unknown_commands_are_refused),
        DEVICE_TEST(commands_need_their_feature),
        DEVICE_TEST(a_response_needs_room),
        cmocka_unit_test(features_follow_the_options),
        cmocka_unit_test(impossible_options_are_refused),
        DEVICE_TEST(configuration_is_read_in_any_pieces),
        DEVICE_TEST(a_new_mode_is_an_event_until_it_is_cleared),
        DEVICE_TEST(edid_has_the_mode_of_its_output),
        DEVICE_TEST(edid_has_the_screen_that_its_output_is_seen_on),
        cmocka_unit_test(edid_says_what_a_person_wants),
        DEVICE_TEST(the_capset_is_the_codecs),
        DEVICE_TEST(uuids_are_unique_and_stay),
    };
    return RUN_IN_BOTH_FLAVOURS(tests);
}

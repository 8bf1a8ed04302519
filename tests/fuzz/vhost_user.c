// libFuzzer target: a front end, a driver and a placer that say anything in any order. The input is
// a list of actions.
#include "reader.h"
#include "vhost.h"

static void act(struct machine *m, struct input *in)
{
    switch (take(in, 1) % 12) {
    case 0:
        fuzz_message(m, in);
        break;
    case 1:
        write_memory(m, in);
        break;
    case 2: {
        unsigned q = take(in, 1) & 1;
        kick(m, q);
        break;
    }
    case 3:
        complete_request(m, in);
        break;
    case 4: {
        uint64_t result = take(in, 1);
        send_bytes(m->backend, (uint32_t)take(in, 1), (uint32_t)take(in, 1), &result, 8, NULL, 0);
        break;
    }
    case 5:
        start_driver(m, in, 0x1f);
        break;
    case 6:
        stop_driver(m);
        break;
    case 7:
        placer_answers(m, in, true);
        break;
    case 8:
        place(m, in);
        break;
    case 9:
        unplace(m, in);
        break;
    case 10:
        offer_request(m, in);
        break;
    default:
        turn(m);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    struct machine m = {0};
    create_machine(&m, vhost_user_create);
    meet(&m);
    if (take(&in, 1) & 1) {
        machine_aperture_set_placer(m.aperture, m.for_placer);
        placer_says_hello(&m, 3);
    } else {
        close(m.for_placer);
    }
    turn(&m);

    scarce_begin_for(data, size);
    while (in.at < in.end && m.transport)
        act(&m, &in);
    turn(&m);
    scarce_end();

    destroy_machine(&m);
    close_kicks();
    return 0;
}

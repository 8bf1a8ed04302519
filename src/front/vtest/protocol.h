// The vtest socket protocol, as far as Mesa's Venus driver speaks it. 32-bit little-endian words;
// see docs/vtest.md.
//
// request and reply: [length][command][payload]; length counts payload words, of CREATE_RENDERER
// bytes. There are no error replies: whoever breaks a rule is disconnected. A descriptor follows
// its reply with one byte of data of its own.
#ifndef VTEST_PROTOCOL_H
#define VTEST_PROTOCOL_H

enum vtest_command {
    VTEST_RESOURCE_UNREF = 3,
    VTEST_RESOURCE_BUSY_WAIT = 7,
    VTEST_CREATE_RENDERER = 8,
    VTEST_PING_PROTOCOL_VERSION = 10,
    VTEST_PROTOCOL_VERSION = 11,
    // from version 3
    VTEST_GET_PARAM = 15,
    VTEST_GET_CAPSET = 16,
    VTEST_CONTEXT_INIT = 17,
    VTEST_RESOURCE_CREATE_BLOB = 18,
    VTEST_SYNC_CREATE = 19,
    VTEST_SYNC_UNREF = 20,
    VTEST_SYNC_READ = 21,
    VTEST_SYNC_WRITE = 22,
    VTEST_SYNC_WAIT = 23,
    VTEST_SUBMIT_CMD2 = 24,
    VTEST_COMMAND_END,
};

enum {
    VTEST_VERSION = 4,         // ours
    VTEST_MINIMUM_VERSION = 3, // below it there are no contexts

    VTEST_PARAM_MAX_TIMELINE_COUNT = 1,
    VTEST_TIMELINE_COUNT = 64,

    VTEST_CAPSET_VENUS = 4,

    VTEST_BLOB_TYPE_HOST3D = 2,

    VTEST_WAIT_ANY = 1,

    VTEST_BATCH_RING_IDX = 1, // flags of a batch
};

#endif

#include "link/form.h"

#include <string.h>

#include "link/context_messages.h"
#include "link/display_messages.h"
#include "link/trace_messages.h"

static bool display_well_formed(const struct link_header *header, const uint8_t *payload)
{
    size_t size = header->size;
    unsigned fds = header->fd_count;
    switch (header->type) {
    case LINK_DISPLAY_SETUP: {
        const struct link_display_setup *setup = (const void *)payload;
        return size == sizeof(*setup) && !fds && memchr(setup->name, 0, sizeof(setup->name));
    }
    case LINK_FILE_OPEN:
        return size == sizeof(struct link_file_open) && fds == 1;
    case LINK_FILE_CLOSE:
        return size == sizeof(struct link_file_close) && !fds;
    case LINK_PICTURE:
        return size == sizeof(struct link_picture) && !fds;
    case LINK_FRAME:
        return size == sizeof(struct link_frame) && !fds;
    case LINK_CURSOR_SHAPE: {
        const struct link_cursor_shape *shape = (const void *)payload;
        return size >= sizeof(*shape) && !fds && shape->width && shape->height &&
               shape->width <= LINK_MAX_CURSOR && shape->height <= LINK_MAX_CURSOR &&
               size - sizeof(*shape) == (size_t)shape->width * shape->height * 4;
    }
    case LINK_CURSOR_MOVE:
        return size == sizeof(struct link_cursor_move) && !fds;
    case LINK_MACHINE_CONDITION:
        return size == sizeof(struct link_machine_condition) && !fds;
    case LINK_KEYBOARD_LEDS:
        return size == sizeof(struct link_keyboard_leds) && !fds;
    case LINK_CLIPBOARD:
        return size <= LINK_MAX_CLIPBOARD && !fds;
    case LINK_CLIPBOARD_COPIED:
        return size && size <= LINK_MAX_CLIPBOARD && !fds;
    case LINK_DISPLAY_READY:
    case LINK_DISPLAY_CLOSED:
        return size == 0 && !fds;
    case LINK_FRAME_SHOWN:
        return size == sizeof(struct link_frame_shown) && !fds;
    case LINK_OUTPUT_MODE:
        return size == sizeof(struct link_output_mode) && !fds;
    case LINK_OUTPUT_SCREEN:
        return size == sizeof(struct link_output_screen) && !fds;
    case LINK_INPUT:
        return size && size % sizeof(struct link_input) == 0 &&
               size / sizeof(struct link_input) <= LINK_MAX_INPUTS && !fds;
    case LINK_DISPLAY_COUNTERS:
        return size == sizeof(struct link_display_counters) && !fds;
    }
    return false;
}

static bool trace_well_formed(const struct link_header *header, const uint8_t *payload)
{
    size_t size = header->size;
    if (header->fd_count)
        return false;
    switch (header->type) {
    case LINK_TRACE_HELLO: {
        const struct link_trace_hello *hello = (const void *)payload;
        return size == sizeof(*hello) && memchr(hello->name, 0, sizeof(hello->name));
    }
    case LINK_TRACE_COMMAND: {
        const struct link_trace_command *command = (const void *)payload;
        return size >= sizeof(*command) && command->request_size <= LINK_TRACE_MAX_BYTES &&
               command->reply_size <= LINK_TRACE_MAX_BYTES && command->request_size % 4 == 0 &&
               command->reply_size % 4 == 0 &&
               size - sizeof(*command) == (size_t)command->request_size + command->reply_size;
    }
    case LINK_TRACE_LOST:
        return size <= LINK_MAX_TEXT;
    }
    return false;
}

static bool context_well_formed(const struct link_header *header, const uint8_t *payload)
{
    size_t size = header->size;
    unsigned fds = header->fd_count;
    switch (header->type) {
    case LINK_CONTEXT_CREATE: {
        const struct link_context_create *create = (const void *)payload;
        return size == sizeof(*create) && fds <= 1 && memchr(create->name, 0, sizeof(create->name));
    }
    case LINK_SUBMIT: {
        const struct link_submit *submit = (const void *)payload;
        return size >= sizeof(*submit) && !fds && submit->byte_count == size - sizeof(*submit) &&
               submit->byte_count % 4 == 0;
    }
    case LINK_RESOURCE_ATTACH:
        return size == sizeof(struct link_resource_attach) && fds == 1;
    case LINK_RESOURCE_DETACH:
        return size == sizeof(struct link_resource_detach) && !fds;
    case LINK_BLOB_EXPORT:
        return size == sizeof(struct link_blob_export) && !fds;
    case LINK_TRACE:
        return size == 0 && fds == 1;
    case LINK_WORKER_REFUSALS:
        return size == 0 && fds == 1;
    case LINK_WORKER_READY:
        return size <= LINK_MAX_TEXT && !fds;
    case LINK_FENCE_RETIRED:
        return size && size % sizeof(struct link_fence_retired) == 0 && !fds;
    case LINK_BLOB_EXPORTED: {
        const struct link_blob_exported *exported = (const void *)payload;
        return size == sizeof(*exported) && exported->result <= 0 &&
               fds == (exported->result == 0 ? 1u : 0u);
    }
    case LINK_RESOURCE_ATTACHED:
        return size == sizeof(struct link_resource_attached) && !fds;
    case LINK_CONTEXT_LOST:
        return size <= LINK_MAX_TEXT && !fds;
    case LINK_CREATIONS_FAILED:
        return size == sizeof(struct link_creations_failed) && !fds;
    case LINK_MEMORY_ASK:
        return size == sizeof(struct link_memory_ask) && !fds &&
               ((const struct link_memory_ask *)payload)->kind < LINK_MEMORY_KINDS;
    case LINK_WORKER_CARD:
        return size == sizeof(struct link_worker_card) && !fds;
    case LINK_LEDGER_REFRESH:
        return size == sizeof(struct link_ledger_refresh) && !fds;
    }
    return false;
}

bool link_well_formed(const struct link_header *header, const uint8_t *payload)
{
    return context_well_formed(header, payload) || display_well_formed(header, payload) ||
           trace_well_formed(header, payload);
}

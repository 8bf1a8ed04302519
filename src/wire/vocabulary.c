// What the codec speaks: commands, extensions, the capset made from them.
#include "wire/capset.h"
#include "wire/table.h"

const struct wire_command_info *wire_command_info(uint32_t number)
{
    return number < WIRE_COMMAND_COUNT && wire_commands[number].name ? &wire_commands[number]
                                                                     : NULL;
}

const struct wire_extension *wire_extensions(uint32_t *count)
{
    *count = wire_vocabulary_extension_count;
    return wire_vocabulary_extensions;
}

// Written by hand, since a guest without a C library has no bsearch.
const struct wire_extension *wire_find_extension(const char *name)
{
    uint32_t low = 0, high = wire_vocabulary_extension_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int order = strcmp(name, wire_vocabulary_extensions[middle].name);
        if (!order)
            return wire_vocabulary_extensions + middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

uint32_t wire_vk_xml_version(void)
{
    return wire_vocabulary_version;
}

static uint32_t spec_version(const char *name)
{
    const struct wire_extension *extension = wire_find_extension(name);
    return extension ? extension->spec_version : 0;
}

void wire_capset(uint8_t capset[WIRE_CAPSET_SIZE])
{
    enum {
        FORMAT,
        XML,
        SERIALIZATION,
        PROTOCOL,
        BLOB_ID_0,
        MASK,
        WAIT_SYNCS = MASK + 32,
        TIMELINES,
        GUEST_VRAM
    };
    uint32_t words[WIRE_CAPSET_SIZE / 4] = {0};
    words[FORMAT] = 1;
    words[XML] = wire_vocabulary_version;
    words[SERIALIZATION] = spec_version("VK_EXT_command_serialization");
    words[PROTOCOL] = spec_version("VK_MESA_venus_protocol");
    words[BLOB_ID_0] = 1;
    words[MASK] = 1; // the mask is valid
    for (uint32_t i = 0; i < wire_vocabulary_extension_count; i++) {
        uint32_t number = wire_vocabulary_extensions[i].number;
        words[MASK + number / 32] |= 1u << number % 32;
    }
    words[WAIT_SYNCS] = 1;
    words[TIMELINES] = 1;
    words[GUEST_VRAM] = 0; // see docs/architecture.md: guests lock themselves up in that mode
    memcpy(capset, words, sizeof(words));
}

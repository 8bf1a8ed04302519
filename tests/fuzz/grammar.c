#include "grammar.h"

#include <string.h>

#include "venus/device.h"
#include "wire/name_table.h"
#include "wire/table.h"

static void run(struct grammar *g, const struct wire_op *first, uint8_t *base);

uint64_t grammar_random(struct grammar *g)
{
    uint64_t x = g->random += 0x9e3779b97f4a7c15ull;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

static bool chance(struct grammar *g, unsigned one_in)
{
    return grammar_random(g) % one_in == 0;
}

// ---- bytes ----------------------------------------------------------------

static void put(struct grammar *g, const void *bytes, size_t size)
{
    size_t padded = wire_pad(size);
    if (g->given_up || padded > sizeof(g->bytes) - g->size) {
        g->given_up = true;
        return;
    }
    memcpy(g->bytes + g->size, bytes, size);
    memset(g->bytes + g->size + size, 0, padded - size);
    g->size += padded;
}

static void put32(struct grammar *g, uint32_t value)
{
    put(g, &value, sizeof(value));
}

static void put64(struct grammar *g, uint64_t value)
{
    put(g, &value, sizeof(value));
}

static void *storage(struct grammar *g, size_t size)
{
    static uint8_t nowhere[4096];
    void *p = arena_alloc(&g->arena, size ? size : 1);
    if (!p) {
        g->given_up = true;
        return nowhere;
    }
    return p;
}

// ---- objects --------------------------------------------------------------

static const struct venus_object *find(struct grammar *g, enum wire_handle type, uint64_t id)
{
    const struct venus_object *object = venus_object_find(&g->context->objects, id);
    return object && (object->type & ~VENUS_INCOMPLETE) == type ? object : NULL;
}

// One that there is, of the device that the command is for; 0: none.
static uint64_t pick(struct grammar *g, enum wire_handle type)
{
    unsigned start = (unsigned)grammar_random(g);
    for (unsigned i = 0; i < GRAMMAR_IDS; i++) {
        uint64_t id = g->ids[type][(start + i) % GRAMMAR_IDS];
        const struct venus_object *object = id ? find(g, type, id) : NULL;
        if (!object || (g->has_device && object->device && object->device != g->device) ||
            (g->pool && object->parent != g->pool))
            continue;
        if (!g->has_device) {
            g->has_device = true;
            g->device = object->device;
        }
        return id;
    }
    return 0;
}

// What is freed from now on comes from the pool with this id.
static void choose_pool(struct grammar *g, enum wire_handle type, uint64_t id)
{
    if ((type == WIRE_HANDLE_COMMAND_POOL || type == WIRE_HANDLE_DESCRIPTOR_POOL) &&
        strncmp(wire_commands[g->command].name, "vkFree", 6) == 0)
        g->pool = find(g, type, id);
}

static uint64_t new_id(struct grammar *g, enum wire_handle type)
{
    uint64_t id = chance(g, 2000) ? grammar_random(g) % 64 : ++g->next_id;
    g->ids[type][g->next_id % GRAMMAR_IDS] = id;
    return id;
}

// ---- values ---------------------------------------------------------------

static const char *name_of(const struct wire_field *field)
{
    return wire_name_pool + field->name;
}

static uint64_t some_number(struct grammar *g)
{
    static const uint64_t odd[] = {0,          1,          2,         3,          4,
                                   8,          16,         64,        255,        256,
                                   1023,       4096,       65536,     1 << 20,    INT32_MAX,
                                   UINT32_MAX, 1ull << 32, INT64_MAX, UINT64_MAX, UINT64_MAX - 3};
    uint64_t r = grammar_random(g);
    return r % 4 ? (r >> 8) % 5 : odd[(r >> 8) % (sizeof(odd) / sizeof(odd[0]))];
}

// What a number of this name may be, for most numbers mean nothing to anybody.
static bool known_number(struct grammar *g, const char *name, uint64_t *value)
{
    static const struct {
        const char *name;
        uint8_t count;
        uint64_t values[6];
    } known[] = {
        {"queueFamilyIndex", 4, {0, 0, 1, 2}},
        {"queueIndex", 3, {0, 0, 1}},
        {"memoryTypeIndex", 6, {0, 1, 1, 2, 3, 4}},
        {"allocationSize", 6, {4096, 65536, 65536, 1, 1 << 20, 0}},
        {"resourceId", 5, {1, 2, 3, 3, 4}},
        {"ring", 4, {1, 2, 3, 4}},
        {"ringIdx", 5, {1, 2, 3, 4, 63}},
        {"timeout", 4, {0, 1000, 1000000, UINT64_MAX}},
        {"seqno", 4, {0, 0, 4, 64}},
        {"position", 4, {0, 0, 64, 16384}},
        {"offset", 5, {0, 0, 4, 4096, 65536}},
        {"size", 5, {4, 256, 4096, 65536, UINT64_MAX}},
        {"width", 5, {1, 4, 64, 65, 4096}},
        {"height", 5, {1, 4, 64, 65, 4096}},
        {"depth", 3, {1, 1, 4}},
        {"mipLevels", 3, {1, 1, 4}},
        {"arrayLayers", 3, {1, 1, 6}},
        {"layerCount", 4, {1, 1, 2, UINT32_MAX}},
        {"levelCount", 4, {1, 1, 2, UINT32_MAX}},
        {"mipLevel", 3, {0, 0, 1}},
        {"baseArrayLayer", 3, {0, 0, 1}},
        {"maxSets", 3, {1, 4, 64}},
        {"descriptorCount", 4, {0, 1, 1, 3}},
        {"commandBufferCount", 3, {1, 1, 2}},
        {"queryCount", 3, {1, 2, 64}},
        {"idleTimeout", 3, {0, 1000, 100000}},
        {"maxReportingPeriodMicroseconds", 3, {1000, 1000000, 0}},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(known[i].name, name) == 0) {
            *value = known[i].values[grammar_random(g) % known[i].count];
            return true;
        }
    }
    return false;
}

static uint64_t enumerant(struct grammar *g, const struct wire_field *field)
{
    const struct wire_enum *all = &wire_enums[field->type];
    if (!all->count || chance(g, 40))
        return some_number(g);
    uint64_t value = 0;
    unsigned times = field->kind == WIRE_KIND_FLAGS ? grammar_random(g) % 4 : 1;
    for (unsigned i = 0; i < times; i++)
        value |= (uint64_t)wire_enumerants[all->first + grammar_random(g) % all->count].value;
    return value;
}

static bool wished(struct grammar *g, const char *name, uint64_t *value)
{
    for (const struct grammar_wish *wish = g->wishes; wish && wish->name; wish++) {
        if (strcmp(wish->name, name) == 0) {
            *value = wish->value;
            return true;
        }
    }
    return false;
}

static uint64_t scalar(struct grammar *g, const struct wire_field *field)
{
    const char *name = name_of(field);
    uint64_t value;
    if (wished(g, name, &value))
        return value;
    switch (field->kind) {
    case WIRE_KIND_BOOL:
        return chance(g, 100) ? some_number(g) : grammar_random(g) % 2;
    case WIRE_KIND_ENUM:
    case WIRE_KIND_FLAGS:
        return enumerant(g, field);
    case WIRE_KIND_HANDLE:
        return chance(g, 60) ? some_number(g) : pick(g, field->type);
    case WIRE_KIND_FLOAT: {
        static const float floats[] = {0, 1, 0.5f, -1, 16};
        uint32_t bits;
        memcpy(&bits, &floats[grammar_random(g) % 5], 4);
        return bits;
    }
    default:
        return !chance(g, 30) && known_number(g, name, &value) ? value : some_number(g);
    }
}

static void store(uint8_t *place, uint32_t size, uint64_t value)
{
    memcpy(place, &value, size < 8 ? size : 8);
}

// All fields of a structure whose bytes are the same on the wire and in C.
static void fill_shape(struct grammar *g, uint32_t shape, uint8_t *place)
{
    const struct wire_field *field = wire_fields + wire_shapes[shape].first;
    for (uint32_t i = 0; i < wire_shapes[shape].count; i++, field++) {
        if (field->kind > WIRE_KIND_STRUCT)
            store(place + field->offset, field->size, scalar(g, field));
    }
}

// What the op moves as a whole; NULL: nothing that has a name.
static const struct wire_field *main_field(const struct wire_op *op)
{
    const uint16_t *fields = wire_op_fields + (op - wire_ops);
    for (uint32_t i = fields[0]; i < fields[1]; i++) {
        if (wire_fields[i].flags & WIRE_FIELD_MAIN)
            return &wire_fields[i];
    }
    return NULL;
}

// `count` values of `size` bytes for a pointer or an array.
static void fill_values(struct grammar *g, const struct wire_op *op, uint8_t *place, uint64_t count,
                        uint32_t size)
{
    const struct wire_field *field = main_field(op);
    const char *command = wire_commands[g->command].name;
    bool makes = strncmp(command, "vkFree", 6) != 0;
    for (uint64_t i = 0; i < count; i++, place += size) {
        if (!field)
            store(place, size, some_number(g));
        else if (field->kind == WIRE_KIND_STRUCT)
            fill_shape(g, field->type, place);
        else if (field->kind == WIRE_KIND_HANDLE && makes)
            store(place, size, new_id(g, field->type));
        else
            store(place, size, scalar(g, field));
    }
}

// ---- counts ---------------------------------------------------------------

static uint64_t small_count(struct grammar *g)
{
    uint64_t r = grammar_random(g) % 32;
    return r < 2 ? 0 : r < 24 ? 1 + r % 2 : r < 31 ? 3 : 9;
}

static bool is_array(const struct wire_op *op)
{
    return op->code >= WIRE_ARRAY && op->code <= WIRE_COUNTED_ARRAY_HANDLE;
}

static bool is_counted(const struct wire_op *op)
{
    return op->code >= WIRE_COUNTED_ARRAY && op->code <= WIRE_COUNTED_ARRAY_HANDLE;
}

// Puts small numbers where the lengths of the program's arrays lie, between two offsets.
static void fix_counters(struct grammar *g, const struct wire_op *first, uint8_t *base,
                         uint32_t from, uint32_t to)
{
    for (const struct wire_op *op = first; op->code != WIRE_END; op++) {
        if (!is_array(op))
            continue;
        struct wire_length length = {.kind = WIRE_LENGTH_MEMBER32, .a = op->b};
        if (!(op->flags & WIRE_OP_COUNT32))
            length = wire_lengths[op->b];
        if (length.a < from || length.a >= to)
            continue;
        uint64_t count = small_count(g);
        switch (length.kind) {
        case WIRE_LENGTH_MEMBER32:
            store(base + length.a, 4, count);
            break;
        case WIRE_LENGTH_MEMBER64:
            store(base + length.a, 8, count * 8);
            break;
        case WIRE_LENGTH_QUARTER64:
            store(base + length.a, 8, count * 4);
            break;
        case WIRE_LENGTH_BITS32:
            store(base + length.a, 4, 1u << count % 6);
            break;
        }
    }
}

static bool counts_by_pointer(const struct wire_op *first, uint32_t offset)
{
    for (const struct wire_op *op = first; op->code != WIRE_END; op++) {
        if (!is_array(op) || op->flags & WIRE_OP_COUNT32)
            continue;
        const struct wire_length *length = wire_lengths + op->b;
        if (length->a == offset &&
            (length->kind == WIRE_LENGTH_DEREF32 || length->kind == WIRE_LENGTH_DEREF64))
            return true;
    }
    return false;
}

// ---- what ops move --------------------------------------------------------

static void put_handle(struct grammar *g, const struct wire_op *op, uint8_t *field)
{
    const struct wire_field *described = main_field(op);
    const uint16_t *fields = wire_op_fields + (op - wire_ops);
    if (!described && fields[1] > fields[0])
        described = &wire_fields[fields[0]];
    enum wire_handle type = op->a ? op->a : described ? described->type : 0;
    bool wanted = op->code == WIRE_OBJECT || op->flags & WIRE_OP_NONNULL;
    uint64_t id = 0;
    unsigned null_in = op->flags & WIRE_OP_NONNULL ? 5000 : wanted ? 100 : 4;
    if (chance(g, 2000)) {
        id = some_number(g);
    } else if (!chance(g, null_in)) {
        id = pick(g, type);
        if (!id && wanted) {
            g->given_up = true;
            g->needed = type;
        }
    }
    choose_pool(g, type, id);
    wire_store64(field, id);
    put64(g, id);
}

static void put_handles(struct grammar *g, const struct wire_op *op, uint64_t count, uint8_t *to)
{
    for (uint64_t i = 0; i < count; i++, to += 8) {
        uint64_t id = pick(g, op->a);
        if (!id && op->flags & WIRE_OP_REQUIRED) {
            g->given_up = true;
            g->needed = op->a;
        }
        wire_store64(to, id);
        put64(g, id);
    }
}

static void put_string(struct grammar *g)
{
    uint32_t count;
    const struct wire_extension *extensions = wire_extensions(&count);
    char text[256];
    size_t size = 1;
    if (!chance(g, 4)) {
        const char *name = extensions[grammar_random(g) % count].name;
        size = strlen(name) + 1;
        memcpy(text, name, size);
    } else {
        size = 1 + grammar_random(g) % 32;
        for (size_t i = 0; i < size; i++)
            text[i] = (char)grammar_random(g);
        text[size - 1] = 0;
    }
    put64(g, size);
    put(g, text, size);
}

static void put_chain(struct grammar *g, const struct wire_op *op, uint8_t *parent,
                      const uint64_t *taken, unsigned links)
{
    const struct wire_struct *root = wire_structs + op->a;
    bool timeline = root->stype == VK_STRUCTURE_TYPE_DEVICE_QUEUE_INFO_2;
    if (!root->count || links == 4 || g->given_up || (g->plain && !timeline) ||
        (!chance(g, 3) && !(timeline && !links))) {
        put64(g, 0);
        return;
    }
    uint32_t index = grammar_random(g) % root->count;
    if (taken[index / 64] & 1ull << index % 64) {
        put64(g, 0);
        return;
    }
    uint64_t now_taken[WIRE_MAX_CHILDREN / 64];
    memcpy(now_taken, taken, sizeof(now_taken));
    now_taken[index / 64] |= 1ull << index % 64;
    const struct wire_child *child = wire_children + root->first + index;
    const struct wire_program *program =
        wire_programs + (op->flags & WIRE_OP_PARTIAL ? child->partial : child->full);
    uint8_t *object = storage(g, program->size);
    put64(g, 1);
    put32(g, (uint32_t)child->stype);
    put_chain(g, op, parent, now_taken, links + 1);
    run(g, wire_ops + program->first + 1, object);
}

static void put_union(struct grammar *g, const struct wire_op *op, uint8_t *base)
{
    const struct wire_union *un = wire_unions + op->a;
    int32_t tag = op->code == WIRE_SELECT
                      ? (int32_t)wire_load32(base + op->b)
                      : wire_arms[un->first + grammar_random(g) % un->count].tag;
    const struct wire_program *arm = wire_union_arm(un, tag);
    if (!arm) { // the selector comes first: give it one that there is
        g->given_up = true;
        return;
    }
    put32(g, (uint32_t)tag);
    run(g, wire_ops + arm->first, base + op->offset);
}

// The selector of a union is among the values: one of its arms.
static void fix_selectors(struct grammar *g, const struct wire_op *first, uint8_t *base,
                          uint32_t from, uint32_t to)
{
    for (const struct wire_op *op = first; op->code != WIRE_END; op++) {
        if (op->code == WIRE_SELECT && op->b >= from && op->b < to) {
            const struct wire_union *un = wire_unions + op->a;
            store(base + op->b, 4,
                  (uint32_t)wire_arms[un->first + grammar_random(g) % un->count].tag);
        }
    }
}

static void put_array(struct grammar *g, const struct wire_op *first, const struct wire_op *op,
                      uint8_t *base)
{
    if (is_counted(op)) {
        const uint16_t *fields = wire_op_fields + (op - wire_ops);
        uint64_t count = small_count(g);
        for (uint32_t i = fields[0]; i < fields[1]; i++) {
            if (!(wire_fields[i].flags & WIRE_FIELD_MAIN))
                wished(g, name_of(&wire_fields[i]), &count);
        }
        store(base + op->b, 4, count);
        put(g, base + op->b, 4);
    }
    uint64_t count = op->flags & WIRE_OP_COUNT32 ? wire_load32(base + op->b)
                                                 : wire_length(wire_lengths + op->b, base, 0);
    if (count && op->flags & WIRE_OP_OPTIONAL && chance(g, 6))
        count = 0;
    put64(g, count);
    if (!count)
        return;
    if (count > 256) {
        g->given_up = true;
        return;
    }
    const struct wire_program *program = wire_programs + op->a;
    uint8_t *array;
    switch (op->code) {
    case WIRE_ARRAY:
    case WIRE_COUNTED_ARRAY:
        array = storage(g, count * program->size);
        wire_store_pointer(base + op->offset, array);
        for (uint64_t i = 0; i < count; i++)
            run(g, wire_ops + program->first, array + i * program->size);
        break;
    case WIRE_ARRAY_COPY:
    case WIRE_COUNTED_ARRAY_COPY:
        array = storage(g, count * op->a);
        wire_store_pointer(base + op->offset, array);
        fill_values(g, op, array, count, op->a);
        put(g, array, count * op->a);
        break;
    case WIRE_ARRAY_HANDLE:
    case WIRE_COUNTED_ARRAY_HANDLE:
        array = storage(g, count * 8);
        wire_store_pointer(base + op->offset, array);
        put_handles(g, op, count, array);
        break;
    case WIRE_ARRAY_STRING:
        for (uint64_t i = 0; i < count; i++)
            put_string(g);
        break;
    case WIRE_ARRAY_POINTER:
        for (uint64_t i = 0; i < count; i++) {
            put64(g, 1);
            run(g, wire_ops + program->first, storage(g, program->size));
        }
        break;
    case WIRE_ARRAY_ARRAY:
        for (uint64_t i = 0; i < count; i++) {
            uint64_t inner = wire_length(wire_lengths + op->b + 1, base, i);
            put64(g, inner);
            if (inner > 64) {
                g->given_up = true;
                return;
            }
            array = storage(g, inner * op->a);
            fill_values(g, op, array, inner, op->a);
            put(g, array, inner * op->a);
        }
        break;
    default: // WIRE_ARRAY_OUT: nothing crosses
        break;
    }
    (void)first;
}

static void put_pointer(struct grammar *g, const struct wire_op *first, const struct wire_op *op,
                        uint8_t *base)
{
    if (op->flags & WIRE_OP_OPTIONAL && chance(g, 4)) {
        put64(g, 0);
        return;
    }
    put64(g, 1);
    const struct wire_program *program = wire_programs + op->a;
    uint8_t *target = storage(g, op->code == WIRE_POINTER ? program->size : op->a);
    wire_store_pointer(base + op->offset, target);
    if (op->code == WIRE_POINTER) {
        run(g, wire_ops + program->first, target);
    } else if (op->code == WIRE_POINTER_COPY) {
        fill_values(g, op, target, 1, op->a);
        if (counts_by_pointer(first, op->offset)) {
            const struct wire_field *field = main_field(op);
            uint64_t count = small_count(g);
            if (field)
                wished(g, name_of(field), &count);
            store(target, op->a, count);
        }
        put(g, target, op->a);
    }
}

static void put_copy(struct grammar *g, const struct wire_op *first, const struct wire_op *op,
                     uint8_t *base)
{
    const uint16_t *fields = wire_op_fields + (op - wire_ops);
    uint32_t end = op->offset + op->a;
    for (uint32_t i = fields[0]; i < fields[1]; i++) {
        const struct wire_field *field = wire_fields + i;
        if (field->kind > WIRE_KIND_STRUCT)
            store(base + field->offset, field->size, scalar(g, field));
    }
    fix_counters(g, first, base, op->offset, end);
    fix_selectors(g, first, base, op->offset, end);
    uint64_t value;
    for (uint32_t i = fields[0]; i < fields[1]; i++) {
        if (wire_fields[i].kind > WIRE_KIND_STRUCT && wished(g, name_of(&wire_fields[i]), &value))
            store(base + wire_fields[i].offset, wire_fields[i].size, value);
    }
    put(g, base + op->offset, op->a);
}

static void put_static(struct grammar *g, const struct wire_op *op, uint8_t *base)
{
    uint8_t *field = base + op->offset;
    put64(g, op->b);
    switch (op->code) {
    case WIRE_STATIC:
        for (uint32_t i = 0; i < op->b; i++)
            run(g, wire_ops + wire_programs[op->a].first, field + i * wire_programs[op->a].size);
        break;
    case WIRE_STATIC_HANDLE:
        put_handles(g, op, op->b, field);
        break;
    case WIRE_STATIC_COPY:
        fill_values(g, op, field, op->b, op->a / op->b);
        put(g, field, op->a);
        break;
    default:
        break;
    }
}

static void run(struct grammar *g, const struct wire_op *first, uint8_t *base)
{
    static const uint64_t none[WIRE_MAX_CHILDREN / 64];
    for (const struct wire_op *op = first; op->code != WIRE_END && !g->given_up; op++) {
        switch (op->code) {
        case WIRE_COPY:
        case WIRE_COPY4:
        case WIRE_COPY8:
        case WIRE_COPY16:
            put_copy(g, first, op, base);
            break;
        case WIRE_NARROW8:
        case WIRE_NARROW16: {
            uint32_t value = (uint32_t)some_number(g);
            store(base + op->offset, op->code == WIRE_NARROW8 ? 1 : 2, value);
            put32(g, value);
            break;
        }
        case WIRE_HANDLE:
        case WIRE_OBJECT:
            put_handle(g, op, base + op->offset);
            break;
        case WIRE_STRUCT:
            put32(g, (uint32_t)wire_structs[op->a].stype);
            put_chain(g, op, base + op->offset, none, 0);
            break;
        case WIRE_UNION:
        case WIRE_SELECT:
            put_union(g, op, base);
            break;
        case WIRE_ABSENT:
            put64(g, 0);
            break;
        case WIRE_SET32:
        case WIRE_ENUM:
            break;
        case WIRE_POINTER:
        case WIRE_POINTER_COPY:
        case WIRE_POINTER_OUT:
            put_pointer(g, first, op, base);
            break;
        case WIRE_STRING:
            put_string(g);
            break;
        case WIRE_STATIC:
        case WIRE_STATIC_COPY:
        case WIRE_STATIC_HANDLE:
        case WIRE_STATIC_OUT:
            put_static(g, op, base);
            break;
        default:
            put_array(g, first, op, base);
            break;
        }
    }
}

// ---- commands -------------------------------------------------------------

static enum wire_command makers[WIRE_HANDLE_COUNT];

static void find_makers(void)
{
    for (uint32_t number = 0; number < WIRE_COMMAND_COUNT; number++) {
        const struct wire_command_info *info = wire_command_info(number);
        if (!info || !info->reply || strncmp(info->name, "vkFree", 6) == 0)
            continue;
        for (const struct wire_op *op = info->request; op->code != WIRE_END; op++) {
            const struct wire_field *field =
                op->code == WIRE_POINTER_COPY || is_array(op) ? main_field(op) : NULL;
            if (field && field->kind == WIRE_KIND_HANDLE && op->code != WIRE_ARRAY_HANDLE &&
                op->code != WIRE_COUNTED_ARRAY_HANDLE && !makers[field->type])
                makers[field->type] = number;
        }
    }
    makers[WIRE_HANDLE_QUEUE] = WIRE_vkGetDeviceQueue2;
}

enum wire_command grammar_maker(enum wire_handle type)
{
    return type < WIRE_HANDLE_COUNT ? makers[type] : 0;
}

void grammar_init(struct grammar *g)
{
    if (!makers[WIRE_HANDLE_QUEUE])
        find_makers();
    memset(g, 0, sizeof(*g));
    arena_init(&g->arena, 1 << 20);
}

void grammar_finish(struct grammar *g)
{
    arena_finish(&g->arena);
}

bool grammar_write(struct grammar *g, struct venus_context *context, enum wire_command command,
                   uint32_t flags)
{
    const struct wire_command_info *info = wire_command_info(command);
    g->size = 0;
    g->given_up = false;
    g->needed = 0;
    g->command = command;
    g->context = context;
    g->pool = NULL;
    g->device = NULL;
    g->has_device = false;
    if (!info)
        return false;
    arena_reset(&g->arena);
    put32(g, command);
    put32(g, flags);
    run(g, info->request, storage(g, info->args_size));
    return !g->given_up;
}

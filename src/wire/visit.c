// Walks C structures by the programs of the codec and the names beside them. What an op moves is
// said in encode.c; here it is only named.
#include "wire/name_table.h"
#include "wire/table.h"

static void run(const struct wire_visitor *visitor, const struct wire_op *op, const uint8_t *base);

static void put(const struct wire_visitor *visitor, const struct wire_item *item)
{
    visitor->item(visitor->data, item);
}

static const char *text(uint32_t name)
{
    return wire_name_pool + name;
}

static const char *shape_name(uint32_t shape)
{
    return text(wire_shapes[shape].name);
}

// ---- structures -----------------------------------------------------------

static void run_program(const struct wire_visitor *visitor, uint32_t program, const char *name,
                        const uint8_t *base)
{
    const struct wire_group group = {.name = name, .type = shape_name(wire_program_shape[program])};
    if (!visitor->enter(visitor->data, &group))
        return;
    run(visitor, wire_ops + wire_programs[program].first, base);
    visitor->leave(visitor->data, &group);
}

// Handlers chain nothing of their own to what is visited, but what they do chain is left out.
static void run_chain(const struct wire_visitor *visitor, const struct wire_op *op,
                      const uint8_t *parent)
{
    const uint8_t *child = parent;
    while ((child = wire_load_pointer(child + offsetof(VkBaseOutStructure, pNext)))) {
        uint32_t index;
        const struct wire_struct *root = wire_structs + op->a;
        const struct wire_program *program = wire_chain_child(root, (int32_t)wire_load32(child),
                                                              op->flags & WIRE_OP_PARTIAL, &index);
        if (!program)
            continue;
        const struct wire_group group = {
            .name = "pNext", .type = shape_name(wire_program_shape[program - wire_programs])};
        if (!visitor->enter(visitor->data, &group))
            continue;
        run(visitor, wire_ops + program->first + 1, child);
        visitor->leave(visitor->data, &group);
    }
}

static void put_value(const struct wire_visitor *visitor, const struct wire_field *field,
                      const uint8_t *base)
{
    put(visitor, &(struct wire_item){.name = text(field->name),
                                     .kind = field->kind,
                                     .type = field->type,
                                     .size = field->size,
                                     .count = 1,
                                     .data = base + field->offset});
}

// A nested structure begins or ends. `passing`: structures around what comes next whose contents
// the visitor does not want.
static void bracket(const struct wire_visitor *visitor, const struct wire_field *field,
                    unsigned *passing)
{
    const struct wire_group group = {.name = text(field->name), .type = shape_name(field->type)};
    if (field->kind == WIRE_KIND_ENTER) {
        if (*passing || !visitor->enter(visitor->data, &group))
            ++*passing;
    } else if (*passing) {
        --*passing;
    } else {
        visitor->leave(visitor->data, &group);
    }
}

// Visits a structure whose bytes are the same on the wire and in C.
static void run_shape(const struct wire_visitor *visitor, uint32_t shape, const char *name,
                      const uint8_t *base)
{
    const struct wire_group group = {.name = name, .type = shape_name(shape)};
    if (!visitor->enter(visitor->data, &group))
        return;
    unsigned passing = 0;
    const struct wire_field *field = wire_fields + wire_shapes[shape].first;
    for (uint32_t i = 0; i < wire_shapes[shape].count; i++, field++) {
        if (field->kind == WIRE_KIND_ENTER || field->kind == WIRE_KIND_LEAVE)
            bracket(visitor, field, &passing);
        else if (!passing)
            put_value(visitor, field, base);
    }
    visitor->leave(visitor->data, &group);
}

// ---- pointers and arrays --------------------------------------------------

// Values side by side: `size` bytes each.
static void put_values(const struct wire_visitor *visitor, const struct wire_field *field,
                       const char *name, const uint8_t *data, uint64_t count, uint32_t size,
                       bool array)
{
    if (field->kind != WIRE_KIND_STRUCT || !data) {
        put(visitor, &(struct wire_item){.name = name,
                                         .kind = field->kind,
                                         .type = field->type,
                                         .size = size,
                                         .count = count,
                                         .array = array,
                                         .data = data});
        return;
    }
    if (!array) {
        run_shape(visitor, field->type, name, data);
        return;
    }
    const struct wire_group group = {.name = name, .array = true, .count = count};
    uint64_t wanted = visitor->enter(visitor->data, &group);
    for (uint64_t i = 0; i < count && i < wanted; i++)
        run_shape(visitor, field->type, NULL, data + i * size);
    if (wanted)
        visitor->leave(visitor->data, &group);
}

static void put_storage(const struct wire_visitor *visitor, const struct wire_field *field,
                        const void *data, uint64_t count, bool array)
{
    put(visitor, &(struct wire_item){.name = text(field->name),
                                     .kind = field->kind,
                                     .type = field->type,
                                     .count = count,
                                     .array = array,
                                     .storage = true,
                                     .data = data});
}

static void put_string(const struct wire_visitor *visitor, const char *name, const char *string)
{
    put(visitor, &(struct wire_item){.name = name,
                                     .kind = WIRE_KIND_CHAR,
                                     .size = 1,
                                     .count = string ? strlen(string) : 0,
                                     .array = true,
                                     .data = string});
}

static void put_element(const struct wire_visitor *visitor, const struct wire_op *op,
                        const struct wire_field *field, const uint8_t *base, const uint8_t *array,
                        uint64_t i)
{
    switch (op->code) {
    case WIRE_ARRAY_STRING:
        put_string(visitor, NULL, wire_load_pointer(array + i * sizeof(void *)));
        break;
    case WIRE_ARRAY_POINTER:
        run_program(visitor, op->a, NULL, wire_load_pointer(array + i * sizeof(void *)));
        break;
    case WIRE_ARRAY_ARRAY:
        put_values(visitor, field, NULL, wire_load_pointer(array + i * sizeof(void *)),
                   wire_length(wire_lengths + op->b + 1, base, i), op->a, true);
        break;
    default: // WIRE_ARRAY, WIRE_COUNTED_ARRAY, WIRE_STATIC
        run_program(visitor, op->a, NULL, array + i * wire_programs[op->a].size);
        break;
    }
}

static void put_elements(const struct wire_visitor *visitor, const struct wire_op *op,
                         const struct wire_field *field, const uint8_t *base, const uint8_t *array,
                         uint64_t count)
{
    const struct wire_group group = {.name = text(field->name), .array = true, .count = count};
    uint64_t wanted = visitor->enter(visitor->data, &group);
    for (uint64_t i = 0; i < count && i < wanted; i++)
        put_element(visitor, op, field, base, array, i);
    if (wanted)
        visitor->leave(visitor->data, &group);
}

static void put_array(const struct wire_visitor *visitor, const struct wire_op *op,
                      const struct wire_field *field, const uint8_t *base)
{
    const uint8_t *array = wire_load_pointer(base + op->offset);
    uint64_t count = 0;
    if (array)
        count = op->flags & WIRE_OP_COUNT32 ? wire_load32(base + op->b)
                                            : wire_length(wire_lengths + op->b, base, 0);
    switch (op->code) {
    case WIRE_ARRAY_OUT:
        put_storage(visitor, field, array, count, true);
        break;
    case WIRE_ARRAY_COPY:
    case WIRE_COUNTED_ARRAY_COPY:
        put_values(visitor, field, text(field->name), array, count, op->a, true);
        break;
    case WIRE_ARRAY_HANDLE:
    case WIRE_COUNTED_ARRAY_HANDLE:
        put_values(visitor, field, text(field->name), array, count, 8, true);
        break;
    default:
        if (array)
            put_elements(visitor, op, field, base, array, count);
        else
            put_values(visitor, field, text(field->name), NULL, 0, 0, true);
        break;
    }
}

static void put_union(const struct wire_visitor *visitor, const struct wire_op *op,
                      const struct wire_field *field, const uint8_t *base)
{
    const struct wire_union *un = wire_unions + op->a;
    int32_t tag = op->code == WIRE_SELECT ? (int32_t)wire_load32(base + op->b) : un->written;
    const struct wire_program *arm = wire_union_arm(un, tag);
    const struct wire_group group = {.name = text(field->name), .type = shape_name(field->type)};
    if (!arm || !visitor->enter(visitor->data, &group))
        return;
    run(visitor, wire_ops + arm->first, base + op->offset);
    visitor->leave(visitor->data, &group);
}

// What an op moves that is not a value at its place.
static void put_main(const struct wire_visitor *visitor, const struct wire_op *op,
                     const struct wire_field *field, const uint8_t *base)
{
    const uint8_t *place = base + op->offset;
    const char *name = text(field->name);
    switch (op->code) {
    case WIRE_POINTER:
        if (wire_load_pointer(place))
            run_program(visitor, op->a, name, wire_load_pointer(place));
        else
            put_values(visitor, field, name, NULL, 0, 0, false);
        break;
    case WIRE_POINTER_COPY:
        put_values(visitor, field, name, wire_load_pointer(place), 1, op->a, false);
        break;
    case WIRE_POINTER_OUT:
        put_storage(visitor, field, wire_load_pointer(place), 1, false);
        break;
    case WIRE_STRING:
        put_string(visitor, name, wire_load_pointer(place));
        break;
    case WIRE_STATIC:
        put_elements(visitor, op, field, base, place, op->b);
        break;
    case WIRE_STATIC_COPY:
        put_values(visitor, field, name, place, op->b, op->a / op->b, true);
        break;
    case WIRE_STATIC_HANDLE:
        put_values(visitor, field, name, place, op->b, 8, true);
        break;
    case WIRE_STATIC_OUT:
        put_storage(visitor, field, place, op->b, true);
        break;
    case WIRE_UNION:
    case WIRE_SELECT:
        put_union(visitor, op, field, base);
        break;
    case WIRE_ABSENT:
        put_values(visitor, field, name, NULL, 0, 0, false);
        break;
    default:
        put_array(visitor, op, field, base);
        break;
    }
}

// ---- ops ------------------------------------------------------------------

static void run_fields(const struct wire_visitor *visitor, const struct wire_op *op,
                       const uint8_t *base, unsigned *passing)
{
    const uint16_t *fields = wire_op_fields + (op - wire_ops);
    bool chained = op->code != WIRE_STRUCT;
    for (uint32_t i = fields[0]; i < fields[1]; i++) {
        const struct wire_field *field = wire_fields + i;
        if (field->kind == WIRE_KIND_LEAVE && !chained) { // the structure has nothing but a chain
            if (!*passing)
                run_chain(visitor, op, base + op->offset);
            chained = true;
        }
        if (field->kind == WIRE_KIND_ENTER || field->kind == WIRE_KIND_LEAVE)
            bracket(visitor, field, passing);
        else if (*passing || field->flags & WIRE_FIELD_OUTPUT)
            continue;
        else if (field->flags & WIRE_FIELD_MAIN)
            put_main(visitor, op, field, base);
        else
            put_value(visitor, field, base);
    }
    if (!chained && !*passing)
        run_chain(visitor, op, base + op->offset);
}

static void run(const struct wire_visitor *visitor, const struct wire_op *op, const uint8_t *base)
{
    unsigned passing = 0;
    for (; op->code != WIRE_END; op++)
        run_fields(visitor, op, base, &passing);
}

void wire_visit_request(const struct wire_call *call, const struct wire_visitor *visitor)
{
    run(visitor, call->info->request, call->args);
}

void wire_visit_reply(const struct wire_call *call, const struct wire_visitor *visitor)
{
    run(visitor, call->info->reply, call->args);
}

// ---- names ----------------------------------------------------------------

const char *wire_enumerant(uint32_t type, int64_t value)
{
    const struct wire_enumerant *enumerants = wire_enumerants + wire_enums[type].first;
    uint32_t low = 0, high = wire_enums[type].count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (enumerants[middle].value == value)
            return text(enumerants[middle].name);
        if (enumerants[middle].value < value)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const char *wire_handle_name(enum wire_handle type)
{
    return type < WIRE_HANDLE_COUNT ? text(wire_handle_names[type]) : "";
}

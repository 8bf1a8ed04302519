#include "trace/print.h"

#include <inttypes.h>
#include <string.h>

#include "wire/names.h"

enum { MAX_DEPTH = 32 };

// What is shown without --full.
enum {
    SHORT_TEXT = 64,
    SHORT_BYTES = 16,
    SHORT_VALUES = 8,
    SHORT_ELEMENTS = 4,
    SHORT_MEMBERS = 24,
    SHORT_RESULTS = 8, // members of a structure that was written
};

struct printer {
    FILE *out;
    bool full;
    unsigned most_members;
    bool has_result; // the first item of a reply is `ret`
    bool has_outputs;
    unsigned depth;
    struct {
        uint64_t count;  // items and groups so far
        uint64_t hidden; // elements of an array that are not shown
    } levels[MAX_DEPTH + 1];
};

// ---- values ---------------------------------------------------------------

static uint64_t load(const uint8_t *data, uint32_t size)
{
    uint64_t value = 0;
    memcpy(&value, data, size < sizeof(value) ? size : sizeof(value));
    return value;
}

static int64_t load_signed(const uint8_t *data, uint32_t size)
{
    unsigned unused = 64 - 8 * (size && size < 8 ? size : 8);
    return (int64_t)(load(data, size) << unused) >> unused;
}

// Text of the guest: nothing that a terminal would act on.
static void print_text(const struct printer *printer, const char *text, uint64_t count)
{
    uint64_t length = strnlen(text, count);
    uint64_t shown = printer->full || length <= SHORT_TEXT ? length : SHORT_TEXT;
    fputc('"', printer->out);
    for (uint64_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            fprintf(printer->out, "\\%c", c);
        else if (c == '\n')
            fputs("\\n", printer->out);
        else if (c < 0x20 || c >= 0x7f)
            fprintf(printer->out, "\\x%02x", c);
        else
            fputc(c, printer->out);
    }
    fputs(shown < length ? "\"..." : "\"", printer->out);
}

static void print_bytes(const struct printer *printer, const uint8_t *bytes, uint64_t count)
{
    uint64_t shown = printer->full || count <= SHORT_BYTES ? count : SHORT_BYTES;
    for (uint64_t i = 0; i < shown; i++)
        fprintf(printer->out, "%02x", bytes[i]);
    if (shown < count)
        fprintf(printer->out, "... (%" PRIu64 " bytes)", count);
}

static void print_flags(const struct printer *printer, uint32_t type, uint64_t value)
{
    const char *name = wire_enumerant(type, (int64_t)value), *between = "";
    if (name || !value) {
        fputs(name ? name : "0", printer->out);
        return;
    }
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t flag = value & 1ull << bit;
        name = flag ? wire_enumerant(type, (int64_t)flag) : NULL;
        if (name) {
            fprintf(printer->out, "%s%s", between, name);
            between = "|";
            value &= ~flag;
        }
    }
    if (value)
        fprintf(printer->out, "%s0x%" PRIx64, between, value);
}

static void print_handle(const struct printer *printer, uint32_t type, uint64_t id)
{
    const char *name = wire_handle_name(type);
    if (id)
        fprintf(printer->out, "%s#%" PRIu64, strncmp(name, "Vk", 2) ? name : name + 2, id);
    else
        fputs("VK_NULL_HANDLE", printer->out);
}

static void print_number(const struct printer *printer, const struct wire_item *item,
                         uint64_t value)
{
    if (item->name && (!strcmp(item->name, "apiVersion") || !strcmp(item->name, "pApiVersion")))
        fprintf(printer->out, "%u.%u.%u", VK_API_VERSION_MAJOR(value), VK_API_VERSION_MINOR(value),
                VK_API_VERSION_PATCH(value));
    else if (item->size == 8 && value == UINT64_MAX)
        fputs("UINT64_MAX", printer->out);
    else if (item->size == 4 && value == UINT32_MAX)
        fputs("UINT32_MAX", printer->out);
    else
        fprintf(printer->out, "%" PRIu64, value);
}

static void print_float(const struct printer *printer, const uint8_t *data, uint32_t size)
{
    double value;
    float narrow;
    memcpy(size == 8 ? (void *)&value : (void *)&narrow, data, size == 8 ? 8 : 4);
    fprintf(printer->out, "%.7g", size == 8 ? value : (double)narrow);
}

static void print_value(const struct printer *printer, const struct wire_item *item,
                        const uint8_t *data)
{
    int64_t number = load_signed(data, item->size);
    const char *name;
    switch (item->kind) {
    case WIRE_KIND_SIGNED:
        fprintf(printer->out, "%" PRId64, number);
        break;
    case WIRE_KIND_FLOAT:
        print_float(printer, data, item->size);
        break;
    case WIRE_KIND_BOOL:
        fputs(number == 1 ? "true" : number ? "true (not 1)" : "false", printer->out);
        break;
    case WIRE_KIND_ADDRESS:
        fprintf(printer->out, "0x%" PRIx64, load(data, item->size));
        break;
    case WIRE_KIND_ENUM:
        name = wire_enumerant(item->type, number);
        if (name)
            fputs(name, printer->out);
        else
            fprintf(printer->out, "%" PRId64, number);
        break;
    case WIRE_KIND_FLAGS:
        print_flags(printer, item->type, load(data, item->size));
        break;
    case WIRE_KIND_HANDLE:
        print_handle(printer, item->type, load(data, item->size));
        break;
    default:
        print_number(printer, item, load(data, item->size));
        break;
    }
}

static void print_values(const struct printer *printer, const struct wire_item *item)
{
    const uint8_t *data = item->data;
    uint64_t shown = printer->full || item->count <= SHORT_VALUES ? item->count : SHORT_VALUES;
    fputc('[', printer->out);
    for (uint64_t i = 0; i < shown; i++) {
        fputs(i ? ", " : "", printer->out);
        print_value(printer, item, data + i * item->size);
    }
    if (shown < item->count)
        fprintf(printer->out, ", ... %" PRIu64 " more", item->count - shown);
    fputc(']', printer->out);
}

// ---- the visit ------------------------------------------------------------

// Comma and name. False: enough of this structure has been shown.
static bool begin(struct printer *printer, const char *name)
{
    uint64_t before = printer->levels[printer->depth].count++;
    bool enough = !printer->full && name && printer->depth && before >= printer->most_members;
    if (!enough || before == printer->most_members)
        fputs(before ? ", " : "", printer->out);
    if (enough)
        fputs(before == printer->most_members ? "..." : "", printer->out);
    else if (name)
        fprintf(printer->out, "%s = ", name);
    return !enough;
}

static void on_item(void *data, const struct wire_item *item)
{
    struct printer *printer = data;
    if (!begin(printer, item->name))
        return;
    if (!item->data)
        fputs("NULL", printer->out);
    else if (item->storage)
        fputs("...", printer->out);
    else if (item->kind == WIRE_KIND_CHAR)
        print_text(printer, item->data, item->count);
    else if (item->kind == WIRE_KIND_BYTES || (item->array && item->size == 1))
        print_bytes(printer, item->data, item->count);
    else if (item->array)
        print_values(printer, item);
    else
        print_value(printer, item, item->data);
}

static uint64_t on_enter(void *data, const struct wire_group *group)
{
    struct printer *printer = data;
    if (!begin(printer, group->name))
        return 0;
    if (printer->depth == MAX_DEPTH) {
        fputs("{...}", printer->out);
        return 0;
    }
    bool chained = group->name && !strcmp(group->name, "pNext");
    uint64_t shown = group->count;
    if (group->array && !shown) {
        fputs("[]", printer->out);
        return 0;
    }
    if (!printer->full && shown > SHORT_ELEMENTS)
        shown = SHORT_ELEMENTS;
    if (chained)
        fprintf(printer->out, "%s ", group->type);
    fputc(group->array ? '[' : '{', printer->out);
    printer->depth++;
    printer->levels[printer->depth].count = 0;
    printer->levels[printer->depth].hidden = group->array ? group->count - shown : 0;
    return group->array ? shown : 1;
}

static void on_leave(void *data, const struct wire_group *group)
{
    struct printer *printer = data;
    if (printer->levels[printer->depth].hidden)
        fprintf(printer->out, ", ... %" PRIu64 " more", printer->levels[printer->depth].hidden);
    fputc(group->array ? ']' : '}', printer->out);
    printer->depth--;
}

void trace_print_request(FILE *out, const struct wire_call *call, bool full)
{
    struct printer printer = {.out = out, .full = full, .most_members = SHORT_MEMBERS};
    wire_visit_request(call, &(struct wire_visitor){&printer, on_item, on_enter, on_leave});
}

// ---- replies --------------------------------------------------------------

static void begin_reply(struct printer *printer, const char *name)
{
    if (printer->depth)
        return;
    if (!printer->levels[0].count && !printer->has_outputs && strcmp(name, "ret") == 0) {
        printer->has_result = true;
        fputs(" = ", printer->out);
    } else if (!printer->has_outputs) {
        printer->has_outputs = true;
        printer->levels[0].count = 0;
        fputs(" {", printer->out);
    }
}

static void on_result(void *data, const struct wire_item *item)
{
    struct printer *printer = data;
    begin_reply(printer, item->name ? item->name : "");
    struct wire_item nameless = *item;
    if (printer->has_result && !printer->has_outputs && !printer->depth)
        nameless.name = NULL;
    on_item(printer, &nameless);
}

static uint64_t on_enter_result(void *data, const struct wire_group *group)
{
    begin_reply(data, group->name ? group->name : "");
    return on_enter(data, group);
}

void trace_print_reply(FILE *out, const struct wire_call *call, bool full)
{
    struct printer printer = {.out = out, .full = full, .most_members = SHORT_RESULTS};
    wire_visit_reply(call, &(struct wire_visitor){&printer, on_result, on_enter_result, on_leave});
    if (printer.has_outputs)
        fputc('}', out);
}

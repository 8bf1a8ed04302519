// A visitor that reads all that it is shown, for tests that only want to know that it is there.
#ifndef TESTS_WIRE_VISITING_H
#define TESTS_WIRE_VISITING_H

#include "support.h"
#include "wire/names.h"

// Whoever visits may look at all that is there, and leaves what was entered.
static inline void look(void *data, const struct wire_item *item)
{
    const uint8_t *bytes = item->data;
    unsigned sum = 0;
    assert_true(item->kind > WIRE_KIND_STRUCT || item->storage || !bytes);
    for (uint64_t i = 0; bytes && !item->storage && i < item->count * item->size; i++)
        sum += bytes[i];
    (void)sum;
}

static inline uint64_t enter(void *data, const struct wire_group *group)
{
    ++*(int *)data;
    return UINT64_MAX;
}

static inline void leave(void *data, const struct wire_group *group)
{
    --*(int *)data;
}

static inline void visit(void (*function)(const struct wire_call *, const struct wire_visitor *),
                         const struct wire_call *call)
{
    int depth = 0;
    function(call, &(struct wire_visitor){&depth, look, enter, leave});
    assert_int_equal(depth, 0);
}

#endif

// Waits: a fence of the device process is retired when its work is done, however the work was
// submitted and whatever the driver runs out of; a device that is lost says so everywhere.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> // needs the four above

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "../short.h"
#include "fake_driver.h"
#include "os/clock.h"
#include "os/os.h"
#include "os/socket.h"
#include "venus/image.h"
#include "venus/loss.h"
#include "venus/memory.h"
#include "venus/pages.h"
#include "venus/queue.h"

enum { DEVICE = 3, QUEUE = 4, RING_IDX = 5, MAX_FENCES = 64 };

// One queue whose work goes on for as long as the test likes.
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned fences, fences_left, fences_gone;
    bool pending[MAX_FENCES + 1];
    bool done;        // all that was submitted
    VkResult answer;  // of submissions
    VkResult refused; // of looking at fences; VK_SUCCESS: none is
    VkResult kept;    // of resetting them; VK_SUCCESS: they are reset
    bool gives_up;    // the next wait ends with a lost device, and all fences are signalled
    unsigned looks;   // so many more, and all is done; 0: that is not how it ends
    unsigned submissions, fenced;
    bool holds;                    // submissions stay in the driver
    unsigned inside, devices_gone; // submissions that are in the driver; devices it has destroyed
} host = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static struct fake_context f;
static struct link *device_end; // of the device process
static struct venus_queue *queue;

static VKAPI_ATTR VkResult VKAPI_CALL create_fence(VkDevice d, const VkFenceCreateInfo *info,
                                                   const VkAllocationCallbacks *a, VkFence *fence)
{
    pthread_mutex_lock(&host.lock);
    bool ok = host.fences_left && host.fences < MAX_FENCES;
    if (ok) {
        host.fences_left--;
        *fence = (VkFence)(uintptr_t)++host.fences;
    }
    pthread_mutex_unlock(&host.lock);
    return ok ? VK_SUCCESS : VK_ERROR_OUT_OF_HOST_MEMORY;
}

static VKAPI_ATTR void VKAPI_CALL destroy_fence(VkDevice d, VkFence fence,
                                                const VkAllocationCallbacks *a)
{
    pthread_mutex_lock(&host.lock);
    host.fences_gone++;
    pthread_mutex_unlock(&host.lock);
}

static VKAPI_ATTR VkResult VKAPI_CALL get_fence_status(VkDevice d, VkFence fence)
{
    pthread_mutex_lock(&host.lock);
    host.done |= host.looks && --host.looks == 0;
    VkResult result = host.refused                                  ? host.refused
                      : host.pending[(uintptr_t)fence] && host.done ? VK_SUCCESS
                                                                    : VK_NOT_READY;
    pthread_mutex_unlock(&host.lock);
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL wait_for_fences(VkDevice d, uint32_t count,
                                                      const VkFence *fences, VkBool32 all,
                                                      uint64_t timeout)
{
    os_sleep_ns(1000000);
    pthread_mutex_lock(&host.lock);
    bool lost = host.gives_up;
    host.done |= lost;
    host.gives_up = false;
    pthread_mutex_unlock(&host.lock);
    if (lost)
        return VK_ERROR_DEVICE_LOST;
    VkResult result = get_fence_status(d, fences[0]);
    return result == VK_NOT_READY ? VK_TIMEOUT : result;
}

static VKAPI_ATTR VkResult VKAPI_CALL reset_fences(VkDevice d, uint32_t count,
                                                   const VkFence *fences)
{
    pthread_mutex_lock(&host.lock);
    VkResult result = host.kept;
    if (result == VK_SUCCESS)
        host.pending[(uintptr_t)fences[0]] = false;
    pthread_mutex_unlock(&host.lock);
    return result;
}

static VkResult submitted(VkFence fence)
{
    pthread_mutex_lock(&host.lock);
    host.submissions++;
    host.fenced += fence != VK_NULL_HANDLE;
    if (host.answer == VK_SUCCESS)
        host.pending[(uintptr_t)fence] = true;
    VkResult result = host.answer;
    host.inside++;
    while (host.holds)
        pthread_cond_wait(&host.changed, &host.lock);
    host.inside--;
    pthread_mutex_unlock(&host.lock);
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL submit(VkQueue q, uint32_t count, const VkSubmitInfo *infos,
                                             VkFence fence)
{
    return submitted(fence);
}

static VKAPI_ATTR VkResult VKAPI_CALL submit2(VkQueue q, uint32_t count, const VkSubmitInfo2 *infos,
                                              VkFence fence)
{
    return submitted(fence);
}

static VKAPI_ATTR VkResult VKAPI_CALL bind_sparse(VkQueue q, uint32_t count,
                                                  const VkBindSparseInfo *infos, VkFence fence)
{
    return submitted(fence);
}

static VKAPI_ATTR void VKAPI_CALL destroy_device(VkDevice d, const VkAllocationCallbacks *a)
{
    pthread_mutex_lock(&host.lock);
    host.devices_gone++;
    pthread_mutex_unlock(&host.lock);
}

// A buffer and memory as a command has found them, and what comes in their place while the driver
// binds them.
static struct venus_object *bound[3];
static struct venus_memory *newcomer;

static VKAPI_ATTR VkResult VKAPI_CALL bind_buffer(VkDevice d, VkBuffer buffer,
                                                  VkDeviceMemory memory, VkDeviceSize offset)
{
    static const struct venus_class class = {.size = sizeof(struct venus_memory)};
    struct venus_object_table *table = &f.context.objects;
    assert_ptr_equal(venus_object_remove(table, WIRE_HANDLE_BUFFER, 70), bound[1]);
    venus_object_free(table, bound[1]);
    newcomer = venus_object_alloc(table, &class, WIRE_HANDLE_DEVICE_MEMORY);
    assert_ptr_equal(newcomer, bound[1]);
    assert_true(venus_object_insert(table, &newcomer->base, 72));
    return VK_SUCCESS;
}

static PFN_vkVoidFunction more(const char *name)
{
    static const struct {
        const char *name;
        PFN_vkVoidFunction function;
    } table[] = {
#define ENTRY(name, function) {#name, (PFN_vkVoidFunction)function}
        ENTRY(vkCreateFence, create_fence),
        ENTRY(vkDestroyFence, destroy_fence),
        ENTRY(vkGetFenceStatus, get_fence_status),
        ENTRY(vkWaitForFences, wait_for_fences),
        ENTRY(vkResetFences, reset_fences),
        ENTRY(vkQueueSubmit, submit),
        ENTRY(vkQueueSubmit2, submit2),
        ENTRY(vkQueueBindSparse, bind_sparse),
        ENTRY(vkDestroyDevice, destroy_device),
        ENTRY(vkBindBufferMemory, bind_buffer),
#undef ENTRY
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(table[i].name, name) == 0)
            return table[i].function;
    }
    return NULL;
}

static void nothing_to_wake(struct venus_context *context, const char *lost)
{
}

static struct venus_queue *name_queue(void)
{
    const VkDeviceQueueTimelineInfoMESA timeline = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_TIMELINE_INFO_MESA, .ringIdx = RING_IDX};
    const VkDeviceQueueInfo2 info = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_INFO_2,
                                     .pNext = &timeline};
    VkQueue id = (VkQueue)(uintptr_t)QUEUE;
    struct wire_args_vkGetDeviceQueue2 args = {.pQueueInfo = &info, .pQueue = &id};
    struct venus_object *device = fake_find(&f, DEVICE);
    assert_true(fake_call(&f, WIRE_vkGetDeviceQueue2, &args, &device, 1, NULL));
    return (struct venus_queue *)fake_find(&f, QUEUE);
}

static VkResult start(unsigned fences)
{
    int fds[2];
    pthread_mutex_lock(&host.lock);
    host.fences = host.fences_gone = host.submissions = host.fenced = 0;
    host.fences_left = fences;
    host.done = false;
    host.answer = host.refused = host.kept = VK_SUCCESS;
    memset(host.pending, 0, sizeof(host.pending));
    pthread_mutex_unlock(&host.lock);
    fake_reset();
    fake.more = more;
    fake.unheard = true;
    fake_context_init(&f, false);
    assert_int_equal(os_socket_pair(fds), 0);
    link_destroy(f.context.link);
    f.context.link = new_link(fds[0], true);
    f.context.tells_loss = true;
    f.context.wake = nothing_to_wake;
    device_end = new_link(fds[1], true);
    fake_instance(&f);
    VkResult result = fake_device(&f, NULL, 0, NULL);
    if (result != VK_SUCCESS)
        return result;
    queue = name_queue();
    return VK_SUCCESS;
}

static void finish(void)
{
    fake_context_finish(&f);
    link_destroy(device_end);
}

// Submissions as a guest makes them that does not wait for the result.
static VkResult by_submit(void)
{
    struct wire_args_vkQueueSubmit args = {.queue = (VkQueue)(uintptr_t)queue->base.handle};
    assert_true(
        fake_call(&f, WIRE_vkQueueSubmit, &args, (struct venus_object *[]){&queue->base}, 1, NULL));
    return args.ret;
}

static VkResult by_submit2(void)
{
    struct wire_args_vkQueueSubmit2 args = {.queue = (VkQueue)(uintptr_t)queue->base.handle};
    assert_true(fake_call(&f, WIRE_vkQueueSubmit2, &args, (struct venus_object *[]){&queue->base},
                          1, NULL));
    return args.ret;
}

static VkResult by_bind_sparse(void)
{
    struct wire_args_vkQueueBindSparse args = {.queue = (VkQueue)(uintptr_t)queue->base.handle};
    assert_true(fake_call(&f, WIRE_vkQueueBindSparse, &args,
                          (struct venus_object *[]){&queue->base}, 1, NULL));
    return args.ret;
}

static unsigned look(const unsigned *number)
{
    pthread_mutex_lock(&host.lock);
    unsigned value = *number;
    pthread_mutex_unlock(&host.lock);
    return value;
}

static VkResult (*const paths[])(void) = {by_submit, by_submit2, by_bind_sparse};

static bool heard(int timeout_ms)
{
    struct pollfd poll_fd = {.fd = link_fd(device_end), .events = POLLIN};
    return poll(&poll_fd, 1, timeout_ms) == 1;
}

// The next fences to be retired are `first` and those after it, with these flags.
static void expect_retired(uint64_t first, uint64_t count, uint32_t flags)
{
    while (count) {
        struct link_message message;
        assert_int_equal(link_receive(device_end, &message), 0);
        assert_int_equal(message.type, LINK_FENCE_RETIRED);
        const struct link_fence_retired *retired = (const void *)message.payload;
        for (uint32_t i = 0; i < message.size / sizeof(*retired); i++, count--) {
            assert_int_equal(retired[i].fence_id, first++);
            assert_int_equal(retired[i].ring_idx, RING_IDX);
            assert_int_equal(retired[i].flags, flags);
        }
    }
}

static void set_done(bool done)
{
    pthread_mutex_lock(&host.lock);
    host.done = done;
    pthread_mutex_unlock(&host.lock);
}

static void work_with(unsigned fences)
{
    for (size_t path = 0; path < sizeof(paths) / sizeof(paths[0]); path++) {
        assert_int_equal(start(fences), VK_SUCCESS);
        for (uint64_t i = 1; i <= 20; i++) {
            assert_int_equal(paths[path](), VK_SUCCESS);
            venus_context_fence(&f.context, RING_IDX, i);
        }
        assert_false(heard(30)); // nothing is done
        set_done(true);
        expect_retired(1, 20, 0);
        finish();
    }
}

static void fences_wait_for_their_work(void **state)
{
    work_with(MAX_FENCES);
}

static void a_driver_without_fences_makes_them_late(void **state)
{
    work_with(3);
    work_with(1); // that of the device
}

static void a_driver_that_cannot_reset_them_is_asked_for_no_more(void **state)
{
    assert_int_equal(start(MAX_FENCES), VK_SUCCESS);
    set_done(true);
    for (uint64_t i = 1; i <= 2; i++) { // the second makes the first one's free
        assert_int_equal(by_submit(), VK_SUCCESS);
        venus_context_fence(&f.context, RING_IDX, i);
    }
    expect_retired(1, 2, 0);
    const unsigned made = look(&host.fences);
    pthread_mutex_lock(&host.lock);
    host.kept = VK_ERROR_OUT_OF_DEVICE_MEMORY;
    pthread_mutex_unlock(&host.lock);
    for (uint64_t i = 3; i <= 10; i++) {
        assert_int_equal(by_submit(), VK_SUCCESS);
        venus_context_fence(&f.context, RING_IDX, i);
    }
    assert_false(heard(30)); // nobody can say yet that it is done
    pthread_mutex_lock(&host.lock);
    host.kept = VK_SUCCESS;
    pthread_mutex_unlock(&host.lock);
    expect_retired(3, 8, 0);
    assert_int_equal(look(&host.fences), made);
    finish();
}

// A guest that asks about every seventh submission, then about every one, then about every third.
static void only_what_is_asked_about_has_a_fence(void **state)
{
    static const unsigned groups[] = {7, 7, 7, 7, 1, 1, 3, 3, 3};
    // What the waiter cannot know yet it pays for: with fences to no purpose, or a submission more.
    static const unsigned fenced[] = {7, 7, 1, 1, 1, 1, 3, 3, 1},
                          more[] = {0, 0, 0, 0, 1, 0, 0, 0, 0};
    assert_int_equal(start(MAX_FENCES), VK_SUCCESS);
    set_done(true);
    for (unsigned i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        host.submissions = host.fenced = 0;
        for (unsigned j = 0; j < groups[i]; j++)
            assert_int_equal(by_submit(), VK_SUCCESS);
        venus_context_fence(&f.context, RING_IDX, i + 1);
        expect_retired(i + 1, 1, 0);
        assert_int_equal(host.submissions, groups[i] + more[i]);
        assert_int_equal(host.fenced, fenced[i]);
    }
    finish();
}

// A guest that looks at memory of its own pays for no fences; if it asks after all, it is answered.
static void who_never_asks_has_no_fences(void **state)
{
    enum { MANY = 1000, FEW = 100 };
    assert_int_equal(start(MAX_FENCES), VK_SUCCESS);
    set_done(true);
    for (uint64_t turn = 1; turn <= 3; turn++) {
        for (unsigned i = 0; i < MANY; i++)
            assert_int_equal(by_submit(), VK_SUCCESS);
        assert_true(turn == 2 || host.fenced <= FEW); // after the first question it may ask again
        venus_context_fence(&f.context, RING_IDX, turn);
        expect_retired(turn, 1, 0);
        host.fenced = 0;
    }
    finish();
}

static void without_even_one_there_is_no_device(void **state)
{
    assert_int_equal(start(0), VK_ERROR_OUT_OF_HOST_MEMORY);
    assert_null(fake_find(&f, DEVICE));
    finish();
}

static void a_driver_that_cannot_look_makes_them_late(void **state)
{
    assert_int_equal(start(MAX_FENCES), VK_SUCCESS);
    host.refused = VK_ERROR_OUT_OF_HOST_MEMORY;
    assert_int_equal(by_submit(), VK_SUCCESS);
    venus_context_fence(&f.context, RING_IDX, 1);
    set_done(true);
    assert_false(heard(30));
    pthread_mutex_lock(&host.lock);
    host.refused = VK_SUCCESS;
    pthread_mutex_unlock(&host.lock);
    expect_retired(1, 1, 0);
    finish();
}

static void no_work_is_done_at_once(void **state)
{
    assert_int_equal(start(1), VK_SUCCESS);
    venus_context_fence(&f.context, RING_IDX, 1);
    expect_retired(1, 1, 0);
    finish();
}

static void the_time_of_a_wait_is_counted_however_short(void **state)
{
    static struct link_ledger page;
    assert_int_equal(start(MAX_FENCES), VK_SUCCESS);
    f.context.ledger.page = &page;
    assert_int_equal(by_submit(), VK_SUCCESS);
    pthread_mutex_lock(&host.lock);
    host.looks = 2;
    pthread_mutex_unlock(&host.lock);
    venus_context_fence(&f.context, RING_IDX, 1);
    expect_retired(1, 1, 0);
    assert_true(atomic_load(&page.counts[LINK_COUNT_BUSY_NS]) > 0);
    f.context.ledger.page = NULL;
    finish();
}

static void every_way_to_submit_may_lose_the_device(void **state)
{
    for (size_t path = 0; path < sizeof(paths) / sizeof(paths[0]); path++) {
        for (int i = 0; i < 2; i++) {
            assert_int_equal(start(MAX_FENCES), VK_SUCCESS);
            struct venus_device *device = queue->base.device;
            assert_int_equal(paths[path](), VK_SUCCESS);
            venus_context_fence(&f.context, RING_IDX, 1);
            host.answer = i ? VK_ERROR_DEVICE_LOST : VK_ERROR_OUT_OF_DEVICE_MEMORY;
            assert_int_equal(paths[path](), host.answer);
            assert_true(venus_device_lost(device));
            expect_retired(1, 1, LINK_FENCE_LOST); // its work may never be done
            host.answer = VK_SUCCESS;
            unsigned before = host.submissions;
            for (size_t other = 0; other < sizeof(paths) / sizeof(paths[0]); other++)
                assert_int_equal(paths[other](), VK_ERROR_DEVICE_LOST);
            assert_int_equal(host.submissions, before); // the driver is not asked again
            venus_context_fence(&f.context, RING_IDX, 2);
            expect_retired(2, 1, LINK_FENCE_LOST);
            finish();
        }
    }
}

static void a_lost_device_is_noticed_while_waiting(void **state)
{
    assert_int_equal(start(MAX_FENCES), VK_SUCCESS);
    assert_int_equal(by_submit(), VK_SUCCESS);
    venus_context_fence(&f.context, RING_IDX, 1);
    assert_false(heard(10));
    pthread_mutex_lock(&host.lock);
    host.refused = VK_ERROR_DEVICE_LOST;
    pthread_mutex_unlock(&host.lock);
    expect_retired(1, 1, LINK_FENCE_LOST);
    assert_true(venus_device_lost(queue->base.device));
    struct wire_args_vkDeviceWaitIdle idle = {0};
    struct venus_object *device = fake_find(&f, DEVICE);
    assert_true(fake_call(&f, WIRE_vkDeviceWaitIdle, &idle, &device, 1, NULL));
    assert_int_equal(idle.ret, VK_ERROR_DEVICE_LOST);
    struct wire_args_vkGetFenceStatus status = {0};
    assert_true(fake_call(&f, WIRE_vkGetFenceStatus, &status, &device, 1, NULL));
    assert_int_equal(status.ret, VK_ERROR_DEVICE_LOST);
    finish();
}

static void *wait_until_idle(void *data)
{
    struct wire_args_vkDeviceWaitIdle idle = {0};
    struct venus_object *device = &queue->base.device->base;
    assert_true(fake_call(&f, WIRE_vkDeviceWaitIdle, &idle, &device, 1, NULL));
    *(VkResult *)data = idle.ret;
    return NULL;
}

// The driver may still use it when the wait is given up.
static void the_fence_of_a_wait_that_was_given_up_goes_with_its_device(void **state)
{
    pthread_t waiter;
    VkResult result;
    assert_int_equal(start(MAX_FENCES), VK_SUCCESS);
    unsigned before = look(&host.fences_gone);
    assert_int_equal(pthread_create(&waiter, NULL, wait_until_idle, &result), 0);
    while (!look(&host.submissions))
        os_sleep_ns(1000000);
    venus_device_lose(queue->base.device, "another ring's vkQueueSubmit", VK_ERROR_DEVICE_LOST);
    pthread_join(waiter, NULL);
    assert_int_equal(result, VK_ERROR_DEVICE_LOST);
    assert_int_equal(look(&host.fences_gone), before);
    // Nor does it take more of them for a guest that goes on asking.
    unsigned made = look(&host.fences);
    for (int i = 0; i < 5; i++) {
        wait_until_idle(&result);
        assert_int_equal(result, VK_ERROR_DEVICE_LOST);
    }
    assert_true(look(&host.fences) <= made + 1);
    finish();
    assert_int_equal(look(&host.fences_gone), look(&host.fences));
}

// A driver that says it once, and calls everything done from then on.
static void a_loss_that_only_a_wait_tells_is_one(void **state)
{
    assert_int_equal(start(MAX_FENCES), VK_SUCCESS);
    assert_int_equal(by_submit(), VK_SUCCESS);
    venus_context_fence(&f.context, RING_IDX, 1);
    pthread_mutex_lock(&host.lock);
    host.gives_up = true;
    pthread_mutex_unlock(&host.lock);
    expect_retired(1, 1, LINK_FENCE_LOST);
    assert_true(venus_device_lost(queue->base.device));
    finish();
}

static void where_nobody_can_be_told_the_context_is_lost(void **state)
{
    assert_int_equal(start(MAX_FENCES), VK_SUCCESS);
    f.context.tells_loss = false;
    host.answer = VK_ERROR_DEVICE_LOST;
    by_submit();
    struct link_message message;
    assert_int_equal(link_receive(device_end, &message), 0);
    assert_int_equal(message.type, LINK_CONTEXT_LOST);
    assert_non_null(memmem(message.payload, message.size, "vkQueueSubmit", 13));
    finish();
}

// ---- a device that is destroyed on another ring ---------------------------

static void *submit_once(void *data)
{
    *(VkResult *)data = by_submit();
    return NULL;
}

// What vkDestroyDevice does; fake_call is the other thread's.
static void *destroy(void *data)
{
    venus_release(&f.context, venus_object_remove(&f.context.objects, WIRE_HANDLE_DEVICE, DEVICE));
    return NULL;
}

static void set_holds(bool holds)
{
    pthread_mutex_lock(&host.lock);
    host.holds = holds;
    pthread_cond_broadcast(&host.changed);
    pthread_mutex_unlock(&host.lock);
}

static void a_device_stays_for_the_submission_under_way(void **state)
{
    pthread_t submitter, destroyer;
    VkResult result;
    assert_int_equal(start(MAX_FENCES), VK_SUCCESS);
    unsigned gone = host.devices_gone; // one was made to find out what the driver can do
    set_holds(true);
    assert_int_equal(pthread_create(&submitter, NULL, submit_once, &result), 0);
    while (!look(&host.inside))
        os_sleep_ns(1000000);
    assert_int_equal(pthread_create(&destroyer, NULL, destroy, NULL), 0);
    while (fake_find(&f, DEVICE))
        os_sleep_ns(1000000);
    os_sleep_ns(20000000);
    assert_int_equal(look(&host.devices_gone), gone);
    set_holds(false);
    pthread_join(submitter, NULL);
    pthread_join(destroyer, NULL);
    assert_int_equal(result, VK_SUCCESS);
    assert_int_equal(host.devices_gone, gone + 1);
    finish();
}

// A ring has looked the queue up, and then another destroys the device.
static void who_comes_too_late_is_refused(void **state)
{
    static const uint32_t commands[] = {WIRE_vkQueueSubmit, WIRE_vkQueueSubmit2,
                                        WIRE_vkQueueBindSparse, WIRE_vkQueueWaitIdle};
    assert_int_equal(start(MAX_FENCES), VK_SUCCESS);
    struct venus_object *late = &queue->base, *device = &late->device->base;
    destroy(NULL);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        union {
            struct wire_args_vkQueueSubmit submit;
            struct wire_args_vkQueueSubmit2 submit2;
            struct wire_args_vkQueueBindSparse bind_sparse;
            struct wire_args_vkQueueWaitIdle wait_idle;
        } args = {0};
        const char *reason = NULL;
        assert_false(fake_call(&f, commands[i], &args, &late, 1, &reason));
        assert_non_null(reason);
    }
    struct wire_args_vkDeviceWaitIdle idle = {0};
    assert_false(fake_call(&f, WIRE_vkDeviceWaitIdle, &idle, &device, 1, NULL));
    struct wire_args_vkWaitSemaphoreResourceMESA wait = {0};
    assert_false(fake_call(&f, WIRE_vkWaitSemaphoreResourceMESA, &wait, &device, 1, NULL));
    // A command that has found the device lost when it comes back from the driver.
    pthread_mutex_lock(&host.lock);
    host.refused = VK_ERROR_DEVICE_LOST;
    pthread_mutex_unlock(&host.lock);
    struct wire_args_vkGetFenceStatus status = {0};
    assert_true(fake_call(&f, WIRE_vkGetFenceStatus, &status, &device, 1, NULL));
    assert_int_equal(status.ret, VK_ERROR_DEVICE_LOST);
    assert_int_equal(host.submissions, 0);
    finish();
}

// Nor does anything come to be below it.
static void what_is_made_too_late_is_not_there(void **state)
{
    assert_int_equal(start(MAX_FENCES), VK_SUCCESS);
    struct venus_object *device = &queue->base.device->base;
    static const struct venus_class class = {.size = sizeof(struct venus_object)};
    struct venus_object *object = venus_object_alloc(&f.context.objects, &class, WIRE_HANDLE_FENCE);
    assert_non_null(object);
    object->device = queue->base.device;
    object->parent = device;
    destroy(NULL);
    assert_false(venus_object_insert(&f.context.objects, object, 77));
    assert_null(fake_find(&f, 77));
    venus_object_free(&f.context.objects, object);
    finish();
}

static void what_took_the_place_of_a_bound_buffer_is_left_alone(void **state)
{
    static const struct venus_class of_buffer = {.size = sizeof(struct venus_buffer)},
                                    of_memory = {.size = sizeof(struct venus_memory)};
    static struct venus_pages pages = {.size = 4096};
    static const struct venus_memory untouched;
    const size_t head = sizeof(struct venus_object);
    assert_int_equal(start(MAX_FENCES), VK_SUCCESS);
    struct venus_object_table *table = &f.context.objects;
    struct venus_memory *memory = venus_object_alloc(table, &of_memory, WIRE_HANDLE_DEVICE_MEMORY);
    memory->pages = &pages;
    bound[0] = &queue->base.device->base;
    bound[1] = venus_object_alloc(table, &of_buffer, WIRE_HANDLE_BUFFER);
    bound[2] = &memory->base;
    assert_true(venus_object_insert(table, bound[1], 70));
    assert_true(venus_object_insert(table, bound[2], 71));
    struct wire_args_vkBindBufferMemory args = {.memoryOffset = 256};
    assert_true(fake_call(&f, WIRE_vkBindBufferMemory, &args, bound, 3, NULL));
    assert_int_equal(args.ret, VK_SUCCESS);
    assert_memory_equal((char *)newcomer + head, (const char *)&untouched + head,
                        sizeof(untouched) - head);
    for (uint64_t id = 71; id <= 72; id++)
        venus_object_free(table, venus_object_remove(table, WIRE_HANDLE_DEVICE_MEMORY, id));
    finish();
}

int main(int argc, char **argv)
{
    const struct os_options options = {.portable = argc > 1};
    os_init(&options);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fences_wait_for_their_work),
        cmocka_unit_test(a_driver_without_fences_makes_them_late),
        cmocka_unit_test(a_driver_that_cannot_reset_them_is_asked_for_no_more),
        cmocka_unit_test(only_what_is_asked_about_has_a_fence),
        cmocka_unit_test(who_never_asks_has_no_fences),
        cmocka_unit_test(without_even_one_there_is_no_device),
        cmocka_unit_test(a_driver_that_cannot_look_makes_them_late),
        cmocka_unit_test(no_work_is_done_at_once),
        cmocka_unit_test(the_time_of_a_wait_is_counted_however_short),
        cmocka_unit_test(every_way_to_submit_may_lose_the_device),
        cmocka_unit_test(a_lost_device_is_noticed_while_waiting),
        cmocka_unit_test(the_fence_of_a_wait_that_was_given_up_goes_with_its_device),
        cmocka_unit_test(a_loss_that_only_a_wait_tells_is_one),
        cmocka_unit_test(where_nobody_can_be_told_the_context_is_lost),
        cmocka_unit_test(a_device_stays_for_the_submission_under_way),
        cmocka_unit_test(who_comes_too_late_is_refused),
        cmocka_unit_test(what_is_made_too_late_is_not_there),
        cmocka_unit_test(what_took_the_place_of_a_bound_buffer_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

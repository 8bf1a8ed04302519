// A Vulkan driver that fails by plan. It passes every call on to a real driver; some calls of some
// commands do what the environment says instead:
//
//   PLAN_DRIVER=/path/libvulkan_lvp.so      the real driver
//   PLAN="vkQueueSubmit 3 VK_ERROR_OUT_OF_HOST_MEMORY; vkCreateFence 9+ -1; vkQueueSubmit 5 lose"
//
// A rule is COMMAND CALL WHAT. CALL counts from 1, in each process anew; "3+" means from the third
// call on. WHAT is a VkResult, by name or number, that is returned without asking the real driver;
// "sleep=MS", which only makes the call slow; or "lose": this and every later call that may say
// VK_ERROR_DEVICE_LOST says so. A command's KHR and EXT names count as the same command. One line
// on stderr says that a rule came true for the first time.
//
// Commands that return a VkResult and take up to eight integers or pointers can be named. All of
// them are passed on as eight words, which is right on the 64-bit machines that tests run on.
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <vulkan/vulkan.h>

#include "between.h"

#define MAX_RULES 32
#define MAX_COMMANDS 64

_Static_assert(sizeof(void *) == 8, "arguments are passed on as words of 64 bits");

struct rule {
    char command[64];
    unsigned long first, last; // calls that it is about
    enum { ANSWER, SLEEP, LOSE } what;
    long value; // the VkResult, or milliseconds
    atomic_ulong calls;
    atomic_flag told;
};

typedef uintptr_t word;
typedef VkResult (*command_function)(word, word, word, word, word, word, word, word);

// A command that has rules or may say that the device is lost.
struct command {
    const char *name;
    _Atomic(command_function) real;
};

static struct rule rules[MAX_RULES];
static unsigned rule_count;
static struct command commands[MAX_COMMANDS];
static unsigned command_count;
static atomic_bool lost;

static const char *const losers[] = {
    "vkQueueSubmit",
    "vkQueueSubmit2",
    "vkQueueBindSparse",
    "vkQueueWaitIdle",
    "vkDeviceWaitIdle",
    "vkGetFenceStatus",
    "vkWaitForFences",
    "vkGetEventStatus",
    "vkGetSemaphoreCounterValue",
    "vkWaitSemaphores",
    "vkGetQueryPoolResults",
    "vkQueueSubmit2KHR",
    "vkWaitSemaphoresKHR",
    "vkGetSemaphoreCounterValueKHR",
};

#define RESULT(name)                                                                               \
    {                                                                                              \
#name, name                                                                                \
    }
static const struct {
    const char *name;
    VkResult value;
} results[] = {
    RESULT(VK_SUCCESS),
    RESULT(VK_NOT_READY),
    RESULT(VK_TIMEOUT),
    RESULT(VK_ERROR_OUT_OF_HOST_MEMORY),
    RESULT(VK_ERROR_OUT_OF_DEVICE_MEMORY),
    RESULT(VK_ERROR_INITIALIZATION_FAILED),
    RESULT(VK_ERROR_DEVICE_LOST),
    RESULT(VK_ERROR_TOO_MANY_OBJECTS),
    RESULT(VK_ERROR_FRAGMENTED_POOL),
    RESULT(VK_ERROR_OUT_OF_POOL_MEMORY),
    RESULT(VK_ERROR_UNKNOWN),
};

static void fatal(const char *what)
{
    fprintf(stderr, "plan: %s\n", what);
    exit(2);
}

// ---- the plan -------------------------------------------------------------

static long result_of(const char *text)
{
    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        if (strcmp(results[i].name, text) == 0)
            return results[i].value;
    }
    char *end;
    const long value = strtol(text, &end, 10);
    if (!*text || *end)
        fatal("a rule ends with a VkResult, sleep=MS or lose");
    return value;
}

static void add_rule(const char *text)
{
    char calls[32], what[64];
    struct rule *rule = &rules[rule_count];
    if (rule_count == MAX_RULES || sscanf(text, "%63s %31s %63s", rule->command, calls, what) != 3)
        fatal("PLAN is COMMAND CALL WHAT; ...");
    char *end;
    rule->first = strtoul(calls, &end, 10);
    rule->last = *end == '+' ? UINT64_MAX : rule->first;
    if (strcmp(what, "lose") == 0) {
        rule->what = LOSE;
    } else if (strncmp(what, "sleep=", 6) == 0) {
        rule->what = SLEEP;
        rule->value = strtol(what + 6, NULL, 10);
    } else {
        rule->what = ANSWER;
        rule->value = result_of(what);
    }
    rule_count++;
}

__attribute__((constructor)) static void start(void)
{
    between_open("plan", "PLAN_DRIVER");
    const char *plan = getenv("PLAN");
    char *copy = strdup(plan ? plan : ""), *rest = NULL;
    for (char *text = strtok_r(copy, ";\n", &rest); text; text = strtok_r(NULL, ";\n", &rest)) {
        if (text[strspn(text, " ")])
            add_rule(text);
    }
    free(copy);
}

// ---- calls ----------------------------------------------------------------

static bool may_lose(const char *name)
{
    for (size_t i = 0; i < sizeof(losers) / sizeof(losers[0]); i++) {
        if (strcmp(losers[i], name) == 0)
            return true;
    }
    return false;
}

// True: *result is the answer.
static bool decide(const char *name, VkResult *result)
{
    bool decided = false;
    for (unsigned i = 0; i < rule_count; i++) {
        struct rule *rule = &rules[i];
        if (!between_same(rule->command, name))
            continue;
        const unsigned long call = atomic_fetch_add(&rule->calls, 1) + 1;
        if (call < rule->first || call > rule->last)
            continue;
        if (!atomic_flag_test_and_set(&rule->told))
            fprintf(stderr, "plan: call %lu of %s\n", call, name);
        if (rule->what == SLEEP) {
            const struct timespec nap = {rule->value / 1000, rule->value % 1000 * 1000000};
            nanosleep(&nap, NULL);
        } else {
            if (rule->what == LOSE)
                atomic_store(&lost, true);
            *result = rule->what == LOSE ? VK_ERROR_DEVICE_LOST : (VkResult)rule->value;
            decided = true;
        }
    }
    if (!decided && atomic_load(&lost) && may_lose(name)) {
        *result = VK_ERROR_DEVICE_LOST;
        decided = true;
    }
    return decided;
}

static VkResult call(unsigned number, word a, word b, word c, word d, word e, word f, word g,
                     word h)
{
    struct command *command = &commands[number];
    VkResult result = VK_SUCCESS;
    const bool decided = decide(command->name, &result);
    // The work that was taken in before must end before its objects do, lost or not.
    if (decided && strcmp(command->name, "vkDeviceWaitIdle") != 0)
        return result;
    const VkResult real = atomic_load(&command->real)(a, b, c, d, e, f, g, h);
    return decided ? result : real;
}

// One function for each number; a driver's function cannot know by which name it was asked for.
#define CALL(n)                                                                                    \
    static VkResult call_##n(word a, word b, word c, word d, word e, word f, word g, word h)       \
    {                                                                                              \
        return call(n, a, b, c, d, e, f, g, h);                                                    \
    }
#define EIGHT(X, n) X(n##0) X(n##1) X(n##2) X(n##3) X(n##4) X(n##5) X(n##6) X(n##7)
// Octal numbers.
#define ALL(X)                                                                                     \
    EIGHT(X, 00)                                                                                   \
    EIGHT(X, 01) EIGHT(X, 02) EIGHT(X, 03) EIGHT(X, 04) EIGHT(X, 05) EIGHT(X, 06) EIGHT(X, 07)
ALL(CALL)
#define NAME(n) call_##n,
static const command_function calls[MAX_COMMANDS] = {ALL(NAME)};

PFN_vkVoidFunction between_wrap(const char *name, PFN_vkVoidFunction real)
{
    bool wanted = false, losing = false;
    for (unsigned i = 0; i < rule_count; i++) {
        wanted |= between_same(rules[i].command, name);
        losing |= rules[i].what == LOSE;
    }
    if (!real || (!wanted && !(losing && may_lose(name))))
        return real;
    // Drivers are asked by one thread at a time, when an instance or a device is made.
    unsigned number = 0;
    while (number < command_count && strcmp(commands[number].name, name) != 0)
        number++;
    if (number == MAX_COMMANDS)
        fatal("too many commands");
    if (number == command_count)
        commands[command_count++].name = strdup(name);
    atomic_store(&commands[number].real, (command_function)real);
    return (PFN_vkVoidFunction)calls[number];
}

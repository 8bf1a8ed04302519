// What vkbench measures: rows, each a call that does one operation or many.
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

#include "app.h"

struct bench {
    struct app app;
    struct buffer target; // 64 KiB that commands write to
    struct buffer mapped;
    VkDescriptorSetLayout set_layout;
    VkPipelineLayout layout;
    VkPipeline spin;
    VkShaderModule module;
    VkDescriptorPool pool;
    VkDescriptorSet set, mapped_set;
    VkFence fence;
    VkSemaphore timeline, host_timeline;
    uint64_t value, host_value;
    VkCommandBuffer small, shared, ten, push, barriers, update, dispatch, mapped_dispatch;
};

struct row {
    const char *name;
    void (*run)(struct bench *);
    int per_run; // operations in one call
    int slices;  // 0: as many as the others; else the row runs only when asked for, so many calls
};

extern const struct row rows[]; // ended by a NULL name

void bench_init(struct bench *b);
void bench_finish(struct bench *b);

#endif

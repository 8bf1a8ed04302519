// A picture that is drawn: a graphics pipeline with plain states, which a check changes before it
// is made, its targets, and what is expected of the pixels.
#pragma once

#include "checks.h"

enum { SIDE = 16 }; // of the pictures

struct vertex {
    float position[4];
    float colour[4];
};

struct stage {
    VkShaderStageFlagBits stage;
    const uint32_t *code;
    size_t size;
};

struct drawing {
    struct picture target;  // R8G8B8A8_UNORM, SIDE x SIDE
    struct picture depth;   // if it has a test
    struct picture resolve; // if `samples` is more than 1
    bool with_depth, with_stencil;
    VkSampleCountFlagBits samples;
    uint32_t layers;
    struct stage stages[5];
    uint32_t stage_count;
    VkVertexInputBindingDescription bindings[2];
    VkVertexInputAttributeDescription attributes[3];
    VkPipelineVertexInputStateCreateInfo input;
    VkPipelineInputAssemblyStateCreateInfo assembly;
    VkPipelineTessellationStateCreateInfo tessellation;
    VkViewport viewport;
    VkRect2D scissor;
    VkPipelineViewportStateCreateInfo viewports;
    VkPipelineRasterizationStateCreateInfo raster;
    VkPipelineMultisampleStateCreateInfo multisample;
    VkPipelineDepthStencilStateCreateInfo depth_stencil;
    VkPipelineColorBlendAttachmentState blend;
    VkPipelineColorBlendStateCreateInfo blends;
    VkDynamicState dynamic[8];
    uint32_t dynamic_count;
    VkRenderingFlags flags;
    uint32_t view_mask;
    VkRect2D area;
    VkAttachmentLoadOp load;
    float clear[4];
    float clear_depth;
    uint32_t clear_stencil;
    VkPipeline pipeline; // made by drawing_prepare()
};

// Plain states: a strip of struct vertex, black where nothing is drawn, no test. It stays where it
// is.
void drawing_open(struct drawing *drawing);
void drawing_targets(
    struct drawing *drawing); // done by drawing_prepare(), unless it was done before
void drawing_pipeline(struct drawing *drawing); // another one with the states of now
void drawing_prepare(struct drawing *drawing);
// Rendering begins, with the pipeline.
void drawing_begin(const struct drawing *drawing, VkCommandBuffer cmd);
void drawing_end(VkCommandBuffer cmd); // rendering ends, and the commands are run
const uint32_t *drawing_pixels(const struct drawing *drawing);

void bind_vertices(VkCommandBuffer cmd, const struct vertex *vertices, uint32_t count);
// Prepares, draws these vertices, and returns the pixels.
const uint32_t *draw(struct drawing *drawing, const struct vertex *vertices, uint32_t count);

// A place in pixels.
struct vertex at(float x, float y, float z, const float colour[4]);
struct rectangle {
    struct vertex corners[4]; // a strip
};
struct rectangle rectangle(float x0, float y0, float x1, float y1, float z, const float colour[4]);

// Pixels of the rectangle (inclusive, exclusive) are `inside`, all others `outside`.
void expect_area(const uint32_t *pixels, uint32_t x0, uint32_t y0, uint32_t x1, uint32_t y1,
                 uint32_t inside, uint32_t outside);
// Channels differ by one at most.
void expect_colour(uint32_t got, uint32_t want);

extern const float RED[4], GREEN[4], BLUE[4], WHITE[4];
#define RED8 0xff0000ffu
#define GREEN8 0xff00ff00u
#define BLUE8 0xffff0000u
#define WHITE8 0xffffffffu
#define BLACK8 0xff000000u

// A window's pictures by Vulkan. Each window has a thread, which may wait for the screen (FIFO)
// while the main thread goes on with input and other windows.
#include <SDL_vulkan.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "display/window/import.h"
#include "display/window/picture.h"
#include "display/window/present.h"
#include "display/window/swapchain.h"
#include "os/clock.h"
#include "os/thread.h"

// A window that is hidden gives no images. Its guest's frames are answered after UNSEEN_NS, and we
// try UNSEEN_TRIES times more to draw it.
#define UNSEEN_NS 100000000u
enum { UNSEEN_TRIES = 20 };

struct job {
    bool due;
    struct window_source source;
    struct window_import *import; // holds source.buffer; NULL: `staging` does
};

struct presenter {
    struct window_presenter base;
    struct window_present_settings settings;
    struct window_vulkan *vulkan;
    struct window_queue *queue;
    pthread_t thread;

    // The main thread's.
    struct window_staging staging; // written while no frame of the output is due
    VkFormat format;               // the format and sizes that the thread was given last
    uint32_t picture_width, picture_height;

    // Under `lock`.
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool quit, redraw, resized;
    uint32_t width, height; // the window's, pixels
    uint64_t period_ns;     // frames are not shown faster than that
    struct job frame;
    struct {
        uint8_t *rgba; // ours
        uint32_t width, height;
    } notice;

    // The presenter thread's.
    VkSurfaceKHR surface;
    struct window_swapchain swapchain;
    struct window_picture picture;
    struct window_staging notice_staging;
    struct window_pace pace;
    unsigned tries; // to draw again what could not be drawn
    VkCommandPool pool;
    VkCommandBuffer commands;
    VkFence fence;
};

static struct presenter *of(struct window_presenter *base)
{
    return (struct presenter *)base;
}

// ---- the thread -----------------------------------------------------------

static void wait_queue(struct presenter *p)
{
    pthread_mutex_lock(&p->queue->lock);
    p->vulkan->QueueWaitIdle(p->queue->queue);
    pthread_mutex_unlock(&p->queue->lock);
}

// Returns an image to draw on; -1: the window is hidden, or the device is lost.
static int next_image(struct presenter *p, bool resized, uint32_t width, uint32_t height)
{
    struct window_swapchain *swapchain = &p->swapchain;
    for (int tries = 0; tries < 3; tries++) {
        if (!swapchain->chain || swapchain->stale || resized) {
            wait_queue(p);
            if (!window_swapchain_renew(p->vulkan, p->surface, swapchain, width, height))
                atomic_store(&p->vulkan->lost, true);
            resized = false;
        }
        if (!swapchain->chain || atomic_load(&p->vulkan->lost))
            return -1;
        int image = window_swapchain_acquire(p->vulkan, swapchain, UNSEEN_NS);
        if (image >= 0 || !swapchain->stale)
            return image;
    }
    return -1;
}

// Submits the recorded commands and waits until the GPU has carried them out, so that what it read
// may be written again.
static bool carry_out(struct presenter *p, int image)
{
    struct window_vulkan *vk = p->vulkan;
    VkPipelineStageFlags stage = VK_PIPELINE_STAGE_TRANSFER_BIT;
    uint32_t with_image = image >= 0;
    VkSubmitInfo submit = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .waitSemaphoreCount = with_image,
        .pWaitSemaphores = &p->swapchain.acquired,
        .pWaitDstStageMask = &stage,
        .commandBufferCount = 1,
        .pCommandBuffers = &p->commands,
        .signalSemaphoreCount = with_image,
        .pSignalSemaphores = with_image ? &p->swapchain.drawn[image] : NULL,
    };
    pthread_mutex_lock(&p->queue->lock);
    VkResult result = vk->QueueSubmit(p->queue->queue, 1, &submit, p->fence);
    pthread_mutex_unlock(&p->queue->lock);
    return result >= 0 && vk->WaitForFences(vk->device, 1, &p->fence, VK_TRUE, UINT64_MAX) >= 0 &&
           vk->ResetFences(vk->device, 1, &p->fence) >= 0 &&
           vk->ResetCommandPool(vk->device, p->pool, 0) >= 0;
}

// False: the window does not show it yet.
static bool draw(struct presenter *p, const struct window_source *source, bool resized,
                 uint32_t width, uint32_t height)
{
    struct window_vulkan *vk = p->vulkan;
    if (source && !window_picture_prepare(vk, &p->picture, source)) {
        log_warning("no memory of the GPU for a picture of %ux%u", source->width, source->height);
        source = NULL;
    }
    if (!p->picture.filled && !source)
        return true;
    int image = next_image(p, resized, width, height);
    if (image < 0 && !source)
        return false;
    VkCommandBufferBeginInfo begin = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
        .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
    };
    bool good = !atomic_load(&vk->lost) && vk->BeginCommandBuffer(p->commands, &begin) >= 0;
    if (good && source)
        window_picture_copy(vk, p->commands, &p->picture, source);
    if (good && image >= 0)
        window_picture_draw(vk, p->commands, &p->picture, p->settings.scale,
                            p->swapchain.images[image], p->swapchain.extent);
    good = good && vk->EndCommandBuffer(p->commands) >= 0 && carry_out(p, image);
    if (!good)
        atomic_store(&vk->lost, true);
    else if (image >= 0)
        window_swapchain_present(vk, p->queue, &p->swapchain, image);
    return image >= 0 && !p->swapchain.stale;
}

static bool upload_notice(struct presenter *p, uint8_t *rgba, struct window_source *source)
{
    size_t size = (size_t)source->width * source->height * 4;
    bool good = window_staging_reserve(p->vulkan, &p->notice_staging, size);
    if (good)
        memcpy(p->notice_staging.bytes, rgba, size);
    source->buffer = p->notice_staging.buffer;
    source->row = source->width;
    source->format = VK_FORMAT_R8G8B8A8_UNORM;
    source->damage = (struct picture_rect){.width = source->width, .height = source->height};
    return good;
}

static void *run(void *data)
{
    struct presenter *p = data;
    os_thread_set_name("window");
    pthread_mutex_lock(&p->lock);
    while (!p->quit) {
        if (!p->frame.due && !p->notice.rgba && !p->redraw) {
            pthread_cond_wait(&p->wake, &p->lock);
            continue;
        }
        // A notice is older than a frame that came after it, and newer than one that is being
        // shown.
        uint8_t *notice = p->notice.rgba;
        struct window_source own = {.width = p->notice.width, .height = p->notice.height};
        struct job frame = {0};
        if (!notice && p->frame.due) {
            frame = p->frame;
            p->frame.due = false;
        }
        p->notice.rgba = NULL;
        bool resized = p->resized;
        uint32_t width = p->width, height = p->height;
        uint64_t period_ns = p->period_ns;
        p->redraw = p->resized = false;
        pthread_mutex_unlock(&p->lock);

        bool usable = !atomic_load(&p->vulkan->lost), drawn = true;
        if (usable && notice && upload_notice(p, notice, &own))
            drawn = draw(p, &own, resized, width, height);
        else if (usable)
            drawn = draw(p, frame.due && frame.source.buffer ? &frame.source : NULL, resized, width,
                         height);
        p->tries = drawn ? 0 : p->tries + 1;
        free(notice);
        window_import_release(frame.import);
        if (atomic_load(&p->vulkan->lost)) {
            window_event_push(p->settings.event, WINDOW_EVENT_LOST, p->settings.output,
                              p->settings.wake);
        } else if (frame.due) {
            uint64_t now = os_now_ns();
            uint64_t at = window_pace_next(&p->pace, now, period_ns);
            if (at > now)
                os_sleep_ns(at - now);
            window_event_push(p->settings.event, WINDOW_EVENT_SHOWN, p->settings.output,
                              p->settings.wake);
        }
        pthread_mutex_lock(&p->lock);
        p->redraw |= !drawn && p->tries < UNSEEN_TRIES;
        while (atomic_load(&p->vulkan->lost) && !p->quit)
            pthread_cond_wait(&p->wake, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

// ---- the main thread ------------------------------------------------------

static struct picture_rect cut(const struct picture_rect *damage, uint32_t width, uint32_t height)
{
    struct picture_rect r = *damage;
    r.x = r.x < width ? r.x : width;
    r.y = r.y < height ? r.y : height;
    r.width = r.width < width - r.x ? r.width : width - r.x;
    r.height = r.height < height - r.y ? r.height : height - r.y;
    return r;
}

static void import(struct presenter *p, const struct display_output *output, struct job *job)
{
    struct window_source *source = &job->source;
    if (p->settings.upload || source->format == VK_FORMAT_UNDEFINED || output->stride % 4 ||
        output->stride / 4 < output->width || output->offset % 4)
        return;
    uint64_t size = (uint64_t)output->stride * (output->height - 1) + 4ull * output->width;
    job->import = window_import_get(p->vulkan, output->file, output->offset, size);
    if (!job->import)
        return;
    source->buffer = job->import->buffer;
    source->offset = output->offset - job->import->start;
    source->row = output->stride / 4;
}

static void upload(struct presenter *p, const struct display_output *output, struct job *job)
{
    struct window_source *source = &job->source;
    const struct picture_rect *damage = &source->damage;
    size_t row = (size_t)output->width * 4;
    if (!window_staging_reserve(p->vulkan, &p->staging, row * output->height) ||
        !display_read(p->settings.display, p->settings.output, damage, PICTURE_ORDER_BGRA,
                      p->staging.bytes + damage->y * row + damage->x * 4, row))
        return; // the frame is answered, the picture stays as it was
    source->buffer = p->staging.buffer;
    source->row = output->width;
}

static void show_frame(struct window_presenter *base, const struct picture_rect *damage)
{
    struct presenter *p = of(base);
    const struct display_output *output = display_output(p->settings.display, p->settings.output);
    struct job job = {.due = true};
    if (output->file && output->width && output->height) {
        VkFormat format = window_picture_format(output->format);
        job.source = (struct window_source){
            .format = format, .width = output->width, .height = output->height};
        if (format == VK_FORMAT_UNDEFINED || p->settings.upload)
            format = VK_FORMAT_B8G8R8A8_UNORM;
        struct picture_rect all = {.width = output->width, .height = output->height};
        bool same = p->format == format && p->picture_width == output->width &&
                    p->picture_height == output->height;
        job.source.damage = same ? cut(damage, output->width, output->height) : all;
        if (job.source.damage.width && job.source.damage.height) {
            import(p, output, &job);
            if (!job.import) {
                if (format != VK_FORMAT_B8G8R8A8_UNORM &&
                    p->format != VK_FORMAT_B8G8R8A8_UNORM) // was imported as another until now
                    job.source.damage = all;
                format = VK_FORMAT_B8G8R8A8_UNORM;
                upload(p, output, &job);
            }
            job.source.format = format;
        }
        if (job.source.buffer) {
            p->format = format;
            p->picture_width = output->width;
            p->picture_height = output->height;
        }
    }
    pthread_mutex_lock(&p->lock);
    struct window_import *replaced = p->frame.due ? p->frame.import : NULL;
    p->frame = job;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    window_import_release(replaced);
}

static void show_notice(struct window_presenter *base, uint8_t *rgba, uint32_t width,
                        uint32_t height)
{
    struct presenter *p = of(base);
    p->format = VK_FORMAT_UNDEFINED; // all of the next frame is copied
    pthread_mutex_lock(&p->lock);
    free(p->notice.rgba);
    p->notice.rgba = rgba;
    p->notice.width = width;
    p->notice.height = height;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

static void resize(struct window_presenter *base, uint32_t width, uint32_t height,
                   uint64_t period_ns)
{
    struct presenter *p = of(base);
    pthread_mutex_lock(&p->lock);
    p->resized |= width != p->width || height != p->height;
    p->width = width;
    p->height = height;
    p->period_ns = period_ns;
    p->redraw = true;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

static void release(struct presenter *p)
{
    struct window_vulkan *vk = p->vulkan;
    if (p->frame.due)
        window_import_release(p->frame.import);
    free(p->notice.rgba);
    wait_queue(p);
    vk->DestroyFence(vk->device, p->fence, NULL);
    vk->DestroyCommandPool(vk->device, p->pool, NULL);
    window_picture_free(vk, &p->picture);
    window_staging_free(vk, &p->staging);
    window_staging_free(vk, &p->notice_staging);
    window_swapchain_free(vk, &p->swapchain);
    vk->DestroySurfaceKHR(vk->instance, p->surface, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static void destroy(struct window_presenter *base)
{
    struct presenter *p = of(base);
    pthread_mutex_lock(&p->lock);
    p->quit = true;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    release(p);
}

static const struct window_presenter_ops ops = {
    .frame = show_frame,
    .notice = show_notice,
    .resize = resize,
    .destroy = destroy,
};

static bool make(struct presenter *p)
{
    struct window_vulkan *vk = p->vulkan;
    VkCommandPoolCreateInfo pool = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
        .flags = VK_COMMAND_POOL_CREATE_TRANSIENT_BIT,
        .queueFamilyIndex = vk->family,
    };
    VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VkBool32 presents = VK_FALSE;
    if (!SDL_Vulkan_CreateSurface(p->settings.window, vk->instance, &p->surface) ||
        vk->GetPhysicalDeviceSurfaceSupportKHR(vk->physical, vk->family, p->surface, &presents) <
            0 ||
        !presents || vk->CreateCommandPool(vk->device, &pool, NULL, &p->pool) < 0 ||
        vk->CreateFence(vk->device, &fence, NULL, &p->fence) < 0)
        return false;
    VkCommandBufferAllocateInfo commands = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = p->pool,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = 1,
    };
    return vk->AllocateCommandBuffers(vk->device, &commands, &p->commands) >= 0 &&
           pthread_create(&p->thread, NULL, run, p) == 0;
}

struct window_presenter *window_presenter_create(struct window_vulkan *vulkan,
                                                 const struct window_present_settings *settings)
{
    struct presenter *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->base.ops = &ops;
    p->settings = *settings;
    p->vulkan = vulkan;
    p->queue = &vulkan->queues[settings->output % vulkan->queue_count];
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    if (make(p))
        return &p->base;
    log_warning("no Vulkan for the window of output %u", settings->output);
    release(p);
    return NULL;
}

// interop: what window systems need. Memory goes out as a file descriptor and comes in again on a
// second device; images get the LINEAR modifier; semaphores and fences become sync files.
//
//   interop image [FILE.ppm]    export and import of an image by dma-buf
//   interop programs [FILE.ppm] the same between two processes
//   interop memory              export and import of a buffer by opaque file descriptor
//   interop syncfile            SYNC_FD semaphores and fences
//
// Exits with 77 where the device lacks the extensions. (lavapipe has them only with /dev/udmabuf;
// Hesper has the first and the last everywhere.)
#include "app.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WIDTH = 200, HEIGHT = 120 };
#define FORMAT VK_FORMAT_B8G8R8A8_UNORM
#define LINEAR 0ull // DRM_FORMAT_MOD_LINEAR

// --- image ---------------------------------------------------------------------------------------

static bool linear_modifier(struct app *app)
{
    VkDrmFormatModifierPropertiesEXT list[64];
    VkDrmFormatModifierPropertiesListEXT modifiers = {
        .sType = VK_STRUCTURE_TYPE_DRM_FORMAT_MODIFIER_PROPERTIES_LIST_EXT,
        .drmFormatModifierCount = 64,
        .pDrmFormatModifierProperties = list,
    };
    VkFormatProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_FORMAT_PROPERTIES_2,
        .pNext = &modifiers,
    };
    vk.GetPhysicalDeviceFormatProperties2(app->gpu, FORMAT, &properties);
    for (uint32_t i = 0; i < modifiers.drmFormatModifierCount; i++)
        if (list[i].drmFormatModifier == LINEAR) {
            app_expect(list[i].drmFormatModifierPlaneCount == 1, "one plane for LINEAR");
            app_expect(list[i].drmFormatModifierTilingFeatures &
                           VK_FORMAT_FEATURE_COLOR_ATTACHMENT_BIT,
                       "LINEAR images to be rendered to");
            return true;
        }
    return false;
}

// Whether LINEAR images can be imported; that they can be exported is a must.
static bool importable(struct app *app, VkImageUsageFlags usage)
{
    VkExternalImageFormatProperties external = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES,
    };
    VkImageFormatProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2,
        .pNext = &external,
    };
    const VkPhysicalDeviceImageDrmFormatModifierInfoEXT modifier = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_DRM_FORMAT_MODIFIER_INFO_EXT,
        .drmFormatModifier = LINEAR,
        .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
    };
    const VkPhysicalDeviceExternalImageFormatInfo handle = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO,
        .pNext = &modifier,
        .handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT,
    };
    VK_CHECK(vk.GetPhysicalDeviceImageFormatProperties2(
        app->gpu,
        &(VkPhysicalDeviceImageFormatInfo2){
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_FORMAT_INFO_2,
            .pNext = &handle,
            .format = FORMAT,
            .type = VK_IMAGE_TYPE_2D,
            .tiling = VK_IMAGE_TILING_DRM_FORMAT_MODIFIER_EXT,
            .usage = usage,
        },
        &properties));
    const VkExternalMemoryFeatureFlags features =
        external.externalMemoryProperties.externalMemoryFeatures;
    app_expect(features & VK_EXTERNAL_MEMORY_FEATURE_EXPORTABLE_BIT,
               "LINEAR images to be exportable");
    return features & VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT;
}

static const VkExternalMemoryImageCreateInfo dma_buf_image = {
    .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO,
    .handleTypes = VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT,
};

static VkImageCreateInfo image_info(const void *next, VkImageUsageFlags usage)
{
    return (VkImageCreateInfo){
        .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
        .pNext = next,
        .imageType = VK_IMAGE_TYPE_2D,
        .format = FORMAT,
        .extent = {WIDTH, HEIGHT, 1},
        .mipLevels = 1,
        .arrayLayers = 1,
        .samples = VK_SAMPLE_COUNT_1_BIT,
        .tiling = VK_IMAGE_TILING_DRM_FORMAT_MODIFIER_EXT,
        .usage = usage,
    };
}

static VkSubresourceLayout plane_layout(struct app *app, VkImage image)
{
    VkSubresourceLayout layout;
    vk.GetImageSubresourceLayout(
        app->device, image,
        &(VkImageSubresource){.aspectMask = VK_IMAGE_ASPECT_MEMORY_PLANE_0_BIT_EXT}, &layout);
    return layout;
}

// Draws nested rectangles by clearing them in a render pass without a pipeline.
static void draw(struct app *app, VkImage image)
{
    VkImageView view;
    VkRenderPass pass;
    VkFramebuffer framebuffer;
    VK_CHECK(vk.CreateImageView(app->device,
                                &(VkImageViewCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
                                    .image = image,
                                    .viewType = VK_IMAGE_VIEW_TYPE_2D,
                                    .format = FORMAT,
                                    .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1},
                                },
                                NULL, &view));
    VK_CHECK(vk.CreateRenderPass(
        app->device,
        &(VkRenderPassCreateInfo){
            .sType = VK_STRUCTURE_TYPE_RENDER_PASS_CREATE_INFO,
            .attachmentCount = 1,
            .pAttachments =
                &(VkAttachmentDescription){
                    .format = FORMAT,
                    .samples = VK_SAMPLE_COUNT_1_BIT,
                    .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
                    .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
                    .initialLayout = VK_IMAGE_LAYOUT_GENERAL,
                    .finalLayout = VK_IMAGE_LAYOUT_GENERAL,
                },
            .subpassCount = 1,
            .pSubpasses =
                &(VkSubpassDescription){
                    .colorAttachmentCount = 1,
                    .pColorAttachments =
                        &(VkAttachmentReference){0, VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL},
                },
        },
        NULL, &pass));
    VK_CHECK(vk.CreateFramebuffer(app->device,
                                  &(VkFramebufferCreateInfo){
                                      .sType = VK_STRUCTURE_TYPE_FRAMEBUFFER_CREATE_INFO,
                                      .renderPass = pass,
                                      .attachmentCount = 1,
                                      .pAttachments = &view,
                                      .width = WIDTH,
                                      .height = HEIGHT,
                                      .layers = 1,
                                  },
                                  NULL, &framebuffer));
    VkCommandBuffer cmd = commands_begin(app);
    image_barrier(cmd, image, VK_IMAGE_ASPECT_COLOR_BIT, VK_IMAGE_LAYOUT_UNDEFINED,
                  VK_IMAGE_LAYOUT_GENERAL, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, 0,
                  VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
                  VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT);
    for (int i = 0; i < 5; i++) {
        const VkClearValue clear = {
            .color = {.float32 = {0.2f * (float)i, 1 - 0.2f * (float)i, 0.5f, 1}},
        };
        vk.CmdBeginRenderPass(
            cmd,
            &(VkRenderPassBeginInfo){
                .sType = VK_STRUCTURE_TYPE_RENDER_PASS_BEGIN_INFO,
                .renderPass = pass,
                .framebuffer = framebuffer,
                .renderArea = {{12 * i, 10 * i},
                               {(uint32_t)(WIDTH - 24 * i), (uint32_t)(HEIGHT - 20 * i)}},
                .clearValueCount = 1,
                .pClearValues = &clear,
            },
            VK_SUBPASS_CONTENTS_INLINE);
        vk.CmdEndRenderPass(cmd);
    }
    commands_run(app, cmd);
    vk.DestroyFramebuffer(app->device, framebuffer, NULL);
    vk.DestroyRenderPass(app->device, pass, NULL);
    vk.DestroyImageView(app->device, view, NULL);
}

static uint64_t read_back(struct app *app, VkImage image, const char *path)
{
    struct buffer b = buffer_create(app, WIDTH * HEIGHT * 4, VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                                    VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    VkCommandBuffer cmd = commands_begin(app);
    vk.CmdCopyImageToBuffer(cmd, image, VK_IMAGE_LAYOUT_GENERAL, b.buffer, 1,
                            &(VkBufferImageCopy){
                                .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
                                .imageExtent = {WIDTH, HEIGHT, 1},
                            });
    commands_run(app, cmd);
    const uint64_t hash = hash_bytes(b.map, WIDTH * HEIGHT * 4);
    write_ppm(path, b.map, WIDTH, HEIGHT, WIDTH * 4); // red and blue swapped: BGRA
    buffer_destroy(app, &b);
    return hash;
}

// A compositor's side: the file of another device, as an image with an explicit layout.
static uint64_t import_image(struct app *app, int fd, VkSubresourceLayout plane, VkDeviceSize size,
                             VkImageUsageFlags usage, const char *path)
{
    plane.size = 0; // as the specification wants it for an import
    const VkImageDrmFormatModifierExplicitCreateInfoEXT modifier = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_DRM_FORMAT_MODIFIER_EXPLICIT_CREATE_INFO_EXT,
        .pNext = &dma_buf_image,
        .drmFormatModifier = LINEAR,
        .drmFormatModifierPlaneCount = 1,
        .pPlaneLayouts = &plane,
    };
    const VkImageCreateInfo info = image_info(&modifier, usage);
    VkImage image;
    VkDeviceMemory memory;
    VkMemoryRequirements need;
    VK_CHECK(vk.CreateImage(app->device, &info, NULL, &image));
    vk.GetImageMemoryRequirements(app->device, image, &need);
    VkMemoryFdPropertiesKHR fd_types = {.sType = VK_STRUCTURE_TYPE_MEMORY_FD_PROPERTIES_KHR};
    VK_CHECK(vk.GetMemoryFdPropertiesKHR(
        app->device, VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT, fd, &fd_types));
    const uint32_t type = memory_type(app, need.memoryTypeBits & fd_types.memoryTypeBits, 0);
    app_expect(type != UINT32_MAX, "a memory type for the import");
    app_expect(need.size <= size, "the import to fit in the exported memory");
    const VkMemoryDedicatedAllocateInfo dedicated = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO,
        .image = image,
    };
    VK_CHECK(
        vk.AllocateMemory(app->device,
                          &(VkMemoryAllocateInfo){
                              .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                              .pNext =
                                  &(VkImportMemoryFdInfoKHR){
                                      .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR,
                                      .pNext = &dedicated,
                                      .handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT,
                                      .fd = fd, // the driver's from here on
                                  },
                              .allocationSize = need.size,
                              .memoryTypeIndex = type,
                          },
                          NULL, &memory));
    VK_CHECK(vk.BindImageMemory(app->device, image, memory, 0));
    VkCommandBuffer cmd = commands_begin(app);
    vk.CmdPipelineBarrier(cmd, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, VK_PIPELINE_STAGE_TRANSFER_BIT, 0,
                          0, NULL, 0, NULL, 1,
                          &(VkImageMemoryBarrier){
                              .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
                              .dstAccessMask = VK_ACCESS_TRANSFER_READ_BIT,
                              .oldLayout = VK_IMAGE_LAYOUT_GENERAL,
                              .newLayout = VK_IMAGE_LAYOUT_GENERAL,
                              .srcQueueFamilyIndex = VK_QUEUE_FAMILY_FOREIGN_EXT,
                              .dstQueueFamilyIndex = app->family,
                              .image = image,
                              .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1},
                          });
    commands_run(app, cmd);
    const uint64_t hash = read_back(app, image, path);
    vk.DestroyImage(app->device, image, NULL);
    vk.FreeMemory(app->device, memory, NULL);
    return hash;
}

// What a CPU that maps the file sees, hashed without the padding of the rows.
static void expect_mapped(int fd, VkSubresourceLayout plane, uint64_t hash)
{
    const off_t size = lseek(fd, 0, SEEK_END);
    const size_t end = plane.offset + (HEIGHT - 1) * plane.rowPitch + WIDTH * 4;
    app_expect(size >= (off_t)end, "the file to hold the whole image");
    const uint8_t *map = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd, 0);
    app_expect(map != MAP_FAILED, "the file to be mapped");
    static uint8_t pixels[WIDTH * HEIGHT * 4];
    for (size_t y = 0; y < HEIGHT; y++)
        memcpy(pixels + y * WIDTH * 4, map + plane.offset + y * plane.rowPitch, WIDTH * 4);
    app_expect(hash_bytes(pixels, sizeof(pixels)) == hash, "the mapped file to hold the image");
    munmap((void *)map, (size_t)size);
}

static const char *const image_extensions[] = {
    VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME,
    VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME,
    VK_EXT_IMAGE_DRM_FORMAT_MODIFIER_EXTENSION_NAME,
    VK_EXT_QUEUE_FAMILY_FOREIGN_EXTENSION_NAME,
};
static const struct app_wants image_wants = {
    .api_version = VK_API_VERSION_1_2,
    .extensions = image_extensions,
    .extension_count = 4,
};
static const VkImageUsageFlags image_usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT |
                                             VK_IMAGE_USAGE_TRANSFER_SRC_BIT |
                                             VK_IMAGE_USAGE_SAMPLED_BIT;

// An image whose memory can go out as a file.
struct exported {
    VkImage image;
    VkDeviceMemory memory;
    VkDeviceSize size;
    VkSubresourceLayout plane;
};

static struct exported export_image(struct app *app)
{
    struct exported e = {0};
    const VkImageDrmFormatModifierListCreateInfoEXT modifiers = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_DRM_FORMAT_MODIFIER_LIST_CREATE_INFO_EXT,
        .pNext = &dma_buf_image,
        .drmFormatModifierCount = 1,
        .pDrmFormatModifiers = &(uint64_t){LINEAR},
    };
    const VkImageCreateInfo info = image_info(&modifiers, image_usage);
    VkMemoryRequirements need;
    VK_CHECK(vk.CreateImage(app->device, &info, NULL, &e.image));
    vk.GetImageMemoryRequirements(app->device, e.image, &need);
    e.size = need.size;
    const VkMemoryDedicatedAllocateInfo dedicated = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO,
        .image = e.image,
    };
    VK_CHECK(
        vk.AllocateMemory(app->device,
                          &(VkMemoryAllocateInfo){
                              .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                              .pNext =
                                  &(VkExportMemoryAllocateInfo){
                                      .sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO,
                                      .pNext = &dedicated,
                                      .handleTypes = VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT,
                                  },
                              .allocationSize = need.size,
                              .memoryTypeIndex = memory_type(app, need.memoryTypeBits, 0),
                          },
                          NULL, &e.memory));
    VK_CHECK(vk.BindImageMemory(app->device, e.image, e.memory, 0));

    VkImageDrmFormatModifierPropertiesEXT got = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_DRM_FORMAT_MODIFIER_PROPERTIES_EXT,
    };
    VK_CHECK(vk.GetImageDrmFormatModifierPropertiesEXT(app->device, e.image, &got));
    app_expect(got.drmFormatModifier == LINEAR, "the image to have the LINEAR modifier");
    e.plane = plane_layout(app, e.image);
    app_expect(e.plane.rowPitch >= WIDTH * 4, "a row pitch that holds a row");
    return e;
}

static int exported_file(struct app *app, const struct exported *e)
{
    int fd = -1;
    VK_CHECK(vk.GetMemoryFdKHR(app->device,
                               &(VkMemoryGetFdInfoKHR){
                                   .sType = VK_STRUCTURE_TYPE_MEMORY_GET_FD_INFO_KHR,
                                   .memory = e->memory,
                                   .handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT,
                               },
                               &fd));
    app_expect(fd >= 0, "a file descriptor");
    return fd;
}

static void exported_destroy(struct app *app, struct exported *e)
{
    vk.DestroyImage(app->device, e->image, NULL);
    vk.FreeMemory(app->device, e->memory, NULL);
}

static int image(const char *path)
{
    struct app app, other;
    app_init(&app, &image_wants);
    if (!linear_modifier(&app))
        app_skip("no LINEAR modifier");
    const bool import = importable(&app, image_usage);
    struct exported e = export_image(&app);
    draw(&app, e.image);
    const uint64_t hash = read_back(&app, e.image, path);
    printf("image %016" PRIx64 "\n", hash);

    const int fd = exported_file(&app, &e);
    expect_mapped(fd, e.plane, hash);
    if (import) {
        const struct vk_functions first = vk; // the second device has functions of its own
        app_init(&other, &image_wants);
        const uint64_t seen = import_image(&other, fd, e.plane, e.size, image_usage, NULL);
        app_expect(seen == hash, "the second device to see the same image");
        app_finish(&other);
        vk = first;
    } else {
        close(fd); // over vtest, Venus can export only
    }
    exported_destroy(&app, &e);
    app_finish(&app);
    return 0;
}

// --- an image of two programs
// ---------------------------------------------------------------------

struct offer {
    VkSubresourceLayout plane;
    VkDeviceSize size;
};

static void send_offer(int socket, const struct offer *offer, int fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {(void *)offer, sizeof(*offer)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(fd));
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    app_expect(sendmsg(socket, &message, 0) == sizeof(*offer), "the offer to be sent");
}

static int receive_offer(int socket, struct offer *offer)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {offer, sizeof(*offer)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    const ssize_t got = recvmsg(socket, &message, MSG_WAITALL);
    if (got == 0)
        _exit(APP_SKIP); // the other has said why
    app_expect(got == sizeof(*offer), "an offer");
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    app_expect(c && c->cmsg_type == SCM_RIGHTS, "a file with the offer");
    int fd;
    memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    return fd;
}

static int show(int socket, const char *path)
{
    struct app app;
    struct offer offer;
    const int fd = receive_offer(socket, &offer);
    app_init(&app, &image_wants);
    printf("programs %016" PRIx64 "\n",
           import_image(&app, fd, offer.plane, offer.size, image_usage, path));
    app_finish(&app);
    return 0;
}

// The first draws and hands over the file, as a client of a compositor does; the second shows.
static int programs(const char *path)
{
    int sockets[2], status;
    app_expect(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0, "a socket pair");
    const pid_t second = fork(); // before Vulkan is touched
    app_expect(second >= 0, "a second process");
    if (second == 0) {
        close(sockets[0]);
        status = show(sockets[1], path);
        fflush(stdout);
        _exit(status);
    }
    close(sockets[1]);
    struct app app;
    app_init(&app, &image_wants);
    if (!linear_modifier(&app) || !importable(&app, image_usage)) {
        app_skip("no LINEAR images to be imported");
    }
    struct exported e = export_image(&app);
    draw(&app, e.image);
    const int fd = exported_file(&app, &e);
    send_offer(sockets[0], &(struct offer){e.plane, e.size}, fd);
    close(fd);
    app_expect(waitpid(second, &status, 0) == second && status == 0,
               "the second program to see it");
    exported_destroy(&app, &e);
    app_finish(&app);
    return 0;
}

// --- memory --------------------------------------------------------------------------------------

static VkDeviceMemory share(struct app *app, VkBuffer buffer, const void *next)
{
    VkMemoryRequirements need;
    VkDeviceMemory memory;
    vk.GetBufferMemoryRequirements(app->device, buffer, &need);
    VK_CHECK(vk.AllocateMemory(
        app->device,
        &(VkMemoryAllocateInfo){
            .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
            .pNext = next,
            .allocationSize = need.size,
            .memoryTypeIndex = memory_type(app, need.memoryTypeBits,
                                           VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                               VK_MEMORY_PROPERTY_HOST_COHERENT_BIT),
        },
        NULL, &memory));
    VK_CHECK(vk.BindBufferMemory(app->device, buffer, memory, 0));
    return memory;
}

static int memory(void)
{
    static const char *const extensions[] = {VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME};
    const VkExternalMemoryHandleTypeFlagBits handle = VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT;
    enum { SIZE = 100000 };
    struct app app;
    app_init(&app, &(struct app_wants){.extensions = extensions, .extension_count = 1});
    VkExternalBufferProperties properties = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES,
    };
    vk.GetPhysicalDeviceExternalBufferProperties(
        app.gpu,
        &(VkPhysicalDeviceExternalBufferInfo){
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_BUFFER_INFO,
            .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT,
            .handleType = handle,
        },
        &properties);
    if (!(properties.externalMemoryProperties.externalMemoryFeatures &
          VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT))
        app_skip("no import of opaque file descriptors");
    const VkExternalMemoryBufferCreateInfo external = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
        .handleTypes = handle,
    };
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .pNext = &external,
        .size = SIZE,
        .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT,
    };
    VkBuffer a, b;
    VK_CHECK(vk.CreateBuffer(app.device, &info, NULL, &a));
    VK_CHECK(vk.CreateBuffer(app.device, &info, NULL, &b));
    VkDeviceMemory first = share(&app, a,
                                 &(VkExportMemoryAllocateInfo){
                                     .sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO,
                                     .handleTypes = handle,
                                 });
    int fd;
    VK_CHECK(vk.GetMemoryFdKHR(app.device,
                               &(VkMemoryGetFdInfoKHR){
                                   .sType = VK_STRUCTURE_TYPE_MEMORY_GET_FD_INFO_KHR,
                                   .memory = first,
                                   .handleType = handle,
                               },
                               &fd));
    VkDeviceMemory second = share(&app, b,
                                  &(VkImportMemoryFdInfoKHR){
                                      .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR,
                                      .handleType = handle,
                                      .fd = fd,
                                  });
    VkCommandBuffer cmd = commands_begin(&app);
    vk.CmdFillBuffer(cmd, a, 0, VK_WHOLE_SIZE, 0x01020304);
    commands_run(&app, cmd);
    void *map;
    VK_CHECK(vk.MapMemory(app.device, second, 0, VK_WHOLE_SIZE, 0, &map));
    for (uint32_t i = 0; i < SIZE / 4; i++)
        app_expect(((uint32_t *)map)[i] == 0x01020304, "the import to be the same memory");
    puts("memory");
    vk.DestroyBuffer(app.device, a, NULL);
    vk.DestroyBuffer(app.device, b, NULL);
    vk.FreeMemory(app.device, first, NULL);
    vk.FreeMemory(app.device, second, NULL);
    app_finish(&app);
    return 0;
}

// --- sync files ----------------------------------------------------------------------------------

static VkSemaphore semaphore_create(struct app *app, bool exported)
{
    const VkExportSemaphoreCreateInfo export = {
        .sType = VK_STRUCTURE_TYPE_EXPORT_SEMAPHORE_CREATE_INFO,
        .handleTypes = VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT,
    };
    VkSemaphore semaphore;
    VK_CHECK(vk.CreateSemaphore(app->device,
                                &(VkSemaphoreCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
                                    .pNext = exported ? &export : NULL,
                                },
                                NULL, &semaphore));
    return semaphore;
}

static void expect_signaled(int fd)
{
    if (fd < 0)
        return; // -1: already signaled
    struct pollfd p = {.fd = fd, .events = POLLIN};
    app_expect(poll(&p, 1, 10000) == 1 && (p.revents & POLLIN), "the sync file to be signaled");
}

static int syncfile(void)
{
    static const char *const extensions[] = {
        VK_KHR_EXTERNAL_SEMAPHORE_FD_EXTENSION_NAME,
        VK_KHR_EXTERNAL_FENCE_FD_EXTENSION_NAME,
    };
    struct app app;
    app_init(&app, &(struct app_wants){.extensions = extensions, .extension_count = 2});
    VkExternalSemaphoreProperties properties = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_SEMAPHORE_PROPERTIES,
    };
    vk.GetPhysicalDeviceExternalSemaphoreProperties(
        app.gpu,
        &(VkPhysicalDeviceExternalSemaphoreInfo){
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_SEMAPHORE_INFO,
            .handleType = VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT,
        },
        &properties);
    const VkExternalSemaphoreFeatureFlags both =
        VK_EXTERNAL_SEMAPHORE_FEATURE_EXPORTABLE_BIT | VK_EXTERNAL_SEMAPHORE_FEATURE_IMPORTABLE_BIT;
    if ((properties.externalSemaphoreFeatures & both) != both)
        app_skip("no SYNC_FD semaphores");

    VkSemaphore from = semaphore_create(&app, true), to = semaphore_create(&app, false);
    for (int i = 0; i < 20; i++) {
        const VkPipelineStageFlags stage = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
        int fd = -1;
        VK_CHECK(vk.QueueSubmit(app.queue, 1,
                                &(VkSubmitInfo){
                                    .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                    .signalSemaphoreCount = 1,
                                    .pSignalSemaphores = &from,
                                },
                                VK_NULL_HANDLE));
        VK_CHECK(
            vk.GetSemaphoreFdKHR(app.device,
                                 &(VkSemaphoreGetFdInfoKHR){
                                     .sType = VK_STRUCTURE_TYPE_SEMAPHORE_GET_FD_INFO_KHR,
                                     .semaphore = from,
                                     .handleType = VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT,
                                 },
                                 &fd));
        expect_signaled(fd);
        VK_CHECK(vk.ImportSemaphoreFdKHR(
            app.device, &(VkImportSemaphoreFdInfoKHR){
                            .sType = VK_STRUCTURE_TYPE_IMPORT_SEMAPHORE_FD_INFO_KHR,
                            .semaphore = to,
                            .flags = VK_SEMAPHORE_IMPORT_TEMPORARY_BIT,
                            .handleType = VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT,
                            .fd = fd,
                        }));
        VK_CHECK(vk.QueueSubmit(app.queue, 1,
                                &(VkSubmitInfo){
                                    .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                    .waitSemaphoreCount = 1,
                                    .pWaitSemaphores = &to,
                                    .pWaitDstStageMask = &stage,
                                },
                                VK_NULL_HANDLE));
        VK_CHECK(vk.QueueWaitIdle(app.queue));
    }
    puts("semaphores");

    VkExternalFenceProperties fence_properties = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_FENCE_PROPERTIES,
    };
    vk.GetPhysicalDeviceExternalFenceProperties(
        app.gpu,
        &(VkPhysicalDeviceExternalFenceInfo){
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_FENCE_INFO,
            .handleType = VK_EXTERNAL_FENCE_HANDLE_TYPE_SYNC_FD_BIT,
        },
        &fence_properties);
    app_expect(fence_properties.externalFenceFeatures & VK_EXTERNAL_FENCE_FEATURE_EXPORTABLE_BIT,
               "SYNC_FD fences where there are SYNC_FD semaphores");
    VkFence fence;
    VK_CHECK(vk.CreateFence(app.device,
                            &(VkFenceCreateInfo){
                                .sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO,
                                .pNext =
                                    &(VkExportFenceCreateInfo){
                                        .sType = VK_STRUCTURE_TYPE_EXPORT_FENCE_CREATE_INFO,
                                        .handleTypes = VK_EXTERNAL_FENCE_HANDLE_TYPE_SYNC_FD_BIT,
                                    },
                            },
                            NULL, &fence));
    for (int i = 0; i < 5; i++) {
        int fd = -1;
        VK_CHECK(vk.QueueSubmit(app.queue, 0, NULL, fence));
        VK_CHECK(vk.GetFenceFdKHR(app.device,
                                  &(VkFenceGetFdInfoKHR){
                                      .sType = VK_STRUCTURE_TYPE_FENCE_GET_FD_INFO_KHR,
                                      .fence = fence,
                                      .handleType = VK_EXTERNAL_FENCE_HANDLE_TYPE_SYNC_FD_BIT,
                                  },
                                  &fd));
        expect_signaled(fd);
        if (fd >= 0)
            close(fd);
        app_expect(vk.GetFenceStatus(app.device, fence) == VK_NOT_READY,
                   "the export of a sync file to reset the fence");
    }
    puts("fences");
    vk.DestroyFence(app.device, fence, NULL);
    vk.DestroySemaphore(app.device, from, NULL);
    vk.DestroySemaphore(app.device, to, NULL);
    app_finish(&app);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "image") == 0)
        return image(argc > 2 ? argv[2] : NULL);
    if (argc > 1 && strcmp(argv[1], "programs") == 0)
        return programs(argc > 2 ? argv[2] : NULL);
    if (argc > 1 && strcmp(argv[1], "memory") == 0)
        return memory();
    if (argc > 1 && strcmp(argv[1], "syncfile") == 0)
        return syncfile();
    app_fail("usage: interop image|programs|memory|syncfile");
}

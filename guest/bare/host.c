// The same pictures and numbers as the program with no operating system, by a program of this host
// over `hesper vtest`: bare-host WIDTH HEIGHT FRAMES writes the last picture as PPM to stdout.
#include <stdio.h>
#include <stdlib.h>

#include "guest/bare/scene.h"
#include "guest/vtest/vtest.h"
#include "guest/vulkan/guest.h"

static int connect_vtest(void *context, struct guest_transport **transport)
{
    return guest_vtest_connect(&guest_posix_system, NULL, transport);
}

static void write_picture(const struct scene *scene, uint32_t index)
{
    const uint8_t *pixels = scene->pictures[index].memory.pixels;
    printf("P6\n%u %u\n255\n", scene->width, scene->height);
    for (uint32_t y = 0; y < scene->height; y++) {
        const uint8_t *pixel = pixels + scene->offset + (size_t)y * scene->stride;
        for (uint32_t x = 0; x < scene->width; x++, pixel += 4) {
            putchar(pixel[2]);
            putchar(pixel[1]);
            putchar(pixel[0]);
        }
    }
}

int main(int argc, char **argv)
{
    static struct scene scene;
    uint64_t sum;
    bool right;
    if (argc != 4) {
        fprintf(stderr, "usage: bare-host WIDTH HEIGHT FRAMES\n");
        return 2;
    }
    const uint32_t frames = (uint32_t)atoi(argv[3]);
    guest_use(&guest_posix_system, connect_vtest, NULL);
    VkResult result = scene_create(&scene, (uint32_t)atoi(argv[1]), (uint32_t)atoi(argv[2]), false);
    if (result >= 0)
        result = scene_compute(&scene, &sum, &right);
    for (uint32_t i = 0; i < frames && result >= 0; i++)
        result = scene_draw(&scene, i % SCENE_PICTURES, (double)i / SCENE_TURN);
    if (result < 0) {
        fprintf(stderr, "bare-host: Vulkan: error %d\n", result);
        return 1;
    }
    fprintf(stderr, "computed: the sum is %llu, which is %s\n", (unsigned long long)sum,
            right ? "right" : "wrong");
    write_picture(&scene, (frames - 1) % SCENE_PICTURES);
    scene_destroy(&scene);
    return 0;
}

#include "guest/bare/mesh.h"

#define PI 3.14159265358979323846

// Of a full turn times `turn`: the series, after what is left of whole turns is within half a one.
static void sine_and_cosine(double turn, double *sine, double *cosine)
{
    turn -= (double)(int64_t)turn;
    if (turn > 0.5)
        turn -= 1;
    if (turn < -0.5)
        turn += 1;
    double x = turn * 2 * PI, term = 1;
    *sine = *cosine = 0;
    for (int i = 0; i < 30; i += 4) {
        *cosine += term;
        term *= x / (i + 1);
        *sine += term;
        term *= -x / (i + 2);
        *cosine += term;
        term *= x / (i + 3);
        *sine += term;
        term *= -x / (i + 4);
    }
}

void mesh_torus(struct mesh_vertex *vertices, uint16_t *indices)
{
    const double radius = 1.0, thickness = 0.45;
    for (uint32_t ring = 0; ring <= MESH_RINGS; ring++) {
        double s, c;
        sine_and_cosine((double)ring / MESH_RINGS, &s, &c);
        for (uint32_t side = 0; side <= MESH_SIDES; side++) {
            double up, out;
            sine_and_cosine((double)side / MESH_SIDES, &up, &out);
            double distance = radius + thickness * out;
            *vertices++ = (struct mesh_vertex){
                .position = {(float)(distance * c), (float)(distance * s), (float)(thickness * up)},
                .normal = {(float)(out * c), (float)(out * s), (float)up},
                .texel = {(float)ring / MESH_RINGS * 8, (float)side / MESH_SIDES * 3}};
        }
    }
    for (uint32_t ring = 0; ring < MESH_RINGS; ring++) {
        for (uint32_t side = 0; side < MESH_SIDES; side++) {
            uint32_t here = ring * (MESH_SIDES + 1) + side, next = here + MESH_SIDES + 1;
            const uint32_t corners[6] = {here, next, here + 1, here + 1, next, next + 1};
            for (int i = 0; i < 6; i++)
                *indices++ = (uint16_t)corners[i];
        }
    }
}

// Bricks.
void mesh_skin(uint8_t *texels)
{
    const int brick = MESH_SKIN / 2, row = MESH_SKIN / 4, joint = MESH_SKIN / 32;
    uint32_t noise = 1;
    for (int y = 0; y < MESH_SKIN; y++) {
        for (int x = 0; x < MESH_SKIN; x++) {
            noise = noise * 1664525u + 1013904223u;
            int shifted = y / row % 2 ? x + brick / 2 : x;
            int grain = (int)(noise >> 27);
            int mortar = y % row < joint || shifted % brick < joint;
            *texels++ = (uint8_t)(mortar ? 190 + grain / 2 : 200 + grain);
            *texels++ = (uint8_t)(mortar ? 185 + grain / 2 : 88 + grain);
            *texels++ = (uint8_t)(mortar ? 175 + grain / 2 : 56 + grain);
            *texels++ = 255;
        }
    }
}

static void multiply(float *product, const float *left, const float *right)
{
    for (int column = 0; column < 4; column++) {
        for (int row = 0; row < 4; row++) {
            float sum = 0;
            for (int i = 0; i < 4; i++)
                sum += left[4 * i + row] * right[4 * column + i];
            product[4 * column + row] = sum;
        }
    }
}

void mesh_place(struct mesh_place *place, double turn, uint32_t width, uint32_t height)
{
    // Seen from z = 4 with a focal length of 2.6; y points down in Vulkan's pictures.
    const float near = 1, far = 10, focal = 2.6f, shape = (float)height / (float)width;
    const float view[16] = {focal * shape,
                            0,
                            0,
                            0,
                            0,
                            -focal,
                            0,
                            0,
                            0,
                            0,
                            far / (near - far),
                            -1,
                            0,
                            0,
                            near * far / (near - far),
                            0};
    const float back[16] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, -4, 1};
    double s, c;
    sine_and_cosine(turn, &s, &c);
    const float about_y[16] = {(float)c, 0, (float)-s, 0, 0, 1, 0, 0,
                               (float)s, 0, (float)c,  0, 0, 0, 0, 1};
    sine_and_cosine(turn / 2 + 0.15, &s, &c);
    const float about_x[16] = {1, 0,         0,        0, 0, (float)c, (float)s, 0,
                               0, (float)-s, (float)c, 0, 0, 0,        0,        1};
    multiply(place->clip, view, back);
    multiply(place->world, about_y, about_x);
}

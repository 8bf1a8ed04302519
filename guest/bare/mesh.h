// The object that is shown, and where it stands: numbers without Vulkan. Everything is computed
// here, the same on every machine.
//
// Thread: any.
#ifndef BARE_MESH_H
#define BARE_MESH_H

#include <stdint.h>

struct mesh_vertex {
    float position[3], normal[3], texel[2];
};

// A torus of MESH_RINGS times MESH_SIDES squares.
enum {
    MESH_RINGS = 64,
    MESH_SIDES = 32,
    MESH_VERTICES = (MESH_RINGS + 1) * (MESH_SIDES + 1),
    MESH_INDICES = MESH_RINGS * MESH_SIDES * 6,
};
void mesh_torus(struct mesh_vertex *vertices, uint16_t *indices);

// What it is covered with: R, G, B, A.
enum { MESH_SKIN = 128 };
void mesh_skin(uint8_t *texels);

// Matrices, column by column.
struct mesh_place {
    float clip[16];  // from the world to the picture
    float world[16]; // from the object to the world
};
// `turn` counts full turns.
void mesh_place(struct mesh_place *place, double turn, uint32_t width, uint32_t height);

#endif

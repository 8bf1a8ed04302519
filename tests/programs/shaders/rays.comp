#version 460
#extension GL_EXT_ray_query : require
// One ray a pixel, straight ahead; says which triangle of which instance it met.
layout(local_size_x = 8, local_size_y = 8) in;
layout(binding = 0) uniform accelerationStructureEXT world;
layout(std430, binding = 1) writeonly buffer Hits { uint hits[]; };
layout(push_constant) uniform Size { uint width, height; };

void main()
{
    uvec2 at = gl_GlobalInvocationID.xy;
    if (at.x >= width || at.y >= height)
        return;
    vec2 from = (vec2(at) + 0.5) / vec2(width, height) * 2.0 - 1.0;
    rayQueryEXT query;
    rayQueryInitializeEXT(query, world, gl_RayFlagsOpaqueEXT, 0xff, vec3(from, -1.0), 0.0,
                          vec3(0.0, 0.0, 1.0), 10.0);
    while (rayQueryProceedEXT(query))
        ;
    uint hit = 0;
    if (rayQueryGetIntersectionTypeEXT(query, true) == gl_RayQueryCommittedIntersectionTriangleEXT)
        hit = 1 + rayQueryGetIntersectionInstanceCustomIndexEXT(query, true) * 16 +
              rayQueryGetIntersectionGeometryIndexEXT(query, true) * 4 +
              rayQueryGetIntersectionPrimitiveIndexEXT(query, true);
    hits[at.y * width + at.x] = hit;
}

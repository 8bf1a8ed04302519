#version 450
// Long arithmetic, for a dispatch whose time no transport can change.
layout(local_size_x = 64) in;
layout(std430, binding = 0) buffer Out { uint result[]; };
layout(push_constant) uniform Push { uint rounds; };

void main()
{
    uint x = gl_GlobalInvocationID.x;
    for (uint i = 0; i < rounds; i++)
        x = x * 1664525u + 1013904223u ^ (x >> 13);
    result[gl_GlobalInvocationID.x] = x;
}

#version 450
// Reads through every kind of descriptor that a shader can read without filtering.
layout(local_size_x = 64) in;
layout(binding = 0) uniform Uniform { uvec4 words; } uniforms;
layout(std430, binding = 1) readonly buffer Storage { uint words[]; } storage[3];
layout(binding = 2) uniform usamplerBuffer texels;
layout(binding = 3) uniform usampler2D texture8;
layout(binding = 4, r32ui) readonly uniform uimage2D image8;
layout(binding = 5) uniform Inline { uvec4 words; } inlined;
layout(std430, binding = 6) writeonly buffer Out { uint words[]; } result;

void main()
{
    uint i = gl_GlobalInvocationID.x;
    ivec2 at = ivec2(i % 8, i / 8);
    result.words[i] = uniforms.words[i % 4] + 3 * storage[0].words[i] + 5 * storage[1].words[i] +
        7 * storage[2].words[i] + 11 * texelFetch(texels, int(i)).x +
        13 * texelFetch(texture8, at, 0).x + 17 * imageLoad(image8, at).x +
        19 * inlined.words[i % 4];
}

#version 450
// One round of an integer mixer over a buffer; the host computes the same and compares.
layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint multiplier = 2654435761u;
layout(std430, binding = 0) readonly buffer From { uint from[]; };
layout(std430, binding = 1) writeonly buffer To { uint to[]; };
layout(push_constant) uniform Round { uint count, round; };

void main()
{
    uint i = gl_GlobalInvocationID.x;
    if (i >= count)
        return;
    uint x = from[i] ^ (round * 0x9e3779b9u);
    x = (x ^ (x >> 15)) * multiplier;
    to[i] = (x << 7 | x >> 25) + i;
}

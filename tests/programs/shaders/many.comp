#version 450
// Reads one word of each of many buffers.
layout(local_size_x = 1) in;
layout(constant_id = 0) const uint count = 1;
layout(std430, binding = 0) readonly buffer Each { uint word; } each[256];
layout(std430, binding = 1) writeonly buffer Out { uint words[]; } result;

void main()
{
    for (uint i = 0; i < count; i++)
        result.words[i] = each[i].word;
}

#version 450
#extension GL_EXT_buffer_reference : require
// Reverses words by way of addresses; adds the number of the dispatch.
layout(local_size_x = 16) in;
layout(buffer_reference, std430) readonly buffer From { uint words[]; };
layout(buffer_reference, std430) writeonly buffer To { uint words[]; };
layout(push_constant) uniform Push { From from; To to; uint first; };

void main()
{
    uint i = gl_GlobalInvocationID.x;
    to.words[i] = from.words[63 - i] + first;
}

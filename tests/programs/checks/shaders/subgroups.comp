#version 450
#extension GL_KHR_shader_subgroup_basic : require
layout(local_size_x = 64) in;
layout(binding = 0) buffer Words { uint size; uint sum; };

void main()
{
    size = gl_SubgroupSize;
    atomicAdd(sum, subgroupElect() ? gl_SubgroupSize : 0);
}

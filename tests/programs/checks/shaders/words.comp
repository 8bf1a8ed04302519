#version 450
// What a pipeline and a dispatch bring: constants, push constants, sizes.
layout(local_size_x_id = 0) in;
layout(constant_id = 1) const bool flag = true;
layout(constant_id = 2) const int number = -5;
layout(constant_id = 3) const uint natural = 7;
layout(constant_id = 4) const float real = 0.5;
layout(binding = 0) buffer Words { uint words[]; };
layout(push_constant) uniform Push { uint push[16]; };

void main()
{
    atomicAdd(words[24], 1);
    if (gl_GlobalInvocationID.x != 0)
        return;
    words[0] = flag ? 1 : 0;
    words[1] = uint(number);
    words[2] = natural;
    words[3] = floatBitsToUint(real);
    words[4] = gl_WorkGroupSize.x;
    words[5] = gl_NumWorkGroups.x;
    words[6] = gl_NumWorkGroups.y;
    words[7] = gl_NumWorkGroups.z;
    for (int i = 0; i < 16; i++)
        words[8 + i] = push[i];
}

#version 450
// Sums a buffer with shared memory and one atomic per group, and leaves the arguments of an
// indirect dispatch.
layout(local_size_x = 64) in;
layout(std430, binding = 0) readonly buffer From { uint from[]; };
layout(std430, binding = 1) buffer To { uint sum, groups[3]; };
layout(push_constant) uniform Round { uint count, round; };
shared uint part[64];

void main()
{
    uint l = gl_LocalInvocationID.x, i = gl_GlobalInvocationID.x;
    part[l] = i < count ? from[i] : 0;
    for (uint step = 32; step > 0; step /= 2) {
        barrier();
        if (l < step)
            part[l] += part[l + step];
    }
    if (l == 0) {
        atomicAdd(sum, part[0]);
        if (gl_WorkGroupID.x == 0) {
            groups[0] = (count / 2 + 63) / 64;
            groups[1] = groups[2] = 1;
        }
    }
}

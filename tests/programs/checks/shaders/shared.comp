#version 450
// The sum of a workgroup's words, by way of shared memory.
layout(local_size_x = 64) in;
layout(binding = 0) buffer In { uint words[]; };
layout(binding = 1) buffer Out { uint sums[]; };
shared uint part[64];

void main()
{
    const uint i = gl_LocalInvocationID.x;
    part[i] = words[gl_GlobalInvocationID.x];
    for (uint half_ = 32; half_ > 0; half_ /= 2) {
        barrier();
        if (i < half_)
            part[i] += part[i + half_];
    }
    if (i == 0)
        sums[gl_WorkGroupID.x] = part[0];
}

#version 450
layout(local_size_x = 64) in;
layout(binding = 0) buffer Words { uint words[]; };

// Each word becomes a hash of its place and of what it was.
void main()
{
    uint i = gl_GlobalInvocationID.x;
    uint word = words[i] ^ (i * 2654435761u);
    word = (word ^ (word >> 15)) * 2246822519u;
    words[i] = word ^ (word >> 13);
}

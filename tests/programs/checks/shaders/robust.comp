#version 450
#extension GL_EXT_samplerless_texture_functions : require
// Reads and writes a place that there may not be.
layout(constant_id = 0) const int kind = 0;
layout(binding = 0) buffer In { uint words[]; };
layout(binding = 1) uniform utextureBuffer texels;
layout(binding = 2) uniform utexture2D picture;
layout(binding = 3) buffer Out { uvec4 result; uint length; uint end; };
layout(push_constant) uniform Push { uint at; };

void main()
{
    end = 1;
    switch (kind) {
    case 0: result = uvec4(words[at]); break;
    case 1: words[at] = 0x55555555; break;
    case 2: result = texelFetch(texels, int(at)); break;
    case 3: result = texelFetch(picture, ivec2(at), 0); break;
    default: length = words.length();
    }
}

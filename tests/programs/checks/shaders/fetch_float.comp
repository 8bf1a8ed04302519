#version 450
#extension GL_EXT_samplerless_texture_functions : require
layout(binding = 0) uniform texture2D picture;
layout(binding = 1) buffer Words { vec4 texel; };

void main()
{
    texel = texelFetch(picture, ivec2(1, 2), 0);
}

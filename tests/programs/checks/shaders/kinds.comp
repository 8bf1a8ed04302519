#version 450
#extension GL_EXT_samplerless_texture_functions : require
// A word of each kind of descriptor.
layout(binding = 0) uniform sampler only_sampler;
layout(binding = 1) uniform texture2D only_texture;
layout(binding = 2) uniform sampler2D combined;
layout(binding = 3, r32ui) uniform uimage2D storage_image;
layout(binding = 4) uniform utextureBuffer uniform_texels;
layout(binding = 5, r32ui) uniform uimageBuffer storage_texels;
layout(binding = 6) uniform Uniform { uint uniform_word; };
layout(binding = 7) buffer Storage { uint storage_word; };
layout(binding = 8) uniform DynamicUniform { uint dynamic_uniform_word; };
layout(binding = 9) buffer DynamicStorage { uint dynamic_storage_word; };
layout(binding = 10) buffer Words { uint words[]; };

void main()
{
    words[0] = words[1] = uint(textureLod(sampler2D(only_texture, only_sampler), vec2(0.5), 0).r * 255 + 0.5);
    words[2] = uint(textureLod(combined, vec2(0.5), 0).r * 255 + 0.5);
    words[3] = imageLoad(storage_image, ivec2(0)).r;
    words[4] = texelFetch(uniform_texels, 1).r;
    words[5] = imageLoad(storage_texels, 1).r;
    words[6] = uniform_word;
    words[7] = storage_word;
    words[8] = dynamic_uniform_word;
    words[9] = dynamic_storage_word;
    imageStore(storage_image, ivec2(0), uvec4(1003));
    imageStore(storage_texels, 0, uvec4(1005));
    storage_word = 1007;
    dynamic_storage_word = 1009;
}

#version 450
layout(constant_id = 0) const int how = 0;
layout(binding = 0) uniform sampler2D picture;
layout(binding = 1) buffer Words { vec4 result; };
layout(push_constant) uniform Push { vec2 at; float lod; };

void main()
{
    if (how == 0)
        result = textureLod(picture, at, lod);
    else if (how == 1)
        result = textureGather(picture, at, 0);
    else if (how == 2)
        result = vec4(textureSize(picture, int(lod)), textureQueryLevels(picture), 0);
    else
        result = textureLodOffset(picture, at, lod, ivec2(1, 0));
}

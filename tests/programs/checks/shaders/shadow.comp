#version 450
layout(binding = 0) uniform sampler2DShadow picture;
layout(binding = 1) buffer Words { vec4 result; };
layout(push_constant) uniform Push { vec3 below; float pad; vec3 equal; float pad2; vec3 above; };

void main()
{
    result = vec4(textureLod(picture, below, 0), textureLod(picture, equal, 0), textureLod(picture, above, 0), 0);
}

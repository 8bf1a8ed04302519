#version 450
layout(binding = 0) uniform sampler2D skin;
layout(location = 0) in vec3 world_position;
layout(location = 1) in vec3 world_normal;
layout(location = 2) in vec2 texel;
layout(location = 0) out vec4 colour;

const vec3 eye = vec3(0.0, 0.0, 4.0);
const vec3 light = normalize(vec3(0.5, 0.8, 0.7));

void main()
{
    vec3 normal = normalize(world_normal);
    vec3 half_way = normalize(light + normalize(eye - world_position));
    float diffuse = max(dot(normal, light), 0.0);
    float gloss = pow(max(dot(normal, half_way), 0.0), 48.0);
    colour = vec4(texture(skin, texel).rgb * (0.18 + 0.82 * diffuse) + vec3(0.6 * gloss), 1.0);
}

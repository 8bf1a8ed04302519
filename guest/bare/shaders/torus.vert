#version 450
layout(push_constant) uniform Place { mat4 clip; mat4 world; } place;
layout(location = 0) in vec3 position;
layout(location = 1) in vec3 normal;
layout(location = 2) in vec2 texel;
layout(location = 0) out vec3 world_position;
layout(location = 1) out vec3 world_normal;
layout(location = 2) out vec2 texel_out;

void main()
{
    vec4 world = place.world * vec4(position, 1.0);
    world_position = world.xyz;
    world_normal = mat3(place.world) * normal;
    texel_out = texel;
    gl_Position = place.clip * world;
}

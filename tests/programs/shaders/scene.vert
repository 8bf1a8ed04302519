#version 450
// Boxes in a ring: position from the vertex buffer, place and colour from the instance.
layout(location = 0) in vec3 position;
layout(location = 1) in vec2 uv;
layout(location = 2) in vec4 place; // xyz, scale
layout(location = 3) in vec4 tint;
layout(set = 0, binding = 0) uniform Camera { mat4 view_projection; } camera;
layout(push_constant) uniform Turn { vec2 turn; } p; // cosine, sine
layout(location = 0) out vec2 out_uv;
layout(location = 1) out vec4 out_tint;
layout(location = 2) flat out uint out_instance;

void main()
{
    vec3 v = position * place.w;
    v = vec3(v.x * p.turn.x - v.y * p.turn.y, v.x * p.turn.y + v.y * p.turn.x, v.z);
    gl_Position = camera.view_projection * vec4(v + place.xyz, 1.0);
    out_uv = uv;
    out_tint = tint;
    out_instance = gl_InstanceIndex;
}

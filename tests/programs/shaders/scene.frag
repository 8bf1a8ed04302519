#version 450
layout(location = 0) in vec2 uv;
layout(location = 1) in vec4 tint;
layout(location = 2) flat in uint instance;
layout(set = 0, binding = 1) uniform sampler2D image;
layout(location = 0) out vec4 colour;

void main()
{
    vec4 t = texture(image, uv * (1.0 + float(instance % 3u)));
    if (t.a < 0.25)
        discard;
    colour = vec4(mix(tint.rgb, t.rgb, 0.6), 1.0);
}

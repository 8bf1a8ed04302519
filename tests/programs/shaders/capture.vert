#version 450
// Captures what it makes of each vertex: one buffer holds positions, another colours.
layout(location = 0) in vec2 position;
layout(location = 1) in vec4 colour;
layout(xfb_buffer = 0, xfb_stride = 8, xfb_offset = 0, location = 0) out vec2 out_position;
layout(xfb_buffer = 1, xfb_stride = 16, xfb_offset = 0, location = 1) out vec4 out_colour;

void main()
{
    out_position = -position.yx;
    out_colour = colour.gbra;
    gl_Position = vec4(position, 0, 1);
    gl_PointSize = 1;
}

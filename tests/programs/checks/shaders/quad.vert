#version 450
#extension GL_EXT_multiview : require
layout(location = 0) in vec4 position;
layout(location = 1) in vec4 colour;
layout(location = 0) out vec4 out_colour;

void main()
{
    gl_Position = position + vec4(0.25 * gl_ViewIndex, 0, 0, 0);
    gl_PointSize = 1;
    out_colour = colour;
}

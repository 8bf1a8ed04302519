#version 460
#extension GL_EXT_multiview : require
// Tiles: moved a little by instance and view, more blue with each draw of a multiple draw.
layout(location = 0) in vec2 position;
layout(location = 1) in vec4 colour;
layout(location = 0) out vec4 out_colour;

void main()
{
    gl_Position = vec4(position + 0.03 * gl_InstanceIndex + 0.11 * gl_ViewIndex, 0.25 + colour.r / 2, 1);
    out_colour = vec4(colour.rg, colour.b + 0.015625 * gl_DrawID, 1);
}

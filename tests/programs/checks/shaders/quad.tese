#version 450
layout(quads, equal_spacing, ccw) in;
layout(location = 0) in vec4 colour[];
layout(location = 0) out vec4 out_colour;

void main()
{
    const vec4 top = mix(gl_in[0].gl_Position, gl_in[1].gl_Position, gl_TessCoord.x);
    const vec4 bottom = mix(gl_in[2].gl_Position, gl_in[3].gl_Position, gl_TessCoord.x);
    gl_Position = mix(top, bottom, gl_TessCoord.y);
    out_colour = colour[0];
}

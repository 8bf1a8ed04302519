#version 450
layout(vertices = 4) out;
layout(location = 0) in vec4 colour[];
layout(location = 0) out vec4 out_colour[];

void main()
{
    gl_out[gl_InvocationID].gl_Position = gl_in[gl_InvocationID].gl_Position;
    out_colour[gl_InvocationID] = colour[gl_InvocationID];
    gl_TessLevelOuter[0] = gl_TessLevelOuter[1] = gl_TessLevelOuter[2] = gl_TessLevelOuter[3] = 3;
    gl_TessLevelInner[0] = gl_TessLevelInner[1] = 3;
}

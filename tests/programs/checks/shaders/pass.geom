#version 450
// Each triangle of an area twice, the second one moved by four pixels.
layout(triangles) in;
layout(triangle_strip, max_vertices = 6) out;
layout(location = 0) in vec4 colour[];
layout(location = 0) out vec4 out_colour;

void main()
{
    for (int copy = 0; copy < 2; copy++) {
        for (int i = 0; i < 3; i++) {
            gl_Position = gl_in[i].gl_Position + vec4(0.5 * copy, 0, 0, 0);
            out_colour = colour[i];
            EmitVertex();
        }
        EndPrimitive();
    }
}

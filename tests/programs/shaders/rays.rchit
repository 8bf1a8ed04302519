#version 460
#extension GL_EXT_ray_tracing : require
layout(location = 0) rayPayloadInEXT uint hit;

void main()
{
    hit = 1 + gl_InstanceCustomIndexEXT * 16 + gl_GeometryIndexEXT * 4 + gl_PrimitiveID;
}

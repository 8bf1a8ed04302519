#version 450
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
layout(binding = 0) buffer Words { uint64_t a; uint64_t b; uint64_t sum; uint64_t product; };

void main()
{
    sum = a + b;
    product = a * b;
}

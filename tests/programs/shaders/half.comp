#version 450
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require

// One function of GLSL at 16 bits. A driver without instructions for it may call the C library.
layout(local_size_x = 64) in;
layout(constant_id = 0) const int FUNCTION = 0;
layout(set = 0, binding = 0) buffer Results { float result[]; };

void main()
{
    uint i = gl_GlobalInvocationID.x;
    float16_t x = float16_t(0.01 + float(i) * 0.014);
    float16_t y = float16_t(0.5 + float(i) * 0.011);
    float16_t r = float16_t(0);
    int e;
    switch (FUNCTION) {
    case 0: r = pow(x, y); break;
    case 1: r = exp(x); break;
    case 2: r = log(x); break;
    case 3: r = exp2(x); break;
    case 4: r = log2(x); break;
    case 5: r = sin(x); break;
    case 6: r = cos(x); break;
    case 7: r = tan(x); break;
    case 8: r = atan(y, x); break;
    case 9: r = tanh(x); break;
    case 10: r = mod(x, y); break;
    case 11: r = roundEven(x); break;
    case 12: r = sinh(x); break;
    case 13: r = asin(x); break;
    case 14: r = acos(x); break;
    case 15: r = ldexp(x, int(i & 7u)); break;
    case 16: r = inversesqrt(x) + sqrt(y); break;
    case 17: r = fma(x, y, x) + frexp(x, e); break;
    case 18: r = length(f16vec3(x, y, x)) + normalize(f16vec3(y, x, y)).x; break;
    case 19: r = cosh(x) + asinh(x) + acosh(float16_t(1) + x) + atanh(x); break;
    }
    result[i] = float(r);
}

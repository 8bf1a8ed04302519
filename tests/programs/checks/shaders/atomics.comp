#version 450
layout(local_size_x = 64) in;
layout(constant_id = 0) const int operation = 0;
layout(binding = 0) buffer Words { uint word; };

void main()
{
    const uint x = gl_LocalInvocationID.x + 1;
    switch (operation) {
    case 0: atomicAdd(word, x); break;
    case 1: atomicMin(word, x); break;
    case 2: atomicMax(word, x); break;
    case 3: atomicAnd(word, ~x); break;
    case 4: atomicOr(word, x); break;
    case 5: atomicXor(word, x); break;
    case 6: // each takes what another has left
        atomicExchange(word, 77);
        break;
    default: // one more each
        for (uint seen = word;;) {
            const uint was = atomicCompSwap(word, seen, seen + 2);
            if (was == seen)
                break;
            seen = was;
        }
    }
}

#version 450
layout(binding = 0) buffer Words { double a; double b; double sum; double quotient; };

void main()
{
    sum = a + b;
    quotient = a / b;
}

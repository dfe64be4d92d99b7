// From one element type to another, by way of double, which holds all but the far ends of 64-bit integers exactly.
//
// A real becomes an integer by dropping its fraction, one out of range the nearest in range (NaN: 0); a real becomes a shorter one by
// rounding to nearest even. One thread an element, grid-stride. Ideal traffic: x once, y once. Java: backend/cuda/Movement.java.
#include "common.cuh"

// The order of DType.
enum { F64, F32, BF16, F16, I64, I32, U8 };

__device__ inline double half_to_double(unsigned short h) {
    int exponent = h >> 10 & 31, fraction = h & 1023;
    double v = exponent == 0 ? ldexp((double) fraction, -24)
        : exponent < 31      ? ldexp((double) (fraction + 1024), exponent - 25)
        : fraction == 0      ? (double) INFINITY
                             : (double) NAN;
    return h & 0x8000 ? -v : v;
}

// Rounded to an even multiple of the spacing at x; the addition of `magic` does it.
__device__ inline unsigned short double_to_half(double x) {
    unsigned short sign = signbit(x) ? 0x8000 : 0;
    double a = fabs(x);
    if (a == 0.0) return sign;
    if (isnan(x)) return (unsigned short) (sign | 0x7e00);
    if (a >= 65520.0) return (unsigned short) (sign | 0x7c00);
    int exponent = 0;
    frexp(a, &exponent);  // a = m · 2^exponent, ½ ≤ m < 1
    int spacing = exponent - 11 > -24 ? exponent - 11 : -24;
    i64 n = (i64) rint(ldexp(a, -spacing));
    // The fraction with its leading bit added to the exponent's bits: a carry moves up into them, as it must.
    if (spacing == -24) return (unsigned short) (sign | n);
    return (unsigned short) (sign | (((spacing + 24) << 10) + n));
}

__device__ inline double clamped(double v, double least, double most) {
    return isnan(v) ? 0.0 : v < least ? least : v > most ? most : v;
}

__device__ inline double read(const void* x, int type, i64 i) {
    switch (type) {
        case F64: return static_cast<const double*>(x)[i];
        case F32: return (double) static_cast<const float*>(x)[i];
        case BF16: return (double) to_float(static_cast<const bf16*>(x)[i]);
        case F16: return half_to_double(static_cast<const unsigned short*>(x)[i]);
        case I64: return (double) static_cast<const i64*>(x)[i];
        case I32: return (double) static_cast<const int*>(x)[i];
        default: return (double) static_cast<const unsigned char*>(x)[i];
    }
}

// A double rounded to float and then to bf16 would round twice: the float is made odd where it is inexact, which rounds like the double.
__device__ inline bf16 double_to_bf16(double v) {
    float f = (float) v;
    if ((double) f != v && !isnan(v) && !isinf(f)) {
        int bits = __float_as_int(f);
        if (fabs((double) f) > fabs(v)) bits--;
        f = __int_as_float(bits | 1);
    }
    return to_bf16(f);
}

__device__ inline void write(void* y, int type, i64 i, double v) {
    switch (type) {
        case F64: static_cast<double*>(y)[i] = v; break;
        case F32: static_cast<float*>(y)[i] = (float) v; break;
        case BF16: static_cast<bf16*>(y)[i] = double_to_bf16(v); break;
        case F16: static_cast<unsigned short*>(y)[i] = double_to_half(v); break;
        case I64:
            // 2⁶³ itself is no 64-bit integer
            static_cast<i64*>(y)[i] = v >= 9223372036854775808.0 ? 9223372036854775807ll : (i64) clamped(v, -9223372036854775808.0, v);
            break;
        case I32: static_cast<int*>(y)[i] = (int) clamped(v, -2147483648.0, 2147483647.0); break;
        default: static_cast<unsigned char*>(y)[i] = (unsigned char) clamped(v, 0.0, 255.0); break;
    }
}

KERNEL convert(void* y, int y_type, const void* x, int x_type, i64 n) {
    for (i64 i = thread_number(); i < n; i += thread_count()) write(y, y_type, i, read(x, x_type, i));
}

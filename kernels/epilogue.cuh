// What becomes of a finished sum of a matrix product before it is stored, the same for every kernel that multiplies matrices. For element e
// of y, in column j:
//
//     v = sum + bias[j] (+ y)        y = f(v),   f one of the functions between layers, or none
//
// So a linear layer and the function behind it are one pass over y; v is stored only where the way back will ask for it.
// Java: backend/cuda/Epilogue.java.
#pragma once
#include "activation.cuh"

struct Epilogue {
    const real* bias;  // [N], or null
    real* sums;        // like y: where v is kept, or null
    i64 accumulate;    // whether y is added to
    i64 f;             // one of the following
};

enum { NO_FUNCTION, SILU_OF_SUM, GELU_OF_SUM, GELU_TANH_OF_SUM };

// v
__device__ __forceinline__ float completed(float sum, const real* y, i64 e, i64 j, const Epilogue& epilogue) {
    if (epilogue.bias != nullptr) sum += at(epilogue.bias, j);
    if (epilogue.accumulate) sum += at(y, e);
    return sum;
}

// f(v)
__device__ __forceinline__ float function_of(float v, const Epilogue& epilogue) {
    if (epilogue.f == SILU_OF_SUM) return silu(v);
    if (epilogue.f == GELU_OF_SUM) return gelu(v);
    if (epilogue.f == GELU_TANH_OF_SUM) return gelu_tanh(v);
    return v;
}

// Stores a sum as element e of y, which is in column j.
__device__ inline void finish(real* y, i64 e, i64 j, float sum, const Epilogue& epilogue) {
    float v = completed(sum, y, e, j, epilogue);
    if (epilogue.sums != nullptr) put(epilogue.sums + e, v);
    put(y + e, function_of(v, epilogue));
}

// What becomes of a finished sum of a matrix product before it is stored, the same for every kernel that multiplies matrices. For element j
// of a row of y:
//
//     v = sum + bias[j]        y = x + gate[j] · f(v)
//
// f is one of the functions between layers, x the sum in which a branch of a network ends, gate what opens the branch; x is y itself where a
// product is added to what is there already. What is not given is left out. So a linear layer and what stands behind it are one pass over y;
// v is stored only where the way back will ask for it. Java: backend/cuda/Epilogue.java.
#pragma once
#include "activation.cuh"

struct Epilogue {
    const real* bias;  // [N], or null
    real* sums;        // like y: where v is kept, or null
    const real* x;     // like y, or null
    const real* gate;  // [rows / length, N], the rows of a batch counted through; or null
    i64 length;        // rows that have a gate in common; with gates, there are fewer than 2³² rows
    i64 f;             // one of the following
};

enum { NO_FUNCTION, SILU_OF_SUM, GELU_OF_SUM, GELU_TANH_OF_SUM };

// f(v)
__device__ __forceinline__ float function_of(float v, const Epilogue& epilogue) {
    if (epilogue.f == SILU_OF_SUM) return silu(v);
    if (epilogue.f == GELU_OF_SUM) return gelu(v);
    if (epilogue.f == GELU_TANH_OF_SUM) return gelu_tanh(v);
    return v;
}

// The gate [N] of a row, or null. A division of 64 bits would be a call, and cost the kernels their registers.
__device__ __forceinline__ const real* gate_of(i64 row, i64 n, const Epilogue& epilogue) {
    return epilogue.gate != nullptr ? epilogue.gate + (unsigned) row / (unsigned) epilogue.length * n : nullptr;
}

// Stores a sum as element j of a row of y, whose rows have n.
__device__ inline void finish(real* y, i64 row, i64 j, i64 n, float sum, const Epilogue& epilogue) {
    i64 e = row * n + j;
    float v = epilogue.bias != nullptr ? sum + at(epilogue.bias, j) : sum;
    float x = epilogue.x != nullptr ? at(epilogue.x, e) : 0.f;
    const real* gates = gate_of(row, n, epilogue);
    float gate = gates != nullptr ? at(gates, j) : 1.f;
    if (epilogue.sums != nullptr) put(epilogue.sums + e, v);
    put(y + e, fmaf(gate, function_of(v, epilogue), x));
}

// What all kernels of attention have in common: sizes, and what is added to scores. T is the type of what is stored.
#pragma once
#include "common.cuh"

struct Sizes {
    i64 batch, heads, length, keys, width;
};

// How many keys of a batch entry count.
__device__ inline i64 keys_of(const Sizes& s, const i64* key_lengths, i64 b) {
    return key_lengths == nullptr ? s.keys : min(key_lengths[b], s.keys);
}

// Added to the scores of query i and key j in head h of batch entry b: bias[h, i, j] + mask[b % masks, i, j], each of which may be null.
template <typename T>
struct Added {
    const T* bias;  // [heads, length, keys]
    const T* mask;  // [masks, length, keys]
    i64 masks;
};

// The same for one head of one batch entry: bias and mask are matrices [length, keys] now.
template <typename T>
__device__ inline Added<T> added_to(const Added<T>& added, const Sizes& s, i64 b, i64 head) {
    Added<T> mine = {nullptr, nullptr, 1};
    if (added.bias != nullptr) mine.bias = added.bias + head * s.length * s.keys;
    if (added.mask != nullptr) mine.mask = added.mask + b % added.masks * s.length * s.keys;
    return mine;
}

template <typename T>
__device__ inline bool any(const Added<T>& added) {
    return added.bias != nullptr || added.mask != nullptr;
}

// What is added to the score that is element e of the matrix.
template <typename T>
__device__ inline float added_at(const Added<T>& mine, i64 e) {
    float sum = mine.bias == nullptr ? 0.f : to_float(mine.bias[e]);
    return mine.mask == nullptr ? sum : sum + to_float(mine.mask[e]);
}

// What a kernel's loads and stores call, compiled with -fsanitize=kernel-address. A part of emulation.cpp.
#pragma once
#include "blocks.h"

namespace emulated {
namespace {

void fault(uintptr_t address, size_t bytes, bool store) {
    const char* what = store ? "writes" : "reads";
    Processor& p = *processor;
    if (address - reinterpret_cast<uintptr_t>(arena) >= ARENA) {
        p.fail(*p.running, "%s %zu bytes at address %#zx, which is no memory", what, bytes, (size_t) address);
        p.leave();
    }
    size_t at = address - reinterpret_cast<uintptr_t>(arena);
    std::lock_guard<std::mutex> guard(memory_lock);
    auto after = buffers.upper_bound(at);
    if (after == buffers.begin()) {
        p.fail(*p.running, "%s %zu bytes where no buffer is", what, bytes);
    } else {
        auto buffer = std::prev(after);
        size_t from = at - buffer->first;
        bool in_shared = false;
        for (const auto& b : p.blocks) in_shared |= arena + buffer->first == b->shared;
        size_t size = in_shared ? p.launch->shared : buffer->second.used;
        const char* of = in_shared ? "dynamic shared memory" : "a buffer";
        bool barrier = false;
        for (size_t i = 0; i < bytes && from + bytes <= size; i++) barrier |= (shadow[at + i] & BARRIER) != 0;
        if (address % bytes != 0) {
            p.fail(*p.running, "%s %zu bytes at byte %zu of %s, where they are not aligned", what, bytes, from, of);
        } else if (from + bytes > size) {
            p.fail(*p.running, "%s %zu bytes at byte %zu of %s of %zu bytes", what, bytes, from, of, size);
        } else if (barrier) {
            p.fail(*p.running, "%s %zu bytes at byte %zu of %s, where a barrier is", what, bytes, from, of);
        } else {
            p.fail(*p.running, "reads %zu bytes that were never written, at byte %zu of %s of %zu bytes", bytes, from, of, size);
        }
    }
}

// Words lie at multiples of their size, on every device.
template <size_t BYTES>
inline void check_aligned(uintptr_t address, bool store) {
    if (address % BYTES == 0 || address - reinterpret_cast<uintptr_t>(arena) >= ARENA) return;
    fault(address, BYTES, store);
    processor->leave();
}

template <class Word, size_t BYTES>
inline void load(uintptr_t address) {
    uintptr_t at = address - reinterpret_cast<uintptr_t>(arena);
    if (at >= ARENA) {
        if (address < 65536) fault(address, BYTES, false);
        return;
    }
    Word state;
    std::memcpy(&state, shadow + at, sizeof state);
    if ((state & (Word) 0x0303030303030303ull) != (Word) 0x0202020202020202ull) {
        fault(address, BYTES, false);
        processor->leave();
    }
}

template <size_t BYTES>
inline void store(uintptr_t address) {
    uintptr_t at = address - reinterpret_cast<uintptr_t>(arena);
    if (at >= ARENA) {
        if (address < 65536) fault(address, BYTES, true);
        return;
    }
    for (size_t i = 0; i < BYTES; i++) {
        if ((shadow[at + i] & (NEVER_WRITTEN | WRITTEN)) == 0) {
            fault(address, BYTES, true);
            processor->leave();
        }
    }
    std::memset(shadow + at, WRITTEN, BYTES);
}

}  // namespace

extern "C" {

void __asan_load1_noabort(uintptr_t a) { load<uint8_t, 1>(a); }
void __asan_load2_noabort(uintptr_t a) {
    check_aligned<2>(a, false);
    load<uint16_t, 2>(a);
}
void __asan_load4_noabort(uintptr_t a) {
    check_aligned<4>(a, false);
    load<uint32_t, 4>(a);
}
void __asan_load8_noabort(uintptr_t a) {
    check_aligned<8>(a, false);
    load<uint64_t, 8>(a);
}
void __asan_load16_noabort(uintptr_t a) {
    check_aligned<16>(a, false);
    load<uint64_t, 8>(a);
    load<uint64_t, 8>(a + 8);
}
void __asan_loadN_noabort(uintptr_t a, size_t n) {
    for (size_t i = 0; i < n; i++) load<uint8_t, 1>(a + i);
}
void __asan_store1_noabort(uintptr_t a) { store<1>(a); }
void __asan_store2_noabort(uintptr_t a) {
    check_aligned<2>(a, true);
    store<2>(a);
}
void __asan_store4_noabort(uintptr_t a) {
    check_aligned<4>(a, true);
    store<4>(a);
}
void __asan_store8_noabort(uintptr_t a) {
    check_aligned<8>(a, true);
    store<8>(a);
}
void __asan_store16_noabort(uintptr_t a) {
    check_aligned<16>(a, true);
    store<16>(a);
}
void __asan_storeN_noabort(uintptr_t a, size_t n) {
    for (size_t i = 0; i < n; i++) store<1>(a + i);
}
void __asan_handle_no_return() {}
}
}  // namespace emulated

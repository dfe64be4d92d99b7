// Device memory: one arena, and a shadow of it, a byte for a byte, that tells what each may be used for. A part of emulation.cpp.
#pragma once
#include <sys/mman.h>

#include <cstring>
#include <map>
#include <mutex>

namespace emulated {
namespace {

const size_t ARENA = size_t{1} << 36;
const size_t ALIGNMENT = 256;
const size_t PAGE = 64 * 1024;  // no processor has larger ones by default

// What a byte of the arena may be used for. Loads and stores look at the lowest two bits, so that neither touches a barrier. Bulk copies and
// warp groups want to see the bit VISIBLE as well, which a fence adds, one place above what it finds. Other blocks of the cluster want
// SHOWN_BARRIER, which a barrier of the cluster adds where another fence has left FENCED_BARRIER.
enum : unsigned char { FORBIDDEN = 0, NEVER_WRITTEN = 1, WRITTEN = 2, BARRIER = 8 };
const unsigned char VISIBLE_WRITTEN = WRITTEN | WRITTEN << 1, VISIBLE_BARRIER = BARRIER | BARRIER << 1;
const unsigned char FENCED_BARRIER = BARRIER << 2, SHOWN_BARRIER = BARRIER << 3;

unsigned char* arena;
unsigned char* shadow;
std::mutex memory_lock;
std::map<size_t, size_t> holes;    // offset -> bytes

struct Buffer {
    size_t room;
    size_t used;  // what of it was handed out
};
std::map<size_t, Buffer> buffers;  // by offset

unsigned char* reserve(size_t bytes) {
    void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? nullptr : static_cast<unsigned char*>(p);
}

// Adds to every byte's state what stands so many places above those of these bits that it has.
void raise(const unsigned char* at, size_t bytes, unsigned char bits, int places) {
    unsigned char* s = shadow + (at - arena);
    for (size_t i = 0; i < bytes; i += 8) {
        uint64_t states;
        std::memcpy(&states, s + i, 8);
        states |= (states & bits * 0x0101010101010101ull) << places;
        std::memcpy(s + i, &states, 8);
    }
}

unsigned char* allocate(size_t bytes) {
    std::lock_guard<std::mutex> guard(memory_lock);
    size_t needed = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT + ALIGNMENT;  // with a gap behind it that nobody may touch
    for (auto hole = holes.begin(); hole != holes.end(); ++hole) {
        if (hole->second < needed) continue;
        size_t at = hole->first;
        size_t rest = hole->second - needed;
        holes.erase(hole);
        if (rest > 0) holes[at + needed] = rest;
        buffers[at] = Buffer{bytes, 0};
        return arena + at;
    }
    return nullptr;
}

}  // namespace
}  // namespace emulated

namespace emulated {
extern "C" {

// Memory that nobody may use before emulated_hand_out.
void* emulated_allocate(size_t bytes) {
    return allocate(bytes);
}

void emulated_release(void* p) {
    std::lock_guard<std::mutex> guard(memory_lock);
    size_t at = (size_t) (static_cast<unsigned char*>(p) - arena);
    size_t bytes = (buffers[at].room + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT + ALIGNMENT;
    buffers.erase(at);
    std::memset(shadow + at, FORBIDDEN, bytes);
    // Whole pages go back to the system; the first and the last may be a neighbour's as well.
    size_t from = (at + PAGE - 1) / PAGE * PAGE, to = (at + bytes) / PAGE * PAGE;
    if (to > from) madvise(arena + from, to - from, MADV_DONTNEED);
    auto hole = holes.emplace(at, bytes).first;
    auto after = std::next(hole);
    if (after != holes.end() && hole->first + hole->second == after->first) {
        hole->second += after->second;
        holes.erase(after);
    }
    if (hole != holes.begin()) {
        auto before = std::prev(hole);
        if (before->first + before->second == hole->first) {
            before->second += hole->second;
            holes.erase(hole);
        }
    }
}

// The first `bytes` of a buffer may be written, and read once they are; the rest of its `room` may not be touched.
void emulated_hand_out(void* p, size_t bytes, size_t room) {
    size_t at = (size_t) (static_cast<unsigned char*>(p) - arena);
    {
        std::lock_guard<std::mutex> guard(memory_lock);
        buffers[at].used = bytes;
    }
    std::memset(shadow + at, NEVER_WRITTEN, bytes);
    std::memset(shadow + at + bytes, FORBIDDEN, room - bytes);
}

// The host has written these.
void emulated_written(void* p, size_t bytes) {
    std::memset(shadow + (static_cast<unsigned char*>(p) - arena), WRITTEN, bytes);
}

// The first of `bytes` that was never written, or may not be read; -1 if all is well.
long long emulated_unwritten(void* p, size_t bytes) {
    const unsigned char* s = shadow + (static_cast<unsigned char*>(p) - arena);
    for (size_t i = 0; i < bytes; i++) {
        if (s[i] != WRITTEN) return (long long) i;
    }
    return -1;
}
}
}  // namespace emulated

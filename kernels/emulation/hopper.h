// The instructions of kernels/hopper.cuh, on the emulated device.
//
// Barriers count in the eight bytes in which they lie, which no thread can read or write otherwise. Boxes are read when a copy begins and
// come at once or late; a warp group's products are computed when it waits for them. Both mean the same addresses of shared memory: they
// begin at 16, since no device promises more than that.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "emulation.h"

#define __grid_constant__

namespace emulated {

// Looks at memory that no kernel may look at, so its accesses are not checked.
#define UNCHECKED __attribute__((no_sanitize("kernel-address"), noinline))

const unsigned FIRST_ADDRESS = 16;

inline unsigned shared_address(const void* p) {
    return FIRST_ADDRESS + (unsigned) (static_cast<const unsigned char*>(p) - dynamic_shared);
}

// In the memory of this block or another.
inline unsigned char* at_shared_address(unsigned char* shared, unsigned address) {
    return shared + address - FIRST_ADDRESS;
}

// Where the 16 bytes at an address lie in memory of which eight rows of 128 bytes are swizzled.
inline unsigned swizzled_address(unsigned address) {
    return address ^ (address >> 3 & 0x70u);
}

// ---- barriers -----------------------------------------------------------------------------------------------------------------------

struct BarrierState {
    uint64_t arrivals : 20;  // expected of every phase
    uint64_t pending : 20;   // of this phase
    uint64_t phase : 1;
    int64_t bytes : 23;  // expected, less those that have come
};
static_assert(sizeof(BarrierState) == 8);

inline void refuse_unless_barrier(const void* b) {
    Seen found = (uintptr_t) b % 8 == 0 ? seen(b, 8) : Seen::NOTHING;
    if (found != Seen::BARRIER && found != Seen::BARRIER_BEFORE_A_FENCE) refuse("uses a barrier where none was made");
}

UNCHECKED inline void complete_phase(BarrierState* b) {
    if (b->pending != 0 || b->bytes != 0) return;
    b->phase ^= 1;
    b->pending = b->arrivals;
}

UNCHECKED inline void barrier_begin(void* at, int arrivals) {
    if ((uintptr_t) at % 8 != 0) refuse("makes a barrier that is not aligned to 8 bytes");
    if (arrivals < 1 || arrivals >= 1 << 20) refuse("makes a barrier of no arrivals, or too many");
    mark(at, 8, Mark::BARRIER);
    BarrierState fresh = {(uint64_t) arrivals, (uint64_t) arrivals, 0, 0};
    *static_cast<BarrierState*>(at) = fresh;
}

UNCHECKED inline void barrier_arrive(void* at, int bytes, int line) {
    refuse_unless_barrier(at);
    auto b = static_cast<BarrierState*>(at);
    if (b->pending == 0) refuse("arrives at a barrier more often than it expects");
    if (bytes < 0 || b->bytes + bytes >= 1 << 20) refuse("has a barrier expect more bytes than it can count");
    b->bytes += bytes;
    b->pending--;
    auto phase = b->phase;
    complete_phase(b);
    // Who has waited for this may be faster than what this thread does next.
    if (b->phase != phase) let_others_run(line);
}

UNCHECKED inline void barrier_receive(BarrierState* b, int bytes) {
    b->bytes -= bytes;
    complete_phase(b);
}

struct PhaseOf {
    const BarrierState* barrier;
    int parity;
};

UNCHECKED inline bool phase_is_over(const void* p) {
    auto of = static_cast<const PhaseOf*>(p);
    return (int) of->barrier->phase != of->parity;
}

inline void barrier_wait(const void* at, int parity, int line) {
    refuse_unless_barrier(at);
    PhaseOf of = {static_cast<const BarrierState*>(at), parity};
    if (!phase_is_over(&of)) wait_until(phase_is_over, &of, line);
}

// ---- clusters -----------------------------------------------------------------------------------------------------------------------

// Where a block of the cluster has what this one has at p.
inline void* in_block(int rank, const void* p) {
    return at_shared_address(shared_of(rank), shared_address(p));
}

inline void refuse_unless_shown(int rank, const void* barrier) {
    refuse_unless_barrier(barrier);
    if (rank != rank_in_cluster() && !shown_to_cluster(barrier))
        refuse("uses a barrier of another block, which may not see it yet: a fence for barriers and then a barrier of the cluster are missing");
}

inline void barrier_arrive_in(int rank, const void* barrier, int line) {
    void* there = in_block(rank, barrier);
    refuse_unless_shown(rank, there);
    barrier_arrive(there, 0, line);
}

// ---- boxes --------------------------------------------------------------------------------------------------------------------------

// What the emulated driver makes of a tensor map of bf16: see EmulatedDriver.java.
struct BoxesOf {
    static const int64_t MAGIC = 0x70616d726f736e65;

    int64_t magic;
    int64_t address;
    int64_t extent[5];  // in elements, the dense one first
    int64_t stride[4];  // of the others, in bytes
    int32_t box[5];     // of which the dense one is a row of 128 bytes
    int32_t rank;
};
static_assert(sizeof(BoxesOf) <= 128);

// Brings a box to one block.
struct BoxCopy : Work {
    unsigned address;  // in its shared memory
    BarrierState* done;
    std::shared_ptr<std::vector<unsigned char>> bytes;  // rows of 128

    UNCHECKED void perform() override {
        for (size_t chunk = 0; chunk < bytes->size(); chunk += 16) {
            unsigned char* there = at_shared_address(shared, swizzled_address(address + (unsigned) chunk));
            std::memcpy(there, bytes->data() + chunk, 16);
            mark(there, 16, Mark::VISIBLE);
        }
        barrier_receive(done, (int) bytes->size());
    }
};

// Begins to bring the bytes of a box to where `target` is in one block, and to tell its barrier.
inline void bring_box(int rank, const void* target, const std::shared_ptr<std::vector<unsigned char>>& bytes, const void* done) {
    void *to = in_block(rank, target), *barrier = in_block(rank, done);
    refuse_unless_shown(rank, barrier);
    if (seen(barrier, 8) != Seen::BARRIER) refuse("copies a box, and the device does not see the barrier yet: a fence is missing");
    if (products_read(to, bytes->size())) refuse("copies a box over what a product under way reads");
    mark(to, bytes->size(), Mark::UNDER_WAY);
    auto copy = std::make_unique<BoxCopy>();
    copy->shared = shared_of(rank);
    copy->address = shared_address(target);
    copy->done = static_cast<BarrierState*>(barrier);
    copy->bytes = bytes;
    by_itself(std::move(copy));
}

// To the blocks of the cluster whose bits are in `blocks`.
template <int RANK>
UNCHECKED inline void copy_box(void* target, const void* tensor_map, const int (&first)[RANK], void* done, unsigned blocks) {
    BoxesOf map;
    std::memcpy(&map, tensor_map, sizeof map);
    if (map.magic != BoxesOf::MAGIC) refuse("copies a box of what is no tensor map");
    if (map.rank != RANK) refuse("copies a box by other coordinates than its tensor map has");
    if (blocks == 0) refuse("copies a box to no block");
    if (shared_address(target) % 128 != 0) refuse("copies a box to shared memory that is not aligned to 128 bytes");
    int rows = 1;
    for (int i = 1; i < RANK; i++) rows *= map.box[i];
    auto bytes = std::make_shared<std::vector<unsigned char>>((size_t) rows * 128);
    for (int row = 0; row < rows; row++) {
        bool exists = true;
        int64_t from = std::max<int64_t>(first[0], 0), to = std::min<int64_t>(first[0] + map.box[0], map.extent[0]);
        int64_t address = map.address + from * 2;
        for (int i = 1, rest = row; i < RANK; rest /= map.box[i++]) {
            int64_t at = (int64_t) first[i] + rest % map.box[i];
            exists &= at >= 0 && at < map.extent[i];
            address += at * map.stride[i - 1];
        }
        if (!exists || from >= to) continue;
        auto source = reinterpret_cast<const unsigned char*>(address);
        check_read(source, (size_t) (to - from) * 2);
        std::memcpy(bytes->data() + row * 128 + (from - first[0]) * 2, source, (size_t) (to - from) * 2);
    }
    for (int rank = 0; blocks >> rank != 0; rank++) {
        if (blocks >> rank & 1u) bring_box(rank, target, bytes, done);
    }
}

template <int RANK>
inline void copy_box(void* target, const void* tensor_map, const int (&first)[RANK], void* done) {
    copy_box(target, tensor_map, first, done, 1u << rank_in_cluster());
}

// ---- products of warp groups ----------------------------------------------------------------------------------------------------------

// An operand in shared memory as its descriptor says: [lines, 16], of which lines or terms lie together.
struct Operand {
    unsigned char* shared = dynamic_shared;
    unsigned first, leading, stride;
    bool lines_together;

    Operand(uint64_t descriptor, bool lines_together)
        : first((unsigned) (descriptor & 0x3fff) << 4), leading((unsigned) (descriptor >> 16 & 0x3fff) << 4),
          stride((unsigned) (descriptor >> 32 & 0x3fff) << 4), lines_together(lines_together) {
        if (descriptor >> 62 != 1) refuse("multiplies by a descriptor whose swizzle is not of 128 bytes");
        if ((descriptor >> 49 & 7) != 0 || first % 1024 >= 128)
            refuse("multiplies an operand whose rows of 128 bytes do not begin where the swizzle does, every 1024 bytes");
        if (first % 128 + (lines_together ? 128 : 32) > 128) refuse("multiplies an operand that goes beyond its rows of 128 bytes");
    }

    const unsigned char* at(int line, int term) const {
        unsigned address = lines_together ? first + line / 64 * leading + line % 64 * 2 + term / 8 * stride + term % 8 * 128
                                          : first + line / 8 * stride + line % 8 * 128 + term * 2;
        return at_shared_address(shared, swizzled_address(address));
    }

    // Piece i of 16 bytes, of which there are two a line.
    const unsigned char* piece(int i) const { return lines_together ? at(i / 16 * 8, i % 16) : at(i / 2, i % 2 * 8); }

    bool reads(int lines, const void* from, size_t bytes) const {
        bool any = false;
        for (int i = 0; i < lines * 2; i++) any |= (size_t) (piece(i) - static_cast<const unsigned char*>(from)) < bytes;
        return any;
    }

    void refuse_unless_visible(int lines) const {
        for (int i = 0; i < lines * 2; i++) {
            Seen found = seen(piece(i), 16);
            if (found == Seen::WRITTEN_BEFORE_A_FENCE) refuse("multiplies what a thread has written, with no fence since then");
            if (found != Seen::WRITTEN) refuse("multiplies what was never written, or is still under way");
        }
    }

    UNCHECKED float value(int line, int term) const {
        unsigned short bits;
        std::memcpy(&bits, at(line, term), 2);
        unsigned wide = (unsigned) bits << 16;
        float v;
        std::memcpy(&v, &wide, 4);
        return v;
    }
};

// What a thread gives to a product: its sums, its part of the left side if that is in registers, and what is the same for all threads.
struct GroupShare {
    float* d;
    const unsigned* registers;  // of a [64, 16], or none
    uint64_t a;                 // if there are none
    uint64_t b;
    bool accumulate, a_lines, b_lines;
};

// The left side of a product.
struct LeftSide {
    virtual float value(int row, int term) const = 0;
    virtual void refuse_unless_ready() const = 0;
    virtual bool reads(const void* from, size_t bytes) const = 0;
    virtual ~LeftSide() = default;
};

struct LeftInShared : LeftSide {
    Operand a;

    explicit LeftInShared(const GroupShare& share) : a(share.a, share.a_lines) { a.refuse_unless_visible(64); }

    float value(int row, int term) const override { return a.value(row, term); }

    void refuse_unless_ready() const override {}

    bool reads(const void* from, size_t bytes) const override { return a.reads(64, from, bytes); }
};

// Four pairs a thread: of rows g and g + 8, terms 2t and 2t + 1, and both rows again eight terms later.
struct LeftInRegisters : LeftSide {
    const unsigned* now[128];
    unsigned then[128][4];

    UNCHECKED void take(int thread, const unsigned* registers) {
        now[thread] = registers;
        std::memcpy(then[thread], registers, sizeof then[thread]);
    }

    float value(int row, int term) const override {
        return half_of(then[row / 16 * 32 + row % 8 * 4 + term % 8 / 2][term / 8 * 2 + row % 16 / 8], term % 2);
    }

    UNCHECKED void refuse_unless_ready() const override {
        for (int i = 0; i < 128; i++) {
            if (std::memcmp(now[i], then[i], sizeof then[i]) != 0) refuse("changes registers out of which a product under way reads");
        }
    }

    bool reads(const void* /*from*/, size_t /*bytes*/) const override { return false; }
};

// d [64, N] += a [64, 16] · b [16, N]
template <int N>
struct GroupProduct : Work {
    std::unique_ptr<LeftSide> a;
    Operand b;
    bool accumulate;
    float* d[128];

    explicit GroupProduct(const GroupShare& share) : b(share.b, share.b_lines), accumulate(share.accumulate) {
        b.refuse_unless_visible(N);
    }

    bool reads(const void* from, size_t bytes) const override { return a->reads(from, bytes) || b.reads(N, from, bytes); }

    UNCHECKED void perform() override {
        static thread_local float columns[16][N];
        a->refuse_unless_ready();
        for (int k = 0; k < 16; k++) {
            for (int j = 0; j < N; j++) columns[k][j] = b.value(j, k);
        }
        for (int row = 0; row < 64; row++) {
            float* const* quad = d + row / 16 * 32 + row % 8 * 4;  // the four threads that hold this row
            int half = row % 16 / 8 * 2;
            float sums[N] = {};
            for (int j = 0; j < N && accumulate; j++) sums[j] = quad[j % 8 / 2][j / 8 * 4 + half + j % 2];
            for (int k = 0; k < 16; k++) {
                float factor = a->value(row, k);
                for (int j = 0; j < N; j++) sums[j] += factor * columns[k][j];
            }
            for (int j = 0; j < N; j++) quad[j % 8 / 2][j / 8 * 4 + half + j % 2] = sums[j];
        }
    }
};

template <int N>
inline void begin_product(void** threads) {
    auto of = [threads](int i) -> const GroupShare& { return *static_cast<const GroupShare*>(threads[i]); };
    const GroupShare& first = of(0);
    auto product = std::make_unique<GroupProduct<N>>(first);
    std::unique_ptr<LeftInRegisters> registers(first.registers == nullptr ? nullptr : new LeftInRegisters());
    for (int i = 0; i < 128; i++) {
        if (of(i).a != first.a || of(i).b != first.b || of(i).accumulate != first.accumulate)
            refuse("multiplies by other descriptors than the rest of its warp group");
        product->d[i] = of(i).d;
        if (registers) registers->take(i, of(i).registers);
    }
    if (registers) product->a = std::move(registers);
    else product->a = std::make_unique<LeftInShared>(first);
    products_begin(product.release());
}

template <int N>
inline void wgmma_bf16(float* d, uint64_t a, uint64_t b, bool accumulate, bool a_lines, bool b_lines, int line) {
    GroupShare mine = {d, nullptr, a, b, accumulate, a_lines, b_lines};
    together(128, begin_product<N>, &mine, line);
}

template <int N>
inline void wgmma_bf16(float* d, const unsigned* a, uint64_t b, bool accumulate, bool b_lines, int line) {
    GroupShare mine = {d, a, 0, b, accumulate, false, b_lines};
    together(128, begin_product<N>, &mine, line);
}

inline void wgmma_fence(int line) {
    int nothing;
    together(128, [](void**) { products_fence(); }, &nothing, line);
}

inline void wgmma_commit(int line) {
    int nothing;
    together(128, [](void**) { products_commit(); }, &nothing, line);
}

inline void wgmma_wait(int pending, int line) {
    together(128, [](void** threads) { products_wait(*static_cast<int*>(threads[0])); }, &pending, line);
}

}  // namespace emulated

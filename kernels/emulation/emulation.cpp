// The runtime under emulation.h: memory whose every access is checked, blocks of fibers, and clusters of blocks.
//
// Kernels are compiled with -fsanitize=kernel-address, so that each of their loads and stores calls one of the hooks in accesses.h. The
// first fault ends a launch, with the kernel, the block and the thread in its message.
#include "emulation.h"
#include "accesses.h"
#include "blocks.h"
#include "memory.h"

namespace emulated {

thread_local Place* here;
thread_local dim3 block;
thread_local dim3 grid_size;
thread_local dim3 block_size;
thread_local unsigned char* dynamic_shared;

void barrier(int line) {
    wait(State::AT_BARRIER, line);
}

const uint64_t* exchange(unsigned mask, uint64_t mine, int line) {
    Fiber& f = *processor->running;
    f.mask = mask;
    f.gives = mine;
    wait(State::IN_WARP, line);
    return f.got;
}

void together(int team, void (*all)(void** given), void* mine, int line) {
    Fiber& f = *processor->running;
    Block& b = *f.home;
    unsigned size = (unsigned) team;
    unsigned first = (unsigned) (&f - b.fibers.data()) / size * size;
    if (first + size > b.threads) refuse("an instruction of all lanes, of which not all exist");
    f.given = mine;
    f.team = size;
    f.line = line;
    void* given[128];
    for (unsigned i = 0; i < size; i++) {
        const Fiber& o = b.fibers[first + i];
        if (&o != &f && !(o.state == State::IN_TEAM && o.team == size && o.line == line)) {
            wait(State::IN_TEAM, line);
            return;
        }
        given[i] = o.given;
    }
    all(given);
    for (unsigned i = 0; i < size; i++) b.fibers[first + i].state = State::READY;
}

void refuse(const char* what) {
    Processor& p = *processor;
    p.fail(*p.running, "%s", what);
    p.leave();
}

namespace {

void perform(const Copy& copy) {
    auto to = reinterpret_cast<uintptr_t>(copy.to);
    store<8>(to);
    store<8>(to + 8);
    std::memcpy(copy.to, copy.bytes, sizeof copy.bytes);
}

}  // namespace

void copy_later(void* to, const uint64_t (&bytes)[2]) {
    Fiber& f = *processor->running;
    Copy copy = {to, {bytes[0], bytes[1]}, f.group};
    perform(copy);
    if (f.place.lane % 2 == 0) return;
    uintptr_t at = reinterpret_cast<uintptr_t>(to) - reinterpret_cast<uintptr_t>(arena);
    if (at < ARENA) std::memset(shadow + at, NEVER_WRITTEN, sizeof copy.bytes);
    f.copies.push_back(copy);
}

void copies_end() {
    processor->running->group++;
}

void copies_wait(int pending) {
    Fiber& f = *processor->running;
    size_t left = 0;
    for (const Copy& copy : f.copies) {
        if (copy.group < f.group - pending) perform(copy);
        else f.copies[left++] = copy;
    }
    f.copies.resize(left);
}

// ---- what a device does by itself ---------------------------------------------------------------------------------------------------

void by_itself(std::unique_ptr<Work> work) {
    Processor& p = *processor;
    p.dice = p.dice * 1664525u + 1013904223u;
    if (p.dice >> 31) work->perform();
    else p.late.push_back(std::move(work));
}

void wait_until(bool (*done)(const void*), const void* of, int line) {
    Fiber& f = *processor->running;
    f.done = done;
    f.of = of;
    wait(State::UNTIL, line);
}

void let_others_run(int line) {
    // Twice, since the order of threads changes from turn to turn: so each of them comes in between.
    for (int i = 0; i < 2; i++) wait(State::READY, line);
}

void check_read(const void* from, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) load<uint8_t, 1>(reinterpret_cast<uintptr_t>(from) + i);
}

void mark(void* at, size_t bytes, Mark as) {
    auto address = reinterpret_cast<uintptr_t>(at), offset = address - reinterpret_cast<uintptr_t>(arena);
    if (offset >= ARENA) refuse("leaves to the device what is not in dynamic shared memory");
    for (size_t i = 0; i < bytes && as != Mark::VISIBLE; i++) store<1>(address + i);
    unsigned char state = as == Mark::UNDER_WAY ? NEVER_WRITTEN : as == Mark::BARRIER ? BARRIER : VISIBLE_WRITTEN;
    std::memset(shadow + offset, state, bytes);
}

Seen seen(const void* at, size_t bytes) {
    auto offset = reinterpret_cast<uintptr_t>(at) - reinterpret_cast<uintptr_t>(arena);
    if (offset >= ARENA) return Seen::NOTHING;
    const unsigned char* s = shadow + offset;
    for (size_t i = 1; i < bytes; i++) {
        if (s[i] != s[0]) return Seen::NOTHING;
    }
    if ((*s & BARRIER) != 0) return (*s & VISIBLE_BARRIER) == VISIBLE_BARRIER ? Seen::BARRIER : Seen::BARRIER_BEFORE_A_FENCE;
    return *s == VISIBLE_WRITTEN ? Seen::WRITTEN : *s == WRITTEN ? Seen::WRITTEN_BEFORE_A_FENCE : Seen::NOTHING;
}

void make_visible() {
    raise(dynamic_shared, MOST_SHARED, WRITTEN | BARRIER, 1);
}

// ---- clusters -----------------------------------------------------------------------------------------------------------------------

int rank_in_cluster() {
    return (int) (block.x % processor->launch->cluster);
}

unsigned char* shared_of(int rank) {
    Processor& p = *processor;
    if (rank < 0 || (unsigned) rank >= p.launch->cluster) refuse("reaches for a block that its cluster does not have");
    if (p.blocks[(size_t) rank]->ended) refuse("reaches for a block of its cluster that has ended");
    return p.blocks[(size_t) rank]->shared;
}

void barrier_of_cluster(int line) {
    wait(State::AT_BARRIER_OF_CLUSTER, line);
}

void fence_barriers() {
    raise(dynamic_shared, MOST_SHARED, BARRIER, 2);
}

bool shown_to_cluster(const void* barrier) {
    return (shadow[static_cast<const unsigned char*>(barrier) - arena] & SHOWN_BARRIER) != 0;
}

// ---- products -----------------------------------------------------------------------------------------------------------------------

namespace {

Products& products_here() {
    Fiber& f = *processor->running;
    return f.home->products[(&f - f.home->fibers.data()) / GROUP];
}

}  // namespace

void products_fence() {
    products_here().fenced = true;
}

void products_begin(Work* work) {
    Products& p = products_here();
    if (!p.fenced) refuse("multiplies without a fence since it last waited for products");
    p.all.push_back({std::unique_ptr<Work>(work), p.group});
}

void products_commit() {
    products_here().group++;
}

void products_wait(int pending) {
    Products& p = products_here();
    std::vector<Products::One> left;
    for (auto& one : p.all) {
        if (one.group < p.group - pending) one.work->perform();
        else left.push_back(std::move(one));
    }
    p.all = std::move(left);
    p.fenced = false;
}

bool products_read(const void* from, size_t bytes) {
    for (const auto& b : processor->blocks) {
        for (const Products& p : b->products) {
            for (const auto& one : p.all) {
                if (one.work->reads(from, bytes)) return true;
            }
        }
    }
    return false;
}

extern "C" {

// Makes everything ready; `threads` processors. Returns 0, or 1 if there is no room for the arena.
int emulated_start(int threads) {
    std::lock_guard<std::mutex> guard(memory_lock);
    if (team == nullptr) {
        arena = reserve(ARENA);
        shadow = reserve(ARENA);
        if (arena == nullptr || shadow == nullptr) return 1;
        holes[0] = ARENA;
        team = new Team();
    }
    for (; team->helpers < threads - 1; team->helpers++) std::thread([] { team->helper(); }).detach();
    return 0;
}

// Runs a grid in clusters of so many blocks, and returns when it is done: 0, or 1 with what went wrong in `message`.
int emulated_launch(
    void (*call)(void**), const char* name, unsigned cluster, const unsigned* grid, const unsigned* size, size_t shared, void** arguments,
    char* message, size_t room) {
    if (grid[0] % cluster != 0) {
        snprintf(message, room, "kernel %s: a row of %u blocks cannot be shared out among clusters of %u", name, grid[0], cluster);
        return 1;
    }
    Launch l;
    l.call = call;
    l.name = name;
    l.grid = dim3{grid[0], grid[1], grid[2]};
    l.size = dim3{size[0], size[1], size[2]};
    l.shared = shared;
    l.arguments = arguments;
    l.cluster = cluster;
    l.clusters = (uint64_t) grid[0] * grid[1] * grid[2] / cluster;
    team->run(l);
    if (!l.failed) return 0;
    snprintf(message, room, "%s", l.message);
    return 1;
}
}
}  // namespace emulated

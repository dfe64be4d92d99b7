// Blocks of fibers, and clusters of blocks: who goes on, who waits for whom, and what a processor does when nobody can go on. A part of
// emulation.cpp.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdarg>
#include <cstdio>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "emulation.h"
#include "fibers.h"
#include "memory.h"

namespace emulated {
namespace {

const unsigned MOST_THREADS = 1024;
const unsigned GROUP = 128;  // threads of a warp group
const size_t MOST_SHARED = 227 * 1024;

enum class State { READY, AT_BARRIER, AT_BARRIER_OF_CLUSTER, IN_WARP, IN_TEAM, UNTIL, ENDED };

// A copy to shared memory that is under way.
struct Copy {
    void* to;
    uint64_t bytes[2];
    int group;
};

struct Block;

struct Fiber {
    Place place;
    Block* home;
    Context context;
    State state;
    int line;
    unsigned mask;
    uint64_t gives;
    uint64_t got[32];
    void* given;    // in a team: what this thread gave
    unsigned team;  // and of how many threads the team is
    bool (*done)(const void*);  // waits until this is so
    const void* of;
    std::vector<Copy> copies;
    int group;      // of copies, that is open
};

// ---- a launch -------------------------------------------------------------------------------------------------------------------

struct Launch {
    void (*call)(void**);
    const char* name;
    dim3 grid;
    dim3 size;
    size_t shared;
    void** arguments;
    unsigned cluster;  // blocks of one, neighbours along x; 1 where there are no clusters
    uint64_t clusters;
    std::atomic<uint64_t> next{0};
    std::atomic<bool> failed{false};
    std::mutex lock;
    char message[512] = "";
};

// The products of a warp group that are under way, in groups.
struct Products {
    struct One {
        std::unique_ptr<Work> work;
        int group;
    };
    std::vector<One> all;
    int group = 0;        // that is open
    bool fenced = false;  // since they were last waited for
};

// What is needed to run a block.
struct Block {
    dim3 index;
    unsigned threads;
    bool ended;
    std::vector<Fiber> fibers{MOST_THREADS};
    unsigned char* stacks = reserve(MOST_THREADS * STACK);
    unsigned char* shared = allocate(MOST_SHARED);
    Products products[MOST_THREADS / GROUP];

    void begin(const Launch& l, uint64_t number);
    void warp(Fiber& f);
    bool all_at_barrier() const;
    void let_go(State from);
};

// Runs clusters, one after the other. Blocks are kept for the next one.
struct Processor {
    Context scheduler;
    std::vector<std::unique_ptr<Block>> blocks;  // of the cluster
    Fiber* running = nullptr;
    Launch* launch = nullptr;
    std::deque<std::unique_ptr<Work>> late;  // what the device does by itself, when no thread can go on
    uint32_t dice;

    bool some_late_work();
    bool anything_under_way(const Block& b) const;
    void run(Launch& l);
    void cluster_of(uint64_t number);
    bool turn(Block& b, bool forwards);
    bool all_at_barrier_of_cluster() const;
    void resume(Fiber& f);
    void diverged();
    [[noreturn]] void leave();
    void fail(const Fiber& f, const char* format, ...) __attribute__((format(printf, 3, 4)));
};

thread_local Processor* processor;

void body() {
    Processor& p = *processor;
    p.launch->call(p.launch->arguments);
    p.running->state = State::ENDED;
    p.leave();
}

void Processor::fail(const Fiber& f, const char* format, ...) {
    std::lock_guard<std::mutex> guard(launch->lock);
    if (launch->failed.exchange(true)) return;
    char what[320];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    snprintf(
        launch->message, sizeof launch->message, "kernel %s, block (%u, %u, %u), thread (%u, %u, %u): %s", launch->name,
        f.home->index.x, f.home->index.y, f.home->index.z, f.place.thread.x, f.place.thread.y, f.place.thread.z, what);
}

void Processor::leave() {
    change(&running->context, &scheduler);
    __builtin_unreachable();
}

void Processor::resume(Fiber& f) {
    running = &f;
    here = &f.place;
    block = f.home->index;
    dynamic_shared = f.home->shared;
    change(&scheduler, &f.context);
}

// Lets a warp go on if all that this lane waits for have come.
void Block::warp(Fiber& f) {
    unsigned first = (unsigned) (&f - fibers.data()) / 32 * 32;
    unsigned lanes = threads - first < 32 ? threads - first : 32;
    for (unsigned i = 0; i < lanes; i++) {
        const Fiber& o = fibers[first + i];
        if ((f.mask >> i & 1u) && !(o.state == State::IN_WARP && o.mask == f.mask && o.line == f.line)) return;
    }
    uint64_t all[32] = {};
    for (unsigned i = 0; i < lanes; i++) {
        if (f.mask >> i & 1u) all[i] = fibers[first + i].gives;
    }
    unsigned mask = f.mask;
    for (unsigned i = 0; i < lanes; i++) {
        if (!(mask >> i & 1u)) continue;
        std::memcpy(fibers[first + i].got, all, sizeof all);
        fibers[first + i].state = State::READY;
    }
}

bool Block::all_at_barrier() const {
    for (unsigned i = 0; i < threads; i++) {
        if (fibers[i].state != State::AT_BARRIER || fibers[i].line != fibers[0].line) return false;
    }
    return true;
}

void Block::let_go(State from) {
    for (unsigned i = 0; i < threads; i++) {
        if (fibers[i].state == from) fibers[i].state = State::READY;
    }
}

// Whether all threads that are left wait for each other.
bool Processor::all_at_barrier_of_cluster() const {
    bool any = false;
    for (unsigned n = 0; n < launch->cluster; n++) {
        for (unsigned i = 0; i < blocks[n]->threads; i++) {
            State state = blocks[n]->fibers[i].state;
            if (state != State::AT_BARRIER_OF_CLUSTER && state != State::ENDED) return false;
            any |= state == State::AT_BARRIER_OF_CLUSTER;
        }
    }
    return any;
}

// Nobody can go on: says who waits for whom.
void Processor::diverged() {
    std::vector<const Fiber*> left, all;
    for (unsigned n = 0; n < launch->cluster; n++) {
        for (unsigned i = 0; i < blocks[n]->threads; i++) {
            const Fiber& f = blocks[n]->fibers[i];
            all.push_back(&f);
            if (f.state != State::ENDED) left.push_back(&f);
        }
    }
    for (const Fiber* f : left) {
        if (f->state != State::UNTIL) continue;
        fail(*f, "deadlock: waits at a barrier in shared memory (line %d), and nobody is left who would complete its phase", f->line);
        return;
    }
    for (const Fiber* f : left) {
        bool in_cluster = f->state == State::AT_BARRIER_OF_CLUSTER;
        const char* at = in_cluster         ? "a barrier of the cluster"
            : f->state == State::AT_BARRIER ? "__syncthreads"
            : f->state == State::IN_TEAM    ? "an instruction of all lanes"
                                            : "a shuffle, vote or __syncwarp";
        for (const Fiber* o : all) {
            bool met = o->state == f->state && (in_cluster || o->line == f->line);
            bool matters = in_cluster ? o->state != State::ENDED : o->home == f->home;
            if (met || !matters) continue;
            const dim3 &b = o->home->index, &t = o->place.thread;
            char of[64] = "";
            if (o->home != f->home) snprintf(of, sizeof of, " of block (%u, %u, %u)", b.x, b.y, b.z);
            if (o->state == State::ENDED) {
                fail(*f, "divergence: waits at %s (line %d), but thread (%u, %u, %u)%s has ended", at, f->line, t.x, t.y, t.z, of);
            } else {
                fail(*f, "divergence: waits at %s (line %d), but thread (%u, %u, %u)%s waits at line %d", at, f->line, t.x, t.y, t.z, of,
                     o->line);
            }
            return;
        }
    }
    fail(*left[0], "divergence: waits at line %d for lanes that do not exist", left[0]->line);
}

// Does one thing that it has put off, the first or the last of them.
bool Processor::some_late_work() {
    if (late.empty()) return false;
    bool first = dice >> 30 & 1u;
    auto work = std::move(first ? late.front() : late.back());
    if (first) late.pop_front();
    else late.pop_back();
    work->perform();
    return true;
}

bool Processor::anything_under_way(const Block& b) const {
    bool any = false;
    for (const auto& work : late) any |= work->shared == b.shared;
    for (const Products& p : b.products) any |= !p.all.empty();
    return any;
}

void Block::begin(const Launch& l, uint64_t number) {
    index = dim3{(unsigned) (number % l.grid.x), (unsigned) (number / l.grid.x % l.grid.y), (unsigned) (number / l.grid.x / l.grid.y)};
    threads = l.size.x * l.size.y * l.size.z;
    ended = false;
    std::memset(shadow + (shared - arena), NEVER_WRITTEN, l.shared);
    std::memset(shadow + (shared - arena) + l.shared, FORBIDDEN, MOST_SHARED - l.shared);
    for (Products& p : products) p = Products();
    for (unsigned i = 0; i < threads; i++) {
        Fiber& f = fibers[i];
        f.place.thread = dim3{i % l.size.x, i / l.size.x % l.size.y, i / l.size.x / l.size.y};
        f.place.lane = (int) (i % 32);
        f.home = this;
        f.state = State::READY;
        f.copies.clear();
        f.group = 0;
        enter(&f.context, stacks + i * STACK, body);
    }
}

// Every thread of a block goes on that can. Returns whether any could.
bool Processor::turn(Block& b, bool forwards) {
    bool moved = false;
    unsigned ended = 0;
    for (unsigned n = 0; n < b.threads; n++) {
        Fiber& f = b.fibers[forwards ? n : b.threads - 1 - n];
        if (f.state == State::UNTIL && f.done(f.of)) f.state = State::READY;
        if (f.state == State::READY) {
            resume(f);
            if (launch->failed.load(std::memory_order_relaxed)) return true;
            moved = true;
            if (f.state == State::IN_WARP) b.warp(f);
        }
        if (f.state == State::ENDED) ended++;
    }
    b.ended = ended == b.threads;
    if (b.ended && anything_under_way(b)) fail(b.fibers[0], "the block ends, but copies to it or products of it are still under way");
    if (!b.all_at_barrier()) return moved;
    b.let_go(State::AT_BARRIER);
    return true;
}

void Processor::cluster_of(uint64_t number) {
    unsigned size = launch->cluster;
    grid_size = launch->grid;
    block_size = launch->size;
    late.clear();
    dice = (uint32_t) number + 1;
    while (blocks.size() < size) blocks.push_back(std::make_unique<Block>());
    for (unsigned i = 0; i < size; i++) blocks[i]->begin(*launch, number * size + i);
    // Threads go forwards and backwards in turns: code that relies on an order of them is found out. And so that no block relies on the pace
    // of another, now one of them runs as far ahead as it can, now the next one, now all keep step.
    for (uint64_t turns = 0;; turns++) {
        unsigned ahead = (unsigned) ((turns / 32 + number) % (size + 1));
        bool moved = false;
        bool all_ended = true;
        for (unsigned i = 0; i < size && !(moved && ahead < size); i++) moved |= turn(*blocks[(ahead + i) % size], turns % 2 == 0);
        if (launch->failed.load(std::memory_order_relaxed)) return;
        for (unsigned i = 0; i < size; i++) all_ended &= blocks[i]->ended;
        if (all_ended) return;
        if (moved) continue;
        if (all_at_barrier_of_cluster()) {
            for (unsigned i = 0; i < size; i++) {
                raise(blocks[i]->shared, MOST_SHARED, FENCED_BARRIER, 1);
                blocks[i]->let_go(State::AT_BARRIER_OF_CLUSTER);
            }
        } else if (!some_late_work()) {
            diverged();
            return;
        }
    }
}

void Processor::run(Launch& l) {
    launch = &l;
    for (uint64_t i = l.next++; i < l.clusters && !l.failed.load(std::memory_order_relaxed); i = l.next++) cluster_of(i);
    launch = nullptr;
}

// ---- processors -----------------------------------------------------------------------------------------------------------------

// Never destroyed: its threads sleep until the process ends.
struct Team {
    std::mutex one_launch;
    std::mutex lock;
    std::condition_variable wake;
    std::condition_variable done;
    Launch* launch = nullptr;
    uint64_t number = 0;
    int busy = 0;
    int helpers = 0;

    void helper() {
        processor = new Processor();
        uint64_t last = 0;
        for (;;) {
            Launch* l;
            {
                std::unique_lock<std::mutex> guard(lock);
                wake.wait(guard, [&] { return launch != nullptr && number != last; });
                last = number;
                l = launch;
                busy++;
            }
            processor->run(*l);
            std::lock_guard<std::mutex> guard(lock);
            if (--busy == 0) done.notify_all();
        }
    }

    void run(Launch& l) {
        std::lock_guard<std::mutex> alone(one_launch);
        if (processor == nullptr) processor = new Processor();
        bool shared = l.clusters > 1 && helpers > 0;
        if (shared) {
            std::lock_guard<std::mutex> guard(lock);
            launch = &l;
            number++;
            wake.notify_all();
        }
        processor->run(l);
        if (!shared) return;
        std::unique_lock<std::mutex> guard(lock);
        launch = nullptr;
        done.wait(guard, [&] { return busy == 0; });
    }
};

Team* team;

void wait(State state, int line) {
    Processor& p = *processor;
    Fiber& f = *p.running;
    f.state = state;
    f.line = line;
    change(&f.context, &p.scheduler);
}

}  // namespace
}  // namespace emulated

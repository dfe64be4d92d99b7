// Blocks of fibers: who goes on, who waits for whom, and what a processor does when nobody can go on. A part of emulation.cpp.
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

enum class State { READY, AT_BARRIER, IN_WARP, IN_TEAM, UNTIL, ENDED };

// A copy to shared memory that is under way.
struct Copy {
    void* to;
    uint64_t bytes[2];
    int group;
};

struct Fiber {
    Place place;
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
    uint64_t blocks;
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

// What a processor needs to run blocks.
struct Processor {
    Context scheduler;
    std::vector<Fiber> fibers{MOST_THREADS};
    unsigned char* stacks;
    unsigned char* shared;
    Fiber* running = nullptr;
    Launch* launch = nullptr;
    std::deque<std::unique_ptr<Work>> late;  // what the device does by itself, when no thread can go on
    uint32_t dice;
    Products products[MOST_THREADS / GROUP];

    Processor();
    bool some_late_work();
    bool anything_under_way() const;
    void run(Launch& l);
    void block_of(uint64_t number);
    void resume(Fiber& f);
    void warp(Fiber& f, unsigned threads);
    void diverged(unsigned threads);
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

Processor::Processor() {
    stacks = reserve(MOST_THREADS * STACK);
    shared = allocate(MOST_SHARED);
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
        launch->message, sizeof launch->message, "kernel %s, block (%u, %u, %u), thread (%u, %u, %u): %s", launch->name, block.x, block.y,
        block.z, f.place.thread.x, f.place.thread.y, f.place.thread.z, what);
}

void Processor::leave() {
    change(&running->context, &scheduler);
    __builtin_unreachable();
}

void Processor::resume(Fiber& f) {
    running = &f;
    here = &f.place;
    change(&scheduler, &f.context);
}

// Lets a warp go on if all that this lane waits for have come.
void Processor::warp(Fiber& f, unsigned threads) {
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

// Nobody can go on: says who waits for whom.
void Processor::diverged(unsigned threads) {
    const Fiber* waits = nullptr;
    for (unsigned i = 0; i < threads; i++) {
        const Fiber& f = fibers[i];
        if (f.state != State::UNTIL) continue;
        fail(f, "deadlock: waits at a barrier in shared memory (line %d), and nobody is left who would complete its phase", f.line);
        return;
    }
    for (unsigned i = 0; i < threads; i++) {
        const Fiber& f = fibers[i];
        if (f.state == State::ENDED) continue;
        if (waits == nullptr) waits = &f;
        for (unsigned j = 0; j < threads; j++) {
            const Fiber& o = fibers[j];
            if (o.state == f.state && o.line == f.line) continue;
            const char* at = f.state == State::AT_BARRIER ? "__syncthreads"
                : f.state == State::IN_TEAM               ? "an instruction of all lanes"
                                                          : "a shuffle, vote or __syncwarp";
            if (o.state == State::ENDED) {
                fail(f, "divergence: waits at %s (line %d), but thread (%u, %u, %u) has ended", at, f.line, o.place.thread.x,
                     o.place.thread.y, o.place.thread.z);
            } else {
                fail(f, "divergence: waits at %s (line %d), but thread (%u, %u, %u) waits at line %d", at, f.line, o.place.thread.x,
                     o.place.thread.y, o.place.thread.z, o.line);
            }
            return;
        }
    }
    fail(*waits, "divergence: waits at line %d for lanes that do not exist", waits->line);
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

bool Processor::anything_under_way() const {
    bool any = !late.empty();
    for (const Products& p : products) any |= !p.all.empty();
    return any;
}

void Processor::block_of(uint64_t number) {
    const Launch& l = *launch;
    block = dim3{(unsigned) (number % l.grid.x), (unsigned) (number / l.grid.x % l.grid.y), (unsigned) (number / l.grid.x / l.grid.y)};
    grid_size = l.grid;
    block_size = l.size;
    dynamic_shared = shared;
    std::memset(shadow + (shared - arena), NEVER_WRITTEN, l.shared);
    std::memset(shadow + (shared - arena) + l.shared, FORBIDDEN, MOST_SHARED - l.shared);

    late.clear();
    dice = (uint32_t) number + 1;
    for (Products& p : products) p = Products();

    unsigned threads = l.size.x * l.size.y * l.size.z;
    for (unsigned i = 0; i < threads; i++) {
        Fiber& f = fibers[i];
        f.place.thread = dim3{i % l.size.x, i / l.size.x % l.size.y, i / l.size.x / l.size.y};
        f.place.lane = (int) (i % 32);
        f.state = State::READY;
        f.copies.clear();
        f.group = 0;
        enter(&f.context, stacks + i * STACK, body);
    }
    // Forwards and backwards in turns: code that relies on an order of threads is found out.
    for (bool forwards = true;; forwards = !forwards) {
        bool moved = false;
        unsigned waiting = 0;
        unsigned ended = 0;
        int line = -1;
        bool same = true;
        for (unsigned n = 0; n < threads; n++) {
            Fiber& f = fibers[forwards ? n : threads - 1 - n];
            if (f.state == State::UNTIL && f.done(f.of)) f.state = State::READY;
            if (f.state == State::READY) {
                resume(f);
                if (l.failed.load(std::memory_order_relaxed)) return;
                moved = true;
                if (f.state == State::IN_WARP) warp(f, threads);
            }
            if (f.state == State::ENDED) ended++;
            if (f.state == State::AT_BARRIER) {
                waiting++;
                same &= line < 0 || line == f.line;
                line = f.line;
            }
        }
        if (ended == threads) {
            if (anything_under_way()) fail(fibers[0], "the block ends, but copies or products that it began are still under way");
            return;
        }
        if (waiting == threads && same) {
            for (unsigned i = 0; i < threads; i++) fibers[i].state = State::READY;
        } else if (!moved && !some_late_work()) {
            diverged(threads);
            return;
        }
    }
}

void Processor::run(Launch& l) {
    launch = &l;
    for (uint64_t i = l.next++; i < l.blocks && !l.failed.load(std::memory_order_relaxed); i = l.next++) block_of(i);
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
        bool shared = l.blocks > 1 && helpers > 0;
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

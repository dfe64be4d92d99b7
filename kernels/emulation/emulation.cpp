// The runtime under emulation.h: memory whose every access is checked, and blocks of fibers.
//
// Kernels are compiled with -fsanitize=kernel-address, so that each of their loads and stores calls one of the hooks below. Device memory
// lies in one arena; a shadow of it, a byte for a byte, tells what each may be used for. The first fault ends a launch, with the
// kernel, the block and the thread in its message.
#include "emulation.h"

#include <sys/mman.h>

#include <atomic>
#include <condition_variable>
#include <cstdarg>
#include <cstdio>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace emulated {

thread_local Place* here;
thread_local dim3 block;
thread_local dim3 grid_size;
thread_local dim3 block_size;
thread_local unsigned char* dynamic_shared;

namespace {

const size_t ARENA = size_t{1} << 36;
const size_t ALIGNMENT = 256;
const size_t PAGE = 64 * 1024;  // no processor has larger ones by default
const size_t STACK = 64 * 1024;
const unsigned MOST_THREADS = 1024;
const unsigned GROUP = 128;  // threads of a warp group
const size_t MOST_SHARED = 227 * 1024;

// What a byte of the arena may be used for. Loads and stores look at the lowest two bits, so that neither touches a barrier. Bulk copies and
// warp groups want to see the bit VISIBLE as well, which a fence adds, one place above what it finds.
enum : unsigned char { FORBIDDEN = 0, NEVER_WRITTEN = 1, WRITTEN = 2, BARRIER = 8 };
const unsigned char VISIBLE_WRITTEN = WRITTEN | WRITTEN << 1, VISIBLE_BARRIER = BARRIER | BARRIER << 1;

unsigned char* arena;
unsigned char* shadow;
std::mutex memory_lock;
std::map<size_t, size_t> holes;    // offset -> bytes

struct Buffer {
    size_t room;
    size_t used;  // what of it was handed out
};
std::map<size_t, Buffer> buffers;  // by offset

// ---- fibers ---------------------------------------------------------------------------------------------------------------------

#if defined(__x86_64__)
// Saves what a callee must keep, and goes on where the other stack was left.
extern "C" void emulated_switch(void** from, void* to);
asm(R"(
.text
.globl emulated_switch
.hidden emulated_switch
.type emulated_switch,@function
emulated_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size emulated_switch,.-emulated_switch
)");

using Context = void*;

void enter(Context* context, unsigned char* stack, void (*body)()) {
    auto top = reinterpret_cast<void**>(stack + STACK);
    *--top = nullptr;  // the stack is as it would be after a call
    *--top = reinterpret_cast<void*>(body);
    for (int i = 0; i < 6; i++) *--top = nullptr;
    *context = top;
}

void change(Context* from, Context* to) {
    emulated_switch(from, *to);
}
#else
}  // namespace
}  // namespace emulated
#include <ucontext.h>
namespace emulated {
namespace {
using Context = ucontext_t;

void enter(Context* context, unsigned char* stack, void (*body)()) {
    getcontext(context);
    context->uc_stack.ss_sp = stack;
    context->uc_stack.ss_size = STACK;
    context->uc_link = nullptr;
    makecontext(context, body, 0);
}

void change(Context* from, Context* to) {
    swapcontext(from, to);
}
#endif

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

unsigned char* reserve(size_t bytes) {
    void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? nullptr : static_cast<unsigned char*>(p);
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

// ---- what a kernel's accesses call ------------------------------------------------------------------------------------------------

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
        bool in_shared = arena + buffer->first == p.shared;
        size_t size = in_shared ? p.launch->shared : buffer->second.used;
        const char* of = in_shared ? "dynamic shared memory" : "a buffer";
        bool barrier = false;
        for (size_t i = 0; i < bytes && from + bytes <= size; i++) barrier |= (shadow[at + i] & BARRIER) != 0;
        if (from + bytes > size) {
            p.fail(*p.running, "%s %zu bytes at byte %zu of %s of %zu bytes", what, bytes, from, of, size);
        } else if (barrier) {
            p.fail(*p.running, "%s %zu bytes at byte %zu of %s, where a barrier is", what, bytes, from, of);
        } else {
            p.fail(*p.running, "reads %zu bytes that were never written, at byte %zu of %s of %zu bytes", bytes, from, of, size);
        }
    }
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

void wait(State state, int line) {
    Processor& p = *processor;
    Fiber& f = *p.running;
    f.state = state;
    f.line = line;
    change(&f.context, &p.scheduler);
}

}  // namespace

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
    Processor& p = *processor;
    Fiber& f = *p.running;
    unsigned size = (unsigned) team, threads = block_size.x * block_size.y * block_size.z;
    unsigned first = (unsigned) (&f - p.fibers.data()) / size * size;
    if (first + size > threads) refuse("an instruction of all lanes, of which not all exist");
    f.given = mine;
    f.team = size;
    f.line = line;
    void* given[128];
    for (unsigned i = 0; i < size; i++) {
        const Fiber& o = p.fibers[first + i];
        if (&o != &f && !(o.state == State::IN_TEAM && o.team == size && o.line == line)) {
            wait(State::IN_TEAM, line);
            return;
        }
        given[i] = o.given;
    }
    all(given);
    for (unsigned i = 0; i < size; i++) p.fibers[first + i].state = State::READY;
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

void by_itself(Work* work) {
    Processor& p = *processor;
    std::unique_ptr<Work> owned(work);
    p.dice = p.dice * 1664525u + 1013904223u;
    if (p.dice >> 31) work->perform();
    else p.late.push_back(std::move(owned));
}

void wait_until(bool (*done)(const void*), const void* of, int line) {
    Fiber& f = *processor->running;
    f.done = done;
    f.of = of;
    wait(State::UNTIL, line);
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
    return *s == VISIBLE_WRITTEN ? Seen::WRITTEN
        : *s == WRITTEN          ? Seen::WRITTEN_BEFORE_A_FENCE
        : *s == VISIBLE_BARRIER  ? Seen::BARRIER
        : *s == BARRIER          ? Seen::BARRIER_BEFORE_A_FENCE
                                 : Seen::NOTHING;
}

void make_visible() {
    Processor& p = *processor;
    unsigned char* s = shadow + (p.shared - arena);
    for (size_t i = 0; i < MOST_SHARED; i += 8) {
        uint64_t states;
        std::memcpy(&states, s + i, 8);
        states |= (states & (WRITTEN | BARRIER) * 0x0101010101010101ull) << 1;
        std::memcpy(s + i, &states, 8);
    }
}

namespace {

Products& products_here() {
    Processor& p = *processor;
    return p.products[(p.running - p.fibers.data()) / GROUP];
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

}  // namespace emulated

using namespace emulated;

extern "C" {

void __asan_load1_noabort(uintptr_t a) { load<uint8_t, 1>(a); }
void __asan_load2_noabort(uintptr_t a) { load<uint16_t, 2>(a); }
void __asan_load4_noabort(uintptr_t a) { load<uint32_t, 4>(a); }
void __asan_load8_noabort(uintptr_t a) { load<uint64_t, 8>(a); }
void __asan_load16_noabort(uintptr_t a) {
    load<uint64_t, 8>(a);
    load<uint64_t, 8>(a + 8);
}
void __asan_loadN_noabort(uintptr_t a, size_t n) {
    for (size_t i = 0; i < n; i++) load<uint8_t, 1>(a + i);
}
void __asan_store1_noabort(uintptr_t a) { store<1>(a); }
void __asan_store2_noabort(uintptr_t a) { store<2>(a); }
void __asan_store4_noabort(uintptr_t a) { store<4>(a); }
void __asan_store8_noabort(uintptr_t a) { store<8>(a); }
void __asan_store16_noabort(uintptr_t a) { store<16>(a); }
void __asan_storeN_noabort(uintptr_t a, size_t n) {
    for (size_t i = 0; i < n; i++) store<1>(a + i);
}
void __asan_handle_no_return() {}

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

// Runs a grid and returns when it is done: 0, or 1 with what went wrong in `message`.
int emulated_launch(
    void (*call)(void**), const char* name, const unsigned* grid, const unsigned* size, size_t shared, void** arguments, char* message,
    size_t room) {
    Launch l;
    l.call = call;
    l.name = name;
    l.grid = dim3{grid[0], grid[1], grid[2]};
    l.size = dim3{size[0], size[1], size[2]};
    l.shared = shared;
    l.arguments = arguments;
    l.blocks = (uint64_t) grid[0] * grid[1] * grid[2];
    team->run(l);
    if (!l.failed) return 0;
    snprintf(message, room, "%s", l.message);
    return 1;
}
}

// A stand-in for libcuda.so.1 that has one device, whose memory is the process's own: what JCudaDriver asks of a driver, and no more.
//
// It computes one kernel, `affine`. While its stream is listened to, launches and copies within the device are noted and not done, and most other
// calls are refused, as by a real driver. `axpy` is a kernel with a fault, which like a real one comes up later. More than 1 GiB does not fit.
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

static const int OUT_OF_MEMORY = 2, INVALID_VALUE = 1, INVALID_IMAGE = 200, NOT_FOUND = 500, ILLEGAL_ADDRESS = 700, NOT_WHILE_LISTENED_TO = 900;
static thread_local bool current = false;
static int pending = 0;
static int pinned = 0;
static int streams = 0;
static int modules = 0;
static int events = 0;
static int launched = 0;    // every launch takes one and a half milliseconds
static size_t allowed = 0;  // dynamic shared memory

struct Event {
    bool untimed;
    int time;
};

typedef std::vector<std::function<void()>> Works;
static Works* listening = nullptr;
static int graphs = 0;  // and those that can be launched

static int now() {
    return !current ? 201 : listening ? NOT_WHILE_LISTENED_TO : pending;
}

// Does the work, or notes it.
static int done(std::function<void()> work) {
    if (!current) return 201;
    if (listening) listening->push_back(work);
    else work();
    return pending;
}

extern "C" {
int cuInit(unsigned) { return 0; }
int cuDriverGetVersion(int* v) { *v = 12060; return 0; }
int cuDeviceGetCount(int* n) { *n = 1; return 0; }
int cuDeviceGet(int* device, int) { *device = 0; return 0; }
int cuDeviceGetName(char* name, int n, int) { strncpy(name, "Stand-in", n); return 0; }
int cuDeviceGetAttribute(int* v, int attribute, int) { *v = attribute == 75 ? 9 : attribute == 16 ? 132 : attribute == 115 ? 1 : 0; return 0; }
int cuDevicePrimaryCtxRetain(void** context, int) { *context = (void*) 16; return 0; }
int cuDevicePrimaryCtxRelease_v2(int) { return pinned || streams || modules || events || graphs ? INVALID_VALUE : 0; }
int cuCtxSetCurrent(void* context) { current = context != nullptr; return 0; }
int cuStreamCreate(void** stream, unsigned) { streams++; *stream = (void*) 32; return now(); }
int cuStreamDestroy_v2(void*) { streams--; return now(); }
int cuStreamSynchronize(void*) { return now(); }
int cuEventCreate(Event** event, unsigned flags) { events++; *event = new Event{flags == 2, -1}; return now(); }
int cuEventDestroy_v2(Event* event) { events--; delete event; return now(); }
int cuEventRecord(Event* event, void* stream) { event->time = launched; return stream == (void*) 32 ? now() : INVALID_VALUE; }
int cuEventSynchronize(Event*) { return now(); }
int cuEventElapsedTime(float* ms, Event* from, Event* to) {
    if (from->untimed || to->untimed || from->time < 0 || to->time < 0) return INVALID_VALUE;
    *ms = 1.5f * (to->time - from->time);
    return now();
}
int cuMemGetInfo_v2(size_t* free, size_t* total) { *free = 1 << 29; *total = 1 << 30; return now(); }
int cuMemAllocAsync(void** p, size_t n, void*) { return n > (size_t) 1 << 30 ? OUT_OF_MEMORY : (*p = malloc(n), now()); }
int cuMemFreeAsync(void* p, void*) { free(p); return now(); }
int cuMemAllocHost_v2(void** p, size_t n) { pinned++; *p = malloc(n); return now(); }
int cuMemFreeHost(void* p) { pinned--; free(p); return now(); }
int cuMemcpyHtoDAsync_v2(void* to, const void* from, size_t n, void*) { memcpy(to, from, n); return now(); }
int cuMemcpyDtoHAsync_v2(void* to, const void* from, size_t n, void*) { memcpy(to, from, n); return now(); }
int cuMemcpyDtoDAsync_v2(void* to, const void* from, size_t n, void*) { return done([=] { memcpy(to, from, n); }); }
int cuStreamBeginCapture_v2(void* stream, int mode) {
    if (listening || stream != (void*) 32 || mode != 1) return INVALID_VALUE;
    int status = now();
    listening = new Works;
    graphs++;
    return status;
}
int cuStreamEndCapture(void* stream, Works** graph) {
    if (!listening || stream != (void*) 32) return INVALID_VALUE;
    *graph = listening;
    listening = nullptr;
    return now();
}
int cuGraphInstantiateWithFlags(Works** made, Works* graph, unsigned long long flags) {
    graphs++;
    *made = new Works(*graph);
    return flags ? INVALID_VALUE : now();
}
int cuGraphDestroy(Works* graph) { graphs--; delete graph; return now(); }
int cuGraphExecDestroy(Works* graph) { graphs--; delete graph; return now(); }
int cuGraphLaunch(Works* graph, void* stream) {
    for (auto& work : *graph) work();
    return stream == (void*) 32 ? now() : INVALID_VALUE;
}
int cuModuleLoadData(void** module, const char* image) {
    if (memcmp(image, "\177ELF", 4)) return INVALID_IMAGE;  // fatbin is more than this driver can read
    modules++;
    *module = (void*) 64;
    return now();
}
int cuModuleUnload(void*) { modules--; return now(); }
int cuModuleGetFunction(void** function, void*, const char* name) {
    *function = new std::string(name);
    return !strcmp(name, "missing") ? NOT_FOUND : now();
}
int cuFuncSetAttribute(void*, int, int value) { allowed = value; return now(); }
int cuLaunchKernel(void* function, unsigned x, unsigned, unsigned, unsigned threads, unsigned, unsigned, unsigned shared, void*, void** p, void**) {
    auto& name = *(std::string*) function;
    if (x * threads == 0 || shared > (allowed > 49152 ? allowed : 49152)) return INVALID_VALUE;
    if (name == "axpy") {
        pending = ILLEGAL_ADDRESS;
        return 0;
    }
    if (name != "affine") return NOT_FOUND;
    float* to = *(float**) p[0];
    const float* from = *(const float**) p[1];
    float scale = *(float*) p[2], offset = *(float*) p[3];
    long long n = *(long long*) p[4];
    return done([=] {
        launched++;
        for (long long i = 0; i < n; i++) to[i] = from[i] * scale + offset;
    });
}
// A map as the tests look at it: all that was asked for, one number after the other.
int cuTensorMapEncodeTiled(
    void* map, unsigned type, unsigned rank, void* address, const size_t* extents, const size_t* strides, const unsigned* box,
    const unsigned* steps, unsigned interleave, unsigned swizzle, unsigned promotion, unsigned outside) {
    if ((size_t) map % 64 || rank < 3 || rank > 5 || type != 9 || interleave || outside || swizzle != 3 || promotion != 3) return INVALID_VALUE;
    size_t all[16] = {(size_t) address}, n = 1;
    for (unsigned i = 0; i < rank; i++) all[n++] = extents[i];
    for (unsigned i = 0; i + 1 < rank; i++) all[n++] = strides[i];
    for (unsigned i = 0; i < rank; i++) all[n++] = box[i];
    for (unsigned i = 0; i < rank; i++) {
        if (box[i] > 256 || steps[i] != 1) return INVALID_VALUE;
    }
    memcpy(map, all, sizeof all);
    return now();
}
int cuGetErrorName(int error, const char** name) {
    *name = error == ILLEGAL_ADDRESS ? "CUDA_ERROR_ILLEGAL_ADDRESS" : error == NOT_FOUND ? "CUDA_ERROR_NOT_FOUND" : nullptr;
    return *name ? 0 : INVALID_VALUE;
}
int cuGetErrorString(int error, const char** text) {
    *text = error == ILLEGAL_ADDRESS ? "an illegal memory access was encountered" : "named symbol not found";
    return 0;
}
}

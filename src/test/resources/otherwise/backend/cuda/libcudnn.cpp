// A stand-in for cuDNN, of the version -DVERSION=…, that convolves in the memory of the process: what Cudnn asks for, and no more.
//
// It knows algorithms that must not be chosen: one that cannot, one that adds in any order, one that takes too much memory, and one of which
// it does not know how much it takes. The fifth, number 1, is the one.
#include <cstdint>
#include <cstdlib>
#include <cstring>

static const int OK = 0, BAD_PARAM = 3, NOT_SUPPORTED = 9, BF16 = 9, FLOAT = 0, AXES = 3;
static const int ORDERED = 1;
static const size_t WORKSPACE = 4096;

struct Handle {
    bool stream;
};
struct Array {
    int type, dims[AXES + 2];
};
struct Convolution {
    int padding[AXES], stride[AXES], math;
};
struct Answer {
    int algorithm, status;
    float time;
    size_t memory;
    int determinism, math, reserved[3];
};

static float at(const void* p, int type, long long i) {
    if (type != BF16) return ((const float*) p)[i];
    uint32_t bits = (uint32_t) ((const uint16_t*) p)[i] << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

static void put(void* p, int type, long long i, float value) {
    if (type != BF16) {
        ((float*) p)[i] = value;
        return;
    }
    uint32_t bits;
    memcpy(&bits, &value, 4);
    ((uint16_t*) p)[i] = (uint16_t) ((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static int answer(int wanted, int* count, Answer* found) {
    static const Answer all[] = {
        {7, NOT_SUPPORTED, 0, 0, ORDERED, 0, {}}, {5, OK, 0, 0, 0, 0, {}},       {3, OK, 0, 0, ORDERED, 0, {}},
        {2, OK, 0, 0, ORDERED, 0, {}},            {1, OK, 0, 0, ORDERED, 0, {}},
    };
    for (*count = 0; *count < 5 && *count < wanted; ++*count) found[*count] = all[*count];
    return OK;
}

static int bytes(int algorithm, size_t* size) {
    *size = algorithm == 3 ? (size_t) 1 << 40 : WORKSPACE;
    return algorithm == 2 ? NOT_SUPPORTED : OK;
}

// Whether the sizes fit each other, and all is as it must be.
static bool good(Handle* h, const Array* x, const Array* w, const Array* y, const Convolution* c, int algorithm, void* workspace, size_t size) {
    bool fine = h->stream && algorithm == 1 && size >= WORKSPACE && x->type == w->type && x->type == y->type && x->dims[0] == y->dims[0]
        && w->dims[0] == y->dims[1] && w->dims[1] == x->dims[1] && c->math == (x->type == BF16 ? 1 : 3);
    for (int a = 0; a < AXES; a++)
        fine = fine && y->dims[a + 2] == (x->dims[a + 2] + 2 * c->padding[a] - w->dims[a + 2]) / c->stride[a] + 1;
    if (fine) memset(workspace, 1, WORKSPACE);
    return fine;
}

// Every element of x and of the weight that meet, with the element of y that they belong to.
template <typename Meeting>
static void over(const Array* x, const Array* w, const Array* y, const Convolution* c, Meeting meeting) {
    const int *X = x->dims, *W = w->dims, *Y = y->dims;
    for (long long b = 0; b < X[0]; b++)
        for (long long o = 0; o < W[0]; o++)
            for (long long i = 0; i < X[1]; i++)
                for (long long e = 0; e < (long long) Y[2] * Y[3] * Y[4]; e++)
                    for (long long t = 0; t < (long long) W[2] * W[3] * W[4]; t++) {
                        long long u[] = {e / Y[4] / Y[3], e / Y[4] % Y[3], e % Y[4]};
                        long long d[] = {t / W[4] / W[3], t / W[4] % W[3], t % W[4]};
                        long long from = b * X[1] + i;
                        bool inside = true;
                        for (int a = 0; a < AXES; a++) {
                            long long p = u[a] * c->stride[a] + d[a] - c->padding[a];
                            inside = inside && p >= 0 && p < X[a + 2];
                            from = from * X[a + 2] + p;
                        }
                        if (inside) meeting(from, (o * X[1] + i) * W[2] * W[3] * W[4] + t, (b * W[0] + o) * Y[2] * Y[3] * Y[4] + e);
                    }
}

static long long size(const Array* a) {
    long long n = 1;
    for (int d : a->dims) n *= d;
    return n;
}

static void store(void* to, const Array* a, const double* sums, const float* alpha, const float* beta) {
    for (long long i = 0; i < size(a); i++) put(to, a->type, i, (float) (*alpha * sums[i]) + (*beta == 0 ? 0 : *beta * at(to, a->type, i)));
}

static int dense(Array* array, int type, int rank, const int* dims, const int* strides) {
    if (rank != AXES + 2 || (type != FLOAT && type != BF16)) return BAD_PARAM;
    array->type = type;
    memcpy(array->dims, dims, sizeof array->dims);
    long long stride = 1;
    for (int a = rank - 1; a >= 0; a--) {
        if (strides && strides[a] != stride) return BAD_PARAM;
        stride *= dims[a];
    }
    return OK;
}

extern "C" {
int cudnnCreate(Handle** handle) { *handle = new Handle{}; return OK; }
int cudnnDestroy(Handle* handle) { delete handle; return OK; }
size_t cudnnGetVersion() { return VERSION; }
const char* cudnnGetErrorString(int) { return "CUDNN_STATUS_BAD_PARAM"; }
int cudnnSetStream(Handle* handle, void* stream) {
    const char* text = getenv("STAND_IN_STREAM");
    handle->stream = stream == (void*) (text ? atol(text) : 0);
    return OK;
}
int cudnnCreateTensorDescriptor(Array** array) { *array = new Array{}; return OK; }
int cudnnDestroyTensorDescriptor(Array* array) { delete array; return OK; }
int cudnnSetTensorNdDescriptor(Array* array, int type, int rank, const int* dims, const int* strides) { return dense(array, type, rank, dims, strides); }
int cudnnCreateFilterDescriptor(Array** array) { *array = new Array{}; return OK; }
int cudnnDestroyFilterDescriptor(Array* array) { delete array; return OK; }
int cudnnSetFilterNdDescriptor(Array* array, int type, int format, int rank, const int* dims) {
    if (dims[AXES + 1] == 7) return NOT_SUPPORTED;  // a shape that it does not do
    return format == 0 ? dense(array, type, rank, dims, nullptr) : BAD_PARAM;
}
int cudnnCreateConvolutionDescriptor(Convolution** c) { *c = new Convolution{}; return OK; }
int cudnnDestroyConvolutionDescriptor(Convolution* c) { delete c; return OK; }
int cudnnSetConvolutionNdDescriptor(Convolution* c, int axes, const int* padding, const int* stride, const int* dilation, int mode, int type) {
    if (axes != AXES || mode != 1 || type != FLOAT || dilation[0] != 1 || dilation[1] != 1 || dilation[2] != 1) return BAD_PARAM;
    memcpy(c->padding, padding, sizeof c->padding);
    memcpy(c->stride, stride, sizeof c->stride);
    return OK;
}
int cudnnSetConvolutionMathType(Convolution* c, int math) { c->math = math; return OK; }
int cudnnGetConvolutionForwardAlgorithm_v7(Handle*, Array*, Array*, Convolution*, Array*, int wanted, int* count, Answer* found) {
    return answer(wanted, count, found);
}
int cudnnGetConvolutionBackwardDataAlgorithm_v7(Handle*, Array*, Array*, Convolution*, Array*, int wanted, int* count, Answer* found) {
    return answer(wanted, count, found);
}
int cudnnGetConvolutionForwardWorkspaceSize(Handle*, Array*, Array*, Convolution*, Array*, int algorithm, size_t* size) {
    return bytes(algorithm, size);
}
int cudnnGetConvolutionBackwardDataWorkspaceSize(Handle*, Array*, Array*, Convolution*, Array*, int algorithm, size_t* size) {
    return bytes(algorithm, size);
}
int cudnnConvolutionForward(
    Handle* h, const float* alpha, const Array* x, const void* px, const Array* w, const void* pw, const Convolution* c, int algorithm,
    void* workspace, size_t bytes, const float* beta, const Array* y, void* py) {
    if (!good(h, x, w, y, c, algorithm, workspace, bytes)) return BAD_PARAM;
    double* sums = (double*) calloc(size(y), sizeof(double));
    over(x, w, y, c, [&](long long i, long long t, long long o) { sums[o] += (double) at(px, x->type, i) * at(pw, w->type, t); });
    store(py, y, sums, alpha, beta);
    free(sums);
    return OK;
}
int cudnnConvolutionBackwardData(
    Handle* h, const float* alpha, const Array* w, const void* pw, const Array* y, const void* py, const Convolution* c, int algorithm,
    void* workspace, size_t bytes, const float* beta, const Array* x, void* px) {
    if (!good(h, x, w, y, c, algorithm, workspace, bytes)) return BAD_PARAM;
    double* sums = (double*) calloc(size(x), sizeof(double));
    over(x, w, y, c, [&](long long i, long long t, long long o) { sums[i] += (double) at(py, y->type, o) * at(pw, w->type, t); });
    store(px, x, sums, alpha, beta);
    free(sums);
    return OK;
}
}

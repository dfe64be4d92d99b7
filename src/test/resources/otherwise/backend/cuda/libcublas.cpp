// A stand-in for cuBLAS, of the version -DVERSION=…, that multiplies in the memory of the process: what Cublas asks for, and no more.
//
// It refuses what is not as it must be: another stream than $STAND_IN_STREAM, no memory to work in, another mode, leading dimensions that are
// too small. If $STAND_IN_WRONG is its major version, its products are wrong, as those of a library that does not know the device may be.
#include <cstdint>
#include <cstdlib>
#include <cstring>

static const int OK = 0, INVALID_VALUE = 7, NOT_SUPPORTED = 15, COMPUTE_32F = 68, FAST_TF32 = 77, BF16 = 14;

struct Handle {
    bool stream, workspace, mode;
};

static long number(const char* variable) {
    const char* text = getenv(variable);
    return text ? atol(text) : 0;
}

static float at(const void* p, int type, long long i) {
    if (type != BF16) return ((const float*) p)[i];
    uint32_t bits = (uint32_t) ((const uint16_t*) p)[i] << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

// What a product of that kind sees of a number: of a float the upper 19 bits, or all.
static double seen(float value, int compute) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    if (compute == FAST_TF32) bits &= 0xffffe000u;
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

extern "C" {
int cublasCreate_v2(Handle** handle) { *handle = new Handle{}; return OK; }
int cublasDestroy_v2(Handle* handle) { delete handle; return OK; }
int cublasGetVersion_v2(Handle*, int* version) { *version = VERSION; return OK; }
const char* cublasGetStatusName(int status) { return status == INVALID_VALUE ? "CUBLAS_STATUS_INVALID_VALUE" : "CUBLAS_STATUS_NOT_SUPPORTED"; }
int cublasSetStream_v2(Handle* handle, void* stream) {
    handle->stream = stream == (void*) number("STAND_IN_STREAM");
    handle->workspace = false;
    return OK;
}
int cublasSetWorkspace_v2(Handle* handle, void* memory, size_t bytes) {
    memset(memory, 1, bytes);
    handle->workspace = bytes >= (size_t) 32 << 20;
    return OK;
}
int cublasSetMathMode(Handle* handle, int mode) { handle->mode = mode == 16; return OK; }

int cublasGemmStridedBatchedEx(
    Handle* handle, int transposeA, int transposeB, int m, int n, int k, const float* alpha, const void* a, int typeA, int lda,
    long long strideA, const void* b, int typeB, int ldb, long long strideB, const float* beta, void* c, int typeC, int ldc,
    long long strideC, int batch, int compute, int algorithm) {
    if (!handle->stream || !handle->workspace || !handle->mode || algorithm != -1) return NOT_SUPPORTED;
    if (compute != COMPUTE_32F && (compute != FAST_TF32 || typeA == BF16)) return NOT_SUPPORTED;
    if (lda < (transposeA ? k : m) || ldb < (transposeB ? n : k) || ldc < m || typeA != typeB || typeA != typeC) return INVALID_VALUE;
    if (typeA != 0 && typeA != BF16) return NOT_SUPPORTED;
    for (long long i = 0; i < batch; i++)
        for (long long column = 0; column < n; column++)
            for (long long row = 0; row < m; row++) {
                double sum = 0;
                for (long long t = 0; t < k; t++)
                    sum += seen(at(a, typeA, i * strideA + (transposeA ? row * lda + t : t * lda + row)), compute)
                        * seen(at(b, typeB, i * strideB + (transposeB ? t * ldb + column : column * ldb + t)), compute);
                long long e = i * strideC + column * ldc + row;
                float old = *beta == 0 ? 0 : *beta * at(c, typeC, e);
                put(c, typeC, e, (float) (*alpha * sum) + old + (number("STAND_IN_WRONG") == VERSION / 10000 ? 1 : 0));
            }
    return OK;
}
}

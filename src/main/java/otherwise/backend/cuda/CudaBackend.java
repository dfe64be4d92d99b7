package otherwise.backend.cuda;

import java.lang.foreign.MemorySegment;
import java.util.function.Function;
import otherwise.backend.AttentionBias;
import otherwise.backend.AttentionSpec;
import otherwise.backend.Backend;
import otherwise.backend.ConvSpec;
import otherwise.backend.DType;
import otherwise.backend.DeviceException;
import otherwise.backend.Graph;
import otherwise.backend.Libraries;
import otherwise.backend.MatmulSpec;
import otherwise.backend.Scope;
import otherwise.backend.Storage;
import otherwise.backend.Timer;

/// Everything by kernels of our own, on whatever device a [Driver] reaches; on a GPU, products and convolutions by NVIDIA's libraries if they
/// are there and wanted.
///
/// This class only hands out memory and passes calls on; the launches live beside it, one file a family of kernels.
public final class CudaBackend implements Backend {
    private static final int TF32_DIGITS = 11;

    private final Driver driver;
    private final DevicePool pool;
    private final DType real;
    private final boolean tf32;
    private final Kernels kernels;
    private final Recorder recorder;
    private final Elementwise elementwise;
    private final Movement movement;
    private final Reductions reductions;
    private final Philox philox;
    private final Spatial spatial;
    private final Rows rows;
    private final Serving serving;
    private final Attention attention;

    private CudaBackend(Driver driver, DType real, boolean tf32, Function<Kernels, Serving> serving) {
        this.driver = driver;
        this.real = real;
        this.tf32 = tf32;
        pool = new DevicePool(driver);
        kernels = new Kernels(driver, pool, real, tf32);
        recorder = kernels.recorder();
        elementwise = new Elementwise(kernels);
        movement = new Movement(kernels);
        reductions = new Reductions(kernels);
        philox = new Philox(kernels);
        spatial = new Spatial(kernels);
        rows = new Rows(kernels);
        attention = new Attention(kernels);
        try {
            this.serving = serving.apply(kernels);
        } catch (DeviceException e) {
            pool.close();
            driver.close();
            throw e;
        }
    }

    /// The kernels on the processor of this machine: for tests and for learning.
    ///
    /// @param threads processors to use; 0 means all
    /// @param real `F32` or `BF16`: what numbers are stored as; sums are in `F32`
    /// @throws otherwise.backend.DeviceException without g++
    public static CudaBackend emulated(int threads, DType real) {
        return emulated(threads, real, false, false);
    }

    /// @param tf32 whether matrices of `F32` are multiplied as TF32
    /// @param hopper whether it is a Hopper GPU that is emulated, with the kernels that serve there alone
    /// @throws otherwise.backend.DeviceException without g++
    public static CudaBackend emulated(int threads, DType real, boolean tf32, boolean hopper) {
        return new CudaBackend(new EmulatedDriver(threads, hopper), real, tf32, Serving::ours);
    }

    /// The kernels on an NVIDIA GPU.
    ///
    /// @param device its number, as `CUDA_VISIBLE_DEVICES` leaves them
    /// @param real `F32` or `BF16`, as above
    /// @param tf32 whether matrices of `F32` are multiplied as TF32
    /// @param libraries who multiplies and convolves
    /// @throws otherwise.backend.DeviceException without a driver, or such a device, or a library that is asked for by name
    public static CudaBackend open(int device, DType real, boolean tf32, Libraries libraries) {
        return new CudaBackend(new JCudaDriver(device), real, tf32, kernels -> Serving.of(libraries, kernels.driver(), kernels));
    }

    /// One that computes nothing and hands out memory as this one would with so much room: what a work would take is found by doing it there.
    /// Nothing is refused: what is more than the room shows in [#memory].
    public CudaBackend dry(long room) {
        return new CudaBackend(new DryDriver(driver, room), real, tf32, serving::dry);
    }

    @Override
    public String name() {
        return driver.name();
    }

    @Override
    public String description() {
        var all = new StringBuilder(driver.description());
        if (!serving.description().isEmpty()) all.append(", ").append(serving.description());
        if (tf32) all.append(", matrices multiplied as TF32");
        return all.toString();
    }

    @Override
    public DType real() {
        return real;
    }

    @Override
    public int digits() {
        return tf32 ? TF32_DIGITS : real.digits();
    }

    @Override
    public Storage allocate(DType type, long size) {
        var storage = recorder.storage(type, size);
        Scope.adopt(storage);
        return storage;
    }

    @Override
    public Memory memory() {
        return pool.memory();
    }

    @Override
    public long capacity() {
        var ours = pool.memory();
        return driver.freeMemory() + ours.used() + ours.pooled();
    }

    @Override
    public void trim() {
        pool.trim();
    }

    @Override
    public boolean records() {
        return true;
    }

    @Override
    public Graph record(Runnable work) {
        return recorder.record(work);
    }

    @Override
    public long calls() {
        return recorder.calls();
    }

    @Override
    public Timer timer() {
        return driver.timer();
    }

    @Override
    public void upload(Storage y, float[] values) {
        upload(y, MemorySegment.ofArray(values), DType.F32, values.length);
    }

    @Override
    public void upload(Storage y, double[] values) {
        upload(y, MemorySegment.ofArray(values), DType.F64, values.length);
    }

    @Override
    public void upload(Storage y, long[] values) {
        upload(y, MemorySegment.ofArray(values), DType.I64, values.length);
    }

    @Override
    public void upload(Storage y, MemorySegment source, DType type) {
        upload(y, source, type, y.size());
    }

    /// What is of another type is converted on the device.
    private void upload(Storage y, MemorySegment source, DType type, long n) {
        if (n == 0) return;
        var bytes = source.asSlice(0, n * type.bytes());
        if (type == y.type()) {
            recorder.upload((CudaStorage) y, bytes);
            return;
        }
        try (var raw = kernels.scratch(type, n)) {
            recorder.upload(raw.storage(), bytes);
            movement.convert(y, raw.storage(), n);
        }
    }

    @Override
    public void download(Storage x, float[] values) {
        download(MemorySegment.ofArray(values), DType.F32, x, values.length);
    }

    @Override
    public void download(Storage x, double[] values) {
        download(MemorySegment.ofArray(values), DType.F64, x, values.length);
    }

    @Override
    public void download(Storage x, long[] values) {
        download(MemorySegment.ofArray(values), DType.I64, x, values.length);
    }

    private void download(MemorySegment values, DType type, Storage x, long n) {
        recorder.requireLooking();
        if (n == 0) return;
        if (type == x.type()) {
            driver.toHost(values, ((CudaStorage) x).address());
            return;
        }
        try (var converted = kernels.scratch(type, n)) {
            movement.convert(converted.storage(), x, n);
            driver.toHost(values, converted.storage().address());
        }
    }

    @Override
    public void fill(Storage y, double value) {
        movement.fill(y, value);
    }

    @Override
    public void copy(Storage y, long yOffset, long[] yStrides, Storage x, long xOffset, long[] xStrides, long[] dims) {
        movement.copy(y, yOffset, yStrides, x, xOffset, xStrides, dims);
    }

    @Override
    public void unary(Unary f, Storage y, Storage x) {
        elementwise.unary(f, y, x);
    }

    @Override
    public void unaryBackward(Unary f, Storage dx, Storage dy, Storage x) {
        elementwise.unaryBackward(f, dx, dy, x);
    }

    @Override
    public void binary(Binary f, Storage y, Storage a, long[] aStrides, Storage b, long[] bStrides, long[] dims) {
        elementwise.binary(f, y, a, aStrides, b, bStrides, dims);
    }

    @Override
    public void affine(Storage y, Storage x, double scale, double offset) {
        elementwise.affine(y, x, scale, offset);
    }

    @Override
    public void axpy(Storage y, double alpha, Storage x) {
        elementwise.axpy(y, alpha, x);
    }

    @Override
    public void reduce(Reduction f, Storage y, Storage x, long outer, long n, long inner) {
        reductions.reduce(f, y, x, outer, n, inner);
    }

    @Override
    public void gatherRows(Storage y, Storage x, Storage index, long count, long c) {
        movement.gatherRows(y, x, index, count, c);
    }

    @Override
    public void scatterAddRows(Storage y, Storage x, Storage index, long count, long yRows, long c) {
        movement.scatterAddRows(y, x, index, count, yRows, c);
    }

    @Override
    public void uniform(Storage y, long seed, long stream, long counter) {
        philox.uniform(y, seed, stream, counter);
    }

    @Override
    public void normal(Storage y, long seed, long stream, long counter) {
        philox.normal(y, seed, stream, counter);
    }

    @Override
    public void matmul(Storage y, Storage a, Storage b, Storage bias, MatmulSpec spec, boolean accumulate) {
        serving.products().matmul(y, a, b, bias, spec, accumulate);
    }

    @Override
    public void matmulThen(Unary f, Storage y, Storage sums, Storage a, Storage b, Storage bias, MatmulSpec spec) {
        if (!serving.products().matmulThen(f, y, sums, a, b, bias, spec)) Backend.super.matmulThen(f, y, sums, a, b, bias, spec);
    }

    @Override
    public void matmulOnto(
            Storage y, Storage sums, Storage x, Storage gate, Storage a, Storage b, Storage bias, MatmulSpec spec) {
        boolean done = serving.products().matmulOnto(y, sums, x, gate, a, b, bias, spec);
        if (!done) Backend.super.matmulOnto(y, sums, x, gate, a, b, bias, spec);
    }

    @Override
    public void conv3d(Storage y, Storage x, Storage weight, Storage bias, ConvSpec spec) {
        serving.convolutions().forward(y, x, weight, bias, spec);
    }

    @Override
    public void conv3dToInput(Storage dx, Storage dy, Storage weight, ConvSpec spec) {
        serving.convolutions().toInput(dx, dy, weight, spec);
    }

    @Override
    public void conv3dToWeight(Storage dweight, Storage dbias, Storage dy, Storage x, ConvSpec spec) {
        serving.convolutions().toWeight(dweight, dbias, dy, x, spec);
    }

    @Override
    public void attention(Storage y, Storage logsumexp, Storage q, Storage k, Storage v, AttentionBias added, AttentionSpec spec) {
        attention.forward(y, logsumexp, q, k, v, added, spec);
    }

    @Override
    public void attentionBackward(
            Storage dq, Storage dk, Storage dv, Storage dbias, Storage dy, Storage y, Storage logsumexp, Storage q, Storage k, Storage v,
            AttentionBias added, AttentionSpec spec) {
        attention.backward(dq, dk, dv, dbias, dy, y, logsumexp, q, k, v, added, spec);
    }

    @Override
    public void softmax(Storage y, Storage x, long count, long c) {
        rows.softmax(y, x, count, c);
    }

    @Override
    public void softmaxBackward(Storage dx, Storage dy, Storage y, long count, long c) {
        rows.softmaxBackward(dx, dy, y, count, c);
    }

    @Override
    public void logSoftmax(Storage y, Storage x, long count, long c) {
        rows.logSoftmax(y, x, count, c);
    }

    @Override
    public void logSoftmaxBackward(Storage dx, Storage dy, Storage y, long count, long c) {
        rows.logSoftmaxBackward(dx, dy, y, count, c);
    }

    @Override
    public void layerNorm(Storage y, Storage mean, Storage rstd, Storage x, Storage w, Storage b, double eps, long count, long c) {
        rows.layerNorm(y, mean, rstd, x, w, b, eps, count, c);
    }

    @Override
    public void layerNormBackward(
            Storage dx, Storage dw, Storage db, Storage dy, Storage x, Storage mean, Storage rstd, Storage w, long count, long c) {
        rows.layerNormBackward(dx, dw, db, dy, x, mean, rstd, w, count, c);
    }

    @Override
    public void modulatedNorm(
            Storage y, Storage mean, Storage rstd, Storage x, Storage scale, Storage shift, double eps, long batch, long length, long c) {
        rows.modulatedNorm(y, mean, rstd, x, scale, shift, eps, batch, length, c);
    }

    @Override
    public void modulatedNormBackward(
            Storage dx, Storage dscale, Storage dshift, Storage dy, Storage x, Storage mean, Storage rstd, Storage scale, long batch,
            long length, long c) {
        rows.modulatedNormBackward(dx, dscale, dshift, dy, x, mean, rstd, scale, batch, length, c);
    }

    @Override
    public void gatedAdd(Storage y, Storage x, Storage gate, Storage h, long batch, long length, long c) {
        rows.gatedAdd(y, x, gate, h, null, batch, length, c);
    }

    @Override
    public void gatedAddBackward(Storage dh, Storage dgate, Storage dy, Storage gate, Storage h, long batch, long length, long c) {
        rows.gatedAddBackward(dh, dgate, dy, gate, h, batch, length, c);
    }

    @Override
    public void rmsNorm(Storage y, Storage r, Storage x, Storage w, double eps, long count, long c) {
        rows.rmsNorm(y, r, x, w, eps, count, c);
    }

    @Override
    public void rmsNormBackward(Storage dx, Storage dw, Storage dy, Storage x, Storage r, Storage w, long count, long c) {
        rows.rmsNormBackward(dx, dw, dy, x, r, w, count, c);
    }

    @Override
    public void rmsNormRope(
            Storage y, Storage r, Storage x, Storage w, Storage cos, Storage sin, double eps, long batch, long length, long heads,
            long width) {
        rows.rmsNormRope(y, r, x, w, cos, sin, eps, batch, length, heads, width);
    }

    @Override
    public void rmsNormRopeBackward(
            Storage dx, Storage dw, Storage dy, Storage x, Storage r, Storage w, Storage cos, Storage sin, long batch, long length,
            long heads, long width) {
        rows.rmsNormRopeBackward(dx, dw, dy, x, r, w, cos, sin, batch, length, heads, width);
    }

    @Override
    public void channelNorm(Storage y, Storage r, Storage x, Storage gamma, boolean silu, long outer, long c, long inner) {
        rows.channelNorm(y, r, x, gamma, silu, outer, c, inner);
    }

    @Override
    public void channelNormBackward(
            Storage dx, Storage dgamma, Storage dy, Storage x, Storage r, Storage gamma, boolean silu, long outer, long c, long inner) {
        rows.channelNormBackward(dx, dgamma, dy, x, r, gamma, silu, outer, c, inner);
    }

    @Override
    public void rope(Storage y, Storage x, Storage cos, Storage sin, long batch, long length, long heads, long width, boolean inverse) {
        spatial.rope(y, x, cos, sin, batch, length, heads, width, inverse);
    }

    @Override
    public void upsample2x(Storage y, Storage x, long planes, long h, long w) {
        spatial.upsample2x(y, x, planes, h, w);
    }

    @Override
    public void upsample2xBackward(Storage dx, Storage dy, long planes, long h, long w) {
        spatial.upsample2xBackward(dx, dy, planes, h, w);
    }

    @Override
    public void adamW(
            Storage p, Storage m, Storage v, Storage g, double lr, double beta1, double beta2, double eps, double decay, long step) {
        elementwise.adamW(p, m, v, g, lr, beta1, beta2, eps, decay, step);
    }

    @Override
    public void close() {
        recorder.close();
        serving.close();
        pool.close();
        driver.close();
    }
}

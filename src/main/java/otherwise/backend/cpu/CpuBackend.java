package otherwise.backend.cpu;

import com.sun.management.OperatingSystemMXBean;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import jdk.incubator.vector.FloatVector;
import otherwise.backend.AttentionBias;
import otherwise.backend.AttentionSpec;
import otherwise.backend.Backend;
import otherwise.backend.ConvSpec;
import otherwise.backend.DType;
import otherwise.backend.MatmulSpec;
import otherwise.backend.Scope;
import otherwise.backend.Storage;

/// The reference device: Vector API kernels over native memory, on a small team of threads. Computes in `F32`.
///
/// This class only hands out memory and passes calls on; the kernels live beside it, one file a family.
public final class CpuBackend implements Backend {
    private final Pool pool = new Pool(memoryOfMachine());
    private final Parallel parallel;

    /// @param threads how many threads to use; 0 means all processors
    public CpuBackend(int threads) {
        parallel = new Parallel(threads > 0 ? threads : Runtime.getRuntime().availableProcessors());
    }

    @Override
    public String name() {
        return "cpu";
    }

    @Override
    public String description() {
        return System.getProperty("os.arch") + ", vectors of " + FloatVector.SPECIES_PREFERRED.vectorBitSize() + " bits, "
                + parallel.threads()
                + (parallel.threads() == 1 ? " thread" : " threads");
    }

    @Override
    public DType real() {
        return DType.F32;
    }

    @Override
    public Storage allocate(DType type, long size) {
        var storage = new CpuStorage(type, size, pool.take(Math.multiplyExact(size, type.bytes())), pool);
        Scope.adopt(storage);
        return storage;
    }

    @Override
    public Memory memory() {
        return pool.memory();
    }

    @Override
    public long capacity() {
        return memoryOfMachine();
    }

    /// What this machine, or the container that it is, has.
    private static long memoryOfMachine() {
        return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getTotalMemorySize();
    }

    @Override
    public void trim() {
        pool.trim();
    }

    private static MemorySegment at(Storage s) {
        return s == null ? null : ((CpuStorage) s).segment();
    }

    @Override
    public void upload(Storage y, float[] values) {
        Transfer.write(at(y), y.type(), MemorySegment.ofArray(values), DType.F32, values.length);
    }

    @Override
    public void upload(Storage y, double[] values) {
        Transfer.write(at(y), y.type(), MemorySegment.ofArray(values), DType.F64, values.length);
    }

    @Override
    public void upload(Storage y, long[] values) {
        Transfer.write(at(y), y.type(), MemorySegment.ofArray(values), DType.I64, values.length);
    }

    @Override
    public void upload(Storage y, MemorySegment source, DType type) {
        Transfer.write(at(y), y.type(), source, type, y.size());
    }

    @Override
    public void download(Storage x, float[] values) {
        Transfer.write(MemorySegment.ofArray(values), DType.F32, at(x), x.type(), values.length);
    }

    @Override
    public void download(Storage x, double[] values) {
        Transfer.write(MemorySegment.ofArray(values), DType.F64, at(x), x.type(), values.length);
    }

    @Override
    public void download(Storage x, long[] values) {
        Transfer.write(MemorySegment.ofArray(values), DType.I64, at(x), x.type(), values.length);
    }

    @Override
    public void fill(Storage y, double value) {
        Elementwise.fill(parallel, at(y), y.type(), value, y.size());
    }

    @Override
    public void copy(Storage y, long yOffset, long[] yStrides, Storage x, long xOffset, long[] xStrides, long[] dims) {
        Copy.strided(parallel, at(y), yOffset, yStrides, at(x), xOffset, xStrides, dims, y.type().bytes());
    }

    @Override
    public void unary(Unary f, Storage y, Storage x) {
        Elementwise.unary(parallel, f, at(y), at(x), y.size());
    }

    @Override
    public void unaryBackward(Unary f, Storage dx, Storage dy, Storage x) {
        Elementwise.unaryBackward(parallel, f, at(dx), at(dy), at(x), dx.size());
    }

    @Override
    public void binary(Binary f, Storage y, Storage a, long[] aStrides, Storage b, long[] bStrides, long[] dims) {
        Broadcast.binary(parallel, f, at(y), at(a), aStrides, at(b), bStrides, dims);
    }

    @Override
    public void affine(Storage y, Storage x, double scale, double offset) {
        Elementwise.affine(parallel, at(y), at(x), (float) scale, (float) offset, y.size());
    }

    @Override
    public void axpy(Storage y, double alpha, Storage x) {
        Elementwise.axpy(parallel, at(y), (float) alpha, at(x), y.size());
    }

    @Override
    public void reduce(Reduction f, Storage y, Storage x, long outer, long n, long inner) {
        Reduce.reduce(parallel, f, at(y), at(x), outer, n, inner);
    }

    @Override
    public void gatherRows(Storage y, Storage x, Storage index, long rows, long c) {
        Copy.gatherRows(parallel, at(y), at(x), at(index), rows, c);
    }

    @Override
    public void scatterAddRows(Storage y, Storage x, Storage index, long rows, long yRows, long c) {
        Copy.scatterAddRows(parallel, at(y), at(x), at(index), rows, yRows, c);
    }

    @Override
    public void uniform(Storage y, long seed, long stream, long counter) {
        Noise.uniform(parallel, at(y), seed, stream, counter, y.size());
    }

    @Override
    public void normal(Storage y, long seed, long stream, long counter) {
        Noise.normal(parallel, at(y), seed, stream, counter, y.size());
    }

    @Override
    public void matmul(Storage y, Storage a, Storage b, Storage bias, MatmulSpec spec, boolean accumulate) {
        Gemm.matmul(parallel, at(y), at(a), at(b), at(bias), spec, accumulate);
    }

    @Override
    public void conv3d(Storage y, Storage x, Storage weight, Storage bias, ConvSpec spec) {
        Conv3d.forward(parallel, at(y), at(x), at(weight), at(bias), spec);
    }

    @Override
    public void conv3dToInput(Storage dx, Storage dy, Storage weight, ConvSpec spec) {
        Conv3d.toInput(parallel, at(dx), at(dy), at(weight), spec);
    }

    @Override
    public void conv3dToWeight(Storage dweight, Storage dbias, Storage dy, Storage x, ConvSpec spec) {
        Conv3d.toWeight(parallel, at(dweight), at(dbias), at(dy), at(x), spec);
    }

    @Override
    public void attention(Storage y, Storage logsumexp, Storage q, Storage k, Storage v, AttentionBias added, AttentionSpec spec) {
        FlashAttention.forward(parallel, at(y), at(logsumexp), at(q), at(k), at(v), scoreBias(added, spec), spec);
    }

    @Override
    public void attentionBackward(
            Storage dq, Storage dk, Storage dv, Storage dbias, Storage dy, Storage y, Storage logsumexp, Storage q, Storage k, Storage v,
            AttentionBias added, AttentionSpec spec) {
        new FlashAttentionBackward(at(dy), at(y), at(logsumexp), at(q), at(k), at(v), scoreBias(added, spec), spec)
                .run(parallel, at(dq), at(dk), at(dv), at(dbias));
    }

    private static ScoreBias scoreBias(AttentionBias added, AttentionSpec spec) {
        return added == null ? null : new ScoreBias(at(added.bias()), at(added.mask()), added.masks(), spec);
    }

    @Override
    public void softmax(Storage y, Storage x, long rows, long c) {
        Softmax.softmax(parallel, at(y), at(x), rows, c);
    }

    @Override
    public void softmaxBackward(Storage dx, Storage dy, Storage y, long rows, long c) {
        Softmax.softmaxBackward(parallel, at(dx), at(dy), at(y), rows, c);
    }

    @Override
    public void logSoftmax(Storage y, Storage x, long rows, long c) {
        Softmax.logSoftmax(parallel, at(y), at(x), rows, c);
    }

    @Override
    public void logSoftmaxBackward(Storage dx, Storage dy, Storage y, long rows, long c) {
        Softmax.logSoftmaxBackward(parallel, at(dx), at(dy), at(y), rows, c);
    }

    @Override
    public void layerNorm(Storage y, Storage mean, Storage rstd, Storage x, Storage w, Storage b, double eps, long rows, long c) {
        Norm.layerNorm(parallel, at(y), at(mean), at(rstd), at(x), at(w), at(b), (float) eps, rows, c);
    }

    @Override
    public void layerNormBackward(
            Storage dx, Storage dw, Storage db, Storage dy, Storage x, Storage mean, Storage rstd, Storage w, long rows, long c) {
        Norm.layerNormBackward(parallel, at(dx), at(dw), at(db), at(dy), at(x), at(mean), at(rstd), at(w), rows, c);
    }

    @Override
    public void modulatedNorm(
            Storage y, Storage mean, Storage rstd, Storage x, Storage scale, Storage shift, double eps, long batch, long length, long c) {
        Norm.modulatedNorm(parallel, at(y), at(mean), at(rstd), at(x), at(scale), at(shift), (float) eps, batch, length, c);
    }

    @Override
    public void modulatedNormBackward(
            Storage dx, Storage dscale, Storage dshift, Storage dy, Storage x, Storage mean, Storage rstd, Storage scale, long batch,
            long length, long c) {
        Norm.modulatedNormBackward(
                parallel, at(dx), at(dscale), at(dshift), at(dy), at(x), at(mean), at(rstd), at(scale), batch, length, c);
    }

    @Override
    public void gatedAdd(Storage y, Storage x, Storage gate, Storage h, long batch, long length, long c) {
        Gate.add(parallel, at(y), at(x), at(gate), at(h), batch, length, c);
    }

    @Override
    public void gatedAddBackward(Storage dh, Storage dgate, Storage dy, Storage gate, Storage h, long batch, long length, long c) {
        Gate.backward(parallel, at(dh), at(dgate), at(dy), at(gate), at(h), batch, length, c);
    }

    @Override
    public void rmsNorm(Storage y, Storage r, Storage x, Storage w, double eps, long rows, long c) {
        Norm.rmsNorm(parallel, at(y), at(r), at(x), at(w), (float) eps, rows, c);
    }

    @Override
    public void rmsNormBackward(Storage dx, Storage dw, Storage dy, Storage x, Storage r, Storage w, long rows, long c) {
        Norm.rmsNormBackward(parallel, at(dx), at(dw), at(dy), at(x), at(r), at(w), rows, c);
    }

    @Override
    public void rmsNormRope(
            Storage y, Storage r, Storage x, Storage w, Storage cos, Storage sin, double eps, long batch, long length, long heads,
            long width) {
        RmsNormRope.forward(parallel, at(y), at(r), at(x), at(w), at(cos), at(sin), (float) eps, batch, length, heads, width);
    }

    @Override
    public void rmsNormRopeBackward(
            Storage dx, Storage dw, Storage dy, Storage x, Storage r, Storage w, Storage cos, Storage sin, long batch, long length,
            long heads, long width) {
        RmsNormRope.backward(parallel, at(dx), at(dw), at(dy), at(x), at(r), at(w), at(cos), at(sin), batch, length, heads, width);
    }

    @Override
    public void channelNorm(Storage y, Storage r, Storage x, Storage gamma, boolean silu, long outer, long c, long inner) {
        ChannelNorm.forward(parallel, at(y), at(r), at(x), at(gamma), silu, outer, c, inner);
    }

    @Override
    public void channelNormBackward(
            Storage dx, Storage dgamma, Storage dy, Storage x, Storage r, Storage gamma, boolean silu, long outer, long c, long inner) {
        ChannelNorm.backward(parallel, at(dx), at(dgamma), at(dy), at(x), at(r), at(gamma), silu, outer, c, inner);
    }

    @Override
    public void rope(Storage y, Storage x, Storage cos, Storage sin, long batch, long length, long heads, long width, boolean inverse) {
        Spatial.rope(parallel, at(y), at(x), at(cos), at(sin), batch, length, heads, width, inverse);
    }

    @Override
    public void upsample2x(Storage y, Storage x, long planes, long h, long w) {
        Spatial.upsample2x(parallel, at(y), at(x), planes, h, w);
    }

    @Override
    public void upsample2xBackward(Storage dx, Storage dy, long planes, long h, long w) {
        Spatial.upsample2xBackward(parallel, at(dx), at(dy), planes, h, w);
    }

    @Override
    public void adamW(
            Storage p, Storage m, Storage v, Storage g, double lr, double beta1, double beta2, double eps, double decay, long step) {
        Elementwise.adamW(parallel, at(p), at(m), at(v), at(g), lr, beta1, beta2, eps, decay, step, p.size());
    }

    @Override
    public void close() {
        parallel.close();
        pool.close();
    }
}

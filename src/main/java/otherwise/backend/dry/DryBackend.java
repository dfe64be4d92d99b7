package otherwise.backend.dry;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;
import otherwise.backend.AttentionBias;
import otherwise.backend.AttentionSpec;
import otherwise.backend.Backend;
import otherwise.backend.ConvSpec;
import otherwise.backend.DType;
import otherwise.backend.MatmulSpec;
import otherwise.backend.PoolBooks;
import otherwise.backend.Scope;
import otherwise.backend.SizeClass;
import otherwise.backend.Storage;

/// A device that holds and computes nothing, and counts what it is asked for: memory, and operations.
///
/// A network run on it takes the time of building its graph, whatever its size, and says what it would take on a real device: memory is
/// handed out, taken back and reused exactly as the CPU's pool does it. Whatever is read back is zero.
public final class DryBackend implements Backend {
    private final DType real;
    private final long capacity;
    private final Map<Long, Long> free = new HashMap<>();
    private final PoolBooks books = new PoolBooks();
    private final Supplier<String> place;
    private final Map<String, Work> work = new LinkedHashMap<>();

    /// @param place where in a network the caller is: work is counted by place
    public DryBackend(DType real, Supplier<String> place) {
        this(real, place, Long.MAX_VALUE);
    }

    /// @param capacity beyond which nothing is kept for reuse; handed out it is all the same
    public DryBackend(DType real, Supplier<String> place, long capacity) {
        this.real = real;
        this.place = place;
        this.capacity = capacity;
    }

    /// What was asked for since the last [#restart], by place, in the order in which places were first visited.
    public Map<String, Work> work() {
        return Collections.unmodifiableMap(work);
    }

    /// Counts work and peaks from here on, with nothing waiting for reuse.
    public void restart() {
        work.clear();
        trim();
        books.restart();
    }

    @Override
    public String name() {
        return "dry";
    }

    @Override
    public String description() {
        return "computes nothing, counts memory and operations";
    }

    @Override
    public DType real() {
        return real;
    }

    @Override
    public Storage allocate(DType type, long size) {
        var storage = new DryStorage(type, size, this);
        long bytes = SizeClass.of(Math.multiplyExact(size, (long) type.bytes()));
        boolean reused = free.merge(bytes, -1L, Long::sum) >= 0;
        if (!reused) {
            free.remove(bytes);
            if (books.held() + bytes > capacity) trim();
        }
        books.out(bytes, reused);
        Scope.adopt(storage);
        return storage;
    }

    void give(long bytes) {
        long rounded = SizeClass.of(bytes);
        free.merge(rounded, 1L, Long::sum);
        books.back(rounded);
    }

    @Override
    public Memory memory() {
        return books.memory();
    }

    @Override
    public long capacity() {
        return capacity;
    }

    @Override
    public void trim() {
        free.clear();
        books.trimmed();
    }

    private void product(double operations) {
        work.merge(place.get(), new Work((long) operations, 0, 1), Work::plus);
    }

    private void other(long elements) {
        work.merge(place.get(), new Work(0, elements, 1), Work::plus);
    }

    private void other(Storage made) {
        if (made != null) other(made.size());
    }

    @Override
    public void upload(Storage y, float[] values) {}

    @Override
    public void upload(Storage y, double[] values) {}

    @Override
    public void upload(Storage y, long[] values) {}

    @Override
    public void upload(Storage y, MemorySegment source, DType type) {}

    @Override
    public void download(Storage x, float[] values) {
        Arrays.fill(values, 0);
    }

    @Override
    public void download(Storage x, double[] values) {
        Arrays.fill(values, 0);
    }

    @Override
    public void download(Storage x, long[] values) {
        Arrays.fill(values, 0);
    }

    @Override
    public void fill(Storage y, double value) {
        other(y);
    }

    @Override
    public void copy(Storage y, long yOffset, long[] yStrides, Storage x, long xOffset, long[] xStrides, long[] dims) {
        other(Arrays.stream(dims).reduce(1, Math::multiplyExact));
    }

    @Override
    public void unary(Unary f, Storage y, Storage x) {
        other(y);
    }

    @Override
    public void unaryBackward(Unary f, Storage dx, Storage dy, Storage x) {
        other(dx);
    }

    @Override
    public void binary(Binary f, Storage y, Storage a, long[] aStrides, Storage b, long[] bStrides, long[] dims) {
        other(y);
    }

    @Override
    public void affine(Storage y, Storage x, double scale, double offset) {
        other(y);
    }

    @Override
    public void axpy(Storage y, double alpha, Storage x) {
        other(y);
    }

    @Override
    public void reduce(Reduction f, Storage y, Storage x, long outer, long n, long inner) {
        other(x);
    }

    @Override
    public void gatherRows(Storage y, Storage x, Storage index, long rows, long c) {
        other(y);
    }

    @Override
    public void scatterAddRows(Storage y, Storage x, Storage index, long rows, long yRows, long c) {
        other(x);
    }

    @Override
    public void uniform(Storage y, long seed, long stream, long counter) {}

    @Override
    public void normal(Storage y, long seed, long stream, long counter) {}

    @Override
    public void matmul(Storage y, Storage a, Storage b, Storage bias, MatmulSpec s, boolean accumulate) {
        product(2.0 * s.batch() * s.m() * s.n() * s.k());
    }

    @Override
    public void conv3d(Storage y, Storage x, Storage weight, Storage bias, ConvSpec spec) {
        product(convolution(spec));
    }

    @Override
    public void conv3dToInput(Storage dx, Storage dy, Storage weight, ConvSpec spec) {
        product(convolution(spec));
    }

    @Override
    public void conv3dToWeight(Storage dweight, Storage dbias, Storage dy, Storage x, ConvSpec spec) {
        product(convolution(spec));
    }

    private static double convolution(ConvSpec s) {
        return 2.0 * s.batch() * s.outputs() * s.outT() * s.outH() * s.outW() * s.taps();
    }

    @Override
    public void attention(Storage y, Storage logsumexp, Storage q, Storage k, Storage v, AttentionBias added, AttentionSpec spec) {
        product(2 * scores(spec));
    }

    @Override
    public void attentionBackward(
            Storage dq, Storage dk, Storage dv, Storage dbias, Storage dy, Storage y, Storage logsumexp, Storage q, Storage k, Storage v,
            AttentionBias added, AttentionSpec spec) {
        // The scores once more, and then dP, dV, dQ and dK.
        product(5 * scores(spec));
    }

    /// Operations of one product of queries and keys.
    private static double scores(AttentionSpec s) {
        double keys = 0;
        for (long b = 0; b < s.batch(); b++) keys += s.keysOf(b);
        return 2.0 * keys * s.heads() * s.length() * s.width();
    }

    @Override
    public void softmax(Storage y, Storage x, long rows, long c) {
        other(y);
    }

    @Override
    public void softmaxBackward(Storage dx, Storage dy, Storage y, long rows, long c) {
        other(dx);
    }

    @Override
    public void logSoftmax(Storage y, Storage x, long rows, long c) {
        other(y);
    }

    @Override
    public void logSoftmaxBackward(Storage dx, Storage dy, Storage y, long rows, long c) {
        other(dx);
    }

    @Override
    public void layerNorm(Storage y, Storage mean, Storage rstd, Storage x, Storage w, Storage b, double eps, long rows, long c) {
        other(y);
    }

    @Override
    public void layerNormBackward(
            Storage dx, Storage dw, Storage db, Storage dy, Storage x, Storage mean, Storage rstd, Storage w, long rows, long c) {
        other(dy);
    }

    @Override
    public void modulatedNorm(
            Storage y, Storage mean, Storage rstd, Storage x, Storage scale, Storage shift, double eps, long batch, long length, long c) {
        other(y);
    }

    @Override
    public void modulatedNormBackward(
            Storage dx, Storage dscale, Storage dshift, Storage dy, Storage x, Storage mean, Storage rstd, Storage scale, long batch,
            long length, long c) {
        other(dy);
    }

    @Override
    public void gatedAdd(Storage y, Storage x, Storage gate, Storage h, long batch, long length, long c) {
        other(y);
    }

    @Override
    public void gatedAddBackward(Storage dh, Storage dgate, Storage dy, Storage gate, Storage h, long batch, long length, long c) {
        other(dy);
    }

    @Override
    public void rmsNorm(Storage y, Storage r, Storage x, Storage w, double eps, long rows, long c) {
        other(y);
    }

    @Override
    public void rmsNormBackward(Storage dx, Storage dw, Storage dy, Storage x, Storage r, Storage w, long rows, long c) {
        other(dy);
    }

    @Override
    public void rmsNormRope(
            Storage y, Storage r, Storage x, Storage w, Storage cos, Storage sin, double eps, long batch, long length, long heads,
            long width) {
        other(y);
    }

    @Override
    public void rmsNormRopeBackward(
            Storage dx, Storage dw, Storage dy, Storage x, Storage r, Storage w, Storage cos, Storage sin, long batch, long length,
            long heads, long width) {
        other(dy);
    }

    @Override
    public void channelNorm(Storage y, Storage r, Storage x, Storage gamma, boolean silu, long outer, long c, long inner) {
        other(y);
    }

    @Override
    public void channelNormBackward(
            Storage dx, Storage dgamma, Storage dy, Storage x, Storage r, Storage gamma, boolean silu, long outer, long c, long inner) {
        other(dy);
    }

    @Override
    public void rope(Storage y, Storage x, Storage cos, Storage sin, long batch, long length, long heads, long width, boolean inverse) {
        other(y);
    }

    @Override
    public void upsample2x(Storage y, Storage x, long planes, long h, long w) {
        other(y);
    }

    @Override
    public void upsample2xBackward(Storage dx, Storage dy, long planes, long h, long w) {
        other(dy);
    }

    @Override
    public void adamW(
            Storage p, Storage m, Storage v, Storage g, double lr, double beta1, double beta2, double eps, double decay, long step) {
        other(p);
    }

    @Override
    public void close() {}
}

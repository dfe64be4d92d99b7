package otherwise.backend;

import java.lang.foreign.MemorySegment;

/// What any device must be able to do.
///
/// Destination first, plain sizes, dense row-major storages that never overlap unless a method says so. Shapes are checked before a
/// call arrives: a backend only computes. All real storages of a call have the type [#real], but statistics that are kept for the way
/// back or from step to step, of type [#statistics]; indices are `I64`. A parameter marked
/// *optional* may be `null`. Results do not depend on the number of threads, and every reduction has a fixed order.
public interface Backend extends AutoCloseable {

    /// Elementwise functions of one argument, with their derivatives.
    enum Unary {
        NEG,
        ABS,
        SQUARE,
        SQRT,
        EXP,
        LOG,
        SIN,
        COS,
        TANH,
        SIGMOID,
        RELU,
        /// x · sigmoid(x)
        SILU,
        /// x · Φ(x), with the exact normal distribution function
        GELU,
        /// the tanh approximation of [#GELU]
        GELU_TANH
    }

    /// Elementwise functions of two arguments.
    enum Binary {
        ADD,
        SUB,
        MUL,
        DIV
    }

    enum Reduction {
        SUM,
        MAX
    }

    /// The name by which it is chosen: `cpu`, `cuda`, `tornado`.
    String name();

    /// One line for a person: processor, vector width, threads.
    String description();

    /// The type in which it computes.
    DType real();

    /// The type of what forward passes keep of each row for the way back (means, norms, logarithms of sums), and optimisers from step to step:
    /// never shorter than `F32`.
    default DType statistics() {
        return real() == DType.F64 ? DType.F64 : DType.F32;
    }

    /// Binary digits of a number that products of matrices see: all, unless a device was asked to leave some out.
    default int digits() {
        return real().digits();
    }

    /// Opens a scope on this thread: what is allocated in it dies with it.
    default Scope scope() {
        return Scope.open();
    }

    /// Memory for `size` elements, contents undefined, owned by the innermost scope.
    ///
    /// @throws DeviceException if it does not fit, with the numbers
    Storage allocate(DType type, long size);

    /// Bytes in use now, and the most there ever were.
    Memory memory();

    /// Bytes handed out now · the most at any time · bytes held by the pool for reuse · the most of both together at any time.
    record Memory(long used, long peak, long pooled, long footprint) {}

    /// Bytes of memory that there are for us: what the device has, less what others hold of it, where that is known.
    long capacity();

    /// Gives what the pool holds for reuse back to the system: where one part of a work ends, and the next asks for other sizes.
    void trim();

    /// A stopwatch for what this device does, not for how fast it is asked to.
    default Timer timer() {
        return Timer.byClock();
    }

    // ---- done again as a whole -----------------------------------------------------------------------------------------------

    /// Whether it can [#record].
    default boolean records() {
        return false;
    }

    /// Does `work`, and takes down what that told the device, to be done again by [Graph#run].
    ///
    /// What is allocated in it lies in the same place each time, in memory that only graphs have, and share: what of it is still held holds
    /// what a run left there until another graph runs, so it is to be copied at once. Numbers that the host gives are those of now, each
    /// time. What was allocated before must outlive the graph. The host cannot look at numbers in it, nor record within it.
    ///
    /// @throws DeviceException if this device takes nothing down
    default Graph record(Runnable work) {
        throw new DeviceException(name() + ": it does nothing as a graph; only the CUDA devices do");
    }

    /// How often the host has told this device to do something, a graph once; 0 where nobody counts.
    default long calls() {
        return 0;
    }

    // ---- to and from the host ------------------------------------------------------------------------------------------------

    /// y = values, converted to the type of y.
    void upload(Storage y, float[] values);

    void upload(Storage y, double[] values);

    void upload(Storage y, long[] values);

    /// y = the little-endian elements of type `type` in `source`, converted to the type of y.
    void upload(Storage y, MemorySegment source, DType type);

    void download(Storage x, float[] values);

    void download(Storage x, double[] values);

    void download(Storage x, long[] values);

    // ---- moving and elementwise ----------------------------------------------------------------------------------------------

    /// y[:] = value
    void fill(Storage y, double value);

    /// For every index i below `dims`: `y[yOffset + Σ i·yStrides] = x[xOffset + Σ i·xStrides]`. A stride of 0 in x repeats. Any type.
    void copy(Storage y, long yOffset, long[] yStrides, Storage x, long xOffset, long[] xStrides, long[] dims);

    /// y = f(x). y may be x.
    void unary(Unary f, Storage y, Storage x);

    /// dx = dy · f′(x). dx may be dy.
    void unaryBackward(Unary f, Storage dx, Storage dy, Storage x);

    /// y = a f b over the dense shape `dims` of y, a and b read with their own strides (0 repeats).
    void binary(Binary f, Storage y, Storage a, long[] aStrides, Storage b, long[] bStrides, long[] dims);

    /// y = x · scale + offset. y may be x.
    void affine(Storage y, Storage x, double scale, double offset);

    /// y += alpha · x
    void axpy(Storage y, double alpha, Storage x);

    /// x `[outer, n, inner]`, reduced over n → y `[outer, inner]`
    void reduce(Reduction f, Storage y, Storage x, long outer, long n, long inner);

    /// y `[rows, C]`: row r = row index[r] of x `[xRows, C]`, or zeros where index[r] is negative.
    void gatherRows(Storage y, Storage x, Storage index, long rows, long c);

    /// y `[yRows, C]` = 0, then row index[r] of y += row r of x `[rows, C]` in the order of r; negative indices are left out.
    void scatterAddRows(Storage y, Storage x, Storage index, long rows, long yRows, long c);

    // ---- drawing -------------------------------------------------------------------------------------------------------------

    /// y = the numbers, uniform in [0, 1), of [Philox4x32] with the key `seed`: four of each counter of this stream, from `counter` on.
    void uniform(Storage y, long seed, long stream, long counter);

    /// As above, standard normal numbers.
    void normal(Storage y, long seed, long stream, long counter);

    // ---- products ------------------------------------------------------------------------------------------------------------

    /// y = op(a) · op(b) (+ bias `[N]`, optional) (+ y if `accumulate`)
    void matmul(Storage y, Storage a, Storage b, Storage bias, MatmulSpec spec, boolean accumulate);

    /// y = f(op(a) · op(b) (+ bias `[N]`, optional)): a layer and the function behind it. What f is taken of is stored in `sums`, of the size of y
    /// and optional; without it, it takes no memory.
    default void matmulThen(Unary f, Storage y, Storage sums, Storage a, Storage b, Storage bias, MatmulSpec spec) {
        var v = sums == null ? y : sums;
        matmul(v, a, b, bias, spec, false);
        unary(f, y, v);
    }

    /// y = x + gate · (op(a) · op(b) (+ bias `[N]`, optional)): a layer, and the sum in which it ends. x is of the size of y; gate `[batch, N]`,
    /// one for each matrix of y, is optional. What it multiplies is stored in `sums`, of the size of y and optional, and there only with a
    /// gate; without it, it takes no memory.
    default void matmulOnto(
            Storage y, Storage sums, Storage x, Storage gate, Storage a, Storage b, Storage bias, MatmulSpec spec) {
        var v = sums == null ? y : sums;
        matmul(v, a, b, bias, spec.tall(), false);
        if (gate == null) axpy(y, 1, x);
        else gatedAdd(y, x, gate, v, spec.batch(), spec.m(), spec.n());
    }

    /// y = conv(x, weight) + bias (optional); see [ConvSpec].
    void conv3d(Storage y, Storage x, Storage weight, Storage bias, ConvSpec spec);

    /// dx = the gradient of [#conv3d] to x.
    void conv3dToInput(Storage dx, Storage dy, Storage weight, ConvSpec spec);

    /// dweight, dbias (optional) = the gradients of [#conv3d] to its parameters.
    void conv3dToWeight(Storage dweight, Storage dbias, Storage dy, Storage x, ConvSpec spec);

    /// y = attention(q, k, v) with what is `added` to the scores, optional; logsumexp `[batch, heads, length]` (natural log of the sum of exp of
    /// the scores) is kept for the way back. The matrix of scores is never held.
    void attention(Storage y, Storage logsumexp, Storage q, Storage k, Storage v, AttentionBias added, AttentionSpec spec);

    /// Gradients of [#attention] to q, k, v and, optional, to the bias: dbias `[heads, length, keys]`, a sum over the batch.
    void attentionBackward(
            Storage dq, Storage dk, Storage dv, Storage dbias, Storage dy, Storage y, Storage logsumexp, Storage q, Storage k, Storage v,
            AttentionBias added, AttentionSpec spec);

    // ---- rows ----------------------------------------------------------------------------------------------------------------

    /// y = softmax of every row of x `[rows, C]`
    void softmax(Storage y, Storage x, long rows, long c);

    /// dx = y · (dy − Σ dy·y)
    void softmaxBackward(Storage dx, Storage dy, Storage y, long rows, long c);

    /// y = x − log Σ exp x, row by row
    void logSoftmax(Storage y, Storage x, long rows, long c);

    /// dx = dy − exp(y) · Σ dy
    void logSoftmaxBackward(Storage dx, Storage dy, Storage y, long rows, long c);

    /// y = (x − mean) · rstd · w + b, row by row over `[rows, C]`; w and b `[C]` optional; mean, rstd `[rows]` are kept for the way back,
    /// with rstd = 1/√(variance + ε), variance divided by C.
    void layerNorm(Storage y, Storage mean, Storage rstd, Storage x, Storage w, Storage b, double eps, long rows, long c);

    /// Gradients of [#layerNorm]; dx, dw and db are each optional.
    void layerNormBackward(
            Storage dx, Storage dw, Storage db, Storage dy, Storage x, Storage mean, Storage rstd, Storage w, long rows, long c);

    /// y = (x − mean) · rstd · (1 + scale) + shift over `[batch, length, C]`, with a scale and a shift for each of the batch, `[batch, C]`; mean,
    /// rstd `[batch, length]` as in [#layerNorm].
    void modulatedNorm(
            Storage y, Storage mean, Storage rstd, Storage x, Storage scale, Storage shift, double eps, long batch, long length, long c);

    /// Gradients of [#modulatedNorm]; dx, dscale and dshift are each optional.
    void modulatedNormBackward(
            Storage dx, Storage dscale, Storage dshift, Storage dy, Storage x, Storage mean, Storage rstd, Storage scale, long batch,
            long length, long c);

    /// y = x + gate · h over `[batch, length, C]`, with a gate for each of the batch, `[batch, C]`. y may be h.
    void gatedAdd(Storage y, Storage x, Storage gate, Storage h, long batch, long length, long c);

    /// Gradients of [#gatedAdd] to h and gate, each optional: dh = dy · gate, dgate = Σ over the length of dy · h. That to x is dy.
    void gatedAddBackward(Storage dh, Storage dgate, Storage dy, Storage gate, Storage h, long batch, long length, long c);

    /// y = x · r · w, with r = 1/√(mean(x²) + ε) `[rows]`; w `[C]` optional.
    void rmsNorm(Storage y, Storage r, Storage x, Storage w, double eps, long rows, long c);

    /// Gradients of [#rmsNorm]; dx and dw are each optional.
    void rmsNormBackward(Storage dx, Storage dw, Storage dy, Storage x, Storage r, Storage w, long rows, long c);

    /// y = [#rope] of [#rmsNorm] of x `[batch, length, heads, width]`, whose rows are normalised over all heads together, in one pass; w
    /// `[heads · width]`, r `[batch, length]`; cos, sin `[length, width/2]`. What is turned is never stored.
    void rmsNormRope(
            Storage y, Storage r, Storage x, Storage w, Storage cos, Storage sin, double eps, long batch, long length, long heads,
            long width);

    /// Gradients of [#rmsNormRope] to x and w; dw is optional.
    void rmsNormRopeBackward(
            Storage dx, Storage dw, Storage dy, Storage x, Storage r, Storage w, Storage cos, Storage sin, long batch, long length,
            long heads, long width);

    /// The Wan VAE's normalisation over channels: y = x · r · γ, with r = √C / max(‖x‖₂ over C, 1e-12) `[outer, inner]`, x `[outer, C, inner]`,
    /// γ `[C]`. With `silu`, that function of it.
    void channelNorm(Storage y, Storage r, Storage x, Storage gamma, boolean silu, long outer, long c, long inner);

    /// Gradients of [#channelNorm]; dx and dgamma are each optional. Without dgamma, dx may be dy. Where ‖x‖₂ < 1e-12, r is a constant.
    void channelNormBackward(
            Storage dx, Storage dgamma, Storage dy, Storage x, Storage r, Storage gamma, boolean silu, long outer, long c, long inner);

    /// Rotates the adjacent pairs (2j, 2j+1) of x `[batch, length, heads, width]` by the angle whose cosine and sine are given, `[length, width/2]`
    /// each: y₀ = x₀·cos − x₁·sin, y₁ = x₀·sin + x₁·cos. `inverse` turns the other way: that is also the gradient.
    void rope(Storage y, Storage x, Storage cos, Storage sin, long batch, long length, long heads, long width, boolean inverse);

    /// Every pixel of x `[planes, H, W]` four times: y `[planes, 2H, 2W]`
    void upsample2x(Storage y, Storage x, long planes, long h, long w);

    /// dx `[planes, H, W]` = the sum of the four pixels of dy `[planes, 2H, 2W]`
    void upsample2xBackward(Storage dx, Storage dy, long planes, long h, long w);

    // ---- training ------------------------------------------------------------------------------------------------------------

    /// One step of AdamW (Loshchilov & Hutter 2019, as in PyTorch), in place; `step` counts from 1. m and v are of the type [#statistics].
    ///
    ///     p ← p·(1 − lr·decay);  m ← β₁m + (1−β₁)g;  v ← β₂v + (1−β₂)g²;  p ← p − lr/(1−β₁ᵗ) · m / (√v/√(1−β₂ᵗ) + ε)
    void adamW(Storage p, Storage m, Storage v, Storage g, double lr, double beta1, double beta2, double eps, double decay, long step);

    @Override
    void close();
}

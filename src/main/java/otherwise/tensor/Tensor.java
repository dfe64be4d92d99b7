package otherwise.tensor;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import otherwise.backend.Backend;
import otherwise.backend.Backend.Unary;
import otherwise.backend.DType;
import otherwise.backend.Shape;
import otherwise.backend.ShapeException;
import otherwise.backend.Storage;

/// A dense, row-major array of numbers on a device, and how it was made.
///
/// Tensors are immutable values: an operation makes a new one. The memory belongs to the [otherwise.backend.Scope] in which it was
/// allocated. A tensor that stems from a [#variable] remembers the [Op] that made it, and `autograd` walks these back.
public final class Tensor {
    private static final AtomicLong BIRTHS = new AtomicLong();

    private final Backend backend;
    private final Storage data;
    private final Shape shape;
    private final Op op;
    private final boolean requiresGrad;
    private final long birth = BIRTHS.incrementAndGet();

    private Tensor(Backend backend, Storage data, Shape shape, Op op, boolean requiresGrad) {
        this.backend = backend;
        this.data = data;
        this.shape = shape;
        this.op = op;
        this.requiresGrad = requiresGrad;
    }

    // ---- making ----------------------------------------------------------------------------------------------------------------

    /// A tensor over memory that already holds its elements.
    ///
    /// @throws ShapeException if the sizes differ
    public static Tensor of(Backend backend, Storage data, Shape shape) {
        if (data.size() != shape.size()) throw new ShapeException("a storage of " + data.size() + " elements is no " + shape);
        return new Tensor(backend, data, shape, null, false);
    }

    /// A new real tensor, contents undefined.
    public static Tensor blank(Backend backend, Shape shape) {
        return of(backend, backend.allocate(backend.real(), shape.size()), shape);
    }

    /// A new tensor for what is kept of each row, contents undefined.
    Tensor statistics(long... dims) {
        var shape = Shape.of(dims);
        return of(backend, backend.allocate(backend.statistics(), shape.size()), shape);
    }

    /// A real tensor with these elements in row-major order.
    public static Tensor of(Backend backend, float[] values, long... dims) {
        var y = blank(backend, fitting(values.length, dims));
        backend.upload(y.data, values);
        return y;
    }

    /// A real tensor with these elements in row-major order.
    public static Tensor of(Backend backend, double[] values, long... dims) {
        var y = blank(backend, fitting(values.length, dims));
        backend.upload(y.data, values);
        return y;
    }

    /// An index tensor (`i64`).
    public static Tensor indices(Backend backend, long[] values, long... dims) {
        var y = of(backend, backend.allocate(DType.I64, values.length), fitting(values.length, dims));
        backend.upload(y.data, values);
        return y;
    }

    /// A real tensor filled with one value.
    public static Tensor full(Backend backend, double value, long... dims) {
        var y = blank(backend, Shape.of(dims));
        backend.fill(y.data, value);
        return y;
    }

    /// A real tensor of zeros.
    public static Tensor zeros(Backend backend, long... dims) {
        return full(backend, 0, dims);
    }

    /// A tensor of zeros of another type.
    public static Tensor zeros(Backend backend, DType type, long... dims) {
        var shape = Shape.of(dims);
        var y = of(backend, backend.allocate(type, shape.size()), shape);
        backend.fill(y.data, 0);
        return y;
    }

    private static Shape fitting(long length, long... dims) {
        var shape = Shape.of(dims);
        if (shape.size() != length) throw new ShapeException(length + " values do not fill " + shape);
        return shape;
    }

    /// A new real tensor beside this one, contents undefined.
    public Tensor blank(long... dims) {
        return blank(backend, Shape.of(dims));
    }

    /// A new real tensor of this one's shape, contents undefined.
    public Tensor blankLike() {
        return blank(backend, shape);
    }

    /// The same tensor, remembered as the output of `op` if one of its inputs needs a gradient.
    public Tensor madeBy(Op op) {
        return Tape.records(op) ? new Tensor(backend, data, shape, op, true) : this;
    }

    /// The same elements as a variable: a leaf with respect to which gradients are taken.
    public Tensor variable() {
        return new Tensor(backend, data, shape, null, true);
    }

    /// The same elements with no memory of how they were made.
    public Tensor detach() {
        return requiresGrad ? new Tensor(backend, data, shape, null, false) : this;
    }

    /// A copy in memory of its own, with no memory of how it was made.
    public Tensor copy() {
        var y = of(backend, backend.allocate(type(), size()), shape);
        var one = new long[] {1};
        backend.copy(y.data, 0, one, data, 0, one, new long[] {size()});
        return y;
    }

    // ---- looking ---------------------------------------------------------------------------------------------------------------

    public Backend backend() {
        return backend;
    }

    public Storage data() {
        return data;
    }

    public Shape shape() {
        return shape;
    }

    public DType type() {
        return data.type();
    }

    public int rank() {
        return shape.rank();
    }

    public long size() {
        return shape.size();
    }

    /// The size of an axis; a negative axis counts from the end.
    public long dim(int axis) {
        return shape.dim(axis);
    }

    /// What made it, or `null` for a leaf.
    public Op op() {
        return op;
    }

    public boolean requiresGrad() {
        return requiresGrad;
    }

    /// A number that grows with every tensor made: an input is always older than what was made from it.
    public long birth() {
        return birth;
    }

    /// The births so far: every tensor made from now on has a larger one.
    public static long now() {
        return BIRTHS.get();
    }

    /// All elements in row-major order.
    public float[] floats() {
        var values = new float[Math.toIntExact(size())];
        backend.download(data, values);
        return values;
    }

    /// All elements in row-major order.
    public double[] doubles() {
        var values = new double[Math.toIntExact(size())];
        backend.download(data, values);
        return values;
    }

    /// The one element.
    ///
    /// @throws ShapeException if there is not exactly one
    public double item() {
        if (size() != 1) throw new ShapeException("item: " + shape + " has not one element");
        return doubles()[0];
    }

    @Override
    public String toString() {
        return type() + shape.toString();
    }

    // ---- arithmetic, with broadcasting -----------------------------------------------------------------------------------------

    public Tensor add(Tensor b) {
        return Arithmetic.forward(Backend.Binary.ADD, this, b);
    }

    public Tensor sub(Tensor b) {
        return Arithmetic.forward(Backend.Binary.SUB, this, b);
    }

    public Tensor mul(Tensor b) {
        return Arithmetic.forward(Backend.Binary.MUL, this, b);
    }

    public Tensor div(Tensor b) {
        return Arithmetic.forward(Backend.Binary.DIV, this, b);
    }

    /// x + c
    public Tensor plus(double c) {
        return Affine.forward(this, 1, c);
    }

    /// x · c
    public Tensor times(double c) {
        return Affine.forward(this, c, 0);
    }

    /// x · scale + offset
    public Tensor affine(double scale, double offset) {
        return Affine.forward(this, scale, offset);
    }

    public Tensor neg() {
        return Map.forward(Unary.NEG, this);
    }

    public Tensor abs() {
        return Map.forward(Unary.ABS, this);
    }

    public Tensor square() {
        return Map.forward(Unary.SQUARE, this);
    }

    public Tensor sqrt() {
        return Map.forward(Unary.SQRT, this);
    }

    public Tensor exp() {
        return Map.forward(Unary.EXP, this);
    }

    public Tensor log() {
        return Map.forward(Unary.LOG, this);
    }

    public Tensor tanh() {
        return Map.forward(Unary.TANH, this);
    }

    public Tensor sigmoid() {
        return Map.forward(Unary.SIGMOID, this);
    }

    public Tensor relu() {
        return Map.forward(Unary.RELU, this);
    }

    /// x · sigmoid(x)
    public Tensor silu() {
        return Map.forward(Unary.SILU, this);
    }

    /// x · Φ(x), exact
    public Tensor gelu() {
        return Map.forward(Unary.GELU, this);
    }

    /// The tanh approximation of GELU.
    public Tensor geluTanh() {
        return Map.forward(Unary.GELU_TANH, this);
    }

    /// Any elementwise function of the backend.
    public Tensor map(Unary f) {
        return Map.forward(f, this);
    }

    // ---- sums ------------------------------------------------------------------------------------------------------------------

    /// The sum of all elements, a scalar.
    public Tensor sum() {
        return reshape(size()).sum(0).reshape();
    }

    /// The sum over one axis, which is kept with size 1.
    public Tensor sum(int axis) {
        return Sum.forward(this, shape.axis(axis));
    }

    /// The mean of all elements, a scalar.
    public Tensor mean() {
        return sum().times(1.0 / size());
    }

    /// The mean over one axis, which is kept with size 1.
    public Tensor mean(int axis) {
        return sum(axis).times(1.0 / dim(axis));
    }

    /// The sum over every axis along which `target` has size 1 or no axis at all: the reverse of broadcasting.
    public Tensor sumTo(Shape target) {
        if (shape.equals(target)) return this;
        var x = this;
        int extra = rank() - target.rank();
        for (int i = 0; i < rank(); i++) {
            if (x.dim(i) != 1 && (i < extra || target.dim(i - extra) == 1)) x = x.sum(i);
        }
        return x.reshape(target.dims());
    }

    // ---- moving ----------------------------------------------------------------------------------------------------------------

    /// The same elements in the same order with other sizes; one size may be -1: what is left. Shares memory.
    public Tensor reshape(long... dims) {
        return Reshape.forward(this, dims);
    }

    /// Axis `i` of the result is axis `axes[i]` of this.
    public Tensor permute(int... axes) {
        return Permute.forward(this, axes);
    }

    /// Two axes exchanged.
    public Tensor transpose(int a, int b) {
        var axes = new int[rank()];
        for (int i = 0; i < axes.length; i++) axes[i] = i;
        axes[shape.axis(a)] = shape.axis(b);
        axes[shape.axis(b)] = shape.axis(a);
        return permute(axes);
    }

    /// Positions `from … to-1` of an axis.
    public Tensor slice(int axis, long from, long to) {
        return Slice.forward(this, shape.axis(axis), from, to);
    }

    /// Position `i` of an axis, which disappears.
    public Tensor select(int axis, long i) {
        int a = shape.axis(axis);
        var dims = new ArrayList<Long>();
        for (int k = 0; k < rank(); k++) if (k != a) dims.add(dim(k));
        return slice(a, i, i + 1).reshape(dims.stream().mapToLong(Long::longValue).toArray());
    }

    /// `n` equal parts along an axis.
    ///
    /// @throws ShapeException if the axis does not divide
    public List<Tensor> chunk(int n, int axis) {
        long size = dim(axis) / n;
        if (size * n != dim(axis)) throw new ShapeException("chunk: axis " + axis + " of " + shape + " has no " + n + " equal parts");
        var parts = new ArrayList<Tensor>();
        for (int i = 0; i < n; i++) parts.add(slice(axis, i * size, (i + 1) * size));
        return parts;
    }

    /// Zeros before and after along an axis.
    public Tensor pad(int axis, long before, long after) {
        return before == 0 && after == 0 ? this : Pad.forward(this, shape.axis(axis), before, after);
    }

    /// Tensors one behind the other along an axis.
    public static Tensor concat(int axis, List<Tensor> parts) {
        return parts.size() == 1 ? parts.getFirst() : Concat.forward(parts, parts.getFirst().shape.axis(axis));
    }

    /// Tensors one behind the other along an axis.
    public static Tensor concat(int axis, Tensor... parts) {
        return concat(axis, List.of(parts));
    }

    /// Tensors of one shape side by side along a new first axis.
    public static Tensor stack(List<Tensor> parts) {
        var dims = new long[parts.getFirst().rank() + 1];
        dims[0] = 1;
        System.arraycopy(parts.getFirst().shape.dims(), 0, dims, 1, dims.length - 1);
        return concat(0, parts.stream().map(p -> p.reshape(dims)).toList());
    }

    /// Repeated along every axis of size 1 (or missing in front) until the shape is `dims`.
    public Tensor expand(long... dims) {
        return Expand.forward(this, Shape.of(dims));
    }

    /// Rows of this `[R, C]` in the order of `index` (`i64`, any shape of size R'), zeros where it is negative → `[R', C]`.
    public Tensor gatherRows(Tensor index) {
        return GatherRows.forward(this, index);
    }

    // ---- products --------------------------------------------------------------------------------------------------------------

    /// this `[*, M, K]` · b `[*, K, N]` or `[K, N]` → `[*, M, N]`
    public Tensor matmul(Tensor b) {
        return MatMul.forward(this, b, false, false);
    }

    /// this `[*, M, K]` · bᵀ, with b `[*, N, K]` or `[N, K]` → `[*, M, N]`
    public Tensor matmulT(Tensor b) {
        return MatMul.forward(this, b, false, true);
    }

    /// this · weightᵀ + bias: `[*, K]`, weight `[N, K]`, bias `[N]` or `null` → `[*, N]`
    public Tensor linear(Tensor weight, Tensor bias) {
        return Linear.forward(this, weight, bias);
    }

    /// f of [#linear], in one pass where the device can.
    public Tensor linear(Tensor weight, Tensor bias, Unary f) {
        return ActivatedLinear.forward(f, this, weight, bias);
    }

    /// this + gate · [#linear] of a, in one pass where the device can: this `[B, L, N]`, gate `[B, 1, N]`, a `[B, L, K]`. With a gate of `null`,
    /// this + linear of a, `[*, N]` and `[*, K]`.
    public Tensor addLinear(Tensor gate, Tensor a, Tensor weight, Tensor bias) {
        return ResidualLinear.forward(this, gate, a, weight, bias);
    }

    /// A 3-D convolution of `[B, C, T, H, W]`; bias may be `null`.
    public Tensor conv3d(Tensor weight, Tensor bias, Conv3d.Geometry geometry) {
        return Conv3d.forward(this, weight, bias, geometry);
    }

    /// Scaled dot-product attention with this as the queries: q `[B, L, N, D]`, k and v `[B, S, N, D]` → `[B, L, N, D]`.
    ///
    /// @param keyLengths how many keys count, one a batch entry; `null` means all
    public Tensor attention(Tensor k, Tensor v, double scale, long[] keyLengths) {
        return attention(k, v, null, null, scale, keyLengths);
    }

    /// As above, with numbers that are added to the scores, up to ±10³⁰.
    ///
    /// @param bias `[N, L, S]`, for every batch entry the same; `null` where there is none
    /// @param mask `[M, L, S]`, for every head the same, batch entry b taking number b mod M; a constant, to which no gradient goes; `null` where
    ///     there is none
    public Tensor attention(Tensor k, Tensor v, Tensor bias, Tensor mask, double scale, long[] keyLengths) {
        return Attention.forward(this, k, v, bias, mask, scale, keyLengths);
    }

    // ---- rows ------------------------------------------------------------------------------------------------------------------

    /// Softmax over the last axis.
    public Tensor softmax() {
        return Softmax.forward(this);
    }

    /// Logarithm of the softmax over the last axis.
    public Tensor logSoftmax() {
        return LogSoftmax.forward(this);
    }

    /// The mean over rows of −log softmax(this)[row, labels[row]], this `[R, C]`: a scalar.
    public Tensor crossEntropy(long... labels) {
        var d = Dims.of("cross_entropy", "R C", this).and("R", Shape.of(labels.length));
        var oneHot = new float[Math.toIntExact(size())];
        for (int r = 0; r < labels.length; r++) {
            if (labels[r] < 0 || labels[r] >= d.get("C")) throw new ShapeException("cross_entropy: no class " + labels[r] + " in " + shape);
            oneHot[Math.toIntExact(r * d.get("C") + labels[r])] = 1;
        }
        return logSoftmax().mul(of(backend, oneHot, shape.dims())).sum().times(-1.0 / labels.length);
    }

    /// Normalises the last axis to mean 0 and variance 1, then · w + b; both `[C]` or `null`.
    public Tensor layerNorm(Tensor w, Tensor b, double eps) {
        return LayerNorm.forward(this, w, b, eps);
    }

    /// Normalises the last axis of `[B, L, C]` to mean 0 and variance 1, then · (1 + scale) + shift; both `[B, 1, C]`.
    public Tensor modulatedNorm(Tensor scale, Tensor shift, double eps) {
        return ModulatedNorm.forward(this, scale, shift, eps);
    }

    /// Divides the last axis by its root mean square, then · w `[C]` or `null`.
    public Tensor rmsNorm(Tensor w, double eps) {
        return RmsNorm.forward(this, w, eps);
    }

    /// The Wan VAE's normalisation over axis 1 of `[B, C, …]`, with γ `[C]`.
    public Tensor channelNorm(Tensor gamma) {
        return ChannelNorm.forward(this, gamma, false);
    }

    /// SiLU of [#channelNorm], in one pass.
    public Tensor channelNormSilu(Tensor gamma) {
        return ChannelNorm.forward(this, gamma, true);
    }

    /// Rotary position embedding of `[B, L, N, D]` by cos and sin `[L, D/2]`, pairs adjacent.
    public Tensor rope(Tensor cos, Tensor sin) {
        return Rope.forward(this, cos, sin);
    }

    /// [#rope] of [#rmsNorm] of `[B, L, N, D]`, in one pass: normalised over all heads together, w `[N · D]`.
    public Tensor rmsNormRope(Tensor w, double eps, Tensor cos, Tensor sin) {
        return RmsNormRope.forward(this, w, eps, cos, sin);
    }

    /// Every pixel of `[…, H, W]` four times: `[…, 2H, 2W]`.
    public Tensor upsample2x() {
        return Upsample2x.forward(this);
    }
}

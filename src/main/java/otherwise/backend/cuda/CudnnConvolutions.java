package otherwise.backend.cuda;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import jcuda.jcudnn.cudnnDataType;
import jcuda.jcudnn.cudnnMathType;
import otherwise.backend.ConvSpec;
import otherwise.backend.DType;
import otherwise.backend.DeviceException;
import otherwise.backend.Storage;

/// Convolutions, and their way back to the input, by cuDNN. Numbers are stored as the backend stores them, sums are in float; of cuDNN's
/// algorithms those alone serve that always add in the same order.
///
/// cuDNN pads both ends of an axis alike. Where a convolution does not (in time a causal one looks back alone), x is copied into the middle of
/// zeros first, and on the way back cut out of them. It has no bias: y begins as the bias, and the rest is added.
///
/// Our kernels serve the way to the weight, and what cuDNN has no algorithm for.
final class CudnnConvolutions implements Convolutions {
    /// Memory that an algorithm may ask for, beyond what a run has been told it will take.
    private static final long MOST_WORKSPACE = 256L << 20;

    /// Addresses must be multiples of this for cuDNN's widest loads.
    private static final long ALIGNMENT = 16;

    private record Key(ConvSpec spec, boolean forward) {}

    /// What cuDNN made of a convolution, and the algorithm chosen.
    private record Plan(Cudnn.Prepared prepared, int algorithm, long workspace) {}

    private final Driver driver;
    private final Kernels kernels;
    private final Movement movement;
    private final Convolutions ours;
    private final CudnnConvolutions planner;
    private final Map<Key, Optional<Plan>> plans = new HashMap<>();
    private Cudnn cudnn;

    /// @param ours for what cuDNN does not do
    /// @throws DeviceException if it cannot be loaded, or computes nothing right on this device
    CudnnConvolutions(Function<DeviceStream, Cudnn> binding, Driver driver, Kernels kernels, Convolutions ours) {
        this(driver, kernels, ours, null);
        driver.enqueue("cudnnCreate", stream -> cudnn = binding.apply(stream));
        try {
            tryOut();
        } catch (DeviceException e) {
            close();
            throw e;
        }
    }

    /// @param planner who knows cuDNN's plans; `null` for itself
    private CudnnConvolutions(Driver driver, Kernels kernels, Convolutions ours, CudnnConvolutions planner) {
        this.driver = driver;
        this.kernels = kernels;
        this.ours = ours;
        this.planner = planner == null ? this : planner;
        movement = new Movement(kernels);
    }

    /// A library may be there and not know the device: better to see it now than in the middle of a run.
    private void tryOut() {
        int channels = 8;
        int side = 3;
        long size = (long) channels * side * side * side;
        var real = kernels.real();
        var s = new ConvSpec(1, channels, channels, side, side, side, side, side, side, 1, 1, 1, 0, 0, 0, 0, 0, 0);
        try (var y = kernels.scratch(real, channels);
                var x = kernels.scratch(real, size);
                var weight = kernels.scratch(real, channels * size)) {
            driver.toDevice(y.storage().address(), CublasProducts.filled(real, channels, 9));
            driver.toDevice(x.storage().address(), CublasProducts.filled(real, size, 1));
            driver.toDevice(weight.storage().address(), CublasProducts.filled(real, channels * size, 1));
            var plan = plan(s, true).orElseThrow(() -> new DeviceException(cudnn.description() + " has no algorithm on this device"));
            run(plan, y.storage(), x.storage(), weight.storage(), false);
            var result = CublasProducts.filled(real, channels, 0);
            driver.toHost(result, y.storage().address());
            if (result.mismatch(CublasProducts.filled(real, channels, (int) size)) >= 0)
                throw new DeviceException(cudnn.description() + " computes wrong convolutions on this device");
            // and back: a y of ones reaches every x through all channels
            var back = plan(s, false).orElseThrow(() -> new DeviceException(cudnn.description() + " has no algorithm back on this device"));
            driver.toDevice(y.storage().address(), CublasProducts.filled(real, channels, 1));
            run(back, x.storage(), y.storage(), weight.storage(), false);
            var given = CublasProducts.filled(real, size, 0);
            driver.toHost(given, x.storage().address());
            if (given.mismatch(CublasProducts.filled(real, size, channels)) >= 0)
                throw new DeviceException(cudnn.description() + " computes wrong gradients of convolutions on this device");
        }
    }

    @Override
    public void forward(Storage y, Storage x, Storage weight, Storage bias, ConvSpec s) {
        var padded = padded(s);
        var plan = planner.plan(padded, true);
        if (plan.isEmpty() || !aligned(y, x, weight)) {
            ours.forward(y, x, weight, bias, s);
            return;
        }
        if (bias != null) {
            long size = s.outT() * s.outH() * s.outW();
            long[] dims = {s.batch(), s.outputs(), size};
            movement.copy(y, 0, new long[] {s.outputs() * size, size, 1}, bias, 0, new long[] {0, 1, 0}, dims);
        }
        if (padded.equals(s)) {
            run(plan.get(), y, x, weight, bias != null);
            return;
        }
        try (var wide = kernels.scratch(kernels.real(), size(padded))) {
            movement.fill(wide.storage(), 0);
            movement.copy(wide.storage(), offset(padded, s), strides(padded), x, 0, strides(s), dims(s));
            run(plan.get(), y, wide.storage(), weight, bias != null);
        }
    }

    @Override
    public void toInput(Storage dx, Storage dy, Storage weight, ConvSpec s) {
        var padded = padded(s);
        var plan = planner.plan(padded, false);
        if (plan.isEmpty() || !aligned(dx, dy, weight)) {
            ours.toInput(dx, dy, weight, s);
            return;
        }
        if (padded.equals(s)) {
            run(plan.get(), dx, dy, weight, false);
            return;
        }
        try (var wide = kernels.scratch(kernels.real(), size(padded))) {
            run(plan.get(), wide.storage(), dy, weight, false);
            movement.copy(dx, 0, strides(s), wide.storage(), offset(padded, s), strides(padded), dims(s));
        }
    }

    @Override
    public void toWeight(Storage dweight, Storage dbias, Storage dy, Storage x, ConvSpec s) {
        ours.toWeight(dweight, dbias, dy, x, s);
    }

    /// cuDNN is asked what it would do, and for what workspace; its driver then has it do nothing.
    @Override
    public CudnnConvolutions dry(Kernels other) {
        return new CudnnConvolutions(other.driver(), other, ours.dry(other), planner);
    }

    /// The same convolution of an x that has the zeros of every uneven axis in it.
    private static ConvSpec padded(ConvSpec s) {
        boolean t = s.frontT() == s.backT();
        boolean h = s.frontH() == s.backH();
        boolean w = s.frontW() == s.backW();
        return new ConvSpec(
                s.batch(), s.inputs(), s.outputs(),
                t ? s.t() : s.t() + s.frontT() + s.backT(), h ? s.h() : s.h() + s.frontH() + s.backH(),
                w ? s.w() : s.w() + s.frontW() + s.backW(),
                s.kernelT(), s.kernelH(), s.kernelW(), s.strideT(), s.strideH(), s.strideW(),
                t ? s.frontT() : 0, t ? s.backT() : 0, h ? s.frontH() : 0, h ? s.backH() : 0, w ? s.frontW() : 0, w ? s.backW() : 0);
    }

    /// Where the first element of x lies among its zeros.
    private static long offset(ConvSpec padded, ConvSpec s) {
        return ((s.frontT() - padded.frontT()) * padded.h() + s.frontH() - padded.frontH()) * padded.w() + s.frontW() - padded.frontW();
    }

    private static long[] dims(ConvSpec s) {
        return new long[] {s.batch() * s.inputs(), s.t(), s.h(), s.w()};
    }

    private static long[] strides(ConvSpec s) {
        return new long[] {s.t() * s.h() * s.w(), s.h() * s.w(), s.w(), 1};
    }

    private static long size(ConvSpec s) {
        return s.batch() * s.inputs() * s.t() * s.h() * s.w();
    }

    private static boolean aligned(Storage... all) {
        for (var s : all) if (((CudaStorage) s).address() % ALIGNMENT != 0) return false;
        return true;
    }

    private synchronized Optional<Plan> plan(ConvSpec s, boolean forward) {
        return plans.computeIfAbsent(new Key(s, forward), _ -> make(s, forward));
    }

    /// Nothing if cuDNN cannot count the elements, refuses such a convolution, or has no algorithm that fits.
    private Optional<Plan> make(ConvSpec s, boolean forward) {
        long outputs = s.batch() * s.outputs() * s.outT() * s.outH() * s.outW();
        long largest = Math.max(Math.max(size(s), outputs), s.outputs() * s.taps());
        if (largest > Integer.MAX_VALUE || size(s) == 0 || outputs <= 0 || s.taps() == 0) return Optional.empty();
        // Without FMA_MATH cuDNN rounds floats to 10 bits for the tensor cores.
        boolean bf16 = kernels.real() == DType.BF16;
        var sizes = new Cudnn.Sizes(
                bf16 ? cudnnDataType.CUDNN_DATA_BFLOAT16 : cudnnDataType.CUDNN_DATA_FLOAT,
                bf16 ? cudnnMathType.CUDNN_TENSOR_OP_MATH : cudnnMathType.CUDNN_FMA_MATH,
                ints(s.batch(), s.inputs(), s.t(), s.h(), s.w()), ints(s.outputs(), s.inputs(), s.kernelT(), s.kernelH(), s.kernelW()),
                ints(s.batch(), s.outputs(), s.outT(), s.outH(), s.outW()), ints(s.frontT(), s.frontH(), s.frontW()),
                ints(s.strideT(), s.strideH(), s.strideW()));
        var found = new Plan[1];
        try {
            driver.enqueue("descriptors of cuDNN", _ -> found[0] = choose(forward ? cudnn.forward(sizes) : cudnn.toInput(sizes)));
        } catch (DeviceException _) {
            // It does not support such a convolution. After a fault of the device the next call to it says so.
            return Optional.empty();
        }
        return Optional.ofNullable(found[0]);
    }

    private static Plan choose(Cudnn.Prepared prepared) {
        Plan plan = null;
        try {
            for (int algorithm : prepared.algorithms()) {
                long workspace = prepared.workspace(algorithm);
                if (plan == null && workspace >= 0 && workspace <= MOST_WORKSPACE) plan = new Plan(prepared, algorithm, workspace);
            }
        } finally {
            if (plan == null) prepared.free();
        }
        return plan;
    }

    private static int[] ints(long... values) {
        var ints = new int[values.length];
        for (int i = 0; i < ints.length; i++) ints[i] = Math.toIntExact(values[i]);
        return ints;
    }

    private void run(Plan plan, Storage to, Storage from, Storage weight, boolean add) {
        try (var workspace = kernels.scratch(DType.U8, plan.workspace)) {
            kernels.recorder().enqueue(plan.prepared, _ -> plan.prepared.run(plan.algorithm, ((CudaStorage) from).address(),
                    ((CudaStorage) weight).address(), ((CudaStorage) to).address(), add, workspace.storage().address(), plan.workspace));
        }
    }

    /// Version and binding, for a person.
    String description() {
        return cudnn.description();
    }

    @Override
    public void close() {
        if (planner != this) return;
        driver.enqueue("cudnnDestroy", _ -> {
            for (var plan : plans.values()) plan.ifPresent(p -> p.prepared.free());
            cudnn.close();
        });
    }
}

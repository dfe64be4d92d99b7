package otherwise.backend.cuda;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.BiConsumer;
import java.util.function.Function;
import otherwise.backend.ConvSpec;
import otherwise.backend.DType;
import otherwise.backend.DeviceException;
import otherwise.backend.Libraries;
import otherwise.backend.MatmulSpec;
import otherwise.backend.Storage;

/// What [CudaLibrariesTest] runs in a process of its own, in which cuBLAS and cuDNN are stand-ins that compute: compares them, bound in each
/// way, with our kernels on the emulated device, and prints the largest error relative to the largest result.
final class CudaLibrariesProbe {
    private final Driver driver = poisoning(new EmulatedDriver(1));
    private final DevicePool pool = new DevicePool(driver);
    private final Kernels kernels;
    private final Matmul matmul;
    private final Convolution convolution;
    private final SplittableRandom random = new SplittableRandom(5);
    private int ours;

    private CudaLibrariesProbe(DType real, boolean tf32) {
        kernels = new Kernels(driver, pool, real, tf32);
        matmul = new Matmul(kernels);
        convolution = new Convolution(kernels);
    }

    public static void main(String[] args) {
        for (var real : new DType[] {DType.F32, DType.BF16}) {
            var probe = new CudaLibrariesProbe(real, false);
            System.out.println("serving " + real + ": " + probe.serving(Libraries.AUTO));
            System.out.println("ours " + real + ": " + probe.serving(Libraries.OURS));
            probe.memory(real);
            for (var binding : List.<CublasProducts.Binding>of(JCublas::new, ForeignCublas::new)) probe.products(binding, real);
            for (var binding : List.<Function<DeviceStream, Cudnn>>of(JCudnn::new, ForeignCudnn::new)) probe.convolutions(binding, real);
        }
        for (boolean tf32 : new boolean[] {false, true}) System.out.println("as tf32, " + tf32 + ": " + squareOfAlmostOne(tf32));
    }

    /// (1 + 2⁻¹²)², of which TF32 sees 1.
    private static float squareOfAlmostOne(boolean tf32) {
        var probe = new CudaLibrariesProbe(DType.F32, tf32);
        try (var cublas = new CublasProducts(JCublas::new, probe.driver, probe.kernels, probe.matmul)) {
            var x = probe.allocate(1);
            probe.driver.toDevice(x.address(), MemorySegment.ofArray(new float[] {1 + 0x1p-12f}));
            var y = probe.allocate(1);
            cublas.matmul(y, x, x, null, MatmulSpec.of(1, 1, 1, false, false), false);
            return probe.floats(y)[0];
        }
    }

    private String serving(Libraries libraries) {
        var serving = Serving.of(libraries, driver, kernels);
        serving.close();
        return serving.description();
    }

    /// What a product and a causal convolution take of a device with these libraries, and what they take where nothing is computed.
    private void memory(DType real) {
        try (var pool = new DevicePool(driver)) {
            var kernels = new Kernels(driver, pool, real);
            var serving = Serving.of(Libraries.AUTO, driver, kernels);
            pool.trim();
            var dryDriver = new DryDriver(driver, Long.MAX_VALUE);
            var dryPool = new DevicePool(dryDriver);
            var dry = serving.dry(new Kernels(dryDriver, dryPool, real));
            System.out.println("memory " + real + ": " + peak(serving, pool, real) + " " + peak(dry, dryPool, real));
            dry.close();
            serving.close();
        }
    }

    private static long peak(Serving serving, DevicePool pool, DType real) {
        var x = fresh(pool, real, 8 * 4 * 16 * 16);
        var y = fresh(pool, real, 8 * 4 * 16 * 16);
        var weight = fresh(pool, real, 8 * 8 * 27);
        var s = new ConvSpec(1, 8, 8, 4, 16, 16, 3, 3, 3, 1, 1, 1, 2, 0, 1, 1, 1, 1);
        serving.convolutions().forward(y, x, weight, null, s);
        serving.convolutions().toInput(x, y, weight, s);
        serving.products().matmul(y, x, weight, null, MatmulSpec.of(8, 16, 64, false, true), false);
        return pool.memory().peak();
    }

    private static CudaStorage fresh(DevicePool pool, DType real, long n) {
        return new CudaStorage(real, n, pool.take(n * real.bytes()), pool);
    }

    private void products(CublasProducts.Binding binding, DType real) {
        var calls = proxy(Products.class, matmul, (_, _) -> ours++);
        try (var cublas = new CublasProducts(binding, driver, kernels, calls)) {
            double worst = 0;
            for (int c = 0; c < 16; c++) {
                boolean transposeA = (c & 1) != 0;
                boolean transposeB = (c & 2) != 0;
                boolean bias = (c & 4) != 0;
                boolean accumulate = (c & 8) != 0;
                for (var s : List.of(new MatmulSpec(1, 5, 7, 9, transposeA, transposeB, 0, 0),
                        new MatmulSpec(3, 4, 1, 6, transposeA, transposeB, 24, 6),
                        new MatmulSpec(2, 1, 3, 2, transposeA, transposeB, 0, 6))) {
                    long size = s.batch() * s.m() * s.n();
                    var a = values(Math.max(s.m() * s.k(), s.batch() * s.strideA()));
                    var b = values(Math.max(s.n() * s.k(), s.batch() * s.strideB()));
                    var before = values(size);
                    var added = bias ? values(s.n()) : null;
                    worst = Math.max(worst,
                            error(accumulate ? before : null, size, (products, y) -> products.matmul(y, a, b, added, s, accumulate),
                                    cublas, matmul));
                }
            }
            for (var gate : Arrays.asList(values(3 * 7), null))
                for (var added : Arrays.asList(values(7), null))
                    worst = Math.max(worst, sums(gate, added, cublas));
            System.out.println(cublas.description() + " " + real + ": " + worst);
            System.out.println(cublas.description() + " " + real + " left to us: " + ours);
            var none = MatmulSpec.of(2, 3, 0, false, false);
            error(null, 6, (products, y) -> products.matmul(y, values(1), values(1), null, none, false), cublas, matmul);
            System.out.println(cublas.description() + " " + real + " without terms: " + ours);
            ours = 0;
        }
    }

    /// Products of three samples that go into a sum, with a gate for each or without.
    private double sums(Storage gate, Storage bias, CublasProducts cublas) {
        var s = new MatmulSpec(3, 5, 7, 9, false, true, 45, 0);
        var a = values(3 * 45);
        var b = values(63);
        var x = values(105);
        return error(null, 105, (products, y) -> {
            if (!products.matmulOnto(y, null, x, gate, a, b, bias, s)) throw new AssertionError("not done");
        }, cublas, matmul);
    }

    private void convolutions(Function<DeviceStream, Cudnn> binding, DType real) {
        var calls = proxy(Convolutions.class, convolution, (_, _) -> ours++);
        try (var cudnn = new CudnnConvolutions(binding, driver, kernels, calls)) {
            double worst = 0;
            for (var s : List.of(
                    new ConvSpec(2, 3, 2, 4, 5, 6, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1), // all ends alike
                    new ConvSpec(1, 2, 3, 3, 4, 4, 3, 3, 3, 1, 1, 1, 2, 0, 1, 1, 1, 1), // causal in time
                    new ConvSpec(2, 2, 2, 1, 6, 7, 1, 3, 3, 1, 2, 2, 0, 0, 0, 1, 0, 1), // halves height and width
                    new ConvSpec(1, 2, 2, 5, 2, 2, 3, 1, 1, 2, 1, 1, 2, 0, 0, 0, 0, 0))) { // halves time, and looks back
                var x = values(s.batch() * s.inputs() * s.t() * s.h() * s.w());
                var weight = values(s.outputs() * s.taps());
                var bias = values(s.outputs());
                long outputs = s.batch() * s.outputs() * s.outT() * s.outH() * s.outW();
                var dy = values(outputs);
                for (var added : Arrays.asList(bias, null))
                    worst = Math.max(worst, error(null, outputs, (c, y) -> c.forward(y, x, weight, added, s), cudnn, convolution));
                worst = Math.max(worst, error(null, x.size(), (c, dx) -> c.toInput(dx, dy, weight, s), cudnn, convolution));
            }
            System.out.println(cudnn.description() + " " + real + ": " + worst);
            System.out.println(cudnn.description() + " " + real + " left to us: " + ours);
            var s = new ConvSpec(1, 1, 1, 1, 2, 2, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0);
            var x = values(5).slice(1, 4);
            error(null, 4, (c, y) -> c.forward(y, x, values(1), null, s), cudnn, convolution);
            error(null, 1, (c, y) -> c.toWeight(y, null, x, x, s), cudnn, convolution);
            System.out.println(cudnn.description() + " " + real + " between addresses, and to the weight: " + ours);
            ours = 0;
            var refused = new ConvSpec(1, 1, 1, 1, 2, 9, 1, 1, 7, 1, 1, 1, 0, 0, 0, 0, 0, 0);
            var wide = values(18);
            var kernel = values(7);
            double off = error(null, 6, (c, y) -> c.forward(y, wide, kernel, null, refused), cudnn, convolution);
            System.out.println(cudnn.description() + " " + real + " refused: " + ours + " " + (off == 0));
            ours = 0;
        }
    }

    /// The largest difference of two results, relative to the largest of the second. What nobody writes is no number.
    private <T> double error(Storage before, long size, BiConsumer<T, Storage> call, T library, T kernel) {
        var results = List.of(library, kernel).stream().map(who -> {
            var y = allocate(size);
            if (before != null) driver.toDevice(y.address(), bytes((CudaStorage) before));
            call.accept(who, y);
            return floats(y);
        }).toList();
        double difference = 0;
        double largest = 0;
        for (int i = 0; i < size; i++) {
            double d = Math.abs(results.get(0)[i] - results.get(1)[i]);
            if (Double.isNaN(d)) return d;
            difference = Math.max(difference, d);
            largest = Math.max(largest, Math.abs(results.get(1)[i]));
        }
        return difference == 0 ? 0 : difference / largest;
    }

    private CudaStorage allocate(long n) {
        return new CudaStorage(kernels.real(), n, pool.take(n * kernels.real().bytes()), pool);
    }

    private CudaStorage values(long n) {
        var y = allocate(n);
        var all = MemorySegment.ofArray(new byte[(int) (n * kernels.real().bytes())]);
        for (int i = 0; i < n; i++) {
            int bits = Float.floatToRawIntBits(random.nextFloat() - 0.5f);
            if (kernels.real() == DType.BF16) all.set(ValueLayout.JAVA_SHORT_UNALIGNED, 2L * i, (short) (bits >>> 16));
            else all.set(ValueLayout.JAVA_INT_UNALIGNED, 4L * i, bits);
        }
        driver.toDevice(y.address(), all);
        return y;
    }

    private MemorySegment bytes(CudaStorage s) {
        var bytes = MemorySegment.ofArray(new byte[(int) (s.size() * s.type().bytes())]);
        driver.toHost(bytes, s.address());
        return bytes;
    }

    private float[] floats(CudaStorage s) {
        var bytes = bytes(s);
        var floats = new float[(int) s.size()];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = s.type() == DType.BF16
                    ? Float.intBitsToFloat(bytes.get(ValueLayout.JAVA_SHORT_UNALIGNED, 2L * i) << 16)
                    : bytes.get(ValueLayout.JAVA_FLOAT_UNALIGNED, 4L * i);
        }
        return floats;
    }

    /// The emulated device looks on while kernels write, not while a library does: here memory is full of NaN when it is handed out.
    private static Driver poisoning(Driver driver) {
        return proxy(Driver.class, driver, (name, arguments) -> {
            if (!name.equals("handOut") || (long) arguments[1] == 0) return;
            var bytes = MemorySegment.ofArray(new byte[Math.toIntExact((long) arguments[1])]);
            driver.toDevice((long) arguments[0], bytes.fill((byte) -1));
        });
    }

    /// Tells of every call when it has been made.
    private static <T> T proxy(Class<T> type, T of, BiConsumer<String, Object[]> called) {
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (_, method, arguments) -> {
            try {
                var result = method.invoke(of, arguments);
                called.accept(method.getName(), arguments);
                return result;
            } catch (InvocationTargetException e) {
                throw e.getCause() instanceof DeviceException refusal ? refusal : new AssertionError(e.getCause());
            }
        }));
    }
}

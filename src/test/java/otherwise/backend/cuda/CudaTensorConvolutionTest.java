package otherwise.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.condition.EnabledIf;
import otherwise.backend.ConvSpec;
import otherwise.backend.DType;
import otherwise.backend.cuda.ConvolutionSlabs.Reach;
import otherwise.backend.cuda.Convolution.Axis;
import otherwise.support.Close;

/// Convolutions on emulated tensor cores against plain loops in double, from the same bf16 numbers: whole, and in slabs of a row or a few.
@EnabledIf("otherwise.support.Emulated#present")
class CudaTensorConvolutionTest {
    /// A rounding of the result to bf16 is 2⁻⁸ = 0.0039 of it, at most.
    private static final double LIMIT = 4e-3;

    private static final long WHOLE = 1L << 28;

    private static final List<String> LAUNCHED = new ArrayList<>();
    private static final Driver DRIVER = Noting.driver(new EmulatedDriver(0), LAUNCHED);
    private static final DevicePool POOL = new DevicePool(DRIVER);
    private static final Kernels KERNELS = new Kernels(DRIVER, POOL, DType.BF16);

    private static final List<ConvSpec> CASES = List.of(
            new ConvSpec(2, 24, 97, 2, 3, 5, 3, 3, 3, 1, 1, 1, 2, 0, 1, 1, 1, 1), // causal; rows beyond a tile
            new ConvSpec(1, 96, 96, 2, 3, 5, 3, 3, 3, 1, 1, 1, 2, 0, 1, 1, 1, 1), // sums in parts
            new ConvSpec(2, 16, 24, 1, 2, 131, 1, 3, 3, 1, 1, 1, 0, 0, 1, 1, 1, 1), // pictures, rows longer than a tile
            new ConvSpec(1, 100, 97, 2, 2, 15, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0), // no neighbours; channels that are filled up
            new ConvSpec(3, 24, 16, 4, 3, 20, 3, 1, 1, 1, 1, 1, 2, 0, 0, 0, 0, 0), // along time only
            new ConvSpec(1, 16, 33, 1, 4, 5, 3, 3, 3, 1, 1, 1, 2, 0, 1, 1, 1, 1), // a kernel longer than time
            new ConvSpec(2, 16, 16, 2, 9, 11, 1, 3, 3, 1, 2, 2, 0, 0, 0, 1, 0, 1), // stride 2, padded behind
            new ConvSpec(1, 17, 10, 7, 4, 5, 3, 1, 1, 2, 1, 1, 0, 0, 0, 0, 0, 0), // stride in time
            new ConvSpec(1, 36, 40, 2, 8, 6, 1, 2, 2, 1, 2, 2, 0, 0, 0, 0, 0, 0), // patches
            new ConvSpec(2, 3, 16, 3, 4, 10, 3, 3, 3, 1, 1, 1, 2, 0, 1, 1, 1, 1), // few channels
            new ConvSpec(1, 16, 32, 5, 7, 8, 1, 2, 1, 3, 1, 2, 0, 0, 0, 0, 0, 0), // strides beyond the kernel
            new ConvSpec(1, 12, 13, 4, 5, 9, 2, 3, 4, 3, 2, 3, 4, 1, 2, 3, 5, 0)); // everything uneven, more padding than kernel

    /// Whole; where it is no long work, in slabs of about a third, and of one row of one frame.
    @TestFactory
    Stream<DynamicTest> convolutions() {
        return IntStream.range(0, CASES.size()).mapToObj(i -> DynamicTest.dynamicTest(CASES.get(i).toString(), () -> {
            var n = ConvolutionNumbers.of(CASES.get(i), i % 3 != 2);
            long used = POOL.memory().used();
            boolean small = n.s().outputs() * n.s().taps() < 10_000;
            for (long slab : small ? new long[] {WHOLE, 2L * (n.x().length + n.dy().length) / 3, 1} : new long[] {WHOLE}) {
                var convolution = new TensorConvolution(KERNELS, slab);
                var y = n.forward(convolution, KERNELS);
                Close.check("forward, slabs of " + slab + " bytes", y, n.y(), LIMIT);
                Close.check("to the input, slabs of " + slab + " bytes", n.toInput(convolution, KERNELS), n.dx(), LIMIT);
                if (slab == WHOLE) assertArrayEquals(y, n.forward(convolution, KERNELS), "another run differs");
            }
            assertEquals(used, POOL.memory().used(), "memory in use");
        }));
    }

    private static int count(String kernel) {
        return (int) LAUNCHED.stream().filter(kernel::equals).count();
    }

    /// The kernel is there for few rows and for many, for parts, and packs a slab after another.
    @Test
    void launches() {
        var n = ConvolutionNumbers.of(new ConvSpec(1, 32, 33, 1, 2, 3, 3, 3, 3, 1, 1, 1, 2, 0, 1, 1, 1, 1), true);
        LAUNCHED.clear();
        n.forward(new TensorConvolution(KERNELS), KERNELS);
        assertEquals(
                List.of("conv3d_tensor_weights", "conv3d_tensor_pack", "conv3d_tensor_96", "conv3d_tensor_add"), List.copyOf(LAUNCHED));
        LAUNCHED.clear();
        n.forward(new TensorConvolution(KERNELS, 1), KERNELS);
        assertEquals(2, count("conv3d_tensor_pack"), "rows of frames");
        LAUNCHED.clear();
        ConvolutionNumbers.of(CASES.get(6), false).toInput(new TensorConvolution(KERNELS), KERNELS);
        assertEquals(1, count("conv3d_tensor_pack"));
        assertEquals(4, count("conv3d_tensor_32"), "phases of two strides of two");
    }

    /// Numbers of 16 bits go to the tensor cores wherever the sum is worth it, floats never.
    @Test
    void choice() {
        var causal = CASES.get(9);
        var large = new ConvSpec(1, 3, 8, 1, 14, 14, 1, 14, 14, 1, 14, 14, 0, 0, 0, 0, 0, 0);
        var few = new ConvSpec(1, 16, 16, 2, 3, 3, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0);
        assertTrue(ran(DType.BF16, causal).contains("conv3d_tensor_32"));
        var without = new Kernels(Noting.driver(DRIVER, new ArrayList<>(), false), POOL, DType.BF16);
        for (var kernels : List.of(ran(DType.F32, causal), ran(DType.BF16, large), ran(DType.BF16, few), ran(without, causal)))
            assertTrue(kernels.contains("conv3d") && kernels.stream().noneMatch(k -> k.startsWith("conv3d_tensor")), kernels.toString());
    }

    private static List<String> ran(DType real, ConvSpec s) {
        return ran(new Kernels(DRIVER, POOL, real), s);
    }

    private static List<String> ran(Kernels kernels, ConvSpec s) {
        var real = kernels.real();
        try (var x = kernels.scratch(real, s.batch() * s.inputs() * s.t() * s.h() * s.w());
                var weight = kernels.scratch(real, s.outputs() * s.taps());
                var y = kernels.scratch(real, s.batch() * s.outputs() * s.outT() * s.outH() * s.outW())) {
            for (var storage : List.of(x, weight)) {
                var zeros = new byte[Math.toIntExact(storage.storage().size() * real.bytes())];
                DRIVER.toDevice(storage.storage().address(), MemorySegment.ofArray(zeros));
            }
            LAUNCHED.clear();
            var convolution = new Convolution(kernels);
            convolution.forward(y.storage(), x.storage(), weight.storage(), null, s);
            convolution.toInput(x.storage(), y.storage(), weight.storage(), s);
            return List.copyOf(LAUNCHED);
        }
    }

    /// Slabs keep their bound, reach every position, and read little twice.
    @Test
    void slabs() {
        long limit = (256L << 20) / 16;
        for (long frames : new long[] {1, 5, 33, 81})
            for (int kernel : new int[] {1, 3})
                for (long channels : new long[] {96, 192, 384}) {
                    var t = Reach.of(List.of(Axis.forward(frames, kernel, 1, kernel - 1, frames)));
                    var h = Reach.of(List.of(Axis.forward(720, 3, 1, 1, 720)));
                    long row = 1280 * channels / 8;
                    var slabs = ConvolutionSlabs.of(1, t, h, row, limit, 1);
                    assertTrue(slabs.elements() <= limit, slabs.toString());
                    assertEquals(0, ConvolutionSlabs.of(1, t, h, row, limit, 16).h() % 16, "rows that are computed together");
                    long read = 0;
                    for (long u = 0; u < frames; u += slabs.t())
                        for (long v = 0; v < 720; v += slabs.h()) read += t.size(u, slabs.t()) * h.size(v, slabs.h()) * row;
                    assertTrue(read >= frames * 720 * row && read < 1.4 * frames * 720 * row, slabs + " read " + read);
                }
        assertEquals(4, ConvolutionSlabs.of(9, Reach.of(List.of(Axis.forward(4, 3, 1, 2, 4))),
                Reach.of(List.of(Axis.forward(10, 3, 1, 1, 10))), 100, 17_000, 1).batches());
    }
}

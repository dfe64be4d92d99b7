package otherwise.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.condition.EnabledIf;
import otherwise.backend.ConvSpec;
import otherwise.backend.DType;
import otherwise.support.Close;

/// Convolutions on the emulated Hopper GPU, which has two multiprocessors, against plain loops in double, from the same numbers of bf16.
@EnabledIf("otherwise.support.Emulated#present")
class HopperConvolutionTest {
    /// A rounding of the result to bf16 is 2⁻⁸ = 0.0039 of it, at most.
    private static final double LIMIT = 4e-3;

    private static final long WHOLE = 1L << 28;

    private final List<String> launched = new ArrayList<>();
    private final Driver driver = Noting.driver(new EmulatedDriver(0, true), launched);
    private final DevicePool pool = new DevicePool(driver);
    private final Kernels kernels = new Kernels(driver, pool, DType.BF16);

    @AfterEach
    void close() {
        pool.close();
        driver.close();
    }

    /// A convolution of a slab's size, and the kernels that are to make y and dx: none, where those are not of Hopper GPUs.
    private record Case(ConvSpec s, long slab, String forward, String toInput) {}

    private static final String NARROW = "conv3d_hopper_96";
    private static final String BROAD = "conv3d_hopper_192";

    /// Of padding 1 along h and w, or none, and causal.
    private static ConvSpec spec(long batch, long inputs, long outputs, long t, long h, long w, int kernelT, int kernelH, int kernelW) {
        return new ConvSpec(
                batch, inputs, outputs, t, h, w, kernelT, kernelH, kernelW, 1, 1, 1, kernelT - 1, 0, kernelH / 2, kernelH / 2, kernelW / 2,
                kernelW / 2);
    }

    private static final List<Case> CASES = List.of(
            new Case(spec(1, 96, 96, 2, 20, 16, 3, 3, 3), WHOLE, NARROW, NARROW), // of the last level: one and a half boxes a tap
            new Case(spec(1, 72, 192, 2, 12, 24, 3, 3, 3), WHOLE, BROAD, null),
            new Case(spec(1, 192, 96, 1, 26, 32, 1, 3, 3), WHOLE, NARROW, BROAD), // behind a doubling of pictures
            new Case(spec(2, 96, 384, 2, 13, 16, 1, 1, 1), WHOLE, BROAD, null), // around a block
            new Case(spec(2, 80, 180, 3, 30, 16, 3, 1, 1), WHOLE, BROAD, NARROW), // along time; channels that do not fill tiles
            new Case(spec(1, 40, 66, 3, 48, 16, 3, 3, 3), 150_000, NARROW, null), // in slabs of rows
            new Case(spec(1, 66, 40, 2, 48, 16, 3, 3, 3), 60_000, null, NARROW), // and of frames
            new Case(spec(1, 66, 184, 1, 10, 16, 1, 3, 3), 1, BROAD, null), // of one row each
            new Case(new ConvSpec(2, 88, 96, 1, 28, 19, 2, 2, 4, 1, 1, 1, 0, 2, 0, 1, 3, 1), WHOLE, NARROW, null), // uneven
            new Case(new ConvSpec(2, 96, 50, 2, 28, 16, 2, 3, 2, 1, 1, 1, 2, 0, 0, 1, 4, 0), WHOLE, null, NARROW),
            new Case(new ConvSpec(1, 34, 96, 1, 17, 16, 1, 2, 3, 1, 1, 1, 1, 1, 0, 0, 1, 1), 1, NARROW, null)); // frames of padding

    @TestFactory
    Stream<DynamicTest> convolutions() {
        return CASES.stream().map(c -> DynamicTest.dynamicTest(c.toString(), () -> {
            var n = ConvolutionNumbers.of(c.s, CASES.indexOf(c) % 3 != 2);
            var convolution = new TensorConvolution(kernels, c.slab);
            launched.clear();
            if (c.forward != null) {
                Close.check("forward", n.forward(convolution, kernels), n.y(), LIMIT);
                assertLaunched(c, c.forward);
            }
            if (c.toInput != null) {
                Close.check("to the input", n.toInput(convolution, kernels), n.dx(), LIMIT);
                assertLaunched(c, c.toInput);
            }
            assertEquals(0, pool.memory().used(), "memory in use");
        }));
    }

    private void assertLaunched(Case c, String kernel) {
        assertTrue(launched.contains(kernel), launched.toString());
        assertEquals(c.slab < WHOLE, Collections.frequency(launched, "conv3d_tensor_pack") > 1, launched.toString());
        launched.clear();
    }

    @Test
    void equalCallsGiveEqualBits() {
        var n = ConvolutionNumbers.of(spec(1, 40, 96, 3, 32, 16, 1, 1, 3), true);
        var convolution = new TensorConvolution(kernels);
        assertArrayEquals(n.forward(convolution, kernels), n.forward(convolution, kernels));
    }

    /// Which kernel convolves zeros.
    ///
    /// @param before so many elements of its storage lie before y
    private static String runs(Driver on, List<String> names, DType real, ConvSpec s, int before) {
        try (var pool = new DevicePool(on)) {
            var kernels = new Kernels(on, pool, real);
            try (var x = kernels.scratch(real, s.batch() * s.inputs() * s.t() * s.h() * s.w());
                    var weight = kernels.scratch(real, s.outputs() * s.taps());
                    var y = kernels.scratch(real, before + s.batch() * s.outputs() * s.outT() * s.outH() * s.outW())) {
                for (var storage : List.of(x.storage(), weight.storage()))
                    on.toDevice(storage.address(), MemorySegment.ofArray(new byte[Math.toIntExact(storage.size() * real.bytes())]));
                names.clear();
                new Convolution(kernels)
                        .forward(y.storage().slice(before, y.storage().size() - before), x.storage(), weight.storage(), null, s);
                return names.getLast();
            }
        }
    }

    private String runs(ConvSpec s) {
        return runs(driver, launched, DType.BF16, s, 0);
    }

    @Test
    void servesLargeConvolutionsOfStrideOne() {
        var s = spec(1, 32, 96, 1, 32, 16, 1, 1, 1);
        var tensor = "conv3d_tensor_96";
        assertEquals(NARROW, runs(s));
        assertEquals(NARROW, runs(spec(1, 32, 48, 1, 32, 16, 1, 1, 1)));
        assertEquals(NARROW, runs(spec(1, 32, 96, 1, 32, 16, 1, 3, 5)));
        assertEquals(BROAD, runs(spec(1, 32, 97, 1, 32, 16, 1, 1, 1)));
        assertEquals(BROAD, runs(spec(1, 32, 384, 1, 8, 16, 1, 1, 1)));
        assertEquals(tensor, runs(spec(1, 31, 96, 1, 32, 16, 1, 3, 3)), "few channels");
        assertEquals(tensor, runs(spec(1, 32, 47, 1, 32, 16, 1, 1, 1)), "few outputs");
        assertEquals(tensor, runs(spec(1, 32, 96, 9, 15, 16, 1, 1, 1)), "patches mostly beyond the edge");
        assertEquals(tensor, runs(spec(1, 32, 96, 1, 32, 30, 1, 1, 1)), "rows of y that are not multiples of 8 bytes");
        assertEquals(tensor, runs(spec(1, 32, 96, 1, 33, 48, 1, 4, 1)), "more taps along h than a box has rows for");
        for (var strides : new int[][] {{2, 1, 1}, {1, 2, 1}, {1, 1, 2}})
            assertEquals(tensor, runs(new ConvSpec(1, 32, 96, 3, 64, 32, 1, 1, 1, strides[0], strides[1], strides[2], 0, 0, 0, 0, 0, 0)));
        assertEquals(NARROW, runs(driver, launched, DType.BF16, s, 8));
        assertEquals(tensor, runs(driver, launched, DType.BF16, s, 4), "y is not aligned");
        assertEquals("conv3d", runs(driver, launched, DType.F32, s, 0), "of floats");
        var names = new ArrayList<String>();
        try (var other = Noting.driver(new EmulatedDriver(1), names)) {
            assertEquals(tensor, runs(other, names, DType.BF16, s, 0), "no Hopper");
        }
    }
}

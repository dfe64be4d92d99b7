package otherwise.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import otherwise.backend.Backend.Binary;
import otherwise.backend.Backend.Reduction;
import otherwise.backend.Backend.Unary;
import otherwise.backend.cpu.CpuBackend;
import otherwise.support.Close;
import otherwise.support.Emulated;
import otherwise.support.Reference;

/// The same calls with the same random numbers on the plain-loop reference and on the CPU backend: at size 1, at odd sizes, and at sizes that
/// are shared out among threads. And one thread gives the same bits as three.
class BackendAgreementTest {
    private static final double LIMIT = 1e-5;
    private static final long[] SIZES = {1, 2, 13, 16, 37, 1000, 100_003};
    /// Rows and their length.
    private static final long[][] ROWS = {{1, 1}, {5, 1}, {3, 2}, {7, 13}, {4, 64}, {300, 392}, {1, 100_003}, {2500, 37}, {9, 1536}};

    /// One case being run on one device: makes inputs, and notes which storages are results.
    private static final class Call {
        final Backend device;
        private final SplittableRandom random = new SplittableRandom(42);
        private final List<Storage> results = new ArrayList<>();

        Call(Backend device) {
            this.device = device;
        }

        Storage normal(long n) {
            return of(random.doubles(n, 0, 1).map(u -> (float) Math.cos(6 * u) * 2 * random.nextDouble()).toArray());
        }

        Storage positive(long n) {
            return of(random.doubles(n, 0.1, 3).map(u -> (float) u).toArray());
        }

        Storage of(double... values) {
            var storage = device.allocate(device.real(), values.length);
            device.upload(storage, values);
            return storage;
        }

        /// Row numbers below `below`, with a negative one now and then.
        Storage index(long n, long below) {
            var storage = device.allocate(DType.I64, n);
            device.upload(storage, random.longs(n, -Math.max(1, below / 8), below).toArray());
            return storage;
        }

        Storage result(long n) {
            return changed(device.allocate(device.real(), n));
        }

        /// Notes an input that is changed in place.
        Storage changed(Storage storage) {
            results.add(storage);
            return storage;
        }
    }

    private static List<double[]> run(Backend device, Consumer<Call> body) {
        try (var _ = device.scope()) {
            var call = new Call(device);
            body.accept(call);
            var values = new ArrayList<double[]>();
            for (var storage : call.results) {
                var v = new double[Math.toIntExact(storage.size())];
                device.download(storage, v);
                values.add(v);
            }
            return values;
        }
    }

    private static DynamicTest of(String name, Consumer<Call> body) {
        return DynamicTest.dynamicTest(name, () -> {
            try (var reference = new Reference(); var one = new CpuBackend(1); var three = new CpuBackend(3)) {
                var expected = run(reference, body);
                var actual = run(one, body);
                var threaded = run(three, body);
                var emulated = Emulated.device(DType.F32).map(device -> run(device, body));
                for (int i = 0; i < expected.size(); i++) {
                    Close.check(name + ", result " + i, actual.get(i), expected.get(i), LIMIT);
                    if (emulated.isPresent())
                        Close.check(name + " on cuda-emulated, result " + i, emulated.get().get(i), expected.get(i), LIMIT);
                    assertArrayEquals(actual.get(i), threaded.get(i), name + ", result " + i + ": three threads differ from one");
                }
            }
        });
    }

    @Test
    void theEmulatedDeviceTakesPart() {
        assumeTrue(Emulated.present(), "no g++, so the CUDA kernels were not run");
    }

    private static String of(long[] dims) {
        return Arrays.toString(dims);
    }

    @TestFactory
    Stream<DynamicTest> unary() {
        return Stream.of(Unary.values()).flatMap(f -> LongStream.of(SIZES).mapToObj(n -> of(f + " " + n, c -> {
            var x = f == Unary.LOG || f == Unary.SQRT ? c.positive(n) : c.normal(n);
            c.device.unary(f, c.result(n), x);
            c.device.unaryBackward(f, c.result(n), c.normal(n), x);
            var dy = c.changed(c.normal(n));
            c.device.unaryBackward(f, dy, dy, x);
            c.device.unary(f, c.changed(x), x);
        })));
    }

    /// Far out nothing overflows, and special values come through.
    @TestFactory
    Stream<DynamicTest> unaryFarOut() {
        return Stream.of(Unary.TANH, Unary.SIGMOID, Unary.SILU, Unary.GELU, Unary.GELU_TANH, Unary.RELU, Unary.EXP)
                .map(f -> of(f + " far out", c -> {
                    double[] values = {0, -0.0, 1e-30, -1e-30, 1e-4, -0.6, 0.6, 9, -9, 12, -12, 40, -40, 80, -80, 1e4, -1e4};
                    for (double v : values) {
                        if (f == Unary.EXP && v > 88) continue;
                        c.device.unary(f, c.result(1), c.of(v));
                        c.device.unaryBackward(f, c.result(1), c.of(1), c.of(v));
                    }
                })).toList().stream();
    }

    @TestFactory
    Stream<DynamicTest> elementwise() {
        return LongStream.of(SIZES).boxed().flatMap(n -> Stream.of(
                of("fill " + n, c -> c.device.fill(c.result(n), -1.25)),
                of("affine " + n, c -> c.device.affine(c.result(n), c.normal(n), -2.5, 0.75)),
                of("affine in place " + n, c -> {
                    var x = c.changed(c.normal(n));
                    c.device.affine(x, x, 0.1, 3);
                }),
                of("axpy " + n, c -> c.device.axpy(c.changed(c.normal(n)), -0.3, c.normal(n))),
                of("adamW " + n, c -> {
                    var p = c.changed(c.normal(n));
                    var m = c.changed(c.normal(n));
                    var v = c.changed(c.positive(n));
                    for (int step = 1; step <= 3; step++) c.device.adamW(p, m, v, c.normal(n), 0.01, 0.9, 0.999, 1e-8, 0.1, step);
                })));
    }

    @TestFactory
    Stream<DynamicTest> broadcast() {
        long[][] shapes = {{1}, {37}, {100_003}, {5, 7}, {300, 129}, {2, 50, 1536}, {3, 4, 5, 6}, {70, 3, 1, 200}};
        return Stream.of(shapes).flatMap(dims -> Stream.of(Binary.values()).map(f -> of(f + " " + of(dims), c -> {
            // Every way in which either side may repeat along each axis.
            var whole = Shape.of(dims);
            for (int mask = 0; mask < 1 << dims.length; mask++) {
                var part = whole;
                for (int i = 0; i < dims.length; i++) if ((mask >> i & 1) != 0) part = part.with(i, 1);
                var a = c.positive(whole.size());
                var b = c.positive(part.size());
                c.device.binary(f, c.result(whole.size()), a, whole.strides(), b, part.stridesAs(whole), dims);
                c.device.binary(f, c.result(whole.size()), b, part.stridesAs(whole), a, whole.strides(), dims);
            }
        })));
    }

    @TestFactory
    Stream<DynamicTest> broadcastOfViews() {
        return Stream.of(
                of("both repeat", c -> c.device.binary(
                        Binary.SUB, c.result(35), c.normal(5), new long[] {1, 0}, c.normal(7), new long[] {0, 1}, new long[] {5, 7})),
                of("transposed", c -> c.device.binary(
                        Binary.ADD, c.result(35), c.normal(35), new long[] {1, 5}, c.normal(35), new long[] {7, 1}, new long[] {5, 7})),
                of("scalar", c -> c.device.binary(Binary.DIV, c.result(1), c.positive(1), new long[0], c.positive(1), new long[0],
                        new long[0])));
    }

    @TestFactory
    Stream<DynamicTest> copies() {
        long[][] shapes = {{1}, {37}, {40_000}, {5, 7}, {129, 300}, {2, 3, 4}, {2, 50, 3, 64}, {3, 17, 33}, {2, 3, 4, 2, 5, 2}};
        return Stream.of(shapes).flatMap(dims -> permutations(dims.length).map(order -> of("permute " + of(dims) + " " + of(order), c -> {
            var from = Shape.of(dims);
            var to = LongStream.of(order).map(i -> dims[(int) i]).toArray();
            var strides = LongStream.of(order).map(i -> from.strides()[(int) i]).toArray();
            c.device.copy(c.result(from.size()), 0, Shape.of(to).strides(), c.normal(from.size()), 0, strides, to);
        })));
    }

    /// All orders of up to three axes; of more, the rotations and the exchange of each two.
    private static Stream<long[]> permutations(int rank) {
        var all = new ArrayList<long[]>();
        for (int i = 0; i < rank; i++)
            for (int j = i; j < rank; j++) {
                var order = LongStream.range(0, rank).toArray();
                order[i] = j;
                order[j] = i;
                all.add(order);
            }
        for (int turn = 1; turn < rank; turn++) {
            int by = turn;
            all.add(LongStream.range(0, rank).map(i -> (i + by) % rank).toArray());
        }
        return all.stream();
    }

    @TestFactory
    Stream<DynamicTest> copiesOfParts() {
        return Stream.of(
                of("slice", c -> c.device.copy(
                        c.result(4 * 3), 0, new long[] {3, 1}, c.normal(4 * 9), 5, new long[] {9, 1}, new long[] {4, 3})),
                of("into a slice", c -> {
                    var y = c.changed(c.normal(200 * 90));
                    c.device.copy(y, 7, new long[] {90, 1}, c.normal(200 * 70), 0, new long[] {70, 1}, new long[] {200, 70});
                }),
                of("every third", c -> c.device.copy(
                        c.result(100), 0, new long[] {1}, c.normal(300), 2, new long[] {3}, new long[] {100})),
                of("repeat a row", c -> c.device.copy(
                        c.result(60 * 700), 0, new long[] {700, 1}, c.normal(700), 0, new long[] {0, 1}, new long[] {60, 700})),
                of("repeat a column", c -> c.device.copy(
                        c.result(60 * 700), 0, new long[] {700, 1}, c.normal(60), 0, new long[] {1, 0}, new long[] {60, 700})),
                of("nothing", c -> c.device.copy(
                        c.changed(c.normal(3)), 0, new long[] {3, 1}, c.normal(3), 0, new long[] {3, 1}, new long[] {0, 3})));
    }

    /// Every element size, transposed.
    @TestFactory
    Stream<DynamicTest> copiesOfTypes() {
        return Stream.of(DType.values()).map(type -> of("transpose " + type, c -> {
            var x = c.device.allocate(type, 40 * 70);
            var y = c.device.allocate(type, 40 * 70);
            c.device.upload(x, LongStream.range(0, 40 * 70).map(i -> i % 251).toArray());
            c.device.copy(y, 0, new long[] {40, 1}, x, 0, new long[] {1, 70}, new long[] {70, 40});
            c.changed(y);
        }));
    }

    /// From every type to every type, by way of raw bytes; and a fill of each.
    @TestFactory
    Stream<DynamicTest> transfers() {
        return Stream.of(DType.values()).flatMap(from -> Stream.of(DType.values()).map(to -> of(from + " to " + to, c -> {
            long n = 1043;
            var bytes = new byte[(int) n * 8 + 1];
            c.random.nextBytes(bytes);
            // Bytes below 0x40 in the high places keep reals finite and small enough for both sides; unaligned as in a mapped file.
            for (int i = 0; i < bytes.length; i++) bytes[i] &= 0x3f;
            var y = c.device.allocate(to, n);
            c.device.upload(y, MemorySegment.ofArray(bytes).asSlice(1), from);
            c.changed(y);
            var filled = c.device.allocate(to, n);
            c.device.fill(filled, 3.7);
            c.changed(filled);
        })));
    }

    @TestFactory
    Stream<DynamicTest> productsWithFunction() {
        long[][] sizes = {{1, 1, 1}, {3, 5, 7}, {2, 49, 300}, {70, 33, 20}, {65, 130, 4}, {9, 20, 1100}};
        return Stream.of(sizes)
                .flatMap(s -> Stream.of(Unary.SILU, Unary.GELU, Unary.GELU_TANH, Unary.TANH).map(f -> of(f + " " + of(s), c -> {
                    var spec = MatmulSpec.of(s[0], s[1], s[2], false, true);
                    var a = c.of(c.random.doubles(s[0] * s[2], -1, 1).map(v -> (float) v).toArray());
                    var b = c.of(c.random.doubles(s[1] * s[2], -1, 1).map(v -> (float) (v / Math.sqrt(s[2]))).toArray());
                    c.device.matmulThen(f, c.result(s[0] * s[1]), c.result(s[0] * s[1]), a, b, c.normal(s[1]), spec);
                    c.device.matmulThen(f, c.result(s[0] * s[1]), null, a, b, null, spec);
                })));
    }

    /// Samples, rows of each, columns, terms: parts of long sums, tiles that hold rows of several samples.
    @TestFactory
    Stream<DynamicTest> productsIntoSums() {
        long[][] sizes = {{1, 1, 1, 1}, {2, 3, 5, 7}, {3, 2, 49, 300}, {2, 70, 33, 20}, {5, 13, 130, 4}, {1, 9, 20, 1100}};
        return Stream.of(sizes).map(s -> of("product into sum " + of(s), c -> {
            long n = s[0] * s[1] * s[2];
            var spec = new MatmulSpec(s[0], s[1], s[2], s[3], false, true, s[1] * s[3], 0);
            var a = c.of(c.random.doubles(s[0] * s[1] * s[3], -1, 1).map(v -> (float) v).toArray());
            var b = c.of(c.random.doubles(s[2] * s[3], -1, 1).map(v -> (float) (v / Math.sqrt(s[3]))).toArray());
            var x = c.normal(n);
            var gate = c.normal(s[0] * s[2]);
            var bias = c.normal(s[2]);
            c.device.matmulOnto(c.result(n), c.result(n), x, gate, a, b, bias, spec);
            c.device.matmulOnto(c.result(n), null, x, gate, a, b, null, spec);
            c.device.matmulOnto(c.result(n), null, x, null, a, b, bias, spec);
        }));
    }

    @TestFactory
    Stream<DynamicTest> reductions() {
        long[][] shapes = {
            {1, 1, 1}, {1, 100_003, 1}, {3, 200_000, 1}, {300, 392, 1}, {1, 1000, 77}, {5, 3, 7}, {2, 2000, 33}, {2, 4, 30_001},
            {1, 130, 1}, {
                40_000, 2, 1
            }, {1, 5000, 3}, {7, 1, 16}
        };
        return Stream.of(shapes).flatMap(s -> Stream.of(Reduction.values()).map(f -> of(f + " " + of(s),
                c -> c.device.reduce(f, c.result(s[0] * s[2]), c.positive(s[0] * s[1] * s[2]), s[0], s[1], s[2]))));
    }

    @TestFactory
    Stream<DynamicTest> rows() {
        return Stream.of(ROWS).flatMap(s -> Stream.of(
                of("gather " + of(s), c -> c.device.gatherRows(
                        c.result(s[0] * s[1]), c.normal(11 * s[1]), c.index(s[0], 11), s[0], s[1])),
                of("scatter " + of(s), c -> c.device.scatterAddRows(
                        c.result(11 * s[1]), c.normal(s[0] * s[1]), c.index(s[0], 11), s[0], 11, s[1])),
                of("softmax " + of(s), c -> {
                    var y = c.result(s[0] * s[1]);
                    c.device.softmax(y, c.normal(s[0] * s[1]), s[0], s[1]);
                    c.device.softmaxBackward(c.result(s[0] * s[1]), c.normal(s[0] * s[1]), y, s[0], s[1]);
                }),
                of("logSoftmax " + of(s), c -> {
                    var y = c.result(s[0] * s[1]);
                    c.device.logSoftmax(y, c.normal(s[0] * s[1]), s[0], s[1]);
                    c.device.logSoftmaxBackward(c.result(s[0] * s[1]), c.positive(s[0] * s[1]), y, s[0], s[1]);
                })));
    }

    @TestFactory
    Stream<DynamicTest> softmaxOfLargeScores() {
        return Stream.of(of("softmax far out", c -> {
            c.device.softmax(c.result(4), c.of(1000, 1001, -1e30, 999), 1, 4);
            c.device.logSoftmax(c.result(4), c.of(1000, 1001, 3, 999), 1, 4);
        }));
    }

    @TestFactory
    Stream<DynamicTest> norms() {
        return Stream.of(ROWS).filter(s -> s[1] > 1)
                .flatMap(s -> Stream.of(true, false).map(affine -> of("norms " + of(s) + " " + affine, c -> {
                    long n = s[0] * s[1];
                    var w = affine ? c.positive(s[1]) : null;
                    var b = affine ? c.normal(s[1]) : null;
                    var x = c.normal(n);
                    var dy = c.normal(n);
                    var mean = c.result(s[0]);
                    var r = c.result(s[0]);
                    c.device.layerNorm(c.result(n), mean, r, x, w, b, 1e-2, s[0], s[1]);
                    var dw = affine ? c.result(s[1]) : null;
                    var db = affine ? c.result(s[1]) : null;
                    c.device.layerNormBackward(c.result(n), dw, db, dy, x, mean, r, w, s[0], s[1]);
                    var rms = c.result(s[0]);
                    c.device.rmsNorm(c.result(n), rms, x, w, 1e-6, s[0], s[1]);
                    c.device.rmsNormBackward(c.result(n), affine ? c.result(s[1]) : null, dy, x, rms, w, s[0], s[1]);
                })));
    }

    /// Samples, rows of each, and their length.
    private static final long[][] SAMPLES = {{1, 1, 2}, {2, 3, 13}, {3, 50, 64}, {2, 90, 392}, {1, 700, 37}, {5, 2, 1536}, {1, 3, 20_001}};

    @TestFactory
    Stream<DynamicTest> modulatedNorms() {
        return Stream.of(SAMPLES).flatMap(s -> Stream.of(true, false).map(all -> of("modulatedNorm " + of(s) + " " + all, c -> {
            long n = s[0] * s[1] * s[2];
            long vectors = s[0] * s[2];
            var x = c.normal(n);
            var dy = c.normal(n);
            var scale = c.normal(vectors);
            var mean = c.result(s[0] * s[1]);
            var r = c.result(s[0] * s[1]);
            c.device.modulatedNorm(c.result(n), mean, r, x, scale, c.normal(vectors), 1e-2, s[0], s[1], s[2]);
            var dscale = all ? c.result(vectors) : null;
            c.device.modulatedNormBackward(c.result(n), dscale, null, dy, x, mean, r, scale, s[0], s[1], s[2]);
            if (all) c.device.modulatedNormBackward(null, null, c.result(vectors), dy, x, mean, r, scale, s[0], s[1], s[2]);
        })));
    }

    @TestFactory
    Stream<DynamicTest> gatedSums() {
        return Stream.of(SAMPLES).map(s -> of("gatedAdd " + of(s), c -> {
            long n = s[0] * s[1] * s[2];
            long vectors = s[0] * s[2];
            var h = c.normal(n);
            var dy = c.normal(n);
            var gate = c.normal(vectors);
            c.device.gatedAdd(c.result(n), c.normal(n), gate, h, s[0], s[1], s[2]);
            var inPlace = c.normal(n);
            c.device.gatedAdd(inPlace, c.normal(n), gate, inPlace, s[0], s[1], s[2]);
            c.changed(inPlace);
            c.device.gatedAddBackward(c.result(n), c.result(vectors), dy, gate, h, s[0], s[1], s[2]);
            c.device.gatedAddBackward(c.result(n), null, dy, gate, h, s[0], s[1], s[2]);
            c.device.gatedAddBackward(null, c.result(vectors), dy, gate, h, s[0], s[1], s[2]);
        }));
    }

    @TestFactory
    Stream<DynamicTest> channelNorms() {
        long[][] shapes = {{1, 1, 1}, {2, 3, 5}, {3, 96, 130}, {1, 384, 17}, {2, 16, 1000}, {1, 400, 24}};
        return Stream.of(shapes).flatMap(s -> Stream.of(false, true).map(silu -> of("channelNorm " + of(s) + (silu ? " silu" : ""), c -> {
            long n = s[0] * s[1] * s[2];
            var x = c.normal(n);
            var gamma = c.positive(s[1]);
            var r = c.result(s[0] * s[2]);
            var dy = c.normal(n);
            c.device.channelNorm(c.result(n), r, x, gamma, silu, s[0], s[1], s[2]);
            c.device.channelNormBackward(c.result(n), c.result(s[1]), dy, x, r, gamma, silu, s[0], s[1], s[2]);
            c.device.channelNormBackward(null, c.result(s[1]), dy, x, r, gamma, silu, s[0], s[1], s[2]);
            c.device.channelNormBackward(c.result(n), null, dy, x, r, gamma, silu, s[0], s[1], s[2]);
        })));
    }

    @TestFactory
    Stream<DynamicTest> channelNormOfZero() {
        return Stream.of(of("channelNorm of 0", c -> {
            var x = c.of(0, 1, 0, 2);
            var gamma = c.of(1, 0.5);
            var r = c.result(2);
            c.device.channelNorm(c.result(4), r, x, gamma, false, 1, 2, 2);
            c.device.channelNormBackward(c.result(4), c.result(2), c.normal(4), x, r, gamma, false, 1, 2, 2);
        }));
    }

    /// Samples, tokens, heads and their width. Among them: rows of a warp, a block, a large block; more pairs in a head than those have threads.
    private static final long[][] HEADS = {{1, 1, 1, 2}, {2, 3, 5, 14}, {3, 7, 3, 128}, {2, 50, 12, 128}, {1, 3, 2, 602}, {1, 2, 9, 1830}};

    @TestFactory
    Stream<DynamicTest> rmsNormsTurned() {
        return Stream.of(HEADS).map(s -> of("rmsNormRope " + of(s), c -> {
            long rows = s[0] * s[1];
            long channels = s[2] * s[3];
            long angles = s[1] * s[3] / 2;
            var x = c.normal(rows * channels);
            var w = c.normal(channels);
            var cos = c.normal(angles);
            var sin = c.normal(angles);
            var dy = c.normal(rows * channels);
            var r = c.result(rows);
            c.device.rmsNormRope(c.result(rows * channels), r, x, w, cos, sin, 1e-2, s[0], s[1], s[2], s[3]);
            var dw = c.result(channels);
            c.device.rmsNormRopeBackward(c.result(rows * channels), dw, dy, x, r, w, cos, sin, s[0], s[1], s[2], s[3]);
            c.device.rmsNormRopeBackward(c.result(rows * channels), null, dy, x, r, w, cos, sin, s[0], s[1], s[2], s[3]);
        }));
    }

    @TestFactory
    Stream<DynamicTest> spatial() {
        long[][] shapes = {{1, 1, 1, 2}, {2, 3, 5, 14}, {2, 50, 12, 128}, {1, 7, 3, 46}};
        long[][] planes = {{1, 1, 1}, {3, 5, 7}, {96, 33, 35}, {2, 4, 64}};
        return Stream.concat(
                Stream.of(shapes).flatMap(s -> Stream.of(true, false).map(inverse -> of("rope " + of(s) + " " + inverse, c -> {
                    long n = s[0] * s[1] * s[2] * s[3];
                    long angles = s[1] * s[3] / 2;
                    c.device.rope(c.result(n), c.normal(n), c.normal(angles), c.normal(angles), s[0], s[1], s[2], s[3], inverse);
                }))),
                Stream.of(planes).map(s -> of("upsample2x " + of(s), c -> {
                    long n = s[0] * s[1] * s[2];
                    c.device.upsample2x(c.result(4 * n), c.normal(n), s[0], s[1], s[2]);
                    c.device.upsample2xBackward(c.result(n), c.normal(4 * n), s[0], s[1], s[2]);
                })));
    }
}

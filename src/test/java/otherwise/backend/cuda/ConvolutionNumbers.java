package otherwise.backend.cuda;

import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import otherwise.backend.ConvSpec;
import otherwise.backend.DType;
import otherwise.support.Reference;

/// What a test of convolutions begins with, numbers of bf16, and y and dx as plain loops in double find them.
record ConvolutionNumbers(ConvSpec s, float[] x, float[] weight, float[] bias, float[] dy, double[] y, double[] dx) {
    static ConvolutionNumbers of(ConvSpec s, boolean withBias) {
        var random = new SplittableRandom(7);
        var x = rounded(random, s.batch() * s.inputs() * s.t() * s.h() * s.w());
        var weight = rounded(random, s.outputs() * s.taps());
        var bias = withBias ? rounded(random, s.outputs()) : null;
        var dy = rounded(random, s.batch() * s.outputs() * s.outT() * s.outH() * s.outW());
        var y = new double[dy.length];
        var dx = new double[x.length];
        try (var reference = new Reference(); var _ = reference.scope()) {
            var on = Stream.of(x, weight, bias == null ? new float[0] : bias, dy).map(values -> {
                var storage = reference.allocate(DType.F64, values.length);
                reference.upload(storage, values);
                return storage;
            }).toList();
            var storage = reference.allocate(DType.F64, y.length);
            reference.conv3d(storage, on.get(0), on.get(1), withBias ? on.get(2) : null, s);
            reference.download(storage, y);
            storage = reference.allocate(DType.F64, dx.length);
            reference.conv3dToInput(storage, on.get(3), on.get(1), s);
            reference.download(storage, dx);
        }
        return new ConvolutionNumbers(s, x, weight, bias, dy, y, dx);
    }

    private static float[] rounded(SplittableRandom random, long n) {
        var values = new float[Math.toIntExact(n)];
        for (int i = 0; i < values.length; i++)
            values[i] = Float.intBitsToFloat(Float.floatToRawIntBits((float) random.nextDouble(-1, 1)) & 0xffff0000);
        return values;
    }

    private static Kernels.Scratch device(Kernels kernels, float[] values) {
        var bits = new short[values.length];
        for (int i = 0; i < bits.length; i++) bits[i] = (short) (Float.floatToRawIntBits(values[i]) >>> 16);
        var scratch = kernels.scratch(DType.BF16, bits.length);
        kernels.driver().toDevice(scratch.storage().address(), MemorySegment.ofArray(bits));
        return scratch;
    }

    private static double[] host(Kernels kernels, CudaStorage storage) {
        var bits = new short[Math.toIntExact(storage.size())];
        kernels.driver().toHost(MemorySegment.ofArray(bits), storage.address());
        return IntStream.range(0, bits.length).mapToDouble(i -> Float.intBitsToFloat(bits[i] << 16)).toArray();
    }

    /// What this finds for y.
    double[] forward(TensorConvolution convolution, Kernels kernels) {
        try (var onX = device(kernels, x); var onWeight = device(kernels, weight);
                var onBias = device(kernels, bias == null ? new float[0] : bias); var onY = kernels.scratch(DType.BF16, y.length)) {
            convolution.forward(onY.storage(), onX.storage(), onWeight.storage(), bias == null ? null : onBias.storage(), s);
            return host(kernels, onY.storage());
        }
    }

    /// What this finds for dx.
    double[] toInput(TensorConvolution convolution, Kernels kernels) {
        try (var onDy = device(kernels, dy); var onWeight = device(kernels, weight); var onDx = kernels.scratch(DType.BF16, dx.length)) {
            convolution.toInput(onDx.storage(), onDy.storage(), onWeight.storage(), s);
            return host(kernels, onDx.storage());
        }
    }
}

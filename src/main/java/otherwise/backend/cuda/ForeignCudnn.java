package otherwise.backend.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static otherwise.backend.cuda.ForeignLibrary.HANDLE;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.util.stream.IntStream;
import jcuda.jcudnn.cudnnConvolutionMode;
import jcuda.jcudnn.cudnnDataType;
import jcuda.jcudnn.cudnnDeterminism;
import jcuda.jcudnn.cudnnTensorFormat;
import otherwise.backend.DeviceException;

/// cuDNN 9, against which the published JCudnn cannot be loaded. Its convolutions and constants are those of cuDNN 8.
final class ForeignCudnn implements Cudnn {
    /// Algorithms that cuDNN may tell of in one answer.
    private static final int MOST = 16;

    /// `cudnnConvolutionFwdAlgoPerf_t`, and the same for the way back.
    private static final MemoryLayout ANSWER = MemoryLayout.structLayout(
            JAVA_INT.withName("algorithm"), JAVA_INT.withName("status"), JAVA_FLOAT.withName("time"), MemoryLayout.paddingLayout(4),
            JAVA_LONG.withName("memory"), JAVA_INT.withName("determinism"), JAVA_INT.withName("math"),
            MemoryLayout.sequenceLayout(3, JAVA_INT), MemoryLayout.paddingLayout(4));
    private static final long STATUS = ANSWER.byteOffset(MemoryLayout.PathElement.groupElement("status"));
    private static final long DETERMINISM = ANSWER.byteOffset(MemoryLayout.PathElement.groupElement("determinism"));

    /// A kind of descriptor.
    private record Kind(ForeignLibrary.Function create, ForeignLibrary.Function set, ForeignLibrary.Function destroy) {
        static Kind of(ForeignLibrary library, String name, String set, MemoryLayout... arguments) {
            return new Kind(library.function("cudnnCreate" + name, ADDRESS), library.function(set, arguments),
                    library.function("cudnnDestroy" + name, HANDLE));
        }
    }

    /// The three functions of a direction. They take what is read, the descriptor of the convolution, and what is written: x, weight, y
    /// forward; weight, y, x backward.
    private record Direction(boolean weightFirst, ForeignLibrary.Function algorithms, ForeignLibrary.Function workspace,
            ForeignLibrary.Function run) {
        static Direction of(ForeignLibrary library, boolean weightFirst, String name) {
            return new Direction(
                    weightFirst,
                    library.function(
                            "cudnnGet" + name + "Algorithm_v7", HANDLE, HANDLE, HANDLE, HANDLE, HANDLE, JAVA_INT, ADDRESS, ADDRESS),
                    library.function("cudnnGet" + name + "WorkspaceSize", HANDLE, HANDLE, HANDLE, HANDLE, HANDLE, JAVA_INT, ADDRESS),
                    library.function(
                            "cudnn" + name, HANDLE, ADDRESS, HANDLE, HANDLE, HANDLE, HANDLE, HANDLE, JAVA_INT, HANDLE, JAVA_LONG,
                            ADDRESS, HANDLE, HANDLE));
        }
    }

    private final MemorySegment zero = Arena.global().allocateFrom(JAVA_FLOAT, 0f);
    private final MemorySegment one = Arena.global().allocateFrom(JAVA_FLOAT, 1f);
    private final ForeignLibrary.Function destroy;
    private final ForeignLibrary.Function setMath;
    private final Kind tensors;
    private final Kind filters;
    private final Kind convolutions;
    private final Direction forward;
    private final Direction toInput;
    private final long handle;
    private final String description;

    /// @throws DeviceException if the library is missing, or cuDNN refuses
    ForeignCudnn(DeviceStream stream) {
        var library = new ForeignLibrary("libcudnn.so.9", "cudnnGetErrorString");
        destroy = library.function("cudnnDestroy", HANDLE);
        setMath = library.function("cudnnSetConvolutionMathType", HANDLE, JAVA_INT);
        tensors = Kind.of(library, "TensorDescriptor", "cudnnSetTensorNdDescriptor", HANDLE, JAVA_INT, JAVA_INT, ADDRESS, ADDRESS);
        filters = Kind.of(library, "FilterDescriptor", "cudnnSetFilterNdDescriptor", HANDLE, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS);
        convolutions = Kind.of(library, "ConvolutionDescriptor", "cudnnSetConvolutionNdDescriptor", HANDLE, JAVA_INT, ADDRESS, ADDRESS,
                ADDRESS, JAVA_INT, JAVA_INT);
        forward = Direction.of(library, false, "ConvolutionForward");
        toInput = Direction.of(library, true, "ConvolutionBackwardData");
        var version = library.handle("cudnnGetVersion", FunctionDescriptor.of(JAVA_LONG));
        var create = library.function("cudnnCreate", ADDRESS);
        var setStream = library.function("cudnnSetStream", HANDLE, HANDLE);
        handle = create.made();
        setStream.call(handle, stream.value());
        description = "cuDNN " + Cudnn.version((long) ForeignLibrary.invoke(version)) + " through java.lang.foreign";
    }

    @Override
    public String description() {
        return description;
    }

    @Override
    public Prepared forward(Sizes s) {
        return new Described(s, forward);
    }

    @Override
    public Prepared toInput(Sizes s) {
        return new Described(s, toInput);
    }

    @Override
    public void close() {
        destroy.call(handle);
    }

    private final class Described implements Prepared {
        private final Direction direction;
        private final long x = tensors.create.made();
        private final long y = tensors.create.made();
        private final long weight = filters.create.made();
        private final long convolution = convolutions.create.made();

        // In the order in which the functions want them.
        private final long first;
        private final long second;
        private final long result;

        Described(Sizes s, Direction direction) {
            this.direction = direction;
            int rank = s.x().length;
            int axes = s.stride().length;
            try (var arena = Arena.ofConfined()) {
                tensors.set.call(x, s.type(), rank, arena.allocateFrom(JAVA_INT, s.x()),
                        arena.allocateFrom(JAVA_INT, Cudnn.strides(s.x())));
                tensors.set.call(y, s.type(), rank, arena.allocateFrom(JAVA_INT, s.y()),
                        arena.allocateFrom(JAVA_INT, Cudnn.strides(s.y())));
                filters.set.call(weight, s.type(), cudnnTensorFormat.CUDNN_TENSOR_NCHW, rank, arena.allocateFrom(JAVA_INT, s.weight()));
                convolutions.set.call(
                        convolution, axes, arena.allocateFrom(JAVA_INT, s.padding()), arena.allocateFrom(JAVA_INT, s.stride()),
                        arena.allocateFrom(JAVA_INT, Cudnn.ones(axes)), cudnnConvolutionMode.CUDNN_CROSS_CORRELATION,
                        cudnnDataType.CUDNN_DATA_FLOAT);
            }
            setMath.call(convolution, s.math());
            first = direction.weightFirst ? weight : x;
            second = direction.weightFirst ? y : weight;
            result = direction.weightFirst ? x : y;
        }

        @Override
        public int[] algorithms() {
            try (var arena = Arena.ofConfined()) {
                var count = arena.allocate(JAVA_INT);
                var found = arena.allocate(ANSWER, MOST);
                direction.algorithms.call(handle, first, second, convolution, result, MOST, count, found);
                return IntStream.range(0, count.get(JAVA_INT, 0)).mapToObj(i -> found.asSlice(i * ANSWER.byteSize(), ANSWER))
                        .filter(p -> p.get(JAVA_INT, STATUS) == 0
                                && p.get(JAVA_INT, DETERMINISM) == cudnnDeterminism.CUDNN_DETERMINISTIC)
                        .mapToInt(p -> p.get(JAVA_INT, 0)).distinct().toArray();
            }
        }

        @Override
        public long workspace(int algorithm) {
            try (var arena = Arena.ofConfined()) {
                var bytes = arena.allocate(JAVA_LONG);
                int status = direction.workspace.status(handle, first, second, convolution, result, algorithm, bytes);
                return status == 0 ? bytes.get(JAVA_LONG, 0) : -1;
            }
        }

        @Override
        public void run(int algorithm, long from, long weights, long to, boolean add, long workspace, long bytes) {
            direction.run.call(handle, one, first, direction.weightFirst ? weights : from, second,
                    direction.weightFirst ? from : weights, convolution, algorithm, workspace, bytes, add ? one : zero, result, to);
        }

        @Override
        public void free() {
            convolutions.destroy.call(convolution);
            filters.destroy.call(weight);
            tensors.destroy.call(y);
            tensors.destroy.call(x);
        }
    }
}

package otherwise.backend.cuda;

import static jcuda.jcudnn.JCudnn.cudnnConvolutionBackwardData;
import static jcuda.jcudnn.JCudnn.cudnnConvolutionForward;
import static jcuda.jcudnn.JCudnn.cudnnCreate;
import static jcuda.jcudnn.JCudnn.cudnnCreateConvolutionDescriptor;
import static jcuda.jcudnn.JCudnn.cudnnCreateFilterDescriptor;
import static jcuda.jcudnn.JCudnn.cudnnCreateTensorDescriptor;
import static jcuda.jcudnn.JCudnn.cudnnDestroy;
import static jcuda.jcudnn.JCudnn.cudnnDestroyConvolutionDescriptor;
import static jcuda.jcudnn.JCudnn.cudnnDestroyFilterDescriptor;
import static jcuda.jcudnn.JCudnn.cudnnDestroyTensorDescriptor;
import static jcuda.jcudnn.JCudnn.cudnnGetConvolutionBackwardDataAlgorithm_v7;
import static jcuda.jcudnn.JCudnn.cudnnGetConvolutionBackwardDataWorkspaceSize;
import static jcuda.jcudnn.JCudnn.cudnnGetConvolutionForwardAlgorithm_v7;
import static jcuda.jcudnn.JCudnn.cudnnGetConvolutionForwardWorkspaceSize;
import static jcuda.jcudnn.JCudnn.cudnnGetVersion;
import static jcuda.jcudnn.JCudnn.cudnnSetConvolutionMathType;
import static jcuda.jcudnn.JCudnn.cudnnSetConvolutionNdDescriptor;
import static jcuda.jcudnn.JCudnn.cudnnSetFilterNdDescriptor;
import static jcuda.jcudnn.JCudnn.cudnnSetStream;
import static jcuda.jcudnn.JCudnn.cudnnSetTensorNdDescriptor;

import java.util.Arrays;
import java.util.stream.Stream;
import jcuda.Pointer;
import jcuda.jcudnn.cudnnConvolutionBwdDataAlgo;
import jcuda.jcudnn.cudnnConvolutionBwdDataAlgoPerf;
import jcuda.jcudnn.cudnnConvolutionDescriptor;
import jcuda.jcudnn.cudnnConvolutionFwdAlgo;
import jcuda.jcudnn.cudnnConvolutionFwdAlgoPerf;
import jcuda.jcudnn.cudnnConvolutionMode;
import jcuda.jcudnn.cudnnDataType;
import jcuda.jcudnn.cudnnDeterminism;
import jcuda.jcudnn.cudnnFilterDescriptor;
import jcuda.jcudnn.cudnnHandle;
import jcuda.jcudnn.cudnnStatus;
import jcuda.jcudnn.cudnnTensorDescriptor;
import jcuda.jcudnn.cudnnTensorFormat;
import jcuda.runtime.cudaStream_t;
import otherwise.backend.DeviceException;

/// cuDNN 8, through JCudnn.
final class JCudnn implements Cudnn {
    private final cudnnHandle handle = new cudnnHandle();
    private final Pointer zero = Pointer.to(new float[] {0});
    private final Pointer one = Pointer.to(new float[] {1});

    /// @throws DeviceException if a library is missing, or cuDNN refuses
    JCudnn(DeviceStream stream) {
        JCudaLibraries.loadCudnn();
        check("cudnnCreate", cudnnCreate(handle));
        check("cudnnSetStream", cudnnSetStream(handle, new cudaStream_t(stream)));
    }

    @Override
    public String description() {
        return "cuDNN " + Cudnn.version(cudnnGetVersion()) + " through JCudnn";
    }

    @Override
    public Prepared forward(Sizes s) {
        return new Forward(new Descriptors(s));
    }

    @Override
    public Prepared toInput(Sizes s) {
        return new ToInput(new Descriptors(s));
    }

    @Override
    public void close() {
        check("cudnnDestroy", cudnnDestroy(handle));
    }

    private static void check(String call, int status) {
        if (status != cudnnStatus.CUDNN_STATUS_SUCCESS) throw new DeviceException("cuda: " + call + ": " + cudnnStatus.stringFor(status));
    }

    private static final class Descriptors {
        final cudnnTensorDescriptor x = new cudnnTensorDescriptor();
        final cudnnTensorDescriptor y = new cudnnTensorDescriptor();
        final cudnnFilterDescriptor weight = new cudnnFilterDescriptor();
        final cudnnConvolutionDescriptor convolution = new cudnnConvolutionDescriptor();

        Descriptors(Sizes s) {
            tensor(x, s.type(), s.x());
            tensor(y, s.type(), s.y());
            check("cudnnCreateFilterDescriptor", cudnnCreateFilterDescriptor(weight));
            check("cudnnSetFilterNdDescriptor",
                    cudnnSetFilterNdDescriptor(weight, s.type(), cudnnTensorFormat.CUDNN_TENSOR_NCHW, s.weight().length, s.weight()));
            check("cudnnCreateConvolutionDescriptor", cudnnCreateConvolutionDescriptor(convolution));
            int axes = s.stride().length;
            check("cudnnSetConvolutionNdDescriptor", cudnnSetConvolutionNdDescriptor(convolution, axes, s.padding(), s.stride(),
                    Cudnn.ones(axes), cudnnConvolutionMode.CUDNN_CROSS_CORRELATION, cudnnDataType.CUDNN_DATA_FLOAT));
            check("cudnnSetConvolutionMathType", cudnnSetConvolutionMathType(convolution, s.math()));
        }

        private static void tensor(cudnnTensorDescriptor made, int type, int[] dims) {
            check("cudnnCreateTensorDescriptor", cudnnCreateTensorDescriptor(made));
            check("cudnnSetTensorNdDescriptor", cudnnSetTensorNdDescriptor(made, type, dims.length, dims, Cudnn.strides(dims)));
        }

        void free() {
            check("cudnnDestroyConvolutionDescriptor", cudnnDestroyConvolutionDescriptor(convolution));
            check("cudnnDestroyFilterDescriptor", cudnnDestroyFilterDescriptor(weight));
            check("cudnnDestroyTensorDescriptor", cudnnDestroyTensorDescriptor(y));
            check("cudnnDestroyTensorDescriptor", cudnnDestroyTensorDescriptor(x));
        }
    }

    private final class Forward implements Prepared {
        private final Descriptors d;

        Forward(Descriptors d) {
            this.d = d;
        }

        @Override
        public int[] algorithms() {
            var count = new int[1];
            var found = Stream.generate(cudnnConvolutionFwdAlgoPerf::new).limit(cudnnConvolutionFwdAlgo.CUDNN_CONVOLUTION_FWD_ALGO_COUNT)
                    .toArray(cudnnConvolutionFwdAlgoPerf[]::new);
            check("cudnnGetConvolutionForwardAlgorithm_v7", cudnnGetConvolutionForwardAlgorithm_v7(
                    handle, d.x, d.weight, d.convolution, d.y, found.length, count, found));
            return Arrays.stream(found, 0, count[0])
                    .filter(p -> p.status == cudnnStatus.CUDNN_STATUS_SUCCESS && p.determinism == cudnnDeterminism.CUDNN_DETERMINISTIC)
                    .mapToInt(p -> p.algo).distinct().toArray();
        }

        @Override
        public long workspace(int algorithm) {
            var bytes = new long[1];
            int status = cudnnGetConvolutionForwardWorkspaceSize(handle, d.x, d.weight, d.convolution, d.y, algorithm, bytes);
            return status == cudnnStatus.CUDNN_STATUS_SUCCESS ? bytes[0] : -1;
        }

        @Override
        public void run(int algorithm, long from, long weight, long to, boolean add, long workspace, long bytes) {
            check("cudnnConvolutionForward", cudnnConvolutionForward(
                    handle, one, d.x, new DeviceAddress(from), d.weight, new DeviceAddress(weight), d.convolution, algorithm,
                    new DeviceAddress(workspace), bytes, add ? one : zero, d.y, new DeviceAddress(to)));
        }

        @Override
        public void free() {
            d.free();
        }
    }

    private final class ToInput implements Prepared {
        private final Descriptors d;

        ToInput(Descriptors d) {
            this.d = d;
        }

        @Override
        public int[] algorithms() {
            var count = new int[1];
            var found = Stream.generate(cudnnConvolutionBwdDataAlgoPerf::new)
                    .limit(cudnnConvolutionBwdDataAlgo.CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT)
                    .toArray(cudnnConvolutionBwdDataAlgoPerf[]::new);
            check("cudnnGetConvolutionBackwardDataAlgorithm_v7", cudnnGetConvolutionBackwardDataAlgorithm_v7(
                    handle, d.weight, d.y, d.convolution, d.x, found.length, count, found));
            return Arrays.stream(found, 0, count[0])
                    .filter(p -> p.status == cudnnStatus.CUDNN_STATUS_SUCCESS && p.determinism == cudnnDeterminism.CUDNN_DETERMINISTIC)
                    .mapToInt(p -> p.algo).distinct().toArray();
        }

        @Override
        public long workspace(int algorithm) {
            var bytes = new long[1];
            int status = cudnnGetConvolutionBackwardDataWorkspaceSize(handle, d.weight, d.y, d.convolution, d.x, algorithm, bytes);
            return status == cudnnStatus.CUDNN_STATUS_SUCCESS ? bytes[0] : -1;
        }

        @Override
        public void run(int algorithm, long from, long weight, long to, boolean add, long workspace, long bytes) {
            check("cudnnConvolutionBackwardData", cudnnConvolutionBackwardData(
                    handle, one, d.weight, new DeviceAddress(weight), d.y, new DeviceAddress(from), d.convolution, algorithm,
                    new DeviceAddress(workspace), bytes, add ? one : zero, d.x, new DeviceAddress(to)));
        }

        @Override
        public void free() {
            d.free();
        }
    }
}

package otherwise.backend.cuda;

import java.util.Arrays;

/// The calls of cuDNN that are needed, whichever way they are bound. Each finds the device current on its thread.
interface Cudnn extends AutoCloseable {

    /// A convolution of dense arrays; its axes are time, height and width.
    ///
    /// @param type a constant of `cudnnDataType`, for all three arrays; sums are in float
    /// @param math a constant of `cudnnMathType`
    /// @param x `[batch, inputs, T, H, W]`, `weight` and `y` likewise
    /// @param padding zeros before and after each axis
    record Sizes(int type, int math, int[] x, int[] weight, int[] y, int[] padding, int[] stride) {}

    /// One convolution in one direction, as cuDNN has it.
    interface Prepared {
        /// The ways in which cuDNN can compute it, the best first by its own estimate; those alone that always add in the same order.
        int[] algorithms();

        /// Bytes that one of them needs to work in; negative if it does not go.
        long workspace(int algorithm);

        /// @param from the address of what is convolved
        /// @param add whether the result is added to what is there
        /// @throws otherwise.backend.DeviceException with what cuDNN says
        void run(int algorithm, long from, long weight, long to, boolean add, long workspace, long bytes);

        /// Gives up the descriptors.
        void free();
    }

    /// Version and binding, for a person.
    String description();

    /// From x to y.
    Prepared forward(Sizes s);

    /// From the gradient of y to that of x.
    Prepared toInput(Sizes s);

    @Override
    void close();

    /// The three numbers of `cudnnGetVersion`: 8907 is 8.9.7, and from version 9 on 90100 is 9.1.0.
    static String version(long number) {
        return number < 10_000 ? number / 1000 + "." + number % 1000 / 100 + "." + number % 100
                : number / 10_000 + "." + number % 10_000 / 100 + "." + number % 100;
    }

    /// The strides of a dense array.
    static int[] strides(int[] dims) {
        var strides = new int[dims.length];
        int stride = 1;
        for (int i = dims.length - 1; i >= 0; i--) {
            strides[i] = stride;
            stride *= dims[i];
        }
        return strides;
    }

    /// As cuDNN wants it for an axis: no steps in the kernel.
    static int[] ones(int axes) {
        var ones = new int[axes];
        Arrays.fill(ones, 1);
        return ones;
    }
}

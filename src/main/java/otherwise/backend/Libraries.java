package otherwise.backend;

import java.util.Locale;

/// Whose matrix products and convolutions an NVIDIA GPU computes: those of the kernels of this program, or of NVIDIA's libraries.
public record Libraries(Gemm gemm, Conv conv) {

    /// A library where it can be loaded and works on the device, else our kernels.
    public static final Libraries AUTO = new Libraries(Gemm.AUTO, Conv.AUTO);

    /// Our kernels alone.
    public static final Libraries OURS = new Libraries(Gemm.OURS, Conv.OURS);

    /// Who multiplies matrices.
    public enum Gemm {
        AUTO,
        OURS,
        CUBLAS;

        /// As an option has it.
        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /// Who convolves.
    public enum Conv {
        AUTO,
        OURS,
        CUDNN;

        /// As an option has it.
        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /// For a device on which there are no such libraries.
    ///
    /// @throws DeviceException if one is asked for all the same
    void refuse(String device) {
        if (gemm == Gemm.CUBLAS) throw new DeviceException("--gemm cublas is for device cuda; " + device + " has our own products alone");
        if (conv == Conv.CUDNN) throw new DeviceException("--conv cudnn is for device cuda; " + device + " has our own convolutions alone");
    }
}

package otherwise.cli;

import otherwise.backend.Backend;
import otherwise.backend.Backends;
import otherwise.backend.Libraries;
import picocli.CommandLine.Option;

/// Where to compute, and with whose products and convolutions.
public final class DeviceOptions {
    @Option(names = "--device", defaultValue = "cpu", paramLabel = "NAME",
            description = "Where to compute; see: otherwise devices (default: ${DEFAULT-VALUE}).")
    private String device;

    @Option(names = "--gemm", defaultValue = "auto", paramLabel = "ours|cublas",
            description = "Whose matrix products on device cuda (default: cuBLAS where it can be loaded).")
    private Libraries.Gemm gemm;

    @Option(names = "--conv", defaultValue = "auto", paramLabel = "ours|cudnn",
            description = "Whose convolutions on device cuda (default: cuDNN where it can be loaded).")
    private Libraries.Conv conv;

    /// @param threads CPU threads; 0 means all
    public Backend open(int threads) {
        return Backends.open(device, threads, new Libraries(gemm, conv));
    }

    /// The options that were given a value of their own, as they would be typed: `cuda --gemm ours`.
    @Override
    public String toString() {
        return device + (gemm == Libraries.Gemm.AUTO ? "" : " --gemm " + gemm) + (conv == Libraries.Conv.AUTO ? "" : " --conv " + conv);
    }
}

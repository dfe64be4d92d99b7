package otherwise.backend.cuda;

import static jcuda.nvrtc.JNvrtc.nvrtcCompileProgram;
import static jcuda.nvrtc.JNvrtc.nvrtcCreateProgram;
import static jcuda.nvrtc.JNvrtc.nvrtcDestroyProgram;
import static jcuda.nvrtc.JNvrtc.nvrtcGetCUBIN;
import static jcuda.nvrtc.JNvrtc.nvrtcGetCUBINSize;
import static jcuda.nvrtc.JNvrtc.nvrtcGetErrorString;
import static jcuda.nvrtc.JNvrtc.nvrtcGetNumSupportedArchs;
import static jcuda.nvrtc.JNvrtc.nvrtcGetProgramLog;
import static jcuda.nvrtc.JNvrtc.nvrtcGetSupportedArchs;
import static jcuda.nvrtc.JNvrtc.nvrtcVersion;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import jcuda.nvrtc.nvrtcProgram;
import jcuda.nvrtc.nvrtcResult;
import otherwise.backend.DeviceException;

/// CUDA's compiler as a library. It needs no compiler for the host, and knows no headers but those that it is given.
final class Nvrtc implements KernelCompiler.Compiler {
    /// It takes a function that does not say where it runs, and generic lambdas cannot, for one of the host, and wants none of those.
    private static final String EVERYTHING_ON_DEVICE = "-default-device";

    private final String version;

    private Nvrtc(String version) {
        this.version = version;
    }

    /// @param missing is told why there is none, or none that knows the architecture
    static Optional<KernelCompiler.Compiler> find(String architecture, List<String> missing) {
        var absent = JCudaLibraries.loadNvrtc();
        if (absent.isPresent()) {
            missing.add(absent.get());
            return Optional.empty();
        }
        var major = new int[1];
        var minor = new int[1];
        check(nvrtcVersion(major, minor), "nvrtcVersion");
        var version = "NVRTC " + major[0] + "." + minor[0];
        var n = new int[1];
        check(nvrtcGetNumSupportedArchs(n), "nvrtcGetNumSupportedArchs");
        var known = new int[n[0]];
        check(nvrtcGetSupportedArchs(known), "nvrtcGetSupportedArchs");
        if (Arrays.stream(known).noneMatch(a -> architecture.equals("sm_" + a))) {
            missing.add(version + " does not know " + architecture);
            return Optional.empty();
        }
        return Optional.of(new Nvrtc(version));
    }

    @Override
    public String version() {
        return version;
    }

    @Override
    public byte[] compile(String name, String text, List<String> options) {
        var program = new nvrtcProgram();
        var names = KernelFiles.HEADERS.toArray(String[]::new);
        var texts = Arrays.stream(names).map(KernelFiles::text).toArray(String[]::new);
        check(nvrtcCreateProgram(program, text, name, names.length, texts, names), "nvrtcCreateProgram");
        try {
            var all = Stream.concat(Stream.of(EVERYTHING_ON_DEVICE), options.stream()).toArray(String[]::new);
            int status = nvrtcCompileProgram(program, all.length, all);
            if (status == nvrtcResult.NVRTC_ERROR_COMPILATION || status == nvrtcResult.NVRTC_ERROR_INVALID_OPTION) {
                var log = new String[1];
                check(nvrtcGetProgramLog(program, log), "nvrtcGetProgramLog");
                throw new DeviceException("NVRTC refuses: " + log[0].strip());
            }
            check(status, "nvrtcCompileProgram " + name);
            var size = new long[1];
            check(nvrtcGetCUBINSize(program, size), "nvrtcGetCUBINSize");
            var code = new byte[Math.toIntExact(size[0])];
            check(nvrtcGetCUBIN(program, code), "nvrtcGetCUBIN");
            return code;
        } finally {
            check(nvrtcDestroyProgram(program), "nvrtcDestroyProgram");
        }
    }

    private static void check(int status, String call) {
        if (status != nvrtcResult.NVRTC_SUCCESS) throw new DeviceException(call + ": " + nvrtcGetErrorString(status));
    }
}

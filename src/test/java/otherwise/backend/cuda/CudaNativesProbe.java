package otherwise.backend.cuda;

import java.util.ArrayList;
import java.util.List;
import otherwise.backend.DeviceException;

/// What [CudaNativesTest] runs in a process of its own: loads the real libraries, and prints what they say without a GPU.
final class CudaNativesProbe {
    private CudaNativesProbe() {}

    public static void main(String[] args) {
        // All that a kernel file can have: templates, generic lambdas, and what Hopper GPUs alone are told.
        for (var file : List.of("softmax", "attention_tensor", "matmul_hopper", "conv3d_hopper"))
            System.out.println("compiled " + file + ": " + said(() -> compile(file)));
        System.out.println("cublas 12: " + said(() -> new JCublas(new DeviceStream(), 0, 0).close()));
        System.out.println("cublas 13: " + said(() -> new ForeignCublas(new DeviceStream(), 0, 0).close()));
        System.out.println("cudnn 8: " + said(() -> new JCudnn(new DeviceStream()).close()));
        System.out.println("cudnn 9: " + said(() -> new ForeignCudnn(new DeviceStream()).close()));
        for (var file : JCudaLibraries.loaded()) System.out.println("file " + file.substring(file.lastIndexOf('/') + 1) + ": " + file);
    }

    /// Whatever the cache has of it.
    private static void compile(String file) {
        var compiler = Nvrtc.find("sm_90", new ArrayList<>()).orElseThrow();
        if (!compiler.version().equals("NVRTC 12.3")) throw new DeviceException(compiler.version());
        compiler.compile(file + ".cu", KernelFiles.text(file + ".cu"), List.of("-std=c++17", "-arch=sm_90a", "-DREAL=bf16"));
    }

    private static String said(Runnable call) {
        try {
            call.run();
            return "ready";
        } catch (DeviceException e) {
            return e.getMessage();
        }
    }
}

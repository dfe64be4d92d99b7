package otherwise.backend.cuda;

import otherwise.backend.DeviceException;

/// What [CudaNativesTest] runs in a process of its own: loads the real libraries, and prints what they say without a GPU.
final class CudaNativesProbe {
    private CudaNativesProbe() {}

    public static void main(String[] args) {
        System.out.println("nvrtc: " + JCudaLibraries.loadNvrtc().orElse("loaded"));
        System.out.println("cublas 12: " + said(() -> new JCublas(new DeviceStream(), 0, 0).close()));
        System.out.println("cublas 13: " + said(() -> new ForeignCublas(new DeviceStream(), 0, 0).close()));
        System.out.println("cudnn 8: " + said(() -> new JCudnn(new DeviceStream()).close()));
        System.out.println("cudnn 9: " + said(() -> new ForeignCudnn(new DeviceStream()).close()));
        for (var file : JCudaLibraries.loaded()) System.out.println("file " + file.substring(file.lastIndexOf('/') + 1) + ": " + file);
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

package otherwise.backend.cuda;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.List;
import otherwise.backend.DeviceException;

/// Loads the native halves of JCuda.
///
/// JCuda itself asks the virtual machine for a library first, and then takes whatever file of the right name lies in `java.io.tmpdir`, where
/// anybody may have put it. So its library is unpacked into a folder of our own, compared with what the jar holds, and loaded from there before
/// a class of JCuda asks; and while one asks, `java.io.tmpdir` is that folder, so that it finds the same file.
@SuppressWarnings("restricted") // native code is what this class is for
final class JCudaLibraries {
    private static final String VERSION = "12.6.0";
    private static final String DRIVER = "JCudaDriver";
    private static final String CUBLAS = "JCublas2";
    private static final String CUDNN = "JCudnn";
    static final String LIBCUDA = "libcuda.so.1";
    private static final String LIBCUBLAS = "libcublas.so.12";
    private static final String LIBCUDNN = "libcudnn.so.8";

    /// The newest JCudnn there is. Beside a JCuda of [#VERSION] it looks for its native half under that version.
    private static final String CUDNN_VERSION = "11.7.0";

    private JCudaLibraries() {}

    /// Makes `jcuda.driver` usable.
    ///
    /// @throws DeviceException with the library that is missing, or cannot be loaded
    static synchronized void loadDriver() {
        var platform = System.getProperty("os.name") + " " + System.getProperty("os.arch");
        if (!platform.equals("Linux amd64")) throw new DeviceException("cuda needs Linux on x86-64; this is " + platform);
        if (!CudaLibraries.present(LIBCUDA)) {
            throw new DeviceException(
                    "cuda needs the library " + LIBCUDA + " of an NVIDIA driver, which is not found; it comes with the driver, "
                            + "and nothing else of CUDA need be installed");
        }
        load(DRIVER, VERSION, "jcuda.driver.JCudaDriver");
    }

    /// Makes `jcuda.jcublas.JCublas2` usable.
    ///
    /// @throws DeviceException with the library that is missing, or cannot be loaded
    static synchronized void loadCublas() {
        require(LIBCUBLAS, "libcublasLt.so.12");
        load(CUBLAS, VERSION, "jcuda.jcublas.JCublas2");
    }

    /// Makes `jcuda.jcudnn.JCudnn` usable.
    ///
    /// @throws DeviceException with the library that is missing, or cannot be loaded
    static synchronized void loadCudnn() {
        // cuDNN asks for its own parts by name, when they are needed.
        require(LIBCUDNN, "libcublasLt.so.12", LIBCUBLAS, LIBCUDNN, "libcudnn_ops_infer.so.8", "libcudnn_cnn_infer.so.8",
                "libcudnn_ops_train.so.8", "libcudnn_cnn_train.so.8");
        load(CUDNN, CUDNN_VERSION, "jcuda.jcudnn.JCudnn");
    }

    private static void require(String library, String... parts) {
        if (CudaLibraries.find(library, parts).isEmpty()) throw new DeviceException(library + " is not found");
    }

    private static void load(String library, String version, String face) {
        var file = unpack(file(library, version), file(library, VERSION));
        refuseOthers(file(library, VERSION));
        var property = "java.io.tmpdir";
        var before = System.getProperty(property);
        System.setProperty(property, file.getParent().toString());
        try {
            System.load(file.toString());
            Class.forName(face);
        } catch (LinkageError | ClassNotFoundException e) {
            throw new DeviceException("cuda: " + file + " cannot be loaded: " + firstLine(e), e);
        } finally {
            System.setProperty(property, before);
        }
    }

    private static String file(String library, String version) {
        return System.mapLibraryName(library + "-" + version + "-linux-x86_64");
    }

    /// What lies on the library path comes first for JCuda: then two would be loaded, and chance decides which one is called.
    private static void refuseOthers(String file) {
        for (var folder : System.getProperty("java.library.path", "").split(java.io.File.pathSeparator)) {
            var other = Path.of(folder, file);
            if (Files.exists(other))
                throw new DeviceException(other + " would be loaded instead of ours; take its folder off java.library.path");
        }
    }

    /// The library of the jar as a file that only its owner can change.
    ///
    /// @param as its name there
    static Path unpack(String file, String as) {
        try (var in = JCudaLibraries.class.getResourceAsStream("/lib/" + file)) {
            if (in == null) throw new DeviceException("lib/" + file + " is missing from this build");
            var bytes = in.readAllBytes();
            var folder = KernelFiles.cache().resolve("jcuda-" + VERSION + "-" + KernelFiles.hash(bytes));
            var target = KernelFiles.privately(folder).resolve(as);
            // Compared byte by byte, which is stronger than by a hash, on every start.
            if (!Files.isRegularFile(target, LinkOption.NOFOLLOW_LINKS) || !Arrays.equals(Files.readAllBytes(target), bytes)) {
                var made = Files.createTempFile(folder, "unpacked", ".so");
                Files.write(made, bytes);
                Files.move(made, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            }
            return target;
        } catch (IOException e) {
            throw new DeviceException("cuda: " + as + " cannot be unpacked: " + e.getMessage(), e);
        }
    }

    /// The files of CUDA and JCuda that this process has loaded, as the kernel tells.
    static List<String> loaded() {
        try (var lines = Files.lines(Path.of("/proc/self/maps"))) {
            return lines.filter(line -> line.matches(".*/lib(cuda\\.so|nvrtc\\.so|cublas|cudnn|JCu)[^/]*"))
                    .map(line -> line.substring(line.indexOf('/'))).distinct().toList();
        } catch (IOException e) {
            throw new UncheckedIOException("/proc/self/maps", e);
        }
    }

    private static String firstLine(Throwable e) {
        return String.valueOf(e.getMessage()).lines().findFirst().orElse("");
    }
}

package otherwise.backend.cuda;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
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
    private static final String NVRTC = "JNvrtc";
    static final String LIBCUDA = "libcuda.so.1";
    private static final String LIBNVRTC = "libnvrtc.so.12";

    private JCudaLibraries() {}

    /// Makes `jcuda.driver` usable.
    ///
    /// @throws DeviceException with the library that is missing, or cannot be loaded
    static synchronized void loadDriver() {
        var platform = System.getProperty("os.name") + " " + System.getProperty("os.arch");
        if (!platform.equals("Linux amd64")) throw new DeviceException("cuda needs Linux on x86-64; this is " + platform);
        if (!present(LIBCUDA)) {
            throw new DeviceException(
                    "cuda needs the library " + LIBCUDA + " of an NVIDIA driver, which is not found; it comes with the driver, "
                            + "and nothing else of CUDA need be installed");
        }
        load(DRIVER, "jcuda.driver.JCudaDriver");
    }

    /// Makes `jcuda.nvrtc` usable.
    ///
    /// @return why it is not
    static synchronized Optional<String> loadNvrtc() {
        if (!present(LIBNVRTC) && !presentInToolkit()) return Optional.of(LIBNVRTC + " is not found");
        try {
            load(NVRTC, "jcuda.nvrtc.JNvrtc");
            return Optional.empty();
        } catch (DeviceException e) {
            return Optional.of(e.getMessage());
        }
    }

    private static boolean present(String library) {
        try {
            SymbolLookup.libraryLookup(library, Arena.global());
            return true;
        } catch (IllegalArgumentException _) {
            return false;
        }
    }

    /// Where the CUDA toolkit is installed without the system's loader knowing. Once loaded, the library answers to its name.
    private static boolean presentInToolkit() {
        for (var home : Arrays.asList(System.getenv("CUDA_HOME"), System.getenv("CUDA_PATH"), "/usr/local/cuda", "/usr/local/cuda-12")) {
            if (home != null && present(Path.of(home, "lib64", LIBNVRTC).toString())) return true;
        }
        return false;
    }

    private static void load(String library, String face) {
        var name = library + "-" + VERSION + "-linux-x86_64";
        var file = unpack(System.mapLibraryName(name));
        refuseOthers(System.mapLibraryName(name));
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

    /// What lies on the library path comes first for JCuda: then two would be loaded, and chance decides which one is called.
    private static void refuseOthers(String file) {
        for (var folder : System.getProperty("java.library.path", "").split(java.io.File.pathSeparator)) {
            var other = Path.of(folder, file);
            if (Files.exists(other))
                throw new DeviceException(other + " would be loaded instead of ours; take its folder off java.library.path");
        }
    }

    /// The library of the jar as a file that only its owner can change.
    static Path unpack(String file) {
        try (var in = JCudaLibraries.class.getResourceAsStream("/lib/" + file)) {
            if (in == null) throw new DeviceException("lib/" + file + " is missing from this build");
            var bytes = in.readAllBytes();
            var folder = KernelFiles.cache().resolve("jcuda-" + VERSION + "-" + KernelFiles.hash(bytes));
            var target = KernelFiles.privately(folder).resolve(file);
            // Compared byte by byte, which is stronger than by a hash, on every start.
            if (!Files.isRegularFile(target, LinkOption.NOFOLLOW_LINKS) || !Arrays.equals(Files.readAllBytes(target), bytes)) {
                var made = Files.createTempFile(folder, "unpacked", ".so");
                Files.write(made, bytes);
                Files.move(made, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            }
            return target;
        } catch (IOException e) {
            throw new UncheckedIOException("while unpacking " + file, e);
        }
    }

    /// The files of CUDA and JCuda that this process has loaded, as the kernel tells.
    static List<String> loaded() {
        try (var lines = Files.lines(Path.of("/proc/self/maps"))) {
            return lines.filter(line -> line.matches(".*/lib(cuda\\.so|nvrtc\\.so|JCuda|JNvrtc)[^/]*"))
                    .map(line -> line.substring(line.indexOf('/'))).distinct().toList();
        } catch (IOException e) {
            throw new UncheckedIOException("/proc/self/maps", e);
        }
    }

    private static String firstLine(Throwable e) {
        return String.valueOf(e.getMessage()).lines().findFirst().orElse("");
    }
}

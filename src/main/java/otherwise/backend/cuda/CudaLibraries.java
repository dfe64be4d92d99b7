package otherwise.backend.cuda;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.net.JarURLConnection;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import otherwise.backend.DeviceException;

/// Finds CUDA's own libraries: in this build, if the Maven profile `cuda-redist` put them there; with the system's loader; or in an
/// installed toolkit, of which the loader need not know.
///
/// What has been loaded by its path answers to its name from then on, for other libraries too. So a library is loaded after those that it
/// needs, and what it loads by itself is there already.
@SuppressWarnings("restricted") // native code is what this class is for
final class CudaLibraries {
    private static final String BUILD = "/org/bytedeco/cuda/linux-x86_64/";

    private CudaLibraries() {}

    /// Loads a library.
    ///
    /// @param parts what is loaded from this build or from a toolkit, in this order; the library itself comes last if it is not among them
    /// @return its symbols, or nothing if it is nowhere
    /// @throws DeviceException if it is there and cannot be loaded
    static Optional<SymbolLookup> find(String library, String... parts) {
        var all = new LinkedHashSet<>(List.of(parts));
        all.add(library);
        var build = CudaLibraries.class.getResource(BUILD + library);
        if (build != null) {
            for (var name : all) load(unpack(CudaLibraries.class.getResource(BUILD + name), name));
            return Optional.of(loaded(library));
        }
        if (present(library)) return Optional.of(loaded(library));
        for (var folder : toolkits().toList()) {
            if (!Files.exists(folder.resolve(library))) continue;
            all.stream().map(folder::resolve).filter(Files::exists).forEach(CudaLibraries::load);
            return Optional.of(loaded(library));
        }
        return Optional.empty();
    }

    /// Whether this build has it.
    static boolean inBuild(String name) {
        return CudaLibraries.class.getResource(BUILD + name) != null;
    }

    private static SymbolLookup loaded(String library) {
        try {
            return SymbolLookup.libraryLookup(library, Arena.global());
        } catch (IllegalArgumentException e) {
            throw new DeviceException("cuda: " + library + " is there, but does not answer to its name", e);
        }
    }

    /// Whether the system's loader finds it, or it has been loaded already.
    static boolean present(String library) {
        try {
            SymbolLookup.libraryLookup(library, Arena.global());
            return true;
        } catch (IllegalArgumentException _) {
            return false;
        }
    }

    private static Stream<Path> toolkits() {
        return Stream
                .of(System.getenv("CUDA_HOME"), System.getenv("CUDA_PATH"), "/usr/local/cuda", "/usr/local/cuda-12", "/usr/local/cuda-13")
                .filter(Objects::nonNull).map(home -> Path.of(home, "lib64"));
    }

    private static void load(Path file) {
        try {
            System.load(file.toAbsolutePath().toString());
        } catch (UnsatisfiedLinkError e) {
            throw new DeviceException("cuda: " + String.valueOf(e.getMessage()).lines().findFirst().orElse(file.toString()), e);
        }
    }

    /// A library of this build as a file. They are large, hundreds of MB: what has been unpacked is known by the name of its jar, in which is
    /// the version, and by its length. Nobody but its owner can write to the folder.
    private static Path unpack(URL url, String name) {
        if (url == null) throw new DeviceException("cuda: " + name + " is missing from this build");
        try {
            var jar = (JarURLConnection) url.openConnection();
            long size = jar.getJarEntry().getSize();
            var archive = Path.of(jar.getJarFileURL().getPath()).getFileName().toString();
            var folder = KernelFiles.privately(KernelFiles.cache().resolve(archive.replaceAll("\\.jar$", "")));
            var target = folder.resolve(name);
            if (Files.isRegularFile(target, LinkOption.NOFOLLOW_LINKS) && Files.size(target) == size) return target;
            var made = Files.createTempFile(folder, "unpacked", ".so");
            try (var in = jar.getInputStream()) {
                Files.copy(in, made, StandardCopyOption.REPLACE_EXISTING);
                return Files.move(made, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            } finally {
                Files.deleteIfExists(made);
            }
        } catch (IOException e) {
            throw new DeviceException("cuda: " + name + " cannot be unpacked: " + e.getMessage(), e);
        }
    }
}

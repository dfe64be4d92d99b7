package otherwise.backend.cuda;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import otherwise.backend.DType;
import otherwise.backend.DeviceException;

/// Compiles kernel files with g++ into libraries, and keeps them by the hash of their text, the compiler and its options.
final class EmulationCompiler {
    private static final CompilerProgram COMPILER = new CompilerProgram("g++");
    private static final String RUNTIME = "emulation/emulation.cpp";
    private static final List<String> HEADERS = List.of(
            "emulation/emulation.h", "emulation/hopper.h", "emulation/memory.h", "emulation/fibers.h", "emulation/blocks.h",
            "emulation/accesses.h");

    private static final List<String> OPTIONS = List.of("-std=c++17", "-O2", "-fPIC", "-shared", "-pthread");

    /// Every load and store of a kernel becomes a call; what lies on its own stack is no device memory, and needs no room around it.
    private static final List<String> CHECKED = List.of(
            "-fno-exceptions", "-ffp-contract=off", "-DOTHERWISE_EMULATION", "-fsanitize=kernel-address", "--param",
            "asan-instrumentation-with-call-threshold=0", "--param", "asan-stack=0", "--param", "asan-globals=0");

    private final String version;
    private final Path cache = KernelFiles.cache();

    /// @throws DeviceException without a g++
    EmulationCompiler() {
        try {
            version = COMPILER.run(List.of("--version")).lines().findFirst().orElse(COMPILER.name());
        } catch (IOException e) {
            throw new DeviceException(EmulatedDriver.NAME + " needs g++, which cannot be started: " + e.getMessage(), e);
        }
    }

    /// What g++ says it is.
    String version() {
        return version;
    }

    /// The library of emulation.cpp.
    Path runtime() {
        return library("emulation", KernelFiles.text(RUNTIME), List.of(), RUNTIME);
    }

    /// The library of a kernel file for one type.
    ///
    /// @throws DeviceException with what g++ says
    Path compile(String file, DType real) {
        var text = KernelFiles.text(file + ".cu");
        var all = new StringBuilder(text).append('\n');
        for (var kernel : KernelFiles.kernels(text)) all.append("EMULATED_KERNEL(%s, %d)\n".formatted(kernel.name(), kernel.cluster()));
        var options = new ArrayList<>(CHECKED);
        options.add("-DREAL=" + KernelFiles.cName(real));
        return library(file + "-" + real, all.toString(), options, file + ".cpp");
    }

    /// Whether it is as it was made: a library that lacks its end would take the whole virtual machine down.
    private static boolean sound(Path library) {
        try {
            return Files.exists(library) && Files.exists(seal(library))
                    && Files.readString(seal(library)).equals(KernelFiles.hash(Files.readAllBytes(library)));
        } catch (IOException e) {
            throw new UncheckedIOException(library.toString(), e);
        }
    }

    private static Path seal(Path library) {
        return library.resolveSibling(library.getFileName() + ".sha256");
    }

    private Path library(String name, String text, List<String> options, String source) {
        var headers = HEADERS.stream().map(KernelFiles::text).toList();
        // A kernel's library names the runtime that it was linked with.
        var linked = options.isEmpty() ? "" : runtime().toString();
        var target = cache
                .resolve(name + "-"
                        + KernelFiles.hash(version, text, KernelFiles.headers(), String.join("", headers), options.toString(), linked)
                        + ".so");
        if (sound(target)) return target;
        try (var work = CompilerProgram.Workplace.open()) {
            for (int i = 0; i < headers.size(); i++) work.write(HEADERS.get(i), headers.get(i));
            work.writeHeaders();
            var file = work.write(source, text);
            var made = work.path().resolve("made.so");
            var arguments = new ArrayList<>(OPTIONS);
            arguments.addAll(options);
            arguments.addAll(List.of("-I", work.path().toString(), file.toString(), "-o", made.toString()));
            if (!linked.isEmpty()) arguments.add(linked);
            COMPILER.run(arguments);
            Files.writeString(seal(target), KernelFiles.hash(Files.readAllBytes(made)));
            Files.move(made, target, StandardCopyOption.ATOMIC_MOVE);
            return target;
        } catch (IOException e) {
            throw new UncheckedIOException("while compiling " + source, e);
        }
    }
}

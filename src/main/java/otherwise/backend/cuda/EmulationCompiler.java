package otherwise.backend.cuda;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import otherwise.backend.DType;
import otherwise.backend.DeviceException;

/// Compiles kernel files with g++ into libraries, and keeps them by the hash of their text, the compiler and its options.
final class EmulationCompiler {
    private static final String RUNTIME = "emulation/emulation.cpp";
    private static final String HEADER = "emulation/emulation.h";
    private static final String COMMON = "common.cuh";

    private static final List<String> OPTIONS = List.of("-std=c++17", "-O2", "-fPIC", "-shared", "-pthread");

    /// Every load and store of a kernel becomes a call; what lies on its own stack is no device memory, and needs no room around it.
    private static final List<String> CHECKED = List.of(
            "-fno-exceptions", "-ffp-contract=off", "-DOTHERWISE_EMULATION", "-fsanitize=kernel-address", "--param",
            "asan-instrumentation-with-call-threshold=0", "--param", "asan-stack=0", "--param", "asan-globals=0");

    private final String version;
    private final Path cache = KernelFiles.cache();

    EmulationCompiler() {
        version = run(List.of("g++", "--version")).lines().findFirst().orElse("g++");
    }

    /// What g++ says it is.
    String version() {
        return version;
    }

    /// The library of emulation.cpp.
    Path runtime() {
        return library("emulation", KernelFiles.text(RUNTIME), List.of(), "emulation.cpp");
    }

    /// The library of a kernel file for one type.
    ///
    /// @throws DeviceException with what g++ says
    Path compile(String file, DType real) {
        var text = KernelFiles.text(file + ".cu");
        var all = new StringBuilder(text).append('\n');
        for (var kernel : KernelFiles.kernels(text)) all.append("EMULATED_KERNEL(").append(kernel).append(")\n");
        var options = new ArrayList<>(CHECKED);
        options.add("-DREAL=" + KernelFiles.cName(real));
        return library(file + "-" + real, all.toString(), options, file + ".cpp");
    }

    private Path library(String name, String text, List<String> options, String source) {
        var common = KernelFiles.text(COMMON);
        var header = KernelFiles.text(HEADER);
        // A kernel's library names the runtime that it was linked with.
        var linked = options.isEmpty() ? "" : runtime().toString();
        var target = cache.resolve(name + "-" + KernelFiles.hash(version, text, common, header, options.toString(), linked) + ".so");
        if (Files.exists(target)) return target;
        try {
            var work = Files.createTempDirectory(cache, "compile");
            try {
                Files.createDirectories(work.resolve("emulation"));
                Files.writeString(work.resolve(HEADER), header);
                Files.writeString(work.resolve("emulation.h"), header);
                Files.writeString(work.resolve(COMMON), common);
                Files.writeString(work.resolve(source), text);
                var made = work.resolve("made.so");
                var command = new ArrayList<>(List.of("g++"));
                command.addAll(OPTIONS);
                command.addAll(options);
                command.addAll(List.of("-I", work.toString(), work.resolve(source).toString(), "-o", made.toString()));
                if (!linked.isEmpty()) command.add(linked);
                run(command);
                Files.move(made, target, StandardCopyOption.ATOMIC_MOVE);
                return target;
            } finally {
                delete(work);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("while compiling " + source, e);
        }
    }

    private static void delete(Path folder) throws IOException {
        try (var all = Files.walk(folder)) {
            for (var path : all.sorted(java.util.Comparator.reverseOrder()).toList()) Files.delete(path);
        }
    }

    /// Runs a program to its end; returns what it prints.
    private static String run(List<String> command) {
        try {
            var process = new ProcessBuilder(command).redirectErrorStream(true).start();
            process.getOutputStream().close();
            var output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (process.waitFor() != 0) throw new DeviceException("g++ refuses:\n" + output.strip());
            return output;
        } catch (IOException e) {
            throw new DeviceException(EmulatedDriver.NAME + " needs g++, which cannot be started: " + e.getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new DeviceException("interrupted while g++ ran", e);
        }
    }
}

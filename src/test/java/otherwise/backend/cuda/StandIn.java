package otherwise.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/// Libraries of CUDA that stand in for the real ones, and processes in which they do.
final class StandIn {
    private StandIn() {}

    /// Compiles a file of the test's resources into the library `name` in `folder`; gives its path.
    static String library(Path folder, String source, String name, String... options) throws IOException, InterruptedException {
        var file = folder.resolve(source);
        if (!Files.exists(file)) {
            try (var in = StandIn.class.getResourceAsStream(source)) {
                Files.copy(in, file);
            }
        }
        var library = folder.resolve(name).toString();
        var command = new ArrayList<>(List.of("g++", "-shared", "-fPIC", "-O1", "-Wl,-soname," + name, "-Wl,--default-symver"));
        command.addAll(List.of(options));
        command.addAll(List.of(file.toString(), "-o", library));
        run(Map.of(), command.toArray(String[]::new));
        return library;
    }

    /// What a class prints in a process of its own: lines of a name, a colon and a text.
    static Map<String, String> lines(Class<?> probe, Map<String, String> environment) throws IOException, InterruptedException {
        return run(environment, Path.of(System.getProperty("java.home"), "bin", "java").toString(), "--enable-native-access=ALL-UNNAMED",
                "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", System.getProperty("java.class.path"), probe.getName())
                .lines()
                .collect(Collectors.toMap(line -> line.substring(0, line.indexOf(": ")), line -> line.substring(line.indexOf(": ") + 2)));
    }

    /// What a command prints.
    static String run(Map<String, String> environment, String... command) throws IOException, InterruptedException {
        var builder = new ProcessBuilder(List.of(command)).redirectErrorStream(true);
        builder.environment().putAll(environment);
        var process = builder.start();
        process.getOutputStream().close();
        var output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), output);
        return output;
    }
}

package otherwise.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.util.concurrent.ExecutionException;
import java.util.function.IntSupplier;
import org.junit.jupiter.api.Test;
import otherwise.backend.DeviceException;

/// Every failure is one line and the exit code of the design.
class FailureTest {

    /// An exit code and what was printed on standard error meanwhile.
    private record Outcome(int code, String printed) {}

    @Test
    void inputIsTwo() {
        assertEquals(new Outcome(2, "otherwise: --target: no class 'left'\n"),
                report(new IllegalArgumentException("--target: no class 'left'")));
        assertEquals(new Outcome(2, "otherwise: a.mp4: no such file\n"), report(new NoSuchFileException("a.mp4")));
        assertEquals(new Outcome(2, "otherwise: a.mp4: no permission\n"),
                report(new UncheckedIOException(new AccessDeniedException("a.mp4"))));
        assertEquals(new Outcome(2, "otherwise: a.mp4: cut short\n"),
                report(new ExecutionException(new IOException("a.mp4: cut short\nmore"))));
    }

    @Test
    void machineIsThree() {
        assertEquals(new Outcome(3, "otherwise: no CUDA driver\n"), report(new DeviceException("no CUDA driver")));
        assertEquals(new Outcome(3, "otherwise: out of memory: Java heap space\n"), report(new OutOfMemoryError("Java heap space")));
    }

    @Test
    void mistakesOfOursSayHowToSeeMore() {
        var mistake = new IllegalStateException("freed twice");
        assertEquals(
                new Outcome(3, "otherwise: IllegalStateException: freed twice (unexpected; run again with --stacktrace)\n"),
                report(mistake));
        var shown = capture(() -> Failure.report(mistake, true)).printed();
        assertTrue(shown.contains("at otherwise.cli.FailureTest"), shown);
    }

    @Test
    void wrongUsageIsTwoAndNamesTheHelp() {
        var wrong = capture(() -> Otherwise.run("--sideways"));
        assertEquals(new Outcome(2, "otherwise: Unknown option: '--sideways'; see: otherwise --help\n"), wrong);
        assertEquals(2, capture(Otherwise::run).code());
    }

    private static Outcome report(Throwable failure) {
        return capture(() -> Failure.report(failure, false));
    }

    private static Outcome capture(IntSupplier action) {
        var before = System.err;
        var bytes = new ByteArrayOutputStream();
        System.setErr(new PrintStream(bytes, true, UTF_8));
        try {
            return new Outcome(action.getAsInt(), bytes.toString(UTF_8).replace(System.lineSeparator(), "\n"));
        } finally {
            System.setErr(before);
        }
    }
}

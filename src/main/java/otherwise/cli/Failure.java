package otherwise.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import otherwise.backend.DeviceException;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/// What a user sees of an exception: one line, and an exit code.
///
/// Failures that have a cause outside the program (input, files, memory, devices) are explained by their message alone. Anything else is
/// a mistake of ours; then the line says how to see the stack trace.
final class Failure {
    private Failure() {}

    /// Prints what is wrong with the arguments and where the help is.
    static int usage(ParameterException wrong) {
        var command = wrong.getCommandLine();
        var err = command.getErr();
        err.println("otherwise: " + firstLine(wrong) + "; see: " + command.getCommandSpec().qualifiedName() + " --help");
        UnmatchedArgumentException.printSuggestions(wrong, err);
        return ExitCode.WRONG_INPUT;
    }

    /// Prints `otherwise: message`, and the stack trace where it was asked for.
    static int report(Throwable thrown, boolean stacktrace) {
        var failure = cause(thrown);
        var expected = isInput(failure) || isMachine(failure);
        var line = "otherwise: " + message(failure);
        System.err.println(expected || stacktrace ? line : line + " (unexpected; run again with --stacktrace)");
        if (stacktrace) thrown.printStackTrace();
        return isInput(failure) ? ExitCode.WRONG_INPUT : ExitCode.MACHINE_CANNOT;
    }

    /// Wrappers that only carry a failure across a lambda or a thread say nothing themselves.
    private static Throwable cause(Throwable thrown) {
        return switch (thrown) {
            case UncheckedIOException wrapper -> wrapper.getCause();
            case java.util.concurrent.ExecutionException wrapper when wrapper.getCause() != null -> cause(wrapper.getCause());
            default -> thrown;
        };
    }

    private static boolean isInput(Throwable failure) {
        return failure instanceof IllegalArgumentException || failure instanceof IOException;
    }

    private static boolean isMachine(Throwable failure) {
        return failure instanceof DeviceException || failure instanceof OutOfMemoryError;
    }

    /// The file system's own exceptions often have the bare file name as their message.
    private static String message(Throwable failure) {
        return switch (failure) {
            case NoSuchFileException e -> e.getFile() + ": no such file";
            case AccessDeniedException e -> e.getFile() + ": no permission";
            case FileAlreadyExistsException e -> e.getFile() + ": exists already";
            case FileSystemException e -> e.getFile() + ": " + (e.getReason() == null ? name(e) : e.getReason());
            case OutOfMemoryError e -> "out of memory: " + firstLine(e);
            default -> isInput(failure) || isMachine(failure) ? firstLine(failure) : name(failure) + ": " + firstLine(failure);
        };
    }

    private static String firstLine(Throwable failure) {
        var message = failure.getMessage();
        if (message == null || message.isBlank()) return name(failure);
        return message.lines().findFirst().orElseThrow();
    }

    private static String name(Throwable failure) {
        return failure.getClass().getSimpleName();
    }
}

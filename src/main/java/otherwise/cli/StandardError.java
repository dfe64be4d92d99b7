package otherwise.cli;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;

/// Gives the process its real standard error back.
///
/// The virtual machine greets every start that uses the Vector API with a warning about incubator modules, and no option silences it. So
/// the launcher keeps the terminal as another file descriptor and lets a filter swallow that one line; here the filter is taken out again,
/// before anything of ours is printed, because behind a pipe progress bars could not see that they write to a terminal.
final class StandardError {
    private static final int STDERR = 2;

    private StandardError() {}

    /// Does nothing unless the launcher named the kept descriptor in `otherwise.stderr`.
    @SuppressWarnings("restricted")
    static void restore() {
        Integer kept = Integer.getInteger("otherwise.stderr");
        if (kept == null) return;
        var linker = Linker.nativeLinker();
        var dup2 = linker.defaultLookup().find("dup2");
        if (dup2.isEmpty()) return; // Messages still arrive, through the filter.
        var descriptor = FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT);
        var call = linker.downcallHandle(dup2.get(), descriptor);
        try {
            int result = (int) call.invokeExact((int) kept, STDERR);
            if (result != STDERR) System.err.println("otherwise: standard error stays behind the launcher's filter");
        } catch (Throwable e) {
            throw new LinkageError("dup2 cannot be called", e);
        }
    }
}

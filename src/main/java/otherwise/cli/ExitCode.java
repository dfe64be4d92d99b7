package otherwise.cli;

/// What a process says by its end.
public final class ExitCode {
    /// The verb did what was asked.
    public static final int DONE = 0;

    /// The verb ran, and the answer is no: not flipped, not equal, too slow.
    public static final int NO = 1;

    /// A wrong option, or an input that cannot be used.
    public static final int WRONG_INPUT = 2;

    /// Too little memory, or a device that is absent.
    public static final int MACHINE_CANNOT = 3;

    private ExitCode() {}
}

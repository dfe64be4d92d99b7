package otherwise.tensor;

import java.util.List;

/// Whether operations on this thread are recorded for the way back.
///
///     try (var off = Tape.off()) { … }     // nothing in here is recorded
public final class Tape implements AutoCloseable {
    private static final ThreadLocal<Tape> CURRENT = new ThreadLocal<>();

    private final Tape outer;
    private final boolean recording;
    private boolean touched;

    private Tape(Tape outer, boolean recording) {
        this.outer = outer;
        this.recording = recording;
    }

    /// Stops recording on this thread until it is closed.
    public static Tape off() {
        return push(false);
    }

    /// Records again, inside an `off`, until it is closed.
    public static Tape on() {
        return push(true);
    }

    private static Tape push(boolean recording) {
        var tape = new Tape(CURRENT.get(), recording);
        CURRENT.set(tape);
        return tape;
    }

    /// Whether operations on this thread are recorded now.
    public static boolean recording() {
        var tape = CURRENT.get();
        return tape == null || tape.recording;
    }

    /// Whether something in here would have been recorded: an input needed a gradient.
    public boolean touched() {
        return touched;
    }

    /// Whether the output of `op` takes part in the way back.
    static boolean records(Op op) {
        return records(op.inputs());
    }

    /// Whether the output of an operation on `inputs` takes part in the way back.
    static boolean records(List<Tensor> inputs) {
        boolean needed = false;
        for (var x : inputs) needed |= x.requiresGrad();
        if (recording()) return needed;
        CURRENT.get().touched |= needed;
        return false;
    }

    @Override
    public void close() {
        CURRENT.set(outer);
        if (outer != null) outer.touched |= touched;
    }
}

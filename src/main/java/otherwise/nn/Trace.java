package otherwise.nn;

import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Supplier;
import otherwise.backend.Scope;
import otherwise.tensor.Tape;
import otherwise.tensor.Tensor;

/// Lets a listener see what flows through a network, under the names of the checkpoint.
///
/// Layers note their results; without a listener on this thread a note costs one look-up. `verify` compares the notes with the official
/// code's, and `inspect` draws them.
public final class Trace implements AutoCloseable {
    private static final ThreadLocal<Trace> LISTENING = new ThreadLocal<>();

    private final Trace outer;
    private final BiConsumer<String, Supplier<Tensor>> listener;
    private String path = "";

    private Trace(Trace outer, BiConsumer<String, Supplier<Tensor>> listener) {
        this.outer = outer;
        this.listener = listener;
    }

    /// Calls `listener` with the full name and value of every note on this thread, until it is closed.
    public static Trace listen(BiConsumer<String, Tensor> listener) {
        return begin((name, x) -> listener.accept(name, x.get()));
    }

    /// Calls `listener` with the full name alone of every note on this thread, until it is closed: nothing is computed for its sake.
    public static Trace follow(Consumer<String> listener) {
        return begin((name, _) -> listener.accept(name));
    }

    private static Trace begin(BiConsumer<String, Supplier<Tensor>> listener) {
        var trace = new Trace(LISTENING.get(), listener);
        LISTENING.set(trace);
        return trace;
    }

    /// Where in the network this thread is, below a listener: `blocks.3.self_attn`; empty at the top, and without a listener.
    public static String path() {
        var trace = LISTENING.get();
        return trace == null || trace.path.isEmpty() ? "" : trace.path.substring(0, trace.path.length() - 1);
    }

    /// Shows `x` under `name`, below the current path; returns it.
    public static Tensor note(String name, Tensor x) {
        var trace = LISTENING.get();
        if (trace != null) trace.listener.accept(trace.path + name, () -> x);
        return x;
    }

    /// Shows what the network itself passes over, because it is part of a larger operation: computed for a listener only, and freed again.
    public static void note(String name, Supplier<Tensor> x) {
        var trace = LISTENING.get();
        if (trace != null) trace.show(trace.path + name, x);
    }

    /// The same under the name of the layer that this thread is in: its result.
    public static void note(Supplier<Tensor> x) {
        var trace = LISTENING.get();
        if (trace != null) trace.show(path(), x);
    }

    private void show(String name, Supplier<Tensor> x) {
        try (var _ = Tape.off();
                var _ = Scope.open()) {
            listener.accept(name, x);
        }
    }

    /// Runs `f` with `name` appended to the path.
    public static <T> T at(String name, Supplier<T> f) {
        var trace = LISTENING.get();
        if (trace == null) return f.get();
        var before = trace.path;
        trace.path = before + name + ".";
        try {
            return f.get();
        } finally {
            trace.path = before;
        }
    }

    /// Runs `f` with `name` appended to the path, and notes its result under that name.
    public static Tensor layer(String name, Supplier<Tensor> f) {
        return note(name, at(name, f));
    }

    @Override
    public void close() {
        LISTENING.set(outer);
    }
}

package otherwise.backend;

import java.util.ArrayList;
import java.util.List;

/// A span of a thread's work whose allocations die at its end.
///
///     try (var step = device.scope()) {
///         x = step.keep(solver.step(x, ...));      // survives, one scope out; all else is freed here
///     }
///
/// Scopes nest, belong to the thread that opened them, and must close in the reverse order.
public final class Scope implements AutoCloseable {
    /// What a scope can own.
    public interface Owned {
        /// Gives up the scope's hold on it.
        void release();
    }

    private static final ThreadLocal<Scope> INNERMOST = new ThreadLocal<>();

    private final Scope outer;
    private final List<Owned> owned = new ArrayList<>();
    private boolean open = true;

    private Scope(Scope outer) {
        this.outer = outer;
    }

    /// Opens a scope on the calling thread.
    public static Scope open() {
        var scope = new Scope(INNERMOST.get());
        INNERMOST.set(scope);
        return scope;
    }

    /// Hands what is fresh to the innermost scope; outside every scope it lives until it is released by hand.
    public static void adopt(Owned fresh) {
        var scope = INNERMOST.get();
        if (scope != null) scope.owned.add(fresh);
    }

    /// Keeps a storage alive one scope further out. Does nothing to one that does not belong to this scope but further out already.
    public void keep(Storage storage) {
        var root = storage.root();
        root.retain();
        if (outer != null) outer.owned.add(root);
    }

    /// Frees what belongs to this scope before its end. Does nothing to what belongs to another.
    public void free(Storage storage) {
        int at = owned.lastIndexOf(storage.root());
        if (at >= 0) owned.remove(at).release();
    }

    /// Leaves all that it owns to the scope around it; outside every scope, it lives until it is released by hand.
    public void leave() {
        if (outer != null) outer.owned.addAll(owned);
        owned.clear();
    }

    /// Frees all that was allocated inside and not kept.
    @Override
    public void close() {
        if (!open) return;
        if (INNERMOST.get() != this) throw new IllegalStateException("scopes must close innermost first, on their own thread");
        open = false;
        INNERMOST.set(outer);
        for (var fresh : owned) fresh.release();
        owned.clear();
    }
}

package otherwise.backend;

/// Work that a device has taken down, to do it again at the cost of one call ([Backend#record]).
public interface Graph extends AutoCloseable {

    /// Has the device do all of it again, on the same memory, over what any other graph of the device left there. As with any other call, what
    /// comes later comes after it.
    ///
    /// @throws IllegalStateException if it is closed
    void run();

    /// Gives back what it holds. What it still does is done to its end.
    @Override
    void close();
}

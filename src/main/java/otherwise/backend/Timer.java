package otherwise.backend;

/// Measures how long a device works, from one point in the order of its work to another. Runs again and again.
public interface Timer extends AutoCloseable {

    /// What is asked for from here on counts.
    void start();

    /// Waits until all that was asked for is done.
    ///
    /// @return the seconds since [#start]
    double stop();

    @Override
    void close();

    /// By the clock of this machine: for devices that are done when a call returns.
    static Timer byClock() {
        return new Timer() {
            private long began;

            @Override
            public void start() {
                began = System.nanoTime();
            }

            @Override
            public double stop() {
                return (System.nanoTime() - began) * 1e-9;
            }

            @Override
            public void close() {}
        };
    }
}

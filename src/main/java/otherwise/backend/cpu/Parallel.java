package otherwise.backend.cpu;

import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/// One parallel-for over a fixed team of threads; the caller works too.
///
/// Tasks are handed out by a counter, so which thread does which is random; kernels therefore make every result a function of its
/// task alone, and nothing they compute depends on the number of threads.
public final class Parallel implements AutoCloseable {

    /// The part `from … to-1` of a range.
    @FunctionalInterface
    public interface Range {
        void run(long from, long to);
    }

    /// One numbered task.
    @FunctionalInterface
    public interface Task {
        void run(long task);
    }

    /// How long an idle worker looks for the next job before it sleeps: a network is a chain of short jobs.
    private static final int SPINS = 2_000;

    private final Worker[] workers;
    private volatile Job job;
    private volatile boolean closed;

    Parallel(int threads) {
        workers = new Worker[threads - 1];
        for (int i = 0; i < workers.length; i++) {
            workers[i] = new Worker(i + 1);
            workers[i].start();
        }
    }

    int threads() {
        return workers.length + 1;
    }

    /// Runs tasks 0 … n-1, each once, and returns when all are done. Tasks must not call back into this parallel-for.
    void tasks(long n, Task task) {
        if (n <= 1 || workers.length == 0) {
            for (long i = 0; i < n; i++) task.run(i);
            return;
        }
        synchronized (this) {
            var next = new Job(n, task);
            job = next;
            for (var w : workers) if (w.asleep) LockSupport.unpark(w);
            next.help();
            next.await();
            job = null;
            if (next.failure != null) throw new IllegalStateException("a worker failed: " + next.failure, next.failure);
        }
    }

    /// Runs `body` over 0 … n-1 in pieces of `grain`; the pieces are the same for every number of threads.
    void range(long n, long grain, Range body) {
        if (n <= grain) {
            if (n > 0) body.run(0, n);
            return;
        }
        tasks((n + grain - 1) / grain, i -> body.run(i * grain, Math.min(n, (i + 1) * grain)));
    }

    @Override
    public void close() {
        closed = true;
        for (var w : workers) LockSupport.unpark(w);
    }

    private static final class Job {
        final long n;
        final Task task;
        final AtomicLong next = new AtomicLong();
        final AtomicLong done = new AtomicLong();
        volatile Throwable failure;

        Job(long n, Task task) {
            this.n = n;
            this.task = task;
        }

        void help() {
            for (long i = next.getAndIncrement(); i < n; i = next.getAndIncrement()) {
                try {
                    task.run(i);
                } catch (Throwable t) {
                    failure = t;
                } finally {
                    done.getAndIncrement();
                }
            }
        }

        /// Waits for tasks that other threads still work on. They may share a processor with this one, so after a while it stands aside.
        @SuppressWarnings("ThreadPriorityCheck")
        void await() {
            int spins = 0;
            while (done.get() < n) {
                if (++spins < SPINS) Thread.onSpinWait();
                else Thread.yield();
            }
        }
    }

    private final class Worker extends Thread {
        volatile boolean asleep;

        Worker(int number) {
            super("cpu-" + number);
            setDaemon(true);
        }

        @Override
        public void run() {
            Job last = null;
            int spins = 0;
            while (!closed) {
                var now = job;
                if (now != null && now != last) {
                    now.help();
                    last = now;
                    spins = 0;
                } else if (++spins < SPINS) {
                    Thread.onSpinWait();
                } else {
                    asleep = true;
                    if (job == null || job == last) LockSupport.park(this);
                    asleep = false;
                    spins = 0;
                }
            }
        }
    }
}

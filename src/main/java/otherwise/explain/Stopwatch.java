package otherwise.explain;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;

/// Adds up where the time goes, by the name of the work. Work inside work counts for the inner name only.
final class Stopwatch {
    private final Map<String, Double> seconds = new LinkedHashMap<>();
    private String current = "other";
    private long since = System.nanoTime();

    /// Runs `work` under a name.
    <T> T time(String name, Supplier<T> work) {
        var outer = enter(name);
        try {
            return work.get();
        } finally {
            enter(outer);
        }
    }

    private String enter(String name) {
        long now = System.nanoTime();
        seconds.merge(current, (now - since) * 1e-9, Double::sum);
        since = now;
        var before = current;
        current = name;
        return before;
    }

    /// The times so far.
    Map<String, Double> seconds() {
        enter(current);
        return Collections.unmodifiableMap(new LinkedHashMap<>(seconds));
    }
}

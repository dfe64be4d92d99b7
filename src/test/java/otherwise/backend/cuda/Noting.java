package otherwise.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;

/// Drivers that do what another does, and note which kernels are launched; their blocks may have no more shared memory than every device gives,
/// or every Hopper GPU.
final class Noting {
    private static final int MOST_SHARED = 99 << 10;
    private static final int MOST_SHARED_OF_HOPPER = 227 << 10;

    private Noting() {}

    static Driver driver(Driver driver, List<String> launched) {
        return driver(driver, launched, (function, _) -> function.name(), Map.of());
    }

    /// @param tensorCores whether the device says that it has them
    static Driver driver(Driver driver, List<String> launched, boolean tensorCores) {
        return driver(driver, launched, (function, _) -> function.name(), Map.of("tensorCores", tensorCores));
    }

    /// Says that its blocks cannot run in clusters.
    static Driver withoutClusters(Driver driver, List<String> launched) {
        return driver(driver, launched, (function, _) -> function.name(), Map.of("clusters", false));
    }

    /// Notes what they are launched with as well: `kernel: arguments`.
    static Driver withArguments(Driver driver, List<String> launched) {
        return driver(driver, launched, (function, arguments) -> function.name() + ": " + arguments, Map.of());
    }

    private static Driver driver(
            Driver driver, List<String> launched, BiFunction<Driver.Function, Arguments, String> note, Map<String, Boolean> answers) {
        return (Driver) Proxy.newProxyInstance(Driver.class.getClassLoader(), new Class<?>[] {Driver.class}, (_, method, arguments) -> {
            var answer = answers.get(method.getName());
            if (answer != null) return answer;
            if (method.getName().equals("launch")) {
                launched.add(note.apply((Driver.Function) arguments[0], (Arguments) arguments[2]));
                int most = driver.hopper() ? MOST_SHARED_OF_HOPPER : MOST_SHARED;
                assertTrue(((Grid) arguments[1]).sharedBytes() <= most, launched + ": " + arguments[1]);
            }
            try {
                return method.invoke(driver, arguments);
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        });
    }
}

package otherwise.cli.verify;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import otherwise.backend.Backend;
import otherwise.backend.Backends;
import otherwise.backend.Storage;
import otherwise.backend.cpu.CpuBackend;

/// What the comparison of operations says of a device that is right, and of one that is not.
class OperationsCheckTest {
    private final StringWriter said = new StringWriter();

    private boolean agrees(Backend device, Backend cpu) {
        return new OperationsCheck(device, cpu).run(new PrintWriter(said), true);
    }

    @Test
    void aDeviceThatIsRight() {
        try (var device = new CpuBackend(1);
                var cpu = new CpuBackend(2)) {
            assertTrue(agrees(device, cpu), said.toString());
            assertFalse(said.toString().contains("FAIL"));
            assertTrue(said.toString().lines().anyMatch(line -> line.matches("operations: ok, (\\d+) of \\1 agree, limit 1.0e-04")));
        }
    }

    /// Every kernel that bf16 on a Hopper GPU comes to, chosen as it would be there.
    @Test
    @EnabledIf("otherwise.support.Emulated#present")
    void theEmulatedHopperGpu() {
        try (var device = Backends.open("cuda-emulated-hopper:bf16", 0);
                var cpu = new CpuBackend(0)) {
            assertTrue(device.description().startsWith("a Hopper GPU's CUDA kernels compiled by g++"), device.description());
            assertTrue(agrees(device, cpu), said.toString());
        }
    }

    /// Softmax a thousandth too large: it alone is found.
    @Test
    void aDeviceThatIsWrong() {
        try (var right = new CpuBackend(0)) {
            var wrong =
                    (Backend) Proxy.newProxyInstance(Backend.class.getClassLoader(), new Class<?>[] {Backend.class}, (_, method, given) -> {
                        try {
                            var result = method.invoke(right, given);
                            if (method.getName().equals("softmax")) right.affine((Storage) given[0], (Storage) given[0], 1.001, 0);
                            return result;
                        } catch (InvocationTargetException e) {
                            throw e.getCause();
                        }
                    });
            assertFalse(agrees(wrong, right));
            assertEquals(2, said.toString().lines().filter(line -> line.contains("softmax") && line.contains("FAIL y 1.0e-03")).count());
            assertEquals(3, said.toString().lines().filter(line -> line.contains("FAIL")).count(), said.toString());
        }
    }
}

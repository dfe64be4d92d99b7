package otherwise.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Map;
import org.junit.jupiter.api.Test;
import otherwise.backend.Backend.Memory;
import otherwise.backend.DType;
import otherwise.backend.DeviceException;
import otherwise.backend.dry.DryBackend;

class MemoryPlanTest {
    private static final Memory NEEDED = new Memory(0, 2 << 20, 1 << 20, 3 << 20);

    @Test
    void whatIsPlannedIsComparedWithWhatWasTaken() {
        try (var device = new DryBackend(DType.F32, () -> "", 3 << 20);
                var _ = device.scope()) {
            var plan = MemoryPlan.of(device, NEEDED, "");
            device.allocate(DType.F32, 1 << 19);
            assertEquals(Map.of("planned", 3L << 20, "taken", 2L << 20), plan.json());
            assertEquals("2.00 MiB of memory at most, 3.00 MiB planned", plan.line());
        }
    }

    @Test
    void whatCannotFitIsRefusedWithTheNumbers() {
        try (var device = new DryBackend(DType.F32, () -> "", 2 << 20)) {
            var e = assertThrows(DeviceException.class, () -> MemoryPlan.of(device, NEEDED, "fewer --steps take less"));
            assertEquals("this needs 3.00 MiB of memory, dry has 2.00 MiB; fewer --steps take less", e.getMessage());
        }
    }
}

package otherwise.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;
import otherwise.backend.Backend.Memory;

class PoolTest {

    /// What waits for reuse goes back to the system where there would be more than the machine has.
    @Test
    void nothingIsKeptBeyondTheCapacity() {
        try (var pool = new Pool(1000)) {
            pool.give(pool.take(512));
            assertEquals(new Memory(0, 512, 512, 512), pool.memory());
            var small = pool.take(256);
            assertEquals(new Memory(256, 512, 512, 768), pool.memory(), "both have room");
            pool.give(pool.take(320));
            assertEquals(new Memory(256, 576, 320, 768), pool.memory(), "with a third they have not");
            pool.give(small);
            assertEquals(new Memory(0, 576, 576, 768), pool.memory());
        }
    }
}

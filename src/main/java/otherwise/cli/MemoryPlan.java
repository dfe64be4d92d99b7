package otherwise.cli;

import java.util.Map;
import otherwise.backend.Backend;
import otherwise.backend.DeviceException;
import otherwise.cli.inspect.Amount;

/// The memory that a command will take of its device: said before it begins, and in the end compared with what it took.
record MemoryPlan(Backend backend, long bytes) {

    /// A plan that fits.
    ///
    /// @param needed as a rehearsal found it
    /// @param less what to change where it is too much
    /// @throws DeviceException with the numbers, if the device has not so much
    static MemoryPlan of(Backend backend, Backend.Memory needed, String less) {
        long bytes = needed.footprint();
        long has = backend.capacity();
        if (bytes > has) {
            throw new DeviceException(
                    "this needs " + Amount.bytes(bytes) + " of memory, " + backend.name() + " has " + Amount.bytes(has) + "; " + less);
        }
        return new MemoryPlan(backend, bytes);
    }

    /// Says what is needed. The last word before the work begins: whatever is wrong with the question has been said by then.
    MemoryPlan announced() {
        System.err.println("This will take " + Amount.bytes(bytes) + " of memory.");
        return this;
    }

    /// What was taken up to now.
    long taken() {
        return backend.memory().footprint();
    }

    /// Both, for a person.
    String line() {
        return Amount.bytes(taken()) + " of memory at most, " + Amount.bytes(bytes) + " planned";
    }

    /// Both, for a program.
    Map<String, Long> json() {
        return Map.of("planned", bytes, "taken", taken());
    }
}

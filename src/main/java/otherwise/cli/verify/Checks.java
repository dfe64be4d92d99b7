package otherwise.cli.verify;

import java.util.List;
import java.util.Optional;

/// The checks that there are. A new one joins by a line in this list.
public final class Checks {
    private static final List<Check> ALL = List.of(
            new ClipVisionCheck(),
            new FlowSchedulesCheck(),
            new FlowTrajectoriesCheck(),
            new OptimizersCheck(),
            new ResizeCheck(),
            new SwinCheck(),
            new SwinOfficialCheck(),
            new Umt5EncoderCheck(),
            new WanDitCheck(),
            new WanI2vPipelineCheck(),
            new WanVaeCheck(),
            new WanVaeConstantsCheck(),
            new I2vGeometryCheck(),
            new CounterfactualChainCheck());

    private Checks() {}

    /// The check for this `kind`.
    public static Optional<Check> of(String kind) {
        return ALL.stream().filter(check -> check.kinds().contains(kind)).findFirst();
    }

    /// All kinds that some check knows, in alphabetical order.
    public static List<String> kinds() {
        return ALL.stream().flatMap(check -> check.kinds().stream()).sorted().toList();
    }
}

package otherwise.cli.verify;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;
import otherwise.backend.Backend;
import otherwise.diffusion.Sampler;
import otherwise.diffusion.Velocity;
import otherwise.tensor.Tensor;

/// Samples after every step of a solver, `out/<solver>/<case>/x`. Open loop: the velocities are stored; closed loop: they are a formula
/// in the metadata.
final class FlowTrajectoriesCheck implements Check {
    private static final Pattern FORMULA = Pattern.compile(
            "v\\(x,t\\) = cos\\(([0-9.]+)\\*x\\) \\* \\(([0-9.]+) \\+ t/([0-9.]+)\\) - ([0-9.]+)\\*x \\+ c\\b.*");

    @Override
    public List<String> kinds() {
        return List.of("flow_trajectories");
    }

    @Override
    public void run(Golden golden, Comparison comparison) {
        for (var name : golden.cases()) {
            FlowSchedulesCheck.FAMILIES.forEach((family, sampler) -> {
                var result = "out/" + family + "/" + name + "/x";
                if (comparison.expects(result)) comparison.compare(result, samples(golden, name, sampler));
            });
        }
    }

    private static Tensor samples(Golden golden, String name, Sampler sampler) {
        var c = golden.caseOf(name);
        var schedule = sampler.schedule(c.required("steps").asInt(), c.required("shift").asDouble());
        var velocity = golden.has("in/" + name + "/v") ? stored(golden.in(name + "/v")) : closedLoop(golden, name);
        var after = new ArrayList<Tensor>();
        sampler.solver().integrate(velocity, golden.in(name + "/x0"), schedule, (i, x) -> after.add(x));
        return Tensor.stack(after);
    }

    /// The velocities of the file one after the other, whatever the sample.
    private static Velocity stored(Tensor all) {
        var step = new AtomicInteger();
        return (x, t) -> all.select(0, step.getAndIncrement());
    }

    /// v = cos(a·x)·(b + t/c) − d·x + offset
    private static Velocity closedLoop(Golden golden, String name) {
        var match = FORMULA.matcher(golden.text("closed_loop"));
        if (!match.matches()) {
            throw new IllegalArgumentException(golden.path() + ": closed_loop is not a formula known here: " + golden.text("closed_loop"));
        }
        double frequency = Double.parseDouble(match.group(1));
        double base = Double.parseDouble(match.group(2));
        double over = Double.parseDouble(match.group(3));
        double pull = Double.parseDouble(match.group(4));
        var offset = golden.in(name + "/c");
        return (x, t) -> x.times(frequency).map(Backend.Unary.COS).times(base + t / over).sub(x.times(pull)).add(offset);
    }
}

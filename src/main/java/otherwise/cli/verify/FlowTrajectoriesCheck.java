package otherwise.cli.verify;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import otherwise.backend.Backend;
import otherwise.diffusion.EulerSolver;
import otherwise.diffusion.FlowSchedule;
import otherwise.diffusion.Velocity;
import otherwise.tensor.Tensor;

/// Samples after every step of a solver, `out/<solver>/<case>/x`. Open loop: the velocities are stored; closed loop: they are a formula
/// in the metadata. Ours is the solver `euler`.
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
            if (!comparison.expects("out/euler/" + name + "/x")) continue;
            var c = golden.caseOf(name);
            var schedule = FlowSchedule.euler(c.required("steps").asInt(), c.required("shift").asDouble());
            var solver = new EulerSolver(false);
            var x = golden.in(name + "/x0");
            var velocity = golden.has("in/" + name + "/v") ? stored(golden.in(name + "/v"), schedule) : closedLoop(golden, name);
            var after = new ArrayList<Tensor>();
            for (int i = 0; i < schedule.steps(); i++) {
                x = solver.step(velocity, x, schedule, i);
                after.add(x);
            }
            comparison.compare("out/euler/" + name + "/x", Tensor.stack(after));
        }
        for (var solver : List.of("unipc", "dpmpp", "diffusers_euler", "diffusers_unipc")) {
            comparison.notCovered(solver, name -> name.startsWith("out/" + solver + "/"));
        }
    }

    private static Velocity stored(Tensor all, FlowSchedule schedule) {
        return (x, t) -> {
            for (int i = 0; i < schedule.steps(); i++) if (schedule.time(i) == t) return all.select(0, i);
            throw new IllegalArgumentException("no velocity is stored for time " + t);
        };
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

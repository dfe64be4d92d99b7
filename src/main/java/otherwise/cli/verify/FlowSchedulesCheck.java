package otherwise.cli.verify;

import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import otherwise.diffusion.Sampler;

/// Noise levels and times of every family: `out/<family>/shift<S>/n<N>/{sigmas,timesteps}`.
final class FlowSchedulesCheck implements Check {
    /// The files' names of our samplers.
    static final Map<String, Sampler> FAMILIES = Map.of(
            "euler", Sampler.EULER,
            "unipc", Sampler.UNIPC,
            "dpmpp", Sampler.DPM_PLUS_PLUS,
            "diffusers_euler", Sampler.DIFFUSERS_EULER,
            "diffusers_unipc", Sampler.DIFFUSERS_UNIPC);

    private static final Pattern NAME = Pattern.compile("out/([a-z_]+)/shift([0-9.]+)/n([0-9]+)/(sigmas|timesteps)");

    @Override
    public List<String> kinds() {
        return List.of("flow_schedules");
    }

    @Override
    public void run(Golden golden, Comparison comparison) {
        for (var name : golden.file().names()) {
            var match = NAME.matcher(name);
            if (!match.matches() || !FAMILIES.containsKey(match.group(1))) continue;
            var sampler = FAMILIES.get(match.group(1));
            var schedule = sampler.schedule(Integer.parseInt(match.group(3)), Double.parseDouble(match.group(2)));
            if (match.group(4).equals("sigmas")) comparison.compare(name, schedule.sigmas(), schedule.steps() + 1);
            else comparison.compare(name, schedule.times(), schedule.steps());
        }
    }
}

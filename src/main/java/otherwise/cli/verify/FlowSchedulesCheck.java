package otherwise.cli.verify;

import java.util.List;
import java.util.regex.Pattern;
import otherwise.diffusion.FlowSchedule;

/// Noise levels and times: `out/<family>/shift<S>/n<N>/{sigmas,timesteps}`. Ours is the family `euler`.
final class FlowSchedulesCheck implements Check {
    private static final Pattern NAME = Pattern.compile("out/euler/shift([0-9.]+)/n([0-9]+)/(sigmas|timesteps)");

    @Override
    public List<String> kinds() {
        return List.of("flow_schedules");
    }

    @Override
    public void run(Golden golden, Comparison comparison) {
        for (var name : golden.file().names()) {
            var match = NAME.matcher(name);
            if (!match.matches()) continue;
            var schedule = FlowSchedule.euler(Integer.parseInt(match.group(2)), Double.parseDouble(match.group(1)));
            if (match.group(3).equals("sigmas")) {
                comparison.compare(name, schedule.sigmas(), schedule.steps() + 1);
            } else {
                var times = new double[schedule.steps()];
                for (int i = 0; i < times.length; i++) times[i] = schedule.time(i);
                comparison.compare(name, times, times.length);
            }
        }
        for (var family : List.of("unipc", "dpmpp", "diffusers_euler", "diffusers_unipc")) {
            comparison.notCovered(family, name -> name.startsWith("out/" + family + "/"));
        }
    }
}

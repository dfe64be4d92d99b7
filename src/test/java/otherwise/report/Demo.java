package otherwise.report;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import otherwise.data.Preset;
import otherwise.data.Scene;
import otherwise.data.ShapeMoving;
import otherwise.io.Video;

/// A report on a clip of Shape-Moving and its ideal counterfactual, with a made-up log of the shape that logs have.
final class Demo {

    private Demo() {}

    static Video clip(Scene scene) {
        var rgb = new byte[scene.frames() * scene.height() * scene.width() * 3];
        scene.renderInto(rgb, 0);
        return new Video(scene.frames(), scene.height(), scene.width(), scene.fps(), rgb);
    }

    static ReportData data(Preset preset, long index) {
        var scene = new ShapeMoving(preset).scene(7, index);
        int target = 2;
        var classes = ShapeMoving.CLASSES;
        var before = new double[] {0.002, 0.0015, 0.0035, 0.003};
        before[scene.label()] = 0.99;
        return new ReportData(
                classes.get(scene.label()) + " → left",
                "Why " + classes.get(scene.label()) + " and not left?",
                clip(scene),
                clip(scene.toward(target)),
                classes,
                before,
                new double[] {0.018, 0.004, 0.9731, 0.0049},
                scene.label(),
                target,
                log(),
                log().size() - 4,
                options(),
                provenance(),
                "tools/otherwise explain --sample 1042 --target left --seed 7 --device cpu",
                figures(),
                timings());
    }

    private static List<ReportData.Iteration> log() {
        var log = new ArrayList<ReportData.Iteration>();
        double wobble = 0.3;
        for (int k = 0; k < 40; k++) {
            wobble = 3.9 * wobble * (1 - wobble);
            log.add(new ReportData.Iteration(
                    "inversion", 1, Double.NaN, Double.NaN, Map.of("L1", 0.4 * Math.exp(-k / 9.0) + 0.03 + 0.004 * wobble),
                    Map.of("‖z‖/√d", 1 + 0.0004 * k), 0.08));
        }
        for (int k = 0; k < 70; k++) {
            wobble = 3.9 * wobble * (1 - wobble);
            int n = Math.min(15, 1 + k * 15 / 64);
            double p = 1 / (1 + Math.exp(-(k - 34 - (n % 3)) / 5.0 - wobble));
            var losses = new LinkedHashMap<String, Double>();
            losses.put("cross-entropy", -Math.log(p));
            losses.put("style", 0.02 + 0.05 * wobble * Math.exp(-k / 30.0));
            log.add(new ReportData.Iteration("counterfactual", n, p, 0.97 * (1 - p), losses, Map.of("‖z‖/√d", 1.016 + 0.0009 * k),
                    0.1 + 0.05 * n));
        }
        return log;
    }

    private static Map<String, String> options() {
        var options = new LinkedHashMap<String, String>();
        options.put("method", "bttf");
        options.put("preset", "default");
        options.put("inversion-iterations", "40");
        options.put("iterations", "100");
        options.put("steps", "15");
        options.put("learning-rate", "0.03");
        options.put("style-weight", "100000");
        options.put("flow-shift", "3");
        options.put("guidance", "1");
        options.put("threshold", "0.9");
        options.put("clip-offset", "0");
        return options;
    }

    private static Map<String, String> provenance() {
        var provenance = new LinkedHashMap<String, String>();
        provenance.put("seed", "7");
        provenance.put("input sha256", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08");
        provenance.put("weights/classifier.safetensors sha256", "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752");
        provenance.put("weights/generator.safetensors sha256", "fd61a03af4f77d870fc21e05e7e80678095c92d808cfb3b5c279ee04c74aca13");
        provenance.put("otherwise", "0.1.0");
        provenance.put("java", "25.0.1+8 (Temurin)");
        provenance.put("device", "cpu: 2 cores, 256-bit vectors");
        return provenance;
    }

    private static Map<String, Double> figures() {
        var figures = new LinkedHashMap<String, Double>();
        figures.put("SSIM", 0.9512);
        figures.put("PSNR (dB)", 24.31);
        figures.put("background SSIM", 0.9873);
        figures.put("pixels changed (%)", 6.2);
        figures.put("iterations", 110.0);
        return figures;
    }

    private static Map<String, Double> timings() {
        var timings = new LinkedHashMap<String, Double>();
        timings.put("read video and weights", 0.84);
        timings.put("inversion", 3.21);
        timings.put("generator, forward", 18.9);
        timings.put("generator, backward", 36.4);
        timings.put("decoder, forward and backward", 9.7);
        timings.put("classifier", 2.6);
        timings.put("write results", 0.61);
        return timings;
    }
}

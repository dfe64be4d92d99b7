package otherwise.cli.verify;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import otherwise.autograd.Activations;
import otherwise.autograd.Gradients;
import otherwise.diffusion.EulerSolver;
import otherwise.diffusion.FlowSchedule;
import otherwise.diffusion.Velocity;
import otherwise.models.swin.VideoSwin;
import otherwise.models.wan.LatentScale;
import otherwise.models.wan.WanTransformer;
import otherwise.models.wan.WanVae;
import otherwise.models.wan.WanVaeConfig;
import otherwise.tensor.Tensor;

/// The whole of a counterfactual's gradient: noise → Euler steps → decoder → classifier → cross entropy, and back to noise, text, image
/// features, first frame, and to the decoded video on the way.
///
/// Runs once keeping all activations, once computing blocks again, and once computing blocks again inside of steps that are computed again.
final class CounterfactualChainCheck implements Check {
    private static final float[] MEAN = {0.485f, 0.456f, 0.406f};
    private static final float[] STD = {0.229f, 0.224f, 0.225f};

    @Override
    public List<String> kinds() {
        return List.of("counterfactual_chain");
    }

    @Override
    public void run(Golden golden, Comparison comparison) {
        var chain = Chain.load(golden);
        for (var name : golden.cases()) {
            chain.run(comparison, name, Activations.KEEP, false);
            chain.run(comparison, name, Activations.RECOMPUTE, false);
            chain.run(comparison, name, Activations.RECOMPUTE, true);
        }
    }

    private record Chain(Golden golden, WanTransformer dit, WanVae vae, VideoSwin swin) {

        static Chain load(Golden golden) {
            var config = golden.config();
            return new Chain(
                    golden,
                    WanTransformer.load(golden.weights("dit"), WanDitCheck.config(golden, config.path("dit"), "weights/dit/")),
                    WanVae.load(golden.weights("vae"), WanVaeConfig.of(config.path("vae")), LatentScale.wan2_1()),
                    VideoSwin.load(golden.weights("swin"), Configs.swin(config.path("swin"))));
        }

        void run(Comparison comparison, String name, Activations activations, boolean checkpointed) {
            try (var _ = golden.backend().scope()) {
                var inputs = new LinkedHashMap<String, Tensor>();
                for (var input : List.of("noise", "context", "clip_fea", "y")) {
                    inputs.put(input, golden.in(input).variable());
                }
                var c = golden.caseOf(name);
                var schedule = single(FlowSchedule.euler(c.required("steps").asInt(), c.required("shift").asDouble()));
                var solver = new EulerSolver(checkpointed);
                var velocity = velocity(inputs, c.path("guide").asDouble(1), activations);

                var x = batch(inputs.get("noise"));
                for (int i = 0; i < schedule.steps(); i++) {
                    x = solver.step(velocity, x, schedule, i);
                    comparison.compare("mid/" + name + "/x_after_step" + i, x.select(0, 0));
                }
                var video = vae.decode(x, activations);
                comparison.compare("out/" + name + "/video", video.select(0, 0));

                // In two parts, so that the gradient at the decoded video shows.
                var seen = video.detach().variable();
                var logits = swin.forward(normalised(seen));
                var loss = logits.crossEntropy(c.required("target").asLong());
                comparison.compare("out/" + name + "/logits", logits);
                comparison.compare("out/" + name + "/loss", loss);
                var dvideo = Gradients.of(loss).to(seen);
                comparison.compare("grad/" + name + "/video", dvideo.select(0, 0));
                comparison.gradients("grad/" + name + "/", Gradients.of(video, dvideo), inputs, Map.of());
            }
        }

        /// The transformer's velocity; with a `guide` other than 1, guided away from what it says to the null text.
        private Velocity velocity(Map<String, Tensor> inputs, double guide, Activations activations) {
            var nothing = guide == 1 ? null : batch(golden.in("context_null"));
            return (x, t) -> {
                var time = new double[] {(float) t};
                var y = batch(inputs.get("y"));
                var told = dit.forward(x, time, batch(inputs.get("context")), inputs.get("clip_fea"), y, activations);
                if (guide == 1) return told;
                var untold = dit.forward(x, time, nothing, inputs.get("clip_fea"), y, activations);
                return untold.add(told.sub(untold).times(guide));
            };
        }

        private static Tensor batch(Tensor x) {
            return Tensor.stack(List.of(x));
        }

        /// The recipe has its noise levels in single precision.
        private static FlowSchedule single(FlowSchedule schedule) {
            return new FlowSchedule(IntStream.rangeClosed(0, schedule.steps()).mapToDouble(i -> (float) schedule.sigma(i)).toArray());
        }

        /// ((video + 1) / 2 − mean) / std
        private static Tensor normalised(Tensor video) {
            var mean = Tensor.of(video.backend(), MEAN, 1, 3, 1, 1, 1);
            var std = Tensor.of(video.backend(), STD, 1, 3, 1, 1, 1);
            return video.affine(0.5, 0.5).sub(mean).div(std);
        }
    }
}

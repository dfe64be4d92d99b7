package otherwise.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import otherwise.autograd.Gradients;
import otherwise.backend.DType;
import otherwise.support.Close;
import otherwise.support.Emulated;
import otherwise.support.GradCheck;
import otherwise.support.Reference;
import otherwise.tensor.Tensor;

/// Their numbers are proven by the golden file; here: that they learn, go on after a stop, and refuse what does not fit.
class OptimizerTest {
    private final Reference backend = new Reference();
    private static final Map<String, Function<Map<String, Tensor>, Optimizer>> ALL = Map.of(
            "adamw", p -> new AdamW(p, AdamW.Settings.DEFAULT),
            "adam", p -> new Adam(p, new AdamW.Settings(0.9, 0.99, 1e-8, 0.01)),
            "sgd", p -> new Sgd(p, new Sgd.Settings(0, false, 0.01)),
            "momentum", p -> new Sgd(p, new Sgd.Settings(0.8, true, 0)),
            "muon", p -> new Muon(p, new Muon.Settings(0.9, 0.01, AdamW.Settings.DEFAULT), "w"::equals));

    private Map<String, Tensor> parameters() {
        var p = new LinkedHashMap<String, Tensor>();
        p.put("w", GradCheck.normal(backend, 1, 3, 4).variable());
        p.put("b", GradCheck.normal(backend, 2, 3).variable());
        return p;
    }

    private double train(Map<String, Tensor> p, Optimizer optimizer, int steps) {
        var x = GradCheck.normal(backend, 3, 6, 4);
        double loss = 0;
        for (int i = 0; i < steps; i++) {
            var y = x.linear(p.get("w"), p.get("b")).square().mean();
            optimizer.step(Gradients.of(y).to(optimizer.parameters()), 0.05);
            loss = y.item();
        }
        return loss;
    }

    @Test
    void everyOneLearns() {
        ALL.forEach((name, make) -> {
            var p = parameters();
            var optimizer = make.apply(p);
            double first = train(p, optimizer, 1);
            double last = train(p, optimizer, 60);
            assertEquals(61, optimizer.steps());
            if (!(last < first / 4)) throw new AssertionError(name + ": loss " + first + " only fell to " + last);
        });
    }

    /// Five steps, a stop, five more: the same numbers as ten steps.
    @Test
    void goesOnFromASavedState() {
        ALL.forEach((name, make) -> {
            var whole = parameters();
            train(whole, make.apply(whole), 10);

            var before = parameters();
            var stopped = make.apply(before);
            train(before, stopped, 5);
            var after = new LinkedHashMap<String, Tensor>();
            before.forEach((key, value) -> after.put(key, value.copy().variable()));
            var saved = new LinkedHashMap<String, Tensor>();
            stopped.state().forEach((key, value) -> saved.put(key, value.copy()));
            var resumed = make.apply(after);
            resumed.restore(stopped.steps(), saved);
            train(after, resumed, 5);

            for (var key : whole.keySet()) assertArrayEquals(whole.get(key).doubles(), after.get(key).doubles(), name + " " + key);
        });
    }

    /// 0.001 of a gradient must still count where 0.999 of the moment is all that 8 digits can tell.
    @Test
    @EnabledIf("otherwise.support.Emulated#present")
    void momentsKeepTheirDigitsOnABf16Device() {
        var device = Emulated.device(DType.BF16).orElseThrow();
        try (var _ = device.scope()) {
            var w = Tensor.zeros(device, 3).variable();
            var optimizer = new AdamW(Map.of("w", w), AdamW.Settings.DEFAULT);
            for (int i = 0; i < 400; i++) optimizer.step(List.of(Tensor.full(device, 0.5, 3)), 0.01);
            var v = 0.25 * (1 - Math.pow(0.999, 400));
            Close.check("v", optimizer.state().get("exp_avg_sq.w").doubles(), new double[] {v, v, v}, 1e-4);
        }
    }

    @Test
    void refusesWhatDoesNotFit() {
        var p = parameters();
        var optimizer = new AdamW(p, AdamW.Settings.DEFAULT);
        assertThrows(IllegalArgumentException.class, () -> optimizer.step(List.of(p.get("w")), 0.1));
        assertThrows(IllegalArgumentException.class, () -> optimizer.step(List.of(p.get("b"), p.get("w")), 0.1));
        assertThrows(IllegalArgumentException.class, () -> optimizer.restore(1, Map.of("exp_avg.w", p.get("w"))));
        assertThrows(IllegalArgumentException.class, () -> new AdamW.Settings(1, 0.9, 1e-8, 0));
        assertThrows(IllegalArgumentException.class, () -> new Sgd.Settings(0, true, 0));
        assertEquals(0, optimizer.steps());
    }

    @Test
    void clippingKeepsTheDirection() {
        var g = List.of(Tensor.of(backend, new double[] {3, 0}, 2), Tensor.of(backend, new double[] {4}, 1));
        var clipped = GradientClip.to(1, g);
        assertEquals(5, clipped.norm(), 1e-12);
        assertArrayEquals(new double[] {.6, 0}, clipped.gradients().get(0).doubles(), 1e-6);
        assertArrayEquals(new double[] {.8}, clipped.gradients().get(1).doubles(), 1e-6);
        assertArrayEquals(new double[] {3, 0}, GradientClip.to(6, g).gradients().get(0).doubles());
        assertThrows(IllegalArgumentException.class, () -> GradientClip.to(0, g));
    }
}
